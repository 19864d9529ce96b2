#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The Rényi divergence of Gaussian noise on a Poisson sample, of any order above 1 (Mironov, Talwar and Zhang 2019).
///
/// In units of the noise: with x normal and u = q (e^z - 1), z = x / sigma - 1 / (2 sigma^2), the likelihood ratio of a
/// unit's presence is 1 + u, and the divergence is ln(E[(1 + u)^alpha]) / (alpha - 1). Presence against absence is the
/// worse direction at every order (theorem 5 there).
///
/// Since E[u] = 0, the expectation exceeds 1 by E[g] for g(u) = (1 + u)^alpha - 1 - alpha u >= 0: nothing cancels. The
/// trapezoidal rule on the whole line is then exact to a relative error below 1e-12: the integrand is analytic for
/// |Im x| < pi sigma and there grows at most by e^(d^2 / 2) on Im x = d, so that a step h leaves about
/// e^(d^2 / 2 - 2 pi d / h) (Trefethen and Weideman 2014, theorem 5.1).
struct SampledGaussian {
    let rate: Double
    let sigma: Double

    /// More nodes, or terms, than that are not worth the time.
    private static let workLimit = 5000.0

    /// The divergence, rounded up.
    func divergence(order: Double) -> Double {
        let unsampled = order / (2 * sigma * sigma)
        guard rate < 1 else { return unsampled }
        guard rate > 0 else { return 0 }
        // Squares of smaller rates are no Doubles; a larger rate is never better.
        guard rate >= 1e-100 else { return SampledGaussian(rate: 1e-100, sigma: sigma).divergence(order: order) }
        let step = step
        let nodes = (order / sigma + 20) / step
        let value: Double
        if nodes < Self.workLimit {
            value = excess(order: order, step: step).logOnePlus / (order - 1)
        } else if order < Self.workLimit {
            value = RenyiCurve.interpolated(order) { binomial(order: Int($0)) }
        } else {
            value = unsampled
        }
        // Sampling never makes it worse: the divergence is quasi-convex (van Erven and Harremoës 2014, theorem 13).
        return value < unsampled ? value : unsampled
    }

    /// So that 2 pi d / h - d^2 / 2 = 38, for the best d.
    private var step: Double {
        let widest = 0.95 * Double.pi * sigma
        let d = min(widest, 76.0.squareRoot())
        return 2 * Double.pi * d / (38 + d * d / 2)
    }

    /// ln(1 + E[g]), for a step of the rule.
    private func excess(order: Double, step: Double) -> ExponentialSum {
        let inverse = 1 / sigma
        let shift = inverse * inverse / 2
        // Beyond, what g gains is less than what the normal density loses.
        let last = order * inverse + 10
        // Where a power could overflow, sums are kept relative to their largest term.
        if order * (last * inverse - shift) > 600 { return scaledExcess(order: order, step: step) }
        var sum = 0.0
        var x = -10.0
        while x <= last {
            sum += Expansion.power(rate * expm1(x * inverse - shift), order: order) * exp(-x * x / 2)
            x += step
        }
        return ExponentialSum(scaled: sum * step / (2 * Double.pi).squareRoot(), logScale: 0)
    }

    private func scaledExcess(order: Double, step: Double) -> ExponentialSum {
        let t = order - 1
        let inverse = 1 / sigma
        let shift = inverse * inverse / 2
        let last = order * inverse + 10
        var sum = ExponentialSum()
        var x = -10.0
        while x <= last {
            let z = x * inverse - shift
            // ln(1 + u), also where e^z is no Double.
            let u = z < 600 ? rate * expm1(z) : .infinity
            let logarithm = z < 600 ? log1p(u) : log(rate) + z + exp(-z) * (1 - rate) / rate
            let y = t * logarithm
            let part = t * Expansion.entropy(u, logarithm: logarithm) + (1 + u) * Expansion.exponential(y)
            // g <= (1 + u)^alpha, and that is all of it where the power is large.
            let logG = y < 200 && part < .infinity ? log(part) : order * logarithm
            let exponent = logG - x * x / 2
            sum.add(exponent: exponent)
            x += step
        }
        sum.scaled *= step / (2 * Double.pi).squareRoot()
        return sum
    }

    /// The same at a whole order, by Mironov, Talwar and Zhang's finite sum: the terms 0 and 1 less their exponentials
    /// cancel exactly against 1. For noise so small that the integral would need many nodes.
    func binomial(order: Int) -> Double {
        guard order > 1 else { return 0 }
        let n = Double(order)
        let shift = 1 / (2 * sigma * sigma)
        let (logRate, logRest) = (log(rate), log1p(-rate))
        var logChoose = log(n)
        var sum = ExponentialSum()
        for k in 2...order {
            let k = Double(k)
            logChoose += log((n - k + 1) / k)
            let exponent = k * (k - 1) * shift
            let logExcess = exponent < 1 ? log(expm1(exponent)) : exponent + log1p(-exp(-exponent))
            let term = logChoose + k * logRate + (n - k) * logRest + logExcess
            sum.add(exponent: term)
        }
        return sum.logOnePlus / (n - 1)
    }
}

extension ExponentialSum {
    /// ln(1 + sum), with the relative error of the sum added.
    fileprivate var logOnePlus: Double {
        if logScale == 0 { return log1p(scaled * (1 + 0x1p-38)) }
        let slack = 0x1p-38 + abs(logScale) * 0x1p-45
        let logarithm = log(scaled) + logScale + slack
        return logarithm < 0 ? log1p(exp(logarithm)) : logarithm + log1p(exp(-logarithm))
    }
}
