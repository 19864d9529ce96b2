internal import Crypto
internal import Foundation
internal import Secrets

/// Who signs notes under a key: a closure, so that the private key may lie elsewhere.
///
/// Each signature is verified under the public key before it is given out: a signer with a wrong or damaged key is found out
/// here, and not by those who read the log.
public struct NoteSigner: Sendable {
    /// The public key and the name.
    public let key: VerifierKey
    private let sign: @Sendable ([UInt8]) throws -> [UInt8]

    /// A signer that makes 64 bytes of Ed25519 (RFC 8032) from a message, under the private key of `key`.
    public init(key: VerifierKey, sign: @escaping @Sendable ([UInt8]) throws -> [UInt8]) {
        self.key = key
        self.sign = sign
    }

    /// The line that signs a note's text under a key of type 0x01.
    ///
    /// A text that begins like the message of a cosignature is refused: were the same private key used for both, the signature
    /// would also be a cosignature. Throws `notForThisKey`, `signerFailed`, and what the closure throws.
    public func signature(of text: [UInt8]) throws -> NoteSignature {
        guard key.kind == .ed25519, !text.starts(with: Cosignature.header) else {
            throw NoteError.notForThisKey(key.name)
        }
        return try checked(sign(text), of: text)
    }

    /// The line that cosigns a checkpoint under a key of type 0x04, as of a time in seconds since 1970.
    ///
    /// It says that no larger consistent tree of the log was seen: witnesses are to use `Witness`, which sees to that.
    /// Throws `notForThisKey`, `impossibleTime`, `signerFailed`, and what the closure throws.
    public func cosignature(of checkpoint: Checkpoint, at time: UInt64) throws -> NoteSignature {
        guard key.kind == .ed25519Cosignature else { throw NoteError.notForThisKey(key.name) }
        guard Cosignature.isPossible(time) else { throw NoteError.impossibleTime }
        let text = checkpoint.text
        let cosignature = Cosignature(time: time, signature: try sign(Cosignature.message(text, time: time)))
        return try checked(cosignature.bytes, of: text)
    }

    private func checked(_ signature: [UInt8], of text: [UInt8]) throws(NoteError) -> NoteSignature {
        guard key.verify(signature, of: text) != nil else { throw .signerFailed(key.name) }
        return NoteSignature(key: key, signature: signature)
    }
}

extension NoteSigner: CustomStringConvertible, CustomReflectable {
    /// The public key alone.
    public var description: String { "NoteSigner(\(key))" }
    /// The public key alone.
    public var customMirror: Mirror { Mirror(self, children: ["key": key]) }
}

/// A private Ed25519 key with its name.
public struct SigningKey: Sendable {
    private let privateKey: Curve25519.Signing.PrivateKey
    /// The public key and the name.
    public let verifierKey: VerifierKey

    /// The key of a seed of 32 bytes. Throws `malformedSigningKey` for another length or a kind that is not Ed25519.
    public init(name: KeyName, kind: VerifierKey.Kind, seed: [UInt8]) throws(NoteError) {
        guard seed.count == 32, let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
            throw .malformedSigningKey
        }
        privateKey = key
        verifierKey = try VerifierKey(name: name, kind: kind, publicKey: Array(key.publicKey.rawRepresentation))
    }

    /// A fresh key, of the operating system's randomness.
    public static func generate(name: KeyName, kind: VerifierKey.Kind) throws(NoteError) -> SigningKey {
        try SigningKey(name: name, kind: kind, seed: SecureRandom.bytes(32))
    }

    /// Reads `PRIVATE+KEY+name+hex(ID)+base64(type || seed)`, the form of Go's golang.org/x/mod/sumdb/note. Throws
    /// `malformedSigningKey`, whatever is wrong.
    public init(encoded: String) throws(NoteError) {
        let prefix = "PRIVATE+KEY+"
        guard encoded.utf8.count <= VerifierKey.largestLength, encoded.hasPrefix(prefix) else {
            throw .malformedSigningKey
        }
        let parts = encoded.utf8.dropFirst(prefix.utf8.count).split(
            separator: UInt8(ascii: "+"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let name = try? KeyName(parts[0]), let bytes = StrictBase64.decode(parts[2]),
            bytes.count == 33,
            let key = try? SigningKey(name: name, kind: .init(bytes[0]), seed: Array(bytes.dropFirst())),
            key.encoded.utf8.elementsEqual(encoded.utf8)
        else { throw .malformedSigningKey }
        self = key
    }

    /// The private key as text, in the form that `init(encoded:)` reads. A secret.
    public var encoded: String {
        let parts = verifierKey.description.utf8.split(
            separator: UInt8(ascii: "+"), maxSplits: 2, omittingEmptySubsequences: false)
        let secret = StrictBase64.encode([verifierKey.kind.type] + Array(privateKey.rawRepresentation))
        return "PRIVATE+KEY+\(verifierKey.name)+" + String(decoding: parts[1], as: UTF8.self) + "+"
            + String(decoding: secret, as: UTF8.self)
    }

    /// The signer under the key.
    public var signer: NoteSigner {
        NoteSigner(key: verifierKey) { [privateKey] message in Array(try privateKey.signature(for: message)) }
    }
}

extension SigningKey: CustomStringConvertible, CustomReflectable {
    /// The public key alone.
    public var description: String { "SigningKey(\(verifierKey))" }
    /// The public key alone.
    public var customMirror: Mirror { Mirror(self, children: ["verifierKey": verifierKey]) }
}
