/// Adds epsilons, and deltas beside them (Dwork et al. 2006); for equal epsilons it gives the exact optimum.
///
/// Privacy: an epsilon-differentially private mechanism is post-processing of randomised response with that epsilon
/// (Kairouz, Oh and Viswanath 2015), so the worst composition of k equal ones is k-fold randomised response, whose curve
/// is computed exactly. An (epsilon, delta)-differentially private one does the same but for an event of probability
/// delta; those add by a union bound.
public struct PureAccountant: Accountant {
    /// The relation that sensitivities and multipliers are about, and the guarantee.
    public let neighbours: NeighbourRelation
    private var counts: [Double: Int] = [:]
    private var isWorstCase = true
    /// The sum of the deltas of (epsilon, delta) mechanisms.
    private var deltas = 0.0

    /// Nothing was composed yet.
    public init(neighbours: NeighbourRelation = .addOrRemove) {
        self.neighbours = neighbours
    }

    /// Adds the event, `times` times. Throws for parameters out of range and for unsupported events.
    public mutating func compose(_ event: PrivacyEvent, times: Int) throws(MechanismError) {
        var next = self
        for leaf in try event.leaves(times: times, neighbours: neighbours) {
            guard let cost = leaf.event.pureCost else {
                throw .unsupportedEvent(
                    leaf.event.name, accountant: "pure", expected: "an event with a finite epsilon of its own")
            }
            try next.add(cost, times: leaf.times)
        }
        self = next
    }

    private mutating func add(_ cost: PureCost, times: Int) throws(MechanismError) {
        guard cost.epsilon > 0 || cost.delta > 0 else { return }
        let (more, overflow) = times.multipliedReportingOverflow(by: cost.times)
        let (count, overflow2) = counts[cost.epsilon, default: 0].addingReportingOverflow(more)
        guard !overflow && !overflow2 else { throw .overflow }
        if more > 0 { counts[cost.epsilon] = count }
        if cost.delta > 0 {
            let all = OutwardRounding.productRoundedUp(cost.delta, OutwardRounding.upward(more))
            deltas = OutwardRounding.sumRoundedUp(deltas, all)
        }
        if !cost.isWorstCase || cost.delta > 0 { isWorstCase = false }
    }

    /// The sum of all epsilons, rounded up.
    private var sum: Double {
        var sum = 0.0
        // In a fixed order: a dictionary's differs from run to run, and so would the last digit.
        for (epsilon, count) in counts.sorted(by: { $0.key < $1.key }) {
            let all = OutwardRounding.productRoundedUp(epsilon, OutwardRounding.upward(count))
            sum = OutwardRounding.sumRoundedUp(sum, all)
        }
        return sum
    }

    /// Bounds on the least epsilon at that delta. Throws unless delta is from 0 to 1.
    public func epsilon(delta: Double) throws(MechanismError) -> PrivacyBounds {
        try AccountantArgument.check(delta: delta)
        if delta >= 1 { return PrivacyBounds(lower: 0, upper: 0) }
        guard delta >= deltas else { return PrivacyBounds(lower: 0, upper: .infinity) }
        let remaining = deltas == 0 ? delta : OutwardRounding.down(delta - deltas)
        let sum = sum
        guard let composition = homogeneous else { return PrivacyBounds(lower: 0, upper: sum) }
        let exact = composition.epsilon(delta: max(0, remaining))
        return PrivacyBounds(lower: isWorstCase ? exact.lower : 0, upper: min(sum, exact.upper))
    }

    /// Bounds on the least delta at that epsilon. Throws unless epsilon is a number that is not negative.
    public func delta(epsilon: Double) throws(MechanismError) -> PrivacyBounds {
        try AccountantArgument.check(epsilon: epsilon)
        guard let composition = homogeneous else {
            return PrivacyBounds(lower: 0, upper: epsilon >= sum ? min(1, deltas) : 1)
        }
        let exact = composition.delta(epsilon: epsilon)
        let upper = epsilon >= sum ? 0 : exact.upper
        return PrivacyBounds(
            lower: isWorstCase ? exact.lower : 0,
            upper: min(1, deltas == 0 ? upper : OutwardRounding.up(upper + deltas)))
    }

    /// The composition, if all epsilons are equal and few enough to enumerate.
    private var homogeneous: PureComposition? {
        guard counts.count <= 1 else { return nil }
        guard let (epsilon, count) = counts.first else { return PureComposition(epsilon: 0, count: 0) }
        guard PureComposition.isFeasible(epsilon: epsilon, count: count) else { return nil }
        return PureComposition(epsilon: epsilon, count: count)
    }
}

/// The epsilon of an event of finite epsilon, rounded up.
struct PureCost {
    var epsilon: Double
    var times = 1
    var delta = 0.0
    /// Whether the event stands for the worst mechanism of that epsilon.
    var isWorstCase = false
}

extension PrivacyEvent {
    /// Nil for events without a finite epsilon.
    var pureCost: PureCost? {
        switch self {
        case .discreteLaplace(let sensitivity, let scale):
            return PureCost(epsilon: Self.ratioRoundedUp(sensitivity, scale))
        case .laplace(let multiplier): return PureCost(epsilon: Self.ratioRoundedUp(1, multiplier))
        case .exponentialMechanism(let epsilon, let times): return PureCost(epsilon: epsilon, times: times)
        case .pure(let epsilon): return PureCost(epsilon: epsilon, isWorstCase: true)
        case .approximate(let epsilon, let delta): return PureCost(epsilon: epsilon, delta: delta)
        case .shuffled(let localEpsilon, _): return PureCost(epsilon: localEpsilon)
        case .poissonSampled(let rate, let event):
            guard rate > 0 else { return PureCost(epsilon: 0) }
            return event.samplePureCost(rate: rate)
        case .fixedSizeSampled(let sampleSize, let populationSize, let event):
            return event.samplePureCost(rate: Self.ratioRoundedUp(Double(sampleSize), Double(populationSize)))
        case .repeated, .composition: return wholePureCost
        case .gaussian, .discreteGaussian, .skellam, .thresholdSelection, .zeroConcentrated, .treeAggregation:
            return nil
        }
    }

    /// The sum over a composition: one sample is shared by all its parts.
    var wholePureCost: PureCost? {
        switch self {
        case .repeated(let event, let times):
            guard times > 0 else { return PureCost(epsilon: 0) }
            guard let once = event.wholePureCost else { return nil }
            return PureCost(
                epsilon: OutwardRounding.up(once.epsilon * Double(times)),
                delta: once.delta == 0 ? 0 : OutwardRounding.up(once.delta * Double(times)))
        case .composition(let events):
            var total = PureCost(epsilon: 0)
            for event in events {
                guard let cost = event.wholePureCost else { return nil }
                if cost.epsilon > 0 { total.epsilon = OutwardRounding.up(total.epsilon + cost.epsilon) }
                if cost.delta > 0 { total.delta = OutwardRounding.up(total.delta + cost.delta) }
            }
            return total
        default:
            guard let cost = pureCost else { return nil }
            guard cost.times != 1 else { return cost }
            return PureCost(epsilon: OutwardRounding.up(cost.epsilon * Double(cost.times)))
        }
    }

    /// On a sample that a unit is in with that probability at most: ln(1 + rate (e^epsilon - 1)) and rate delta (Balle,
    /// Barthe and Gaboardi 2018, theorems 8 and 9).
    func samplePureCost(rate: Double) -> PureCost? {
        guard let whole = wholePureCost else { return nil }
        let epsilon = Amplification.sampledEpsilon(whole.epsilon, rate: rate)
        return PureCost(epsilon: epsilon, delta: whole.delta == 0 ? 0 : OutwardRounding.up(rate * whole.delta))
    }

    /// Exact quotients stay exact, so that written decimals do not grow.
    static func ratioRoundedUp(_ a: Double, _ b: Double) -> Double {
        let ratio = a / b
        // The fused remainder is exact: its sign says on which side of the quotient the rounding fell.
        return a.addingProduct(-ratio, b) > 0 ? ratio.nextUp : ratio
    }
}
