import Foundation
import MarketplaceStore
import Testing

@testable import Marketplace

/// A key of tests, by a name.
func signer(_ name: String) -> PartySigner {
    guard let signer = PartySigner(seed: hashed("key of \(name)").bytes) else { preconditionFailure("32 bytes") }
    return signer
}

extension PlatformKey {
    static var ofTests: PlatformKey {
        guard let key = PlatformKey(seed: hashed("key of clerk").bytes) else { preconditionFailure("32 bytes") }
        return key
    }
}

extension DepositPolicy {
    static var ofTests: DepositPolicy {
        guard let policy = DepositPolicy(detectionMillionths: 800_000, leastExpectation: 300_000) else {
            preconditionFailure("in range")
        }
        return policy
    }
}

extension Market {
    /// A market of tests without entries, whose operator is the clerk.
    static func ofTests(
        _ id: String = "market", operatorName: PartyName = party("clerk"), policy: DepositPolicy = .ofTests
    ) -> Market {
        Market(id: hashed(id), operatorName: operatorName, operatorKey: signer("clerk").publicKey, policy: policy)
    }
}

/// A temporary path, which is taken away with this.
final class TemporaryPath {
    let path = FileManager.default.temporaryDirectory.appending(path: "market-\(UUID().uuidString)").path()

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A folder in which a task is played, each entry signed by whoever acts.
struct PlayedFolder {
    static let parties = ["sue", "ada", "ben", "olga", "omar", "pia", "rae", "rex", "rob"]
    let folder: MarketFolder
    private(set) var task = hashed("none")

    init(at path: String) throws {
        folder = try MarketFolder.create(at: path, operatorName: party("clerk"), policy: .ofTests, key: .ofTests)
        // Also the operator, who brings checkpoints to tasks.
        try folder.operate(.register(party("clerk"), key: signer("clerk").publicKey))
        for name in Self.parties {
            try folder.operate(.register(party(name), key: signer(name).publicKey))
            try folder.operate(.credit(party(name), amount: 1_000_000))
        }
    }

    func signed(_ by: String, _ action: MarketAction, nonce: Digest256 = .fresh()) throws -> SignedEntry {
        try signer(by).sign(action, by: party(by), in: folder.description.market, nonce: nonce)
    }

    /// Asks for what is to be done.
    @discardableResult
    func does(_ by: String, _ action: TaskAction) throws -> MarketResult {
        let answer = try folder.apply([signed(by, .task(task, action))])[0]
        guard case .done(let result) = answer else {
            Issue.record("\(by) \(action): \(answer)")
            return .none
        }
        return result
    }

    func clock(_ time: Int64) throws { #expect(try folder.operate(.clock, at: time) == .done(.none)) }

    private func commitment(_ kind: Commitment.Kind, _ by: String, place: Int) -> Digest256 {
        Commitment.of(
            kind, task: task, author: party(by), place: place, content: hashed("\(by) \(place)"), salt: Salt(hashed(by))
        )
    }

    /// From the draft to a trained model of each scientist, of which ada's reaches the target. Returns its node.
    mutating func train() throws -> Int {
        let draft = try signed("sue", .draft(.example))
        task = draft.key
        #expect(try folder.apply([draft]) == [.done(.task(task))])
        try does("sue", .fund(terms: TaskTerms.example.digest))
        try does("sue", .open)
        for name in ["ada", "ben"] { try does(name, .commitProposal(commitment(.proposal, name, place: 0))) }
        for name in ["olga", "omar"] { try does(name, .join(.owner)) }
        try does("pia", .join(.provider))
        try clock(200)
        for (number, name) in ["ada", "ben"].enumerated() {
            try does(name, .showProposal(number, parent: 0, content: hashed("\(name) 0"), salt: Salt(hashed(name))))
        }
        try clock(300)
        try does("ada", .tick)
        var nodes: [Int] = []
        for (round, name) in ["ada", "ben"].enumerated() {
            try does(name, .beginRound(parent: round + 1))
            for owner in ["olga", "omar"] {
                try does(owner, .commitUpdate(round: round, commitment(.update, owner, place: round)))
            }
            try does(name, .closeRound(round))
            for owner in ["olga", "omar"] {
                try does(
                    owner, .showUpdate(round: round, content: hashed("\(owner) \(round)"), salt: Salt(hashed(owner))))
            }
            let result = try does(name, .finishRound(round, content: hashed("w \(round)"), receipts: hashed("r")))
            guard case .node(let node) = result else { continue }
            nodes.append(node)
            guard case .evaluation(let number) = try does(name, .requestEvaluation(node: node)) else { continue }
            try does("sue", .score(evaluation: number, round == 0 ? Score(0.85) : nil))
        }
        try does("ada", .authorise(proposal: 0, provider: party("pia"), limit: 5_000, until: 900))
        try does("pia", .deliver(job: 0, units: 4_000_000_000, receipt: hashed("work")))
        return nodes.first ?? 0
    }

    /// From the declaration to the last payout but one.
    func settle(winner: Int) throws {
        let contributions = [("olga", 0.3, 0.03), ("omar", 0.1, 0.02)].map {
            Contribution(owner: party($0.0), score: Score($0.1) ?? .zero, error: Score($0.2) ?? .zero)
        }
        let finals = [Verdict.Final(node: winner, score: Score(0.84) ?? .zero)]
        try does("sue", .declare(Verdict(finals: finals, contributions: contributions)))
        #expect(try folder.operate(.task(task, .checkpoint(hashed("checkpoint"))), at: 301) == .done(.none))
        try clock(500)
        try does("olga", .settle(seed: Salt(hashed("seed")), binding: []))
        let claims = folder.market[task]?.settlement?.claims ?? []
        for claim in claims.dropLast() { try does(claim.leaf.party.text, .claim(claim)) }
    }

    func end() throws {
        try clock(700)
        try does("rae", .tick)
    }
}
