internal import Crypto

/// A SHA-256 hash of a leaf, a node or a whole Merkle tree (RFC 6962, section 2.1): 32 bytes.
///
/// Hashes are public values: they are compared with `==`, not in constant time.
public struct MerkleHash: Sendable, Hashable {
    /// The length of a hash, in bytes.
    public static let byteCount = 32

    /// Four words of eight bytes: a vector would have to lie at multiples of 32, which frames of asynchronous functions do not see to.
    private struct Words: Hashable, BitwiseCopyable {
        let first, second, third, fourth: UInt64
    }

    /// The 32 bytes as they lie in memory.
    private let words: Words

    private init(unchecked bytes: UnsafeRawBufferPointer) {
        words = bytes.loadUnaligned(as: Words.self)
    }

    /// The hash whose 32 bytes are given; nil for any other number of bytes.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        let contiguous = ContiguousArray(bytes)
        self = contiguous.withUnsafeBytes { MerkleHash(unchecked: $0) }
    }

    /// The hash at a byte offset of a buffer that has at least 32 bytes from there on.
    init(in buffer: UnsafeRawBufferPointer, at offset: Int) {
        self.init(unchecked: UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + Self.byteCount]))
    }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        withUnsafeBytes(of: words) { [UInt8]($0) }
    }

    /// Runs the body with the 32 bytes.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: words) { body($0) }
    }

    /// The hash of the tree without leaves: of the empty string.
    public static let emptyTree = hash(UnsafeRawBufferPointer(start: nil, count: 0), prefix: nil)

    /// The hash of a leaf: `SHA-256(0x00 || entry)`.
    public static func leaf(_ entry: some Sequence<UInt8>) -> MerkleHash {
        entry.withContiguousStorageIfAvailable { leaf(UnsafeRawBufferPointer($0)) }
            ?? [UInt8](entry).withUnsafeBytes { leaf($0) }
    }

    /// The hash of a leaf: `SHA-256(0x00 || entry)`.
    public static func leaf(_ entry: UnsafeRawBufferPointer) -> MerkleHash {
        hash(entry, prefix: 0)
    }

    /// The hash of an inner node: `SHA-256(0x01 || left || right)`.
    public static func node(_ left: MerkleHash, _ right: MerkleHash) -> MerkleHash {
        withUnsafeTemporaryAllocation(byteCount: 1 + 2 * byteCount, alignment: 8) { buffer in
            buffer[0] = 1
            buffer.storeBytes(of: left.words, toByteOffset: 1, as: Words.self)
            buffer.storeBytes(of: right.words, toByteOffset: 1 + byteCount, as: Words.self)
            return hash(UnsafeRawBufferPointer(buffer), prefix: nil)
        }
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer, prefix: UInt8?) -> MerkleHash {
        var function = SHA256()
        if let prefix {
            withUnsafeBytes(of: prefix) { function.update(bufferPointer: $0) }
        }
        function.update(bufferPointer: bytes)
        return function.finalize().withUnsafeBytes { MerkleHash(unchecked: $0) }
    }
}

extension MerkleHash {
    /// The hash of 44 characters of canonical base64 (RFC 4648, section 4); nil for anything else.
    public init?(base64: some Collection<UInt8>) {
        guard base64.count == 44, let bytes = StrictBase64.decode(base64) else { return nil }
        self.init(bytes)
    }

    /// The hash of 44 characters of canonical base64 (RFC 4648, section 4); nil for anything else.
    public init?(base64: String) {
        self.init(base64: Array(base64.utf8))
    }

    /// The hash in base64: 44 characters.
    public var base64: String { String(decoding: StrictBase64.encode(bytes), as: UTF8.self) }
}

extension MerkleHash: CustomStringConvertible {
    /// The hash in base64.
    public var description: String { base64 }
}

extension MerkleHash: Codable {
    /// Reads the base64 text; throws `DecodingError` for anything that is not one hash.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let hash = MerkleHash(base64: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "A hash is 44 characters of base64.")
        }
        self = hash
    }

    /// Writes the base64 text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(base64)
    }
}
