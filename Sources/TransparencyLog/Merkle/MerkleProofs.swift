/// A proof that an entry is in a tree at an index: the audit path of RFC 6962, section 2.1.1, from the leaf's sibling up.
public struct InclusionProof: Sendable, Hashable, Codable {
    /// The most hashes that a proof can have, in a tree of 2^63 - 1 entries.
    public static let largestCount = 63

    /// The siblings' hashes, from the leaf's up to the root's child.
    public let hashes: [MerkleHash]

    /// A proof as received: `verify` tells what it proves.
    public init(hashes: [MerkleHash]) {
        self.hashes = hashes
    }

    /// Makes the proof for an entry from a source of node hashes, which must be those of one tree of the size; each node
    /// is asked for once. Throws `indexOutOfRange`, and what the source throws.
    public init(
        of index: UInt64, size: UInt64, nodes: (MerkleNode) throws -> MerkleHash
    ) throws {
        let path = try Self.path(index, size: size)
        hashes = try path.ranges.map { try MerkleNode.hash(of: $0, nodes: nodes) }
    }

    /// Whether the entry with the leaf hash is at the index in the tree. Throws why it is not shown to be.
    public func verify(_ leaf: MerkleHash, at index: UInt64, in head: TreeHead) throws(MerkleError) {
        let path = try Self.path(index, size: head.size)
        guard try path.fold(leaf, hashes).1 == head.root else { throw .rootMismatch }
    }

    private static func path(_ index: UInt64, size: UInt64) throws(MerkleError) -> ProofPath {
        guard size <= TreeHead.largestSize else { throw .sizeTooLarge(size) }
        guard index < size else { throw .indexOutOfRange(index: index, size: size) }
        return try ProofPath(from: Subtree(start: index, end: index + 1), size: size)
    }
}

/// A proof that a tree is a prefix of another: RFC 6962, section 2.1.2.
public struct ConsistencyProof: Sendable, Hashable, Codable {
    /// The most hashes of a proof in a tree of up to 2^62 entries, and the most that can be sent (c2sp.org/tlog-witness); only
    /// in a larger tree could a proof have one more.
    public static let largestCount = 63

    /// The hashes, in the RFC's order.
    public let hashes: [MerkleHash]

    /// A proof as received: `verify` tells what it proves.
    public init(hashes: [MerkleHash]) {
        self.hashes = hashes
    }

    /// Makes the proof that the tree of `old` entries is a prefix of that of `new`, from a source of the latter's node
    /// hashes. From 0, and from a size to itself, the proof is empty. Throws `sizesReversed`, and what the source throws.
    public init(
        from old: UInt64, to new: UInt64, nodes: (MerkleNode) throws -> MerkleHash
    ) throws {
        guard new <= TreeHead.largestSize else { throw MerkleError.sizeTooLarge(new) }
        guard old <= new else { throw MerkleError.sizesReversed(old: old, new: new) }
        guard old > 0 else {
            hashes = []
            return
        }
        let path = try ProofPath(from: Subtree(start: 0, end: old), size: new)
        hashes = try path.ranges.map { try MerkleNode.hash(of: $0, nodes: nodes) }
    }

    /// Whether the newer tree begins with the older one's entries. Throws why that is not shown. The empty tree is a prefix
    /// of each, by the empty proof.
    public func verify(from old: TreeHead, to new: TreeHead) throws(MerkleError) {
        guard old.size <= new.size else { throw .sizesReversed(old: old.size, new: new.size) }
        guard old.isPossible, new.isPossible else { throw .impossibleHead }
        guard old.size > 0 else {
            guard hashes.isEmpty else { throw .wrongProofLength(expected: 0, found: hashes.count) }
            return
        }
        let path = try ProofPath(from: Subtree(start: 0, end: old.size), size: new.size)
        let (part, whole) = try path.fold(old.root, hashes)
        guard part == old.root else { throw .oldRootMismatch }
        guard whole == new.root else { throw .rootMismatch }
    }
}

/// A proof that a subtree of entries is part of a tree: draft-ietf-plants-merkle-tree-certs, section 4.4.
public struct SubtreeConsistencyProof: Sendable, Hashable, Codable {
    /// The hashes, in the draft's order.
    public let hashes: [MerkleHash]

    /// A proof as received: `verify` tells what it proves.
    public init(hashes: [MerkleHash]) {
        self.hashes = hashes
    }

    /// Makes the proof for a subtree from a source of the tree's node hashes. Throws `notASubtree`, and what the source
    /// throws.
    public init(
        of subtree: Subtree, size: UInt64, nodes: (MerkleNode) throws -> MerkleHash
    ) throws {
        guard subtree.count > 0 else {
            hashes = []
            return
        }
        hashes = try ProofPath(from: subtree, size: size).ranges.map { try MerkleNode.hash(of: $0, nodes: nodes) }
    }

    /// Whether the subtree with the hash is part of the tree. Throws why that is not shown. The empty subtree is part of
    /// each tree, by the empty proof.
    public func verify(_ subtree: Subtree, hash: MerkleHash, in head: TreeHead) throws(MerkleError) {
        guard subtree.end <= head.size else {
            throw .notASubtree(start: subtree.start, end: subtree.end, size: head.size)
        }
        guard subtree.count > 0 else {
            guard hash == .emptyTree else { throw .oldRootMismatch }
            guard hashes.isEmpty else { throw .wrongProofLength(expected: 0, found: hashes.count) }
            return
        }
        let (part, whole) = try ProofPath(from: subtree, size: head.size).fold(hash, hashes)
        guard part == hash else { throw .oldRootMismatch }
        guard whole == head.root else { throw .rootMismatch }
    }

    /// The proof that an entry is in a subtree: an inclusion proof in the tree that the subtree is by itself (section
    /// 4.3). Throws why that is not shown.
    public static func verifyInclusion(
        of leaf: MerkleHash, at index: UInt64, in subtree: Subtree, hash: MerkleHash, proof: InclusionProof
    ) throws(MerkleError) {
        guard (subtree.start..<subtree.end).contains(index) else {
            throw .indexOutOfRange(index: index, size: subtree.end)
        }
        try proof.verify(leaf, at: index - subtree.start, in: TreeHead(size: subtree.count, root: hash))
    }
}
