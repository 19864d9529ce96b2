/// The state of a log: how many entries it has, and the root hash of the Merkle tree over them (RFC 6962, section 2.1).
public struct TreeHead: Sendable, Hashable, Codable {
    /// The most entries that a log can have: 2^63 - 1.
    public static let largestSize = UInt64(Int64.max)

    /// The number of entries.
    public let size: UInt64
    /// The root hash of the tree over them.
    public let root: MerkleHash

    /// A head as claimed by somebody; nothing is checked but the size, which traps above 2^63 - 1.
    public init(size: UInt64, root: MerkleHash) {
        precondition(size <= Self.largestSize, "A tree has at most 2^63 - 1 entries.")
        self.size = size
        self.root = root
    }

    /// The log without entries.
    public static let empty = TreeHead(size: 0, root: .emptyTree)

    /// Whether the head is that of some tree as far as can be told from it alone: a tree without entries has one root.
    public var isPossible: Bool { size != 0 || root == .emptyTree }

    private enum CodingKeys: String, CodingKey { case size, root }

    /// Throws `DecodingError` for a size above 2^63 - 1.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        size = try container.decode(UInt64.self, forKey: .size)
        root = try container.decode(MerkleHash.self, forKey: .root)
        guard size <= Self.largestSize else {
            throw DecodingError.dataCorruptedError(
                forKey: .size, in: container, debugDescription: "A tree has at most 2^63 - 1 entries.")
        }
    }
}
