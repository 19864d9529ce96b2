#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An interval of privacy noise: from `lower` to `upper`, either of which may be infinite.
public struct ConfidenceInterval: Sendable, Hashable {
    public var lower: Double
    public var upper: Double

    public init(lower: Double, upper: Double) {
        self.lower = lower
        self.upper = upper
    }

    /// All numbers: nothing is known.
    public static let unbounded = ConfidenceInterval(lower: -.infinity, upper: .infinity)

    public var isBounded: Bool { lower.isFinite && upper.isFinite }
}

/// The law of an additive noise, as far as intervals of combinations of several draws need it.
public enum ErrorLaw: Sendable, Hashable {
    case gaussian
    case laplace

    /// A number z for which a weighted sum of independent draws of the law is, with that confidence, within z of its
    /// standard deviation: the normal quantile, and for Laplace noise the larger of it and one draw's own quantile
    /// `ln(1 / (1 - confidence)) / sqrt 2`, which a sum of several does not exceed by a test. For noise of a standard
    /// deviation well above one; a single draw's interval is its `halfWidth`.
    public func criticalValue(confidence: Double) -> Double {
        let normal = Self.normalQuantile(outside: 1 - confidence)
        switch self {
        case .gaussian: return normal
        case .laplace: return max(normal, -log(1 - confidence) / 2.0.squareRoot())
        }
    }

    /// z with P(|Z| > z) = outside, rounded up.
    private static func normalQuantile(outside: Double) -> Double {
        guard outside > 0 else { return .infinity }
        var (low, high) = (0.0, 40.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if erfc(middle / 2.0.squareRoot()) <= outside { high = middle } else { low = middle }
        }
        return high
    }
}

extension ConfidenceInterval {
    /// Fieller's interval for the ratio of two true values, from independent noisy ones (Fieller 1954): the ratios r
    /// for which `numerator - r denominator` is within `z` of its standard deviation, `z` the law's critical value.
    ///
    /// Its coverage does not depend on the denominator's size. Where the denominator is not clearly different from
    /// zero, no bounded interval has that: the result is unbounded.
    public static func ratio(
        numerator: Double, numeratorVariance: Double, denominator: Double, denominatorVariance: Double,
        law: ErrorLaw = .gaussian, confidence: Double = 0.95
    ) -> ConfidenceInterval {
        let z = law.criticalValue(confidence: confidence)
        let square = z * z
        // (n - r d)^2 <= z^2 (v + r^2 w): a r^2 - 2 b r + c <= 0.
        let a = denominator * denominator - square * denominatorVariance
        let b = numerator * denominator
        guard a > 0, a.isFinite, b.isFinite else { return .unbounded }
        // b^2 - a c, without its cancellation.
        let discriminant =
            square * (a * numeratorVariance + denominatorVariance * numerator * numerator)
        let root = max(0, discriminant).squareRoot()
        let (lower, upper) = ((b - root) / a, (b + root) / a)
        return lower.isFinite && upper.isFinite ? ConfidenceInterval(lower: lower, upper: upper) : .unbounded
    }
}
