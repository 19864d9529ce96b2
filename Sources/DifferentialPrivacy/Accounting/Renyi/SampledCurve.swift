#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What runs on a sample: the sum of curves, each several times.
struct RenyiBase: Hashable, Sendable {
    struct Part: Hashable, Sendable {
        var curve: RenyiCurve
        var times: Double
    }

    var parts: [Part]
    /// The epsilon of all of it together; infinite where there is none.
    var epsilon: Double

    func divergence(order: Double) -> Double {
        OutwardRounding.up(parts.reduce(0) { $0 + $1.curve.divergence(order: order) * $1.times })
    }
}

/// Rényi divergences of mechanisms on samples, at whole orders, from their curves on whole datasets.
///
/// Each is ln(1 + a sum of positive terms) / (alpha - 1); the terms are kept as logarithms.
enum SampledCurve {
    /// Longer sums than that are not worth the time; the curve without sampling bounds larger orders.
    static let orderLimit = 2000.0

    /// On a Poisson sample, add/remove (Zhu and Wang 2019, theorem 5, for any mechanism):
    /// (1-q)^(a-1) (1 + (a-1) q) + C(a,2) q^2 (1-q)^(a-2) e^D(2) + 3 sum over j >= 3 of C(a,j) (1-q)^(a-j) q^j
    /// e^((j-1) D(j)). Less 1, with the binomial terms that sum to 1 taken out.
    static func poisson(rate: Double, base: RenyiBase, order: Double) -> Double {
        sampled(rate: rate, base: base, order: order) { n in
            let (logRate, logRest) = (log(rate), log1p(-rate))
            return logSum(order: n) { j, logChoose in
                let power = (j - 1) * base.divergence(order: j)
                let binomial = logChoose + j * logRate + (n - j) * logRest
                // C q^2 (1-q)^(a-2) (e^D - 1), and C q^j (1-q)^(a-j) (3 e^((j-1) D) - 1).
                return binomial + (j == 2 ? logExpm1(power) : power + log(3) + log1p(-exp(-power) / 3))
            }
        }
    }

    /// On a Poisson sample, add/remove, of symmetric noise that is added to an integer vector once (`RenyiCurve` says why the
    /// factor is 1): (1-q)^(a-1) (1 + (a-1) q) + sum over j >= 2 of C(a,j) (1-q)^(a-j) q^j e^((j-1) D(j)).
    static func poissonSymmetric(rate: Double, base: RenyiBase, order: Double) -> Double {
        sampled(rate: rate, base: base, order: order) { n in
            let (logRate, logRest) = (log(rate), log1p(-rate))
            return logSum(order: n) { j, logChoose in
                logChoose + j * logRate + (n - j) * logRest + logExpm1((j - 1) * base.divergence(order: j))
            }
        }
    }

    /// On a sample of fixed size without replacement, replace-one (Wang, Balle and Kasiviswanathan 2019, theorem 9).
    static func fixedSize(rate: Double, base: RenyiBase, order: Double) -> Double {
        let logRange = logExpm1(base.epsilon)
        return sampled(rate: rate, base: base, order: order) { n in
            logSum(order: n) { j, logChoose in
                let power = (j - 1) * base.divergence(order: j)
                let general = power + min(log(2), j * logRange)
                let term = j == 2 ? min(log(4) + logExpm1(power), general) : general
                return logChoose + j * log(rate) + term
            }
        }
    }

    /// The same for Gaussian noise, whose moments about 1 are known (theorem 27 there): for j >= 3 also
    /// 4 sqrt(B(2 floor(j/2)) B(2 ceil(j/2))), where B(l) = E[(ratio - 1)^l].
    static func fixedSizeGaussian(rate: Double, sigma: Double, order: Double) -> Double {
        let rho = 1 / (2 * sigma * sigma)
        let base = RenyiBase(parts: [.init(curve: .linear(rho: rho), times: 1)], epsilon: .infinity)
        return sampled(rate: rate, base: base, order: order) { n in
            let usesMoments = n <= 256 && sigma > 0.3
            let moments =
                usesMoments
                ? stride(from: 0, through: n + 1, by: 2).map { logCentralMoment($0, sigma: sigma) } : []
            return logSum(order: n) { j, logChoose in
                let power = j * (j - 1) * rho
                var term = log(2) + power
                if j == 2 { term = min(term, log(4) + logExpm1(power)) }
                if j > 2, usesMoments {
                    let (low, high) = (Int(j) / 2, (Int(j) + 1) / 2)
                    term = min(term, log(4) + (moments[low] + moments[high]) / 2)
                }
                return logChoose + j * log(rate) + term
            }
        }
    }

    /// The bound at any order, and never more than what needs no sum.
    ///
    /// What is pure is also randomised response of the amplified epsilon (Balle, Barthe and Gaboardi 2018, theorems 8 and
    /// 9), which is better for small epsilons.
    private static func sampled(
        rate: Double, base: RenyiBase, order: Double, _ logExcess: (Double) -> Double
    ) -> Double {
        guard rate > 0 else { return 0 }
        var simple = base.divergence(order: order)
        if base.epsilon < .infinity {
            let amplified = Amplification.sampledEpsilon(base.epsilon, rate: rate)
            simple = min(simple, OutwardRounding.up(RenyiCurve.pure(amplified, order)))
        }
        guard rate < 1, order < orderLimit else { return simple }
        let bound = RenyiCurve.interpolated(order) { whole in
            let exponent = logExcess(whole)
            let slack = 0x1p-40 * (1 + abs(exponent) * 0x1p-5)
            let sum = exponent < 0 ? log1p(exp(exponent + slack)) : exponent + slack + log1p(exp(-exponent))
            return sum / (whole - 1)
        }
        return bound < simple ? bound : simple
    }

    /// ln of the sum over j from 2 to the order of e^term(j, ln C(order, j)).
    private static func logSum(order: Double, _ term: (_ j: Double, _ logChoose: Double) -> Double) -> Double {
        var sum = ExponentialSum()
        var logChoose = log(order)
        var j = 2.0
        while j <= order {
            logChoose += log((order - j + 1) / j)
            sum.add(exponent: term(j, logChoose))
            j += 1
        }
        return sum.logarithm
    }

    /// ln(e^x - 1), also where the exponential is no Double.
    private static func logExpm1(_ x: Double) -> Double {
        x < 30 ? log(expm1(x)) : x + log1p(-exp(-x))
    }

    /// ln E[(e^z - 1)^l] for even l, z normal with mean -1/(2 sigma^2) and variance 1/sigma^2: by the trapezoidal rule,
    /// whose integrand is entire and positive.
    private static func logCentralMoment(_ l: Double, sigma: Double) -> Double {
        guard l > 0 else { return 0 }
        let inverse = 1 / sigma
        let shift = inverse * inverse / 2
        // The strip's half width d = 2 pi / step costs e^(d^2 / 2) and, where |e^z - 1| is small, at most a factor
        // that grows with l d / sigma: finer steps for higher moments.
        let step = min(0.5, 2 * sigma / l.squareRoot(), 3 * sigma)
        var sum = ExponentialSum()
        var x = -10.0 - l.squareRoot()
        let last = l * inverse + 10 + l.squareRoot()
        while x <= last {
            let z = x * inverse - shift
            sum.add(exponent: l * logMagnitude(z) - x * x / 2)
            x += step
        }
        return sum.logarithm + log(step / (2 * Double.pi).squareRoot()) + 0x1p-40
    }

    /// ln |e^z - 1|.
    private static func logMagnitude(_ z: Double) -> Double {
        z == 0 ? -.infinity : (z < 30 ? log(abs(expm1(z))) : z + log1p(-exp(-z)))
    }
}
