internal import Foundation

/// How often, and with how many guesses in all, one party may be met.
///
/// Whoever is a recipient can put into its list what it likes, and learns which of it the other holds: each of its points is a guess. An allowance counts
/// the sessions that were begun and the guesses that they grant, whether or not they ended, and refuses what goes beyond. It also remembers the sessions'
/// identifiers, so that none is begun twice.
///
/// **The caller stores it durably after each session that is begun, and before the first message is sent.** One allowance is kept for each other party and
/// each kind of list, by who decides how much that party may learn; a party that can take other names needs a bound on those too.
public struct IntersectionAllowance: Sendable, Hashable {
    /// The name of the party that is bounded.
    public let peer: String
    /// The most sessions.
    public let sessions: Int
    /// The most guesses in all sessions together.
    public let guesses: Int
    /// Identifiers of the sessions begun.
    private var begun: Set<Data> = []
    /// Guesses granted so far.
    public private(set) var guessesGranted = 0

    /// Sessions begun so far.
    public var sessionsBegun: Int { begun.count }
    /// What an allowance may grant at most.
    public static let largest = (sessions: 1 << 16, guesses: 1 << 40)

    /// Throws `parameter` for a number below 0 or above ``largest``.
    public init(peer: String, sessions: Int, guesses: Int) throws(IntersectionError) {
        guard (0...Self.largest.sessions).contains(sessions) else {
            throw .parameter("sessions", expected: "0 to \(Self.largest.sessions)")
        }
        guard (0...Self.largest.guesses).contains(guesses) else {
            throw .parameter("guesses", expected: "0 to \(Self.largest.guesses)")
        }
        (self.peer, self.sessions, self.guesses) = (peer, sessions, guesses)
    }

    /// Takes the session off what is left: one session, and where the other party is a recipient its capacity in guesses.
    ///
    /// Throws `parameter` where the other party has another name, `sessionRepeated`, `sessionsUsedUp`, `guessesUsedUp`; nothing is changed then.
    mutating func grant(_ session: IntersectionSession, to role: IntersectionSession.Role) throws(IntersectionError) {
        let party = session.party(role)
        guard Array(party.name.utf8) == Array(peer.utf8) else {
            throw .parameter("allowance", expected: "one for \(party.name)")
        }
        guard !begun.contains(session.identifier) else { throw .sessionRepeated(peer: peer) }
        guard begun.count < sessions else { throw .sessionsUsedUp(peer: peer, limit: sessions) }
        let asked = session.recipients.contains(role) ? party.capacity : 0
        guard asked <= guesses - guessesGranted else {
            throw .guessesUsedUp(peer: peer, asked: asked, left: guesses - guessesGranted)
        }
        begun.insert(session.identifier)
        guessesGranted += asked
    }
}

extension IntersectionAllowance: Codable {
    private enum Field: String, CodingKey { case peer, sessions, guesses, begun, guessesGranted }

    /// Throws for a state that no allowance could be in.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        try self.init(
            peer: fields.decode(String.self, forKey: .peer), sessions: fields.decode(Int.self, forKey: .sessions),
            guesses: fields.decode(Int.self, forKey: .guesses))
        let begun = try fields.decode([Data].self, forKey: .begun)
        self.begun = Set(begun)
        guessesGranted = try fields.decode(Int.self, forKey: .guessesGranted)
        guard self.begun.count == begun.count, begun.count <= sessions, (0...guesses).contains(guessesGranted) else {
            throw IntersectionError.parameter("allowance", expected: "no more used than was allowed")
        }
    }

    /// Everything, the identifiers of sessions in ascending order.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Field.self)
        try fields.encode(peer, forKey: .peer)
        try fields.encode(sessions, forKey: .sessions)
        try fields.encode(guesses, forKey: .guesses)
        try fields.encode(begun.sorted { $0.lexicographicallyPrecedes($1) }, forKey: .begun)
        try fields.encode(guessesGranted, forKey: .guessesGranted)
    }
}
