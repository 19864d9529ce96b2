#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The probabilities of a binomial law, all but those that are no `Double` beside the largest: by the ratios of
/// neighbours from the mode outwards, without factorials. About 80 standard deviations' worth of terms.
struct BinomialLaw {
    let count: Int
    /// The number of successes of the first term.
    let first: Int
    let terms: [Double]
    /// A relative error of every term that covers three roundings for each on the way from the mode.
    let slack: Double

    /// More than that would take seconds.
    static let countLimit = 1_000_000_000

    /// `odds`: the probability of success over that of failure; positive and finite. The count is at most `countLimit`.
    init(count: Int, odds: Double) {
        let n = Double(count)
        let mode = min(count, Int((n + 1) * (odds / (1 + odds))))
        var above: [Double] = []
        var term = 1.0
        for i in mode..<max(count, mode) {
            term *= (n - Double(i)) / Double(i + 1) * odds
            if term < 0x1p-1020 { break }
            above.append(term)
        }
        var below: [Double] = []
        term = 1
        for i in stride(from: mode, to: 0, by: -1) {
            term *= Double(i) / (n - Double(i) + 1) / odds
            if term < 0x1p-1020 { break }
            below.append(term)
        }
        let all = below.reversed() + [1] + above
        let sum = all.reduce(0, +)
        self.count = count
        first = mode - below.count
        terms = all.map { $0 / sum }
        slack = 0x1p-50 * Double(16 + all.count)
    }
}

extension BinomialLaw {
    /// The probability of `successes` in `count` fair trials, to a relative 2^-44 (Loader 2000: Stirling's series and the
    /// deviance from the mean, both without cancellation).
    static func fairProbability(_ successes: Int, of count: Int) -> Double {
        guard successes >= 0 && successes <= count else { return 0 }
        let (n, x, y) = (Double(count), Double(successes), Double(count - successes))
        guard x > 0 && y > 0 else { return exp2(-n) }
        let excess = (x - y) / n
        let deviance = n / 2 * (entropy(excess) + entropy(-excess))
        let logarithm = stirlingError(n) - stirlingError(x) - stirlingError(y) - deviance
        return exp(logarithm) * (n / (2 * Double.pi * x * y)).squareRoot()
    }

    private static func entropy(_ e: Double) -> Double {
        Expansion.entropy(e, logarithm: log1p(e))
    }

    /// ln(n!) less Stirling's formula.
    private static func stirlingError(_ n: Double) -> Double {
        if n < 16 { return lgamma(n + 1) - (n + 0.5) * log(n) + n - log(2 * Double.pi) / 2 }
        let square = n * n
        let tail = 1.0 / 1260 - (1.0 / 1680 - 1.0 / 1188 / square) / square
        return (1.0 / 12 - (1.0 / 360 - tail / square) / square) / n
    }
}
