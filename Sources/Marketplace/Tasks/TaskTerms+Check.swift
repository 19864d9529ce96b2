extension TaskTerms {
    /// Whether the terms can be kept by everybody.
    ///
    /// - Throws: `terms`, with the field and what would be right.
    func check(sponsor: PartyName) throws(MarketRefusal) {
        try checkAmounts()
        try checkGoal()
        try check(
            "court.referees", "1 to \(Limit.referees) different parties, without the sponsor",
            (1...Limit.referees).contains(court.referees.count) && Set(court.referees).count == court.referees.count
                && !court.referees.contains(sponsor))
        // Two rulings with a quorum each would share a referee, who has one vote.
        try check(
            "court.quorum", "more than half of the referees, and at most all",
            (1...court.referees.count).contains(court.quorum) && court.quorum * 2 > court.referees.count)
        try checkSchedule()
    }

    private func check(_ field: String, _ expected: String, _ holds: Bool) throws(MarketRefusal) {
        guard holds else { throw .terms(field, expected: expected) }
    }

    private func checkAmounts() throws(MarketRefusal) {
        let amounts: [(String, Int64)] = [
            ("pot.data", pot.data), ("pot.computation", pot.computation), ("pot.expertise", pot.expertise),
            ("formula.price", formula.price), ("formula.computationEach", formula.computationEach),
            ("gains.scientist", gains.scientist), ("gains.owner", gains.owner), ("gains.provider", gains.provider),
            ("gains.dispute", gains.dispute), ("court.fee", court.fee),
        ]
        for (field, amount) in amounts {
            try check(field, "0 to \(Limit.amount) minor units", (0...Limit.amount).contains(amount))
        }
        try check("pot", "something to pay", pot.total > 0)
        try check("court.fee", "no more than gains.dispute, which pays it", court.fee <= gains.dispute)
        try check("formula.ancestorThousandths", "0 to 1000", (0...1_000).contains(formula.ancestorThousandths))
        try check(
            "formula.significanceThousandths", "0 to 10000", (0...10_000).contains(formula.significanceThousandths))
    }

    private func checkGoal() throws(MarketRefusal) {
        let step = goal.step.billionths
        try check("goal.step", "above zero", step > 0)
        try check("goal.baseline", "a multiple of goal.step", goal.baseline.billionths % step == 0)
        try check(
            "goal.target", "better than goal.baseline by goal.step or more",
            goal.direction.gain(from: goal.baseline, to: goal.target) >= step)
        try check(
            "goal.evaluations", "1 to \(Limit.evaluations)", (1...Limit.evaluations).contains(goal.evaluations))
        try check(
            "goal.evaluationsEach", "1 to goal.evaluations", (1...goal.evaluations).contains(goal.evaluationsEach))
        try check("goal.finalists", "1 to goal.evaluations", (1...goal.evaluations).contains(goal.finalists))
    }

    private func checkSchedule() throws(MarketRefusal) {
        let times = [
            0, schedule.openBy, schedule.proposalsUntil, schedule.revealUntil, schedule.trainUntil,
            schedule.declareUntil, Limit.time,
        ]
        try check(
            "schedule", "0 < openBy < proposalsUntil < revealUntil < trainUntil < declareUntil < 2^52",
            zip(times, times.dropFirst()).allSatisfy(<))
        let windows = [
            schedule.revealDelay, schedule.checkpointPatience, schedule.challengeWindow, schedule.rulingWindow,
            schedule.claimWindow,
        ]
        try check(
            "schedule", "windows of 1 second to 2^52",
            windows.allSatisfy { (1...Limit.time).contains($0) })
    }

    func append(to bytes: inout CanonicalBytes) {
        bytes.append(rules)
        for amount in [pot.data, pot.computation, pot.expertise] { bytes.append(amount) }
        bytes.append(goal.metric)
        bytes.append(goal.direction.rawValue)
        for score in [goal.baseline, goal.target, goal.step] { bytes.append(score.billionths) }
        bytes.append(goal.validation)
        for count in [goal.evaluations, goal.evaluationsEach, goal.finalists] { bytes.append(count) }
        for number in [
            formula.ancestorThousandths, formula.significanceThousandths, formula.price, formula.computationEach,
            gains.scientist, gains.owner, gains.provider, gains.dispute,
        ] { bytes.append(number) }
        bytes.append(court.referees) { $0.append($1.text) }
        bytes.append(court.quorum)
        bytes.append(court.fee)
        for time in [
            schedule.openBy, schedule.proposalsUntil, schedule.revealUntil, schedule.revealDelay, schedule.trainUntil,
            schedule.declareUntil, schedule.checkpointPatience, schedule.challengeWindow, schedule.rulingWindow,
            schedule.claimWindow,
        ] { bytes.append(time) }
    }
}
