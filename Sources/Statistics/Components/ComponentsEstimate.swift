public import DifferentialPrivacy

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a number of ``ComponentsEstimate`` is.
public enum ComponentsStatistic: Sendable, Hashable {
    /// The covariance of two columns, or the variance of one.
    case covariance(Int, Int)
    /// The correlation of two columns.
    case correlation(Int, Int)
    /// The variance along a principal component, in units of half the columns' bounds.
    case eigenvalue(Int)
    /// The share of the whole variance that a component explains.
    case share(Int)
    /// The weight of a column in a component.
    case loading(component: Int, column: Int)
}

/// A statistic with what is known of its error.
public struct MatrixEstimate: Sendable {
    /// What it is.
    public let name: ComponentsStatistic
    /// Its value.
    public let estimate: Double
    /// nil where intervals are withheld.
    let shape: ErrorShape?
    let scale: ScaledMoments.Scale

    /// The standard error, of sampling and noise together; nil where intervals are withheld.
    public var standardError: Double? { shape?.deviation }

    /// The population's value lies within it with that confidence, above 0 and below 1: on Fisher's scale for a correlation, that of logarithms
    /// for a variance, that of log odds for a share. nil where intervals are withheld.
    public func interval(confidence: Double = 0.95) -> ConfidenceInterval? {
        guard let shape, confidence > 0, confidence < 1 else { return nil }
        let half = shape.deviation * shape.criticalValue(confidence: confidence)
        let x = estimate
        switch scale {
        case .plain: return ConfidenceInterval(lower: x - half, upper: x + half)
        case .logarithm: return ConfidenceInterval(lower: x * exp(-half / x), upper: x * exp(half / x))
        case .correlation:
            let (middle, width) = (atanh(x), half / (1 - x * x))
            return ConfidenceInterval(lower: tanh(middle - width), upper: tanh(middle + width))
        case .share:
            let (middle, width) = (log(x / (1 - x)), half / (x * (1 - x)))
            return ConfidenceInterval(
                lower: 1 / (1 + exp(width - middle)), upper: 1 / (1 + exp(-width - middle)))
        }
    }
}

/// Statistics of several columns, from noisy integers.
public struct ComponentsEstimate: Sendable {
    /// The noisy number of rows that took part.
    public let count: Double
    /// The columns' means, within their bounds.
    public let means: [Double]
    /// The covariance matrix by rows: the positive semidefinite one nearest to the noisy one, in units of the columns' bounds.
    public let covariance: [[Double]]
    /// What was asked for.
    public let statistics: [MatrixEstimate]
    /// The principal components' loadings by rows, the largest entry of each positive, in units of half the columns' bounds (or
    /// of the columns' deviations, where standardised); empty where none were asked for.
    public let loadings: [[Double]]

    /// The statistic of that name; nil where it was not asked for.
    public subscript(_ name: ComponentsStatistic) -> MatrixEstimate? { statistics.first { $0.name == name } }

    init(
        _ moments: ScaledMoments, _ statistics: [ScaledMoments.Statistic],
        squares: [(sum: Double, deviation: Double)], target: ComponentsTarget, design: RegressionDesign
    ) {
        let scales = design.scales.dropFirst().map { $0 }
        count = moments.count
        means = zip(scales, moments.means).map { $0.middle + $0.radius * $1 }
        let nearest = moments.covariance.mapEigenvalues { max(0, $0) }
        covariance = scales.indices.map { i in
            scales.indices.map { scales[i].radius * scales[$0].radius * nearest[i, $0] }
        }
        self.statistics = statistics.enumerated().map { place, statistic in
            let square = place < squares.count ? squares[place] : nil
            let shape = Self.shape(moments, statistic, square)
            var factor = 1.0
            if case .covariance(let i, let j) = statistic.name { factor = scales[i].radius * scales[j].radius }
            return MatrixEstimate(
                name: statistic.name, estimate: factor * statistic.estimate, shape: shape?.scaled(factor),
                scale: statistic.scale)
        }
        if case .principal(let number, let isStandardised) = target {
            let vectors = isStandardised ? ScaledMoments.ordered(moments.correlations).vectors : moments.vectors
            loadings = Array(vectors.prefix(number))
        } else {
            loadings = []
        }
    }

    private static func shape(
        _ moments: ScaledMoments, _ statistic: ScaledMoments.Statistic, _ square: (sum: Double, deviation: Double)?
    ) -> ErrorShape? {
        guard statistic.gradient != nil else { return nil }
        let influence = moments.influence(statistic)
        let count = moments.count
        var mean = influence.normal
        if let square {
            mean = (max(0, square.sum) + square.deviation / 2) / count
        }
        var shape = ErrorShape(samplingVariance: mean / count)
        let variance = statistic.noiseFactor * moments.deviation * moments.deviation
        for i in 0..<influence.form.size {
            for j in 0...i {
                let factor = influence.form[i, j] * (i == j ? 1 : 2) / count
                if factor != 0 { shape.add(factor: factor, variance: variance, excess: moments.excess) }
            }
        }
        // The variance must be known to a third.
        if let square, square.deviation / (count * count) > 0.35 * shape.variance { return nil }
        return shape.deviation.isFinite && shape.deviation > 0 ? shape : nil
    }
}
