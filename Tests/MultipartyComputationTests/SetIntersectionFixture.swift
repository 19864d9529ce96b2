import Foundation
import Secrets

@testable import MultipartyComputation

/// Two parties of a made-up session, for tests that play it and change something in between.
struct IntersectionPair {
    typealias Role = IntersectionSession.Role

    let session: IntersectionSession
    let lists: [Role: [Data]]
    var parties: [Role: IntersectionParty] = [:]

    init(
        _ first: [Data], _ second: [Data], output: IntersectionSession.Output = .identifiers,
        recipients: IntersectionSession.Recipients = .both, capacity: Int? = nil, isPadded: Bool = false,
        identifier: Data = Data(SecureRandom.bytes(16)), threads: Int = 1
    ) throws {
        session = try Self.session(
            identifier: identifier, capacities: (capacity ?? max(first.count, 1), capacity ?? max(second.count, 1)),
            isPadded: isPadded, output: output, recipients: recipients)
        lists = [.first: first, .second: second]
        for role in Role.allCases {
            var allowance = try Self.allowance(for: role)
            parties[role] = try IntersectionParty(
                session: session, role: role, identifiers: lists[role] ?? [], allowance: &allowance, threads: threads)
        }
    }

    static func session(
        identifier: Data = Data(SecureRandom.bytes(16)), capacities: (Int, Int) = (10, 10), isPadded: Bool = false,
        output: IntersectionSession.Output = .identifiers, recipients: IntersectionSession.Recipients = .both
    ) throws -> IntersectionSession {
        try IntersectionSession(
            identifier: identifier, first: .init(name: "clinic", capacity: capacities.0, isPadded: isPadded),
            second: .init(name: "registry", capacity: capacities.1, isPadded: isPadded), output: output,
            recipients: recipients)
    }

    /// What the party in the role allows the other one.
    static func allowance(for role: Role, sessions: Int = 10, guesses: Int = 1 << 20) throws -> IntersectionAllowance {
        try IntersectionAllowance(peer: role == .first ? "registry" : "clinic", sessions: sessions, guesses: guesses)
    }

    subscript(role: Role) -> IntersectionParty {
        get {
            guard let party = parties[role] else { preconditionFailure("Both parties are made at the start.") }
            return party
        }
        set { parties[role] = newValue }
    }

    /// Through the encodings of states and of a message, as if each were stored or sent.
    mutating func store() throws {
        for role in Role.allCases { self[role] = try Self.sent(self[role]) }
    }

    static func sent<Value: Codable>(_ value: Value) throws -> Value {
        try JSONDecoder().decode(Value.self, from: JSONEncoder().encode(value))
    }

    /// What each role learns; nil for who is no recipient.
    mutating func play(threads: Int = 1) throws -> [Role: IntersectionResult] {
        try store()
        var replies: [Role: EvaluatedList] = [:]
        for role in Role.allCases {
            let list = try Self.sent(self[role.other].blinded)
            replies[role.other] = try Self.sent(self[role].evaluate(list, threads: threads))
            try store()
        }
        var results: [Role: IntersectionResult] = [:]
        for (role, reply) in replies { results[role] = try self[role].conclude(reply, threads: threads) }
        return results
    }

    /// What the role must learn, by plain sets.
    func expected(_ role: Role) -> IntersectionResult {
        let (own, other) = (lists[role] ?? [], Set(lists[role.other] ?? []))
        var seen = Set<Data>()
        let places = own.indices.filter { seen.insert(own[$0]).inserted && other.contains(own[$0]) }
        return session.output == .identifiers ? .identifiers(places) : .size(places.count)
    }
}

/// So many identifiers that begin with the text.
func identifiers(_ range: Range<Int>, _ text: String = "person") -> [Data] {
    range.map { Data("\(text)-\($0)".utf8) }
}

extension Data {
    /// The points of a message, 32 bytes each.
    var points: [Data] {
        get { stride(from: 0, to: count - count % 32, by: 32).map { Data(dropFirst($0).prefix(32)) } }
        set { self = newValue.reduce(Data(), +) }
    }
}

extension BlindedList {
    func with(
        session: Data? = nil, sender: IntersectionSession.Role? = nil, points: Data? = nil
    ) -> BlindedList {
        BlindedList(session: session ?? self.session, sender: sender ?? self.sender, points: points ?? self.points)
    }
}

extension EvaluatedList {
    func with(
        session: Data? = nil, sender: IntersectionSession.Role? = nil, list: Data? = nil, points: Data? = nil
    ) -> EvaluatedList {
        EvaluatedList(
            session: session ?? self.session, sender: sender ?? self.sender, list: list ?? self.list,
            points: points ?? self.points)
    }
}
