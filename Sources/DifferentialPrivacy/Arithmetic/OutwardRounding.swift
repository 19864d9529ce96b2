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

    /// The least `Double` that is not below the sum: exact sums stay what they are.
    static func sumRoundedUp(_ a: Double, _ b: Double) -> Double {
        let sum = a + b
        // What the rounding lost, exactly (Knuth's two-sum).
        let virtual = sum - a
        let lost = (a - (sum - virtual)) + (b - virtual)
        return lost > 0 ? sum.nextUp : sum
    }

    /// The same for a product, where it is not subnormal.
    static func productRoundedUp(_ a: Double, _ b: Double) -> Double {
        let product = a * b
        return (-product).addingProduct(a, b) > 0 ? product.nextUp : product
    }

    /// The least `Double` that is not below the number.
    static func upward(_ count: Int) -> Double {
        let value = Double(count)
        return value < 0x1p63 && Int(value) < count ? value.nextUp : value
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
