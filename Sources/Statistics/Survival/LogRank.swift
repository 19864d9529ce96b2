import DifferentialPrivacy

/// A test's result: how surprising the released numbers are where the hypothesis holds, noise included.
public struct HypothesisTest: Sendable, Hashable {
    /// The statistic, over a variance that has the noise in it.
    public let statistic: Double
    /// The degrees of freedom of its law without noise: one number of chi-square and t, two of F.
    public let degreesOfFreedom: [Double]
    /// The probability of a statistic at least as extreme under the hypothesis and the noise.
    public let pValue: Double
}

extension NoisySurvival {
    /// Bins count in the log-rank test up to the first where a group's noisy number at risk is not above so many
    /// standard deviations of its noise.
    static let leastCompared = 2.0

    /// The most groups that the log-rank test compares.
    public static let comparedGroups = 64

    /// The log-rank test that all groups have one survival curve (Mantel 1966; Peto and Peto 1972), with noise in its
    /// null law; nil with one group, more than 64, or where the noise leaves too few bins to compare.
    ///
    /// In each bin, events less those expected from all groups' hazard, `U_g = sum of d_g - n_g / n d`, have the
    /// hypergeometric covariance V. The noise adds its own covariance N by the derivative of U in each of the noisy
    /// integers, which are many, so that U is close to normal under either law: the statistic is `U' (V + N)^-1 U`, of
    /// groups less one degrees of freedom. Where no noise is, it is the log-rank statistic.
    public func logRank() -> HypothesisTest? {
        guard (2...Self.comparedGroups).contains(task.groups) else { return nil }
        let bins = comparedBins()
        let size = task.groups - 1
        guard !bins.isEmpty else { return nil }
        var sums = LogRankSums(groups: task.groups, censoredAway: 1 - censoredShare)
        for bin in bins { sums.add(bin, variance: noise.variance) }
        sums.addLaterBins(task.bins - bins.count, variance: noise.variance)
        let covariance = SymmetricMatrix(size: size) { sums.covariance[$0 * task.groups + $1] }
        guard let inverse = covariance.inverse() else { return nil }
        let score = Array(sums.score.prefix(size))
        let statistic = zip(score, inverse.times(score)).reduce(0.0) { $0 + $1.0 * $1.1 }
        guard statistic.isFinite else { return nil }
        let law = ChiSquareLaw(degreesOfFreedom: Double(size))
        return HypothesisTest(
            statistic: max(0, statistic), degreesOfFreedom: [Double(size)], pValue: law.upperTail(statistic))
    }

    /// What each group has in the bins that are compared.
    private func comparedBins() -> [LogRankBin] {
        let exposed = (0..<task.groups).map { self.exposed(group: $0) }
        var bins: [LogRankBin] = []
        for bin in 0..<task.bins {
            let least = Self.leastCompared * riskDeviation(bin: bin)
            let numbers = exposed.map { $0[bin] }
            let total = numbers.reduce(0, +)
            // Without noise a group may be gone, and the others still be compared.
            guard numbers.allSatisfy({ $0 > least || (least == 0 && $0 == 0) }), total > 1 else { break }
            let events = (0..<task.groups).map { Double(self.events(group: $0, bin: bin)) }
            bins.append(LogRankBin(events: events, shares: numbers.map { $0 / total }, exposed: total))
        }
        return bins
    }
}

struct LogRankBin {
    var events: [Double]
    /// Of those at risk, what each group has.
    var shares: [Double]
    var exposed: Double

    var hazard: Double { min(max(events.reduce(0, +) / exposed, 0), 1) }
}

/// The score and its covariance, bin after bin.
private struct LogRankSums {
    let groups: Int
    let censoredAway: Double
    var score: [Double]
    var covariance: [Double]
    /// The sum over the bins so far of minus the derivatives of the score in the numbers at risk, by rows: score,
    /// group.
    private var byRisk: [Double]

    init(groups: Int, censoredAway: Double) {
        self.groups = groups
        self.censoredAway = censoredAway
        score = [Double](repeating: 0, count: groups)
        covariance = [Double](repeating: 0, count: groups * groups)
        byRisk = covariance
    }

    mutating func add(_ bin: LogRankBin, variance: Double) {
        let (p, h, n) = (bin.shares, bin.hazard, bin.exposed)
        let all = bin.events.reduce(0, +)
        for g in 0..<groups { score[g] += bin.events[g] - p[g] * all }
        let hypergeometric = h * (1 - h) * n * n / (n - 1)
        // The derivatives of the score in this bin's events without, and in its number at risk.
        var events = [Double](repeating: 0, count: groups * groups)
        for g in 0..<groups {
            for i in 0..<groups {
                let own: Double = (g == i ? 1 : 0) - p[g]
                covariance[g * groups + i] += hypergeometric * p[i] * own
                events[g * groups + i] = own
                byRisk[g * groups + i] += h * own
            }
        }
        var censored = byRisk
        for at in events.indices {
            censored[at] -= censoredAway * h * events[at]
            events[at] -= byRisk[at]
        }
        addNoise(events, times: variance)
        addNoise(censored, times: variance)
    }

    /// Integers of bins that are not compared count in the numbers at risk of those before.
    mutating func addLaterBins(_ count: Int, variance: Double) {
        addNoise(byRisk, times: Double(2 * count + 1) * variance)
    }

    private mutating func addNoise(_ derivatives: [Double], times variance: Double) {
        guard variance > 0 else { return }
        for g in 0..<groups {
            for h in 0...g {
                var sum = 0.0
                for i in 0..<groups { sum += derivatives[g * groups + i] * derivatives[h * groups + i] }
                covariance[g * groups + h] += variance * sum
                if g != h { covariance[h * groups + g] += variance * sum }
            }
        }
    }
}
