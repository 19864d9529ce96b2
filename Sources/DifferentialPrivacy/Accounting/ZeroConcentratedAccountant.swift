#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Adds rhos of zero-concentrated differential privacy, and deltas beside them (Bun and Steinke 2016, lemma 1.7 and section
/// 8); converts by Canonne, Kamath and Steinke 2020, corollary 13.
///
/// For planning: sums are `Double`s, rounded up. A ledger adds `PrivacyLoss` in integers.
public struct ZeroConcentratedAccountant: Accountant {
    /// The relation that sensitivities and multipliers are about, and the guarantee.
    public let neighbours: NeighbourRelation
    /// The sum of all rhos, rounded up.
    public private(set) var rho = 0.0
    /// The sum of the deltas beside them (approximate zCDP), rounded up.
    public private(set) var delta = 0.0

    /// Nothing was composed yet.
    public init(neighbours: NeighbourRelation = .addOrRemove) {
        self.neighbours = neighbours
    }

    /// Adds the event, `times` times. Throws for parameters out of range and for unsupported events.
    public mutating func compose(_ event: PrivacyEvent, times: Int) throws(MechanismError) {
        var next = self
        for leaf in try event.leaves(times: times, neighbours: neighbours) {
            guard let cost = leaf.event.zeroConcentratedCost else {
                throw .unsupportedEvent(
                    leaf.event.name, accountant: "zCDP", expected: "an event with a rho of its own")
            }
            if cost.rho > 0 { next.rho = OutwardRounding.up(next.rho + Double(leaf.times) * cost.rho) }
            if cost.delta > 0 { next.delta = OutwardRounding.up(next.delta + Double(leaf.times) * cost.delta) }
        }
        self = next
    }

    /// Bounds on the least epsilon at that delta. Throws unless delta is from 0 to 1.
    public func epsilon(delta asked: Double) throws(MechanismError) -> PrivacyBounds {
        try AccountantArgument.check(delta: asked)
        if asked >= 1 || (rho == 0 && asked >= delta) { return PrivacyBounds(lower: 0, upper: 0) }
        let remaining = delta == 0 ? asked : OutwardRounding.down(asked - delta)
        guard remaining > 0, rho.isFinite else { return PrivacyBounds(lower: 0, upper: .infinity) }
        return PrivacyBounds(lower: 0, upper: Conversion.epsilon(rho: rho, delta: remaining))
    }

    /// Bounds on the least delta at that epsilon. Throws unless epsilon is a number that is not negative.
    public func delta(epsilon: Double) throws(MechanismError) -> PrivacyBounds {
        try AccountantArgument.check(epsilon: epsilon)
        if rho == 0 { return PrivacyBounds(lower: 0, upper: min(1, delta)) }
        let converted = Conversion.delta(rho: rho, epsilon: epsilon)
        return PrivacyBounds(lower: 0, upper: min(1, delta == 0 ? converted : OutwardRounding.up(converted + delta)))
    }
}

extension PrivacyEvent {
    /// Rho and the delta beside it, rounded up; nil for events that have none.
    ///
    /// - Gaussian noise: sensitivity^2 / (2 sigma^2) (Bun and Steinke 2016, proposition 1.6; discrete: Canonne, Kamath and
    ///   Steinke 2020, theorem 4). A tree: that, once for each node that holds a step.
    /// - Pure: epsilon tanh(epsilon / 2), Laplace: e^-epsilon - 1 + epsilon, both exact (Harrison and Manurangsi 2026);
    ///   below the epsilon^2 / 2 that a ledger charges.
    /// - Exponential mechanism: epsilon^2 / 8 (Cesar and Rogers 2021, bounded range).
    var zeroConcentratedCost: (rho: Double, delta: Double)? {
        switch self {
        case .gaussian(let multiplier): return (Self.rho(1, sigma: multiplier), 0)
        case .discreteGaussian(let sensitivitySquared, let sigma):
            return (Self.rho(sensitivitySquared, sigma: sigma), 0)
        case .treeAggregation(let multiplier, let steps):
            return (Self.rho(Self.treeNodes(steps: steps), sigma: multiplier), 0)
        case .thresholdSelection(let groupsPerUnit, let sigma, _, let delta):
            return (Self.rho(Double(groupsPerUnit), sigma: sigma), delta)
        case .zeroConcentrated(let rho): return (rho, 0)
        case .exponentialMechanism(let epsilon, let times):
            guard epsilon > 0 && times > 0 else { return (0, 0) }
            return (OutwardRounding.up(epsilon * epsilon / 8 * Double(times)), 0)
        default:
            guard let cost = pureCost else { return nil }
            guard cost.epsilon > 0 else { return (0, cost.delta) }
            var rho = min(cost.epsilon * cost.epsilon / 2, cost.epsilon * tanh(cost.epsilon / 2))
            if case .laplace = self { rho = min(rho, Expansion.exponential(-cost.epsilon)) }
            return (OutwardRounding.up(rho * Double(cost.times)), cost.delta)
        }
    }

    /// sensitivitySquared / (2 sigma^2), rounded up: exact where the quotient is.
    static func rho(_ sensitivitySquared: Double, sigma: Double) -> Double {
        guard sensitivitySquared > 0 else { return 0 }
        return OutwardRounding.up(sensitivitySquared / sigma / sigma / 2)
    }
}
