/// The orders at which ledgers count Rényi divergence, and what their sums are worth (docs/privacy.md, rule 6).
///
/// A limit of (epsilon, delta) is a bound on the sum of divergences at each order: the largest that converts to epsilon at
/// delta / 8 (Canonne, Kamath and Steinke 2020, proposition 12). A charge is admitted while the sum at one order at least
/// stays within its bound, whichever that is.
///
/// Privacy: let an adversary choose each mechanism from all earlier outputs. For each order, a filter that halts before
/// that order's sum would exceed its bound has at most the bound as divergence (Feldman and Zrnic 2021, theorem 3.1), so
/// that what comes out of it is (epsilon, delta / 8)-differentially private. What really came out is a transcript from
/// which all charges follow, and at its end at least one order is within its bound; let the transcript belong to the
/// lowest of these. A transcript that belongs to an order has the same probability as under that order's own filter, which
/// never halted on the way (sums only grow, except by what was given back before any row was read). So for each set S of
/// transcripts, with S_i those of order i,
///
///     P[S] = sum over i of P_i[S_i] <= sum over i of (e^epsilon P'_i[S_i] + delta / 8) = e^epsilon P'[S] + delta.
///
/// Deltas beside the divergences, of key selection, add to delta: outside events of that probability the divergences hold.
public enum RenyiOrders {
    /// Whole numbers, so that the curve of a rho is exact in integers. For limits from (0.5, 1e-6) to (16, 1e-6) they leave
    /// 0.8 to 0.88 of the rho that one order chosen beforehand would.
    public static let all = [2, 4, 6, 8, 12, 24, 64, 256]

    /// Limits have smaller epsilons; a charge's divergence that is larger, in units of 1e-12, counts as this much: no limit
    /// admits it.
    static let largestAmount: Int64 = 1 << 50

    /// The largest epsilon of a limit.
    public static let largestEpsilon = 1_000.0

    /// The epsilon that the smallest loss converts to at delta: there is no smaller one to ask for.
    public static func leastEpsilon(delta: Double) -> Double {
        delta > 0 ? max(0, costs(delta: delta).min() ?? 0) : .infinity
    }

    /// What converting costs at each order: epsilon less the divergence, rounded up.
    private static func costs(delta: Double) -> [Double] {
        let share = OutwardRounding.down(delta / Double(all.count))
        return all.map { RenyiConversion.improved.epsilon(order: Double($0), divergence: 0, delta: share) }
    }

    /// What an epsilon leaves at each order when converting is paid, a little less by what rounding may have added.
    fileprivate static func bounds(epsilon: Double, delta: Double) -> [Double] {
        costs(delta: delta).map { epsilon - $0 - (epsilon + abs($0)) * 0x1p-44 }
    }

    /// The epsilon that sums of divergences give at delta, rounded up: the least over the orders.
    ///
    /// - Parameter amounts: At each order, in units of 1e-12.
    public static func epsilon(amounts: [Int64], delta: Double) -> Double {
        if amounts.allSatisfy({ $0 <= 0 }) { return 0 }
        guard delta > 0 else { return .infinity }
        let costs = costs(delta: delta)
        let epsilons = zip(amounts, costs).map { amount, cost in
            amount == .max ? .infinity : OutwardRounding.up(OutwardRounding.up(Double(amount) / 1e12) + cost)
        }
        return max(0, epsilons.min() ?? .infinity)
    }

    /// The largest rho whose curve converts to at most epsilon at delta, rounded down; 0 where there is none.
    public static func rho(epsilon: Double, delta: Double) -> Double {
        guard epsilon > 0, epsilon < .infinity, delta > 0, delta < 1 else { return 0 }
        let rhos = zip(all, bounds(epsilon: epsilon, delta: delta)).map { order, bound in bound / Double(order) }
        return max(0, OutwardRounding.down(rhos.max() ?? 0))
    }

    /// The epsilon that the curve of a rho converts to at delta, rounded up.
    public static func epsilon(rho: Double, delta: Double) -> Double {
        guard rho > 0 else { return rho == 0 ? 0 : .infinity }
        guard delta > 0 else { return .infinity }
        let epsilons = zip(all, costs(delta: delta)).map { order, cost in
            OutwardRounding.up(OutwardRounding.up(rho * Double(order)) + cost)
        }
        return max(0, epsilons.min() ?? .infinity)
    }
}

extension PrivacyLoss {
    /// A limit: at each order the largest divergence, rounded down, that converts to at most epsilon at an eighth of delta;
    /// below 0 where none does.
    ///
    /// - Parameters:
    ///   - delta: For conversion.
    ///   - selectionDelta: For the deltas beside the divergences, in units of 1e-18.
    /// - Throws: Unless something can be spent at one order at least: a small epsilon needs a large delta.
    public init(renyiEpsilon epsilon: Double, delta: Double, selectionDelta: Int64 = 0) throws(MechanismError) {
        guard epsilon > 0 && epsilon <= RenyiOrders.largestEpsilon else {
            throw .parameter("epsilon", expected: "a number above 0 and at most \(Int(RenyiOrders.largestEpsilon))")
        }
        guard delta > 0 && delta < 1 else { throw .parameter("delta", expected: "a number between 0 and 1") }
        let amounts = RenyiOrders.bounds(epsilon: epsilon, delta: delta).map { bound -> Int64 in
            bound > 0 ? max(0, Int64(OutwardRounding.down(bound * 1e12).rounded(.down))) : -1
        }
        guard amounts.contains(where: { $0 > 0 }) else {
            throw .parameter("epsilon", expected: "above \(RenyiOrders.leastEpsilon(delta: delta)) at that delta")
        }
        self.init(kind: .renyi, exactly: amounts, delta: selectionDelta)
    }

    /// The curve of a rho, exactly: rho times the order, at each order.
    ///
    /// - Parameter amount: Rho in units of 1e-12.
    public init(renyiRho amount: Int64, delta: Int64 = 0) {
        let amounts = RenyiOrders.all.map { Self.product(amount, Int64($0)) }
        self.init(kind: .renyi, exactly: amounts, delta: delta)
    }

    /// The least rho, in units of 1e-12, whose curve reaches these divergences at every order.
    public var leastRho: Int64 {
        guard kind == .renyi else { return amount }
        return zip(amounts, RenyiOrders.all).map { amount, order in
            let (quotient, rest) = max(0, amount).quotientAndRemainder(dividingBy: Int64(order))
            return quotient + (rest > 0 ? 1 : 0)
        }.max() ?? 0
    }

    /// The largest rho, in units of 1e-12, that fits in this limit.
    public var largestRho: Int64 {
        guard kind == .renyi else { return amount }
        return zip(amounts, RenyiOrders.all).map { max(0, $0) / Int64($1) }.max() ?? 0
    }

    /// The largest loss of one question that fits in this limit after `spent`: under Rényi the curve of the largest rho.
    public func room(after spent: PrivacyLoss) -> PrivacyLoss {
        let left = left(after: spent)
        return kind == .renyi ? PrivacyLoss(renyiRho: left.largestRho, delta: left.delta) : left
    }

    /// Not beyond what a charge counts as.
    fileprivate static func product(_ amount: Int64, _ factor: Int64) -> Int64 {
        let (product, overflow) = amount.multipliedReportingOverflow(by: factor)
        return overflow ? RenyiOrders.largestAmount : min(product, RenyiOrders.largestAmount)
    }
}

extension PrivacyEvent {
    /// What the event costs at each order, rounded up to the unit for each single event that it consists of.
    ///
    /// What has a rho costs at most its curve, exactly; Laplace noise, the exponential mechanism and whatever is pure cost
    /// their own curves where these are less; samplings have only theirs.
    ///
    /// - Throws: For parameters out of range and for events that have no Rényi curve.
    func renyiLoss() throws(MechanismError) -> PrivacyLoss {
        var sum = PrivacyLoss.zero(.renyi)
        for leaf in try leaves(times: 1, neighbours: .addOrRemove) {
            let once = try leaf.event.renyiLossOfLeaf()
            let times = Int64(leaf.times)
            let (delta, overflow) = once.delta.multipliedReportingOverflow(by: times)
            guard !overflow else { throw .overflow }
            sum =
                try sum
                + PrivacyLoss(
                    kind: .renyi, exactly: once.amounts.map { PrivacyLoss.product($0, times) }, delta: delta)
        }
        return sum
    }

    private func renyiLossOfLeaf() throws(MechanismError) -> PrivacyLoss {
        let linear = try? loss(kind: .zeroConcentrated)
        switch self {
        case .laplace, .pure, .exponentialMechanism, .discreteLaplace: break
        default: if let linear { return PrivacyLoss(renyiRho: linear.amount, delta: linear.delta) }
        }
        let cost = try renyiCost()
        var amounts = RenyiOrders.all.map { order -> Int64 in
            let units = OutwardRounding.up(cost.curve.divergence(order: Double(order)) * 1e12).rounded(.up)
            let once = units < Double(RenyiOrders.largestAmount) ? Int64(units) : RenyiOrders.largestAmount
            return PrivacyLoss.product(max(0, once), Int64(cost.times))
        }
        if let linear {
            let curve = PrivacyLoss(renyiRho: linear.amount).amounts
            amounts = zip(amounts, curve).map { min($0, $1) }
        }
        let delta = try ExactUnits.roundedUp(
            numerators: [cost.delta * Double(cost.times)], denominators: [], digits: 18, names: "delta")
        return PrivacyLoss(kind: .renyi, exactly: amounts, delta: delta)
    }
}
