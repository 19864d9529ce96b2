/// An interval for a number behind a noisy one: from `lower` to `upper`, in the number's own unit. An infinite end is
/// unbounded.
///
/// It holds privacy noise alone. How well the rows stand for a population, and what bounding or selection did to them, is
/// not in it.
public struct ConfidenceInterval: Sendable, Hashable {
    /// The lower end, or minus infinity.
    public var lower: Double
    /// The upper end, or infinity.
    public var upper: Double

    /// The interval between two ends, `lower` at most `upper`.
    public init(lower: Double, upper: Double) {
        self.lower = lower
        self.upper = upper
    }

    /// All numbers: nothing is known.
    public static let unbounded = ConfidenceInterval(lower: -.infinity, upper: .infinity)

    /// Whether both ends are finite numbers.
    public var isBounded: Bool { lower.isFinite && upper.isFinite }

    /// Its part between bounds within which the truth lies. An interval that misses them altogether, as one in twenty
    /// may, has shown nothing but its own error: then all that is known are the bounds, not a single point of them.
    public func within(_ least: Double, _ largest: Double) -> ConfidenceInterval {
        guard lower < largest, upper > least else { return ConfidenceInterval(lower: least, upper: largest) }
        return ConfidenceInterval(lower: max(lower, least), upper: min(upper, largest))
    }
}

extension ConfidenceInterval {
    /// Fieller's interval for the ratio of two true values, from their noisy ones (Fieller 1954, "Some problems in
    /// interval estimation"): the ratios r for which `numerator - r denominator` is within `z` of its standard deviation,
    /// `z` the law's critical value.
    ///
    /// Its coverage does not depend on the denominator's size. Where the denominator is not clearly different from
    /// zero, no bounded interval has that: the result is unbounded.
    ///
    /// - Parameters:
    ///   - numerator: the noisy numerator, in any unit.
    ///   - numeratorVariance: the variance of its noise, in the unit's square.
    ///   - denominator: the noisy denominator.
    ///   - denominatorVariance: the variance of its noise.
    ///   - covariance: of the two noises; 0 where they are independent.
    ///   - law: the law of the noises.
    ///   - confidence: the probability that the interval holds the true ratio, above 0 and below 1.
    public static func ratio(
        numerator: Double, numeratorVariance: Double, denominator: Double, denominatorVariance: Double,
        covariance: Double = 0, law: ErrorLaw = .gaussian, confidence: Double = 0.95
    ) -> ConfidenceInterval {
        let z = law.criticalValue(confidence: confidence)
        return ratio(
            numerator: numerator, denominator: denominator,
            squaredErrors: SquaredErrors(
                numerator: z * z * numeratorVariance, denominator: z * z * denominatorVariance,
                product: z * z * covariance))
    }

    /// z^2 times variances and covariance.
    struct SquaredErrors {
        var numerator: Double
        var denominator: Double
        var product: Double
    }

    static func ratio(numerator: Double, denominator: Double, squaredErrors: SquaredErrors) -> ConfidenceInterval {
        let (v, w, u) = (squaredErrors.numerator, squaredErrors.denominator, squaredErrors.product)
        // (n - r d)^2 <= v - 2 r u + r^2 w: a r^2 - 2 b r + c <= 0, c = n^2 - v.
        let a = denominator * denominator - w
        let b = numerator * denominator - u
        guard a > 0, a.isFinite, b.isFinite else { return .unbounded }
        // b^2 - a c, without its cancellation: n^2 d^2 is not in it.
        let discriminant = a * v + numerator * (numerator * w - 2 * denominator * u) + u * u
        let root = max(0, discriminant).squareRoot()
        let (lower, upper) = ((b - root) / a, (b + root) / a)
        return lower.isFinite && upper.isFinite ? ConfidenceInterval(lower: lower, upper: upper) : .unbounded
    }
}
