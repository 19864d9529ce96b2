/// Where a proof's hashes lie: the way from a subtree up to the root of a tree that holds it.
///
/// One path serves all proofs: an inclusion proof is that of a single entry, a consistency proof that of a prefix (RFC
/// 6962, sections 2.1.1 and 2.1.2; draft-ietf-plants-merkle-tree-certs, section 4.4). It is found from the root
/// down, by the recursion of those texts, in at most 63 steps.
struct ProofPath {
    /// Where the sibling of a step lies.
    enum Side {
        /// To the right of the subtree: only the whole tree's hash takes it in.
        case right
        /// To the left of the subtree.
        case left
        /// To the left, and a part of the subtree itself: both hashes take it in.
        case leftShared
    }

    struct Step {
        let side: Side
        let sibling: Range<UInt64>
    }

    /// From the root down.
    private(set) var steps: [Step] = []
    /// The range that both trees share and whose hash the proof begins with; nil where it is the subtree itself, whose hash
    /// the verifier has.
    private(set) var base: Range<UInt64>?

    /// The path of a subtree that is not empty in a tree of the size.
    init(from subtree: Subtree, size: UInt64) throws(MerkleError) {
        guard subtree.end <= size, subtree.count > 0, size <= TreeHead.largestSize else {
            throw .notASubtree(start: subtree.start, end: subtree.end, size: size)
        }
        var (start, low, high) = (subtree.start, UInt64(0), size)
        var sharesBase = false
        while start != low || subtree.end != high {
            // The greatest power of two below the number of entries.
            let half: UInt64 = 1 << UInt64(63 - (high - low - 1).leadingZeroBitCount)
            let middle = low + half
            if subtree.end <= middle {
                steps.append(Step(side: .right, sibling: middle..<high))
                high = middle
            } else if start >= middle {
                steps.append(Step(side: .left, sibling: low..<middle))
                low = middle
            } else {
                steps.append(Step(side: .leftShared, sibling: low..<middle))
                (low, start) = (middle, middle)
                sharesBase = true
            }
        }
        base = sharesBase ? low..<high : nil
    }

    /// The number of hashes in a proof.
    var count: Int { steps.count + (base == nil ? 0 : 1) }

    /// The ranges whose hashes a proof has, in its order: from the leaves up.
    var ranges: [Range<UInt64>] {
        (base.map { [$0] } ?? []) + steps.reversed().map(\.sibling)
    }

    /// The hash of the subtree and the root of the tree to which the proof leads.
    func fold(_ subtreeHash: MerkleHash, _ hashes: [MerkleHash]) throws(MerkleError) -> (MerkleHash, MerkleHash) {
        guard hashes.count == count else { throw .wrongProofLength(expected: count, found: hashes.count) }
        var part = base == nil ? subtreeHash : hashes[0]
        var whole = part
        for (step, hash) in zip(steps.reversed(), hashes.dropFirst(base == nil ? 0 : 1)) {
            switch step.side {
            case .right: whole = .node(whole, hash)
            case .left: whole = .node(hash, whole)
            case .leftShared: (part, whole) = (.node(hash, part), .node(hash, whole))
            }
        }
        return (part, whole)
    }
}
