/// What a party has of a settlement in a role.
public struct Payout: Sendable, Hashable, Codable {
    /// Who is paid.
    public let party: PartyName
    /// For what.
    public let role: Role
    /// In minor units, above zero.
    public let amount: Int64
    /// The amount's standard error, in minor units, where it follows from scores that have one.
    public let standardError: Int64?

    /// The payout.
    public init(party: PartyName, role: Role, amount: Int64, standardError: Int64?) {
        self.party = party
        self.role = role
        self.amount = amount
        self.standardError = standardError
    }
}

/// What a settlement is computed from: numbers alone, so that a referee computes the same from the log.
public struct Earnings: Sendable, Hashable, Codable {
    /// By valuation.
    public var contributions: [Contribution] = []
    /// How many updates count, by owner.
    public var updates: [PartyName: Int64] = [:]
    /// What was delivered at the posted price, and not refuted, by provider, in minor units; in sum at most the computation pot.
    public var delivered: [PartyName: Int64] = [:]
    /// The improvement over the best so far, by scientist, in billionths of the metric.
    public var improvement: [PartyName: Int64] = [:]
    /// The improvement over the best of the ancestors on the winner's path, by scientist, in billionths of the metric.
    public var ancestry: [PartyName: Int64] = [:]
    /// How many proposals led to a model, by scientist.
    public var proposals: [PartyName: Int64] = [:]

    /// Nobody did anything.
    public init() {}

    /// Everybody's payouts by a line of the ``EndingTable``, ordered by role and party, and what returns to the sponsor: in sum the whole pot.
    ///
    /// - **Data** by scores that are clipped at zero, as are those below the terms' significance: a share of the pot each, with the standard error that follows to
    ///   first order from independent errors of scores.
    /// - **Expertise** by improvement. Gains over the best so far add up to the way from the baseline to the best, whoever made them and in how many steps: an
    ///   improvement in many small steps, or under many names, has the same weight as at once. The same holds of the ancestors' part along the winner's path.
    /// - **Computation** as delivered; the rest returns.
    ///
    /// A pot that nobody has a weight in returns.
    ///
    /// - Throws: `value` where the numbers are not what is described here.
    public func payouts(
        _ row: EndingTable.Row, terms: TaskTerms, sponsor: PartyName
    ) throws(MarketRefusal) -> [Payout] {
        var all: [Payout] = []
        var returned: Int64 = 0
        func divide(_ pot: Int64, _ weights: [PartyName: Int64], _ role: Role) throws(MarketRefusal) -> [Payout] {
            let names = weights.keys.filter { weights[$0, default: 0] > 0 }.sorted()
            guard !names.isEmpty else {
                returned += pot
                return []
            }
            let parts: [Int64]
            do { parts = try Apportionment.split(pot, by: names.map { weights[$0, default: 0] }) } catch {
                throw .value("earnings", expected: error.description)
            }
            return zip(names, parts).map { Payout(party: $0, role: role, amount: $1, standardError: nil) }
        }
        switch row.data {
        case .byScore:
            let weights = Self.weights(contributions, significance: terms.formula.significanceThousandths)
            let payouts = try divide(terms.pot.data, weights, .owner)
            all += Self.withErrors(payouts, contributions, weights: weights, pot: terms.pot.data)
        case .byUpdatesOfWinner, .byUpdates: all += try divide(terms.pot.data, updates, .owner)
        default: returned += terms.pot.data
        }
        switch row.expertise {
        case .byImprovement:
            let ancestors = terms.pot.expertise * terms.formula.ancestorThousandths / 1_000
            let parts = [
                try divide(terms.pot.expertise - ancestors, improvement, .scientist),
                try divide(ancestors, ancestry, .scientist),
            ]
            all += Self.joined(parts.flatMap { $0 })
        case .byProposal: all += try divide(terms.pot.expertise, proposals, .scientist)
        default: returned += terms.pot.expertise
        }
        var computation = terms.pot.computation
        if row.computation == .metered {
            for (provider, amount) in delivered.sorted(by: { $0.key < $1.key }) {
                guard amount >= 0, amount <= computation else {
                    throw .value("delivered work", expected: "at most the computation pot")
                }
                computation -= amount
                all.append(Payout(party: provider, role: .provider, amount: amount, standardError: nil))
            }
        }
        all.append(Payout(party: sponsor, role: .sponsor, amount: returned + computation, standardError: nil))
        return all.filter { $0.amount > 0 }.sorted { ($0.role, $0.party) < ($1.role, $1.party) }
    }

    /// Scores as weights: zero where a score is not above zero, or below the significance.
    static func weights(_ contributions: [Contribution], significance: Int64) -> [PartyName: Int64] {
        var weights: [PartyName: Int64] = [:]
        for contribution in contributions {
            let least = Int128(contribution.error.billionths) * Int128(significance)
            let counts = Int128(contribution.score.billionths) * 1_000 >= least
            weights[contribution.owner, default: 0] += counts ? max(0, contribution.score.billionths) : 0
        }
        return weights
    }

    /// With a share w of scores s whose errors are e, dw_i = ((1 - w_i) e_i, -w_i e_j for others) / sum s.
    private static func withErrors(
        _ payouts: [Payout], _ contributions: [Contribution], weights: [PartyName: Int64], pot: Int64
    ) -> [Payout] {
        let sum = weights.values.sorted().reduce(0.0) { $0 + Double($1) }
        let counted = contributions.filter { weights[$0.owner, default: 0] > 0 }.sorted { $0.owner < $1.owner }
        let variances = counted.map { Double($0.error.billionths) * Double($0.error.billionths) }
        let variance = variances.reduce(0, +)
        let own = Dictionary(zip(counted.map(\.owner), variances)) { $0 + $1 }
        return payouts.map { payout in
            let share = Double(weights[payout.party, default: 0]) / sum
            let mine = own[payout.party, default: 0]
            let spread = ((1 - share) * (1 - share) * mine + share * share * max(0, variance - mine)).squareRoot()
            // An error far above a score is no more than the whole pot.
            let error = min(Double(pot) * spread / sum, Double(pot))
            return Payout(
                party: payout.party, role: payout.role, amount: payout.amount,
                standardError: Int64(error.rounded(.toNearestOrEven)))
        }
    }

    private static func joined(_ payouts: [Payout]) -> [Payout] {
        var sums: [PartyName: Int64] = [:]
        for payout in payouts { sums[payout.party, default: 0] += payout.amount }
        return sums.map { Payout(party: $0.key, role: .scientist, amount: $0.value, standardError: nil) }
    }
}
