/// The exact privacy of Gaussian noise on whole datasets (Balle and Wang 2018, theorem 8).
///
/// Privacy: Gaussian mechanisms, each chosen after seeing the outputs of those before, are together exactly as private as
/// one Gaussian mechanism with the sum of their rhos (Dong, Roth and Su 2022, corollary 3.3: mu^2 add). So is a tree of
/// Gaussian sums over one unit's step, also where inputs are chosen adaptively (Denisov et al. 2022, theorem 2.1).
///
/// Everything else is refused. Discrete Gaussian noise too: its curve meets the Gaussian's only in the limit of large
/// sigma, and lies above it at some epsilons.
public struct GaussianAccountant: Accountant {
    /// The relation that sensitivities and multipliers are about, and the guarantee.
    public let neighbours: NeighbourRelation
    /// The sum of 1 / (2 noise multiplier^2), rounded up: mu^2 / 2.
    public private(set) var rho = 0.0
    /// How many roundings up `rho` holds.
    private var roundings = 0.0

    /// Nothing was composed yet.
    public init(neighbours: NeighbourRelation = .addOrRemove) {
        self.neighbours = neighbours
    }

    /// Adds the event, `times` times. Throws for parameters out of range and for unsupported events.
    public mutating func compose(_ event: PrivacyEvent, times: Int) throws(MechanismError) {
        var next = self
        for leaf in try event.leaves(times: times, neighbours: neighbours) {
            switch leaf.event {
            case .gaussian(let multiplier): next.add(PrivacyEvent.rho(1, sigma: multiplier), times: leaf.times)
            case .treeAggregation(let multiplier, let steps):
                next.add(PrivacyEvent.rho(PrivacyEvent.treeNodes(steps: steps), sigma: multiplier), times: leaf.times)
            default:
                throw .unsupportedEvent(
                    leaf.event.name, accountant: "Gaussian", expected: "Gaussian noise on the whole dataset")
            }
        }
        self = next
    }

    private mutating func add(_ rho: Double, times: Int) {
        self.rho = OutwardRounding.up(self.rho + rho * Double(times))
        roundings += 2
    }

    /// The same sum, rounded down.
    private var rhoRoundedDown: Double { max(0, rho * (1 - roundings * 0x1p-43)) }

    /// Bounds on the least epsilon at that delta. Throws unless delta is from 0 to 1.
    public func epsilon(delta: Double) throws(MechanismError) -> PrivacyBounds {
        try AccountantArgument.check(delta: delta)
        if rho == 0 || delta >= 1 { return PrivacyBounds(lower: 0, upper: 0) }
        guard delta > 0, rho < 1e150 else { return PrivacyBounds(lower: 0, upper: .infinity) }
        let upper = Conversion.gaussianEpsilon(rho: rho, delta: delta)
        return PrivacyBounds(
            lower: Conversion.gaussianEpsilonRoundedDown(rho: rhoRoundedDown, delta: delta), upper: upper)
    }

    /// Bounds on the least delta at that epsilon. Throws unless epsilon is a number that is not negative.
    public func delta(epsilon: Double) throws(MechanismError) -> PrivacyBounds {
        try AccountantArgument.check(epsilon: epsilon)
        if rho == 0 { return PrivacyBounds(lower: 0, upper: 0) }
        guard rho < 1e150, epsilon < 1e150 else { return PrivacyBounds(lower: 0, upper: 1) }
        return PrivacyBounds(
            lower: Conversion.gaussianDeltaBounds(rho: rhoRoundedDown, epsilon: epsilon).lower,
            upper: Conversion.gaussianDelta(rho: rho, epsilon: epsilon))
    }
}
