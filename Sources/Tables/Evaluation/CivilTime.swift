/// Dates of the proleptic Gregorian calendar, years 0 to 9999, UTC; by Howard Hinnant's algorithms ("chrono-Compatible
/// Low-Level Date Algorithms").
struct CivilDate: Hashable {
    var year: Int64
    var month: Int64
    var day: Int64

    /// 0000-01-01 and 9999-12-31.
    static let days: ClosedRange<Int64> = -719_528...2_932_896

    init?(year: Int64, month: Int64, day: Int64) {
        guard (0...9999).contains(year), (1...12).contains(month), day >= 1 else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= lengths[Int(month) - 1] else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
    }

    /// The date that many days after 1970-01-01.
    init?(daysSince1970 days: Int64) {
        guard Self.days.contains(days) else { return nil }
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Days since 1970-01-01.
    var daysSince1970: Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = floorDivide(year, 400)
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// YYYY-MM-DD.
    var text: String {
        pad(year, 4) + "-" + pad(month, 2) + "-" + pad(day, 2)
    }
}

/// Dates and times as text, for messages and manifests: as casts read and write them.
public enum CivilText {
    /// `YYYY-MM-DD`; nil outside the years 0 to 9999.
    public static func date(_ daysSince1970: Int64) -> String? { CivilDate(daysSince1970: daysSince1970)?.text }

    /// `YYYY-MM-DDThh:mm:ssZ`; nil outside the years 0 to 9999.
    public static func timestamp(_ secondsSince1970: Int64) -> String? { timestampText(secondsSince1970) }

    /// Days since 1970 of a date; nil if it is none.
    public static func days(_ text: String) -> Int64? { word(text, .date) }

    /// Seconds since 1970 of a timestamp; nil if it is none.
    public static func seconds(_ text: String) -> Int64? { word(text, .timestamp) }

    private static func word(_ text: String, _ type: ValueType) -> Int64? {
        var text = text
        return text.withUTF8 { parseWord(UnsafeRawBufferPointer($0), type) }
    }
}

/// What is left of a timestamp behind its days. The product may leave 64 bits at their end; the difference does not.
@inline(__always)
func secondOfDay(_ seconds: Int64, _ days: Int64) -> Int64 { seconds &- days &* secondsPerDay }

@inline(__always)
func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
    let quotient = a / b
    return a % b < 0 ? quotient - 1 : quotient
}

private func pad(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

/// RFC 3339 text of a timestamp; nil outside years 0 to 9999.
func timestampText(_ seconds: Int64) -> String? {
    let days = floorDivide(seconds, secondsPerDay)
    guard let date = CivilDate(daysSince1970: days) else { return nil }
    let second = secondOfDay(seconds, days)
    return date.text + "T" + pad(second / 3600, 2) + ":" + pad(second / 60 % 60, 2) + ":" + pad(second % 60, 2) + "Z"
}

extension DatePart {
    /// The part of a moment: days since 1970 and seconds of that day; nil outside years 0 to 9999.
    func value(days: Int64, second: Int64) -> Int64? {
        guard let date = CivilDate(daysSince1970: days) else { return nil }
        switch self {
        case .year: return date.year
        case .quarter: return (date.month + 2) / 3
        case .month: return date.month
        case .week: return Self.isoWeek(days)
        case .day: return date.day
        case .dayOfWeek: return Self.isoWeekday(days)
        case .dayOfYear: return days - Self.firstDay(ofYear: date.year) + 1
        case .hour: return second / 3600
        case .minute: return second / 60 % 60
        case .second: return second % 60
        }
    }

    /// The start of the part's period that holds the moment, as (days, second of the day).
    func start(days: Int64, second: Int64) -> (days: Int64, second: Int64)? {
        guard let date = CivilDate(daysSince1970: days) else { return nil }
        switch self {
        case .year: return (Self.firstDay(ofYear: date.year), 0)
        case .quarter: return (firstDay(ofMonth: (date.month - 1) / 3 * 3 + 1, date.year), 0)
        case .month: return (firstDay(ofMonth: date.month, date.year), 0)
        case .week:
            let monday = days - Self.isoWeekday(days) + 1
            return CivilDate.days.contains(monday) ? (monday, 0) : nil
        case .day, .dayOfWeek, .dayOfYear: return (days, 0)
        case .hour: return (days, second / 3600 * 3600)
        case .minute: return (days, second / 60 * 60)
        case .second: return (days, second)
        }
    }

    private func firstDay(ofMonth month: Int64, _ year: Int64) -> Int64 {
        CivilDate(year: year, month: month, day: 1)?.daysSince1970 ?? 0
    }

    private static func firstDay(ofYear year: Int64) -> Int64 {
        let before = year - 1
        return 365 * year + floorDivide(before, 4) - floorDivide(before, 100) + floorDivide(before, 400) + 1 - 719_528
    }

    /// Monday 1 to Sunday 7 (ISO 8601); 1970-01-01 was a Thursday.
    private static func isoWeekday(_ days: Int64) -> Int64 {
        days + 3 - floorDivide(days + 3, 7) * 7 + 1
    }

    /// 1 to 53 (ISO 8601): the week of a date is that of its Thursday.
    private static func isoWeek(_ days: Int64) -> Int64 {
        let thursday = days - isoWeekday(days) + 4
        let year = CivilDate(daysSince1970: thursday)?.year ?? (thursday < 0 ? -1 : 10_000)
        return (thursday - firstDay(ofYear: year)) / 7 + 1
    }
}
