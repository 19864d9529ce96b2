internal import Crypto

/// A SHA-256 digest (FIPS 180-4) in four words, so that a set of many CIDs needs 40 bytes each. Public values: compared with `==`, not in
/// constant time.
struct BlockDigest: Sendable, Hashable {
    static let byteCount = 32

    /// The bytes as they lie in memory.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// The digest with these bytes, of which there are 32.
    init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        words = ContiguousArray(bytes).withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
    }

    /// The digest of the bytes.
    init(of bytes: [UInt8]) {
        var function = SHA256()
        bytes.withUnsafeBytes { function.update(bufferPointer: $0) }
        words = function.finalize().withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
    }

    /// The 32 bytes.
    var bytes: [UInt8] { withUnsafeBytes(of: words) { [UInt8]($0) } }

    static func == (a: BlockDigest, b: BlockDigest) -> Bool { a.words == b.words }

    func hash(into hasher: inout Hasher) { withUnsafeBytes(of: words) { hasher.combine(bytes: $0) } }
}
