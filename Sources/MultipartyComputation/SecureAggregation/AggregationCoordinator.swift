internal import Foundation

/// Whether a message was new.
public enum Arrival: String, Sendable, Hashable, Codable {
    /// It was taken.
    case taken
    /// The very same message was taken before.
    case repeated
}

/// The coordinator's part in a session: messages in, messages out, no I/O. The state is a value that the caller stores after each message or round.
///
/// Each round takes messages until the caller, who has the clock, closes it. A second message of a participant that is the same changes nothing; one that
/// differs is refused with `conflicting`. What is not signed (rounds 1, 2 and 4) is taken to be from who the caller says that it is from: the connection
/// authenticates it. A coordinator is not trusted with privacy (see ``AggregationSession``), only with the sum being right.
public struct AggregationCoordinator: Sendable {
    /// What all agreed on.
    public let session: AggregationSession
    /// Which messages are taken now.
    public private(set) var round: AggregationRound {
        get { state.round }
        set { state.round = newValue }
    }
    private(set) var state = State()
    /// Follows from the advertisements; nil while they come in.
    private(set) var neighbourhoods: Neighbourhoods?

    struct State: Sendable, Codable {
        var round = AggregationRound.advertise
        var advertisements: [Int: Advertisement] = [:]
        var shares: [Int: ShareMessage] = [:]
        var survivors: [Int] = []
        var confirmations: [Int: SurvivorSignature] = [:]
        var replies: [Int: UnmaskMessage] = [:]
    }

    /// A session that takes advertisements.
    public init(session: AggregationSession) { self.session = session }

    private func check(_ asked: AggregationRound) throws(AggregationError) {
        guard round == asked else {
            throw .order(
                "a message or the end of the round \(asked.rawValue)", expected: "one of the round \(round.rawValue)")
        }
    }

    private func arrival<Message: Equatable>(
        _ message: Message, from sender: Int, among known: [Int: Message]
    ) throws(AggregationError) -> Arrival {
        guard let before = known[sender] else { return .taken }
        guard before == message else { throw .conflicting(participant: sender, round: round) }
        return .repeated
    }

    private func checkCount(_ count: Int) throws(AggregationError) {
        guard count >= session.threshold else { throw .tooFew(round: round, count: count, needed: session.threshold) }
    }
}

// MARK: - Rounds 0 and 1

extension AggregationCoordinator {
    /// Takes an advertisement. Throws `order`, `notInRoster`, `malformed`, `badSignature`, `conflicting`.
    public mutating func receive(_ advertisement: Advertisement) throws(AggregationError) -> Arrival {
        try check(.advertise)
        try advertisement.verify(session)
        // Keys with which others could not go on keep their owner out, and nobody else.
        try PairKeys.check(advertisement)
        let keys = Set(
            state.advertisements.values.filter { $0.sender != advertisement.sender }.flatMap {
                [$0.encryptionKey, $0.maskKey]
            })
        guard advertisement.encryptionKey != advertisement.maskKey, !keys.contains(advertisement.encryptionKey),
            !keys.contains(advertisement.maskKey)
        else { throw .repeatedKey(participant: advertisement.sender) }
        let arrival = try arrival(advertisement, from: advertisement.sender, among: state.advertisements)
        state.advertisements[advertisement.sender] = advertisement
        return arrival
    }

    /// Ends round 0 and gives what goes to everyone who advertised: all advertisements. Throws `order`, `tooFew`, `repeatedKey`.
    public mutating func closeAdvertising() throws(AggregationError) -> [Advertisement] {
        try check(.advertise)
        let sorted = state.advertisements.values.sorted { $0.sender < $1.sender }
        try AggregationParticipant.check(sorted, session)
        neighbourhoods = Neighbourhoods(session, sorted)
        round = .share
        return sorted
    }

    /// Takes a participant's encrypted shares. Throws `order`, `malformed` unless there is one of the right size for each neighbour that advertised, in
    /// ascending order, `conflicting`.
    public mutating func receive(_ message: ShareMessage) throws(AggregationError) -> Arrival {
        try check(.share)
        try session.checkPlace(message.sender)
        let expected = neighbourhoods?.neighbours(of: message.sender) ?? []
        guard state.advertisements[message.sender] != nil, message.shares.map(\.receiver) == expected,
            message.shares.allSatisfy({ $0.sender == message.sender && $0.box.count == EncryptedShare.length })
        else {
            throw .malformed(
                participant: message.sender, round: .share,
                expected:
                    "a share of \(EncryptedShare.length) bytes for each of its \(expected.count) neighbours that advertised"
            )
        }
        let arrival = try arrival(message, from: message.sender, among: state.shares)
        state.shares[message.sender] = message
        return arrival
    }

    /// Ends round 1 and gives who shared, ascending: to each of them goes ``shares(for:)``. Throws `order`, `tooFew`.
    public mutating func closeSharing() throws(AggregationError) -> [Int] {
        try check(.share)
        try checkCount(state.shares.count)
        round = .mask
        return sharers
    }

    /// What goes to a participant after round 1: the shares that its neighbours made for it. Empty for who did not share itself.
    public func shares(for receiver: Int) -> [EncryptedShare] {
        guard round != .advertise && round != .share, let neighbourhoods, state.shares[receiver] != nil else {
            return []
        }
        return neighbourhoods.neighbours(of: receiver).compactMap { sender in
            guard let shares = state.shares[sender]?.shares else { return nil }
            // They are ascending.
            var (low, high) = (0, shares.count)
            while low < high {
                let middle = (low + high) / 2
                if shares[middle].receiver < receiver { low = middle + 1 } else { high = middle }
            }
            return low < shares.count && shares[low].receiver == receiver ? shares[low] : nil
        }
    }

    var sharers: [Int] { state.shares.keys.sorted() }
}

// MARK: - Rounds 2 to 4

extension AggregationCoordinator {
    /// Ends round 2: says whose whole masked vectors are in the sum, and gives them as what goes to each of them to be signed. Throws `order`, `parameter` for
    /// a sum of another session or with a vector half added, `malformed` where one is in it who did not share, `tooFew`.
    public mutating func closeMasking(_ sum: MaskedSum) throws(AggregationError) -> [Int] {
        try check(.mask)
        guard sum.isOf(session) && sum.isWhole else {
            throw .parameter("masked sum", expected: "one of this session, of whole vectors")
        }
        for member in sum.members where state.shares[member] == nil {
            throw .malformed(participant: member, round: .mask, expected: "vectors of participants that shared")
        }
        try checkCount(sum.members.count)
        state.survivors = sum.members
        round = .confirm
        return state.survivors
    }

    /// Takes a signature on the survivors. Throws `order`, `malformed` from who is none of them, `badSignature`, `conflicting`.
    public mutating func receive(_ confirmation: SurvivorSignature) throws(AggregationError) -> Arrival {
        try check(.confirm)
        let sender = confirmation.sender
        try session.checkPlace(sender)
        guard state.survivors.contains(sender) else {
            throw .malformed(participant: sender, round: .confirm, expected: "a signature of a survivor")
        }
        // Before the signature: two that verify can differ, and which is told on is the first.
        let arrival = try arrival(confirmation, from: sender, among: state.confirmations)
        guard
            session.isSigned(
                SurvivorSignature.signedBytes(session, survivors: state.survivors), by: sender,
                signature: confirmation.signature)
        else { throw .badSignature(participant: sender, round: .confirm) }
        state.confirmations[sender] = confirmation
        return arrival
    }

    /// Ends round 3 and gives what goes to each who signed: all signatures, ascending. Throws `order`, `tooFew`.
    public mutating func closeConfirming() throws(AggregationError) -> [SurvivorSignature] {
        try check(.confirm)
        try checkCount(state.confirmations.count)
        round = .unmask
        return state.confirmations.values.sorted { $0.sender < $1.sender }
    }

    /// Takes opened shares. Throws `order`, `malformed` unless they are those that a survivor who signed has to open, of 32 bytes each, `conflicting`.
    public mutating func receive(_ message: UnmaskMessage) throws(AggregationError) -> Arrival {
        try check(.unmask)
        let sender = message.sender
        try session.checkPlace(sender)
        let staying = Set(state.survivors)
        let near = (neighbourhoods?.neighbours(of: sender) ?? []).filter { state.shares[$0] != nil }
        guard state.confirmations[sender] != nil,
            message.maskKeyShares.map(\.owner) == near.filter({ !staying.contains($0) }),
            message.seedShares.map(\.owner) == (near.filter { staying.contains($0) } + [sender]).sorted(),
            (message.maskKeyShares + message.seedShares).allSatisfy({ $0.value.count == 32 })
        else {
            throw .malformed(
                participant: sender, round: .unmask,
                expected: "from a survivor who signed, shares of 32 bytes of each neighbour that shared and of itself, "
                    + "of seeds of survivors and of mask keys of the others")
        }
        let arrival = try arrival(message, from: sender, among: state.replies)
        state.replies[sender] = message
        return arrival
    }
}

extension AggregationCoordinator: Codable {
    private enum Field: String, CodingKey { case session, state }

    /// Throws for a state that no coordinator of the session could be in.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        session = try fields.decode(AggregationSession.self, forKey: .session)
        state = try fields.decode(State.self, forKey: .state)
        if state.round != .advertise {
            let sorted = state.advertisements.values.sorted { $0.sender < $1.sender }
            try AggregationParticipant.check(sorted, session)
            neighbourhoods = Neighbourhoods(session, sorted)
        }
    }

    /// All that came in.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Field.self)
        try fields.encode(session, forKey: .session)
        try fields.encode(state, forKey: .state)
    }
}

extension AggregationCoordinator: CustomStringConvertible, CustomReflectable {
    /// The round alone.
    public var description: String { "AggregationCoordinator(\(round.rawValue))" }
    /// Nothing: it holds shares.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
