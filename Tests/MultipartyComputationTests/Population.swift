import Crypto
import Foundation
import Secrets

@testable import MultipartyComputation

/// The participants of a made-up session and its coordinator, and what each round said, for tests that play a round and change something in between.
struct Population {
    let identities: [Curve25519.Signing.PrivateKey]
    let session: AggregationSession
    var participants: [AggregationParticipant]
    var coordinator: AggregationCoordinator
    var sum: MaskedSum

    init(
        _ count: Int, length: Int = 3, bits: Int = 16, threshold: Int, colluders: Int = 0,
        graph: AggregationGraph = .complete,
        mayShow: Bool = false
    ) throws {
        let identities = (0..<count).map { _ in Curve25519.Signing.PrivateKey() }
        self.identities = identities
        session = try AggregationSession(
            identifier: Data(SecureRandom.bytes(16)), subject: Data(repeating: 1, count: 32),
            roster: identities.map { $0.publicKey.rawRepresentation }, length: length, modulusBits: bits,
            threshold: threshold, colluders: colluders, graph: graph, sumMayShowTheOther: mayShow)
        participants = try Self.participants(session, identities)
        coordinator = AggregationCoordinator(session: session)
        sum = MaskedSum(session)
    }

    static func participants(
        _ session: AggregationSession, _ identities: [Curve25519.Signing.PrivateKey]
    ) throws -> [AggregationParticipant] {
        try identities.indices.map { try AggregationParticipant(session: session, index: $0, identity: identities[$0]) }
    }

    var everyone: Set<Int> { Set(participants.indices) }

    /// Through the coordinator's and the participants' encodings, as if each were stored and read again.
    mutating func store() throws {
        participants = try JSONDecoder().decode([AggregationParticipant].self, from: JSONEncoder().encode(participants))
        coordinator = try JSONDecoder().decode(AggregationCoordinator.self, from: JSONEncoder().encode(coordinator))
        sum = try JSONDecoder().decode(MaskedSum.self, from: JSONEncoder().encode(sum))
    }

    /// Rounds 0 and 1, to all of `sharing`, who must have advertised.
    mutating func share(advertising: Set<Int>? = nil, sharing: Set<Int>? = nil) throws {
        let advertising = advertising ?? everyone
        for index in advertising.sorted() { _ = try coordinator.receive(participants[index].advertisement) }
        let all = try coordinator.closeAdvertising()
        for index in (sharing ?? advertising).sorted() { _ = try coordinator.receive(participants[index].share(all)) }
    }

    /// The end of round 1, and what each sharer was sent.
    mutating func deliver() throws -> [Int] {
        let sharers = try coordinator.closeSharing()
        for index in sharers { try participants[index].receive(coordinator.shares(for: index)) }
        return sharers
    }

    /// Round 2 of these, and who is in the sum.
    mutating func mask(_ inputs: [[UInt64]], of delivering: Set<Int>) throws -> [Int] {
        for index in delivering.sorted() {
            try sum.add(participants[index].mask(inputs[index]), from: index, session: session)
        }
        return try coordinator.closeMasking(sum)
    }

    /// Rounds 3 and 4.
    mutating func open(
        _ survivors: [Int], confirming: Set<Int>, unmasking: Set<Int>, change: (inout UnmaskMessage) -> Void = { _ in }
    ) throws -> AggregationResult {
        for index in confirming.sorted() {
            _ = try coordinator.receive(participants[index].confirm(survivors: survivors, identity: identities[index]))
        }
        let confirmations = try coordinator.closeConfirming()
        for index in unmasking.sorted() {
            var message = try participants[index].unmask(survivors: survivors, confirmations: confirmations)
            change(&message)
            _ = try coordinator.receive(message)
        }
        return try coordinator.open(sum, threads: 2)
    }

    func inputs(seed: UInt64) -> [[UInt64]] {
        var random = SeededGenerator(seed: seed)
        return participants.map { _ in (0..<session.length).map { _ in random.next() & session.modulusMask } }
    }

    func plainSum(_ inputs: [[UInt64]], of members: some Sequence<Int>) -> [UInt64] {
        (0..<session.length).map { entry in
            members.reduce(UInt64(0)) { $0 &+ inputs[$1][entry] } & session.modulusMask
        }
    }
}

extension RandomNumberGenerator {
    /// A number below the bound; nearly uniform, for choosing what a test does.
    mutating func below(_ bound: Int) -> Int { Int(next() >> 1) % bound }

    /// All places but so many, chosen by the generator.
    mutating func leaveOut(_ count: Int, of set: Set<Int>) -> Set<Int> {
        var rest = set.sorted()
        for _ in 0..<count { rest.remove(at: below(rest.count)) }
        return Set(rest)
    }
}

/// A hexadecimal text's bytes.
func bytes(_ hexadecimal: String) -> Data {
    let digits = hexadecimal.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    return Data(stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) })
}
