/// How a file becomes blocks. The CID of a file of more than one block depends on it.
public struct UnixFSProfile: Sendable, Hashable {
    /// The bytes of a leaf.
    public let chunkBytes: Int
    /// The most links of a node.
    public let links: Int
    /// Whether leaves are the file's bytes alone; otherwise each is a dag-pb node, and CIDs are of version 0.
    public let hasRawLeaves: Bool

    /// `unixfs-v1-2025` of IPIP-499: what `ipfs add --cid-version=1 --raw-leaves --chunker=size-1048576 --max-file-links=1024` makes. All
    /// that is published here is made so.
    public static let v1 = UnixFSProfile(unchecked: 1 << 20, links: 1024, hasRawLeaves: true)
    /// `unixfs-v0-2015` of IPIP-499: what `ipfs add` made by itself for ten years. For comparisons with what others published.
    public static let v0 = UnixFSProfile(unchecked: 256 << 10, links: 174, hasRawLeaves: false)

    private init(unchecked chunkBytes: Int, links: Int, hasRawLeaves: Bool) {
        (self.chunkBytes, self.links, self.hasRawLeaves) = (chunkBytes, links, hasRawLeaves)
    }

    /// Another one; nil for chunks of less than 1 byte or more than 1 MiB, and for less than 2 or more than 8,192 links.
    public init?(chunkBytes: Int, links: Int, hasRawLeaves: Bool) {
        guard (1...1 << 20).contains(chunkBytes), (2...8192).contains(links) else { return nil }
        self.init(unchecked: chunkBytes, links: links, hasRawLeaves: hasRawLeaves)
    }
}

/// A file as blocks.
public struct UnixFSFile: Sendable, Hashable {
    /// What names it.
    public let root: CID
    /// The file's bytes.
    public let size: UInt64
    /// The bytes of all its blocks, counted as often as they occur.
    public let cumulativeSize: UInt64
}

/// Makes blocks of a file whose bytes come piece by piece: leaves of equal size, and above them a balanced tree, every leaf at the same
/// depth (specs.ipfs.tech/unixfs; IPIP-499).
///
/// Holds one leaf, and the links of one node a level. Blocks are given to the caller as they come, children before their parents, the same
/// block as often as it occurs. A value: a copy goes on by itself.
public struct UnixFSImporter: Sendable {
    private struct Child {
        let cid: CID
        let size: UInt64
        let cumulativeSize: UInt64
    }

    private let profile: UnixFSProfile
    private var chunk: [UInt8] = []
    /// Nodes that have no parent yet, by level, leaves first.
    private var levels: [[Child]] = []

    /// An empty file so far.
    public init(_ profile: UnixFSProfile = .v1) { self.profile = profile }

    /// Adds bytes at the file's end. Pieces of a leaf's length are not copied.
    ///
    /// - Throws: what `emit` throws; the importer is of no use then.
    public mutating func append<Failure: Error>(
        _ bytes: [UInt8], emit: (Block) throws(Failure) -> Void
    ) throws(Failure) {
        var place = 0
        while place < bytes.count {
            // A full chunk waits for the next byte: a file ends with a leaf, and never with an empty one.
            if chunk.count == profile.chunkBytes { try placeChunk(emit) }
            if chunk.isEmpty, place == 0, bytes.count == profile.chunkBytes {
                chunk = bytes
                return
            }
            if chunk.isEmpty { chunk.reserveCapacity(profile.chunkBytes) }
            let end = min(place + profile.chunkBytes - chunk.count, bytes.count)
            chunk.append(contentsOf: bytes[place..<end])
            place = end
        }
    }

    /// The whole file's root; an empty file is one empty block.
    ///
    /// - Throws: what `emit` throws.
    public consuming func finish<Failure: Error>(emit: (Block) throws(Failure) -> Void) throws(Failure) -> UnixFSFile {
        var importer = self
        try importer.placeChunk(emit)
        var level = 0
        while level < importer.levels.count - 1 || importer.levels[level].count > 1 {
            try importer.fold(level, emit)
            level += 1
        }
        let root = importer.levels[level][0]
        return UnixFSFile(root: root.cid, size: root.size, cumulativeSize: root.cumulativeSize)
    }

    private mutating func placeChunk<Failure: Error>(_ emit: (Block) throws(Failure) -> Void) throws(Failure) {
        let size = UInt64(chunk.count)
        let block: Block
        if profile.hasRawLeaves {
            block = Block(trusted: CID.of(chunk, codec: .raw), chunk)
        } else {
            block = node([], data: UnixFSNode(file: chunk, blockSizes: []))
        }
        chunk = []
        try emit(block)
        try place(Child(cid: block.cid, size: size, cumulativeSize: UInt64(block.bytes.count)), level: 0, emit)
    }

    private func node(_ links: [DAGNode.Link], data: UnixFSNode) -> Block {
        let bytes = DAGNode(links: links, data: data.encoded).encoded
        let digest = BlockDigest(of: bytes)
        return Block(trusted: CID(profile.hasRawLeaves ? .v1 : .v0, .dagPB, digest), bytes)
    }

    private mutating func place<Failure: Error>(
        _ child: Child, level: Int, _ emit: (Block) throws(Failure) -> Void
    ) throws(Failure) {
        if level == levels.count { levels.append([]) }
        if levels[level].count == profile.links { try fold(level, emit) }
        levels[level].append(child)
    }

    /// Puts a node above all that are at this level.
    private mutating func fold<Failure: Error>(
        _ level: Int, _ emit: (Block) throws(Failure) -> Void
    ) throws(Failure) {
        let children = levels[level]
        levels[level] = []
        // Kubo writes an empty name, and not none.
        let links = children.map { DAGNode.Link($0.cid, name: "", cumulativeSize: $0.cumulativeSize) }
        let block = node(links, data: UnixFSNode(file: [], blockSizes: children.map(\.size)))
        try emit(block)
        let parent = Child(
            cid: block.cid, size: children.reduce(0) { $0 + $1.size },
            cumulativeSize: children.reduce(UInt64(block.bytes.count)) { $0 + $1.cumulativeSize })
        try place(parent, level: level + 1, emit)
    }
}
