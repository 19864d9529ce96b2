@testable import Marketplace

/// Questions to a task's file, each answered by looking through what was done.
extension Auditor.File {
    func has(_ property: KeyPath<TaskAction, Bool>) -> Bool { entries.contains { $0.action[keyPath: property] } }

    // MARK: commitments

    /// All commitments in their order: whose, and of which kind.
    private var commitments: [(by: PartyName, round: Int?)] {
        entries.compactMap { entry in
            switch entry.action {
            case .commitProposal: (entry.by, nil)
            case .commitUpdate(let round, _): (entry.by, round)
            default: nil
            }
        }
    }

    /// Updates that were shown: round, owner, content, place of the commitment.
    private var shownUpdates: [(round: Int, owner: PartyName, content: Digest256, order: Int)] {
        let commitments = commitments
        return entries.compactMap { entry in
            guard case .showUpdate(let round, let content, _) = entry.action,
                let order = commitments.firstIndex(where: { $0.by == entry.by && $0.round == round })
            else { return nil }
            return (round, entry.by, content, order)
        }
    }

    /// Those of which no earlier commitment showed the same.
    private var countedUpdates: [(round: Int, owner: PartyName)] {
        let shown = shownUpdates
        return shown.filter { one in !shown.contains { $0.content == one.content && $0.order < one.order } }
            .map { ($0.round, $0.owner) }
    }

    /// How many updates count, by owner: on the path's rounds, or in all.
    func counted(_ path: Set<Int>?) -> [PartyName: Int] {
        var rounds = Set<Int>()
        for entry in entries {
            if case .finishRound(let round, _, _) = entry.action, case .node(let node) = entry.result,
                path?.contains(node) ?? false
            {
                rounds.insert(round)
            }
        }
        var counts: [PartyName: Int] = [:]
        for update in countedUpdates where path == nil || rounds.contains(update.round) {
            counts[update.owner, default: 0] += 1
        }
        return counts
    }

    // MARK: models

    /// Shown proposals: number, node, parent, content.
    private var shownProposals: [(number: Int, node: Int, parent: Int, content: Digest256)] {
        entries.compactMap { entry in
            guard case .showProposal(let number, let parent, let content, _) = entry.action,
                case .node(let node) = entry.result
            else { return nil }
            return (number, node, parent, content)
        }
    }

    private var scientists: [(by: PartyName, time: Int64)] {
        entries.compactMap { if case .commitProposal = $0.action { ($0.by, $0.time) } else { nil } }
    }

    private var roundParents: [Int] {
        entries.compactMap { if case .beginRound(let parent) = $0.action { parent } else { nil } }
    }

    /// The nodes of trained models.
    var models: [Int] {
        entries.compactMap { entry in
            guard case .finishRound = entry.action, case .node(let node) = entry.result else { return nil }
            return node
        }
    }

    private func parent(_ node: Int) -> Int? {
        if let proposal = shownProposals.first(where: { $0.node == node }) { return proposal.parent }
        for entry in entries {
            if case .finishRound(let round, _, _) = entry.action, entry.result == .node(node) {
                return roundParents[round]
            }
        }
        return nil
    }

    func path(_ node: Int) -> [Int] { node == 0 ? [0] : (parent(node).map(path) ?? []) + [node] }

    /// The node of the description that a model belongs to.
    func specification(_ node: Int) -> Int {
        let nodes = Set(shownProposals.map(\.node))
        return path(node).last { nodes.contains($0) } ?? -1
    }

    private func sameContent(_ node: Int) -> [Int] {
        let content = shownProposals.first { $0.node == node }?.content
        return shownProposals.filter { $0.content == content }.map(\.number)
    }

    /// Whether no earlier commitment showed the same description.
    func isFirst(_ node: Int) -> Bool {
        shownProposals.first { $0.node == node }.map { $0.number == sameContent(node).min() } ?? false
    }

    /// Who is paid for a description: who committed to it first.
    func owner(ofNode node: Int) -> PartyName { scientists[sameContent(node).min() ?? 0].by }

    // MARK: scores

    private var asked: [Int] {
        entries.compactMap { if case .requestEvaluation(let node) = $0.action { node } else { nil } }
    }

    /// The sponsor's feedback, in its order.
    var feedback: [(node: Int, score: Score)] {
        entries.compactMap { entry in
            guard case .score(let number, let score?) = entry.action else { return nil }
            return (asked[number], score)
        }
    }

    /// The referees' scores, in the order in which evaluations were asked for.
    func corrected(_ verdict: Verdict?) -> [(Int, Int)] {
        asked.compactMap { node in
            verdict?.finals.first { $0.node == node }.map { (node, Int($0.score.billionths)) }
        }
    }

    func gains(_ scores: [(Int, Int)]) -> [PartyName: Int] {
        let sign = terms.goal.direction == .higherIsBetter ? 1 : -1
        var best = sign * Int(terms.goal.baseline.billionths)
        var gains: [PartyName: Int] = [:]
        for (node, score) in scores where sign * score > best {
            gains[owner(ofNode: specification(node)), default: 0] += sign * score - best
            best = sign * score
        }
        return gains
    }

    private func reaches(_ score: Score) -> Bool {
        terms.goal.direction == .higherIsBetter ? score >= terms.goal.target : score <= terms.goal.target
    }

    // MARK: verdicts

    var disputes: [DisputeSubject] {
        entries.compactMap { if case .dispute(let subject) = $0.action { subject } else { nil } }
    }

    var accusers: [PartyName] { entries.compactMap { if case .dispute = $0.action { $0.by } else { nil } } }

    func votes(_ dispute: Int) -> [PartyName: Ruling] {
        var votes: [PartyName: Ruling] = [:]
        for entry in entries {
            if case .vote(dispute, let ruling) = entry.action { votes[entry.by] = ruling }
        }
        return votes
    }

    func ruling(_ dispute: Int) -> Ruling? {
        let votes = votes(dispute).values
        return votes.first { ruling in votes.count { $0 == ruling } >= terms.court.quorum }
    }

    func upheld(_ subject: DisputeSubject) -> Bool {
        disputes.firstIndex(of: subject).map { number in
            if case .upheld = ruling(number) { true } else { false }
        } ?? false
    }

    /// How it ends, by what, with which winner, and whether the referees said so.
    var result: (ending: Ending, verdict: Verdict?, winner: Int?, isCorrected: Bool) {
        var verdict: Verdict?
        var isCorrected = false
        for entry in entries { if case .declare(let declared) = entry.action { verdict = declared } }
        if let number = disputes.firstIndex(of: .declaration), case .upheld(let found?) = ruling(number) {
            (verdict, isCorrected) = (found, true)
        }
        if let verdict {
            let good = verdict.finals.filter { reaches($0.score) }
            let order: (Score, Score) -> Bool = terms.goal.direction == .higherIsBetter ? { $0 > $1 } : { $0 < $1 }
            let winner = good.first { one in !good.contains { order($0.score, one.score) } }
            return (winner == nil ? .missed : .won, verdict, winner?.node, isCorrected)
        }
        if let last = feedback.last, reaches(last.score) { return (.wonByDefault, nil, last.node, false) }
        let answers = entries.count { if case .score = $0.action { true } else { false } }
        return (answers < asked.count ? .evaluatorFailed : .missed, nil, nil, false)
    }

    // MARK: conduct

    /// When training ended: with the declaration, or the first tick after the time for one; else now.
    private var trainingEnd: Int64 {
        entries.first { entry in
            if case .declare = entry.action { return true }
            return entry.action == .tick && entry.time >= terms.schedule.declareUntil
        }?.time ?? entries.last?.time ?? 0
    }

    func sponsorConduct(_ ending: Ending) -> String {
        if upheld(.declaration) { return "refuted" }
        switch ending {
        case .cancelled, .noProposal: return "idle"
        case .notOpened, .wonByDefault, .evaluatorFailed: return "vanished"
        case .won, .missed:
            return "kept"
        }
    }

    func scientistConduct(_ number: Int) -> String {
        let schedule = terms.schedule
        let time = scientists[number].time
        guard let shown = shownProposals.first(where: { $0.number == number }) else {
            let end = time < schedule.proposalsUntil ? schedule.revealUntil : schedule.trainUntil
            return trainingEnd >= end ? "concealed" : "idle"
        }
        guard isFirst(shown.node) else { return "idle" }
        if models.contains(where: { specification($0) == shown.node }) { return "kept" }
        return isSettled && time < schedule.proposalsUntil ? "vanished" : "idle"
    }

    func ownerConduct(_ owner: PartyName) -> String {
        if countedUpdates.contains(where: { $0.owner == owner }) { return "kept" }
        let shown = Set(shownUpdates.filter { $0.owner == owner }.map(\.round))
        let isMissed = entries.contains { entry in
            guard case .finishRound(let round, _, _) = entry.action, !shown.contains(round) else { return false }
            return commitments.contains { $0.by == owner && $0.round == round }
        }
        return isMissed ? "vanished" : "idle"
    }

    /// Jobs: by whom, until when, and what they cost.
    var jobs: [(provider: PartyName, until: Int64, cost: Int, isDelivered: Bool)] {
        var jobs: [(provider: PartyName, until: Int64, cost: Int, isDelivered: Bool)] = []
        var limits: [Int] = []
        for entry in entries {
            switch entry.action {
            case .authorise(_, let provider, let limit, let until):
                jobs.append((provider, until, 0, false))
                limits.append(Int(limit))
            case .deliver(let job, let units, _):
                let cost = Int128(units) * Int128(terms.formula.price) / 1_000_000_000
                jobs[job].cost = cost > limits[job] ? limits[job] : Int(cost)
                jobs[job].isDelivered = true
            default: break
            }
        }
        return jobs
    }

    func providerConduct(_ provider: PartyName) -> String {
        let end = entries.last?.time ?? 0
        let own = jobs.enumerated().filter { $0.element.provider == provider }
        if own.contains(where: { upheld(.job($0.offset)) }) { return "refuted" }
        if own.contains(where: { !$0.element.isDelivered && $0.element.until <= end }) { return "vanished" }
        return own.contains { $0.element.isDelivered } ? "kept" : "idle"
    }

    func refereeConduct(_ referee: PartyName) -> String {
        let numbers = disputes.indices
        if numbers.contains(where: { ruling($0) == nil && votes($0)[referee] == nil }) { return "vanished" }
        return numbers.contains { ruling($0) != nil && votes($0)[referee] == ruling($0) } ? "kept" : "idle"
    }
}
