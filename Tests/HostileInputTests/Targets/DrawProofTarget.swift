import Marketplace
import TransparencyLog

/// What proves a draw, with one part put in the place of the right one or changed: it proves the one draw, or nothing, in words.
enum DrawProofTarget {
    /// Input: which part (by the lowest three bits); whether the rest is put in its place, or (bit 3 set, then two bytes of a place) added to
    /// its bits from there on.
    static func violations(_ input: [UInt8]) -> [String] {
        guard let first = input.first, let made = Self.made else {
            return Self.made == nil ? ["draw: none is made"] : []
        }
        var proof = made.proof
        let part = parts[Int(first & 7)]
        if first & 8 == 0 {
            proof[keyPath: part] = Array(input.dropFirst())
        } else if input.count > 3 {
            let start = (Int(input[1]) | Int(input[2]) << 8) % proof[keyPath: part].count
            for (place, bits) in zip(start..<proof[keyPath: part].count, input.dropFirst(3)) {
                proof[keyPath: part][place] ^= bits
            }
        }
        do throws(DrawProofError) {
            let proved = try proof.verify(market: market, operatorKey: made.clerk, sponsorKey: made.sponsor)
            return proved == made.proved ? [] : ["draw: something else was proved"]
        } catch { return error.description.isEmpty ? ["draw: a refusal without words"] : [] }
    }

    private static var parts: [WritableKeyPath<DrawProof, [UInt8]>] {
        [
            \.terms, \.funding.entry, \.funding.proof, \.declaration.entry, \.declaration.proof, \.drawing.entry,
            \.drawing.proof, \.checkpoint,
        ]
    }

    private struct Made {
        let proof: DrawProof
        let proved: DrawProof.Proved
        let clerk: PartyKey, sponsor: PartyKey
    }

    private static let market = Digest256.sha256([1])

    /// A right one: funding, declaration and drawing are the log's three entries, and the checkpoint over two of them draws.
    private static let made: Made? = try? make()

    private struct Failure: Error {}

    private static func some<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw Failure() }
        return value
    }

    private static func make() throws -> Made {
        let (operatorSeed, seed) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        let (clerk, sue) = (try some(PartySigner(seed: operatorSeed)), try some(PartySigner(seed: seed)))
        let (clerkName, sueName) = (try some(PartyName("clerk")), try some(PartyName("sue")))
        let log = try LogIdentity(market: market, operatorKey: clerk.publicKey)
        let signer = try SigningKey(
            name: KeyName("parley.market/\(market)"), kind: .ed25519, seed: operatorSeed
        ).signer
        func signed(_ action: MarketAction) throws -> SignedEntry {
            try sue.sign(action, by: sueName, in: market, nonce: market)
        }
        func checkpoint(_ size: UInt64, _ root: MerkleHash) throws -> SignedCheckpoint {
            try SignedCheckpoint(
                signing: Checkpoint(origin: log.origin, head: TreeHead(size: size, root: root)), with: [signer])
        }
        let terms = try MarketTarget.terms(quorum: 2)
        let draft = try signed(.draft(terms))
        let funding = try signed(.task(draft.key, .fund(terms: terms.digest)))
        let verdict = Verdict(finals: [], contributions: [])
        let declaration = try signed(.task(draft.key, .declare(verdict)))
        let leaves = [funding, declaration].map { MerkleHash.leaf($0.journalBytes) }
        let two = MerkleHash.node(leaves[0], leaves[1])
        let drawing = try checkpoint(2, two)
        let drawn = try clerk.sign(
            .task(draft.key, .checkpoint(.sha256(drawing.bytes))), by: clerkName, in: market, time: 1, nonce: market)
        let third = MerkleHash.leaf(drawn.journalBytes)
        let whole = try checkpoint(3, .node(two, third))
        func logged(_ entry: SignedEntry, _ index: UInt64, _ path: [MerkleHash]) throws -> DrawProof.Logged {
            DrawProof.Logged(
                entry: entry.journalBytes,
                proof: try LogProof(index: index, inclusion: InclusionProof(hashes: path), checkpoint: whole).bytes)
        }
        let proof = DrawProof(
            terms: draft.journalBytes, funding: try logged(funding, 0, [leaves[1], third]),
            declaration: try logged(declaration, 1, [leaves[0], third]), drawing: try logged(drawn, 2, [two]),
            checkpoint: drawing.bytes)
        return Made(
            proof: proof,
            proved: try proof.verify(market: market, operatorKey: clerk.publicKey, sponsorKey: sue.publicKey),
            clerk: clerk.publicKey, sponsor: sue.publicKey)
    }
}
