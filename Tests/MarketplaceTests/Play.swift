import Foundation
import Secrets
import Testing

@testable import Marketplace

/// A name that is right.
func party(_ name: String) -> PartyName {
    guard let party = PartyName(name) else { preconditionFailure("\(name) is no name") }
    return party
}

func account(_ name: String) -> AccountName {
    guard let account = AccountName(name) else { preconditionFailure("\(name) is no account") }
    return account
}

/// A digest of a text: contents, keys and salts of tests.
func hashed(_ text: String) -> Digest256 { .sha256(Array(text.utf8)) }

func score(_ value: Double) -> Score {
    guard let score = Score(value) else { preconditionFailure("\(value) is no score") }
    return score
}

extension DepositPolicy {
    /// Four of five frauds are found, and whoever is below .3 is not admitted.
    static var ofTests: DepositPolicy {
        guard let policy = DepositPolicy(detectionMillionths: 800_000, leastExpectation: 300_000) else {
            preconditionFailure("in range")
        }
        return policy
    }
}

extension PartyKey {
    /// Nobody signs here: entries are applied as those who were admitted.
    static var ofTests: PartyKey {
        guard let key = PartySigner(seed: hashed("seed").bytes)?.publicKey else { preconditionFailure("32 bytes") }
        return key
    }
}

extension Market {
    static func ofTests(_ operatorName: PartyName) -> Market {
        Market(id: hashed("market"), operatorName: operatorName, operatorKey: .ofTests, policy: .ofTests)
    }
}

extension TaskTerms {
    /// Terms with round numbers: pots of 60,000, 20,000 and 40,000; baseline .5, target .8, step .01.
    static func ofTests(start: Int64 = 0) -> TaskTerms {
        TaskTerms(
            rules: hashed("rules"), pot: Pot(data: 60_000, computation: 20_000, expertise: 40_000),
            goal: Goal(
                metric: hashed("accuracy"), direction: .higherIsBetter, baseline: score(0.5), target: score(0.8),
                step: score(0.01), validation: hashed("rows"), evaluations: 12, evaluationsEach: 6, finalists: 2),
            formula: Formula(
                ancestorThousandths: 250, significanceThousandths: 0, price: 1_000, computationEach: 9_000),
            gains: FraudGains(scientist: 3_000, owner: 2_000, provider: 8_000, dispute: 1_000),
            court: Court(referees: ["rae", "rex", "rob"].map(party), quorum: 2, fee: 500),
            schedule: Schedule(
                openBy: start + 100, proposalsUntil: start + 200, revealUntil: start + 300, revealDelay: 10,
                trainUntil: start + 1_000, declareUntil: start + 1_200, checkpointPatience: 50, challengeWindow: 100,
                rulingWindow: 60, claimWindow: 100))
    }
}

/// A market on which tests act: everybody is registered, and has 1,000,000.
struct Play {
    static let sponsor = party("sue")
    static let scientists = ["ada", "ben"].map(party)
    static let owners = ["olga", "omar", "otto"].map(party)
    static let providers = ["pia", "pol"].map(party)
    static let clerk = party("clerk")
    static let everybody = [sponsor] + scientists + owners + providers + ["rae", "rex", "rob"].map(party)
    static let purse: Int64 = 1_000_000

    var market = Market.ofTests(clerk)
    var journal: [MarketEntry] = []
    var money: [BookEntry] = []
    var time: Int64 = 0
    let task = hashed("draft")

    init() {
        for one in Self.everybody + [Self.clerk] {
            _ = ask(Self.clerk, .register(one, key: .ofTests))
            if one != Self.clerk { _ = ask(Self.clerk, .credit(one, amount: Self.purse)) }
        }
    }

    /// Asks with a key of its own.
    mutating func ask(_ by: PartyName, _ action: MarketAction, key: Digest256? = nil) -> MarketAnswer {
        let key = key ?? hashed("key \(journal.count)")
        let entry = MarketEntry(key: key, time: time, by: by, action: action)
        let answer = market.apply(entry) { money.append($0) }
        journal.append(entry)
        return answer
    }

    mutating func ask(_ by: PartyName, _ action: TaskAction) -> MarketAnswer { ask(by, .task(task, action)) }

    /// Asks for what is to be done; a refusal fails the test.
    @discardableResult
    mutating func does(
        _ by: PartyName, _ action: TaskAction, _ location: SourceLocation = #_sourceLocation
    ) -> MarketResult {
        let answer = ask(by, action)
        if case .done(let result) = answer { return result }
        Issue.record("\(by) \(action): \(answer)", sourceLocation: location)
        return .none
    }

    /// Asks for what is to be refused.
    mutating func refused(
        _ by: PartyName, _ action: TaskAction, _ location: SourceLocation = #_sourceLocation
    ) -> MarketRefusal? {
        let before = market[task]
        let money = market.book.sortedAccounts
        let answer = ask(by, action)
        #expect(market[task] == before && market.book.sortedAccounts == money, sourceLocation: location)
        if case .refused(let refusal) = answer { return refusal }
        Issue.record("\(by) \(action) was not refused: \(answer)", sourceLocation: location)
        return nil
    }

    func balance(_ name: PartyName) -> Int64 { market.book[Market.account(of: name)]?.balance ?? .min }

    /// What a party has more than at the beginning.
    func gain(_ name: PartyName) -> Int64 { balance(name) - Self.purse }

    var state: MarketTask {
        guard let state = market[task] else { preconditionFailure("drafted") }
        return state
    }

    // MARK: acts

    mutating func draft(_ terms: TaskTerms = .ofTests()) {
        #expect(ask(Self.sponsor, .draft(terms), key: task) == .done(.task(task)))
    }

    mutating func fund() { does(Self.sponsor, .fund(terms: state.terms.digest)) }

    mutating func openTask(_ terms: TaskTerms = .ofTests()) {
        draft(terms)
        fund()
        does(Self.sponsor, .open)
    }

    static func salt(_ text: String) -> Salt { Salt(hashed("salt \(text)")) }

    /// A commitment of an author, with a salt of its own.
    func commitment(
        _ kind: Commitment.Kind, _ author: PartyName, place: Int, _ content: String
    ) -> Digest256 {
        Commitment.of(
            kind, task: task, author: author, place: place, content: hashed(content),
            salt: Self.salt("\(author) \(content)"))
    }

    mutating func commit(_ author: PartyName, _ content: String, parent: Int = 0) {
        does(author, .commitProposal(commitment(.proposal, author, place: parent, content)))
    }

    mutating func show(_ author: PartyName, _ number: Int, _ content: String, parent: Int = 0) {
        does(
            author,
            .showProposal(number, parent: parent, content: hashed(content), salt: Self.salt("\(author) \(content)")))
    }

    /// Up to training: each scientist has a proposal (nodes 1 and 2), and everybody joined.
    mutating func beginTraining(_ terms: TaskTerms = .ofTests()) {
        openTask(terms)
        for (number, scientist) in Self.scientists.enumerated() { commit(scientist, "model \(number)") }
        for owner in Self.owners { does(owner, .join(.owner)) }
        for provider in Self.providers { does(provider, .join(.provider)) }
        time = terms.schedule.proposalsUntil
        for (number, scientist) in Self.scientists.enumerated() { show(scientist, number, "model \(number)") }
        time = terms.schedule.revealUntil
        does(Self.scientists[0], .tick)
    }

    /// A round of owners that shows all its updates. Returns the model's node.
    mutating func train(_ scientist: PartyName, parent: Int, _ owners: [PartyName] = Play.owners) -> Int {
        guard case .round(let round) = does(scientist, .beginRound(parent: parent)) else { return -1 }
        for owner in owners {
            does(
                owner,
                .commitUpdate(round: round, commitment(.update, owner, place: round, "update \(round) \(owner)")))
        }
        does(scientist, .closeRound(round))
        for owner in owners {
            let content = "update \(round) \(owner)"
            does(owner, .showUpdate(round: round, content: hashed(content), salt: Self.salt("\(owner) \(content)")))
        }
        let result = does(
            scientist, .finishRound(round, content: hashed("weights \(round)"), receipts: hashed("receipts")))
        guard case .node(let node) = result else { return -1 }
        return node
    }

    /// Evaluates a model: nil is no improvement.
    mutating func evaluate(_ scientist: PartyName, _ node: Int, _ value: Double?) {
        guard case .evaluation(let number) = does(scientist, .requestEvaluation(node: node)) else { return }
        does(Self.sponsor, .score(evaluation: number, value.map(score)))
    }

    mutating func declare(_ finals: [(Int, Double)], _ contributions: [(PartyName, Double, Double)] = []) {
        does(Self.sponsor, .declare(Self.verdict(finals, contributions)))
    }

    static func verdict(
        _ finals: [(Int, Double)], _ contributions: [(PartyName, Double, Double)] = []
    ) -> Verdict {
        Verdict(
            finals: finals.map { Verdict.Final(node: $0.0, score: score($0.1)) },
            contributions: contributions.map {
                Contribution(owner: $0.0, score: score($0.1), error: score($0.2))
            })
    }

    mutating func challenge() { does(Self.clerk, .checkpoint(hashed("checkpoint"))) }

    /// From the challenge to the last payout.
    mutating func finish() {
        time = max(time, state.stageEnds)
        does(Self.clerk, .settle(seed: Self.salt("seed"), binding: Array("internal".utf8)))
        for claim in state.settlement?.claims ?? [] { does(claim.leaf.party, .claim(claim)) }
    }
}
