/// Real numbers as integers modulo 2^64: x stands as the integer nearest to x 2^f, negative ones as their two's complement.
///
/// A number is held to a declared bound before it is encoded, so that sums and products of encoded numbers stay below 2^63 where a range analysis that starts from the bound says so.
/// Nothing here traps, whatever the number.
public struct FixedPoint: Sendable, Hashable, CustomStringConvertible {
    /// f: bits behind the point, 0 to 52.
    public let fractionBits: Int
    /// The largest magnitude, in real units. Its encoding is below 2^62.
    public let bound: Double

    /// - Throws: ``ArithmeticError/parameter(_:expected:)``.
    public init(fractionBits: Int, bound: Double) throws(ArithmeticError) {
        guard (0...52).contains(fractionBits) else {
            throw .parameter("bits behind the point \(fractionBits)", expected: "0 to 52")
        }
        guard bound > 0, bound * Double(sign: .plus, exponent: fractionBits, significand: 1) < 0x1p62 else {
            throw .parameter(
                "bound \(bound) with \(fractionBits) bits behind the point",
                expected: "above 0, and below 2^62 when encoded")
        }
        self.fractionBits = fractionBits
        self.bound = bound
    }

    /// One unit in the last place, in real units.
    public var unit: Double { Double(sign: .plus, exponent: -fractionBits, significand: 1) }

    /// The largest encoded magnitude.
    public var integerBound: Int64 { Int64((bound / unit).rounded(.down)) }

    /// The integer nearest to value 2^f, halves to even, after the value was held to the bound. NaN is 0.
    public func encode(_ value: Double) -> UInt64 {
        guard !value.isNaN else { return 0 }
        let scaled = (min(max(value, -bound), bound) / unit).rounded(.toNearestOrEven)
        // Rounding may pass the bound by half a unit.
        let limit = integerBound
        return UInt64(bitPattern: min(max(Int64(scaled), -limit), limit))
    }

    /// As ``encode(_:)``, of many.
    public func encode(_ values: [Double]) -> [UInt64] { values.map { encode($0) } }

    /// As ``encode(_:)``, where nothing may be clamped.
    ///
    /// - Throws: ``ArithmeticError/outOfBounds(place:)`` for the first number beyond the bound, or NaN: its place, never the number.
    public func encodeExactly(_ values: [Double]) throws(ArithmeticError) -> [UInt64] {
        for (place, value) in values.enumerated() where !(abs(value) <= bound) { throw .outOfBounds(place: place) }
        return encode(values)
    }

    /// The real number that a word stands for, whether within the bound or not.
    public func decode(_ word: UInt64) -> Double { Double(Int64(bitPattern: word)) * unit }

    /// As ``decode(_:)``, of many.
    public func decode(_ words: [UInt64]) -> [Double] { words.map { decode($0) } }

    /// Bits and bound.
    public var description: String { "FixedPoint(\(fractionBits) bits behind the point, within \(bound))" }
}
