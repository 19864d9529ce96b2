#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

extension ProgramBuilder {
    /// A continuous function of straight pieces: first the slope and the value left of all knots, then at each knot a new slope. One round, with the key of one comparison, whatever the number of
    /// pieces (the spline gate of Boyle et al. 2021).
    ///
    /// - Parameters:
    ///   - knots: Where the slope changes, ascending.
    ///   - slopes: Integers, one more than there are knots.
    ///   - start: The function's value at the first knot.
    /// - Throws: ``ComputationError``.
    public mutating func piecewiseLinear(
        _ value: Value, knots: [Int64], slopes: [Int64], start: Int64
    ) throws(ComputationError) -> Value {
        guard let first = knots.first, slopes.count == knots.count + 1,
            zip(knots, knots.dropFirst()).allSatisfy({ $0 < $1 })
        else {
            throw .parameter(
                "\(knots.count) knots and \(slopes.count) slopes", expected: "ascending knots, and one slope more")
        }
        let largest = Double(knots.map(\.magnitude).max() ?? 0)
        let excesses = try sign(
            value, thresholds: knots, results: [.excess], shape: [knots.count] + value.shape,
            bound: value.bound + largest)
        // start + slope (x - first knot), and what each knot changes.
        let (bend, overflow) = slopes[0].multipliedReportingOverflow(by: first)
        guard !overflow, bend.magnitude < 1 << 62, start.magnitude < 1 << 62 else {
            throw .overflow("a piecewise function", bits: 64)
        }
        let offset = try filled(start - bend, like: value)
        var terms: [(value: Value, factor: Int64)] = [(offset, 1), (value, slopes[0])]
        for knot in knots.indices {
            let (change, overflow) = slopes[knot + 1].subtractingReportingOverflow(slopes[knot])
            guard !overflow else { throw .overflow("a piecewise function", bits: 65) }
            terms.append((try part(excesses, knot, like: value), change))
        }
        guard slopes[0] == 0, slopes[knots.count] == 0 else { return try combined(terms) }
        // Level at both ends, it is largest and smallest at knots.
        var heights = [Double(start)]
        for (knot, next) in knots.dropFirst().enumerated() {
            heights.append(heights[knot] + Double(slopes[knot + 1]) * (Double(next) - Double(knots[knot])))
        }
        return try add(
            .combination(terms.map { Operation.Term(value: $0.value, factor: UInt64(bitPattern: $0.factor)) }),
            shape: value.shape,
            bound: heights.map(abs).max() ?? 0, named: "piecewise function",
            isNonNegative: heights.allSatisfy { $0 >= 0 })
    }

    /// A function that all know, by straight lines between its values at equally spaced points; level outside of the range. Two rounds, with the keys of one comparison and an exact truncation.
    ///
    /// **Error.** Within the range at most h^2 / 8 times the largest second derivative, h being a piece's length, and two units of the result's last place besides: a test checks it for
    /// ``sigmoid(_:fractionBits:)``, the exponential function and the reciprocal.
    ///
    /// - Parameters:
    ///   - fractionBits: Behind the point, of the value and of the result, 4 to 24.
    ///   - range: Ends are rounded to units.
    ///   - pieces: At least 1, each of at least a unit.
    ///   - function: Below 2^20 in magnitude, and less steep.
    /// - Throws: ``ComputationError``.
    public mutating func interpolated(
        _ value: Value, fractionBits: Int, over range: ClosedRange<Double>, pieces: Int, by function: (Double) -> Double
    ) throws(ComputationError) -> Value {
        guard (4...24).contains(fractionBits), (1...4096).contains(pieces) else {
            throw .parameter("\(fractionBits) bits and \(pieces) pieces", expected: "4 to 24 bits, 1 to 4096 pieces")
        }
        let unit = Double(sign: .plus, exponent: -fractionBits, significand: 1)
        let (low, high) = ((range.lowerBound / unit).rounded(), (range.upperBound / unit).rounded())
        guard abs(low) < 0x1p50, abs(high) < 0x1p50, high - low >= Double(pieces) else {
            throw .parameter(
                "a range of \((high - low)) units in \(pieces) pieces", expected: "at least a unit each, within 2^50")
        }
        let knots = (0...pieces).map { Int64((low + (high - low) * Double($0) / Double(pieces)).rounded()) }
        // Slopes have bits of their own: so many that rounding one is less than half a unit at a piece's end, where the next one mends it.
        let slopeBits = max(8, min(28, Int(log2((high - low) / Double(pieces)).rounded(.up)) + 1))
        let scale = Double(sign: .plus, exponent: slopeBits, significand: 1)
        let heights = knots.map { function(Double($0) * unit) / unit * scale }
        guard heights.allSatisfy({ abs($0) < scale * 0x1p20 / unit }) else {
            throw .parameter("the function's values", expected: "below 2^20 in magnitude throughout the range")
        }
        var height = heights[0].rounded()
        let start = Int64(height)
        var slopes: [Int64] = [0]
        for piece in 0..<pieces {
            let length = Double(knots[piece + 1] - knots[piece])
            let slope = ((heights[piece + 1] - height) / length).rounded()
            guard abs(slope) < scale * 0x1p20 else {
                throw .parameter("the function's slope", expected: "below 2^20 in magnitude")
            }
            slopes.append(Int64(slope))
            height += slope * length
        }
        let fine = try piecewiseLinear(value, knots: knots, slopes: slopes + [0], start: start)
        return try truncated(fine, by: slopeBits, exactly: true)
    }

    /// 1 / (1 + exp(-x)), within 0.001 or two units of the last place, whichever is more. Two rounds.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func sigmoid(_ value: Value, fractionBits: Int) throws(ComputationError) -> Value {
        try interpolated(value, fractionBits: fractionBits, over: -8...8, pieces: 64) { 1 / (1 + exp(-$0)) }
    }
}
