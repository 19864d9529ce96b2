internal import CSecp256k1
public import Marketplace
internal import Secrets

/// An account's private key on a chain: a scalar of secp256k1 (SEC 2, section 2.4.1). Never printed.
///
/// **Threat model.** Signatures are ECDSA with nonces of RFC 6979, which follow from key and hash, so that no bad randomness tells the key;
/// libsecp256k1's arithmetic takes the same steps for all keys, and each call blinds it anew from the operating system's randomness. A
/// signature is only given out after it was seen to be of this key: a fault in the computation would tell the key otherwise (Boneh, DeMillo and
/// Lipton 1997). The key stays in memory for as long as the value lives; whoever reads it spends what the account has.
public struct ChainKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// Bytes of a key.
    public static let byteCount = 32
    /// Who signs: the last 20 bytes of Keccak-256 of the public key.
    public let address: ChainAddress
    private let secret: [UInt8]

    /// The key of these 32 secret bytes; nil for another number of bytes, zero, or a number that is not below the group's order.
    public init?(secret: [UInt8]) {
        guard secret.count == Self.byteCount, let address = Secp256k1.address(of: secret) else { return nil }
        self.secret = secret
        self.address = address
    }

    /// A key of the operating system's randomness, and its bytes, which the caller keeps: there is no other way to them.
    public static func fresh() -> (key: ChainKey, secret: [UInt8]) {
        while true {
            let secret = SecureRandom.bytes(byteCount)
            if let key = ChainKey(secret: secret) { return (key, secret) }
        }
    }

    /// Signs a hash; s is at most half of the order (EIP-2).
    ///
    /// - Throws: ``ChainKeyError`` where what was computed is not this key's signature.
    public func sign(_ hash: Digest256) throws(ChainKeyError) -> ChainSignature {
        guard let signature = Secp256k1.sign(hash, with: secret), signature.signer(of: hash) == address else {
            throw .fault(address)
        }
        return signature
    }

    /// The address alone.
    public var description: String { "ChainKey(\(address))" }
    /// The address alone.
    public var customMirror: Mirror { Mirror(self, children: ["address": address]) }
}

/// Why nothing was signed.
public enum ChainKeyError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The computation went wrong.
    case fault(ChainAddress)
    /// The key is another account's.
    case otherAccount(ChainAddress, expected: ChainAddress)

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .fault(let address):
            "a signature of \(address) was computed wrongly and is not given out: expected sound memory and processor"
        case .otherAccount(let address, let expected): "the key is \(address)'s: expected that of \(expected)"
        }
    }
}

extension ChainSignature {
    /// Who signed the hash, by recovering the public key (SEC 1, section 4.1.6); nil where no key could have.
    public func signer(of hash: Digest256) -> ChainAddress? { Secp256k1.signer(of: hash, by: self) }
}

/// The calls of libsecp256k1, each with a context of its own.
private enum Secp256k1 {
    static func address(of secret: [UInt8]) -> ChainAddress? {
        withContext { context in
            var key = secp256k1_pubkey()
            guard secp256k1_ec_pubkey_create(context, &key, secret) == 1 else { return nil }
            return address(of: key, in: context)
        }
    }

    static func sign(_ hash: Digest256, with secret: [UInt8]) -> ChainSignature? {
        withContext { context in
            var signature = secp256k1_ecdsa_recoverable_signature()
            // Without a function for the nonce it is RFC 6979's, and s is the lower one.
            guard secp256k1_ecdsa_sign_recoverable(context, &signature, hash.bytes, secret, nil, nil) == 1 else {
                return nil
            }
            var bytes = [UInt8](repeating: 0, count: 64)
            var recovery: Int32 = 0
            guard
                secp256k1_ecdsa_recoverable_signature_serialize_compact(context, &bytes, &recovery, &signature) == 1,
                // Above 1 the point's x coordinate is not below the order, which transactions cannot say.
                recovery < 2, let r = Digest256(bytes[..<32]), let s = Digest256(bytes[32...])
            else { return nil }
            return ChainSignature(isOdd: recovery == 1, r: r, s: s)
        }
    }

    static func signer(of hash: Digest256, by signature: ChainSignature) -> ChainAddress? {
        withContext { context in
            var parsed = secp256k1_ecdsa_recoverable_signature()
            var key = secp256k1_pubkey()
            guard
                secp256k1_ecdsa_recoverable_signature_parse_compact(
                    context, &parsed, signature.r.bytes + signature.s.bytes, signature.isOdd ? 1 : 0) == 1,
                secp256k1_ecdsa_recover(context, &key, &parsed, hash.bytes) == 1
            else { return nil }
            return address(of: key, in: context)
        }
    }

    private static func address(of key: secp256k1_pubkey, in context: OpaquePointer) -> ChainAddress? {
        var key = key
        var bytes = [UInt8](repeating: 0, count: 65)
        var count = bytes.count
        let form = UInt32(SECP256K1_EC_UNCOMPRESSED)
        guard secp256k1_ec_pubkey_serialize(context, &bytes, &count, &key, form) == 1, count == 65 else { return nil }
        return ChainAddress(Array(Keccak256.hash(Array(bytes[1...])).bytes.suffix(20)))
    }

    private static func withContext<Result>(_ body: (OpaquePointer) -> Result?) -> Result? {
        guard let context = secp256k1_context_create(UInt32(SECP256K1_CONTEXT_NONE)) else { return nil }
        defer { secp256k1_context_destroy(context) }
        guard secp256k1_context_randomize(context, SecureRandom.bytes(32)) == 1 else { return nil }
        return body(context)
    }
}
