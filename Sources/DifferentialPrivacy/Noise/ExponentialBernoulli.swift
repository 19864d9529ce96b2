/// Exact Bernoulli draws of probability `b = exp(-rate * t)` or `b / (1 + b)`.
///
/// The law of Canonne, Kamath and Steinke 2020 (algorithm 1) by another way: a uniform number below the probability,
/// with only as many digits of both as the comparison takes. A draw takes one word, and another with a probability
/// below 2^-57: the number of words tells nothing of `t`.
struct ExponentialBernoulli: Sendable {
    enum Form: Sendable {
        /// `b`.
        case exponential
        /// `b / (1 + b)`: a choice between weights 1 and b.
        case logistic
    }

    let rate: ExponentRate
    let form: Form

    init(rate: ExponentRate, form: Form = .exponential) {
        self.rate = rate
        self.form = form
    }

    /// Whether it happens.
    func sample<R: RandomNumberGenerator>(_ t: UInt128, using generator: inout R) -> Bool {
        sample(bounds(t), t, using: &generator)
    }

    /// As above, with the bounds of `t` computed before.
    func sample<R: RandomNumberGenerator>(
        _ bounds: (lower: UInt128, upper: UInt128), _ t: UInt128, using generator: inout R
    ) -> Bool {
        let word = generator.next()
        if UInt128(word) < bounds.lower { return true }
        if UInt128(word) >= bounds.upper { return false }
        return decide(LazyUniform(numerator: Natural(word), spread: 1, bits: 64), t, using: &generator)
    }

    /// Bounds on the probability in Q64: rounded down and up.
    func bounds(_ t: UInt128) -> (lower: UInt128, upper: UInt128) {
        let one: UInt128 = 1 << 64
        if t == 0 { return form == .exponential ? (one, one) : (one / 2, one / 2) }
        let value = ExponentialBounds.exponential(rate.exponent(t))
        guard value.exponent < 64 else { return (0, 1) }
        let mantissa = UInt128(value.mantissa)
        let error = UInt128(ExponentialBounds.mantissaError)
        let lower = (mantissa - min(mantissa, error)) >> UInt128(value.exponent)
        let upper = min((mantissa + error) >> UInt128(value.exponent) + 1, one - 1)
        switch form {
        case .exponential: return (lower, upper)
        // b / (1 + b) rises with b.
        case .logistic: return ((lower << 64) / (one + lower), (upper << 64) / (one + upper) + 1)
        }
    }

    /// With as many digits of both as it takes.
    private func decide<R: RandomNumberGenerator>(
        _ uniform: LazyUniform, _ t: UInt128, using generator: inout R
    ) -> Bool {
        var uniform = uniform
        var bits = uniform.bits + 64
        while true {
            let value = ExponentialBounds.refined(rate.exactExponent(t, bits: bits), bits: bits)
            let whole = Natural.powerOfTwo(uniform.bits)
            // u < b, or u < b (1 - u): with b = m 2^-(bits + exponent) and u = n 2^-digits.
            let (low, high) = (uniform.numerator, uniform.upper)
            let leastOther = form == .exponential ? whole : whole - high
            let mostOther = form == .exponential ? whole : whole - low
            let shift = bits + value.exponent
            if Natural.isLess(high, shift, than: value.lower * leastOther, 0, orEqual: true) { return true }
            if !Natural.isLess(low, shift, than: value.upper * mostOther, 0, orEqual: false) { return false }
            uniform.refine(using: &generator)
            bits += 64
        }
    }
}
