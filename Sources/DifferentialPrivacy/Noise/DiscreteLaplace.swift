#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Exact discrete Laplace noise: the integers with P(X = x) in proportion to exp(-|x| / scale).
///
/// Privacy: a vector of integers that one unit changes by at most `Delta` in L1 norm, plus independent draws, is
/// `Delta / scale`-differentially private (Ghosh, Roughgarden and Sundararajan 2009; Canonne, Kamath and Steinke 2020,
/// section 5): the ratio of two shifted probabilities is at most exp(Delta / scale) point by point. Draws follow the
/// exact law, in integer arithmetic, as for `DiscreteGaussian`.
public struct DiscreteLaplace: Sendable {
    /// The scale b, in the integers' unit: P(X = x) falls by exp(-1 / b) a step.
    public let scale: Double
    @usableFromInline let sampler: EnvelopeSampler

    /// Throws unless the scale is from 2^-20 to 2^40.
    public init(scale: Double) throws(MechanismError) {
        try self.init(scale: scale, isExactOnly: false)
    }

    init(scale: Double, isExactOnly: Bool) throws(MechanismError) {
        let exact = try NoiseScale.check(scale, "scale")
        self.scale = scale
        func make() -> EnvelopeSampler {
            let rate = ExponentRate(numerator: 1, divisors: [exact.significand], shift: -exact.exponent)
            return EnvelopeSampler(rate: rate, power: .linear, scale: scale, isExactOnly: isExactOnly)
        }
        sampler = isExactOnly ? make() : SamplerTables.sampler(scale: scale, power: .linear, make: make)
    }

    /// The least noise for which a vector of that L1 sensitivity costs at most `loss`, exactly as `PrivacyEvent.loss`
    /// computes it. Throws unless the loss is positive.
    public init(sensitivity: Double, loss: PrivacyLoss) throws(MechanismError) {
        try loss.checkIsBudget()
        let epsilon = loss.kind == .pure ? loss.value : (2 * loss.value).squareRoot()
        let estimate = sensitivity / epsilon * (1 - 0x1p-50)
        let scale = try NoiseScale.least(from: estimate, "loss") { (scale) throws(MechanismError) in
            try PrivacyEvent.discreteLaplace(sensitivity: sensitivity, scale: scale)
                .loss(kind: loss.kind).amount <= loss.amount
        }
        try self.init(scale: scale)
    }

    /// One draw.
    @inlinable
    public func sample<R: RandomNumberGenerator>(using generator: inout R) -> Int64 {
        sampler.sample(using: &generator)
    }

    /// Adds an independent draw to each value. A sum beyond Int64 becomes its bound.
    @inlinable
    public func add<R: RandomNumberGenerator>(to values: inout [Int64], using generator: inout R) {
        sampler.add(to: &values, using: &generator)
    }

    /// What happens when it is added to a vector of that L1 sensitivity.
    public func event(sensitivity: Double) -> PrivacyEvent {
        .discreteLaplace(sensitivity: sensitivity, scale: scale)
    }

    /// The variance of the discrete law, `2 a / (1 - a)^2` with `a = exp(-1 / scale)`.
    public var variance: Double {
        let root = 2 * sinh(1 / (2 * scale))
        return 2 / (root * root)
    }

    /// The least h with P(|X| <= h) >= confidence by the exact law, rounding the probability outwards.
    public func halfWidth(confidence: Double) -> Int64 {
        halfWidth(outside: 1 - confidence)
    }

    /// The least h with P(|X| > h) <= outside.
    func halfWidth(outside: Double) -> Int64 {
        guard outside >= 0x1p-900 else { return .max }
        let estimate = scale * log(2 / (outside * (1 + exp(-1 / scale)))) - 1
        var h = max(0, Int64(estimate.rounded(.down)) - 1)
        while 2 * upperTail(h + 1) > outside { h += 1 }
        return h
    }

    /// P(X >= t) by the exact law, rounded upwards: `exp(-t / scale) / (1 + exp(-1 / scale))` for t >= 1.
    public func upperTail(_ t: Int64) -> Double {
        guard t >= 1 else { return t == 0 ? OutwardRounding.up(1 - tail(1) * (1 - 0x1p-40)) : 1 - mirrored(t) }
        return tail(t) * (1 + 0x1p-40) + Double.leastNonzeroMagnitude
    }

    private func tail(_ t: Int64) -> Double {
        // The quotient's rounding is an error of t / scale in the exponent's last place.
        exp(-Double(t) / scale) / (1 + exp(-1 / scale))
    }

    /// P(X < t) for t <= 0, rounded downwards.
    private func mirrored(_ t: Int64) -> Double {
        t == .min ? 0 : max(0, tail(1 - t) * (1 - 0x1p-40) - 0x1p-53)
    }
}
