/// Permute-and-flip: a choice whose expected shortfall is never above the exponential mechanism's at the same epsilon,
/// and down to half of it (McKenna and Sheldon 2020). It is also report noisy max with exponential noise (Ding, Kifer,
/// Steinke, Wang, Xiao and Zhang 2021), drawn without any noise.
///
/// Every candidate flips a coin that falls on heads with probability `exp(-epsilon * shortfall / (2 sensitivity))`, its
/// shortfall being that of its utility from the best; the first heads in a random order of candidates is chosen. The
/// order is independent of the coins, so the first heads is uniform among all heads, and that is how it is drawn here.
///
/// Privacy: epsilon-differentially private (McKenna and Sheldon 2020, theorem 1). Where utilities change in one
/// direction the factor 2 goes: as report noisy max, candidate j wins if its noise exceeds a threshold
/// `max of the others - u_j`, which then moves by at most one sensitivity towards the far side, and exponential noise
/// satisfies `P(Z > t + s) >= exp(-s / scale) P(Z > t)` for s >= 0 and every t. Coins follow the exact law
/// (`ExponentialBernoulli`).
///
/// The words drawn are one a candidate and one for the choice, whatever the utilities.
public struct PermuteAndFlip: Sendable {
    /// What one choice costs, pure.
    public let epsilon: Double
    /// The largest change of a utility by one privacy unit.
    public let sensitivity: Int64
    /// Whether all utilities change in one direction.
    public let change: UtilityChange
    private let coin: ExponentialBernoulli

    /// For integer utilities that one unit changes by at most `sensitivity`. Throws unless epsilon is from 2^-40 to
    /// 2^20 and the sensitivity from 1 to 2^62.
    public init(
        epsilon: Double, sensitivity: Int64 = 1, change: UtilityChange = .anyDirection
    ) throws(MechanismError) {
        coin = ExponentialBernoulli(
            rate: try .selection(epsilon: epsilon, sensitivity: sensitivity, change: change))
        self.epsilon = epsilon
        self.sensitivity = sensitivity
        self.change = change
    }

    /// What happens when it chooses once.
    public var event: PrivacyEvent { .pure(epsilon: epsilon) }

    /// The index of the chosen candidate. Throws unless there is one.
    public func select<R: RandomNumberGenerator>(
        utilities: [Int64], using generator: inout R
    ) throws(MechanismError) -> Int {
        guard let best = utilities.max() else { throw .parameter("utilities", expected: "at least one") }
        var heads: [Int] = []
        for (index, utility) in utilities.enumerated() {
            let shortfall = UInt128(Int128(best) - Int128(utility))
            if coin.sample(shortfall, using: &generator) { heads.append(index) }
        }
        // The best candidate's coin always falls on heads.
        return heads[Int(generator.next(upperBound: UInt64(heads.count)))]
    }

    /// How far the chosen utility falls short of the best at most, with that confidence, whatever the utilities:
    /// `spread sensitivity / epsilon * ln(candidates / (1 - confidence))`, rounded up: any one of the others has heads
    /// with probability `exp(-epsilon shortfall / (spread sensitivity))`, and all of them together with at most their
    /// sum.
    public func shortfall(candidates: Int, confidence: Double) -> Double {
        let scale = Double(change.spread) * Double(sensitivity) / epsilon
        return OutwardRounding.up(scale * OutwardRounding.logarithm(Double(candidates) / (1 - confidence)))
    }
}
