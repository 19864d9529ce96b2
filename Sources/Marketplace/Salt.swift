internal import Secrets

/// 32 random bytes that hide what a digest is of, until they are shown. Never printed.
public struct Salt: Sendable, Hashable, Codable {
    /// The bytes.
    public let value: Digest256

    /// A salt of bytes that were drawn elsewhere.
    public init(_ value: Digest256) { self.value = value }

    /// A fresh salt, of the operating system's randomness.
    public static func fresh() -> Salt {
        guard let value = Digest256(SecureRandom.bytes(Digest256.byteCount)) else { preconditionFailure("32 bytes") }
        return Salt(value)
    }

    /// The salt of one of many things under this one as their secret: `SHA-256(label || salt || index)`, a pseudorandom function of
    /// a key of full length and an input of fixed length.
    func derived(_ index: Int) -> Salt {
        var bytes = CanonicalBytes("salt")
        bytes.append(value)
        bytes.append(index)
        return Salt(bytes.digest)
    }
}

extension Salt: CustomStringConvertible, CustomReflectable {
    /// The name alone.
    public var description: String { "Salt" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
