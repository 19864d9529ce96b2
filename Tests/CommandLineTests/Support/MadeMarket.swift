import Foundation
import Marketplace
import Secrets
import TransparencyLog

/// A market's log of some signed entries, made up by whoever has all its keys: no market took them. What a datasite is shown of a market is proofs that entries are in its log.
struct MadeMarket {
    let id = Digest256.fresh()
    private let seed = SecureRandom.bytes(32)
    let operatorSigner: PartySigner
    let sponsor = MadeMarket.signer()
    private(set) var entries: [SignedEntry] = []

    static func signer() -> PartySigner { PartySigner(seed: SecureRandom.bytes(32)) ?? signer() }

    static func party(_ name: String) -> PartyName {
        guard let party = PartyName(name) else { preconditionFailure("\(name) is a name") }
        return party
    }

    init() {
        operatorSigner = PartySigner(seed: seed) ?? MadeMarket.signer()
    }

    /// Adds an entry; its place in the log.
    @discardableResult
    mutating func add(_ action: MarketAction, by signer: PartySigner, _ name: String, in market: Digest256? = nil)
        throws
        -> Int
    {
        let isOperator = signer.publicKey == operatorSigner.publicKey
        entries.append(
            try signer.sign(action, by: Self.party(name), in: market ?? id, time: isOperator ? 7 : nil))
        return entries.count - 1
    }

    private func levels(_ size: Int) -> [[MerkleHash]] {
        var levels = [entries.prefix(size).map { MerkleHash.leaf($0.journalBytes) }]
        while let last = levels.last, last.count > 1 {
            levels.append(stride(from: 0, to: last.count - 1, by: 2).map { .node(last[$0], last[$0 + 1]) })
        }
        return levels
    }

    /// The log's checkpoint over so many entries; of another key: forged.
    func checkpoint(_ size: Int, seed other: [UInt8]? = nil) throws -> SignedCheckpoint {
        var frontier = MerkleFrontier()
        for entry in entries.prefix(size) { try frontier.append(.leaf(entry.journalBytes)) }
        let key = try SigningKey(name: KeyName("parley.market/\(id)"), kind: .ed25519, seed: other ?? seed)
        let log = try LogIdentity(market: id, operatorKey: operatorSigner.publicKey)
        return try SignedCheckpoint(
            signing: Checkpoint(origin: log.origin, head: frontier.head, extensions: []), with: [key.signer])
    }

    func logged(_ place: Int, seed: [UInt8]? = nil) throws -> DrawProof.Logged {
        let levels = levels(entries.count)
        let inclusion = try InclusionProof(of: UInt64(place), size: UInt64(entries.count)) {
            levels[$0.level][Int($0.index)]
        }
        let proof = try LogProof(
            index: UInt64(place), inclusion: inclusion, checkpoint: checkpoint(entries.count, seed: seed))
        return DrawProof.Logged(entry: entries[place].journalBytes, proof: proof.bytes)
    }

    /// A task from its draft to the checkpoint that draws, and what proves the draw.
    mutating func task(committed: Digest256, score: Double = 0.5) throws -> DrawProof {
        let terms = Self.terms(committed)
        let draft = try add(.draft(terms), by: sponsor, "sue")
        let task = entries[draft].key
        let funding = try add(.task(task, .fund(terms: terms.digest)), by: sponsor, "sue")
        let declaration = try add(.task(task, .declare(Self.verdict(score))), by: sponsor, "sue")
        return try drawn(task, draft: draft, funding: funding, declaration: declaration)
    }

    /// The operator brings the present checkpoint to a task.
    mutating func drawn(_ task: Digest256, draft: Int, funding: Int, declaration: Int) throws -> DrawProof {
        let checkpoint = try checkpoint(entries.count).bytes
        let drawing = try add(.task(task, .checkpoint(.sha256(checkpoint))), by: operatorSigner, "clerk")
        return DrawProof(
            terms: entries[draft].journalBytes, funding: try logged(funding), declaration: try logged(declaration),
            drawing: try logged(drawing), checkpoint: checkpoint)
    }

    static func verdict(_ score: Double) -> Verdict {
        Verdict(finals: [.init(node: 3, score: Score(score) ?? .zero)], contributions: [])
    }

    static func terms(_ committed: Digest256) -> TaskTerms {
        func score(_ value: Double) -> Score { Score(value) ?? .zero }
        return TaskTerms(
            rules: .sha256([1]), pot: .init(data: 60_000, computation: 20_000, expertise: 40_000),
            goal: .init(
                metric: .sha256([2]), direction: .higherIsBetter, baseline: score(0.1), target: score(0.4),
                step: score(0.01), validation: committed, evaluations: 12, evaluationsEach: 6, finalists: 2),
            formula: .init(ancestorThousandths: 250, significanceThousandths: 0, price: 1_000, computationEach: 9_000),
            gains: .init(scientist: 3_000, owner: 2_000, provider: 8_000, dispute: 1_000),
            court: .init(referees: ["rae", "rex", "rob"].map(party), quorum: 2, fee: 500),
            schedule: .init(
                openBy: 100, proposalsUntil: 200, revealUntil: 300, revealDelay: 10, trainUntil: 1_000,
                declareUntil: 1_200, checkpointPatience: 50, challengeWindow: 100, rulingWindow: 60, claimWindow: 100))
    }
}
