/// Exact discrete Gaussian noise: the integers with P(X = x) in proportion to exp(-x^2 / (2 sigma^2)).
///
/// Privacy: a vector of integers that one unit changes by at most `Delta` in L2 norm, plus independent draws, is
/// `Delta^2 / (2 sigma^2)`-zCDP (Canonne, Kamath and Steinke 2020, "The Discrete Gaussian for Differential Privacy",
/// theorem 4 for each coordinate's integer shift; Rényi divergences of independent coordinates add up). The theorem is
/// about the exact law, and draws follow the exact law: `sigma` is taken as the exact dyadic rational that a `Double`
/// is, all arithmetic of a draw is on integers, and a comparison that known digits do not decide draws more (see
/// `EnvelopeSampler`). Nothing finer than an integer comes out, whatever goes in.
public struct DiscreteGaussian: Sendable {
    /// The parameter, about the standard deviation (`variance` has the exact one), in the integers' unit.
    public let sigma: Double
    @usableFromInline let sampler: EnvelopeSampler

    /// Throws unless sigma is from 2^-20 to 2^40.
    public init(sigma: Double) throws(MechanismError) {
        try self.init(sigma: sigma, isExactOnly: false)
    }

    init(sigma: Double, isExactOnly: Bool) throws(MechanismError) {
        let exact = try NoiseScale.check(sigma, "sigma")
        self.sigma = sigma
        func make() -> EnvelopeSampler {
            let rate = ExponentRate(
                numerator: 1, divisors: [exact.significand, exact.significand], shift: -2 * exact.exponent - 1)
            return EnvelopeSampler(rate: rate, power: .square, scale: sigma, isExactOnly: isExactOnly)
        }
        sampler = isExactOnly ? make() : SamplerTables.sampler(scale: sigma, power: .square, make: make)
    }

    /// The least noise for which a vector of that squared L2 sensitivity costs at most `loss`, exactly as
    /// `PrivacyEvent.loss` computes it. Throws unless the loss is zCDP and positive.
    public init(sensitivitySquared: Double, loss: PrivacyLoss) throws(MechanismError) {
        guard loss.kind == .zeroConcentrated, loss.amount > 0 else {
            throw .parameter("loss", expected: "a positive rho")
        }
        let estimate = (sensitivitySquared / (2 * loss.value)).squareRoot() * (1 - 0x1p-50)
        let sigma = try NoiseScale.least(from: estimate, "rho") { (sigma) throws(MechanismError) in
            try PrivacyEvent.discreteGaussian(sensitivitySquared: sensitivitySquared, sigma: sigma)
                .loss(kind: .zeroConcentrated).amount <= loss.amount
        }
        try self.init(sigma: sigma)
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

    /// What happens when it is added to a vector of that squared L2 sensitivity.
    public func event(sensitivitySquared: Double) -> PrivacyEvent {
        .discreteGaussian(sensitivitySquared: sensitivitySquared, sigma: sigma)
    }

    /// The variance of the discrete law (at most sigma squared).
    public var variance: Double { DiscreteGaussianLaw(sigma: sigma).variance }

    /// The least h with P(|X| <= h) >= confidence by the exact law, rounding the probability outwards.
    public func halfWidth(confidence: Double) -> Int64 {
        DiscreteGaussianLaw(sigma: sigma).halfWidth(confidence: confidence)
    }

    /// P(X >= t) by the exact law, rounded upwards.
    public func upperTail(_ t: Int64) -> Double {
        DiscreteGaussianLaw(sigma: sigma).upperTail(t)
    }
}
