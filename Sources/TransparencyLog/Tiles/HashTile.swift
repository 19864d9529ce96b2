/// A tile's hashes and those of the nodes over them: a subtree of height 8, or the left part of one.
struct HashTile {
    /// Rows from the tile's own hashes up: row r has `width >> r` hashes, that of nodes over 2^r of the tile's.
    private let hashes: [MerkleHash]
    private let width: Int

    /// Reads a tile of the width; the caller has checked that there are 32 bytes for each hash.
    init(_ bytes: [UInt8], width: Int) {
        self.width = width
        hashes = bytes.withUnsafeBytes { bytes in
            [MerkleHash](unsafeUninitializedCapacity: 2 * width) { buffer, initialized in
                var count = 0
                func append(_ hash: MerkleHash) {
                    buffer.initializeElement(at: count, to: hash)
                    count += 1
                }
                for place in 0..<width {
                    append(MerkleHash(in: bytes, at: MerkleHash.byteCount * place))
                }
                var (row, rowCount) = (0, width)
                while rowCount >= 2 {
                    for pair in 0..<rowCount / 2 {
                        append(.node(buffer[row + 2 * pair], buffer[row + 2 * pair + 1]))
                    }
                    row += rowCount
                    rowCount /= 2
                }
                initialized = count
            }
        }
    }

    /// The hash at a position of a row, both from 0; the row is at most 8 and has the position.
    func hash(row: Int, position: Int) -> MerkleHash {
        var start = 0
        for lower in 0..<row { start += width >> lower }
        return hashes[start + position]
    }

    /// The tile's own hashes.
    var ownHashes: ArraySlice<MerkleHash> { hashes[..<width] }

    /// The root of a full tile.
    var root: MerkleHash { hash(row: 8, position: 0) }
}
