/// A number that is not negative, known to lie between two bounds: outward-rounded interval arithmetic, without
/// subtraction, so that relative errors only add up.
protocol PositiveBounds: Sendable {
    static var zero: Self { get }
    static func + (a: Self, b: Self) -> Self
    static func * (a: Self, b: Self) -> Self
    func divided(by divisor: UInt64) -> Self
    /// From zero to the same upper bound.
    var orLess: Self { get }
    /// exp(-rate * t), to that many bits where the type has a choice.
    static func exponential(_ rate: ExponentRate, _ t: UInt128, bits: Int) -> Self
    /// numerator / 2^shift, at most 1.
    static func fraction(_ numerator: UInt64, shift: Int, bits: Int) -> Self
    /// The item at the place `u * total` on the line of all items, if it is the same one for all numbers within all
    /// bounds.
    static func item(of items: [Self], at uniform: LazyUniform) -> Int?
}

/// Bounds in floating point, each result moved outwards by at least its rounding error. Numbers below 2^-960 are bounded
/// by 0 and 2^-960, so that nothing depends on what the processor does with denormal numbers.
struct DoubleBounds: PositiveBounds {
    var lower: Double
    var upper: Double

    static let zero = DoubleBounds(lower: 0, upper: 0)
    private static let least = 0x1p-960

    /// At least the next number above: `x * 2^-52` is at least a unit in x's last place, and x one unit up is a number.
    @inline(__always)
    private static func up(_ x: Double) -> Double {
        max(x * (1 + 0x1p-52), least)
    }

    /// At most the next number below, or zero.
    @inline(__always)
    private static func down(_ x: Double) -> Double {
        let y = x * (1 - 0x1p-52)
        return y < least ? 0 : y
    }

    @inline(__always)
    static func + (a: DoubleBounds, b: DoubleBounds) -> DoubleBounds {
        if b.upper == 0 { return a }
        if a.upper == 0 { return b }
        return DoubleBounds(lower: down(a.lower + b.lower), upper: up(a.upper + b.upper))
    }

    @inline(__always)
    static func * (a: DoubleBounds, b: DoubleBounds) -> DoubleBounds {
        if a.upper == 0 || b.upper == 0 { return zero }
        return DoubleBounds(lower: down(a.lower * b.lower), upper: up(a.upper * b.upper))
    }

    func divided(by divisor: UInt64) -> DoubleBounds {
        guard divisor != 1 && upper > 0 else { return self }
        return DoubleBounds(lower: Self.down(lower / Double(divisor)), upper: Self.up(upper / Double(divisor)))
    }

    var orLess: DoubleBounds { DoubleBounds(lower: 0, upper: upper) }

    static func exponential(_ rate: ExponentRate, _ t: UInt128, bits: Int) -> DoubleBounds {
        if t == 0 { return DoubleBounds(lower: 1, upper: 1) }
        let value = ExponentialBounds.exponential(rate.exponent(t))
        guard value.exponent < 1024 else { return DoubleBounds(lower: 0, upper: least) }
        let scale = Double(sign: .plus, exponent: -value.exponent / 2 - 32, significand: 1)
        let rest = Double(sign: .plus, exponent: -value.exponent + value.exponent / 2 - 32, significand: 1)
        let (mantissa, error) = (Double(value.mantissa), Double(ExponentialBounds.mantissaError))
        return DoubleBounds(
            lower: down(down(max(0, mantissa - error)) * scale * rest),
            upper: min(1, up(up(mantissa + error) * scale * rest)))
    }

    static func fraction(_ numerator: UInt64, shift: Int, bits: Int) -> DoubleBounds {
        let value = Double(numerator) * Double(sign: .plus, exponent: -shift, significand: 1)
        if numerator < 1 << 53 { return DoubleBounds(lower: value, upper: value) }
        return DoubleBounds(lower: down(value), upper: up(value))
    }

    static func item(of items: [DoubleBounds], at uniform: LazyUniform) -> Int? {
        guard let digits = (uniform.numerator >> (uniform.bits - 64)).word else { return nil }
        var ends: [DoubleBounds] = []
        ends.reserveCapacity(items.count)
        var total = zero
        for item in items {
            total = total + item
            ends.append(total)
        }
        let place = DoubleBounds(
            lower: down(total.lower * down(Double(digits) * 0x1p-64)),
            upper: up(total.upper * up((Double(digits) + 1) * 0x1p-64)))
        for (index, end) in ends.enumerated() where end.upper > place.lower {
            return end.lower >= place.upper ? index : nil
        }
        return nil
    }
}

/// Bounds in fixed point with any number of digits: units of 2^-bits.
struct NaturalBounds: PositiveBounds {
    var lower: Natural
    var upper: Natural
    var bits: Int

    static let zero = NaturalBounds(lower: .zero, upper: .zero, bits: 0)
    private static let unit = Natural(1 as UInt64)

    static func + (a: NaturalBounds, b: NaturalBounds) -> NaturalBounds {
        NaturalBounds(lower: a.lower + b.lower, upper: a.upper + b.upper, bits: max(a.bits, b.bits))
    }

    static func * (a: NaturalBounds, b: NaturalBounds) -> NaturalBounds {
        if a.upper.isZero || b.upper.isZero { return zero }
        let bits = max(a.bits, b.bits)
        return NaturalBounds(
            lower: (a.lower * b.lower) >> bits, upper: ((a.upper * b.upper) >> bits) + unit, bits: bits)
    }

    func divided(by divisor: UInt64) -> NaturalBounds {
        NaturalBounds(lower: lower / divisor, upper: upper.dividedRoundingUp(by: divisor), bits: bits)
    }

    var orLess: NaturalBounds { NaturalBounds(lower: .zero, upper: upper, bits: bits) }

    static func exponential(_ rate: ExponentRate, _ t: UInt128, bits: Int) -> NaturalBounds {
        let one = Natural.powerOfTwo(bits)
        if t == 0 { return NaturalBounds(lower: one, upper: one, bits: bits) }
        let coarse = ExponentialBounds.exponential(rate.exponent(t))
        guard coarse.exponent <= bits + 1 else { return NaturalBounds(lower: .zero, upper: unit, bits: bits) }
        let value = ExponentialBounds.refined(rate.exactExponent(t, bits: bits), bits: bits)
        return NaturalBounds(
            lower: value.lower >> value.exponent, upper: (value.upper >> value.exponent) + unit, bits: bits)
    }

    static func fraction(_ numerator: UInt64, shift: Int, bits: Int) -> NaturalBounds {
        let exact = Natural(numerator) << (bits - shift)
        return NaturalBounds(lower: exact, upper: shift > bits ? exact + unit : exact, bits: bits)
    }

    static func item(of items: [NaturalBounds], at uniform: LazyUniform) -> Int? {
        let total = items.reduce(zero, +)
        let lowest = (total.lower * uniform.numerator) >> uniform.bits
        let highest = ((total.upper * uniform.upper) >> uniform.bits) + unit
        var end = zero
        for (index, item) in items.enumerated() {
            end = end + item
            if lowest < end.upper { return end.lower < highest ? nil : index }
        }
        return nil
    }
}
