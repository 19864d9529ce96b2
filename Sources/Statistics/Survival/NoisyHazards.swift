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
    /// Holds the population's ratio, sampling and noise in it; nil where the noise is too large for one that would
    /// hold.
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

    /// The hazard ratios, in the order of covariates and levels, with intervals of that confidence; nil where the noise
    /// leaves too few bins, or no solution. Throws unless the confidence is above 0 and below 1.
    ///
    /// With d the events and n the number exposed of cell c in bin k, and g = 1 - exp(-h_k exp(b x)) the chance of the
    /// event under proportional hazards, whatever the baseline does within a bin (Prentice and Gloeckler 1978), an
    /// estimate solves `sum of (d - n g) = 0` in each bin and `sum of x (d - n g) = 0`. These are linear in the noisy
    /// integers, so that noise is zero in them on average and needs no cut at zero; its covariance N follows by the
    /// derivatives. With A minus the derivative in b and V the binomial covariance, the estimate has the covariance
    /// `A^-1 (V + N) A^-1` (a Z-estimator's: van der Vaart 1998, theorem 5.21). Rows are taken as independent, also
    /// those of one unit.
    public func ratios(confidence: Double = 0.95) throws(MechanismError) -> [HazardRatio]? {
        guard confidence > 0 && confidence < 1 else {
            throw .parameter("confidence", expected: "a number above 0 and below 1")
        }
        guard let model = HazardModel(self), let fit = model.fit(), let state = model.state(fit),
            let inverse = model.symmetric(state.slope).inverse()
        else { return nil }
        let noise = model.symmetric(model.noiseCovariance(state))
        let sampled = model.symmetric(state.sampled)
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
            let bySampling = max(0, zip(row, sampled.times(row)).reduce(0.0) { $0 + $1.0 * $1.1 })
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

/// The estimating equations of the bins that are used, as numbers.
struct HazardModel {
    let size: Int
    private let design: [[Double]]
    /// By cell, by bin.
    private let events: [[Double]]
    private let exposed: [[Double]]
    private let bins: Int
    private let allBins: Int
    private let variance: Double
    private let censoredShare: Double

    /// Bins are used up to the first in which the number at risk, of all cells together, is not above so many standard
    /// deviations of its noise.
    static let leastRisk = 4.0

    /// nil where no bin is used.
    init?(_ hazards: NoisyHazards) {
        let survival = hazards.survival
        let cells = hazards.task.table.groups
        let allBins = hazards.task.table.bins
        self.allBins = allBins
        variance = survival.noise.variance
        censoredShare = survival.censoredShare
        design = hazards.task.design()
        size = design[0].count
        events = (0..<cells).map { cell in (0..<allBins).map { Double(survival.events(group: cell, bin: $0)) } }
        let exposed = (0..<cells).map { survival.exposed(group: $0) }
        self.exposed = exposed
        bins =
            (0..<allBins).first { bin in
                let total = exposed.reduce(0.0) { $0 + $1[bin] }
                let deviation = survival.riskDeviation(bin: bin) * Double(cells).squareRoot()
                return !(total > 0 && total > Self.leastRisk * deviation)
            } ?? allBins
        guard bins > 0 else { return nil }
    }

    /// The equations at coefficients b, the baseline of each bin solved for.
    struct State {
        var score: [Double]
        /// Minus the score's derivative, and its covariance by who was sampled, both by rows.
        var slope: [Double]
        var sampled: [Double]
        /// By bin: the mean of x, weighted as the baseline's equation is.
        var means: [[Double]]
        /// By cell, by bin: the probability of the event.
        var chances: [[Double]]
    }

    func state(_ b: [Double]) -> State? {
        let risks = design.map { x in exp(min(max(zip(x, b).reduce(0.0) { $0 + $1.0 * $1.1 }, -50), 50)) }
        var state = State(
            score: [Double](repeating: 0, count: size), slope: [Double](repeating: 0, count: size * size),
            sampled: [Double](repeating: 0, count: size * size), means: [],
            chances: [[Double]](repeating: [], count: design.count))
        for bin in 0..<bins {
            guard let hazard = baseline(bin, risks) else { return nil }
            var total = 0.0
            var mean = [Double](repeating: 0, count: size)
            for (cell, x) in design.enumerated() {
                let weight = exposed[cell][bin] * hazard * risks[cell] * exp(-hazard * risks[cell])
                state.chances[cell].append(-expm1(-hazard * risks[cell]))
                total += weight
                for i in 0..<size { mean[i] += weight * x[i] }
            }
            // Without events nothing is compared: any mean has the same limit.
            if total != 0 { mean = mean.map { $0 / total } }
            state.means.append(mean)
            addBin(bin, hazard, risks, to: &state)
        }
        return state
    }

    private func addBin(_ bin: Int, _ hazard: Double, _ risks: [Double], to state: inout State) {
        let mean = state.means[bin]
        for (cell, x) in design.enumerated() {
            let chance = state.chances[cell][bin]
            let expected = exposed[cell][bin] * chance
            let weight = exposed[cell][bin] * hazard * risks[cell] * exp(-hazard * risks[cell])
            for i in 0..<size {
                let own = x[i] - mean[i]
                state.score[i] += own * (events[cell][bin] - expected)
                for j in 0...i {
                    let product = own * (x[j] - mean[j])
                    state.slope[i * size + j] += weight * product
                    state.sampled[i * size + j] += expected * (1 - chance) * product
                }
            }
        }
    }

    /// The baseline's integrated hazard of a bin at which as many events are expected as there are; negative where the
    /// noise is. Nil where there is none.
    private func baseline(_ bin: Int, _ risks: [Double]) -> Double? {
        let all = events.reduce(0.0) { $0 + $1[bin] }
        let exposed = self.exposed.map { $0[bin] }
        let weighted = zip(exposed, risks).reduce(0.0) { $0 + $1.0 * $1.1 }
        let total = exposed.reduce(0, +)
        guard weighted > 0, total > 0 else { return nil }
        // Where everybody has the event, half a row is left.
        let target = min(all, total - 0.5)
        var hazard = target / weighted
        for _ in 0..<60 {
            var (value, slope) = (-target, 0.0)
            for (n, r) in zip(exposed, risks) {
                value -= n * expm1(-hazard * r)
                slope += n * r * exp(-hazard * r)
            }
            guard slope > 0 else { return nil }
            let step = value / slope
            hazard -= step
            guard abs(hazard) < 50 else { return nil }
            if abs(step) <= 1e-12 * (1 + abs(hazard)) { return hazard }
        }
        return nil
    }

    /// A matrix of which the lower triangle is given, by rows.
    func symmetric(_ lower: [Double]) -> SymmetricMatrix {
        SymmetricMatrix(size: size) { lower[max($0, $1) * size + min($0, $1)] }
    }

    /// No coefficient is beyond this, in its unit: a ratio of e^10.
    static let largestCoefficient = 10.0

    /// Newton's method from zero, no step longer than 1; nil where it finds no solution.
    func fit() -> [Double]? {
        var b = [Double](repeating: 0, count: size)
        for _ in 0..<60 {
            guard let state = state(b), let inverse = symmetric(state.slope).inverse() else { return nil }
            let step = inverse.times(state.score)
            let longest = step.reduce(0.0) { max($0, abs($1)) }
            guard longest.isFinite else { return nil }
            for i in 0..<size { b[i] += step[i] / max(1, longest) }
            guard b.allSatisfy({ abs($0) <= Self.largestCoefficient }) else { return nil }
            if longest < 1e-10 { return b }
        }
        return nil
    }

    /// The covariance of the score by the noise: the squared derivatives in each integer, which with g the chance of
    /// the event are `x - m_l - sum over k <= l of g_k (x - m_k)` for events in bin l, and minus that sum for
    /// censorings, of which the last term counts in part.
    func noiseCovariance(_ state: State) -> [Double] {
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
                let chance = state.chances[cell][bin]
                add(zip(own, before).map { $0 - $1 - chance * $0 }, times: variance)
                add(zip(own, before).map { -$1 - censoredShare * chance * $0 }, times: variance)
                for i in 0..<size { before[i] += chance * own[i] }
            }
            add(before, times: Double(2 * (allBins - bins) + 1) * variance)
        }
        return sums
    }

    /// The noise of any combination of coefficients, in units of columns' half widths or of levels, has at most this
    /// deviation where there is an interval: beyond, the information's own noise and the curvature of the score weigh.
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
