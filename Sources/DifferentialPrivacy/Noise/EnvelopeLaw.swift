/// What an `EnvelopeSampler` draws from: weights that fall from 0 to both sides, ever faster or as fast, as exponentials
/// whose exponents are known to proven bounds, in 64 bits and in more. Integer arithmetic only.
enum EnvelopeLaw: Sendable {
    /// `exp(-rate * |x|^p)`.
    case power(ExponentRate, EnvelopeSampler.Power)
    /// The Poisson law about its mode.
    case poisson(PoissonExponent)

    /// The signs whose weights differ, as `isNegative`.
    var signs: [Bool] {
        switch self {
        case .power: [false]
        case .poisson: [false, true]
        }
    }

    /// Beyond that, proposals are rejected: the law is conditioned on what is within.
    var rejectedBeyond: UInt64? {
        switch self {
        case .power: nil
        case .poisson(let law): law.reach
        }
    }

    /// A draw that so many digits do not decide is rejected.
    var largestPrecision: Int {
        switch self {
        case .power: .max
        case .poisson: PoissonExponent.largestPrecision
        }
    }

    /// The exponent of a magnitude's weight times 2^64 lies in `[lower, lower + spread]`; nil where 64 bits do not do.
    func exponent(_ magnitude: UInt64, isNegative: Bool) -> (lower: UInt128, spread: UInt64)? {
        switch self {
        case .power(let rate, let power): return (rate.exponent(Self.argument(magnitude, power)), 2)
        case .poisson(let law): return law.exponent(magnitude, isNegative: isNegative)
        }
    }

    /// `lower <= weight * 2^bits * 2^exponent <= upper`; `bits` at least 64 and at most `largestPrecision`.
    func refined(
        _ magnitude: UInt64, isNegative: Bool, bits: Int
    ) -> (lower: Natural, upper: Natural, exponent: Int) {
        switch self {
        case .power(let rate, let power):
            return ExponentialBounds.refined(
                rate.exactExponent(Self.argument(magnitude, power), bits: bits), bits: bits)
        case .poisson(let law):
            let exponent = law.exactExponent(magnitude, isNegative: isNegative, bits: bits)
            let value = ExponentialBounds.refined(exponent, bits: bits)
            // exp(-x) is at most 1: it falls by at most a unit when x grows by one.
            return (value.lower - PoissonExponent.exactSpread(bits: bits), value.upper, value.exponent)
        }
    }

    private static func argument(_ magnitude: UInt64, _ power: EnvelopeSampler.Power) -> UInt128 {
        power == .square ? UInt128(magnitude) * UInt128(magnitude) : UInt128(magnitude)
    }
}
