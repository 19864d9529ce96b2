/// The right edge of a growing tree: a hash for each bit of the size, which is all that appending needs.
///
/// At most 63 hashes. `Codable` as the size and the hashes; what is decoded has one hash for each bit, and its owner checks
/// its `head` against the checkpoint that it stored beside it.
public struct MerkleFrontier: Sendable, Hashable {
    /// The number of entries.
    public private(set) var size: UInt64
    /// Roots of the whole powers of two of entries that the size is the sum of, the largest first.
    public private(set) var hashes: [MerkleHash]

    /// The tree without entries.
    public init() {
        size = 0
        hashes = []
    }

    /// The frontier with these hashes, the largest subtree's first. Throws `wrongFrontier` where their number is not that
    /// of the size's bits, and `sizeTooLarge`.
    public init(size: UInt64, hashes: [MerkleHash]) throws(MerkleError) {
        guard size <= TreeHead.largestSize else { throw .sizeTooLarge(size) }
        guard hashes.count == size.nonzeroBitCount else {
            throw .wrongFrontier(expected: size.nonzeroBitCount, found: hashes.count)
        }
        self.size = size
        self.hashes = hashes
    }

    /// The nodes whose hashes the frontier of a tree of the size has, in its order.
    static func nodes(size: UInt64) -> [MerkleNode] { MerkleNode.nodes(covering: 0..<size) }

    /// The size and the root hash; up to 62 hashes are computed.
    public var head: TreeHead { TreeHead(size: size, root: MerkleNode.fold(hashes)) }

    /// Appends a leaf by its hash. Throws `treeIsFull` at 2^63 - 1 entries.
    public mutating func append(_ leaf: MerkleHash) throws(MerkleError) {
        try append(leaf) { _, _ in }
    }

    /// Appends a leaf and tells of each node that it completes, the leaf first.
    mutating func append(_ leaf: MerkleHash, completed: (Int, MerkleHash) -> Void) throws(MerkleError) {
        guard size < TreeHead.largestSize else { throw .treeIsFull }
        var hash = leaf
        completed(0, hash)
        var level = 0
        while size >> UInt64(level) & 1 == 1 {
            hash = .node(hashes.removeLast(), hash)
            level += 1
            completed(level, hash)
        }
        hashes.append(hash)
        size += 1
    }
}

extension MerkleFrontier: Codable {
    private enum CodingKeys: String, CodingKey { case size, hashes }

    /// Throws `DecodingError` where the hashes do not fit the size.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        do {
            try self.init(
                size: container.decode(UInt64.self, forKey: .size),
                hashes: container.decode([MerkleHash].self, forKey: .hashes))
        } catch let error as MerkleError {
            throw DecodingError.dataCorruptedError(
                forKey: .hashes, in: container, debugDescription: error.description)
        }
    }

    /// Writes the size and the hashes.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(size, forKey: .size)
        try container.encode(hashes, forKey: .hashes)
    }
}
