extension TaskTerms {
    /// In the order of `append(to:)`.
    init(reading reader: inout CanonicalReader, mostReferees: Int) throws(MalformedEntry) {
        let rules = try reader.digest()
        let pot = Pot(data: try reader.integer(), computation: try reader.integer(), expertise: try reader.integer())
        let goal = try Goal(reading: &reader)
        let formula = Formula(
            ancestorThousandths: try reader.integer(), significanceThousandths: try reader.integer(),
            price: try reader.integer(), computationEach: try reader.integer())
        let gains = FraudGains(
            scientist: try reader.integer(), owner: try reader.integer(), provider: try reader.integer(),
            dispute: try reader.integer())
        let referees = try reader.list(atMost: mostReferees) { reader throws(MalformedEntry) in try reader.party() }
        let court = Court(referees: referees, quorum: try reader.int(), fee: try reader.integer())
        let schedule = Schedule(
            openBy: try reader.integer(), proposalsUntil: try reader.integer(), revealUntil: try reader.integer(),
            revealDelay: try reader.integer(), trainUntil: try reader.integer(), declareUntil: try reader.integer(),
            checkpointPatience: try reader.integer(), challengeWindow: try reader.integer(),
            rulingWindow: try reader.integer(), claimWindow: try reader.integer())
        self.init(
            rules: rules, pot: pot, goal: goal, formula: formula, gains: gains, court: court, schedule: schedule)
    }
}

extension TaskTerms.Goal {
    fileprivate init(reading reader: inout CanonicalReader) throws(MalformedEntry) {
        let metric = try reader.digest()
        guard let direction = Direction(rawValue: try reader.text(atMost: 32)) else {
            throw reader.malformed("a direction")
        }
        self.init(
            metric: metric, direction: direction, baseline: try reader.score(), target: try reader.score(),
            step: try reader.score(), validation: try reader.digest(), evaluations: try reader.int(),
            evaluationsEach: try reader.int(), finalists: try reader.int())
    }
}
