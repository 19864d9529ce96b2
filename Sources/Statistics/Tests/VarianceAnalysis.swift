import DifferentialPrivacy

extension NoisyMeans {
    /// One-way analysis of variance: the test that all groups have one mean, where they have one variance (Fisher
    /// 1925), with noise in its null law; nil with one group, or where a group has no mean.
    ///
    /// The statistic weighs each mean by its whole variance, `sum of w (m - mean)^2 / (groups - 1)`, w = 1 / (s^2 / n +
    /// noise), s^2 pooled: without noise it is F. Under Gaussian noise its law is F's, but that the noise has no
    /// degrees of freedom to lose; Laplace noise has heavier tails, and draws from the null law, which the released
    /// integers seed, give the probability, where the noise has a part in it.
    public func varianceAnalysis() -> HypothesisTest? {
        guard task.groups > 1 else { return nil }
        var groups: [Moments] = []
        for group in 0..<task.groups {
            guard let moments = moments(group: group) else { return nil }
            groups.append(moments)
        }
        let count = groups.reduce(0.0) { $0 + $1.count }
        let within = groups.reduce(0.0) { $0 + $1.variance * ($1.count - 1) }
        let rest = count - Double(groups.count)
        guard rest > 0 else { return nil }
        let variance = max(0, within / rest)
        // The noise in the variance lowers its degrees of freedom: those of a draw whose own variance is as large.
        let byNoise = groups.reduce(0.0) { sum, group in
            let part = (group.count - 1) / rest
            return sum + part * part * group.varianceByNoise * noise.variance / 2
        }
        let lost = variance * variance / rest + byNoise
        let freedom = (Double(groups.count - 1), lost > 0 ? max(1, variance * variance / lost) : rest)
        let null = MeansNull(groups: groups, variance: variance, noise: noise)
        guard null.weights.allSatisfy(\.isFinite) else { return nil }
        let statistic = null.statistic(groups.map(\.mean))
        // Where the noise is all, the variance within has no part, and loses nothing.
        let share = min(1, null.sampledShare)
        let law = FisherLaw(numerator: freedom.0, denominator: share > 0 ? freedom.1 / (share * share) : .infinity)
        var pValue = law.upperTail(statistic)
        if noise.law == .laplace && share < 0.99 {
            var draws = NullDraws(noisy)
            pValue = null.share(above: statistic, freedom: freedom.1, using: &draws)
        }
        return HypothesisTest(statistic: statistic, degreesOfFreedom: [freedom.0, freedom.1], pValue: pValue)
    }
}

/// The law of several means that are one.
private struct MeansNull {
    let groups: [NoisyMeans.Moments]
    /// Of a row.
    let variance: Double
    let noise: AddedNoise
    let weights: [Double]

    init(groups: [NoisyMeans.Moments], variance: Double, noise: AddedNoise) {
        self.groups = groups
        self.variance = variance
        self.noise = noise
        weights = groups.map { group in
            let byNoise = (group.bySum * group.bySum + group.byCount * group.byCount) * noise.variance
            return 1 / (variance / group.count + byNoise)
        }
    }

    /// Of the means' variances the largest part that sampling has.
    var sampledShare: Double {
        zip(groups, weights).reduce(0.0) { max($0, variance / $1.0.count * $1.1) }
    }

    func statistic(_ means: [Double]) -> Double {
        let total = weights.reduce(0, +)
        let mean = zip(weights, means).reduce(0.0) { $0 + $1.0 * $1.1 } / total
        let sum = zip(weights, means).reduce(0.0) { $0 + $1.0 * ($1.1 - mean) * ($1.1 - mean) }
        return sum / Double(groups.count - 1)
    }

    /// As many draws as 2^22 normal ones allow, from 1,000 to 20,000.
    private var draws: Int { min(20_000, max(1000, (1 << 22) / (3 * groups.count))) }

    /// The probability of a statistic at least as large as the observed one, by draws.
    func share(above observed: Double, freedom: Double, using draws: inout NullDraws) -> Double {
        let deviation = noise.deviation
        return draws.share(atMost: self.draws) { draws in
            // What is divided by the variance within is as if sampling varied by that much more.
            let scale = (variance / draws.meanSquare(degreesOfFreedom: freedom)).squareRoot()
            let means = groups.map { group in
                let byNoise = group.bySum * draws.draw(noise.law) - group.byCount * draws.draw(noise.law)
                return scale * draws.normal() / group.count.squareRoot() + deviation * byNoise
            }
            return statistic(means) >= observed
        }
    }
}
