import Foundation
import Tables

/// Seconds since 1970 as RFC 3339 text in UTC, by the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level
/// date algorithms", `civil_from_days`): no locale, no time zone, no formatter.
enum Timestamp {
    static func systemSeconds() -> Double { Date().timeIntervalSince1970 }

    /// `YYYY-MM-DDThh:mm:ssZ`; the ends of the calendar, years 0 and 9999, for times beyond.
    static func text(_ seconds: Int64) -> String {
        CivilText.timestamp(seconds) ?? (seconds < 0 ? "0000-01-01T00:00:00Z" : "9999-12-31T23:59:59Z")
    }
}

/// Bounds of dates and timestamps for people.
public enum DisplayedTime {
    /// A day, or a second, since 1970 as `2020-01-31` or `2020-01-31T23:59:00Z`.
    public static func text(_ count: Double, isDate: Bool) -> String {
        let whole = Int64(exactly: count.rounded())
        return whole.flatMap { isDate ? CivilText.date($0) : CivilText.timestamp($0) } ?? "\(count)"
    }
}
