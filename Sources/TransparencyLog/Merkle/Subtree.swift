/// A range of entries that is a subtree: whose start is a multiple of the least power of two that is no less than its
/// length (draft-ietf-plants-merkle-tree-certs, section 4.1). A tree's prefix is one, and so is each single entry.
public struct Subtree: Sendable, Hashable {
    /// The first entry's index.
    public let start: UInt64
    /// One more than the last entry's index.
    public let end: UInt64

    /// The range, if it is a subtree; throws `notASubtree` where it is not. A range without entries is one.
    public init(start: UInt64, end: UInt64) throws(MerkleError) {
        guard end <= TreeHead.largestSize, start <= end else {
            throw .notASubtree(start: start, end: end, size: TreeHead.largestSize)
        }
        if end > start {
            let length = end - start
            let ceiling: UInt64 = length == 1 ? 1 : 1 << UInt64(64 - (length - 1).leadingZeroBitCount)
            guard start % ceiling == 0 else {
                throw .notASubtree(start: start, end: end, size: TreeHead.largestSize)
            }
        }
        self.start = start
        self.end = end
    }

    /// The number of entries.
    public var count: UInt64 { end - start }
}
