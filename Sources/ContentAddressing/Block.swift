/// Bytes and the CID that names them.
public struct Block: Sendable, Hashable {
    /// The most bytes of a block: what peers of IPFS take from each other (2 MiB; specs.ipfs.tech/bitswap-protocol, and the trustless
    /// gateway's block limits).
    public static let mostBytes = 2 << 20

    /// What names the bytes.
    public let cid: CID
    /// The bytes, of which there are ``mostBytes`` at the most.
    public let bytes: [UInt8]

    /// Bytes of which the caller computed the CID.
    init(trusted cid: CID, _ bytes: [UInt8]) { (self.cid, self.bytes) = (cid, bytes) }

    /// The block of these bytes, with a CID of version 1.
    ///
    /// - Throws: ``ContentError`` for more than ``mostBytes``.
    public init(_ bytes: [UInt8], codec: BlockCodec) throws(ContentError) {
        try Self.check(bytes.count)
        self.init(trusted: CID.of(bytes, codec: codec), bytes)
    }

    /// The block that a CID names, of bytes that somebody gave for it.
    ///
    /// - Throws: ``ContentError`` for other bytes, and for more than ``mostBytes``.
    public init(verifying bytes: [UInt8], as cid: CID) throws(ContentError) {
        try Self.check(bytes.count)
        guard cid.names(bytes) else { throw .wrongBytes(cid) }
        self.init(trusted: cid, bytes)
    }

    private static func check(_ count: Int) throws(ContentError) {
        guard count <= mostBytes else { throw .tooLarge("bytes of a block", most: UInt64(mostBytes)) }
    }
}

/// Where blocks are taken from: a folder, a CAR that was read, memory. What it gives need not be right: whoever reads checks each block
/// against its CID.
public protocol BlockSource: Sendable {
    /// The bytes that are kept for a CID, in whichever version it is written; nil where there are none.
    ///
    /// - Throws: ``ContentError``.
    func bytes(of cid: CID) throws(ContentError) -> [UInt8]?
    /// How many there are, without reading them; nil where there are none.
    ///
    /// - Throws: ``ContentError``.
    func byteCount(of cid: CID) throws(ContentError) -> Int?
}

extension BlockSource {
    /// The block that the CID names.
    ///
    /// - Throws: ``ContentError`` where it is not there, or its bytes are others.
    public func block(_ cid: CID) throws(ContentError) -> Block {
        guard let bytes = try bytes(of: cid) else { throw .missing(cid) }
        return try Block(verifying: bytes, as: cid)
    }
}

/// Blocks in memory.
public struct MemoryBlocks: BlockSource {
    private var table: [CID: [UInt8]] = [:]

    /// None.
    public init() {}

    /// How many there are.
    public var count: Int { table.count }

    /// Adds a block.
    public mutating func insert(_ block: Block) { table[block.cid.v1] = block.bytes }

    /// Takes a block away.
    public mutating func remove(_ cid: CID) { table[cid.v1] = nil }

    /// The bytes of a block that was added.
    public func bytes(of cid: CID) -> [UInt8]? { table[cid.v1] }

    /// How many they are.
    public func byteCount(of cid: CID) -> Int? { table[cid.v1]?.count }
}
