import Foundation
import Secrets
import Testing

@testable import TransparencyLog

@Suite
struct MerkleProofTests {
    private static let leaves = (0..<2100).map { MerkleHash.leaf(Array("leaf \($0)".utf8)) }

    /// Node hashes of the tree of the first leaves; a node that is not wholly in it traps.
    private func nodes(_ size: Int) -> (MerkleNode) -> MerkleHash {
        { node in
            let range = Int(node.index) << node.level..<Int(node.index + 1) << node.level
            precondition(range.upperBound <= size)
            return ReferenceTree.root(Self.leaves[range])
        }
    }

    private func head(_ size: Int) -> TreeHead {
        TreeHead(size: UInt64(size), root: ReferenceTree.root(Self.leaves[..<size]))
    }

    @Test("Hashes of RFC 6962: the empty tree, the empty leaf, and a node over two of them")
    func knownHashes() {
        #expect(MerkleHash.emptyTree.base64 == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
        #expect(MerkleHash.leaf([]).base64 == "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=")
        #expect(MerkleHash.leaf([]) != MerkleHash.emptyTree)
        let leaf = MerkleHash.leaf([])
        #expect(MerkleHash.node(leaf, leaf) != MerkleHash.leaf(leaf.bytes + leaf.bytes))
        #expect(MerkleHash(leaf.bytes) == leaf && MerkleHash(leaf.bytes + [0]) == nil)
    }

    @Test("In every tree of up to 40 entries each proof is the RFC's, verifies, and no other sizes verify with it")
    func smallTrees() throws {
        let limit = 40
        for size in 1...limit {
            for index in 0..<size {
                let proof = try InclusionProof(of: UInt64(index), size: UInt64(size), nodes: nodes(size))
                #expect(proof.hashes == ReferenceTree.path(index, Self.leaves[..<size]))
                for otherIndex in 0..<size {
                    let holds =
                        (try? proof.verify(Self.leaves[index], at: UInt64(otherIndex), in: head(size))) != nil
                    #expect(holds == (otherIndex == index))
                }
            }
            for old in 1...size {
                let proof = try ConsistencyProof(from: UInt64(old), to: UInt64(size), nodes: nodes(size))
                #expect(proof.hashes == ReferenceTree.proof(old, Self.leaves[..<size]))
                for other in 1...size {
                    let holds = (try? proof.verify(from: head(other), to: head(size))) != nil
                    #expect(holds == (other == old))
                }
            }
        }
    }

    @Test("In random trees of up to 2,100 entries proofs verify, and with any one change they fail")
    func randomTrees() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<60 {
            let size = 1 + random.below(Self.leaves.count)
            let index = random.below(size)
            let old = 1 + random.below(size)
            let (now, before) = (head(size), head(old))
            let inclusion = try InclusionProof(of: UInt64(index), size: UInt64(size), nodes: nodes(size))
            try inclusion.verify(Self.leaves[index], at: UInt64(index), in: now)
            for changed in changes(inclusion.hashes) {
                let proof = InclusionProof(hashes: changed)
                #expect(throws: MerkleError.self) {
                    try proof.verify(Self.leaves[index], at: UInt64(index), in: now)
                }
            }
            #expect(throws: MerkleError.self) {
                try inclusion.verify(flipped(Self.leaves[index]), at: UInt64(index), in: now)
            }
            #expect(throws: MerkleError.self) {
                let other = TreeHead(size: now.size, root: flipped(now.root))
                try inclusion.verify(Self.leaves[index], at: UInt64(index), in: other)
            }
            let consistency = try ConsistencyProof(from: UInt64(old), to: UInt64(size), nodes: nodes(size))
            try consistency.verify(from: before, to: now)
            for changed in changes(consistency.hashes) {
                #expect(throws: MerkleError.self) {
                    try ConsistencyProof(hashes: changed).verify(from: before, to: now)
                }
            }
            for (one, other) in [(flipped(before.root), now.root), (before.root, flipped(now.root))] {
                #expect(throws: MerkleError.self) {
                    try consistency.verify(
                        from: TreeHead(size: before.size, root: one), to: TreeHead(size: now.size, root: other))
                }
            }
        }
    }

    private func flipped(_ hash: MerkleHash) -> MerkleHash {
        var bytes = hash.bytes
        bytes[31] ^= 1
        return MerkleHash(bytes) ?? hash
    }

    /// The proof with each hash changed, left out, doubled, and one more at either end.
    private func changes(_ hashes: [MerkleHash]) -> [[MerkleHash]] {
        var all: [[MerkleHash]] = [[.emptyTree] + hashes, hashes + [.emptyTree]]
        for index in hashes.indices {
            var (changed, shorter, longer) = (hashes, hashes, hashes)
            changed[index] = flipped(hashes[index])
            shorter.remove(at: index)
            longer.insert(hashes[index], at: index)
            all += [changed, shorter, longer]
            if index > 0, hashes[index] != hashes[index - 1] {
                var swapped = hashes
                swapped.swapAt(index, index - 1)
                all.append(swapped)
            }
        }
        return all
    }

    @Test("Every subtree of trees of up to 33 entries is proved, and no other range of entries is a subtree")
    func subtrees() throws {
        for size in 1...33 {
            for start in 0...size {
                for end in start...size {
                    guard let subtree = try? Subtree(start: UInt64(start), end: UInt64(end)) else {
                        // Not aligned: some subtree of the RFC's recursion would cut it.
                        let ceiling = (0...6).map { 1 << $0 }.first { $0 >= end - start } ?? 64
                        #expect(start % ceiling != 0)
                        continue
                    }
                    let hash = ReferenceTree.root(Self.leaves[start..<end])
                    let proof = try SubtreeConsistencyProof(of: subtree, size: UInt64(size), nodes: nodes(size))
                    try proof.verify(subtree, hash: hash, in: head(size))
                    guard end > start else { continue }
                    #expect(throws: MerkleError.self) {
                        try proof.verify(subtree, hash: flipped(hash), in: head(size))
                    }
                }
            }
        }
    }

    @Test("The empty tree is a prefix of each tree by the empty proof alone, and only with the empty tree's root")
    func emptyTree() throws {
        try ConsistencyProof(hashes: []).verify(from: .empty, to: head(5))
        try ConsistencyProof(hashes: []).verify(from: .empty, to: .empty)
        #expect(throws: MerkleError.wrongProofLength(expected: 0, found: 1)) {
            try ConsistencyProof(hashes: [.emptyTree]).verify(from: .empty, to: head(5))
        }
        let impossible = TreeHead(size: 0, root: .leaf([]))
        #expect(throws: MerkleError.impossibleHead) {
            try ConsistencyProof(hashes: []).verify(from: impossible, to: impossible)
        }
        #expect(throws: MerkleError.indexOutOfRange(index: 0, size: 0)) {
            try InclusionProof(hashes: []).verify(.leaf([]), at: 0, in: .empty)
        }
    }

    @Test("Proofs in the largest trees have at most 63 hashes and are looked at without trouble")
    func largestTrees() throws {
        let largest = TreeHead.largestSize
        for index in [0, 1, largest / 2, largest - 1] {
            let proof = try InclusionProof(of: index, size: largest) { .leaf(Array("\($0)".utf8)) }
            #expect(proof.hashes.count <= InclusionProof.largestCount)
        }
        for old in [1, 2, 3, largest / 4, largest / 6, largest / 2 - 1, largest / 2] {
            let proof = try ConsistencyProof(from: old, to: 1 << 62) { .leaf(Array("\($0)".utf8)) }
            #expect(proof.hashes.count <= ConsistencyProof.largestCount)
        }
        #expect(throws: MerkleError.sizeTooLarge(largest + 1)) {
            try InclusionProof(of: 0, size: largest + 1) { _ in .emptyTree }
        }
        #expect(throws: MerkleError.self) { try Subtree(start: 1 << 63, end: UInt64.max) }
        let frontier = try MerkleFrontier(size: largest, hashes: Array(repeating: .emptyTree, count: 63))
        #expect(throws: MerkleError.treeIsFull) {
            var full = frontier
            try full.append(.emptyTree)
        }
    }

    @Test("A frontier that grows leaf by leaf has the RFC's root at each size, and outlasts being written and read")
    func frontier() throws {
        var frontier = MerkleFrontier()
        #expect(frontier.head == .empty)
        for size in 1...300 {
            try frontier.append(Self.leaves[size - 1])
            #expect(frontier.head == head(size))
            #expect(frontier.hashes.count <= 9)
            frontier = try JSONDecoder().decode(MerkleFrontier.self, from: JSONEncoder().encode(frontier))
        }
    }

    @Test(
        "A frontier that does not fit its size, and other damaged state, is refused when it is read",
        arguments: [
            #"{"size":3,"hashes":[]}"#, #"{"size":9223372036854775808,"hashes":[]}"#, #"{"size":-1,"hashes":[]}"#,
            #"{"size":1,"hashes":["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF=="]}"#, "{}",
        ])
    func damagedFrontier(_ text: String) {
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(MerkleFrontier.self, from: Data(text.utf8))
        }
    }
}
