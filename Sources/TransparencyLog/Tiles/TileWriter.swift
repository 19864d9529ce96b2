/// A resource to store at its path.
public struct TileWrite: Sendable, Hashable {
    /// Where, below the log's prefix.
    public let path: TilePath
    /// What.
    public let bytes: [UInt8]
}

/// A log that grows: takes entries and says which tiles and bundles are to be written.
///
/// It holds the right edge alone: at most 255 hashes for each of eight levels, and the entries of the last bundle.
///
/// **Order.** A log that may crash at any time stays one log if it (1) writes what `takeWrites` gives, (2) stores the new
/// head durably, (3) signs it, and only then (4) shows the signature to anybody; and if it starts again from the head of
/// step 2. Whatever was written for a head that was never stored is written over: nobody has a signature on it. What
/// a stored head needs is never written again, so that a write which is cut in its middle cannot damage it. A log that
/// cannot write goes on from the stored head, and not from this value.
///
/// What entries may hold is said at `EntryBundle`: a log cannot forget.
public struct TileWriter: Sendable {
    /// The right edge of the tree.
    public private(set) var frontier: MerkleFrontier
    /// Bytes of the partial tile of each level.
    private var tiles: [[UInt8]]
    private var bundle: [UInt8] = []
    private var complete: [TileWrite] = []
    /// The size whose partial tiles were given to be written.
    private var writtenSize: UInt64 = 0

    /// A log without entries.
    public init() {
        frontier = MerkleFrontier()
        tiles = Array(repeating: [], count: 8)
    }

    /// A log as stored: from its head and its tiles, both of which are checked against the head.
    ///
    /// Reads the right edge and the last bundle. Throws as `VerifiedTiles` does.
    public init(resuming head: TreeHead, read: @escaping (TilePath) throws -> [UInt8]) throws {
        var stored = try VerifiedTiles(head: head, read: read)
        frontier = try stored.frontier()
        writtenSize = head.size
        tiles = (0..<8).map { level in stored.edgeHashes(level: level).flatMap(\.bytes) }
        if head.size & 255 != 0 {
            let last = try stored.entries(bundle: head.size >> 8)
            for position in 0..<Int(head.size & 255) { try EntryBundle.append(Array(last[position]), to: &bundle) }
        }
    }

    /// The number of entries and the root over them.
    public var head: TreeHead { frontier.head }

    /// Appends an entry of at most 65,535 bytes; its index is the size before. Throws `TileError.entryTooLong` and
    /// `MerkleError.treeIsFull`, and has then changed nothing.
    public mutating func append(_ entry: [UInt8]) throws {
        guard entry.count <= EntryBundle.largestEntry else { throw TileError.entryTooLong(entry.count) }
        let index = frontier.size
        // Taken out, so that the closure changes other storage than the frontier's.
        var (tiles, complete) = ([[UInt8]](), [TileWrite]())
        swap(&tiles, &self.tiles)
        swap(&complete, &self.complete)
        defer {
            swap(&tiles, &self.tiles)
            swap(&complete, &self.complete)
        }
        try frontier.append(.leaf(entry)) { height, hash in
            guard height % 8 == 0, height < 64 else { return }
            let level = height / 8
            hash.withBytes { tiles[level].append(contentsOf: $0) }
            if tiles[level].count == MerkleHash.byteCount * TilePath.fullWidth {
                let path = TilePath(
                    unchecked: .hashes(level: level), index: index >> UInt64(height + 8), width: TilePath.fullWidth)
                complete.append(TileWrite(path: path, bytes: tiles[level]))
                tiles[level].removeAll(keepingCapacity: true)
            }
        }
        try EntryBundle.append(entry, to: &bundle)
        if frontier.size & 255 == 0 {
            let path = TilePath(unchecked: .entries, index: index >> 8, width: TilePath.fullWidth)
            complete.append(TileWrite(path: path, bytes: bundle))
            bundle.removeAll(keepingCapacity: true)
        }
    }

    /// What became full since the last call, and, for a head that is to be signed, the partial tiles and bundle of the size
    /// now, as far as they are not those of the last such call. A caller that appends much takes the full ones from time to time, so that they do not pile up.
    public mutating func takeWrites(withPartial: Bool = true) -> [TileWrite] {
        defer {
            complete.removeAll(keepingCapacity: true)
            if withPartial { writtenSize = frontier.size }
        }
        return complete + (withPartial ? partial() : [])
    }

    private func isNew(_ level: Int) -> Bool {
        frontier.size >> UInt64(8 * level) != writtenSize >> UInt64(8 * level)
    }

    private func partial() -> [TileWrite] {
        var writes: [TileWrite] = []
        for (level, bytes) in tiles.enumerated() where !bytes.isEmpty && isNew(level) {
            let path = TilePath(
                unchecked: .hashes(level: level), index: frontier.size >> UInt64(8 * level + 8),
                width: bytes.count / MerkleHash.byteCount)
            writes.append(TileWrite(path: path, bytes: bytes))
        }
        if frontier.size & 255 != 0, isNew(0) {
            let path = TilePath(unchecked: .entries, index: frontier.size >> 8, width: Int(frontier.size & 255))
            writes.append(TileWrite(path: path, bytes: bundle))
        }
        return writes
    }
}
