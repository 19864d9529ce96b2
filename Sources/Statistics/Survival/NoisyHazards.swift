public import DifferentialPrivacy

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// One hazard ratio.
public struct HazardRatio: Sendable, Hashable {
    /// The number of the covariate.
    public let covariate: Int
    /// The level, of a covariate of levels: the ratio is to level 0. Nil of a number: the ratio is for one unit more.
    public let level: Int?
    /// The logarithm of the ratio.
    public let coefficient: Double
    /// The standard deviation of the coefficient by who was sampled.
    public let samplingDeviation: Double
    /// The standard deviation of the coefficient by the noise.
    public let noiseDeviation: Double
    /// Holds the population's ratio, sampling and noise in it; nil where the noise is too large for one that would hold.
    public let interval: ConfidenceInterval?

    /// The ratio.
    public var ratio: Double { exp(coefficient) }
}

/// A noisy table of events and time at risk by cell of covariates, and the hazard ratios that follow from it.
public struct NoisyHazards: Sendable, Hashable {
    /// What was counted.
    public let task: HazardTask
    /// The noisy table, a group for each cell of covariates.
    public let survival: NoisySurvival

    /// The hazard ratios, in the order of covariates and levels, with intervals of that confidence; nil where the noise leaves too few
    /// bins, or no solution. Throws unless the confidence is above 0 and below 1.
    ///
    /// With d the events and E the time at risk of cell c in bin k (half a bin of those who leave in it), the score of
    /// Poisson regression, the baseline of each bin solved for, is `U(b) = sum of x_c d_ck - d_k m_k(b)`, m the mean of x by E exp(b x). It is linear in
    /// noisy integers but for m, so that its noise is zero on average to first order and needs no cut at zero; its
    /// covariance N follows by its derivative in each of the integers. With I the information, an estimate has the
    /// covariance `I^-1 (I + N) I^-1`.
    public func ratios(confidence: Double = 0.95) throws(MechanismError) -> [HazardRatio]? {
        guard confidence > 0 && confidence < 1 else {
            throw .parameter("confidence", expected: "a number above 0 and below 1")
        }
        guard let model = HazardModel(self), let fit = model.fit(),
            let inverse = model.state(fit).information.inverse()
        else { return nil }
        let noise = model.noiseCovariance(fit)
        let z = NormalLaw.criticalValue(confidence: confidence)
        let zNoise = survival.noise.criticalValue(confidence: confidence)
        let isClear = model.isClear(inverse, noise)
        let places = task.covariates.enumerated().flatMap { number, covariate in
            (0..<covariate.coefficients).map { at -> (covariate: Int, level: Int?) in
                if case .levels = covariate { return (number, at + 1) }
                return (number, nil)
            }
        }
        return places.enumerated().map { index, place in
            let unit = task.covariates[place.covariate].unit
            let row = (0..<model.size).map { inverse[index, $0] }
            let byNoise = max(0, zip(row, noise.times(row)).reduce(0.0) { $0 + $1.0 * $1.1 })
            let bySampling = inverse[index, index]
            let half = (z * z * bySampling + zNoise * zNoise * byNoise).squareRoot()
            let interval = ConfidenceInterval(
                lower: exp((fit[index] - half) / unit), upper: exp((fit[index] + half) / unit))
            return HazardRatio(
                covariate: place.covariate, level: place.level, coefficient: fit[index] / unit,
                samplingDeviation: bySampling.squareRoot() / unit, noiseDeviation: byNoise.squareRoot() / unit,
                interval: isClear && interval.isBounded ? interval : nil)
        }
    }
}

/// The score of the bins that are used, as numbers.
struct HazardModel {
    let size: Int
    private let design: [[Double]]
    /// By cell, by bin.
    private let events: [[Double]]
    private let exposure: [[Double]]
    private let bins: Int
    private let allBins: Int
    private let variance: Double
    private let leavingShare: (event: Double, censored: Double)

    /// Bins are used up to the first in which the number at risk, of all cells together, is not above so many standard
    /// deviations of its noise.
    static let leastRisk = 4.0

    /// nil where no bin is used.
    init?(_ hazards: NoisyHazards) {
        let survival = hazards.survival
        let cells = hazards.task.table.groups
        allBins = hazards.task.table.bins
        variance = survival.noise.variance
        design = hazards.task.design()
        size = design[0].count
        // An event takes half of its bin away, as a censoring in its middle does.
        leavingShare = (0.5, survival.censoredShare)
        let share = leavingShare
        events = (0..<cells).map { cell in
            (0..<hazards.task.table.bins).map { Double(survival.events(group: cell, bin: $0)) }
        }
        exposure = (0..<cells).map { cell in
            survival.atRisk(group: cell).enumerated().map { bin, atRisk in
                atRisk - (1 - share.event) * Double(survival.events(group: cell, bin: bin))
                    - (1 - share.censored) * Double(survival.censored(group: cell, bin: bin))
            }
        }
        var used = 0
        for bin in 0..<allBins {
            let total = exposure.reduce(0.0) { $0 + $1[bin] }
            guard total > Self.leastRisk * survival.riskDeviation(bin: bin) * Double(cells).squareRoot(), total > 0
            else {
                break
            }
            used += 1
        }
        guard used > 0 else { return nil }
        bins = used
    }

    struct State {
        var score: [Double]
        var information: SymmetricMatrix
        var logLikelihood: Double
        /// By bin: the mean of x at risk, the baseline hazard.
        var means: [[Double]]
        var hazards: [Double]
        /// exp(b x) by cell.
        var risks: [Double]
    }

    func state(_ b: [Double]) -> State {
        let risks = design.map { x in exp(min(max(zip(x, b).reduce(0.0) { $0 + $1.0 * $1.1 }, -50), 50)) }
        var state = State(
            score: [Double](repeating: 0, count: size), information: SymmetricMatrix(size: size) { _, _ in 0 },
            logLikelihood: 0, means: [], hazards: [], risks: risks)
        var information = [Double](repeating: 0, count: size * size)
        for bin in 0..<bins {
            var total = 0.0
            var all = 0.0
            var first = [Double](repeating: 0, count: size)
            var second = [Double](repeating: 0, count: size * size)
            for (cell, x) in design.enumerated() {
                let weight = exposure[cell][bin] * risks[cell]
                let count = events[cell][bin]
                total += weight
                all += count
                for i in 0..<size where x[i] != 0 {
                    first[i] += weight * x[i]
                    state.score[i] += count * x[i]
                    for j in 0...i { second[i * size + j] += weight * x[i] * x[j] }
                }
            }
            guard total > 0 else {
                state.logLikelihood = -.infinity
                return state
            }
            let mean = first.map { $0 / total }
            for i in 0..<size {
                state.score[i] -= all * mean[i]
                for j in 0...i { information[i * size + j] += all * (second[i * size + j] / total - mean[i] * mean[j]) }
            }
            state.means.append(mean)
            state.hazards.append(all / total)
            state.logLikelihood -= all * log(total)
        }
        for (cell, x) in design.enumerated() {
            let eta = zip(x, b).reduce(0.0) { $0 + $1.0 * $1.1 }
            state.logLikelihood += eta * events[cell].prefix(bins).reduce(0, +)
        }
        state.information = SymmetricMatrix(size: size) { information[max($0, $1) * size + min($0, $1)] }
        return state
    }

    /// No coefficient is beyond this, in its unit: a ratio of e^10.
    static let largestCoefficient = 10.0

    /// Newton's method from zero, with half steps; nil where it finds no maximum.
    func fit() -> [Double]? {
        var b = [Double](repeating: 0, count: size)
        var at = state(b)
        for _ in 0..<50 {
            guard let inverse = at.information.inverse() else { return nil }
            let step = inverse.times(at.score)
            var factor = 1.0
            var next = b
            var reached = at
            while factor > 1e-4 {
                next = zip(b, step).map { $0 + factor * $1 }
                reached = state(next)
                if reached.logLikelihood.isFinite && reached.logLikelihood >= at.logLikelihood - 1e-9 { break }
                factor /= 2
            }
            guard factor > 1e-4, next.allSatisfy({ abs($0) <= Self.largestCoefficient }) else { return nil }
            let moved = zip(b, next).reduce(0.0) { max($0, abs($1.0 - $1.1)) }
            (b, at) = (next, reached)
            if moved < 1e-9 { return b }
        }
        return nil
    }

    /// The covariance of the score by the noise: the squared derivatives in each integer, which with r = exp(b x) are
    /// `x - m_l - r (sum over k < l of h_k (x - m_k) + s h_l (x - m_l))` for events in bin l, that without `x - m_l` for
    /// censorings, s the part of the bin that counts as at risk.
    func noiseCovariance(_ b: [Double]) -> SymmetricMatrix {
        let state = state(b)
        var sums = [Double](repeating: 0, count: size * size)
        func add(_ derivative: [Double], times: Double) {
            for i in 0..<size {
                for j in 0...i { sums[i * size + j] += times * derivative[i] * derivative[j] }
            }
        }
        for (cell, x) in design.enumerated() {
            var before = [Double](repeating: 0, count: size)
            for bin in 0..<bins {
                let own = zip(x, state.means[bin]).map { $0 - $1 }
                let factor = state.risks[cell] * state.hazards[bin]
                add(zip(own, before).map { $0 - $1 - leavingShare.event * factor * $0 }, times: variance)
                add(zip(own, before).map { -$1 - leavingShare.censored * factor * $0 }, times: variance)
                for i in 0..<size { before[i] += factor * own[i] }
            }
            add(before, times: Double(2 * (allBins - bins) + 1) * variance)
        }
        return SymmetricMatrix(size: size) { sums[max($0, $1) * size + min($0, $1)] }
    }

    /// The noise of any combination of coefficients, in units of columns' half widths or of levels, has at most this deviation where
    /// there is an interval: beyond, the information's own noise and the curvature of the score weigh.
    static let largestDeviation = 0.5

    func isClear(_ inverse: SymmetricMatrix, _ noise: SymmetricMatrix) -> Bool {
        let covariance = SymmetricMatrix(size: size) { i, j in
            let row = (0..<size).map { inverse[i, $0] }
            let column = (0..<size).map { inverse[$0, j] }
            return zip(row, noise.times(column)).reduce(0.0) { $0 + $1.0 * $1.1 }
        }
        return (covariance.eigen().values.max() ?? 0).squareRoot() <= Self.largestDeviation
    }
}
