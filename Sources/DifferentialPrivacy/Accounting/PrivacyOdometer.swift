#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Says at any time how much was revealed so far, where nothing limits it beforehand.
///
/// Privacy: let L_t be the privacy loss of the first t mechanisms, each chosen after seeing earlier outputs, and D_t the
/// sum of their divergences of order alpha. exp((alpha - 1)(L_t - D_t)) is a non-negative supermartingale of expectation
/// at most 1, so that by Ville's inequality, with probability 1 - delta, L_t <= D_t + ln(1 / delta) / (alpha - 1) at every
/// t at once (Whitehouse, Ramdas, Rogers and Wu 2023, section 4). Several orders share delta by a union bound, in shares
/// fixed beforehand; the best of them counts, anew at every moment.
///
/// The statement is about all moments together: whoever stops at one that she chose by looking at the odometer may still
/// rely on it, and that is what it costs more than a filter for.
public struct PrivacyOdometer: Sendable {
    /// With this probability at most, the loss exceeds what the odometer says at some moment.
    public let delta: Double
    private let orders: [(order: Double, cost: Double)]
    private var accountant: RenyiAccountant
    private var sums: [Double]
    private var deltas = 0.0

    /// - Parameters:
    ///   - delta: with this probability at most, the loss exceeds what the odometer says at some moment.
    ///   - rho: about the loss, as zCDP, at which it should be tightest; losses a thousand times smaller or larger are
    ///     still read well.
    ///
    /// Throws unless both are positive and delta is below 1.
    public init(
        delta: Double, tightestAt rho: Double, neighbours: NeighbourRelation = .addOrRemove
    ) throws(MechanismError) {
        guard delta > 0 && delta < 1 else { throw .parameter("delta", expected: "a number between 0 and 1") }
        guard rho > 1e-12 && rho < 1e12 else { throw .parameter("rho", expected: "a number from 1e-12 to 1e12") }
        self.delta = delta
        accountant = try RenyiAccountant(neighbours: neighbours)
        // The best order for a rho is 1 + sqrt(ln(1 / delta) / rho); the shares are 1 / (3.2 (1 + k^2)), which sum
        // to pi coth(pi) / 3.2 = 0.985 over all whole k.
        let middle = (-log(delta) / rho).squareRoot()
        orders = (-12...12).map { k in
            let t = middle * exp2(Double(k) / 2)
            let share = delta / (3.2 * (1 + Double(k * k)))
            return (1 + t, OutwardRounding.up(-log(share) / t))
        }
        sums = [Double](repeating: 0, count: orders.count)
    }

    /// Adds the event, `times` times. Throws for events that have no Rényi curve, and is then as it was before.
    public mutating func add(_ event: PrivacyEvent, times: Int = 1) throws(MechanismError) {
        var one = accountant
        try one.compose(event, times: times)
        for (index, order) in orders.enumerated() {
            let divergence = one.divergence(order: order.order)
            if divergence > 0 { sums[index] = OutwardRounding.up(sums[index] + divergence) }
        }
        if one.delta > 0 { deltas = OutwardRounding.up(deltas + one.delta) }
    }

    /// What was revealed so far: at most epsilon, but for a probability of at most `delta` in all (and the deltas of
    /// events that have their own, which are added to it).
    public var spent: (epsilon: Double, delta: Double) {
        var best = Double.infinity
        for (sum, order) in zip(sums, orders) { best = min(best, sum + order.cost) }
        let isEmpty = sums.allSatisfy { $0 == 0 }
        return (isEmpty ? 0 : OutwardRounding.up(best), deltas == 0 ? delta : OutwardRounding.up(delta + deltas))
    }
}
