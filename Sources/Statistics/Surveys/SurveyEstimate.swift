public import DifferentialPrivacy

/// An estimate from a sample, with its design-based variance.
public struct SurveyEstimate: Sendable {
    /// The total, mean or ratio of the population.
    public let estimate: Double
    /// How it varies over the samples of the design, at least 0.
    public let designVariance: Double
    /// How it varies by the noise.
    public let noiseVariance: Double
    /// How well the variance is known: those of the primary units less the strata, fewer where strata differ and where noise makes up much
    /// of what is between primary units.
    public let degreesOfFreedom: Double
    /// Why there is no interval; nil where there is.
    public let withheld: WithheldReason?
    let shape: ErrorShape

    /// Of sampling and noise together; nil where intervals are withheld.
    public var standardError: Double? { withheld == nil ? shape.deviation : nil }

    /// The population's value lies within it with that confidence, above 0 and below 1, over samples and noise: by Student's
    /// law. nil where intervals are withheld.
    public func interval(confidence: Double = 0.95) -> ConfidenceInterval? {
        guard withheld == nil, confidence > 0, confidence < 1 else { return nil }
        let normal = ErrorShape(samplingVariance: 1).criticalValue(confidence: confidence)
        let student = StudentLaw(degreesOfFreedom: degreesOfFreedom).quantile(confidence: confidence)
        let half = shape.deviation * (student + shape.criticalValue(confidence: confidence) - normal)
        return ConfidenceInterval(lower: estimate - half, upper: estimate + half)
    }
}
