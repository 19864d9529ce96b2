#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The law of an additive noise, as far as intervals of combinations of several draws need it.
public enum ErrorLaw: Sendable, Hashable {
    /// Normal, or discrete with a standard deviation well above one.
    case gaussian
    /// Double exponential, or discrete with a scale well above one.
    case laplace

    /// A number z for which a weighted sum of independent draws of the law is, with that confidence (above 0 and below 1),
    /// within z of its standard deviation: the normal quantile, and for Laplace noise the larger of it and one draw's own
    /// quantile `ln(1 / (1 - confidence)) / sqrt 2`, which a sum of several does not exceed by a test. For noise of a
    /// standard deviation well above one; a single draw's interval is its `halfWidth`.
    public func criticalValue(confidence: Double) -> Double {
        let normal = Self.normalQuantile(confidence)
        switch self {
        case .gaussian: return normal
        case .laplace: return max(normal, Self.laplaceQuantile(confidence) / 2.0.squareRoot())
        }
    }

    /// What one draw of the law with parameter 1 (standard deviation, or scale) exceeds in magnitude with the probability
    /// 1 - confidence.
    func quantile(confidence: Double) -> Double {
        self == .gaussian ? Self.normalQuantile(confidence) : Self.laplaceQuantile(confidence)
    }

    private static func laplaceQuantile(_ confidence: Double) -> Double { -log(1 - confidence) }

    /// z with P(|Z| > z) = 1 - confidence, rounded up. The usual ones are kept: a plan asks for them often.
    private static func normalQuantile(_ confidence: Double) -> Double {
        usual[confidence] ?? normalQuantile(outside: 1 - confidence)
    }

    private static let usual: [Double: Double] = [
        0.95: normalQuantile(outside: 1 - 0.95)
    ]

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
