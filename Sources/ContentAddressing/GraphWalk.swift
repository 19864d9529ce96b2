/// Blocks from a root on, depth first, each before those that it links to, in the order of links (`order=dfs` of IPIP-412). Every block is
/// checked against its CID before it is given.
///
/// A graph of a few blocks can have any number of paths. Where no block is given twice, the walk is as long as there are blocks; otherwise
/// ``mostBlocks`` bounds it. It holds the links of one node a level, and the
/// CIDs that it gave.
public struct GraphWalk<Source: BlockSource>: Sendable {
    /// What of the graph is given.
    public enum Scope: Sendable, Hashable {
        /// The root alone.
        case block
        /// All blocks of a file, or what lists a folder's entries.
        case entity
        /// What proves these bytes of a file, counted from 0, the last one included. Of anything else, the same as ``entity``.
        case bytes(ClosedRange<UInt64>)
        /// Everything.
        case all
    }

    private struct Place {
        let cid: CID
        let depth: Int
        /// Where in the file its bytes begin.
        let offset: UInt64
        /// How many there must be; nil at the root and below folders.
        let size: UInt64?
    }

    /// The most levels of a graph: a balanced file of 1024 links a node has 3 at a petabyte.
    public static var mostDepth: Int { 32 }
    /// The most blocks of a walk in which they may be given twice.
    public static var mostBlocks: Int { 1 << 20 }

    private let source: Source
    private let scope: Scope
    private let givesDuplicates: Bool
    private var places: [Place]
    private var given: Set<CID> = []
    /// Of those, the nodes below which everything was given too: of a file's bytes, one that is met again may need more of its links.
    private var complete: Set<CID> = []
    private var count = 0

    /// Begins at the root. Blocks in `except` were given before, and are left out unless duplicates are wanted.
    public init(
        from root: CID, in source: Source, scope: Scope = .all, givesDuplicates: Bool = false, except: Set<CID> = []
    ) {
        self.source = source
        self.scope = scope
        self.givesDuplicates = givesDuplicates
        given = except
        places = [Place(cid: root, depth: 0, offset: 0, size: nil)]
    }

    /// The next block; nil at the end.
    ///
    /// - Throws: ``ContentError`` where a block is not there, or is not what its CID or its parent says.
    public mutating func next() throws(ContentError) -> Block? {
        while let place = places.popLast() {
            let isNew = given.insert(place.cid.v1).inserted
            guard givesDuplicates || isNew || needsMore(place) else { continue }
            count += 1
            guard !givesDuplicates || count <= Self.mostBlocks else {
                throw .tooLarge("blocks of a walk", most: UInt64(Self.mostBlocks))
            }
            let block = try source.block(place.cid)
            try follow(block, from: place)
            if givesDuplicates || isNew { return block }
        }
        return nil
    }

    /// Of nodes that reach over an end of the range there are two a level, so that this is no long way round.
    private mutating func needsMore(_ place: Place) -> Bool {
        guard case .bytes = scope, place.cid.codec == .dagPB else { return false }
        return !complete.contains(place.cid.v1)
    }

    private mutating func follow(_ block: Block, from place: Place) throws(ContentError) {
        guard block.cid.codec == .dagPB else {
            guard place.size == nil || place.size == UInt64(block.bytes.count) else {
                throw .inconsistent(block.cid, expected: "\(place.size ?? 0) bytes, as its parent says")
            }
            return
        }
        guard scope != .block else { return }
        let node = try DAGNode(block.bytes)
        let file = try UnixFSNode(of: node, in: block.cid)
        guard place.size == nil || (file.kind == .file && file.fileSize == place.size) else {
            throw .inconsistent(block.cid, expected: "a file of \(place.size ?? 0) bytes, as its parent says")
        }
        guard file.kind == .file || scope == .all, !node.links.isEmpty else { return }
        guard place.depth < Self.mostDepth else {
            throw .tooLarge("levels of a graph", most: UInt64(Self.mostDepth))
        }
        push(node, file, below: place)
    }

    private mutating func push(_ node: DAGNode, _ file: UnixFSNode, below place: Place) {
        if case .bytes(let range) = scope, place.offset >= range.lowerBound,
            place.offset + (file.fileSize - 1) <= range.upperBound
        {
            complete.insert(place.cid.v1)
        }
        var children: [Place] = []
        var offset = place.offset &+ UInt64(file.data.count)
        for (index, link) in node.links.enumerated() {
            guard file.kind == .file else {
                children.append(Place(cid: link.cid, depth: place.depth + 1, offset: 0, size: nil))
                continue
            }
            let size = file.blockSizes[index]
            if overlaps(offset, size) {
                children.append(Place(cid: link.cid, depth: place.depth + 1, offset: offset, size: size))
            }
            offset &+= size
        }
        places.append(contentsOf: children.reversed())
    }

    private func overlaps(_ offset: UInt64, _ size: UInt64) -> Bool {
        guard case .bytes(let range) = scope else { return true }
        return offset <= range.upperBound && offset + (size - 1) >= range.lowerBound
    }
}

/// A file's bytes, piece by piece, from its blocks, each of which is checked before its bytes are given.
public struct UnixFSReader<Source: BlockSource>: Sendable {
    /// The file's bytes, as its root says; the blocks below are held to it.
    public let size: UInt64
    private var walk: GraphWalk<Source>

    /// Begins at a file's root.
    ///
    /// - Throws: ``ContentError`` where it is no file, or has more than `most` bytes.
    public init(_ root: CID, in source: Source, most: UInt64) throws(ContentError) {
        let block = try source.block(root)
        if root.codec == .raw {
            size = UInt64(block.bytes.count)
        } else {
            let file = try UnixFSNode(of: try DAGNode(block.bytes), in: root)
            guard file.kind == .file else { throw .inconsistent(root, expected: "a file, and no folder") }
            size = file.fileSize
        }
        guard size <= most else { throw .tooLarge("bytes of a file", most: most) }
        walk = GraphWalk(from: root, in: source, scope: .entity, givesDuplicates: true)
    }

    /// The next bytes, as many as there are in a block; nil at the file's end.
    ///
    /// - Throws: ``ContentError`` where a block is not there, or is not what its CID or its parent says.
    public mutating func next() throws(ContentError) -> [UInt8]? {
        while let block = try walk.next() {
            let bytes: [UInt8]
            if block.cid.codec == .raw {
                bytes = block.bytes
            } else {
                bytes = try UnixFSNode(of: try DAGNode(block.bytes), in: block.cid).data
            }
            if !bytes.isEmpty { return bytes }
        }
        return nil
    }
}
