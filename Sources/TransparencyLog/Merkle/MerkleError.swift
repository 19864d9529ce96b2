/// What is wrong with a Merkle tree's proof, or with what was asked of the tree.
public enum MerkleError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The entry's index is not below the size.
    case indexOutOfRange(index: UInt64, size: UInt64)
    /// The older tree is larger than the newer one.
    case sizesReversed(old: UInt64, new: UInt64)
    /// A size above 2^63 - 1.
    case sizeTooLarge(UInt64)
    /// The range of entries is no subtree of a tree of the size.
    case notASubtree(start: UInt64, end: UInt64, size: UInt64)
    /// The proof does not have the number of hashes that the sizes ask for.
    case wrongProofLength(expected: Int, found: Int)
    /// The hashes do not lead to the root.
    case rootMismatch
    /// The hashes do not lead to the older tree's root, or to the subtree's.
    case oldRootMismatch
    /// The head of an empty tree does not have the empty tree's root.
    case impossibleHead
    /// The tree has 2^63 - 1 entries and takes no more.
    case treeIsFull
    /// The frontier does not have one hash for each bit of the size.
    case wrongFrontier(expected: Int, found: Int)

    /// What was found, and what would be right.
    public var description: String {
        switch self {
        case .indexOutOfRange(let index, let size):
            "Entry \(index) is not in a tree of \(size) entries: an index is below the size."
        case .sizesReversed(let old, let new):
            "A tree of \(old) entries does not grow into one of \(new): the older size comes first."
        case .sizeTooLarge(let size): "A tree cannot have \(size) entries: 2^63 - 1 is the most."
        case .notASubtree(let start, let end, let size):
            "Entries \(start)..<\(end) are no subtree of a tree of \(size): the start is a multiple of the least power of "
                + "two that is no less than the length, and the end is at most the size."
        case .wrongProofLength(let expected, let found):
            "The proof has \(found) hashes, where these sizes need \(expected)."
        case .rootMismatch: "The proof does not lead to the tree's root hash."
        case .oldRootMismatch: "The proof does not lead to the older tree's (or the subtree's) root hash."
        case .impossibleHead: "A tree without entries has the hash of the empty string as its root."
        case .treeIsFull: "The tree has 2^63 - 1 entries, the most that there can be."
        case .wrongFrontier(let expected, let found):
            "The frontier has \(found) hashes, where its size needs \(expected)."
        }
    }
}
