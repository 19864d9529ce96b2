#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Floating-point results moved outwards by more than their error. The system's elementary functions are taken to be
/// right to 8 units in the last place (glibc documents at most 4 for those used here).
enum OutwardRounding {
    /// A little above the value: enough for about a hundred roundings.
    static func up(_ value: Double) -> Double {
        value + abs(value) * 0x1p-45 + .leastNonzeroMagnitude
    }

    /// A little below.
    static func down(_ value: Double) -> Double {
        value - abs(value) * 0x1p-45 - .leastNonzeroMagnitude
    }

    /// `exp(x^2) erfc(x)` for x >= 0, to a relative error below 2^-46.
    ///
    /// Below 2 as it stands; above by its continued fraction (Abramowitz and Stegun 7.1.14), 80 levels of which leave
    /// less than 2^-60 at 2.
    static func scaledComplementaryErrorFunction(_ x: Double) -> Double {
        if x < 2 { return exp(x * x) * erfc(x) }
        var fraction = x
        for level in stride(from: 80, through: 1, by: -1) {
            fraction = x + Double(level) / 2 / fraction
        }
        return 1 / (fraction * Double.pi.squareRoot())
    }
}

extension OutwardRounding {
    /// The natural logarithm, as the system computes it.
    static func logarithm(_ x: Double) -> Double { log(x) }

    /// `exp(x)` and `1 - exp(-x)`, as the system computes them.
    static func exponential(_ x: Double) -> Double { exp(x) }
    static func complementOfExponential(_ x: Double) -> Double { -expm1(-x) }

    /// A power, as the system computes it.
    static func power(_ x: Double, _ exponent: Double) -> Double { pow(x, exponent) }
}
