@testable import Marketplace

extension SignedEntry {
    /// One or more entries of each kind, in an order in which most are refused: what is stored is what was asked.
    static func examples() throws -> [SignedEntry] {
        let (task, digest, salt) = (hashed("task"), hashed("content"), Salt(hashed("salt")))
        func score(_ billionths: Int64) -> Score { Score(billionths: billionths) ?? .zero }
        let verdict = Verdict(
            finals: [Verdict.Final(node: 2, score: score(-7)), Verdict.Final(node: 3, score: score(8))],
            contributions: [Contribution(owner: party("olga"), score: score(5), error: score(1))])
        let leaf = ClaimLeaf(
            settlement: digest, index: 4, party: party("olga"), role: .owner, amount: 77, salt: salt)
        let actions: [TaskAction] = [
            .amend(.example), .fund(terms: digest), .open, .cancel, .commitProposal(digest),
            .showProposal(1, parent: 2, content: digest, salt: salt), .join(.owner), .join(.provider),
            .beginRound(parent: 3), .commitUpdate(round: 4, digest), .closeRound(5),
            .showUpdate(round: 6, content: digest, salt: salt), .finishRound(7, content: digest, receipts: task),
            .authorise(proposal: 8, provider: party("pia"), limit: 9, until: -1),
            .deliver(job: 10, units: .max, receipt: digest), .requestEvaluation(node: -11),
            .score(evaluation: 12, score(13)), .score(evaluation: 14, nil), .declare(verdict), .checkpoint(digest),
            .dispute(.declaration), .dispute(.job(15)), .vote(dispute: 16, .rejected),
            .vote(dispute: 17, .upheld(nil)), .vote(dispute: 18, .upheld(verdict)),
            .settle(seed: salt, binding: [1, 2, 3]), .settle(seed: salt, binding: []),
            .claim(Claim(leaf: leaf, path: [task, digest])), .claim(Claim(leaf: leaf, path: [])), .tick,
        ]
        let all: [MarketAction] =
            [
                .register(party("sue"), key: signer("sue").publicKey), .credit(party("sue"), amount: 1 << 40), .clock,
                .withdraw(amount: 5), .draft(.example),
            ] + actions.map { .task(task, $0) }
        return try all.enumerated().map { place, action in
            let isOperator = place < 3
            return try signer(isOperator ? "clerk" : "sue").sign(
                action, by: party(isOperator ? "clerk" : "sue"), in: Market.ofTests().id,
                time: isOperator ? Int64(place) : nil, nonce: hashed("example \(place)"))
        }
    }
}

extension TaskTerms {
    static var example: TaskTerms {
        func score(_ value: Double) -> Score { Score(value) ?? .zero }
        return TaskTerms(
            rules: hashed("rules"), pot: TaskTerms.Pot(data: 60_000, computation: 20_000, expertise: 40_000),
            goal: TaskTerms.Goal(
                metric: hashed("accuracy"), direction: .higherIsBetter, baseline: score(0.5), target: score(0.8),
                step: score(0.01), validation: hashed("rows"), evaluations: 12, evaluationsEach: 6, finalists: 2),
            formula: TaskTerms.Formula(
                ancestorThousandths: 250, significanceThousandths: 0, price: 1_000, computationEach: 9_000),
            gains: TaskTerms.FraudGains(scientist: 3_000, owner: 2_000, provider: 8_000, dispute: 1_000),
            court: TaskTerms.Court(referees: ["rae", "rex", "rob"].map(party), quorum: 2, fee: 500),
            schedule: TaskTerms.Schedule(
                openBy: 100, proposalsUntil: 200, revealUntil: 300, revealDelay: 10, trainUntil: 1_000,
                declareUntil: 1_200, checkpointPatience: 50, challengeWindow: 100, rulingWindow: 60, claimWindow: 100))
    }
}
