@testable import TransparencyLog

/// Entry points for fuzzing: each takes any bytes and gives what is wrong with what was made of them; nothing, for no bytes.
enum LogTargets {
    /// Each reader of text: what is read is written again with the same bytes, and a refusal has words.
    static func texts(_ input: [UInt8]) -> [String] {
        check("note", input) { () throws(NoteError) in try SignedNote(parsing: input).bytes }
            + check("checkpoint", input) { () throws(NoteError) in try Checkpoint(parsing: input).text }
            + check("signed checkpoint", input) { () throws(NoteError) in try SignedCheckpoint(parsing: input).bytes }
            + check("proof", input) { () throws(LogProofError) in try LogProof(parsing: input).bytes }
            + check("request", input) { () throws(WitnessError) in try AddCheckpointRequest(parsing: input).bytes }
            + check("reply", input) { () throws(WitnessError) in try WitnessReply(status: 200, body: input).body }
            + check("size", input) { () throws(WitnessError) in try WitnessReply(status: 409, body: input).body }
            + check("tile path", input) { () throws(TileError) in Array(try TilePath(parsing: input).description.utf8) }
            + check("verifier key", input) { () throws(NoteError) in
                Array(try VerifierKey(parsing: input).description.utf8)
            }
            + policy(input) + signingKey(input)
    }

    /// Readers of bytes, and proofs of any sizes: nothing verifies that was not made for it, and nothing traps.
    static func trees(_ input: [UInt8]) -> [String] {
        var rest = input[...]
        func number() -> UInt64 {
            defer { rest = rest.dropFirst(8) }
            return BigEndian.number(rest.prefix(8))
        }
        let (start, end) = (number(), number())
        let size = number() & TreeHead.largestSize
        var hashes: [MerkleHash] = []
        while let hash = MerkleHash(rest.prefix(32)) {
            hashes.append(hash)
            rest = rest.dropFirst(32)
        }
        let head = TreeHead(size: size, root: .leaf(input))
        var wrong: [String] = []
        if (try? InclusionProof(hashes: hashes).verify(.emptyTree, at: start, in: head)) != nil {
            wrong.append("an inclusion proof of nothing")
        }
        let old = TreeHead(size: min(end, size), root: .emptyTree)
        if old.size > 0, (try? ConsistencyProof(hashes: hashes).verify(from: old, to: head)) != nil {
            wrong.append("a consistency proof of nothing")
        }
        if let subtree = try? Subtree(start: start, end: end), subtree.count > 0,
            (try? SubtreeConsistencyProof(hashes: hashes).verify(subtree, hash: .emptyTree, in: head)) != nil
        {
            wrong.append("a subtree proof of nothing")
        }
        if (try? VerifiedTiles(head: head) { _ in input }) != nil { wrong.append("tiles of no tree") }
        _ = try? MerkleFrontier(size: end, hashes: hashes)
        if let path = try? TilePath(.entries, index: 0, width: 1 + Int(input.first ?? 0)),
            let bundle = try? EntryBundle(input, at: path),
            (try? EntryBundle((0..<bundle.count).map { Array(bundle[$0]) }))?.bytes != input
        {
            wrong.append("a bundle of other bytes")
        }
        return wrong
    }

    private static func check<Failure: CustomStringConvertible>(
        _ name: String, _ input: [UInt8], _ read: () throws(Failure) -> [UInt8]
    ) -> [String] {
        do throws(Failure) {
            return try read() == input ? [] : ["\(name): written with other bytes than were read"]
        } catch { return error.description.isEmpty ? ["\(name): a refusal without words"] : [] }
    }

    /// A policy loses its comments and spaces: what is written is read as the same policy.
    private static func policy(_ input: [UInt8]) -> [String] {
        do throws(PolicyError) {
            let policy = try LogPolicy(parsing: input)
            let again = try LogPolicy(parsing: policy.bytes)
            return again == policy && again.bytes == policy.bytes ? [] : ["policy: another one than was written"]
        } catch { return error.description.isEmpty ? ["policy: a refusal without words"] : [] }
    }

    private static func signingKey(_ input: [UInt8]) -> [String] {
        let text = String(decoding: input, as: UTF8.self)
        guard let key = try? SigningKey(encoded: text) else { return [] }
        return key.encoded == text ? [] : ["private key: written otherwise than it was read"]
    }
}
