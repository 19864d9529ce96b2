#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Gamma and incomplete gamma and beta functions, to a relative error of about 1e-12 for the parameters of tests.
enum GammaFunction {
    /// The gamma function's logarithm for x > 0 (`lgamma` writes a global variable): Stirling's series from 16 on, and
    /// the recurrence below.
    static func logarithm(_ x: Double) -> Double {
        guard x < 16 else {
            let square = x * x
            let series = 1 / (12 * x) - 1 / (360 * x * square) + 1 / (1260 * x * square * square)
            return (x - 0.5) * log(x) - x + log(2 * Double.pi) / 2 + series
        }
        return logarithm(x + 16) - (0..<16).reduce(0.0) { $0 + log(x + Double($1)) }
    }

    /// The logarithm of the beta function.
    static func logBeta(_ a: Double, _ b: Double) -> Double { logarithm(a) + logarithm(b) - logarithm(a + b) }

    /// Q(a, x) for a > 0, x >= 0: what the gamma law of shape a has above x (DLMF 8.2.4). The series below a + 1,
    /// Legendre's continued fraction above (DLMF 8.11.4 and 8.9.2).
    static func upper(_ a: Double, _ x: Double) -> Double {
        guard x > 0 else { return 1 }
        guard x.isFinite else { return 0 }
        let front = exp(a * log(x) - x - logarithm(a))
        if x < a + 1 {
            var term = 1 / a
            var sum = term
            var n = a
            while abs(term) > abs(sum) * 0x1p-56 {
                n += 1
                term *= x / n
                sum += term
            }
            return max(0, 1 - front * sum)
        }
        return front
            / lentz(first: x + 1 - a) { i in
                let n = Double(i)
                return (-n * (n - a), x + Double(2 * i + 1) - a)
            }
    }

    /// I_x(a, b) for a, b > 0 (DLMF 8.17.2): what the beta law has below x, by the continued fraction 8.17.22.
    static func beta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        // On this side the fraction converges fast.
        if x > (a + 1) / (a + b + 2) { return 1 - beta(below: 1 - x, b, a) }
        return beta(below: x, a, b)
    }

    private static func beta(below x: Double, _ a: Double, _ b: Double) -> Double {
        let front = exp(a * log(x) + b * log1p(-x) - logBeta(a, b)) / a
        let fraction = lentz(first: 1) { i in
            let m = Double(i / 2)
            let term =
                i % 2 == 0
                ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            return (term, 1)
        }
        return front / fraction
    }

    /// A continued fraction `first + n1 / (d1 + n2 / (d2 + ...))` by Lentz's method (Thompson and Barnett 1986); the
    /// parts of term i are given from i = 1 on.
    private static func lentz(first: Double, _ part: (Int) -> (numerator: Double, denominator: Double)) -> Double {
        let tiny = 1e-300
        var value = first == 0 ? tiny : first
        var (c, d) = (value, 0.0)
        for i in 1...20_000 {
            let (numerator, denominator) = part(i)
            d = denominator + numerator * d
            if abs(d) < tiny { d = tiny }
            d = 1 / d
            c = denominator + numerator / c
            if abs(c) < tiny { c = tiny }
            let change = c * d
            value *= change
            if abs(change - 1) < 0x1p-52 { break }
        }
        return value
    }
}
