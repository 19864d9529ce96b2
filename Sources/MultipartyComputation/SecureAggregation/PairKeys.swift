internal import Crypto
internal import Foundation

/// The keys that two participants share and nobody else knows, and the self-mask's: HKDF-SHA256 (RFC 5869) over X25519 (RFC 7748), the session's digest and
/// both places in the information, so that a key is one of this session, this pair and this use alone.
enum PairKeys {
    /// The seed of the mask that `participant` and `peer` both expand. Throws `badKey` of the peer where its key gives no secret.
    static func mask(
        _ key: Curve25519.KeyAgreement.PrivateKey, of participant: Int, peer: (index: Int, key: Data), session: Data
    ) throws(AggregationError) -> SymmetricKey {
        let pair = [min(participant, peer.index), max(participant, peer.index)]
        return derive(try agree(key, peer), info("pair-mask", session, pair))
    }

    /// The keys under which shares are encrypted for the peer, and come from it. Throws `badKey` as ``mask(_:of:peer:session:)`` does.
    static func encryption(
        _ key: Curve25519.KeyAgreement.PrivateKey, of participant: Int, peer: (index: Int, key: Data), session: Data
    ) throws(AggregationError) -> (sending: SymmetricKey, receiving: SymmetricKey) {
        let secret = try agree(key, peer)
        return (
            derive(secret, info("shares", session, [participant, peer.index])),
            derive(secret, info("shares", session, [peer.index, participant]))
        )
    }

    /// The seed of a participant's own mask.
    static func ownMask(_ seed: Data, participant: Int, session: Data) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: seed), info: info("self-mask", session, [participant]),
            outputByteCount: 32)
    }

    /// What a participant commits itself to before it shares its seed. The seed is uniform, so that its hash hides it.
    static func commitment(_ seed: Data, participant: Int, session: Data) -> Data {
        var bytes = CanonicalBytes("commitment")
        bytes.append(session)
        bytes.append(participant)
        bytes.append(seed)
        return bytes.digest
    }

    /// Throws `badKey` where one of the keys gives no secret with any other.
    static func check(_ advertisement: Advertisement) throws(AggregationError) {
        let key = Curve25519.KeyAgreement.PrivateKey()
        for other in [advertisement.encryptionKey, advertisement.maskKey] {
            _ = try agree(key, (advertisement.sender, other))
        }
    }

    private static func agree(
        _ key: Curve25519.KeyAgreement.PrivateKey, _ peer: (index: Int, key: Data)
    ) throws(AggregationError) -> SharedSecret {
        do {
            let secret = try key.sharedSecretFromKeyAgreement(with: .init(rawRepresentation: peer.key))
            // A key of small order gives zero, whatever the other one is (RFC 7748, section 6.1).
            guard secret.withUnsafeBytes({ $0.reduce(0, |) }) != 0 else {
                throw AggregationError.badKey(participant: peer.index)
            }
            return secret
        } catch {
            throw .badKey(participant: peer.index)
        }
    }

    private static func derive(_ secret: SharedSecret, _ info: Data) -> SymmetricKey {
        secret.hkdfDerivedSymmetricKey(using: SHA256.self, salt: Data(), sharedInfo: info, outputByteCount: 32)
    }

    private static func info(_ label: String, _ session: Data, _ indices: [Int]) -> Data {
        var bytes = CanonicalBytes(label)
        bytes.append(session)
        for index in indices { bytes.append(index) }
        return bytes.data
    }
}
