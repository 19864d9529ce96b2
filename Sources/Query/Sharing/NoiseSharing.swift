import DifferentialPrivacy
import Tables

/// Several sites that answer one question together: each plans the same, adds up its own rows and adds its share of the noise, and only the sum of all is opened.
public struct NoiseSharing: Sendable, Hashable {
    /// How many sites there are. Each one's share must be in the sum.
    public var parties: Int
    /// How many of them may tell their shares; one knows its own at least.
    public var colluders: Int
    /// As many rows as all sites declare together: the grids of sums follow from it, so that the same is said to each.
    public var capacityRows: Int

    /// - Parameter colluders: Counts as 1 where it is 0: whoever takes part knows its own share, and sees the sum.
    public init(parties: Int, colluders: Int, capacityRows: Int) {
        self.parties = parties
        self.colluders = Swift.max(1, colluders)
        self.capacityRows = capacityRows
    }

    /// Of a vector of so many entries, the least noise whose loss is at most that.
    func noise(
        sensitivitySquared: Double, dimension: Int, loss: PrivacyLoss
    ) throws(MechanismError) -> DistributedGaussian {
        try DistributedGaussian(
            sensitivitySquared: sensitivitySquared, dimension: dimension, loss: loss, leastSurvivors: parties,
            colluders: colluders)
    }

    /// Points of a quantile's grid: noise is on each one's count, so more of them make it no finer.
    static let quantilePoints = 128
}

extension Planner {
    /// Plans a question to several sites, from public knowledge alone; the same at each of them whose tables are declared alike.
    ///
    /// Counts, sums and what follows from them, histograms and quantiles of public groups: what adds up over sites. Noise is Gaussian, of which each site adds a share.
    ///
    /// - Throws: `QueryError`, as ``plan(_:in:)`` does, and for what does not add up.
    public static func plan(
        _ question: Question, in context: PlanningContext, sharing: NoiseSharing
    ) throws(QueryError) -> JointPlan {
        guard context.regime.kind != .pure else {
            throw QueryError(
                "sites share Gaussian noise, which pure differential privacy does not have",
                hint: "A dataset under zcdp or renyi can be asked together with others.")
        }
        guard sharing.parties > sharing.colluders, sharing.parties <= 1_000 else {
            throw QueryError(
                "\(sharing.parties) sites of which \(sharing.colluders) may tell their shares of the noise",
                hint: "Name more sites than may collude, and at most 1,000.")
        }
        let bound = try BoundQuestion.bind(question.sql, context)
        if let top = bound.top {
            throw QueryError(
                "TOP chooses by one site's counts, and nobody sees those of all sites before the noise",
                at: top.position,
                hint: "Ask for all groups, and ORDER BY ... LIMIT what comes out.")
        }
        guard bound.scope.datasets.count == 1, bound.scope.lookups.isEmpty else {
            throw QueryError(
                "a question to several sites reads one table at each", hint: "Ask without JOIN.")
        }
        let plan = try plan(question, in: context, among: sharing)
        guard let groups = plan.groups else {
            let names = bound.keyNames.joined(separator: ", ")
            throw QueryError(
                "the values of \(names) are not public, and selecting them would need counts that nobody sees before the noise",
                at: bound.keyPositions.first ?? 0,
                hint: "Group by a column with a public domain, BIN(x, width) of a bounded number, or CASE ... END.")
        }
        return JointPlan(plan, sharing, groups: groups)
    }
}

extension Allocation {
    /// Half of a quantile's grid at most lies on either side of it, each point with noise of its own: how the error of a rank compares with that of one count.
    static func rankError(points: Int, _ rank: QuantileRank) -> Double {
        Double(points).squareRoot() * Swift.max(rank.value, 1 - rank.value)
    }

    /// Noisy counts at all points of a grid, from which points are chosen afterwards: what several sites can add up.
    func setCounted(
        _ channel: inout Channel, _ expression: Expression, rank: QuantileRank, amount: Int64
    ) throws(QueryError) {
        let grid = quantileGrid(expression)
        channel.quantile = Channel.QuantileGrid(
            lower: grid.lower, upper: grid.upper, step: grid.step, points: grid.points, epsilon: 0, bracketEpsilon: 0,
            offset: 0, bracketEvent: nil, slack: grid.slack, clips: clips(expression))
        try setNoise(&channel, amount)
        setOffset(&channel, rank)
    }

    private func setOffset(_ channel: inout Channel, _ rank: QuantileRank) {
        let error = Double(channel.error.halfWidth) * Self.rankError(points: channel.quantile?.points ?? 0, rank)
        channel.quantile?.offset = Int64(Swift.min(error.rounded(.up), 0x1p60))
    }

    /// The first quantity of which the one at a place needs the same counts: quantiles of the same values are read off one histogram.
    func counted(before place: Int) -> Int? {
        guard sharing != nil, case .quantile(let expression, _) = quantities[place] else { return nil }
        return quantities[..<place].firstIndex { other in
            if case .quantile(expression, _) = other { true } else { false }
        }
    }

    /// A quantile that is read off the counts of another, and costs nothing more.
    func counted(_ quantity: Quantity, by first: Channel, at place: Int) -> Channel {
        var channel = first
        (channel.quantity, channel.slot, channel.event, channel.counts) = (quantity, nil, nil, place)
        if case .quantile(_, let rank) = quantity { setOffset(&channel, rank) }
        return channel
    }

    /// Entries of a quantity's vector.
    func dimension(_ channel: Channel) -> Int {
        let each =
            switch channel.quantity {
            case .histogram(_, let edges): edges.count - 1
            case .quantile: channel.quantile?.points ?? 1
            default: 1
            }
        return Swift.max(1, groups * each)
    }
}
