/// What a key's noisy number of units says of the true one, given that the key was kept because of it (`GaussianThreshold`).
///
/// A key of n units is kept if N = n + X, X a discrete Gaussian draw, is at least the threshold T; whoever sees it sees N as it
/// is given N >= T. The family of these laws has a monotone likelihood ratio in n, so that both tails are inverted: n is in the interval
/// if P_n(N >= y | N >= T) and P_n(N <= y | N >= T) are each above half of the error. For each n that excludes it
/// with a probability of at most the error, among the times when the key is shown at all. A key that is shown has one unit
/// at least. All probabilities are rounded so that the interval becomes wider, never narrower.
public struct SelectedCount: Sendable, Hashable {
    /// The parameter of the noise, in units of privacy.
    public let sigma: Double
    /// The least noisy number that is shown.
    public let threshold: Int64
    /// The probability with which an interval holds the true number, given that the key is shown.
    public let confidence: Double
    private let tails: TailTable
    /// Numbers beyond it, which no table reaches, count as it: sums of three fit in 64 bits.
    private static let largest: Int64 = 1 << 60

    /// - Parameter confidence: above 0 and below 1.
    public init(_ selection: GaussianThreshold, confidence: Double = 0.95) {
        self.init(sigma: selection.sigma, threshold: selection.threshold, confidence: confidence)
    }

    /// - Parameters:
    ///   - sigma: from 2^-20 to 2^40.
    ///   - confidence: above 0 and below 1.
    public init(sigma: Double, threshold: Int64, confidence: Double = 0.95) {
        self.sigma = sigma
        self.threshold = min(max(threshold, -Self.largest), Self.largest)
        self.confidence = confidence
        tails = TailTable(DiscreteGaussianLaw(sigma: sigma))
    }

    /// The interval of the true number, from 1 on.
    ///
    /// - Parameter noisy: what was shown: at least the threshold.
    public func interval(_ noisy: Int64) -> ConfidenceInterval {
        let shown = min(max(noisy, threshold), Self.largest)
        let outside = (1 - confidence) / 2
        // Both probabilities are monotone in n: P(N >= y | shown) rises, P(N <= y | shown) falls.
        let lower = leastInteger(in: 1...max(1, shown)) { self.atLeast(shown, of: $0) > outside }
        let above = tails.law.least(from: 1) { self.atMost(shown, of: $0) <= outside }
        return ConfidenceInterval(lower: Double(lower), upper: Double(max(above - 1, lower)))
    }

    /// The probability that a key of so many units is shown, rounded upwards.
    public func probabilityOfBeingShown(units: Int64) -> Double {
        min(1, tails.bounds(threshold - units).upper)
    }

    /// The least number of units of which a key is shown with that probability.
    ///
    /// - Parameter probability: above 0 and below 1.
    public func units(shownWith probability: Double) -> Int64 {
        tails.law.least(from: 1) { tails.bounds(threshold - $0).lower >= probability }
    }

    /// P_n(N >= y | N >= T), rounded upwards.
    func atLeast(_ shown: Int64, of units: Int64) -> Double {
        let kept = tails.bounds(threshold - units).lower
        let beyond = tails.bounds(shown - units).upper
        return kept > 0 ? min(1, OutwardRounding.up(beyond / kept)) : 1
    }

    /// P_n(N <= y | N >= T), rounded upwards.
    func atMost(_ shown: Int64, of units: Int64) -> Double {
        let kept = tails.bounds(threshold - units).upper
        let beyond = tails.bounds(shown - units + 1).lower
        return kept > 0 ? max(0, OutwardRounding.up(1 - OutwardRounding.down(beyond / kept))) : 1
    }

    public static func == (a: SelectedCount, b: SelectedCount) -> Bool {
        (a.sigma, a.threshold, a.confidence) == (b.sigma, b.threshold, b.confidence)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(sigma)
        hasher.combine(threshold)
        hasher.combine(confidence)
    }
}

/// P(X >= t) of a discrete Gaussian from below and from above; for narrow noise, whose tails are sums, from a table: an
/// interval takes some fifty of them, and an answer has many intervals.
private struct TailTable: Sendable {
    let law: DiscreteGaussianLaw
    /// Of t = 0, 1, ...; beyond its end a tail is at most the last one's.
    private let sums: [(lower: Double, upper: Double)]
    private let total: (lower: Double, upper: Double)

    init(_ law: DiscreteGaussianLaw) {
        self.law = law
        let normalizer = law.normalizer
        total = (normalizer, OutwardRounding.up(normalizer * (1 + 0x1p-40)))
        guard law.sigma <= DiscreteGaussianLaw.largestSummed else {
            sums = []
            return
        }
        let last = Int64(12 * law.sigma) + 12
        var sum = law.tailSum(last)
        var sums = [sum]
        for t in (0..<last).reversed() {
            let term = law.f(Double(t))
            // A term errs by 2^-44 at most: the exponent, up to 100, by 2^-46.
            sum = (
                OutwardRounding.down(sum.lower + term * (1 - 0x1p-43)),
                OutwardRounding.up(sum.upper + term * (1 + 0x1p-43))
            )
            sums.append(sum)
        }
        self.sums = sums.reversed()
    }

    func bounds(_ t: Int64) -> (lower: Double, upper: Double) {
        if t > 0 {
            let sum = sum(t)
            return (OutwardRounding.down(sum.lower / total.upper), min(1, OutwardRounding.up(sum.upper / total.lower)))
        }
        // P(X >= t) = 1 - P(X >= 1 - t).
        let rest = bounds(1 - t)
        return (max(0, OutwardRounding.down(1 - rest.upper)), min(1, OutwardRounding.up(1 - rest.lower)))
    }

    private func sum(_ t: Int64) -> (lower: Double, upper: Double) {
        guard let last = sums.last else { return law.tailSum(t) }
        return t < sums.count ? sums[Int(t)] : (0, last.upper)
    }
}
