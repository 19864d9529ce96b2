extension MarketTask {
    /// The most updates that a task takes, in all rounds.
    static let mostUpdates = 65_536
    /// The units of metered work that the posted price is for.
    public static let pricedUnits: Int64 = 1_000_000_000

    // MARK: rounds

    func beginRound(_ parent: Int, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demand(.training)
        try demand(turn, before: terms.schedule.trainUntil)
        guard tree.nodes.indices.contains(parent), let proposal = proposal(of: parent) else {
            throw .unknown("node \(parent) that a round can go on from: a proposal's or a trained model's")
        }
        guard proposals[proposal].scientist == turn.party, counts(proposals[proposal]) else {
            throw .party(turn.party, expected: "the scientist of a proposal that counts")
        }
        guard tree.nodes[parent].depth + 1 < TaskTerms.Limit.depth else {
            throw .limit("the tree's depth", most: Int64(TaskTerms.Limit.depth))
        }
        guard rounds.count < TaskTerms.Limit.rounds else {
            throw .limit("rounds", most: Int64(TaskTerms.Limit.rounds))
        }
        return Effect(result: .round(rounds.count)) { $0.rounds.append(Round(proposal: proposal, parent: parent)) }
    }

    /// A round that exists, while models are trained.
    private func demand(round: Int, _ turn: Turn) throws(MarketRefusal) -> Round {
        try demand(.training)
        try demand(turn, before: terms.schedule.trainUntil)
        guard rounds.indices.contains(round) else { throw .unknown("round \(round)") }
        return rounds[round]
    }

    private func demandScientist(of round: Round, _ turn: Turn) throws(MarketRefusal) {
        guard proposals[round.proposal].scientist == turn.party else {
            throw .party(turn.party, expected: "the round's scientist")
        }
    }

    func commitUpdate(_ number: Int, _ commitment: Digest256, _ turn: Turn) throws(MarketRefusal) -> Effect {
        let round = try demand(round: number, turn)
        let owner = turn.party
        guard owners[owner] != nil else { throw .party(owner, expected: "an owner who joined") }
        guard round.closed == nil else { throw .stage(stage, expected: "a round whose commitments have not ended") }
        guard round.updates[owner] == nil else { throw .repeated("\(owner) committed to an update of round \(number)") }
        guard commitments.count < Self.mostUpdates else { throw .limit("commitments", most: Int64(Self.mostUpdates)) }
        try demand(commitment: commitment)
        let update = Update(commitment: commitment, order: commitments.count)
        return Effect {
            $0.commitments[commitment] = update.order
            $0.rounds[number].updates[owner] = update
        }
    }

    func closeRound(_ number: Int, _ turn: Turn) throws(MarketRefusal) -> Effect {
        let round = try demand(round: number, turn)
        try demandScientist(of: round, turn)
        guard round.closed == nil else { throw .repeated("round \(number) was closed") }
        let time = turn.time
        return Effect { $0.rounds[number].closed = time }
    }

    func showUpdate(
        _ number: Int, content: Digest256, salt: Salt, _ turn: Turn
    ) throws(MarketRefusal) -> Effect {
        let round = try demand(round: number, turn)
        let owner = turn.party
        guard let update = round.updates[owner] else {
            throw .party(owner, expected: "an owner who committed to an update of the round")
        }
        guard round.closed != nil, round.node == nil else {
            throw .stage(stage, expected: "a round that was closed and has no model yet")
        }
        guard update.content == nil else { throw .repeated("the update of round \(number) was shown") }
        let commitment = Commitment.of(
            .update, task: id, author: owner, place: number, content: content, salt: salt)
        guard update.commitment == commitment else { throw .commitmentMismatch }
        return Effect {
            $0.updateContents[content] = min(update.order, $0.updateContents[content] ?? .max)
            $0.rounds[number].updates[owner]?.content = content
        }
    }

    func finishRound(
        _ number: Int, content: Digest256, receipts: Digest256, _ turn: Turn
    ) throws(MarketRefusal) -> Effect {
        let round = try demand(round: number, turn)
        try demandScientist(of: round, turn)
        guard round.node == nil else { throw .repeated("round \(number) came to a model") }
        guard let closed = round.closed else { throw .stage(stage, expected: "a round that was closed") }
        // Owners have time to show what they committed to: whoever does not has vanished.
        if round.updates.values.contains(where: { $0.content == nil }) {
            try demand(turn, from: closed + terms.schedule.revealDelay, before: terms.schedule.trainUntil)
        }
        let author = turn.party
        let node = tree.nodes.count
        return Effect(result: .node(node)) {
            _ = $0.tree.add(below: round.parent, author: author, content: content, round: number)
            $0.rounds[number].node = node
            $0.rounds[number].receipts = receipts
            $0.proposals[round.proposal].hasModel = true
        }
    }

    // MARK: computation

    /// Whether a job's money is still held for it.
    func isPending(_ job: Job, at time: Int64) -> Bool { job.due == nil && time < job.until }

    /// What a job takes of limits: all that it may cost while it is pending, then what it costs.
    private func exposure(of job: Job, at time: Int64) -> Int64 {
        isPending(job, at: time) ? job.limit : job.due ?? 0
    }

    private func exposure(at time: Int64, where counts: (Job) -> Bool) -> Int64 {
        // Each is within the computation pot, which the book holds: the sum is too.
        jobs.reduce(0) { $0 + (counts($1) ? exposure(of: $1, at: time) : 0) }
    }

    func authorise(
        _ proposal: Int, _ provider: PartyName, limit: Int64, until: Int64, _ turn: Turn
    ) throws(MarketRefusal) -> Effect {
        try demand(.training)
        try demand(turn, before: terms.schedule.trainUntil)
        guard proposals.indices.contains(proposal) else { throw .unknown("proposal \(proposal)") }
        guard proposals[proposal].scientist == turn.party, counts(proposals[proposal]) else {
            throw .party(turn.party, expected: "the scientist of a proposal that counts")
        }
        guard providers[provider] != nil else { throw .party(provider, expected: "a provider who joined") }
        guard jobs.count < TaskTerms.Limit.jobs else { throw .limit("jobs", most: Int64(TaskTerms.Limit.jobs)) }
        guard (1...TaskTerms.Limit.amount).contains(limit) else {
            throw .value("the job's limit", expected: "1 to \(TaskTerms.Limit.amount) minor units")
        }
        guard turn.time < until, until <= terms.schedule.declareUntil else {
            throw .value("the job's end", expected: "after now, at the latest when the sponsor declares")
        }
        let spent = exposure(at: turn.time) { $0.proposal == proposal }
        guard limit <= terms.formula.computationEach - spent else {
            throw .limit("computation for a proposal", most: terms.formula.computationEach)
        }
        // A provider's deposit is for this gain: it may not be promised more before anything is settled.
        let promised = exposure(at: turn.time) { $0.provider == provider }
        guard limit <= terms.gains.provider - promised else {
            throw .limit("computation by a provider", most: terms.gains.provider)
        }
        let accounts = accounts
        let number = jobs.count
        let held = Movement(from: accounts.computation, to: accounts.due, amount: limit)
        return Effect(steps: [.hold(hold(ofJob: number), held, until: until)], result: .job(number)) {
            $0.jobs.append(Job(proposal: proposal, provider: provider, limit: limit, until: until))
        }
    }

    func deliver(
        _ number: Int, units: Int64, receipt: Digest256, _ turn: Turn
    ) throws(MarketRefusal) -> Effect {
        try demand(.training, .declared, .challenge, .dispute)
        guard jobs.indices.contains(number) else { throw .unknown("job \(number)") }
        let job = jobs[number]
        guard job.provider == turn.party else { throw .party(turn.party, expected: "the job's provider") }
        guard job.due == nil else { throw .repeated("job \(number) was delivered") }
        try demand(turn, before: job.until)
        guard units >= 0 else { throw .value("metered units", expected: "none or more") }
        let cost = Int128(units) * Int128(terms.formula.price) / Int128(Self.pricedUnits)
        let due = Int64(min(cost, Int128(job.limit)))
        return Effect(steps: [.post(hold(ofJob: number), amount: due)]) {
            $0.jobs[number].due = due
            $0.jobs[number].receipt = receipt
        }
    }

    // MARK: evaluation

    func requestEvaluation(_ node: Int, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demand(.training)
        try demand(turn, before: terms.schedule.trainUntil)
        guard tree.nodes.indices.contains(node), tree.nodes[node].kind == .trained, let proposal = proposal(of: node)
        else { throw .unknown("trained model \(node)") }
        guard proposals[proposal].scientist == turn.party else {
            throw .party(turn.party, expected: "the model's scientist")
        }
        guard !evaluations.contains(where: { $0.node == node }) else {
            throw .repeated("the evaluation of \(node) was asked for")
        }
        let goal = terms.goal
        guard evaluations.count < goal.evaluations else {
            throw .limit("evaluations", most: Int64(goal.evaluations))
        }
        guard evaluations.count(where: { $0.proposal == proposal }) < goal.evaluationsEach else {
            throw .limit("evaluations of a proposal", most: Int64(goal.evaluationsEach))
        }
        return Effect(result: .evaluation(evaluations.count)) {
            $0.evaluations.append(Evaluation(node: node, proposal: proposal))
        }
    }

    func answer(_ number: Int, _ score: Score?, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demandSponsor(turn)
        try demand(.training)
        try demand(turn, before: terms.schedule.declareUntil)
        guard evaluations.indices.contains(number) else { throw .unknown("evaluation \(number)") }
        guard !evaluations[number].isAnswered else { throw .repeated("evaluation \(number) was answered") }
        let node = evaluations[number].node
        guard let score else { return Effect { $0.evaluations[number].isAnswered = true } }
        let gain = terms.goal.direction.gain(from: best, to: score)
        let step = terms.goal.step.billionths
        // What the Ladder never tells: a score off its steps, or one that is no improvement.
        guard gain >= step, score.billionths % step == 0 else {
            throw .value("feedback", expected: "a multiple of the step, better than the best so far; or none")
        }
        return Effect {
            $0.evaluations[number].isAnswered = true
            $0.improvements.append(Improvement(node: node, score: score, gain: gain))
            $0.tree.note(score, of: node)
        }
    }
}
