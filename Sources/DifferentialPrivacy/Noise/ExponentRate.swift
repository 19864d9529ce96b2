/// A positive rational `rate`, and bounds on `rate * t` and `exp(-rate * t)` for integers `t`: in 64 bits at first, in
/// as many as wanted where 64 do not decide. Integer arithmetic only.
///
/// Fixed point: "Q64" counts in units of 2^-64.
struct ExponentRate: Sendable {
    /// `rate = numerator * 2^shift / product of divisors`.
    private let numerator: Natural
    private let divisors: [UInt64]
    private let shift: Int
    /// `mantissa <= rate * 2^mantissaShift < mantissa + 1`, and `mantissa >= 2^127`.
    private let mantissa: UInt128
    private let mantissaShift: Int

    /// The positive rational `numerator * 2^shift / (d1 d2 ...)`; no divisor is zero.
    init(numerator: UInt64, divisors: [UInt64], shift: Int) {
        self.numerator = Natural(numerator)
        self.divisors = divisors
        self.shift = shift
        let scaling = 128 + 64 * divisors.count
        let quotient = divisors.reduce(Natural(numerator) << scaling) { $0 / $1 }
        let excess = quotient.bitWidth - 128
        mantissa = (quotient >> excess).low128
        mantissaShift = scaling - excess - shift
    }

    /// What larger exponents count as: `exp` of it is below every positive number that is ever compared with it.
    static let largestExponent: UInt128 = 1 << 126

    /// `g` with `g <= rate * t * 2^64 < g + 2`; `largestExponent` if `rate * t` is at least 2^62.
    func exponent(_ t: UInt128) -> UInt128 {
        let product = t.multipliedFullWidth(by: mantissa)
        let count = mantissaShift - 64
        var result: UInt128
        if count <= 0 {
            let isSmall = product.high == 0 && product.low.leadingZeroBitCount >= 2 - count
            result = isSmall ? product.low << UInt128(-count) : Self.largestExponent
        } else if count < 128 {
            guard product.high >> UInt128(count) == 0 else { return Self.largestExponent }
            result = product.high << UInt128(128 - count) | product.low >> UInt128(count)
        } else {
            result = count < 256 ? product.high >> UInt128(count - 128) : 0
        }
        result = min(result, Self.largestExponent)
        return result
    }

    /// `rate * t * 2^bits`, rounded down.
    func exactExponent(_ t: UInt128, bits: Int) -> Natural {
        divisors.reduce((numerator * Natural(t)) << (shift + bits)) { $0 / $1 }
    }
}

/// `exp(-x)`, bounded in integer arithmetic.
enum ExponentialBounds {
    /// floor(ln 2 * 2^128).
    static let logarithmOfTwo: UInt128 = 0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6af
    /// floor(2^127 / ln 2).
    static let inverseLogarithmOfTwo: UInt128 = 0xb8aa_3b29_5c17_f0bb_be87_fed0_691d_3e88
    /// ceil(ln 2 * 2^64).
    static let logarithmOfTwoQ64: UInt128 = 0xb172_17f7_d1cf_79ac

    /// The bound on the error of `exponential`'s mantissa.
    static let mantissaError: UInt64 = 32

    /// floor(2^64 / k) for k = 1...20 (k = 1 less one).
    private static let reciprocals: [UInt64] = (1...20).map { UInt64.max / $0 }

    /// `exp(-x) = (mantissa ± mantissaError) * 2^-64 * 2^-exponent` for any x with `g <= x * 2^64 < g + 2`.
    ///
    /// `exponent = floor(x / ln 2)` (or one less, where the product with the rounded-down reciprocal falls short by a
    /// trifle), and `r = x - exponent * ln 2` lies in [0, ln 2 + 2^-50). The mantissa is the Taylor series of `exp(-r)`
    /// to its 20th term in Horner's form `a_k = 1 - (r / k) a_(k+1)`: the rest is below `r^21 / 21! < 2^-76`. Each step
    /// rounds down three times, so `e_k <= 3 + (r / k) e_(k+1)`, whose sum stays below 3 / (1 - ln 2) < 10 units; the
    /// two units of `g` and two of `exponent * ln 2` make at most 14. A test compares with exact bounds.
    @inline(__always)
    static func exponential(_ g: UInt128) -> (mantissa: UInt64, exponent: Int) {
        let halvings = UInt64(truncatingIfNeeded: g.multipliedFullWidth(by: inverseLogarithmOfTwo).high >> 63)
        let product = UInt128(halvings).multipliedFullWidth(by: logarithmOfTwo)
        let removed = product.high << 64 | UInt128(product.low >> 64)
        let r = UInt64(clamping: g &- min(removed, g))
        var sum = UInt64.max
        reciprocals.withUnsafeBufferPointer { reciprocals in
            var k = 19
            while k > 0 {
                sum = UInt64.max - high(high(r, sum), reciprocals[k])
                k -= 1
            }
        }
        return (UInt64.max - high(r, sum), Int(halvings))
    }

    @inline(__always)
    private static func high(_ a: UInt64, _ b: UInt64) -> UInt64 {
        a.multipliedFullWidth(by: b).high
    }

    /// `lower <= exp(-x) * 2^bits * 2^exponent <= upper` for any x with `g <= x * 2^bits < g + 1`; `bits` at least 64.
    ///
    /// The Taylor series is summed until a term vanishes; a term's error is at most 4 units (its predecessor's, times
    /// `r / k < 1`, and its own rounding), the rest less than one, and `r` is known to 4.
    static func refined(_ g: Natural, bits: Int) -> (lower: Natural, upper: Natural, exponent: Int) {
        let coarse = (g >> (bits - 64)).bitWidth > 126 ? ExponentRate.largestExponent : (g >> (bits - 64)).low128
        let halvings = UInt64(truncatingIfNeeded: coarse.multipliedFullWidth(by: inverseLogarithmOfTwo).high >> 63)
        let r = g - ((logarithmOfTwo(bits: bits + 64) * halvings) >> 64)
        var positive = Natural.zero
        var negative = Natural.zero
        var term = Natural.powerOfTwo(bits)
        var k: UInt64 = 0
        while !term.isZero {
            if k % 2 == 0 { positive = positive + term } else { negative = negative + term }
            k += 1
            term = ((term * r) >> bits) / k
        }
        let error = Natural(4 * k + 16)
        let sum = positive - negative
        return (sum - error, min(sum + error, .powerOfTwo(bits)), Int(halvings))
    }

    /// `ln 2 * 2^bits`, rounded down or one less: the sum of `1 / (k 2^k)`, with 64 guard bits.
    static func logarithmOfTwo(bits: Int) -> Natural {
        let precision = bits + 64
        var sum = Natural.zero
        for k in 1...UInt64(precision) {
            sum = sum + Natural.powerOfTwo(precision - Int(k)) / k
        }
        return sum >> 64
    }
}
