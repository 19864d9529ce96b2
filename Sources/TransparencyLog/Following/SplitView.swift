/// Proof that a log showed two trees: two checkpoints that it signed, of which neither is a prefix of the other.
///
/// Anybody who knows the log's key can check it with `verify`, without asking anyone. To be kept, and published.
public struct SplitView: Sendable, Hashable, Codable {
    /// The checkpoint of the smaller size, or of two of the same size either one.
    public let smaller: SignedCheckpoint
    /// The other one.
    public let larger: SignedCheckpoint
    /// The root that the larger tree has at the smaller one's size; nil where the sizes are the same.
    public let prefixRoot: MerkleHash?
    /// The proof that it has it; empty where the sizes are the same.
    public let proof: ConsistencyProof

    /// Two checkpoints of the same size.
    init(smaller: SignedCheckpoint, larger: SignedCheckpoint) {
        self.init(smaller: smaller, larger: larger, prefixRoot: nil, proof: ConsistencyProof(hashes: []))
    }

    init(smaller: SignedCheckpoint, larger: SignedCheckpoint, prefixRoot: MerkleHash?, proof: ConsistencyProof) {
        self.smaller = smaller
        self.larger = larger
        self.prefixRoot = prefixRoot
        self.proof = proof
    }

    /// Throws where this does not prove that the log showed two trees: `NoteError` for a checkpoint that it did not sign,
    /// `MerkleError` and `FollowerError.noSplit` for trees that may be one.
    public func verify(_ log: LogIdentity) throws {
        try smaller.verify(log)
        try larger.verify(log)
        if smaller.head.size == larger.head.size {
            guard smaller.head.root != larger.head.root else { throw FollowerError.noSplit }
            return
        }
        guard let prefixRoot, prefixRoot != smaller.head.root else { throw FollowerError.noSplit }
        try proof.verify(from: TreeHead(size: smaller.head.size, root: prefixRoot), to: larger.head)
    }
}
