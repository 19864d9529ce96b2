/// A histogram over unknown keys under (epsilon, delta): Laplace noise on the keys that occur, and a threshold that hides
/// those that few units have (Korolova, Kenthapadi, Mishra and Ntoulas 2009; Bun, Nissim and Stemmer 2016).
///
/// For sums of rows, where a unit weighs up to `rowsPerUnitAndGroup` in a group; for numbers of units `KeySelection`
/// keeps more keys at the same cost.
///
/// Privacy. Add one unit. On the keys that occur without it, values change by at most
/// `groupsPerUnit rowsPerUnitAndGroup` in L1 norm: the noise gives epsilon. Each of the at most `groupsPerUnit` other
/// keys holds at most `rowsPerUnitAndGroup` and is kept with probability `P(X >= threshold - rowsPerUnitAndGroup)`, so
/// that any is with delta at most. Let S be any set of outputs, x and y its probabilities without and with the unit, and
/// d <= delta the probability that any of the other keys is kept. Then `y <= exp(epsilon) x + d`, and by independence
/// `x (1 - d) <= exp(epsilon) y`, so `x <= exp(epsilon) y + d`. The exact law's tail is used, rounded upwards.
///
/// What it takes in time and words depends on the number of keys, which is private: whoever can be timed answers on a
/// public grid (docs/privacy.md, rule 2).
public struct StabilityHistogram: Sendable {
    /// What the whole selection costs, beside delta.
    public let epsilon: Double
    /// The noise on each value.
    public let noise: DiscreteLaplace
    /// A key is kept from this noisy value on.
    public let threshold: Int64
    /// An upper bound on the probability that is not covered by epsilon: at most the delta that was asked for.
    public let delta: Double

    /// The least noise and then the least threshold for (epsilon, delta). Throws unless groups and rows are from 1 to
    /// 2^31, delta is from 2^-200 to below 1, and the noise's scale from 2^-20 to 2^40.
    public init(
        groupsPerUnit: Int, rowsPerUnitAndGroup: Int = 1, epsilon: Double, delta: Double
    ) throws(MechanismError) {
        for (bound, name) in [(groupsPerUnit, "groups per unit"), (rowsPerUnitAndGroup, "rows per unit and group")] {
            guard (1...(1 << 31)).contains(bound) else { throw .parameter(name, expected: "a number from 1 to 2^31") }
        }
        guard epsilon > 0 && epsilon.isFinite else { throw .parameter("epsilon", expected: "a positive number") }
        guard delta >= 0x1p-200 && delta < 1 else { throw .parameter("delta", expected: "a number from 2^-200 to 1") }
        let groups = Double(groupsPerUnit)
        let noise = try DiscreteLaplace(
            scale: OutwardRounding.up(groups * Double(rowsPerUnitAndGroup) / epsilon))
        func failure(_ distance: Int64) -> Double {
            OutwardRounding.up(groups * noise.upperTail(distance))
        }
        // Within 170 scales the tail falls below 2^-200 / 2^31.
        let distance = leastInteger(in: 1...Int64(170 * noise.scale) + 2) { failure($0) <= delta }
        self.epsilon = epsilon
        self.noise = noise
        threshold = distance + Int64(rowsPerUnitAndGroup)
        self.delta = failure(distance)
    }

    /// What happens: the whole histogram, once.
    public var event: PrivacyEvent { .approximate(epsilon: epsilon, delta: delta) }

    /// The variance of a noisy value, before the threshold.
    public var variance: Double { noise.variance }

    /// The keys that are kept, with their noisy values, in the order of keys.
    public func release<Key: Hashable & Comparable, R: RandomNumberGenerator>(
        _ values: [Key: Int64], using generator: inout R
    ) -> [(key: Key, value: Int64)] {
        let keys = values.keys.sorted()
        var noisy = keys.map { values[$0] ?? 0 }
        noise.add(to: &noisy, using: &generator)
        return zip(keys, noisy).filter { $0.1 >= threshold }.map { (key: $0.0, value: $0.1) }
    }
}
