import Foundation

/// The least privacy loss that counts of one event under two neighbours leave possible: bounds on both probabilities by
/// Clopper and Pearson (1934), which hold for every sample size.
struct DistributionAudit {
    var runs: Int
    /// The probability that one bound is wrong.
    var error = 1e-7

    /// The least epsilon with `P(event | a) <= e^epsilon P(event | b) + delta` and the other way round, with
    /// confidence.
    func leastEpsilon(_ a: Int, _ b: Int, delta: Double) -> Double {
        max(one(a, b, delta), one(b, a, delta))
    }

    /// The greatest of the least epsilons over the events "at least t" and "at most t", for all t that occur.
    func leastEpsilon(_ a: [Double], _ b: [Double], delta: Double) -> Double {
        let (a, b) = (a.sorted(), b.sorted())
        var best = 0.0
        for threshold in Set(a + b) {
            let (below, other) = (Self.countBelow(a, threshold), Self.countBelow(b, threshold))
            best = max(best, leastEpsilon(below, other, delta: delta))
            best = max(best, leastEpsilon(a.count - below, b.count - other, delta: delta))
        }
        return best
    }

    private static func countBelow(_ sorted: [Double], _ threshold: Double) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < threshold { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func one(_ a: Int, _ b: Int, _ delta: Double) -> Double {
        let excess = lower(a) - delta
        return excess > 0 ? max(0, log(excess / upper(b))) : 0
    }

    /// The p at which as many successes or more have the probability `error`.
    func lower(_ successes: Int) -> Double {
        if successes == 0 { return 0 }
        return halve { 1 - cumulative(successes - 1, $0) < error }
    }

    /// The p at which as many successes or fewer have the probability `error`.
    func upper(_ successes: Int) -> Double {
        if successes == runs { return 1 }
        return halve { cumulative(successes, $0) > error }
    }

    private func halve(_ isBelow: (Double) -> Bool) -> Double {
        var (low, high) = (0.0, 1.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if isBelow(middle) { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// P(X <= k) of the binomial law of `runs` and p, by its terms from the greatest on.
    private func cumulative(_ k: Int, _ p: Double) -> Double {
        let n = Double(runs)
        if p <= 0 { return 1 }
        if p >= 1 { return k >= runs ? 1 : 0 }
        func logTerm(_ i: Double) -> Double {
            lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + i * log(p) + (n - i) * log1p(-p)
        }
        if Double(k) <= n * p { return descending(k, exp(logTerm(Double(k))), p) }
        return 1 - ascending(k + 1, exp(logTerm(Double(k + 1))), p)
    }

    private func descending(_ k: Int, _ first: Double, _ p: Double) -> Double {
        var (sum, term, i) = (first, first, Double(k))
        while i > 0, term > sum * 1e-17 {
            term *= i / (Double(runs) - i + 1) * (1 - p) / p
            sum += term
            i -= 1
        }
        return min(sum, 1)
    }

    private func ascending(_ k: Int, _ first: Double, _ p: Double) -> Double {
        var (sum, term, i) = (first, first, Double(k))
        while i < Double(runs), term > sum * 1e-17 {
            term *= (Double(runs) - i) / (i + 1) * p / (1 - p)
            sum += term
            i += 1
        }
        return min(sum, 1)
    }
}
