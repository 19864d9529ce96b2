/// Exponential noise on the integers: the geometric law, `P(X = x) ~ exp(-x / scale)` for x >= 0, exact.
///
/// Privacy: none where a noisy value is told, since a value below the true one is impossible. It is for comparisons of
/// which only the outcome is told: `P(X >= t + s) >= exp(-s / scale) P(X >= t)` for every t and s >= 0, which is all that
/// the proof of report noisy max needs (see `ReportNoisyMax`); a two-sided law of the same property has twice the
/// variance.
public struct GeometricNoise: Sendable {
    /// The scale b, in the integers' unit: P(X = x) falls by exp(-1 / b) a step.
    public let scale: Double
    private let twoSided: DiscreteLaplace

    /// Throws unless the scale is from 2^-20 to 2^40.
    public init(scale: Double) throws(MechanismError) {
        twoSided = try DiscreteLaplace(scale: scale)
        self.scale = scale
    }

    /// One draw: a discrete Laplace draw, given that it is not negative.
    public func sample<R: RandomNumberGenerator>(using generator: inout R) -> Int64 {
        while true {
            let draw = twoSided.sample(using: &generator)
            if draw >= 0 { return draw }
        }
    }

    /// `a / (1 - a)` with `a = exp(-1 / scale)`.
    public var mean: Double {
        1 / OutwardRounding.complementOfExponential(1 / scale) - 1
    }

    /// `a / (1 - a)^2`.
    public var variance: Double { twoSided.variance / 2 }
}
