#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Student's t law, of any positive degrees of freedom.
struct StudentLaw {
    let degreesOfFreedom: Double

    /// P(|T| > t): the incomplete beta function of `d / (d + t^2)`, by its continued fraction (Lentz's method; Press et al.,
    /// "Numerical recipes", section 6.4).
    func tail(_ t: Double) -> Double {
        let x = degreesOfFreedom / (degreesOfFreedom + t * t)
        let (a, b) = (degreesOfFreedom / 2, 0.5)
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        let logarithm =
            GammaFunction.logarithm(a + b) - GammaFunction.logarithm(a) - GammaFunction.logarithm(b) + a * log(x)
            + b * log(1 - x)
        let factor = exp(logarithm)
        if x < (a + 1) / (a + b + 2) { return factor * Self.fraction(a, b, x) / a }
        return 1 - factor * Self.fraction(b, a, 1 - x) / b
    }

    private static func fraction(_ a: Double, _ b: Double, _ x: Double) -> Double {
        let tiny = 1e-300
        var c = 1.0
        var d = 1 - (a + b) * x / (a + 1)
        d = 1 / (abs(d) < tiny ? tiny : d)
        var result = d
        for step in 1...1000 {
            let m = Double(step)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            for numerator in [even, odd] {
                d = 1 + numerator * d
                d = 1 / (abs(d) < tiny ? tiny : d)
                c = 1 + numerator / c
                if abs(c) < tiny { c = tiny }
                result *= d * c
            }
            if abs(d * c - 1) < 1e-15 { break }
        }
        return result
    }

    /// t with P(|T| > t) = 1 - confidence.
    func quantile(confidence: Double) -> Double {
        var (low, high) = (0.0, 1.0)
        while high < 1e9 && tail(high) > 1 - confidence { high *= 2 }
        for _ in 0..<80 {
            let middle = (low + high) / 2
            if tail(middle) <= 1 - confidence { high = middle } else { low = middle }
        }
        return high
    }
}
