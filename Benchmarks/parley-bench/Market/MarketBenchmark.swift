import Foundation
import Marketplace

/// The marketplace's book and state machine in memory, without a disk: transfers, holds, and whole tasks from draft to payout.
struct MarketBenchmark {
    func run() throws {
        try book()
        try tasks()
    }

    struct Contradiction: Error, CustomStringConvertible {
        let what: String
        var description: String { what }
    }

    static func name(_ number: Int) -> Digest256 { Digest256.sha256(withUnsafeBytes(of: number) { [UInt8]($0) }) }
    static func account(_ text: String) -> AccountName { AccountName(text) ?? Market.outside }
    static func party(_ text: String) -> PartyName {
        guard let party = PartyName(text) else { preconditionFailure("\(text) is a party's name") }
        return party
    }
    static func score(_ value: Double) -> Score { Score(value) ?? .zero }

    /// Says how many times a second.
    private static func measure(_ name: String, _ count: Int, _ body: () -> Void) {
        let start = processorSeconds()
        body()
        report(
            "market-\(name)", [("count", Double(count)), ("per_cpu_s", Double(count) / (processorSeconds() - start))])
    }

    private struct Script {
        let market: Digest256
        let signer: PartySigner
        var entries: [SignedEntry] = []
        var time: Int64 = 0

        /// Everybody signs with one key here; only the clerk's entries have a time.
        mutating func ask(_ by: PartyName, _ action: MarketAction, nonce: Digest256? = nil) throws {
            entries.append(
                try signer.sign(
                    action, by: by, in: market, time: by.text == "clerk" ? time : nil,
                    nonce: nonce ?? MarketBenchmark.name(1_000_000 + entries.count)))
        }

        /// The operator moves its clock.
        mutating func wait(_ seconds: Int64) throws {
            time += seconds
            try ask(MarketBenchmark.party("clerk"), .clock)
        }
    }

    private func book() throws {
        let count = 200_000
        let accounts = (0..<1_000).map { Self.account("party/p\($0)") }
        let outside = Self.account("outside")
        var book = Book()
        _ = book.apply(
            BookEntry(
                key: Self.name(-1), time: 0,
                steps: [.open(outside, rule: .unbounded)] + accounts.map { .open($0, rule: .neverBelowZero) }
                    + accounts.map { .move(Movement(from: outside, to: $0, amount: 1_000_000)) }))
        let transfers = (0..<count).map { number in
            BookEntry(
                key: Self.name(number), time: Int64(number),
                steps: [
                    .move(Movement(from: accounts[number % 1_000], to: accounts[(number * 7 + 1) % 1_000], amount: 1))
                ])
        }
        Self.measure("transfers", count) { for entry in transfers { _ = book.apply(entry) } }
        Self.measure("repeated", count) { for entry in transfers { _ = book.apply(entry) } }
        let holds = (0..<count).map { number in
            BookEntry(
                key: Self.name(count + number), time: Int64(count + number),
                steps: [
                    .hold(
                        Self.name(count + number),
                        Movement(from: accounts[number % 1_000], to: accounts[(number + 1) % 1_000], amount: 1),
                        until: Int64(count + number + 100))
                ])
        }
        Self.measure("holds", count) { for entry in holds { _ = book.apply(entry) } }
        Self.measure("state-hash", 3) { for _ in 0..<3 { _ = book.stateHash } }
        guard book.isBalanced else { throw Contradiction(what: "the book is not balanced") }
    }

    /// Two thousand tasks with three owners, a round, an evaluation, a declaration, a settlement.
    private func tasks() throws {
        let (clerk, sue, ada, rae) = (Self.party("clerk"), Self.party("sue"), Self.party("ada"), Self.party("rae"))
        let owners = (0..<3).map { Self.party("owner\($0)") }
        guard let signer = PartySigner(seed: Self.name(9).bytes),
            let policy = DepositPolicy(detectionMillionths: 800_000, leastExpectation: 300_000)
        else { throw Contradiction(what: "no key, or no policy") }
        var market = Market(id: Self.name(8), operatorName: clerk, operatorKey: signer.publicKey, policy: policy)
        var script = Script(market: market.id, signer: signer)
        for one in [clerk, sue, ada, rae] + owners {
            try script.ask(clerk, .register(one, key: signer.publicKey))
            try script.ask(clerk, .credit(one, amount: 1_000_000_000_000))
        }
        for number in 0..<2_000 {
            let start = script.time
            let terms = TaskTerms(
                rules: Self.name(0), pot: TaskTerms.Pot(data: 600, computation: 0, expertise: 400),
                goal: TaskTerms.Goal(
                    metric: Self.name(1), direction: .higherIsBetter, baseline: Self.score(0.5),
                    target: Self.score(0.8),
                    step: Self.score(0.01),
                    validation: Self.name(2), evaluations: 5, evaluationsEach: 5, finalists: 1),
                formula: TaskTerms.Formula(
                    ancestorThousandths: 100, significanceThousandths: 0, price: 1, computationEach: 0),
                gains: TaskTerms.FraudGains(scientist: 10, owner: 10, provider: 10, dispute: 10),
                court: TaskTerms.Court(referees: [rae], quorum: 1, fee: 1),
                schedule: TaskTerms.Schedule(
                    openBy: start + 1, proposalsUntil: start + 2, revealUntil: start + 3, revealDelay: 1,
                    trainUntil: start + 4,
                    declareUntil: start + 5, checkpointPatience: 1, challengeWindow: 1, rulingWindow: 1, claimWindow: 1)
            )
            let nonce = Self.name(2_000_000 + number)
            let task = SignedEntry.key(market: market.id, by: sue, nonce: nonce)
            let salt = Salt(Self.name(3))
            try script.ask(sue, .draft(terms), nonce: nonce)
            func ask(_ by: PartyName, _ action: TaskAction) throws { try script.ask(by, .task(task, action)) }
            func commitment(_ kind: Commitment.Kind, _ by: PartyName) -> Digest256 {
                Commitment.of(
                    kind, task: task, author: by, place: 0, content: Digest256.sha256(Array(by.text.utf8)), salt: salt)
            }
            try ask(sue, .fund(terms: terms.digest))
            try ask(sue, .open)
            try ask(ada, .commitProposal(commitment(.proposal, ada)))
            for owner in owners { try ask(owner, .join(.owner)) }
            try script.wait(2)
            try ask(ada, .showProposal(0, parent: 0, content: Digest256.sha256(Array(ada.text.utf8)), salt: salt))
            try script.wait(1)
            try ask(ada, .tick)
            try ask(ada, .beginRound(parent: 1))
            for owner in owners { try ask(owner, .commitUpdate(round: 0, commitment(.update, owner))) }
            try ask(ada, .closeRound(0))
            for owner in owners {
                try ask(owner, .showUpdate(round: 0, content: Digest256.sha256(Array(owner.text.utf8)), salt: salt))
            }
            try ask(ada, .finishRound(0, content: Self.name(4), receipts: Self.name(5)))
            try ask(ada, .requestEvaluation(node: 2))
            try ask(sue, .score(evaluation: 0, Self.score(0.9)))
            let contributions = owners.map { Contribution(owner: $0, score: Self.score(0.1), error: Self.score(0.01)) }
            try ask(
                sue,
                .declare(
                    Verdict(finals: [Verdict.Final(node: 2, score: Self.score(0.9))], contributions: contributions)))
            try ask(clerk, .checkpoint(Self.name(6)))
            try script.wait(1)
            try ask(clerk, .settle(seed: salt, binding: []))
            try script.wait(1)
            try ask(clerk, .tick)
        }
        var refused = 0
        Self.measure("entries", script.entries.count) {
            for entry in script.entries {
                guard let admitted = try? market.admit(entry), case .done = market.apply(admitted) else {
                    refused += 1
                    continue
                }
            }
        }
        guard refused == 0, market.book.isBalanced, market.allTasks.allSatisfy({ $0.stage == .paidOut }) else {
            throw Contradiction(
                what: "the market refused \(refused) entries, or is not balanced, or has not paid all out")
        }
    }
}
