/// Private selection of unknown group keys under (epsilon, delta), and their noisy numbers of units: truncated geometric
/// selection (Desfontaines, Voss, Gipson and Mandayam 2022; docs/privacy.md, rule 18).
///
/// Each key that occurs gets its number of units plus a draw of the geometric law `P(X = x) ~ exp(-epsilon |x|)`, cut off
/// beyond [-cut, cut]; it is kept if the sum exceeds `cut`. So a key that nobody has cannot be kept, one that a single
/// unit has is kept with probability `P(X = cut)` alone, and one of more than `2 cut` units always. For one group a unit
/// no (epsilon, delta)-private rule keeps any key with a greater probability (section 3 there), if delta is exactly
/// P(X = cut); for others it is the best rule of the next smaller such delta.
///
/// Privacy. Take one group, and its numbers of units n and n + 1. Outputs in the common range of both sums differ by
/// factors of exp(epsilon) at most, and so do the probabilities of not being kept, up to the mass P(X = -cut) that falls
/// out of the range on one side. The mass out of the common range is P(X = cut) = delta_1 on either side, hence
/// (epsilon, delta_1) for the kept key with its noisy number together (a test writes out all outputs). A unit in at most k groups: epsilon / k and delta / k for each, by basic composition.
///
/// The draw is exact: a discrete Laplace draw, repeated until it is within the cut. What it takes in time and words
/// depends on the number of keys, which is private: whoever can be timed answers on a public grid (docs/privacy.md, rule 2).
public struct KeySelection: Sendable {
    /// What the whole selection costs, beside delta.
    public let epsilon: Double
    /// The most groups in which one privacy unit occurs.
    public let groupsPerUnit: Int
    /// An upper bound on the probability that is not covered by epsilon: at most the delta that was asked for.
    public let delta: Double
    /// A key is kept if its noisy number of units exceeds this.
    public let cut: Int64
    private let noise: DiscreteLaplace

    /// The least cut for (epsilon, delta). Throws unless `groupsPerUnit` is from 1 to 2^31, delta from 2^-200 to below
    /// 1, and groups / epsilon from 2^-20 to 2^40.
    public init(groupsPerUnit: Int = 1, epsilon: Double, delta: Double) throws(MechanismError) {
        guard (1...(1 << 31)).contains(groupsPerUnit) else {
            throw .parameter("groups per unit", expected: "a number from 1 to 2^31")
        }
        guard epsilon > 0 && epsilon.isFinite else { throw .parameter("epsilon", expected: "a positive number") }
        guard delta >= 0x1p-200 && delta < 1 else { throw .parameter("delta", expected: "a number from 2^-200 to 1") }
        let groups = Double(groupsPerUnit)
        noise = try DiscreteLaplace(scale: OutwardRounding.up(groups / epsilon))
        let scale = noise.scale
        // Within 170 scales the tail falls below 2^-200 / 2^31.
        cut = leastInteger(in: 1...Int64(170 * scale) + 2) {
            Self.failure(cut: $0, scale: scale, groups: groups) <= delta
        }
        self.delta = Self.failure(cut: cut, scale: scale, groups: groups)
        self.epsilon = epsilon
        self.groupsPerUnit = groupsPerUnit
    }

    /// P(X = cut) for each of the groups, rounded upwards: `a^cut (1 - a) / ((1 - a) + 2 a (1 - a^cut))` with `a = exp(-1 / scale)`, written so
    /// that nothing cancels.
    static func failure(cut: Int64, scale: Double, groups: Double) -> Double {
        let exponent = Double(cut) / scale
        let step = OutwardRounding.complementOfExponential(1 / scale)
        let inner = 2 * (1 - step) * OutwardRounding.complementOfExponential(exponent)
        // The exponent, up to 170, errs by 2^-45 at most.
        return groups * OutwardRounding.exponential(-exponent) * step / (step + inner) * (1 + 0x1p-40)
    }

    /// What happens: the whole selection, once.
    public var event: PrivacyEvent { .approximate(epsilon: epsilon, delta: delta) }

    /// The variance of a noisy number of units before the cut, which it is below.
    public var variance: Double { noise.variance }

    /// The noisy number of units, or nil if the key is not kept. Throws for a negative number.
    public func keep<R: RandomNumberGenerator>(
        units: Int64, using generator: inout R
    ) throws(MechanismError) -> Int64? {
        guard units >= 0 else { throw .parameter("units", expected: "a number that is not negative") }
        var draw = noise.sample(using: &generator)
        while draw.magnitude > cut.magnitude { draw = noise.sample(using: &generator) }
        let (sum, overflows) = units.addingReportingOverflow(draw)
        let noisy = overflows ? .max : sum
        return noisy > cut ? noisy : nil
    }

    /// The keys that are kept, with their noisy numbers of units, in the order of keys. `units`: by how many units each
    /// key occurs. Throws for a negative number.
    public func select<Key: Hashable & Comparable, R: RandomNumberGenerator>(
        _ units: [Key: Int64], using generator: inout R
    ) throws(MechanismError) -> [(key: Key, units: Int64)] {
        var kept: [(key: Key, units: Int64)] = []
        // In the order of keys, so that neither a hash nor the data's order shows.
        for key in units.keys.sorted() {
            if let noisy = try keep(units: units[key] ?? 0, using: &generator) { kept.append((key, noisy)) }
        }
        return kept
    }
}
