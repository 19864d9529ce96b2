public import Crypto
internal import Foundation

/// One participant's part in a session: messages in, messages out, no I/O.
///
/// The state is a value. **The caller stores it durably after each call that changes it and before it sends what the call returned**, and stores the masked
/// vector's bytes before it sends them: a participant that forgets what it sent could be brought to send something else. It holds secrets that open the
/// participant's input together with what it sent: it is kept as secret as the input, until ``unmask(survivors:confirmations:)`` erases them. A call that
/// throws changes nothing.
///
/// **What others see of the input x.** The coordinator sees x + PRG(own seed) + the sum over neighbours of plus or minus PRG(pair's seed) modulo 2^k. Of the
/// own seed and of the mask key, others hold shares of which fewer than the threshold are with colluders; honest participants open one kind alone, for a set
/// of survivors that all of them signed (``AggregationSession`` says why there is only one). Of a survivor the own mask is opened, and what remains are the
/// masks of its pairs with honest survivors, which cancel in the sum over all of them and nowhere else. Of one who left, the pairs' masks are opened, and its
/// own mask hides what may have arrived late (Bonawitz et al. 2017, section 6).
public struct AggregationParticipant: Sendable {
    /// What all agreed on.
    public let session: AggregationSession
    /// The participant's place in the roster.
    public let index: Int
    /// The message of round 0.
    public let advertisement: Advertisement
    var state: State

    /// What a participant has done so far.
    struct State: Sendable, Codable {
        /// Nil once shares were opened: they are of no further use to their owner.
        var keys: KeyMaterial?
        var shared: Shared?
        /// Under which each neighbour's shares come, from round 1 until they have come.
        var receivingKeys: [SecretBytes]?
        var received: [ReceivedShare]?
        /// For each chunk of the input a keyed digest.
        var input: [Data]?
        var confirmed: Confirmed?
        var reply: UnmaskMessage?
    }

    struct KeyMaterial: Sendable, Codable {
        let encryption: SecretBytes
        let mask: SecretBytes
        let seed: SecretBytes
        /// The key of the input's digests: a plain digest of guessable numbers would tell them.
        let input: SecretBytes
    }

    /// After round 1.
    struct Shared: Sendable, Codable {
        /// Of the advertisements that were taken.
        let digest: Data
        let advertised: [Int]
        /// Neighbours that advertised, ascending.
        let neighbours: [Neighbour]
        let message: ShareMessage
        /// The participant's own shares of its own seed.
        let ownSeedShare: SecretBytes
    }

    struct Neighbour: Sendable, Codable {
        let index: Int
        let encryptionKey: Data
        let maskKey: Data
    }

    struct ReceivedShare: Sendable, Codable {
        let owner: Int
        let maskKeyShare: SecretBytes
        let seedShare: SecretBytes
    }

    struct Confirmed: Sendable, Codable {
        let survivors: [Int]
        let confirmation: SurvivorSignature
    }

    /// Round 0: fresh keys and a fresh seed, signed. Throws `notInRoster`, `identityOfAnother`.
    public init(
        session: AggregationSession, index: Int, identity: Curve25519.Signing.PrivateKey
    ) throws(AggregationError) {
        try session.checkPlace(index)
        guard identity.publicKey.rawRepresentation == session.roster[index] else {
            throw .identityOfAnother(participant: index)
        }
        let (encryption, mask) = (Curve25519.KeyAgreement.PrivateKey(), Curve25519.KeyAgreement.PrivateKey())
        let seed = SecretBytes(random: 32)
        let unsigned = Advertisement(
            sender: index, encryptionKey: encryption.publicKey.rawRepresentation,
            maskKey: mask.publicKey.rawRepresentation,
            commitment: PairKeys.commitment(seed.data, participant: index, session: session.digest), signature: Data())
        advertisement = Advertisement(
            sender: index, encryptionKey: unsigned.encryptionKey, maskKey: unsigned.maskKey,
            commitment: unsigned.commitment,
            signature: try Self.sign(unsigned.signedBytes(session), identity, participant: index))
        self.session = session
        self.index = index
        state = State(
            keys: KeyMaterial(
                encryption: SecretBytes(encryption.rawRepresentation), mask: SecretBytes(mask.rawRepresentation),
                seed: seed,
                input: SecretBytes(random: 32)))
    }

    static func sign(
        _ bytes: CanonicalBytes, _ identity: Curve25519.Signing.PrivateKey, participant: Int
    ) throws(AggregationError) -> Data {
        do { return try identity.signature(for: bytes.data) } catch {
            throw .identityOfAnother(participant: participant)
        }
    }

    func keys(for step: String) throws(AggregationError) -> KeyMaterial {
        guard let keys = state.keys else {
            throw .order(step, expected: "a session that this participant has not opened yet")
        }
        return keys
    }

    func shared(for step: String) throws(AggregationError) -> Shared {
        guard let shared = state.shared else { throw .order(step, expected: "share before it") }
        return shared
    }

    static func agreementKey(_ secret: SecretBytes, participant: Int) throws(AggregationError)
        -> Curve25519.KeyAgreement.PrivateKey
    {
        do { return try .init(rawRepresentation: secret.data) } catch { throw .badKey(participant: participant) }
    }
}

extension AggregationParticipant: Codable {
    private enum Field: String, CodingKey { case session, index, advertisement, state }

    /// Throws for a state that no participant of the session could be in.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        session = try fields.decode(AggregationSession.self, forKey: .session)
        index = try fields.decode(Int.self, forKey: .index)
        advertisement = try fields.decode(Advertisement.self, forKey: .advertisement)
        state = try fields.decode(State.self, forKey: .state)
        try session.checkPlace(index)
        guard advertisement.sender == index, state.input.map({ $0.count == session.chunkCount }) ?? true else {
            throw AggregationError.parameter("state", expected: "one of this participant in this session")
        }
    }

    /// With its secrets: to be stored, never sent.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Field.self)
        try fields.encode(session, forKey: .session)
        try fields.encode(index, forKey: .index)
        try fields.encode(advertisement, forKey: .advertisement)
        try fields.encode(state, forKey: .state)
    }
}

extension AggregationParticipant: CustomStringConvertible, CustomReflectable {
    /// The place in the roster alone.
    public var description: String { "AggregationParticipant(\(index))" }
    /// Nothing: a state holds secrets.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
