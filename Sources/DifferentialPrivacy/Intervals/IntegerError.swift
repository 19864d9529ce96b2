/// How wide the noise of one released integer is: its variance, and the exact quantiles of its law at the confidence of
/// the intervals that are made of it.
///
/// In combinations with others, it is treated as a continuous law of the same family, widened to its own exact quantile,
/// so that a coarse grid never narrows an interval.
public struct IntegerError: Sendable, Hashable {
    /// The law; nil where no noise was added, since no unit changes the integer.
    public let law: ErrorLaw?
    /// The probability that an interval holds the truth.
    public let confidence: Double
    /// The variance of the noise, in the integer's unit squared.
    public let variance: Double
    /// The half-width of the integer's own interval, in its unit: the least h with P(|X| <= h) >= confidence, by the exact
    /// law.
    public let halfWidth: Int64
    /// The parameter (standard deviation or scale) of the continuous law that is as wide.
    let parameter: Double

    /// No noise: the integer is exact.
    public static let none = IntegerError()

    /// - Parameter confidence: above 0 and below 1.
    public init(_ noise: DiscreteGaussian, confidence: Double = 0.95) {
        self.init(
            law: .gaussian, parameter: noise.sigma, variance: noise.variance, confidence: confidence,
            halfWidth: { noise.halfWidth(confidence: $0) })
    }

    /// - Parameter confidence: above 0 and below 1.
    public init(_ noise: DiscreteLaplace, confidence: Double = 0.95) {
        self.init(
            law: .laplace, parameter: noise.scale, variance: noise.variance, confidence: confidence,
            halfWidth: { noise.halfWidth(confidence: $0) })
    }

    private init() {
        law = nil
        confidence = 1
        variance = 0
        halfWidth = 0
        parameter = 0
    }

    private init(
        law: ErrorLaw, parameter: Double, variance: Double, confidence: Double, halfWidth: (Double) -> Int64
    ) {
        self.law = law
        self.confidence = confidence
        self.variance = variance
        self.halfWidth = halfWidth(confidence)
        self.parameter = max(parameter, Double(self.halfWidth) / law.quantile(confidence: confidence))
    }
}
