#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Adds Rényi divergences, order by order (Mironov 2017, proposition 1), and converts at the best order.
///
/// By default the order is any real number above 1: the bound as a function of the order has one valley, because
/// (alpha - 1) times the divergence is convex in alpha, and the search follows it down. Any order gives a valid bound, so
/// the search cannot do harm. Fixed orders, as other implementations have them, can be given instead.
///
/// What happens with small probability, the deltas of selections and of (epsilon, delta) mechanisms, is added beside the
/// divergences: outside those events the divergences hold (approximate Rényi differential privacy).
public struct RenyiAccountant: Accountant {
    /// The relation that sensitivities and multipliers are about, and the guarantee.
    public let neighbours: NeighbourRelation
    /// How divergences become an epsilon at a delta.
    public let conversion: RenyiConversion
    /// The orders that are tried; nil for any real number above 1.
    public let orders: [Double]?
    /// The sum of deltas beside the divergences, rounded up.
    public private(set) var delta = 0.0
    private var rho = 0.0
    private var curves: [(curve: RenyiCurve, times: Double)] = []
    private var places: [RenyiCurve: Int] = [:]

    /// Throws unless the orders, where given, are finite and above 1.
    public init(
        orders: [Double]? = nil, conversion: RenyiConversion = .improved, neighbours: NeighbourRelation = .addOrRemove
    ) throws(MechanismError) {
        if let orders {
            guard !orders.isEmpty, orders.allSatisfy({ $0 > 1 && $0.isFinite }) else {
                throw .parameter("orders", expected: "finite numbers above 1")
            }
        }
        self.orders = orders
        self.conversion = conversion
        self.neighbours = neighbours
    }

    /// Adds the event, `times` times. Throws for parameters out of range and for unsupported events.
    public mutating func compose(_ event: PrivacyEvent, times: Int) throws(MechanismError) {
        var next = self
        for leaf in try event.leaves(times: times, neighbours: neighbours) {
            let cost = try leaf.event.renyiCost()
            let times = Double(leaf.times)
            next.add(cost.curve, times: times * Double(cost.times))
            if cost.delta > 0 { next.delta = OutwardRounding.up(next.delta + times * cost.delta) }
        }
        self = next
    }

    private mutating func add(_ curve: RenyiCurve, times: Double) {
        guard times > 0 else { return }
        if case .linear(let rho) = curve {
            if rho > 0 { self.rho = OutwardRounding.up(self.rho + rho * times) }
        } else if let place = places[curve] {
            curves[place].times = (curves[place].times + times).nextUp
        } else {
            places[curve] = curves.count
            curves.append((curve, times))
        }
    }

    /// The sum of all divergences of that order, rounded up.
    public func divergence(order: Double) -> Double {
        guard order > 1 else { return .infinity }
        var sum = rho * order
        for (curve, times) in curves { sum += curve.divergence(order: order) * times }
        return sum > 0 ? OutwardRounding.up(sum * (1 + Double(curves.count) * 0x1p-52)) : 0
    }

    /// Bounds on the least epsilon at that delta. Throws unless delta is from 0 to 1.
    public func epsilon(delta asked: Double) throws(MechanismError) -> PrivacyBounds {
        try AccountantArgument.check(delta: asked)
        if asked >= 1 || (isEmpty && asked >= delta) { return PrivacyBounds(lower: 0, upper: 0) }
        let remaining = delta == 0 ? asked : OutwardRounding.down(asked - delta)
        guard remaining > 0 else { return PrivacyBounds(lower: 0, upper: .infinity) }
        let logarithm = -log(remaining)
        let best = leastOver(logarithm) {
            conversion.epsilon(order: $0, divergence: divergence(order: $0), delta: remaining)
        }
        return PrivacyBounds(lower: 0, upper: max(0, best.value), order: best.order)
    }

    /// Bounds on the least delta at that epsilon. Throws unless epsilon is a number that is not negative.
    public func delta(epsilon: Double) throws(MechanismError) -> PrivacyBounds {
        try AccountantArgument.check(epsilon: epsilon)
        if isEmpty { return PrivacyBounds(lower: 0, upper: min(1, delta)) }
        guard epsilon < .infinity else { return PrivacyBounds(lower: 0, upper: 1) }
        let best = leastOver(epsilon) {
            conversion.logDelta(order: $0, divergence: divergence(order: $0), epsilon: epsilon)
        }
        let converted = OutwardRounding.up(exp(min(0, best.value)))
        return PrivacyBounds(
            lower: 0, upper: min(1, delta == 0 ? converted : OutwardRounding.up(converted + delta)), order: best.order)
    }

    private var isEmpty: Bool { rho == 0 && curves.isEmpty }

    /// The least value over the orders.
    private func leastOver(_ size: Double, _ value: (Double) -> Double) -> (order: Double, value: Double) {
        guard let orders else {
            // About where a Gaussian mechanism of the same divergence at 2 has its best order.
            let slope = max(divergence(order: 2) / 2, 1e-300)
            let limit = curves.reduce(Double.infinity) { min($0, $1.curve.orderLimit) }
            var found = OrderSearch.least(from: min((max(size, 1e-3) / slope).squareRoot(), 0.99 * limit - 1), value)
            if curves.contains(where: \.curve.isInterpolated) {
                // Between whole orders the bound lies on chords: the best place is often at one of their ends.
                let below = max(2, found.order.rounded(.down))
                for order in [below, below + 1] {
                    let atWhole = value(order)
                    if atWhole < found.value { found = (order, atWhole) }
                }
            }
            return found
        }
        var best = (order: orders[0], value: Double.infinity)
        for order in orders {
            let candidate = value(order)
            if candidate < best.value { best = (order, candidate) }
        }
        return best
    }
}
