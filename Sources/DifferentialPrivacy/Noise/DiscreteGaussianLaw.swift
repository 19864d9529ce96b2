#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Probabilities of the discrete Gaussian, rounded outwards: for public intervals and thresholds, never for draws.
///
/// With f(x) = exp(-x^2 / (2 sigma^2)). Up to sigma = 64, sums are added up. Above, Euler and Maclaurin's formula gives
/// `sum over k >= t of f = integral from t + f(t)/2 - f'(t)/12 + R`, `|R| <= 0.0081 * integral of |f'''|` (the third
/// Bernoulli polynomial is at most sqrt(3)/36). That integral is the variation of f'' on [t, infinity): f''(t) from
/// sqrt(3) sigma on, where f'' falls to zero; below 1.9 / sigma^2 from anywhere.
struct DiscreteGaussianLaw {
    let sigma: Double

    static let largestSummed = 64.0

    func f(_ x: Double) -> Double {
        exp(-(x / sigma) * (x / sigma) / 2)
    }

    /// The sum of f over all integers, from below. It is sigma sqrt(2 pi) times `1 + 2 exp(-2 pi^2 sigma^2) + ...`
    /// (Poisson's formula): above that product, and equal to it in a `Double` from sigma = 2 on.
    var normalizer: Double {
        guard sigma < 2 else { return OutwardRounding.down(sigma * (2 * Double.pi).squareRoot()) }
        return OutwardRounding.down((1...64).reversed().reduce(0) { $0 + 2 * f(Double($1)) } + 1)
    }

    /// The sum of f over k >= t, t >= 0, from above and from below.
    func tailSum(_ t: Int64) -> (lower: Double, upper: Double) {
        guard sigma > Self.largestSummed else { return summedTail(t) }
        let x = Double(t)
        let integral = sigma * (Double.pi / 2).squareRoot() * erfc(x / (sigma * 2.0.squareRoot()))
        let height = f(x)
        let sum = integral + height / 2 + height * x / (12 * sigma * sigma)
        let scaled = x / sigma
        let variation = scaled >= 1.7320509 ? height * (scaled * scaled - 1) : 1.9
        // The argument's rounding weighs as its square in the exponential.
        let error = 0.0081 * variation / (sigma * sigma) + sum * (0x1p-45 + scaled * scaled * 0x1p-50)
        return (max(0, sum - error), sum + error + .leastNonzeroMagnitude)
    }

    private func summedTail(_ t: Int64) -> (lower: Double, upper: Double) {
        var sum = 0.0
        var x = Double(t)
        while true {
            let term = f(x)
            sum += term
            // Terms fall at least as fast from here on as the next two do.
            let fall = exp(-(2 * x + 1) / (2 * sigma * sigma))
            let rest = term * fall / (1 - fall)
            if rest <= sum * 0x1p-60 || term == 0 {
                let error = sum * (0x1p-43 + (Double(t) / sigma) * (Double(t) / sigma) * 0x1p-50)
                return (max(0, sum - error), sum + error + .leastNonzeroMagnitude)
            }
            x += 1
        }
    }

    /// P(X >= t), rounded upwards.
    func upperTail(_ t: Int64) -> Double {
        if t > 0 { return min(1, OutwardRounding.up(tailSum(t).upper / normalizer)) }
        if t == .min { return 1 }
        let above = OutwardRounding.up(normalizer * (1 + 0x1p-40))
        return min(1, OutwardRounding.up(1 - OutwardRounding.down(tailSum(1 - t).lower / above)))
    }

    /// The least h with P(|X| <= h) >= confidence, rounding the probability outwards.
    func halfWidth(confidence: Double) -> Int64 {
        let outside = (1 - confidence) / 2
        guard outside > 0 else { return .max }
        if sigma <= Self.largestSummed && outside > 1e-6 { return summedHalfWidth(confidence) }
        return least(from: 0) { upperTail($0 + 1) <= outside }
    }

    private func summedHalfWidth(_ confidence: Double) -> Int64 {
        let enough = confidence * OutwardRounding.up(normalizer * (1 + 0x1p-40))
        var inside = 1.0
        var h: Int64 = 0
        while OutwardRounding.down(inside) < enough {
            h += 1
            inside += 2 * f(Double(h))
        }
        return h
    }

    /// The least integer from `start` on for which a condition holds that, once true, stays true.
    func least(from start: Int64, where holds: (Int64) -> Bool) -> Int64 {
        var step: Int64 = max(1, Int64(sigma))
        var (low, high) = (start, start)
        while !holds(high) { (low, high, step) = (high + 1, high + step, 2 * step) }
        while low < high {
            let middle = low + (high - low) / 2
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        return high
    }

    var variance: Double {
        guard sigma < 4 else { return sigma * sigma }
        let terms = (1...64).reversed().map { (Double($0) * Double($0), f(Double($0))) }
        return terms.reduce(0) { $0 + 2 * $1.0 * $1.1 } / (1 + terms.reduce(0) { $0 + 2 * $1.1 })
    }
}
