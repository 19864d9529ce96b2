public import Foundation
internal import Secrets

/// One party's part in a private set intersection: messages in, messages out, no I/O. ``IntersectionSession`` says what is computed, and what it protects.
///
/// 1. ``init(session:role:identifiers:allowance:threads:)`` makes ``blinded``, which is sent to the other party.
/// 2. ``evaluate(_:threads:)`` takes the other party's, and makes what is sent back where that one is a recipient.
/// 3. ``conclude(_:threads:)`` takes what came back, where this party is a recipient.
///
/// **One scalar, one list.** The scalar is drawn with the state, multiplies this party's list and one list of the other, and is erased: another list would
/// be as many more guesses. A call with the same message gives the same result, so that a message that was lost can be sent again.
///
/// The state is a value. **The caller stores it durably after each call that changes it and before it sends what the call returned**, with the allowance:
/// a party that goes back to an earlier state could be brought to answer a second list. It holds the scalar until the other's list has come, and which
/// point stands for which identifier until the end: it is kept as secret as the list, and dropped at the end. A call that throws changes nothing.
public struct IntersectionParty: Sendable {
    /// What both agreed on.
    public let session: IntersectionSession
    /// Which of the two this is.
    public let role: IntersectionSession.Role
    /// The message to the other party.
    public let blinded: BlindedList
    var state: State

    struct State: Sendable, Codable {
        /// Nil once it has multiplied the other's list.
        var scalar: SecretScalar?
        /// For each point sent, the place of its identifier, or `padding`. Empty where the output is the size alone.
        var places: [UInt32]
        var evaluated: Evaluated?
        /// SHA-256 of the points that came back.
        var concluded: Data?
    }

    /// The other's points times both scalars, as they are sent back.
    struct Evaluated: Sendable, Codable {
        /// Of the list that was multiplied.
        let digest: Data
        let points: Data
    }

    /// In place of an identifier's place.
    static let padding = UInt32.max

    /// Hashes and multiplies the list.
    ///
    /// - Parameters:
    ///   - identifiers: 1 to 1024 bytes each. Equal identifiers are equal bytes: how they are written (upper case, spaces, Unicode's normal form) is for
    ///     both parties to agree on. Repeated ones count once.
    ///   - allowance: the other party's, from which the session is taken.
    ///   - threads: on how many the work is done, about 40 microseconds of a core for each identifier.
    /// - Throws: `identifierLength`, `tooManyIdentifiers`, and what the allowance refuses: `parameter`, `sessionRepeated`, `sessionsUsedUp`,
    ///   `guessesUsedUp`. The allowance is left as it was then.
    public init(
        session: IntersectionSession, role: IntersectionSession.Role, identifiers: [Data],
        allowance: inout IntersectionAllowance, threads: Int = 1
    ) throws(IntersectionError) {
        var random = SecureRandom()
        try self.init(
            (session, role), identifiers: identifiers, allowance: &allowance, threads: threads, using: &random)
    }

    init<R: RandomNumberGenerator>(
        _ part: (session: IntersectionSession, role: IntersectionSession.Role), identifiers: [Data],
        allowance: inout IntersectionAllowance, threads: Int, using generator: inout R
    ) throws(IntersectionError) {
        (session, role) = part
        for (place, identifier) in identifiers.enumerated() {
            guard IntersectionSession.Limit.listed.contains(identifier.count) else {
                throw .identifierLength(place: place)
            }
        }
        var granted = allowance
        try granted.grant(session, to: role.other)
        let scalar = SecretScalar(using: &generator)
        let list = try BlindedPoints(
            identifiers, for: session.party(role), with: (HashToCurve(tag: session.tag), scalar), threads: threads,
            using: &generator)
        blinded = BlindedList(session: session.digest, sender: role, points: PointList(list.points).bytes)
        state = State(scalar: scalar, places: session.output == .identifiers ? list.places : [])
        allowance = granted
    }
}

/// One's own list, hashed, multiplied, without repetitions, padded and shuffled.
private struct BlindedPoints {
    private(set) var points: [P256Coordinate] = []
    private(set) var places: [UInt32] = []

    /// What is hashed begins with a byte that says which of the two it is.
    private static let (listed, padded): ([UInt8], [UInt8]) = ([0], [1])

    /// Repetitions are found by their points, which the other party may see, so that no comparison depends on an identifier.
    init<R: RandomNumberGenerator>(
        _ identifiers: [Data], for party: IntersectionSession.Party,
        with blinding: (hash: HashToCurve, scalar: SecretScalar), threads: Int, using generator: inout R
    ) throws(IntersectionError) {
        let all = PointList.blinded(identifiers, prefix: Self.listed, with: blinding, threads: threads)
        var seen = Set<P256Coordinate>(minimumCapacity: all.coordinates.count)
        var entries: [(point: P256Coordinate, place: UInt32)] = []
        for (place, point) in all.coordinates.enumerated() where seen.insert(point).inserted {
            entries.append((point, UInt32(place)))
        }
        guard entries.count <= party.capacity else {
            throw .tooManyIdentifiers(count: entries.count, capacity: party.capacity)
        }
        if party.isPadded {
            let padding = (0..<party.capacity - entries.count).map { _ in Self.randomBytes(using: &generator) }
            entries += PointList.blinded(padding, prefix: Self.padded, with: blinding, threads: threads).coordinates
                .map { ($0, IntersectionParty.padding) }
        }
        entries.shuffle(using: &generator)
        (points, places) = (entries.map(\.point), entries.map(\.place))
    }

    private static func randomBytes<R: RandomNumberGenerator>(using generator: inout R) -> Data {
        var data = Data()
        for _ in 0..<4 { withUnsafeBytes(of: generator.next()) { data.append(contentsOf: $0) } }
        return data
    }
}

extension IntersectionParty: Codable {
    private enum Field: String, CodingKey { case session, role, blinded, state }

    /// Throws for a state that no party of the session could be in.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        session = try fields.decode(IntersectionSession.self, forKey: .session)
        role = try fields.decode(IntersectionSession.Role.self, forKey: .role)
        blinded = try fields.decode(BlindedList.self, forKey: .blinded)
        state = try fields.decode(State.self, forKey: .state)
        let sent = blinded.points.count
        let expected = session.output == .identifiers ? sent / P256Coordinate.byteCount : 0
        guard blinded.session == session.digest, blinded.sender == role, sent % P256Coordinate.byteCount == 0,
            state.places.count == expected, (state.scalar == nil) == (state.evaluated != nil),
            (state.evaluated?.points.count ?? 0) % P256Coordinate.byteCount == 0
        else {
            throw IntersectionError.parameter("state", expected: "one of this party in this session")
        }
    }

    /// With its secrets: to be stored, never sent.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Field.self)
        try fields.encode(session, forKey: .session)
        try fields.encode(role, forKey: .role)
        try fields.encode(blinded, forKey: .blinded)
        try fields.encode(state, forKey: .state)
    }
}

extension IntersectionParty: CustomStringConvertible, CustomReflectable {
    /// The role alone.
    public var description: String { "IntersectionParty(\(role))" }
    /// Nothing: a state holds secrets.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
