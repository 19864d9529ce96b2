/// A log's tiles, read from a source that is not trusted: no hash leaves here that does not lead to the tree head's root.
///
/// The tiles at the right edge (at most eight, one a level) are read first: together they give the root. Every other tile is
/// full, and its root is a hash of the tile above it, up to an edge tile. A proof takes at most eight tiles more, since
/// a node's siblings lie in the tile of its ancestor or at the edge.
///
/// The source is a closure that gives a tile's bytes and throws where it has none. For a partial tile it may give the full
/// one, which begins with it (tlog-tiles, "Partial Tiles"). It is given no path but those of tiles that the tree has.
public struct VerifiedTiles {
    /// The head that the tiles are checked against.
    public let head: TreeHead
    /// How many resources were read from the source so far: tiles and bundles.
    public private(set) var readCount = 0

    private let read: (TilePath) throws -> [UInt8]
    /// The partial tile of each level, where the tree has one.
    private var edge: [HashTile?] = []
    private var cache: [TilePath: HashTile] = [:]
    /// Paths in the cache, the oldest first, from `oldest` on.
    private var order: [TilePath] = []
    private var oldest = 0
    private let cacheLimit: Int

    /// Reads the right edge. The cache holds `cacheLimit` full tiles at most (16 KB each, at least 8).
    ///
    /// Throws `TileError.rootMismatch` where the edge does not lead to the root, `wrongLength`, and what the source throws.
    public init(head: TreeHead, cacheLimit: Int = 64, read: @escaping (TilePath) throws -> [UInt8]) throws {
        guard head.isPossible else { throw MerkleError.impossibleHead }
        self.head = head
        self.read = read
        self.cacheLimit = max(cacheLimit, 8)
        for level in 0..<8 {
            let count = head.size >> UInt64(8 * level)
            guard count & 255 != 0 else {
                edge.append(nil)
                continue
            }
            let path = TilePath(unchecked: .hashes(level: level), index: count >> 8, width: Int(count & 255))
            edge.append(try fetch(path))
        }
        guard try frontier().head == head else { throw TileError.rootMismatch(size: head.size) }
    }

    /// The frontier of the tree, from which it can grow.
    public func frontier() throws -> MerkleFrontier {
        try MerkleFrontier(size: head.size, hashes: MerkleFrontier.nodes(size: head.size).map(edgeHash))
    }

    /// The hash of a node of the tree. Throws `notInTree` where the tree does not cover all of it.
    public mutating func hash(of node: MerkleNode) throws -> MerkleHash {
        guard (0...62).contains(node.level), node.index < (TreeHead.largestSize >> UInt64(node.level)) + 1,
            (node.index + 1) << UInt64(node.level) <= head.size
        else {
            throw TileError.notInTree(level: node.level / 8, index: node.index, size: head.size)
        }
        let place = Place(node)
        return try tile(level: place.level, index: place.tile).hash(row: place.row, position: place.position)
    }

    /// The proof that the tree has the entry at the index.
    public mutating func inclusionProof(of index: UInt64) throws -> InclusionProof {
        try InclusionProof(of: index, size: head.size) { try hash(of: $0) }
    }

    /// The proof that the tree of the first `size` entries is a prefix of this one.
    public mutating func consistencyProof(from size: UInt64) throws -> ConsistencyProof {
        try ConsistencyProof(from: size, to: head.size) { try hash(of: $0) }
    }

    /// The head of the tree of the first `size` entries.
    public mutating func head(at size: UInt64) throws -> TreeHead {
        guard size <= head.size else { throw MerkleError.sizesReversed(old: size, new: head.size) }
        return TreeHead(size: size, root: try MerkleNode.hash(of: 0..<size) { try hash(of: $0) })
    }

    /// The bundle of entries at an index (entry `256 * index` is its first), each checked against its leaf hash.
    public mutating func entries(bundle index: UInt64) throws -> EntryBundle {
        let path = try TilePath(.entries, index: index, ofTreeWithSize: head.size)
        let tile = try tile(level: 0, index: index)
        let bundle = try fetchBundle(path)
        for (position, hash) in tile.ownHashes.enumerated() where bundle.leafHash(position) != hash {
            throw TileError.entryMismatch(index: index << 8 + UInt64(position))
        }
        return bundle
    }

    /// The hashes of the right edge's tile at a level; none where the level has no partial tile.
    func edgeHashes(level: Int) -> ArraySlice<MerkleHash> { edge[level]?.ownHashes ?? [] }

    // MARK: Tiles

    /// Where a node lies: row and position within a tile.
    private struct Place {
        let level, row, position: Int
        let tile: UInt64

        init(_ node: MerkleNode) {
            level = node.level / 8
            row = node.level % 8
            tile = node.index >> UInt64(8 - row)
            position = Int(node.index & (1 << UInt64(8 - row) - 1))
        }
    }

    private func edgeHash(_ node: MerkleNode) -> MerkleHash {
        let place = Place(node)
        guard let tile = edge[place.level] else { preconditionFailure("The frontier lies in the partial tiles.") }
        return tile.hash(row: place.row, position: place.position)
    }

    private mutating func tile(level: Int, index: UInt64) throws -> HashTile {
        guard let width = TilePath.width(level: level, index: index, size: head.size) else {
            throw TileError.notInTree(level: level, index: index, size: head.size)
        }
        if width < TilePath.fullWidth, let tile = edge[level] { return tile }
        let path = TilePath(unchecked: .hashes(level: level), index: index, width: width)
        if let tile = cache[path] { return tile }
        // A full tile's root is a hash of the tile above: at most eight levels.
        let root = try hash(of: MerkleNode(level: 8 * (level + 1), index: index))
        let tile = try fetch(path)
        guard tile.root == root else { throw TileError.hashMismatch(path) }
        keep(tile, at: path)
        return tile
    }

    private mutating func keep(_ tile: HashTile, at path: TilePath) {
        if cache.count >= cacheLimit {
            cache[order[oldest]] = nil
            oldest += 1
            if oldest > cacheLimit {
                order.removeFirst(oldest)
                oldest = 0
            }
        }
        cache[path] = tile
        order.append(path)
    }

    private mutating func fetch(_ path: TilePath) throws -> HashTile {
        readCount += 1
        let bytes = try read(path)
        let expected = MerkleHash.byteCount * path.width
        guard bytes.count == expected || bytes.count == MerkleHash.byteCount * TilePath.fullWidth else {
            throw TileError.wrongLength(path, expected: expected, found: bytes.count)
        }
        return HashTile(bytes, width: path.width)
    }

    private mutating func fetchBundle(_ path: TilePath) throws -> EntryBundle {
        readCount += 1
        let bytes = try read(path)
        do throws(TileError) { return try EntryBundle(bytes, at: path) } catch {
            guard path.isPartial else { throw error }
            // The full bundle begins with the partial one; what lies beyond the tree is not checked, and dropped.
            let full = TilePath(unchecked: .entries, index: path.index, width: TilePath.fullWidth)
            guard let bundle = try? EntryBundle(bytes, at: full) else { throw error }
            return bundle.prefix(path.width)
        }
    }
}
