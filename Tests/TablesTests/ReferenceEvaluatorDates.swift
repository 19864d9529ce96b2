import Foundation

@testable import Tables

/// Dates by Foundation's calendar. That calendar is Julian before 1582, so that early dates are moved by cycles
/// of 400 years, which have a whole number of weeks.
extension ReferenceEvaluator {
    static let calendar: Calendar = {
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? .gmt
        return calendar
    }()

    /// Seconds since 1970; nil outside of what dates are (years 0 to 9999).
    func seconds(_ value: Value) -> Int64? {
        let seconds: Int64
        switch value {
        case .date(let day): seconds = day * 86_400
        case .timestamp(let second): seconds = second
        default: return nil
        }
        return (-62_167_219_200..<253_402_300_800).contains(seconds) ? seconds : nil
    }

    static let cycle: Int64 = 146_097 * 86_400

    /// How many cycles bring a moment behind 1601.
    func cycles(_ seconds: Int64) -> Int64 { seconds < -11_644_473_600 ? 4 : 0 }

    func datePart(_ part: DatePart, _ value: Value) -> Value {
        guard let seconds = seconds(value) else { return .null }
        let shift = cycles(seconds)
        let date = Date(timeIntervalSince1970: Double(seconds + shift * Self.cycle))
        let calendar = Self.calendar
        let fields = calendar.dateComponents(
            [.year, .month, .day, .hour, .minute, .second, .weekday, .weekOfYear], from: date)
        let number: Int? =
            switch part {
            case .year: fields.year.map { $0 - 400 * Int(shift) }
            case .quarter: fields.month.map { ($0 - 1) / 3 + 1 }
            case .month: fields.month
            case .week: fields.weekOfYear
            case .day: fields.day
            case .dayOfWeek: fields.weekday.map { ($0 + 5) % 7 + 1 }
            case .dayOfYear: calendar.ordinality(of: .day, in: .year, for: date)
            case .hour: fields.hour
            case .minute: fields.minute
            case .second: fields.second
            }
        return number.map { .integer(Int64($0)) } ?? .null
    }

    func truncate(_ part: DatePart, _ value: Value) -> Value {
        guard let seconds = seconds(value) else { return .null }
        let shift = cycles(seconds)
        let date = Date(timeIntervalSince1970: Double(seconds + shift * Self.cycle))
        let calendar = Self.calendar
        var fields = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second, .weekday], from: date)
        let midnight = { (time: DateComponents) -> DateComponents in
            DateComponents(year: time.year, month: time.month, day: time.day)
        }
        switch part {
        case .year: fields = DateComponents(year: fields.year, month: 1, day: 1)
        case .quarter: fields = DateComponents(year: fields.year, month: ((fields.month ?? 1) - 1) / 3 * 3 + 1, day: 1)
        case .month: fields = DateComponents(year: fields.year, month: fields.month, day: 1)
        case .week:
            fields = DateComponents(
                year: fields.year, month: fields.month, day: (fields.day ?? 1) - ((fields.weekday ?? 2) + 5) % 7)
        case .day: fields = midnight(fields)
        case .hour: fields = DateComponents(year: fields.year, month: fields.month, day: fields.day, hour: fields.hour)
        default: break
        }
        guard let start = calendar.date(from: fields) else { return .null }
        let word = Int64(start.timeIntervalSince1970.rounded(.down)) - shift * Self.cycle
        // The week of 0000-01-01 begins before there are dates.
        if self.seconds(.timestamp(word)) == nil { return .null }
        if case .date = value { return .date(Int64((Double(word) / 86_400).rounded(.down))) }
        return .timestamp(word)
    }
}
