internal import Crypto
public import Foundation
internal import MultipartyComputation
internal import Secrets

/// By which keys an aggregator or a collector is known: 32 bytes of an Ed25519 key, which it signs with, and 32 of an X25519 key, for which is encrypted.
public struct TallyIdentity: Sendable, Hashable, Codable {
    /// The 64 bytes.
    public let bytes: Data

    /// nil for anything but 64 bytes.
    public init?(_ bytes: Data) {
        guard bytes.count == 64 else { return nil }
        self.bytes = Data(bytes)
    }

    /// In base64; nil for anything else.
    public init?(text: String) {
        guard let bytes = Data(base64Encoded: text) else { return nil }
        self.init(bytes)
    }

    /// In base64, as plans name it.
    public var text: String { bytes.base64EncodedString() }

    var signing: Data { bytes.prefix(32) }
    var agreement: Data { bytes.suffix(32) }

    /// - Throws: A key of small order: it gives zero, whatever the other one is (RFC 7748, section 6.1), and what is encrypted for it is for anybody to read.
    func agreed(with key: Curve25519.KeyAgreement.PrivateKey) throws -> SharedSecret {
        let secret = try key.sharedSecretFromKeyAgreement(with: .init(rawRepresentation: agreement))
        guard secret.withUnsafeBytes({ $0.reduce(0, |) }) != 0 else {
            throw FederationError.plan("a party's key", expected: "one that keys can be agreed on with")
        }
        return secret
    }

    /// - Throws: For anything but 64 bytes in base64.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let identity = TallyIdentity(try container.decode(Data.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "an identity: expected 64 bytes")
        }
        self = identity
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}

/// The private keys of an aggregator or a collector.
public struct TallyKey: Sendable {
    let signing: Curve25519.Signing.PrivateKey
    private let agreement: Curve25519.KeyAgreement.PrivateKey

    /// Fresh ones.
    public init() { (signing, agreement) = (.init(), .init()) }

    /// From 64 bytes that were kept; nil for anything else.
    public init?(_ bytes: Data) {
        guard bytes.count == 64, let signing = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes.prefix(32)),
            let agreement = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: bytes.suffix(32))
        else { return nil }
        (self.signing, self.agreement) = (signing, agreement)
    }

    /// The 64 bytes to keep.
    public var bytes: Data { signing.rawRepresentation + agreement.rawRepresentation }

    /// Their public halves.
    public var identity: TallyIdentity {
        // Two keys are of 32 bytes each.
        TallyIdentity(signing.publicKey.rawRepresentation + agreement.publicKey.rawRepresentation)
            ?? { preconditionFailure("A public key of Curve25519 is of 32 bytes.") }()
    }

    /// What two aggregators query proofs with: it follows from their keys and the task, so that it is fixed before the first report, and no client knows it. What is encrypted by HPKE for the same key is
    /// derived from agreements under another label.
    func verifyKey(with other: TallyIdentity, task: Data) throws(FederationError) -> VerifyKey {
        do {
            let secret = try other.agreed(with: agreement)
            let key = secret.hkdfDerivedSymmetricKey(
                using: SHA256.self, salt: task, sharedInfo: Data("parley tally verification key 1".utf8),
                outputByteCount: 32)
            return try VerifyKey(key.withUnsafeBytes { [UInt8]($0) })
        } catch { throw .plan("the other aggregator's key", expected: "one that keys can be agreed on with") }
    }

    /// Of what an aggregator draws its noise for a batch (``TallyPrivacy``): it follows from its private keys, the task, its role and the batch's reports, so that one batch has one sum, whatever state is put back.
    ///
    /// - Parameter reports: ``TallyRoll/digest(of:)``.
    func noise(_ role: TallyRole, task: Data, reports: Data) -> KeyedRandom {
        let key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: bytes), salt: task,
            info: Data("parley tally noise 1".utf8) + Data(littleEndian: UInt32(role.rawValue)) + reports,
            outputByteCount: KeyedRandom.keyBytes)
        guard let words = key.withUnsafeBytes({ KeyedRandom(key: $0) }) else {
            preconditionFailure("HKDF gave a key of another length than it was asked for.")
        }
        return words
    }

    func open(_ sealed: TallySealed, _ purpose: TallySealed.Purpose, authenticating data: Data) -> Data? {
        guard sealed.bytes.count >= TallySealed.overhead else { return nil }
        do {
            var recipient = try HPKE.Recipient(
                privateKey: agreement, ciphersuite: TallySealed.suite, info: purpose.info,
                encapsulatedKey: sealed.bytes.prefix(32))
            return try recipient.open(sealed.bytes.dropFirst(32), authenticating: data)
        } catch { return nil }
    }
}

extension TallyKey: CustomStringConvertible, CustomReflectable {
    /// The name alone.
    public var description: String { "TallyKey" }
    /// Nothing: they are secret.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What is encrypted for one party, by HPKE in its base mode (RFC 9180; X25519, SHA-256, ChaCha20-Poly1305): 32 bytes of an encapsulated key, and the ciphertext.
struct TallySealed: Sendable, Hashable, Codable {
    let bytes: Data

    /// What is encrypted, and by whom for whom: nothing opens as another thing.
    enum Purpose: String {
        case leaderInput = "client leader input share"
        case helperInput = "client helper input share"
        case leaderSum = "leader collector aggregate share"
        case helperSum = "helper collector aggregate share"

        var info: Data { Data("parley tally 1 \(rawValue)".utf8) }
    }

    static var suite: HPKE.Ciphersuite { .Curve25519_SHA256_ChachaPoly }
    /// Bytes beside those that are encrypted.
    static let overhead = 32 + 16

    init(bytes: Data) { self.bytes = bytes }

    init(
        _ content: Data, for identity: TallyIdentity, _ purpose: Purpose, authenticating data: Data
    ) throws(FederationError) {
        do {
            let recipient = try Curve25519.KeyAgreement.PublicKey(rawRepresentation: identity.agreement)
            var sender = try HPKE.Sender(recipientKey: recipient, ciphersuite: Self.suite, info: purpose.info)
            bytes = sender.encapsulatedKey + (try sender.seal(content, authenticating: data))
        } catch { throw .plan("a party's key", expected: "one that can be encrypted for") }
    }

    init(from decoder: any Decoder) throws { bytes = try decoder.singleValueContainer().decode(Data.self) }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}
