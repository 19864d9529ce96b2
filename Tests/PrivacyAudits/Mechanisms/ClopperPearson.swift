import Foundation

/// Bounds on a probability from the number of successes in independent trials, by Clopper and Pearson (1934): they hold
/// for every sample size and every probability.
struct ClopperPearson {
    let trials: Int
    /// The probability, at most, with which one bound is wrong.
    let error: Double

    /// The p at which as many successes or more have the probability `error`.
    func lower(_ successes: Int) -> Double {
        successes == 0 ? 0 : halve { atLeast(successes, $0) < error }.below
    }

    /// The p at which as many successes or fewer have the probability `error`.
    func upper(_ successes: Int) -> Double {
        successes == trials ? 1 : halve { atMost(successes, $0) > error }.above
    }

    private func halve(_ isBelow: (Double) -> Bool) -> (below: Double, above: Double) {
        var (low, high) = (0.0, 1.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if isBelow(middle) { low = middle } else { high = middle }
        }
        return (low, high)
    }

    private func atMost(_ k: Int, _ p: Double) -> Double {
        if Double(k) > Double(trials) * p { return 1 - sum(from: k + 1, p, ascending: true) }
        return sum(from: k, p, ascending: false)
    }

    private func atLeast(_ k: Int, _ p: Double) -> Double {
        if Double(k) < Double(trials) * p { return 1 - sum(from: k - 1, p, ascending: false) }
        return sum(from: k, p, ascending: true)
    }

    /// The binomial law's terms from `k` to one end, which is away from the greatest term.
    private func sum(from k: Int, _ p: Double, ascending: Bool) -> Double {
        guard k >= 0 && k <= trials else { return 0 }
        guard p > 0 && p < 1 else { return (p <= 0) == (k == 0) ? 1 : 0 }
        let n = Double(trials)
        var i = Double(k)
        let choices = lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1)
        var term = exp(choices + i * log(p) + (n - i) * log1p(-p))
        var sum = term
        let odds = p / (1 - p)
        while term > sum * 1e-17, ascending ? i < n : i > 0 {
            if ascending {
                term *= (n - i) / (i + 1) * odds
                i += 1
            } else {
                term *= i / (n - i + 1) / odds
                i -= 1
            }
            sum += term
        }
        return min(sum, 1)
    }
}
