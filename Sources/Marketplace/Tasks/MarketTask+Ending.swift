extension MarketTask {
    // MARK: settlement

    func settle(_ seed: Salt, binding: [UInt8], _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demand(.challenge)
        guard takesPart(turn.party) || turn.party == turn.market.operatorName else {
            throw .party(turn.party, expected: "somebody who takes part, or the operator")
        }
        try demand(turn, from: stageEnds, before: .max)
        guard let declaration else { throw .stage(stage, expected: "a task with a declaration") }
        let row = EndingTable.row(declaration.ending)
        let payouts = try earnings(declaration).payouts(row, terms: terms, sponsor: sponsor)
        let settlement = try Settlement(
            basis: basis(of: declaration), payouts: payouts, seed: seed, binding: binding)
        let accounts = accounts
        var steps: [BookStep] = []
        for (number, job) in jobs.enumerated() where isPending(job, at: turn.time) {
            steps.append(.void(hold(ofJob: number)))
        }
        let due = jobs.reduce(0) { $0 + ($1.due ?? 0) }
        steps.move(terms.pot.data, from: accounts.data, to: accounts.payable)
        steps.move(terms.pot.expertise, from: accounts.expertise, to: accounts.payable)
        steps.move(terms.pot.computation - due, from: accounts.computation, to: accounts.payable)
        steps.move(due, from: accounts.due, to: accounts.payable)
        let closing = closing(row, at: turn.time)
        steps += closing.steps
        let ends = turn.time + terms.schedule.claimWindow
        return Effect(steps: steps, events: closing.events, result: .settlement(root: settlement.root)) {
            $0.settlement = settlement
            $0.isPaid = payouts.map { _ in false }
            $0.ending = declaration.ending
            $0.stage = .settled
            $0.stageEnds = ends
        }
    }

    /// What payouts follow from.
    private func basis(of declaration: Declaration) -> Digest256 {
        Self.basis(of: declaration, task: id, terms: terms)
    }

    /// What a task's payouts follow from.
    public static func basis(of declaration: Declaration, task: Digest256, terms: TaskTerms) -> Digest256 {
        var bytes = CanonicalBytes("settlement-basis")
        bytes.append(task)
        bytes.append(terms.digest)
        bytes.append(declaration.ending.rawValue)
        bytes.append(declaration.winner.map(Int64.init))
        bytes.append(declaration.verdict?.finals ?? []) { bytes, final in
            bytes.append(final.node)
            bytes.append(final.score.billionths)
        }
        bytes.append(declaration.verdict?.contributions ?? []) { bytes, contribution in
            bytes.append(contribution.owner.text)
            bytes.append(contribution.score.billionths)
        }
        return bytes.digest
    }

    /// What everybody earned under a declaration: what a referee computes again.
    public func earnings(_ declaration: Declaration) -> Earnings {
        var earnings = Earnings()
        earnings.contributions = declaration.verdict?.contributions ?? []
        earnings.updates = declaration.winner.map { updates(onPathTo: $0) } ?? updates(in: Array(rounds.indices))
        for job in jobs where !job.isRefuted { earnings.delivered[job.provider, default: 0] += job.due ?? 0 }
        let scores = scores(declaration)
        earnings.improvement = gains(scores)
        let path = Set(declaration.winner.map { tree.path(to: $0) } ?? [])
        earnings.ancestry = gains(scores.filter { path.contains($0.node) }.sorted { $0.node < $1.node })
        for proposal in proposals where proposal.hasModel && counts(proposal) {
            earnings.proposals[proposal.scientist, default: 0] += 1
        }
        return earnings
    }

    /// The scores by which expertise is paid, in the order in which evaluations were asked for or answered: the feedback; or, where the referees corrected the
    /// sponsor, what they found, since her feedback may be as wrong as her declaration.
    private func scores(_ declaration: Declaration) -> [Verdict.Final] {
        guard declaration.isCorrected, let finals = declaration.verdict?.finals else {
            return improvements.map { Verdict.Final(node: $0.node, score: $0.score) }
        }
        let found = Dictionary(finals.map { ($0.node, $0) }) { first, _ in first }
        return evaluations.compactMap { found[$0.node] }
    }

    /// Each author's improvements on the best so far, in billionths: in sum the way from the baseline to the best.
    private func gains(_ scores: [Verdict.Final]) -> [PartyName: Int64] {
        var gains: [PartyName: Int64] = [:]
        var best = terms.goal.baseline
        for final in scores {
            let gain = terms.goal.direction.gain(from: best, to: final.score)
            guard gain > 0, let author = author(of: final.node) else { continue }
            gains[author, default: 0] += gain
            best = final.score
        }
        return gains
    }

    // MARK: ends

    /// Ends a task before there is anything to settle, and refunds its pots.
    func end(_ ending: Ending, _ turn: Turn) -> Effect {
        let row = EndingTable.row(ending)
        let accounts = accounts
        let payer = Market.account(of: sponsor)
        var steps: [BookStep] = []
        steps.move(terms.pot.data, from: accounts.data, to: payer)
        steps.move(terms.pot.computation, from: accounts.computation, to: payer)
        steps.move(terms.pot.expertise, from: accounts.expertise, to: payer)
        let closing = closing(row, at: turn.time)
        return Effect(steps: steps + closing.steps, events: closing.events) {
            $0.ending = ending
            $0.stage = row.stage
        }
    }

    /// What becomes of every deposit, and what is said of everybody, by the table.
    private func closing(_ row: EndingTable.Row, at time: Int64) -> (steps: [BookStep], events: [ReputationEvent]) {
        var closing = Closing(task: id, deposits: accounts.deposits, court: terms.court)
        let judged = conducts(row, at: time)
        for (role, party, conduct, deposit) in judged {
            let line = EndingTable.row(role, conduct)
            if line.depositReturns {
                closing.give(back: deposit, to: party)
            } else {
                closing.forfeit(deposit, disputes: disputes.filter { isAbout($0, role, party) && $0.outcome == .kept })
            }
        }
        for dispute in disputes {
            if EndingTable.accusers[dispute.outcome ?? .undecided] ?? true {
                closing.give(back: terms.gains.dispute, to: dispute.accuser)
            } else {
                closing.forfeit(terms.gains.dispute, disputes: [dispute])
            }
        }
        closing.say(of: judged.map { ($0.role, $0.party, $0.conduct) })
        return (closing.steps, closing.events)
    }

    private func isAbout(_ dispute: Dispute, _ role: Role, _ party: PartyName) -> Bool {
        switch dispute.subject {
        case .declaration: role == .sponsor
        case .job(let job): role == .provider && jobs[job].provider == party
        }
    }

    /// What everybody did, each deposit once.
    private func conducts(
        _ row: EndingTable.Row, at time: Int64
    ) -> [(role: Role, party: PartyName, conduct: Conduct, deposit: Int64)] {
        let hasLied = disputes.contains { $0.subject == .declaration && $0.outcome == .kept }
        var all: [(role: Role, party: PartyName, conduct: Conduct, deposit: Int64)] = [
            (.sponsor, sponsor, hasLied ? .refuted : row.sponsor, sponsorDeposit)
        ]
        all += proposals.map { (.scientist, $0.scientist, conduct(of: $0, at: time), $0.deposit) }
        all += owners.sorted { $0.key < $1.key }.map { (.owner, $0.key, conduct(ofOwner: $0.key), $0.value) }
        all += providers.sorted { $0.key < $1.key }.map {
            (.provider, $0.key, conduct(ofProvider: $0.key, at: time), $0.value)
        }
        all += terms.court.referees.map { (.referee, $0, conduct(ofReferee: $0), 0) }
        return all
    }

    private func conduct(of proposal: Proposal, at time: Int64) -> Conduct {
        // Whoever could still have shown it when training ended has concealed nothing.
        let time = declared ?? time
        guard proposal.content != nil else { return time >= showing(proposal).upperBound ? .concealed : .idle }
        guard counts(proposal) else { return .idle }
        if proposal.hasModel { return .kept }
        // There was no time for a model of what came last, and none of a task that ended early.
        return declaration != nil && proposal.time < terms.schedule.proposalsUntil ? .vanished : .idle
    }

    private func conduct(ofOwner owner: PartyName) -> Conduct {
        let updates = rounds.compactMap { round in round.updates[owner].map { (round, $0) } }
        if updates.contains(where: { counts($0.1) }) { return .kept }
        return updates.contains { $0.0.node != nil && $0.1.content == nil } ? .vanished : .idle
    }

    private func conduct(ofProvider provider: PartyName, at time: Int64) -> Conduct {
        let own = jobs.filter { $0.provider == provider }
        if own.contains(where: \.isRefuted) { return .refuted }
        if own.contains(where: { $0.due == nil && $0.until <= time }) { return .vanished }
        return own.contains { $0.due != nil } ? .kept : .idle
    }

    private func conduct(ofReferee referee: PartyName) -> Conduct {
        if disputes.contains(where: { $0.outcome == .undecided && $0.votes[referee] == nil }) { return .vanished }
        let isRight = disputes.contains { $0.ruling != nil && $0.votes[referee] == $0.ruling }
        return isRight ? .kept : .idle
    }

    // MARK: payouts

    func pay(_ claim: Claim, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demand(.settled, .paidOut)
        guard let settlement else { throw .unknown("settlement") }
        guard claim.leaf.settlement == settlement.id, claim.leads(to: settlement.root) else { throw .proof }
        let index = claim.leaf.index
        guard isPaid.indices.contains(index) else { throw .proof }
        guard !isPaid[index] else { throw .repeated("the claim was paid") }
        return Effect(steps: CreditRail(payable: accounts.payable).instruction(for: claim)) {
            $0.isPaid[index] = true
            if $0.isPaid.allSatisfy({ $0 }) { $0.stage = .paidOut }
        }
    }

    /// Pays what nobody claimed in time to its parties.
    func payAll() -> Effect {
        var steps: [BookStep] = []
        for (payout, isPaid) in zip(settlement?.payouts ?? [], isPaid) where !isPaid {
            steps.move(payout.amount, from: accounts.payable, to: Market.account(of: payout.party))
        }
        return Effect(steps: steps) {
            $0.isPaid = $0.isPaid.map { _ in true }
            $0.stage = .paidOut
        }
    }
}

/// The deposits' way out, as it is put together.
private struct Closing {
    let task: Digest256
    let deposits: AccountName
    let court: TaskTerms.Court
    private(set) var events: [ReputationEvent] = []
    private var returned: [PartyName: Int64] = [:]
    private var forfeited: Int64 = 0

    init(task: Digest256, deposits: AccountName, court: TaskTerms.Court) {
        self.task = task
        self.deposits = deposits
        self.court = court
    }

    mutating func give(back deposit: Int64, to party: PartyName) {
        // All of it lies in the deposits' account, whose balance fits.
        returned[party, default: 0] += deposit
    }

    /// One movement a party, so that an entry of the book has room for all.
    var steps: [BookStep] {
        var steps: [BookStep] = []
        for (party, amount) in returned.sorted(by: { $0.key < $1.key }) {
            steps.move(amount, from: deposits, to: Market.account(of: party))
        }
        steps.move(forfeited, from: deposits, to: Market.forfeits)
        return steps
    }

    /// A deposit pays the referees whose votes decided, a fee for each dispute as far as it goes; the rest is nobody's who takes part.
    mutating func forfeit(_ deposit: Int64, disputes: [MarketTask.Dispute]) {
        var left = deposit
        for dispute in disputes {
            let fee = min(court.fee, left)
            let referees = court.referees.filter { dispute.votes[$0] == dispute.ruling }
            guard let parts = try? Apportionment.split(fee, by: referees.map { _ in 1 }) else { continue }
            left -= fee
            for (referee, part) in zip(referees, parts) { give(back: part, to: referee) }
        }
        forfeited += left
    }

    /// One outcome a party and role: the worst, in the order in which conducts are told here.
    mutating func say(of judged: [(role: Role, party: PartyName, conduct: Conduct)]) {
        let worst: [Conduct] = [.refuted, .concealed, .vanished, .kept, .idle, .undecided]
        var seen: Set<String> = []
        for conduct in worst {
            for one in judged where one.conduct == conduct {
                guard seen.insert("\(one.role.rawValue)/\(one.party)").inserted,
                    let isGood = EndingTable.row(one.role, conduct).isGood
                else { continue }
                events.append(
                    ReputationEvent(
                        party: one.party, role: one.role, task: task, conduct: conduct, isGood: isGood))
            }
        }
    }
}
