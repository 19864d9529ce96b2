/// A node over a whole power of two of entries: what a log stores. Node `index` at `level` covers the entries
/// `index << level ..< (index + 1) << level`; level 0 are the leaves.
public struct MerkleNode: Sendable, Hashable {
    /// The height above the leaves, 0 to 62.
    public let level: Int
    /// The position within the level, from 0.
    public let index: UInt64

    /// The node at a level and a position within it.
    public init(level: Int, index: UInt64) {
        self.level = level
        self.index = index
    }

    /// The nodes from left to right whose entries together are the range. The start is a multiple of the greatest power of
    /// two that is no more than the length: true of each range that a proof names (RFC 6962, section 2.1.1).
    static func nodes(covering range: Range<UInt64>) -> [MerkleNode] {
        var nodes: [MerkleNode] = []
        var start = range.lowerBound
        while start < range.upperBound {
            let level = 63 - (range.upperBound - start).leadingZeroBitCount
            nodes.append(MerkleNode(level: level, index: start >> UInt64(level)))
            start += 1 << UInt64(level)
        }
        return nodes
    }

    /// The Merkle tree hash of the range: the nodes' hashes, folded from the right.
    static func hash(
        of range: Range<UInt64>, nodes: (MerkleNode) throws -> MerkleHash
    ) rethrows -> MerkleHash {
        let hashes = try Self.nodes(covering: range).map(nodes)
        return fold(hashes)
    }

    /// The root over hashes of whole powers of two of entries, the largest first.
    static func fold(_ hashes: [MerkleHash]) -> MerkleHash {
        guard let last = hashes.last else { return .emptyTree }
        return hashes.dropLast().reversed().reduce(last) { .node($1, $0) }
    }
}
