extension MarketTask {
    /// Works an action out, without touching the state.
    ///
    /// - Throws: Why it is refused; then nothing is to be changed.
    func plan(
        _ action: TaskAction, by party: PartyName, at time: Int64, in market: Market
    ) throws(MarketRefusal) -> Effect {
        let turn = Turn(party: party, time: time, market: market)
        switch action {
        case .amend(let terms): return try amend(terms, turn)
        case .fund(let digest): return try fund(digest, turn)
        case .open: return try open(turn)
        case .cancel: return try cancel(turn)
        case .commitProposal(let commitment): return try commitProposal(commitment, turn)
        case .showProposal(let number, let parent, let content, let salt):
            return try showProposal(number, below: parent, content: content, salt: salt, turn)
        case .join(let role): return try join(role, turn)
        case .beginRound(let parent): return try beginRound(parent, turn)
        case .commitUpdate(let round, let commitment): return try commitUpdate(round, commitment, turn)
        case .closeRound(let round): return try closeRound(round, turn)
        case .showUpdate(let round, let content, let salt):
            return try showUpdate(round, content: content, salt: salt, turn)
        case .finishRound(let round, let content, let receipts):
            return try finishRound(round, content: content, receipts: receipts, turn)
        case .authorise(let proposal, let provider, let limit, let until):
            return try authorise(proposal, provider, limit: limit, until: until, turn)
        case .deliver(let job, let units, let receipt):
            return try deliver(job, units: units, receipt: receipt, turn)
        case .requestEvaluation(let node): return try requestEvaluation(node, turn)
        case .score(let evaluation, let score): return try answer(evaluation, score, turn)
        case .declare(let verdict): return try declare(verdict, turn)
        case .checkpoint(let digest): return try take(checkpoint: digest, turn)
        case .dispute(let subject): return try raise(subject, turn)
        case .vote(let dispute, let ruling): return try vote(dispute, ruling, turn)
        case .settle(let seed, let binding): return try settle(seed, binding: binding, turn)
        case .claim(let claim): return try pay(claim, turn)
        case .tick: return try tick(turn)
        }
    }

    /// Who asks, when, and what the market knows.
    struct Turn {
        let party: PartyName
        let time: Int64
        let market: Market
    }

    // MARK: what is demanded

    func demand(_ stages: Stage...) throws(MarketRefusal) {
        guard stages.contains(stage) else {
            throw .stage(stage, expected: stages.map(\.rawValue).joined(separator: " or "))
        }
    }

    func demandSponsor(_ turn: Turn) throws(MarketRefusal) {
        guard turn.party == sponsor else { throw .party(turn.party, expected: "the task's sponsor") }
    }

    func demand(_ turn: Turn, from: Int64 = 0, before: Int64) throws(MarketRefusal) {
        guard turn.time >= from else { throw .time(turn.time, expected: "\(from) s or later") }
        guard turn.time < before else { throw .time(turn.time, expected: "before \(before) s") }
    }

    /// A sponsor evaluates, and a referee decides: neither may work in the task.
    func demandWorker(_ turn: Turn) throws(MarketRefusal) {
        guard turn.party != sponsor, !terms.court.referees.contains(turn.party) else {
            throw .party(turn.party, expected: "neither the task's sponsor nor a referee")
        }
    }

    func demand(commitment: Digest256) throws(MarketRefusal) {
        guard commitments[commitment] == nil else { throw .commitmentIsTaken }
    }

    // MARK: draft, funding, opening

    private func amend(_ terms: TaskTerms, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demandSponsor(turn)
        try demand(.draft)
        try terms.check(sponsor: sponsor)
        return Effect { $0.terms = terms }
    }

    private func fund(_ digest: Digest256, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demandSponsor(turn)
        try demand(.draft)
        guard digest == terms.digest else { throw .value("the terms' digest", expected: "that of the draft's terms") }
        try demand(turn, before: terms.schedule.openBy)
        for referee in terms.court.referees {
            guard turn.market.hasAccount(referee) else {
                throw .party(referee, expected: "referees who are registered")
            }
        }
        let gain = terms.pot.data + terms.pot.expertise
        let deposit = try turn.market.deposit(sponsor, as: .sponsor, gain: gain)
        let accounts = accounts
        let payer = Market.account(of: sponsor)
        var steps = accounts.all.map { BookStep.open($0, rule: .neverBelowZero) }
        steps.move(terms.pot.data, from: payer, to: accounts.data)
        steps.move(terms.pot.computation, from: payer, to: accounts.computation)
        steps.move(terms.pot.expertise, from: payer, to: accounts.expertise)
        steps.move(deposit, from: payer, to: accounts.deposits)
        return Effect(steps: steps) {
            $0.stage = .funded
            $0.sponsorDeposit = deposit
        }
    }

    private func open(_ turn: Turn) throws(MarketRefusal) -> Effect {
        try demandSponsor(turn)
        try demand(.funded)
        try demand(turn, before: terms.schedule.openBy)
        return Effect { $0.stage = .open }
    }

    private func cancel(_ turn: Turn) throws(MarketRefusal) -> Effect {
        try demandSponsor(turn)
        try demand(.draft, .funded, .open)
        guard commitments.isEmpty else { throw .stage(stage, expected: "a task to which nobody has committed yet") }
        if stage == .draft {
            return Effect {
                $0.stage = .cancelled
                $0.ending = .cancelled
            }
        }
        return end(.cancelled, turn)
    }

    // MARK: proposals

    private func commitProposal(_ commitment: Digest256, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demandWorker(turn)
        try demand(.open, .training)
        if stage == .open {
            try demand(turn, before: terms.schedule.proposalsUntil)
        } else {
            try demand(turn, before: terms.schedule.trainUntil - terms.schedule.revealDelay)
        }
        guard proposals.count < TaskTerms.Limit.proposals else {
            throw .limit("proposals", most: Int64(TaskTerms.Limit.proposals))
        }
        try demand(commitment: commitment)
        let deposit = try turn.market.deposit(turn.party, as: .scientist, gain: terms.gains.scientist)
        var steps: [BookStep] = []
        steps.move(deposit, from: Market.account(of: turn.party), to: accounts.deposits)
        let proposal = Proposal(
            scientist: turn.party, commitment: commitment, order: commitments.count, time: turn.time, deposit: deposit)
        return Effect(steps: steps, result: .proposal(proposals.count)) {
            $0.commitments[commitment] = proposal.order
            $0.proposals.append(proposal)
        }
    }

    /// When a proposal can be shown: all of the first wave after the last of them is committed, others a while after their own commitment.
    func showing(_ proposal: Proposal) -> Range<Int64> {
        let schedule = terms.schedule
        guard proposal.time >= schedule.proposalsUntil else { return schedule.proposalsUntil..<schedule.revealUntil }
        return min(proposal.time + schedule.revealDelay, schedule.trainUntil)..<schedule.trainUntil
    }

    private func showProposal(
        _ number: Int, below parent: Int, content: Digest256, salt: Salt, _ turn: Turn
    ) throws(MarketRefusal) -> Effect {
        try demand(.open, .training)
        guard proposals.indices.contains(number) else { throw .unknown("proposal \(number)") }
        let proposal = proposals[number]
        guard proposal.scientist == turn.party else { throw .party(turn.party, expected: "the proposal's scientist") }
        guard proposal.content == nil else { throw .repeated("proposal \(number) was shown") }
        let window = showing(proposal)
        try demand(turn, from: window.lowerBound, before: window.upperBound)
        let commitment = Commitment.of(
            .proposal, task: id, author: turn.party, place: parent, content: content, salt: salt)
        guard commitments[commitment] == proposal.order else { throw .commitmentMismatch }
        guard tree.nodes.indices.contains(parent), tree.nodes[parent].kind != .specification else {
            throw .unknown("node \(parent) that a proposal can stand below: the task or a trained model")
        }
        guard tree.nodes[parent].depth + 1 < TaskTerms.Limit.depth else {
            throw .limit("the tree's depth", most: Int64(TaskTerms.Limit.depth))
        }
        if let first = proposalContents[content], first < proposal.order { throw .commitmentIsTaken }
        let (author, order) = (turn.party, proposal.order)
        return Effect(result: .node(tree.nodes.count)) {
            $0.proposalContents[content] = order
            $0.proposals[number].content = content
            $0.proposals[number].node = $0.tree.add(below: parent, author: author, content: content, round: nil)
        }
    }

    // MARK: owners and providers

    private func join(_ role: Role, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demandWorker(turn)
        try demand(.open, .training)
        try demand(turn, before: terms.schedule.trainUntil)
        guard role == .owner || role == .provider else {
            throw .value("the role", expected: "owner or provider")
        }
        let present = role == .owner ? owners : providers
        let most = role == .owner ? TaskTerms.Limit.owners : TaskTerms.Limit.providers
        guard present[turn.party] == nil else { throw .repeated("\(turn.party) joined as \(role.rawValue)") }
        guard present.count < most else { throw .limit("parties that join as \(role.rawValue)", most: Int64(most)) }
        let gain = role == .owner ? terms.gains.owner : terms.gains.provider
        let deposit = try turn.market.deposit(turn.party, as: role, gain: gain)
        var steps: [BookStep] = []
        steps.move(deposit, from: Market.account(of: turn.party), to: accounts.deposits)
        let party = turn.party
        return Effect(steps: steps) {
            if role == .owner { $0.owners[party] = deposit } else { $0.providers[party] = deposit }
        }
    }
}
