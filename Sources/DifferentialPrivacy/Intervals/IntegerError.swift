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
    let full: Width
    /// For one of two intervals that hold together: half of the error probability.
    let half: Width

    struct Width: Sendable, Hashable {
        /// The least h with P(|X| <= h) >= confidence, by the exact law.
        var halfWidth: Int64
        /// The parameter (standard deviation or scale) of the continuous law that is as wide.
        var parameter: Double
    }

    /// The half-width of the integer's own interval, in its unit: the least h with P(|X| <= h) >= confidence.
    public var halfWidth: Int64 { full.halfWidth }

    /// No noise: the integer is exact.
    public static let none = IntegerError(
        law: nil, confidence: 1, variance: 0, full: Width(halfWidth: 0, parameter: 0),
        half: Width(halfWidth: 0, parameter: 0))

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

    private init(law: ErrorLaw?, confidence: Double, variance: Double, full: Width, half: Width) {
        self.law = law
        self.confidence = confidence
        self.variance = variance
        self.full = full
        self.half = half
    }

    private init(
        law: ErrorLaw, parameter: Double, variance: Double, confidence: Double, halfWidth: (Double) -> Int64
    ) {
        func width(_ confidence: Double) -> Width {
            let exact = halfWidth(confidence)
            return Width(
                halfWidth: exact, parameter: max(parameter, Double(exact) / law.quantile(confidence: confidence)))
        }
        self.init(
            law: law, confidence: confidence, variance: variance, full: width(confidence),
            half: width(1 - (1 - confidence) / 2))
    }
}
