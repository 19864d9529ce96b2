import Foundation

/// Functions of one number. Expressions are computed with them, and so are the bounds of expressions and the lists of
/// values that a key can take: all three agree.
public enum ScalarFunctions {
    /// e to the power `x`.
    public static func exponential(_ x: Double) -> Double { exp(x) }

    /// The natural logarithm of `x`; NaN below zero.
    public static func logarithm(_ x: Double) -> Double { log(x) }

    /// `x` to the power `y`; NaN where either is (to C, 1 to any power is 1), or `x` is negative and `y` not whole.
    public static func power(_ x: Double, _ y: Double) -> Double { x.isNaN || y.isNaN ? .nan : pow(x, y) }

    /// The nearest integer, of a half the even one: what a cast gives.
    @inline(__always)
    public static func whole(_ x: Double) -> Double { x.rounded(.toNearestOrEven) }

    /// 10^|digits|.
    public static func scale(digits: Int) -> Double { pow(10, Double(digits.magnitude)) }

    /// Half away from zero at that decimal digit, computed in doubles.
    public static func round(_ value: Double, digits: Int) -> Double {
        if digits == 0 { return value.rounded(.toNearestOrAwayFromZero) }
        let scale = scale(digits: digits)
        if digits > 0 {
            let scaled = value * scale
            // A value this large has no digit there.
            return scaled.isFinite ? scaled.rounded(.toNearestOrAwayFromZero) / scale : value
        }
        return scale.isFinite ? (value / scale).rounded(.toNearestOrAwayFromZero) * scale : value * 0
    }

    /// `origin + width * floor((x - origin) / width)`.
    @inline(__always)
    public static func bin(_ x: Double, width: Double, origin: Double) -> Double {
        origin + width * ((x - origin) / width).rounded(.down)
    }
}

/// Seconds of a day, without leap seconds.
public let secondsPerDay: Int64 = 86_400

extension ValueType {
    /// The days, or seconds, of years 0 to 9999, where dates and timestamps have parts and text; nil for other types.
    public var calendar: ClosedRange<Int64>? {
        switch self {
        case .date: CivilDate.days
        case .timestamp:
            CivilDate.days.lowerBound * secondsPerDay...(CivilDate.days.upperBound + 1) * secondsPerDay - 1
        case .integer, .real, .text, .boolean: nil
        }
    }
}

extension DatePart {
    /// The part of a date (days) or timestamp (seconds since 1970); nil outside years 0 to 9999.
    @inline(__always)
    public func value(of word: Int64, _ type: ValueType) -> Int64? {
        guard type == .timestamp else { return value(days: word, second: 0) }
        let days = floorDivide(word, secondsPerDay)
        return value(days: days, second: secondOfDay(word, days))
    }

    /// The start of the part's period that holds a date or timestamp; nil outside years 0 to 9999.
    @inline(__always)
    public func start(of word: Int64, _ type: ValueType) -> Int64? {
        guard type == .timestamp else { return start(days: word, second: 0)?.days }
        let days = floorDivide(word, secondsPerDay)
        return start(days: days, second: secondOfDay(word, days)).map { $0.days * secondsPerDay + $0.second }
    }
}
