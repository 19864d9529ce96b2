#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Probabilities of Skellam noise: for public intervals, never for draws.
extension Skellam {
    /// Up to that variance, sums are added up.
    private static let largestSummed = 0x1p24

    /// The least h with P(|X| <= h) >= confidence by the exact law, up to 2^-30 of the probability outside.
    public func halfWidth(confidence: Double) -> Int64 {
        let outside = 1 - confidence
        guard outside > 0 else { return .max }
        guard variance <= Self.largestSummed else {
            let reach = Int64(40 * variance.squareRoot())
            return leastInteger(in: 0...reach) { 2 * wideTail($0) * (1 + 0x1p-30) <= outside }
        }
        let probabilities = probabilities()
        var tail = 0.0
        for x in probabilities.indices.reversed() {
            tail += 2 * probabilities[x]
            if tail * (1 + 0x1p-30) > outside { return Int64(x) }
        }
        return 0
    }

    /// P(X > h) for variances above 2^24 and h >= 0, to a relative 2^-32 where it is at least 2^-54.
    ///
    /// Edgeworth's series to its first term (the fourth cumulant over the squared variance is 1 / variance, odd ones are 0)
    /// and Euler and Maclaurin's to theirs, with z = (h + 1/2) / sigma: `Q(z) + phi(z) (z^3 - 4 z) / (24 variance)`. What
    /// follows is about z^8 / (1152 variance^2) of it. A test compares with sums.
    func wideTail(_ h: Int64) -> Double {
        let z = (Double(h) + 0.5) / variance.squareRoot()
        let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
        return erfc(z / 2.0.squareRoot()) / 2 + density * (z * z * z - 4 * z) / (24 * variance)
    }

    /// P(X = x) for x = 0, 1, ... until it is below 2^-1000 of P(X = 0): Bessel functions' ratios by backward recurrence,
    /// `I_(k-1) / I_k = 2 k / variance + I_(k+1) / I_k` (Amos 1974), all of positive terms.
    func probabilities() -> [Double] {
        let deviation = variance.squareRoot()
        let last = Int(40 * deviation) + 400
        var ratios = [Double](repeating: 0, count: last + 2)
        for k in stride(from: last, through: 1, by: -1) {
            ratios[k] = 1 / (2 * Double(k) / variance + ratios[k + 1])
        }
        var weights = [1.0]
        while let weight = weights.last, weight > 0x1p-1000, weights.count <= last {
            weights.append(weight * ratios[weights.count])
        }
        let total = 2 * weights.reversed().reduce(0, +) - 1
        return weights.map { $0 / total }
    }
}
