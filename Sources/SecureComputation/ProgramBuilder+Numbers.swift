internal import ModularArithmetic

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Functions of numbers in fixed point: the value is brought to a mantissa by its highest bit, which comparisons with powers of two find (Catrina and de Hoogh 2010; Keller 2020), a first approximation by straight
/// pieces or a table follows, and a step of Newton's or the first terms of a series. All divisions are exact, so that results are those of ``ClearText`` to the bit.
extension ProgramBuilder {
    /// Bits behind a mantissa's point.
    private static let mantissaBits = 26
    /// Bits behind the point of a first approximation.
    private static let coarseBits = 15
    /// Bits behind the point of what Newton's step gives.
    private static let fineBits = 28
    /// Bits behind the point of a logarithm before it is rounded: those of a mantissa times a factor of ten bits.
    private static let logarithmBits = 36

    /// 1 / x. Values outside of the range count as its nearest end.
    ///
    /// **Error.** At most half a unit of the last place and 2^-25 of the result. Proof: 32 straight pieces of equal ratio miss 1 / m by 2^-14, and their division by 2^-15; Newton's step (Goldschmidt 1964) squares the sum, 2^-26.7;
    /// rounding its result and the mantissa adds 2^-28 and 2^-27, and the last division half a unit. A test measures it.
    ///
    /// **Rounds.** Nine with two parties, less one where the result is so fine that its division falls away, and one more where the range reaches 2^27 as an integer.
    ///
    /// - Parameters:
    ///   - fractionBits: Behind the point, of the value and of the result, 8 to 20.
    ///   - range: Positive and public. Ends are rounded to units; the larger is less than 2^30 times the smaller, about, and below 2^48 as an integer.
    /// - Throws: ``ComputationError``.
    public mutating func reciprocal(
        _ value: Value, fractionBits: Int, over range: ClosedRange<Double>
    ) throws(ComputationError) -> Value {
        let ends = try UnitRange(range, fractionBits: fractionBits)
        let number = try normalized(value, in: ends, step: 1, lowestExponent: ends.lowestExponent)
        let rough = try powerOfMantissa(number.mantissa, step: 1, pieces: 32, exponent: 1)
        // 1 - m y, within 2^-13, and y + y (1 - m y).
        let scale = Self.mantissaBits + Self.coarseBits
        let near = try product(number.mantissa, rough, bound: Self.power(scale) + Self.power(scale - 13))
        let miss = try narrowed(
            filled(1 << Int64(scale), like: value), plus: -1, times: near, bound: Self.power(scale - 13),
            isNonNegative: false)
        let change = try truncated(
            try product(rough, miss), by: scale + Self.coarseBits - Self.fineBits, exactly: true)
        let inverse = try combined([(rough, 1 << Int64(Self.fineBits - Self.coarseBits)), (change, 1)])
        let whole = try product(inverse, number.looked(up: { 1 << Int64($0) }, in: &self))
        let bound = Self.power(2 * fractionBits) / Double(ends.low)
        return try scaled(
            whole, by: 2 * fractionBits - number.exponent - Self.fineBits, bound: bound * (1 + 0x1p-25) + 1)
    }

    /// 1 / sqrt(x). Values outside of the range count as its nearest end.
    ///
    /// **Error.** At most half a unit of the last place and 2^-25 of the result. Proof: 48 straight pieces of equal ratio miss 1 / sqrt(m), 1 <= m < 4, by 2^-14.6, and their division by 2^-15; Newton's step makes 3 / 2 of the sum's
    /// square of it, 2^-27; rounding adds 2^-28 and half of the mantissa's 2^-27, and the last division half a unit. A test measures it.
    ///
    /// **Rounds.** Ten with two parties, less one where the result is so fine that its division falls away, and one more where the range reaches 2^27 or 2^28 as an integer.
    ///
    /// - Parameters:
    ///   - fractionBits: Behind the point, of the value and of the result, 8 to 20.
    ///   - range: As of ``reciprocal(_:fractionBits:over:)``.
    /// - Throws: ``ComputationError``.
    public mutating func inverseSquareRoot(
        _ value: Value, fractionBits: Int, over range: ClosedRange<Double>
    ) throws(ComputationError) -> Value {
        let ends = try UnitRange(range, fractionBits: fractionBits)
        let number = try normalized(value, in: ends, step: 2, lowestExponent: ends.evenExponent)
        let inverse = try inverseRoot(number.mantissa, fineBits: Self.fineBits)
        let whole = try product(inverse, number.looked(up: { 1 << Int64($0 / 2) }, in: &self))
        let bound = (Self.power(3 * fractionBits) / Double(ends.low)).squareRoot()
        return try scaled(
            whole, by: (3 * fractionBits - number.exponent) / 2 - Self.fineBits, bound: bound * (1 + 0x1p-25) + 1)
    }

    /// sqrt(x), as x / sqrt(x). Values outside of the range count as its nearest end; zero can be no end.
    ///
    /// **Error.** At most half a unit of the last place and 2^-25 of the result, as of ``inverseSquareRoot(_:fractionBits:over:)``; 2^-20 of it where the range passes 2^30 as an integer, since fewer bits of the inverse root fit then. A test measures it.
    ///
    /// **Rounds.** Ten with two parties, and one more where the range reaches 2^27 or 2^28 as an integer.
    ///
    /// - Parameters:
    ///   - fractionBits: Behind the point, of the value and of the result, 8 to 20.
    ///   - range: As of ``reciprocal(_:fractionBits:over:)``, and below 2^36 as an integer.
    /// - Throws: ``ComputationError``.
    public mutating func squareRoot(
        _ value: Value, fractionBits: Int, over range: ClosedRange<Double>
    ) throws(ComputationError) -> Value {
        let ends = try UnitRange(range, fractionBits: fractionBits)
        let number = try normalized(value, in: ends, step: 2, lowestExponent: ends.evenExponent)
        let fineBits = min(Self.fineBits, 58 - number.exponent)
        guard ends.high < 1 << 36, fineBits >= 22 else {
            throw .overflow("a square root's range", bits: number.exponent + 24)
        }
        let inverse = try inverseRoot(number.mantissa, fineBits: fineBits)
        let powers = try number.looked(up: { 1 << Int64($0 / 2) }, in: &self)
        // x 2^((K - k) / 2) is at most 2^(K + 2), and with the inverse root at most 2^(K / 2 + 1) sqrt(x).
        let weighted = try product(number.clamped, powers, bound: Self.power(number.exponent + 2))
        let root = (Double(ends.high) * Self.power(number.exponent)).squareRoot()
        let whole = try product(inverse, weighted, bound: root * Self.power(fineBits) * (1 + 0x1p-12))
        let bound = (Double(ends.high) * Self.power(fractionBits)).squareRoot()
        return try scaled(
            whole, by: (fractionBits - number.exponent) / 2 - fineBits, bound: bound * (1 + 0x1p-20) + 1)
    }

    /// The natural logarithm. Values outside of the range count as its nearest end.
    ///
    /// **Error.** At most half a unit of the last place and 2^-23. Proof: of 64 pieces of equal ratio each has a factor of ten bits that brings the mantissa within 0.0065 of 1; the logarithm's series from its third term on is less
    /// than 2^-23.4 there, the mantissa's rounding 2^-27, tables' 2^-31, and the last division half a unit. A test measures it.
    ///
    /// **Rounds.** Seven with two parties, and one more where the range reaches 2^27 as an integer.
    ///
    /// - Parameters:
    ///   - fractionBits: Behind the point, of the value and of the result, 8 to 20.
    ///   - range: As of ``reciprocal(_:fractionBits:over:)``.
    /// - Throws: ``ComputationError``.
    public mutating func logarithm(
        _ value: Value, fractionBits: Int, over range: ClosedRange<Double>
    ) throws(ComputationError) -> Value {
        let ends = try UnitRange(range, fractionBits: fractionBits)
        let number = try normalized(value, in: ends, step: 1, lowestExponent: ends.lowestExponent)
        let fraction = try logarithmOfMantissa(number.mantissa)
        let whole = try number.looked(
            up: {
                let exponent = Double(number.exponent - $0 - fractionBits)
                return Int64((exponent * log(2) * Self.power(Self.logarithmBits)).rounded())
            }, in: &self)
        let largest = [ends.low, ends.high].map { abs(log(Double($0)) - Double(fractionBits) * log(2)) }.max() ?? 0
        return try scaled(
            try sum(whole, fraction), by: fractionBits - Self.logarithmBits,
            bound: (largest + 0x1p-22) * Self.power(fractionBits) + 1, isNonNegative: false)
    }

    /// log m of a mantissa from 1 to 2, by a table and two terms of the series of what is left.
    private mutating func logarithmOfMantissa(_ mantissa: Value) throws(ComputationError) -> Value {
        let (pieces, scale) = (64, Self.logarithmBits)
        let factorScale = Self.power(scale - Self.mantissaBits)
        func end(_ piece: Double) -> Double { exp2(piece / Double(pieces)) }
        let factors = (0..<pieces).map { (factorScale / end(Double($0) + 0.5)).rounded() }
        let knots = (1..<pieces).map { Int64((Self.power(Self.mantissaBits) * end(Double($0))).rounded()) }
        let places = try isAtLeast(mantissa, each: knots)
        let factor = try looked(up: factors.map { Int64($0) }, by: places, like: mantissa)
        let logarithms = factors.map { Int64((-log($0 / factorScale) * Self.power(scale)).rounded()) }
        let table = try looked(up: logarithms, by: places, like: mantissa)
        // m y = 1 - e, within 0.0065, so that log m = -log y - e - e^2 / 2, and so on.
        let near = try product(mantissa, factor, bound: 1.0065 * Self.power(scale))
        let miss = try narrowed(
            filled(1 << Int64(scale), like: mantissa), plus: -1, times: near, bound: 0.0065 * Self.power(scale),
            isNonNegative: false)
        let square = try truncated(try product(miss, miss), by: scale + 1, exactly: true)
        return try combined([(table, 1), (miss, -1), (square, -1)])
    }

    /// The exponential function. Values outside of the range count as its nearest end.
    ///
    /// **Error.** At most half a unit of the last place, 2^-23 of the result, and 2^-28 of 1 or of the range's largest result, whichever is more. Proof: tables of two digits of x leave 2^-7 at most, of which the series' first three terms miss 2^-23.5 of the result; tables,
    /// products and the series are rounded to 2^-29 of the largest, or of what they are, and the last division to half a unit. A test measures it.
    ///
    /// **Rounds.** Six with two parties.
    ///
    /// - Parameters:
    ///   - fractionBits: Behind the point, of the value and of the result, 8 to 20.
    ///   - range: Public, of a length of at most 64, to at most 20. Ends are rounded to units.
    /// - Throws: ``ComputationError``.
    public mutating func exponential(
        _ value: Value, fractionBits bits: Int, over range: ClosedRange<Double>
    ) throws(ComputationError) -> Value {
        guard (8...20).contains(bits), range.lowerBound.isFinite, range.upperBound <= 20,
            range.upperBound - range.lowerBound <= 64, range.upperBound >= -40
        else {
            throw .parameter(
                "an exponential of \(bits) bits over \(range)",
                expected: "8 to 20 bits, a length of at most 64, between -104 and 20, that ends at -40 or above")
        }
        let unit = Self.power(-bits)
        let (low, high) = (Int64((range.lowerBound / unit).rounded()), Int64((range.upperBound / unit).rounded()))
        let one = Int64(1) << Int64(bits)
        let top = exp(Double(high) * unit)
        // Tables of 30 bits for the largest, so that a product of two stays below 2^60.
        let coarseBits = 30 - max(0, Int((Double(high) * unit / log(2)).rounded(.up)))
        let clamped = try held(value, from: low, to: high)
        let starts = (0...(high - low) / one).map { low + $0 * one }
        let first = try exponentialDigit(
            value, from: Array(starts.dropFirst()), numbers: starts, unit: unit, scale: coarseBits)
        let rest = try narrowed(
            clamped, plus: -1, times: first.number, bound: Double(one - 1), isNonNegative: true)
        let length = one >> 6
        let ends = (1..<Int64(64)).map { $0 * length }
        let second = try exponentialDigit(
            rest, from: ends, numbers: ([0] + ends).map { $0 + length / 2 }, unit: unit, scale: Self.fineBits)
        let last = try narrowed(
            rest, plus: -1, times: second.number, bound: Double(length / 2), isNonNegative: false)
        let (series, seriesBits) = try exponentialSeries(last, fractionBits: bits)
        // Beyond the largest by 2^-7 of it and what rounding adds: the middle of the last piece may lie behind the range's end.
        let bound = 1.02 * top * Self.power(coarseBits + Self.fineBits) + 3 * Self.power(Self.fineBits)
        let both = try truncated(
            try product(first.power, second.power, bound: bound), by: Self.fineBits, exactly: true)
        return try scaled(
            try product(both, series), by: bits - coarseBits - seriesBits,
            bound: top * Self.power(bits) * (1 + 0x1p-20) + 2)
    }

    /// A digit of a value, by thresholds: its number, and the exponential of that.
    private mutating func exponentialDigit(
        _ value: Value, from thresholds: [Int64], numbers: [Int64], unit: Double, scale: Int
    ) throws(ComputationError) -> (number: Value, power: Value) {
        let places = try isAtLeast(value, each: thresholds)
        let powers = numbers.map { Int64((exp(Double($0) * unit) * Self.power(scale)).rounded()) }
        return (try looked(up: numbers, by: places, like: value), try looked(up: powers, by: places, like: value))
    }

    /// 1 + d + d^2 / 2 for d of at most 2^-7, and how many bits it has behind the point.
    private mutating func exponentialSeries(
        _ value: Value, fractionBits: Int
    ) throws(ComputationError) -> (series: Value, bits: Int) {
        let scale = 2 * fractionBits + 1
        let linear = try combined([(filled(1 << Int64(scale), like: value), 1), (value, 2 << Int64(fractionBits))])
        let series = try narrowed(
            linear, plus: 1, times: try product(value, value), bound: 1.01 * Self.power(scale), isNonNegative: true)
        guard scale > Self.fineBits else { return (series, scale) }
        return (try truncated(series, by: scale - Self.fineBits, exactly: true), Self.fineBits)
    }

    /// exp(x) of each element over the sum of its row's, of [rows, n]. The row's largest is taken off first, and what lies more than 16 below it counts as 16 below.
    ///
    /// **Error.** At most (n + 2) 2^-20 and half a unit of the last place. Proof: exponentials, of 20 bits behind the point, miss theirs by less than 0.63 2^-20, and by 0.12 2^-20 where they count as 16 below; their sum
    /// by n times that, and it is at least 1; its reciprocal misses by 2^-21 and 2^-25. A row's results sum to 1 within (n + 1) 2^-21, 2^-25 and n / 2 units: the reciprocal's error, and a division's of each. A test measures both.
    ///
    /// **Rounds.** With two parties as many as n can be halved, rounded up, and seventeen, or eighteen from 127 columns on.
    ///
    /// - Parameters:
    ///   - fractionBits: Behind the point, of the value and of the result, 8 to 20.
    ///   - value: Of at least one column and at most 4,096, and so bounded that differences of 20 bits behind the point stay below 2^62.
    /// - Throws: ``ComputationError``.
    public mutating func softmax(_ value: Value, fractionBits: Int) throws(ComputationError) -> Value {
        guard (8...20).contains(fractionBits) else {
            throw .parameter("a softmax of \(fractionBits) bits", expected: "8 to 20")
        }
        guard value.shape.count == 2, (1...4096).contains(value.shape[1]) else {
            throw .shapes("a softmax of the shape \(value.shape)", expected: "[rows, n] with n of 1 to 4,096")
        }
        let (columns, precise) = (value.shape[1], 20)
        let places = (0..<value.count).map { $0 / columns }
        let largest = try gathered(try rowMaxima(value), places: places, shape: value.shape)
        let below = try combined([
            (value, 1 << Int64(precise - fractionBits)), (largest, -(1 << Int64(precise - fractionBits))),
        ])
        let exponentials = try exponential(below, fractionBits: precise, over: -16...0)
        let inverse = try reciprocal(
            try summed(exponentials), fractionBits: precise, over: 1...Double(columns) + 1)
        let whole = try product(exponentials, try gathered(inverse, places: places, shape: value.shape))
        return try scaled(
            whole, by: fractionBits - 2 * precise,
            bound: Self.power(fractionBits) * (1 + Double(columns + 2) * 0x1p-20) + 1)
    }

    /// The largest of each row of [rows, n]: [rows].
    private mutating func rowMaxima(_ value: Value) throws(ComputationError) -> Value {
        let rows = value.shape[0]
        var (width, values) = (value.shape[1], value)
        while width > 1 {
            // The middle one of an odd number meets itself.
            let half = (width + 1) / 2
            func places(from first: Int) -> [Int] { (0..<rows * half).map { $0 / half * width + first + $0 % half } }
            let left = try gathered(values, places: places(from: 0), shape: [rows, half])
            let right = try gathered(values, places: places(from: width - half), shape: [rows, half])
            (values, width) = (try maximum(left, right), half)
        }
        return try reshaped(values, to: [rows])
    }

    /// m^(-1/2) of a mantissa from 1 to 4, by pieces and one step of Newton's: y + y (1 - m y^2) / 2.
    private mutating func inverseRoot(_ mantissa: Value, fineBits: Int) throws(ComputationError) -> Value {
        let rough = try powerOfMantissa(mantissa, step: 2, pieces: 48, exponent: 0.5)
        let scale = Self.mantissaBits + 2 * Self.coarseBits
        let near = try product(
            try product(rough, rough), mantissa, bound: Self.power(scale) + Self.power(scale - 12))
        let miss = try narrowed(
            filled(1 << Int64(scale), like: mantissa), plus: -1, times: near, bound: Self.power(scale - 12),
            isNonNegative: false)
        let change = try truncated(
            try product(rough, miss), by: scale + Self.coarseBits + 1 - fineBits, exactly: true)
        return try combined([(rough, 1 << Int64(fineBits - Self.coarseBits)), (change, 1)])
    }

    /// m^-exponent by straight pieces whose ends have equal ratios, so that all miss by as much, one half above and one below.
    private mutating func powerOfMantissa(
        _ mantissa: Value, step: Int, pieces: Int, exponent: Double
    ) throws(ComputationError) -> Value {
        let slopeBits = 26
        let ratio = Double(step) * log(2) / Double(pieces)
        let lowered = 1 - exponent * (exponent + 1) * ratio * ratio / 16
        let knots = (0...pieces).map {
            Int64((Self.power(Self.mantissaBits) * exp(ratio * Double($0))).rounded())
        }
        let scale = Self.power(Self.coarseBits + slopeBits) * lowered
        let heights = knots.map { (pow(Double($0) / Self.power(Self.mantissaBits), -exponent) * scale).rounded() }
        var (height, slopes) = (heights[0], [Int64(0)])
        for piece in 0..<pieces {
            let length = Double(knots[piece + 1] - knots[piece])
            let slope = ((heights[piece + 1] - height) / length).rounded()
            slopes.append(Int64(slope))
            height += slope * length
        }
        let fine = try piecewiseLinear(mantissa, knots: knots, slopes: slopes + [0], start: Int64(heights[0]))
        return try truncated(fine, by: slopeBits, exactly: true)
    }

    /// A value as mantissa and exponent, with blocks of `step` bits.
    private mutating func normalized(
        _ value: Value, in range: UnitRange, step: Int, lowestExponent: Int
    ) throws(ComputationError) -> NormalizedValue {
        let blocks = (range.highestExponent - lowestExponent) / step
        let (width, exponent) = (step * blocks, lowestExponent + step * blocks)
        guard width <= 30 else {
            throw .parameter(
                "a range from \(range.low) to \(range.high) units",
                expected: "ends that differ by less than a factor of 2^30")
        }
        let clamped = try held(value, from: range.low, to: range.high)
        guard blocks > 0 else {
            let mantissa = try mantissa(clamped, exponent: exponent, step: step)
            return NormalizedValue(
                clamped: clamped, mantissa: mantissa, places: nil, step: step, blocks: 0, exponent: exponent)
        }
        let thresholds = (1...blocks).map { Int64(1) << Int64(lowestExponent + step * $0) }
        let places = try isAtLeast(value, each: thresholds)
        let powers = try looked(up: (0...blocks).map { Int64(1) << Int64(width - step * $0) }, by: places, like: value)
        let whole = try product(clamped, powers, bound: Self.power(exponent + step))
        return NormalizedValue(
            clamped: clamped, mantissa: try mantissa(whole, exponent: exponent, step: step), places: places, step: step,
            blocks: blocks, exponent: exponent)
    }

    /// Numbers from 2^exponent on with a mantissa's bits behind the point.
    private mutating func mantissa(_ value: Value, exponent: Int, step: Int) throws(ComputationError) -> Value {
        try scaled(value, by: Self.mantissaBits - exponent, bound: Self.power(Self.mantissaBits + step))
    }

    /// min(max(x, low), high).
    private mutating func held(_ value: Value, from low: Int64, to high: Int64) throws(ComputationError) -> Value {
        guard low < high else { return try filled(low, like: value) }
        return try piecewiseLinear(value, knots: [low, high], slopes: [0, 1, 0], start: low)
    }

    /// Whether the value is at least each of the numbers, one shape behind the other. One round, with one key an element.
    private mutating func isAtLeast(_ value: Value, each thresholds: [Int64]) throws(ComputationError) -> Value? {
        guard !thresholds.isEmpty else { return nil }
        return try sign(
            value, thresholds: thresholds, results: [.bit], shape: [thresholds.count] + value.shape, bound: 1)
    }

    /// The number of a table that stands at the value's place among ascending thresholds. Local.
    fileprivate mutating func looked(
        up table: [Int64], by places: Value?, like value: Value
    ) throws(ComputationError) -> Value {
        var terms = [Operation.Term(value: try filled(table[0], like: value), factor: 1)]
        if let places {
            for (place, next) in table.dropFirst().enumerated() {
                let change = UInt64(bitPattern: next - table[place])
                terms.append(Operation.Term(value: try part(places, place, like: value), factor: change))
            }
        }
        let bound = Double(table.map(\.magnitude).max() ?? 0)
        return try add(
            .combination(terms), shape: value.shape, bound: bound, named: "table",
            isNonNegative: table.allSatisfy { $0 >= 0 })
    }

    /// A product of which more is known than its factors' bounds say.
    private mutating func product(_ a: Value, _ b: Value, bound: Double) throws(ComputationError) -> Value {
        try add(
            .product(.elements(a.count), a, b), shape: a.shape, bound: min(bound, a.bound * b.bound), named: "product",
            isNonNegative: a.isNonNegative && b.isNonNegative)
    }

    /// Times 2^bits, divided exactly where that is negative, with a bound that its maker knows to hold.
    private mutating func scaled(
        _ value: Value, by bits: Int, bound: Double, isNonNegative: Bool = true
    ) throws(ComputationError) -> Value {
        guard bits < 61 else { throw .overflow("a number's scale", bits: bits) }
        let whole = bits < 0 ? try truncated(value, by: -bits, exactly: true) : value
        let factor = bits > 0 ? UInt64(1) << UInt64(bits) : 1
        return try add(
            .combination([Operation.Term(value: whole, factor: factor)]), shape: value.shape, bound: bound,
            named: "number", isNonNegative: isNonNegative)
    }

    private static func power(_ bits: Int) -> Double { Double(sign: .plus, exponent: bits, significand: 1) }
}

/// A positive range in units of the last place.
private struct UnitRange {
    let low: Int64
    let high: Int64
    let fractionBits: Int

    init(_ range: ClosedRange<Double>, fractionBits: Int) throws(ComputationError) {
        guard (8...20).contains(fractionBits) else {
            throw .parameter("\(fractionBits) bits behind the point", expected: "8 to 20")
        }
        let scale = Double(Int64(1) << Int64(fractionBits))
        let (low, high) = ((range.lowerBound * scale).rounded(), (range.upperBound * scale).rounded())
        guard low >= 1, high < 0x1p48 else {
            throw .parameter("a range from \(low) to \(high) units", expected: "at least a unit, and less than 2^48")
        }
        (self.low, self.high, self.fractionBits) = (Int64(low), Int64(high), fractionBits)
    }

    var lowestExponent: Int { 63 - low.leadingZeroBitCount }
    var highestExponent: Int { 63 - high.leadingZeroBitCount }
    /// The largest below that makes x a power of four: then a root's exponent is whole.
    var evenExponent: Int { lowestExponent - (lowestExponent + fractionBits) % 2 }
}

/// x as m 2^k: the mantissa from 1 to 2^step, and comparisons that tell k.
private struct NormalizedValue {
    /// x, held to the range.
    let clamped: Value
    /// m, of 26 bits behind the point.
    let mantissa: Value
    /// Of x with the starts of all blocks but the first.
    let places: Value?
    let step: Int
    let blocks: Int
    /// The largest k, K.
    let exponent: Int

    /// A function of K - k.
    func looked(up function: (Int) -> Int64, in builder: inout ProgramBuilder) throws(ComputationError) -> Value {
        try builder.looked(
            up: (0...blocks).map { function(step * (blocks - $0)) }, by: places, like: clamped)
    }
}
