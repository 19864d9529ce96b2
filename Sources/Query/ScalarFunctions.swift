import Tables

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Functions of one number, as the column engine computes them: for literals, bounds, domains and post-processing.
enum ScalarFunctions {
    static func exponential(_ x: Double) -> Double { exp(x) }

    static func logarithm(_ x: Double) -> Double { log(x) }

    static func power(_ base: Double, _ exponent: Int) -> Double { pow(base, Double(exponent)) }

    /// `origin + width * floor((x - origin) / width)`.
    static func bin(_ x: Double, width: Double, origin: Double) -> Double {
        origin + width * ((x - origin) / width).rounded(.down)
    }

    /// Half away from zero, to that many decimal digits.
    static func round(_ x: Double, digits: Int) -> Double {
        guard x.isFinite else { return x }
        let scale = pow(10, Double(abs(digits)))
        let scaled = digits >= 0 ? x * scale : x / scale
        guard scaled.isFinite else { return x }
        let rounded = scaled.rounded(.toNearestOrAwayFromZero)
        return digits >= 0 ? rounded / scale : rounded * scale
    }

    /// The year of a date (days) or timestamp (seconds).
    static func year(_ x: Double, _ type: ValueType) -> Double {
        guard let days = days(x, type) else { return x }
        return Double(CivilDate.civil(days).year)
    }

    static func truncate(_ x: Double, _ part: DatePart, _ type: ValueType) -> Double {
        guard x.isFinite, abs(x) < 0x1p53 else { return x }
        return Double(truncate(Int64(x.rounded(.down)), part, type))
    }

    private static func days(_ x: Double, _ type: ValueType) -> Int64? {
        guard x.isFinite, abs(x) < 0x1p53 else { return nil }
        let value = Int64(x.rounded(.down))
        return type == .date ? value : CivilDate.floorDivide(value, CivilDate.secondsPerDay)
    }

    /// The start of the year, quarter, month, ISO week, day, hour, minute or second that holds the value.
    static func truncate(_ value: Int64, _ part: DatePart, _ type: ValueType) -> Int64 {
        let unit = type == .date ? 1 : CivilDate.secondsPerDay
        let day = CivilDate.floorDivide(value, unit)
        let (year, month, _) = CivilDate.civil(day)
        switch part {
        case .year: return CivilDate.days(year: year, month: 1, day: 1) * unit
        case .quarter: return CivilDate.days(year: year, month: (month - 1) / 3 * 3 + 1, day: 1) * unit
        case .month: return CivilDate.days(year: year, month: month, day: 1) * unit
        case .week: return (CivilDate.floorDivide(day + 3, 7) * 7 - 3) * unit
        case .day, .dayOfWeek, .dayOfYear: return day * unit
        case .hour: return type == .date ? value : CivilDate.floorDivide(value, 3_600) * 3_600
        case .minute: return type == .date ? value : CivilDate.floorDivide(value, 60) * 60
        case .second: return value
        }
    }

    static func part(_ part: DatePart, of value: Int64, _ type: ValueType) -> Int64 {
        let unit = type == .date ? 1 : CivilDate.secondsPerDay
        let day = CivilDate.floorDivide(value, unit)
        let second = type == .date ? 0 : value - day * unit
        let (year, month, dayOfMonth) = CivilDate.civil(day)
        switch part {
        case .year: return year
        case .quarter: return (month - 1) / 3 + 1
        case .month: return month
        case .week: return isoWeek(day)
        case .day: return dayOfMonth
        case .dayOfWeek: return isoWeekday(day)
        case .dayOfYear: return day - CivilDate.days(year: year, month: 1, day: 1) + 1
        case .hour: return second / 3_600
        case .minute: return second / 60 % 60
        case .second: return second % 60
        }
    }

    /// 1 (Monday) to 7 (Sunday), as ISO 8601 numbers them; 1970-01-01 was a Thursday.
    static func isoWeekday(_ day: Int64) -> Int64 { day + 3 - CivilDate.floorDivide(day + 3, 7) * 7 + 1 }

    /// The ISO 8601 week: the one of the week's Thursday.
    static func isoWeek(_ day: Int64) -> Int64 {
        let thursday = day - isoWeekday(day) + 4
        let year = CivilDate.civil(thursday).year
        return (thursday - CivilDate.days(year: year, month: 1, day: 1)) / 7 + 1
    }
}
