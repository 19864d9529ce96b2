public import DifferentialPrivacy

/// How a regression is computed from noisy integers.
public enum RegressionMethod: Sendable, Hashable {
    /// From noisy sums of products of the columns, and then of residuals and their squares.
    case moments
    /// From a noisy table with a cell for each combination of categories.
    case table
    /// By so many releases of a noisy gradient and information matrix.
    case newton(steps: Int)
}

/// How sampling is judged.
public enum SamplingVariance: Sendable, Hashable {
    /// By the family's own law: of equal variance, Bernoulli, Poisson.
    case model
    /// By the squares of the units' own scores (Huber 1967; White 1980; by units, Liang and Zeger 1986): right where
    /// variances differ, rows of a unit are alike, or rows have survey weights.
    case robust
}

/// Why an answer has no intervals.
public enum WithheldReason: Sendable, Hashable {
    /// The noisy information does not determine the coefficients: too few rows for the loss, or columns that are nearly
    /// linear in each other.
    case undetermined
    /// The last steps did not come to rest within what the noise explains.
    case unsettled
    /// More lies beyond the clipping bound than the family's law explains: the coefficients may be biased.
    case clipped
    /// The noisy variance is not positive, or drowns in its own noise.
    case variance
}

/// A coefficient of a regression.
public struct Coefficient: Sendable, Hashable {
    /// What it belongs to.
    public let name: CoefficientName
    /// Its estimate, on the scale of the columns as they are.
    public let estimate: Double
    /// What is known of the error; nil where intervals are withheld.
    let shape: ErrorShape?

    /// The standard error, of sampling and noise together; nil where intervals are withheld.
    public var standardError: Double? { shape?.deviation }

    /// The estimate over its standard error.
    public var statistic: Double? { shape.map { estimate / $0.deviation } }

    /// The probability of a statistic at least so large where the coefficient is 0.
    public var pValue: Double? { shape.map { $0.tail(estimate / $0.deviation) } }

    /// The population's coefficient lies within it with that confidence, above 0 and below 1; nil where intervals are
    /// withheld.
    public func interval(confidence: Double = 0.95) -> ConfidenceInterval? {
        guard let shape, confidence > 0, confidence < 1 else { return nil }
        let half = shape.deviation * shape.criticalValue(confidence: confidence)
        return ConfidenceInterval(lower: estimate - half, upper: estimate + half)
    }
}

/// A regression from noisy integers.
public struct RegressionEstimate: Sendable {
    /// The coefficients, the intercept first.
    public let coefficients: [Coefficient]
    /// How they were computed.
    public let method: RegressionMethod
    /// How sampling was judged.
    public let variance: SamplingVariance
    /// Why there are no intervals; nil where there are.
    public let withheld: WithheldReason?
    /// The noisy number of rows that took part, where it was released.
    public let count: Double?

    /// The linear predictor of a row of the coefficients' design: of the response itself in linear, of its log odds in
    /// logistic, of its logarithm in Poisson regression. nil for another number of predictors, or a category that is none.
    public func predictor(_ row: RegressionRow, of design: RegressionDesign) -> Double? {
        guard design.width == coefficients.count, row.predictors.count == design.predictors.count else { return nil }
        var sum = coefficients[0].estimate + (design.offset == nil ? 0 : row.offset)
        for (number, predictor) in design.predictors.enumerated() {
            let value = row.predictors[number]
            let column = design.firsts[number]
            switch predictor {
            case .numeric: sum += value * coefficients[column].estimate
            case .category(let levels):
                guard let level = Int(exactly: value), (0..<levels).contains(level) else { return nil }
                if level > 0 { sum += coefficients[column + level - 1].estimate }
            }
        }
        return sum
    }
}
