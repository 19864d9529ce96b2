import Foundation
import Testing

@testable import TransparencyLog

/// Proofs right and wrong from transparency-dev's Merkle library and the subtree draft: shared/vectors/log/merkle.
@Suite(.enabled(if: LogVectors.folder != nil, "shared/vectors/log is not beside the package"))
struct MerkleVectorTests {
    private struct Inclusion: Decodable {
        var leafIdx, treeSize: UInt64
        var root, leafHash: String
        var proof: [String]?
        var wantErr: Bool
    }
    private struct Consistency: Decodable {
        var size1, size2: UInt64
        var root1, root2: String
        var proof: [String]?
        var wantErr: Bool
    }
    private struct SubtreeInclusion: Decodable {
        var leafIdx, start, end: UInt64
        var root, leafHash: String
        var proof: [String]?
        var wantErr: Bool
    }
    private struct SubtreeConsistency: Decodable {
        var start, end, size: UInt64
        var root1, root2: String
        var proof: [String]?
        var wantErr: Bool
    }

    private struct NoHash: Error {}

    /// Some vectors have bytes like "don't care 1" for a root, which no tree can have: some hash stands for each. An empty
    /// text is no hash.
    private func hash(_ text: String) throws -> MerkleHash {
        guard !text.isEmpty else { throw NoHash() }
        return MerkleHash(base64: text) ?? .leaf(Array(text.utf8))
    }

    private func hashes(_ texts: [String]?) throws -> [MerkleHash] { try (texts ?? []).map(hash) }

    private func head(_ size: UInt64, _ root: String) throws -> TreeHead {
        guard size <= TreeHead.largestSize else { throw MerkleError.sizeTooLarge(size) }
        return TreeHead(size: size, root: try hash(root))
    }

    private func isRefused(_ body: () throws -> Void) -> Bool {
        do { try body() } catch { return true }
        return false
    }

    @Test("Inclusion proofs: each of the 98 vectors is accepted or refused as it says")
    func inclusion() throws {
        let vectors = try LogVectors.read("merkle/testdata/inclusion", as: Inclusion.self)
        #expect(vectors.count == 98)
        for (path, vector) in vectors {
            let refused = isRefused {
                try InclusionProof(hashes: hashes(vector.proof)).verify(
                    hash(vector.leafHash), at: vector.leafIdx, in: head(vector.treeSize, vector.root))
            }
            #expect(refused == vector.wantErr, "\(path)")
        }
        #expect(vectors.contains { !$0.1.wantErr })
    }

    /// One vector refuses any proof from the empty tree as useless; c2sp.org/tlog-witness asks to accept the empty one.
    @Test("Consistency proofs: each of the 98 vectors is accepted or refused as it says, but one")
    func consistency() throws {
        let vectors = try LogVectors.read("merkle/testdata/consistency", as: Consistency.self)
        #expect(vectors.count == 98)
        for (path, vector) in vectors where !path.hasSuffix("/size1-is-zero-and-size2-is-not-zero.json") {
            let refused = isRefused {
                try ConsistencyProof(hashes: hashes(vector.proof)).verify(
                    from: head(vector.size1, vector.root1), to: head(vector.size2, vector.root2))
            }
            #expect(refused == vector.wantErr, "\(path)")
        }
        #expect(vectors.contains { !$0.1.wantErr })
    }

    @Test("Subtree inclusion proofs: each of the 204 vectors is accepted or refused as it says")
    func subtreeInclusion() throws {
        let vectors = try LogVectors.read("merkle/testdata/subtreeinclusion", as: SubtreeInclusion.self)
        #expect(vectors.count == 204)
        for (path, vector) in vectors {
            let refused = isRefused {
                try SubtreeConsistencyProof.verifyInclusion(
                    of: hash(vector.leafHash), at: vector.leafIdx, in: Subtree(start: vector.start, end: vector.end),
                    hash: hash(vector.root), proof: InclusionProof(hashes: hashes(vector.proof)))
            }
            #expect(refused == vector.wantErr, "\(path)")
        }
        #expect(vectors.contains { !$0.1.wantErr })
    }

    @Test("Subtree consistency proofs: each of the 118 vectors is accepted or refused as it says")
    func subtreeConsistency() throws {
        let vectors = try LogVectors.read("merkle/testdata/subtreeconsistency", as: SubtreeConsistency.self)
        #expect(vectors.count == 118)
        for (path, vector) in vectors {
            let refused = isRefused {
                try SubtreeConsistencyProof(hashes: hashes(vector.proof)).verify(
                    Subtree(start: vector.start, end: vector.end), hash: hash(vector.root1),
                    in: head(vector.size, vector.root2))
            }
            #expect(refused == vector.wantErr, "\(path)")
        }
        #expect(vectors.contains { !$0.1.wantErr })
    }
}
