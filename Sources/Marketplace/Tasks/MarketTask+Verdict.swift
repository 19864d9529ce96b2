extension MarketTask {
    // MARK: declaration

    func declare(_ verdict: Verdict, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demandSponsor(turn)
        try demand(.training)
        try demand(turn, before: terms.schedule.declareUntil)
        // As long as models can be trained, a task ends only because one reached the target.
        if candidates.isEmpty { try demand(turn, from: terms.schedule.trainUntil, before: terms.schedule.declareUntil) }
        guard evaluations.allSatisfy(\.isAnswered) else {
            throw .stage(stage, expected: "every evaluation that was asked for to be answered")
        }
        let declaration = try self.declaration(of: verdict, isCorrected: false)
        let (time, ends) = (turn.time, turn.time + terms.schedule.checkpointPatience)
        return Effect {
            $0.declaration = declaration
            $0.declared = time
            $0.stage = .declared
            $0.stageEnds = ends
        }
    }

    /// What follows from final scores and contributions: the best model that reaches the target wins, of equal ones the earlier one.
    func declaration(of verdict: Verdict, isCorrected: Bool) throws(MarketRefusal) -> Declaration {
        let nodes = verdict.finals.map(\.node)
        guard isCorrected || nodes == candidates.sorted() else {
            throw .value(
                "final scores", expected: "one for each of the candidates \(candidates.sorted()), in this order")
        }
        let evaluated = Set(evaluations.map(\.node))
        guard zip(nodes, nodes.dropFirst()).allSatisfy(<), evaluated.isSuperset(of: nodes) else {
            throw .value("final scores", expected: "models whose evaluation was asked for, by node, each once")
        }
        var winner: Verdict.Final?
        for final in verdict.finals where reachesTarget(final.score) {
            if let best = winner?.score, terms.goal.direction.gain(from: best, to: final.score) <= 0 { continue }
            winner = final
        }
        guard let winner else {
            guard verdict.contributions.isEmpty else {
                throw .value("contributions", expected: "none, since no model reaches the target")
            }
            return Declaration(ending: .missed, winner: nil, verdict: verdict, isCorrected: isCorrected)
        }
        let counted = updates(onPathTo: winner.node)
        var seen: Set<PartyName> = []
        for contribution in verdict.contributions {
            guard counted[contribution.owner] != nil, seen.insert(contribution.owner).inserted,
                contribution.error >= .zero
            else {
                throw .value(
                    "contributions", expected: "owners with updates that count on the winner's path, each once")
            }
        }
        guard seen.count == counted.count else {
            throw .value("contributions", expected: "all \(counted.count) owners with updates on the winner's path")
        }
        return Declaration(ending: .won, winner: winner.node, verdict: verdict, isCorrected: isCorrected)
    }

    /// How many updates count in the rounds of the path from the root to a node, by owner.
    public func updates(onPathTo node: Int) -> [PartyName: Int64] {
        updates(in: tree.path(to: node).compactMap { tree.nodes[$0].round })
    }

    /// How many updates count in rounds, by owner.
    func updates(in numbers: [Int]) -> [PartyName: Int64] {
        var counts: [PartyName: Int64] = [:]
        for number in numbers {
            for (owner, update) in rounds[number].updates where self.counts(update) { counts[owner, default: 0] += 1 }
        }
        return counts
    }

    /// What stands where the sponsor is silent until the end.
    private var defaultDeclaration: Declaration {
        let winner = candidates.first
        let isAnswered = evaluations.allSatisfy(\.isAnswered)
        let ending: Ending = winner != nil ? .wonByDefault : isAnswered ? .missed : .evaluatorFailed
        return Declaration(ending: ending, winner: winner, verdict: nil, isCorrected: false)
    }

    func take(checkpoint: Digest256, _ turn: Turn) throws(MarketRefusal) -> Effect {
        guard turn.party == turn.market.operatorName else {
            throw .party(turn.party, expected: "the market's operator")
        }
        try demand(.declared)
        let ends = turn.time + terms.schedule.challengeWindow
        return Effect {
            $0.checkpoint = checkpoint
            $0.stage = .challenge
            $0.stageEnds = ends
        }
    }

    // MARK: disputes

    func raise(_ subject: DisputeSubject, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demand(.challenge, .dispute)
        try demand(turn, before: stageEnds)
        guard takesPart(turn.party) else { throw .party(turn.party, expected: "somebody who takes part") }
        guard !disputes.contains(where: { $0.subject == subject }) else { throw .repeated("this was disputed") }
        switch subject {
        case .declaration:
            guard turn.party != sponsor else { throw .party(sponsor, expected: "somebody else than who declared") }
        case .job(let number):
            guard jobs.indices.contains(number), jobs[number].due != nil else {
                throw .unknown("delivered job \(number)")
            }
            guard jobs[number].provider != turn.party else {
                throw .party(turn.party, expected: "somebody else than the job's provider")
            }
        }
        var steps: [BookStep] = []
        steps.move(terms.gains.dispute, from: Market.account(of: turn.party), to: accounts.deposits)
        let until = turn.time + terms.schedule.rulingWindow
        let dispute = Dispute(subject: subject, accuser: turn.party, until: until)
        return Effect(steps: steps, result: .dispute(disputes.count)) {
            $0.disputes.append(dispute)
            $0.stage = .dispute
        }
    }

    func vote(_ number: Int, _ ruling: Ruling, _ turn: Turn) throws(MarketRefusal) -> Effect {
        try demand(.dispute)
        let referee = turn.party
        guard terms.court.referees.contains(referee) else { throw .party(referee, expected: "one of the referees") }
        guard disputes.indices.contains(number), disputes[number].outcome == nil else {
            throw .unknown("open dispute \(number)")
        }
        let dispute = disputes[number]
        try demand(turn, before: dispute.until)
        guard dispute.votes[referee] == nil else { throw .repeated("\(referee) voted") }
        let corrected = try corrected(dispute.subject, ruling)
        let equal = dispute.votes.values.count { $0 == ruling } + 1
        guard equal >= terms.court.quorum else { return Effect { $0.disputes[number].votes[referee] = ruling } }
        return Effect {
            $0.disputes[number].votes[referee] = ruling
            $0.disputes[number].ruling = ruling
            $0.disputes[number].outcome = ruling == .rejected ? .refuted : .kept
            if ruling != .rejected, case .job(let job) = dispute.subject { $0.jobs[job].isRefuted = true }
            if let corrected { $0.declaration = corrected }
            $0.resumeChallenge()
        }
    }

    /// What a ruling puts in the place of the declaration; nil: nothing.
    private func corrected(_ subject: DisputeSubject, _ ruling: Ruling) throws(MarketRefusal) -> Declaration? {
        switch (subject, ruling) {
        case (_, .rejected), (.job, .upheld(nil)): return nil
        case (.declaration, .upheld(let verdict?)):
            guard verdict != declaration?.verdict else {
                throw .value("the ruling", expected: "a verdict other than the one that is disputed; or rejected")
            }
            return try declaration(of: verdict, isCorrected: true)
        case (.declaration, .upheld(nil)), (.job, .upheld):
            throw .value("the ruling", expected: "a verdict with a wrong declaration, and none with a wrong job")
        }
    }

    mutating func resumeChallenge() {
        if disputes.allSatisfy({ $0.outcome != nil }) { stage = .challenge }
    }

    // MARK: time

    func tick(_ turn: Turn) throws(MarketRefusal) -> Effect {
        let schedule = terms.schedule
        switch stage {
        case .funded:
            try demand(turn, from: schedule.openBy, before: .max)
            return end(.notOpened, turn)
        case .open:
            try demand(turn, from: schedule.revealUntil, before: .max)
            guard proposals.contains(where: { $0.content != nil }) else { return end(.noProposal, turn) }
            return Effect { $0.stage = .training }
        case .training:
            try demand(turn, from: schedule.declareUntil, before: .max)
            let declaration = defaultDeclaration
            let (time, ends) = (turn.time, turn.time + schedule.checkpointPatience)
            return Effect {
                $0.declaration = declaration
                $0.declared = time
                $0.stage = .declared
                $0.stageEnds = ends
            }
        case .declared:
            try demand(turn, from: stageEnds, before: .max)
            let ends = turn.time + schedule.challengeWindow
            return Effect {
                $0.stage = .challenge
                $0.stageEnds = ends
            }
        case .dispute:
            guard let first = disputes.filter({ $0.outcome == nil }).map(\.until).min() else {
                throw .unknown("open dispute")
            }
            try demand(turn, from: first, before: .max)
            let time = turn.time
            return Effect {
                for number in $0.disputes.indices where $0.disputes[number].outcome == nil {
                    if $0.disputes[number].until <= time { $0.disputes[number].outcome = .undecided }
                }
                $0.resumeChallenge()
            }
        case .settled:
            try demand(turn, from: stageEnds, before: .max)
            return payAll()
        case .draft, .challenge, .paidOut, .cancelled, .expired:
            throw .stage(stage, expected: "a stage that ends by time alone")
        }
    }
}
