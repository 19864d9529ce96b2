public import Foundation

/// Round 0, from a participant to all: two X25519 public keys, of 32 bytes, and a commitment to the seed of its own mask, signed by its identity.
public struct Advertisement: Sendable, Hashable, Codable {
    /// The participant's place in the roster.
    public let sender: Int
    /// The key under which others encrypt for it.
    public let encryptionKey: Data
    /// The key with which pairs agree on masks.
    public let maskKey: Data
    /// SHA-256 over the session, its place and its seed.
    public let commitment: Data
    /// Ed25519 over all of that and the session, 64 bytes.
    public let signature: Data

    func signedBytes(_ session: AggregationSession) -> CanonicalBytes {
        var bytes = CanonicalBytes("advertise")
        bytes.append(session.digest)
        bytes.append(sender)
        for part in [encryptionKey, maskKey, commitment] { bytes.append(part) }
        return bytes
    }

    func verify(_ session: AggregationSession) throws(AggregationError) {
        try session.checkPlace(sender)
        guard encryptionKey.count == 32 && maskKey.count == 32 && commitment.count == 32 else {
            throw .malformed(participant: sender, round: .advertise, expected: "keys and a commitment of 32 bytes")
        }
        guard session.isSigned(signedBytes(session), by: sender, signature: signature) else {
            throw .badSignature(participant: sender, round: .advertise)
        }
    }
}

/// A sender's shares for one receiver, which alone can read them.
public struct EncryptedShare: Sendable, Hashable, Codable {
    /// Bytes of ``box``: a nonce of 12, two shares of 32 each, and a tag of 16.
    public static let length = 92

    /// Whose secrets are shared.
    public let sender: Int
    /// Who can read the shares.
    public let receiver: Int
    /// ChaCha20-Poly1305 (RFC 8439), nonce first, over the share of the mask key and the share of the seed; associated data names session and both places.
    public let box: Data
}

/// Round 1, from a participant to the coordinator, who hands each share to its receiver.
public struct ShareMessage: Sendable, Hashable, Codable {
    /// Whose secrets are shared.
    public let sender: Int
    /// One for each neighbour that advertised, by ascending receiver.
    public let shares: [EncryptedShare]
}

/// Round 3, from a participant to all: that it opens this set of survivors and no other.
public struct SurvivorSignature: Sendable, Hashable, Codable {
    /// The participant's place in the roster.
    public let sender: Int
    /// Ed25519 over the session and the survivors' places, ascending; 64 bytes.
    public let signature: Data

    static func signedBytes(_ session: AggregationSession, survivors: [Int]) -> CanonicalBytes {
        var bytes = CanonicalBytes("survivors")
        bytes.append(session.digest)
        bytes.append(survivors.count)
        for survivor in survivors { bytes.append(survivor) }
        return bytes
    }
}

/// A share of a secret of its owner: 32 bytes that are told to the coordinator and never printed.
public struct OpenedShare: Sendable, Hashable, Codable, CustomStringConvertible, CustomReflectable {
    /// Whose secret it is a share of.
    public let owner: Int
    /// The share.
    public let value: Data

    /// The owner alone.
    public var description: String { "OpenedShare(owner: \(owner))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Round 4, from a participant to the coordinator: for each neighbour one share, of the mask key of those who left and of the seed of those who stayed.
public struct UnmaskMessage: Sendable, Hashable, Codable {
    /// The participant's place in the roster.
    public let sender: Int
    /// Of the neighbours who shared and did not deliver, ascending.
    public let maskKeyShares: [OpenedShare]
    /// Of the neighbours who delivered, and of the sender itself, ascending.
    public let seedShares: [OpenedShare]
}
