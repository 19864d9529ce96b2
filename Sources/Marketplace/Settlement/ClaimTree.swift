/// A Merkle tree over the leaves of a settlement, by which anybody who has the root and a leaf with its path knows that the leaf is in it.
///
/// A leaf's hash is H(0x00 || leaf), a node's H(0x01 || smaller || larger) of its two children: in sorted order, so that a path needs no sides and a contract checks it in a
/// few lines. The first byte keeps a node from being shown as a leaf. A child without a sibling goes up as it is. The hash is a parameter, since a chain has its own.
public struct ClaimTree: Sendable {
    /// A hash function of 32 bytes.
    public typealias Hash = @Sendable ([UInt8]) -> Digest256
    /// The longest path, of 2^32 leaves.
    public static let longestPath = 32

    private let levels: [[Digest256]]

    /// The tree over these leaves, in their order; nil where there is none, or there are more than 2^32.
    public init?(_ leaves: [[UInt8]], hash: Hash = { .sha256($0) }) {
        guard !leaves.isEmpty, leaves.count <= 1 << Self.longestPath else { return nil }
        var levels = [leaves.map { hash([0] + $0) }]
        while let last = levels.last, last.count > 1 {
            levels.append(
                stride(from: 0, to: last.count, by: 2).map { left in
                    left + 1 < last.count ? Self.node(last[left], last[left + 1], hash) : last[left]
                })
        }
        self.levels = levels
    }

    /// What all leaves are bound to.
    public var root: Digest256 { levels[levels.count - 1][0] }

    /// The path of the leaf at a place: the siblings from the leaf up; nil where there is no such leaf.
    public func path(of place: Int) -> [Digest256]? {
        guard levels[0].indices.contains(place) else { return nil }
        var path: [Digest256] = []
        var place = place
        for level in levels.dropLast() {
            let sibling = place ^ 1
            if sibling < level.count { path.append(level[sibling]) }
            place /= 2
        }
        return path
    }

    /// Whether the path leads from the leaf to the root.
    public static func verify(
        _ leaf: [UInt8], path: [Digest256], root: Digest256, hash: Hash = { .sha256($0) }
    ) -> Bool {
        path.count <= longestPath && path.reduce(hash([0] + leaf)) { node($0, $1, hash) } == root
    }

    private static func node(_ a: Digest256, _ b: Digest256, _ hash: Hash) -> Digest256 {
        hash([1] + min(a, b).bytes + max(a, b).bytes)
    }
}
