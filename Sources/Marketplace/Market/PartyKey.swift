internal import Crypto
internal import Secrets

/// The public key under which a party's entries are verified: Ed25519 (RFC 8032). Who gives a private key away, or registers a key under which anybody can sign, lets others act in
/// that name, and in no other.
public struct PartyKey: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The 32 bytes of the key.
    public let value: Digest256

    /// The key with these bytes; nil where no point is encoded by them.
    public init?(_ value: Digest256) {
        guard (try? Curve25519.Signing.PublicKey(rawRepresentation: value.bytes)) != nil else { return nil }
        self.value = value
    }

    /// The key of 64 lower-case hexadecimal digits; nil for anything else.
    public init?(hex: String) {
        guard let value = Digest256(hex: hex) else { return nil }
        self.init(value)
    }

    /// 64 hexadecimal digits.
    public var description: String { value.hex }

    func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: value.bytes) else { return false }
        return key.isValidSignature(signature, for: message)
    }

    /// Reads 64 hexadecimal digits; throws `DecodingError` for anything else.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let key = PartyKey(try container.decode(Digest256.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected an Ed25519 public key")
        }
        self = key
    }

    /// Writes 64 hexadecimal digits.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}

/// A party's private key, which signs what the party asks. Never printed.
public struct PartySigner: Sendable, CustomStringConvertible, CustomReflectable {
    /// What others verify with.
    public let publicKey: PartyKey
    private let key: Curve25519.Signing.PrivateKey

    /// The key of these 32 secret bytes; nil for any other number of bytes.
    public init?(seed: [UInt8]) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed),
            let value = Digest256([UInt8](key.publicKey.rawRepresentation)), let publicKey = PartyKey(value)
        else { return nil }
        self.key = key
        self.publicKey = publicKey
    }

    /// Signs what a party asks of a market.
    ///
    /// - Parameters:
    ///   - time: By the market's operator, seconds since its epoch; nil of everybody else, for whom the operator's clock counts.
    ///   - nonce: 32 random bytes. The same again are the same entry again: it is done once.
    /// - Throws: What the cryptographic library throws, which it does not for a key of 32 bytes.
    public func sign(
        _ action: MarketAction, by party: PartyName, in market: Digest256, time: Int64? = nil,
        nonce: Digest256 = .fresh()
    ) throws -> SignedEntry {
        let request = SignedEntry.Request(market: market, by: party, nonce: nonce, time: time, action: action)
        return SignedEntry(request, signature: try signature(of: request.signedBytes))
    }

    /// Asks a market to be registered under this key.
    ///
    /// - Throws: What the cryptographic library throws, which it does not for a key of 32 bytes.
    public func registration(of party: PartyName, in market: Digest256) throws -> Registration {
        try Registration(market: market, party: party, signer: self)
    }

    func signature(of bytes: [UInt8]) throws -> [UInt8] { [UInt8](try key.signature(for: bytes)) }

    /// The public key alone.
    public var description: String { "PartySigner(\(publicKey))" }
    /// The public key alone.
    public var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey]) }
}

extension Digest256 {
    /// 32 bytes of the operating system's randomness.
    public static func fresh() -> Digest256 {
        guard let value = Digest256(SecureRandom.bytes(byteCount)) else { preconditionFailure("32 bytes") }
        return value
    }
}
