internal import Crypto
internal import Foundation

/// A public key with its name: a vkey of c2sp.org/signed-note, `name+hex(ID)+base64(type || public key)`.
///
/// Ed25519 is that of swift-crypto, which refuses a scalar S that is not reduced: nobody without the private key can turn a
/// signature into another one of the same text. Nothing here identifies a note by its signature's bytes in any case.
/// Public keys of low order are refused, since each signature of theirs could be anybody's, and no evidence.
public struct VerifierKey: Sendable, Hashable {
    /// What a key signs, by the type byte.
    public enum Kind: Sendable, Hashable {
        /// 0x01: Ed25519 over the note's text.
        case ed25519
        /// 0x04: Ed25519 over a time and a checkpoint's text (c2sp.org/tlog-cosignature).
        case ed25519Cosignature
        /// A type that this module does not verify: its signatures are ignored, as if the key were not known.
        case other(UInt8)

        init(_ type: UInt8) {
            self =
                switch type {
                case 0x01: .ed25519
                case 0x04: .ed25519Cosignature
                default: .other(type)
                }
        }

        /// The type byte.
        public var type: UInt8 {
            switch self {
            case .ed25519: 0x01
            case .ed25519Cosignature: 0x04
            case .other(let type): type
            }
        }
    }

    /// The longest vkey that is read, in bytes: an ML-DSA-44 key has 1,312 bytes.
    public static let largestLength = 8192

    /// The name in the signature line.
    public let name: KeyName
    /// The ID in the signature line.
    public let id: UInt32
    /// What the key signs.
    public let kind: Kind
    /// The public key: 32 bytes for Ed25519.
    public let publicKey: [UInt8]

    /// An Ed25519 key of a kind. Throws `malformedKey` for a key that is not 32 bytes or a kind that is not Ed25519, and
    /// `weakKey` for a point of low order.
    public init(name: KeyName, kind: Kind, publicKey: [UInt8]) throws(NoteError) {
        if case .other = kind { throw .malformedKey }
        guard publicKey.count == 32 else { throw .malformedKey }
        guard !LowOrderPoints.contain(publicKey) else { throw .weakKey(name) }
        self.init(name: name, id: Self.id(name, kind, publicKey), kind: kind, publicKey: publicKey)
    }

    private init(name: KeyName, id: UInt32, kind: Kind, publicKey: [UInt8]) {
        self.name = name
        self.id = id
        self.kind = kind
        self.publicKey = publicKey
    }

    /// Reads a vkey. A key of another type than Ed25519's two is read, and verifies nothing; its ID is taken as it stands,
    /// since each type says how it is computed. Throws `malformedKey`, `malformedName`, `wrongKeyID` and `weakKey`.
    public init(parsing text: some Collection<UInt8>) throws(NoteError) {
        guard text.count <= Self.largestLength else { throw .tooLong(text.count, limit: Self.largestLength) }
        let parts = text.split(
            separator: UInt8(ascii: "+"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let id = Self.parseID(parts[1]), let key = StrictBase64.decode(parts[2]),
            let type = key.first
        else { throw .malformedKey }
        let name = try KeyName(parts[0])
        let kind = Kind(type)
        guard kind == .ed25519 || kind == .ed25519Cosignature else {
            self.init(name: name, id: id, kind: kind, publicKey: Array(key.dropFirst()))
            return
        }
        try self.init(name: name, kind: kind, publicKey: Array(key.dropFirst()))
        guard self.id == id else { throw .wrongKeyID(name) }
    }

    /// Reads a vkey, as `init(parsing:)` does.
    public init(_ text: String) throws(NoteError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// `SHA-256(name || 0x0A || type || public key)[:4]`, big-endian.
    private static func id(_ name: KeyName, _ kind: Kind, _ publicKey: [UInt8]) -> UInt32 {
        BigEndian.number(SHA256.hash(data: name.bytes + [NoteText.newline, kind.type] + publicKey).prefix(4))
    }

    private static func parseID(_ text: some Collection<UInt8>) -> UInt32? {
        let digits = Array("0123456789abcdef".utf8)
        guard text.count == 8 else { return nil }
        var id: UInt32 = 0
        for character in text {
            guard let digit = digits.firstIndex(of: character) else { return nil }
            id = id << 4 | UInt32(digit)
        }
        return id
    }

    /// Whether the signature (without the key ID) is one of the text. A cosignature's time is given; nil for none.
    func verify(_ signature: [UInt8], of text: [UInt8]) -> VerifiedSignature? {
        switch kind {
        case .ed25519:
            guard verify(ed25519: signature, of: text) else { return nil }
            return VerifiedSignature(key: self, time: nil)
        case .ed25519Cosignature:
            guard let cosignature = Cosignature(signature),
                verify(ed25519: cosignature.signature, of: Cosignature.message(text, time: cosignature.time))
            else { return nil }
            return VerifiedSignature(key: self, time: cosignature.time)
        case .other: return nil
        }
    }

    private func verify(ed25519 signature: [UInt8], of message: [UInt8]) -> Bool {
        guard signature.count == 64, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else {
            return false
        }
        return key.isValidSignature(signature, for: message)
    }
}

extension VerifierKey: CustomStringConvertible {
    /// The vkey.
    public var description: String {
        let hex = String(id, radix: 16)
        let key = String(decoding: StrictBase64.encode([kind.type] + publicKey), as: UTF8.self)
        return "\(name)+" + String(repeating: "0", count: 8 - hex.count) + hex + "+" + key
    }
}

extension VerifierKey: Codable {
    /// Reads the vkey; throws `DecodingError` for anything else.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do throws(NoteError) { try self.init(container.decodeText()) } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    /// Writes the vkey.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A signature of a known key that was verified.
public struct VerifiedSignature: Sendable, Hashable {
    /// Whose it is.
    public let key: VerifierKey
    /// When a cosignature was made, in seconds since 1970; nil for signatures without a time.
    public let time: UInt64?
}

/// The points of edwards25519 whose order divides 8, in each encoding of 32 bytes that decodes to one, whatever the sign.
enum LowOrderPoints {
    /// y of each such point below 2^255, little-endian: 0, 1, the two of order 8, p - 1, p and p + 1.
    private static let heights: [[UInt8]] = {
        func edge(_ lowest: UInt8) -> [UInt8] { [lowest] + Array(repeating: 0xff, count: 30) + [0x7f] }
        let zero = [UInt8](repeating: 0, count: 32)
        let orderEight: [UInt8] = [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ]
        let otherOfOrderEight: [UInt8] = [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ]
        return [zero, [1] + zero.dropFirst(), orderEight, otherOfOrderEight, edge(0xec), edge(0xed), edge(0xee)]
    }()

    static func contain(_ point: [UInt8]) -> Bool {
        guard point.count == 32 else { return false }
        return heights.contains(Array(point.dropLast()) + [point[31] & 0x7f])
    }
}
