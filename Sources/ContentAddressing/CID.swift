/// What the bytes of a block are.
public enum BlockCodec: UInt64, Sendable, Hashable, CaseIterable {
    /// Bytes of a file.
    case raw = 0x55
    /// A node with links (ipld.io/specs/codecs/dag-pb).
    case dagPB = 0x70
}

/// A content identifier (github.com/multiformats/cid): a block's codec and the SHA-256 digest of its bytes. Who has one can check what
/// anybody gives for it.
///
/// Version 1 is written in lower-case base32 (`b...`), version 0 (a dag-pb block) in base58btc (`Qm...`); both are read. Other bases,
/// codecs and hash functions are refused with what they are, the
/// identity function among them: what a CID contains itself has no block.
public struct CID: Sendable, Hashable {
    /// How it is written.
    public enum Version: UInt8, Sendable, Hashable {
        /// The multihash alone, for dag-pb.
        case v0
        /// Version, codec and multihash.
        case v1
    }

    static let sha256Code: UInt64 = 0x12

    /// How it is written.
    public let version: Version
    /// What its block is.
    public let codec: BlockCodec
    let digest: BlockDigest

    init(_ version: Version, _ codec: BlockCodec, _ digest: BlockDigest) {
        (self.version, self.codec, self.digest) = (version, codec, digest)
    }

    /// The CID, version 1, of a block with this SHA-256 digest; nil for anything but 32 bytes. So a digest of a content of one block is its
    /// CID, with the codec ``BlockCodec/raw``.
    public init?(_ codec: BlockCodec, sha256 digest: some Collection<UInt8>) {
        guard let digest = BlockDigest(digest) else { return nil }
        self.init(.v1, codec, digest)
    }

    /// The CID, version 1, of these bytes.
    public static func of(_ bytes: [UInt8], codec: BlockCodec) -> CID { CID(.v1, codec, BlockDigest(of: bytes)) }

    /// The 32 bytes of the block's SHA-256 digest.
    public var sha256: [UInt8] { digest.bytes }

    /// The same block's CID in version 1.
    public var v1: CID { CID(.v1, codec, digest) }

    /// Whether these are the bytes that it names.
    public func names(_ bytes: [UInt8]) -> Bool { BlockDigest(of: bytes) == digest }

    /// The binary form: 36 bytes, or 34 in version 0.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(36)
        if version == .v1 {
            bytes.append(1)
            Varint.append(codec.rawValue, to: &bytes)
        }
        Varint.append(Self.sha256Code, to: &bytes)
        Varint.append(UInt64(BlockDigest.byteCount), to: &bytes)
        return bytes + digest.bytes
    }

    /// Reads the binary form, and nothing behind it.
    ///
    /// - Throws: ``ContentError``.
    public init(bytes: [UInt8]) throws(ContentError) {
        var cursor = ByteCursor(bytes[...], form: .cid)
        try self.init(reading: &cursor)
        guard cursor.isAtEnd else { throw cursor.malformed("the end of the CID") }
    }

    init(reading cursor: inout ByteCursor) throws(ContentError) {
        // Version 0 has no version: it begins as the multihash of SHA-256 does, of 32 bytes.
        if cursor.rest.starts(with: [UInt8(Self.sha256Code), UInt8(BlockDigest.byteCount)]) {
            self.init(.v0, .dagPB, try Self.multihash(&cursor))
            return
        }
        let version = try cursor.varint()
        guard version == 1 else { throw .unsupported("a CID of version \(version)", expected: "version 0 or 1") }
        let code = try cursor.varint()
        guard let codec = BlockCodec(rawValue: code) else {
            throw .unsupported("the codec 0x\(String(code, radix: 16))", expected: "raw (0x55) or dag-pb (0x70)")
        }
        self.init(.v1, codec, try Self.multihash(&cursor))
    }

    private static func multihash(_ cursor: inout ByteCursor) throws(ContentError) -> BlockDigest {
        let code = try cursor.varint()
        guard code == sha256Code else {
            throw .unsupported("the hash function 0x\(String(code, radix: 16))", expected: "SHA-256 (0x12)")
        }
        let length = try cursor.varint()
        guard length == BlockDigest.byteCount, let digest = BlockDigest(try cursor.take(BlockDigest.byteCount)) else {
            throw .unsupported("a digest of \(length) bytes", expected: "\(BlockDigest.byteCount)")
        }
        return digest
    }
}
