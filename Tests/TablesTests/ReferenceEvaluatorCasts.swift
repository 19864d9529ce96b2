import Foundation

@testable import Tables

/// Casts by regular expressions, and by Foundation's numbers, formats and calendar.
extension ReferenceEvaluator {
    func cast(_ value: Value, _ type: ValueType) -> Value {
        switch (value, type) {
        case (.null, _): return .null
        case (.text(let text), _): return read(text, type)
        case (.boolean(let flag), .text): return .text(flag ? "true" : "false")
        case (_, .text): return write(value)
        case (.date(let day), .timestamp): return seconds(value) == nil ? .null : .timestamp(day * 86_400)
        case (.timestamp(let second), .date): return .date(Int64((Double(second) / 86_400).rounded(.down)))
        case (.real(let number), .real): return .real(number)
        case (.real(let number), .boolean): return .boolean(number != 0)
        case (.real(let number), _):
            guard let whole = Int64(exactly: rint(number)), whole != .min else { return .null }
            return typed(whole, type)
        case (.boolean(let flag), _): return typed(flag ? 1 : 0, type)
        // 0000-01-01 and 9999-12-31.
        case (.integer(let number), .date) where !(-719_528...2_932_896).contains(number): return .null
        case (.integer(let number), _), (.date(let number), _), (.timestamp(let number), _):
            return typed(number, type)
        }
    }

    private func typed(_ number: Int64, _ type: ValueType) -> Value {
        switch type {
        case .integer: .integer(number)
        case .real: .real(Double(number))
        case .boolean: .boolean(number != 0)
        case .date: .date(number)
        case .timestamp: .timestamp(number)
        case .text: .text("\(number)")
        }
    }

    // MARK: to text

    private func write(_ value: Value) -> Value {
        switch value {
        case .integer(let number): return .text(NSNumber(value: number).stringValue)
        case .real(let number): return .text(shortest(number))
        case .date, .timestamp:
            guard let seconds = seconds(value) else { return .null }
            let shift = cycles(seconds)
            let fields = Self.calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second],
                from: Date(timeIntervalSince1970: Double(seconds + shift * Self.cycle)))
            let numbers = [
                (fields.year ?? 0) - 400 * Int(shift), fields.month ?? 0, fields.day ?? 0, fields.hour ?? 0,
                fields.minute ?? 0, fields.second ?? 0,
            ]
            let date = String(format: "%04d-%02d-%02d", numbers[0], numbers[1], numbers[2])
            if case .date = value { return .text(date) }
            return .text(date + String(format: "T%02d:%02d:%02dZ", numbers[3], numbers[4], numbers[5]))
        default: return .null
        }
    }

    /// The fewest digits that are read back as the same number; with an exponent above 2^53 and below a ten-thousandth.
    private func shortest(_ number: Double) -> String {
        if number == 0 { return "0.0" }
        // Of a power of two, a decimal that is read as it may be the neighbour of the nearest.
        let texts = (0...16).flatMap { digits -> [String] in
            let parts = String(format: "%.\(digits)e", abs(number)).split(separator: "e")
            let mantissa = Int(parts[0].filter { $0 != "." }) ?? 0
            return [mantissa, mantissa + 1, mantissa - 1].map { mantissa in
                let text = String(mantissa)
                let point = text.count > 1 ? "." : ""
                return (number < 0 ? "-" : "") + text.prefix(1) + point + text.dropFirst() + "e" + parts[1]
            }
        }
        let text = texts.first { strtod($0, nil) == number } ?? ""
        let parts = text.split(separator: "e")
        let exponent = Int(parts[1]) ?? 0
        if abs(number) < 1e-4 || abs(number) > 0x1p53 {
            return "\(parts[0])e" + String(format: "%+03d", exponent)
        }
        let digits = parts[0].count { $0 >= "0" && $0 <= "9" } - 1
        return String(format: "%.\(max(digits - exponent, 1))f", number)
    }

    // MARK: from text

    private func read(_ text: String, _ type: ValueType) -> Value {
        let trimmed = text.trimmingCharacters(in: CharacterSet(charactersIn: " \t"))
        switch type {
        case .text: return .text(text)
        case .integer:
            guard matches(trimmed, "[+-]?[0-9]+(\\.0*)?"), let whole = trimmed.split(separator: ".").first,
                let number = Int64(whole), number != .min
            else { return .null }
            return .integer(number)
        case .real:
            guard matches(trimmed, "[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?") else { return .null }
            let number = strtod(trimmed, nil)
            return number.isFinite ? .real(number + 0) : .null
        case .boolean:
            let word = trimmed.lowercased()
            if ["true", "t", "yes", "y", "1", "1.0"].contains(word) { return .boolean(true) }
            return ["false", "f", "no", "n", "0", "0.0"].contains(word) ? .boolean(false) : .null
        case .date:
            return matches(trimmed, "[0-9]{4}-[0-9]{2}-[0-9]{2}")
                ? midnight(trimmed).map { .date(Int64((Double($0) / 86_400).rounded(.down))) } ?? .null : .null
        case .timestamp: return timestamp(trimmed).map { .timestamp($0) } ?? .null
        }
    }

    private func matches(_ text: String, _ pattern: String) -> Bool {
        text.range(of: "^(?:\(pattern))$", options: .regularExpression) == text.startIndex..<text.endIndex
    }

    /// Seconds at the start of a day that exists; its year is moved by whole cycles to where Foundation is Gregorian.
    private func midnight(_ text: String) -> Int64? {
        let numbers = text.split(separator: "-").compactMap { Int(String($0)) }
        guard numbers.count == 3 else { return nil }
        let fields = DateComponents(year: numbers[0] + 1600, month: numbers[1], day: numbers[2])
        guard fields.isValidDate(in: Self.calendar), let date = Self.calendar.date(from: fields) else { return nil }
        return Int64(date.timeIntervalSince1970) - 4 * Self.cycle
    }

    private func timestamp(_ text: String) -> Int64? {
        let clock = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]+)?)?"
        let zone = "([zZ]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?"
        guard matches(text, "[0-9]{4}-[0-9]{2}-[0-9]{2}([ tT]\(clock)\(zone))?"),
            let midnight = midnight(String(text.prefix(10)))
        else { return nil }
        let rest = String(text.dropFirst(11))
        let end = rest.firstIndex { "zZ+-".contains($0) } ?? rest.endIndex
        let time = rest[..<end].split(separator: ":").compactMap { Double($0) }
        let seconds = zip(time, [3_600.0, 60, 1]).reduce(0) { $0 + $1.0.rounded(.down) * $1.1 }
        let offset = rest[end...].filter(\.isNumber)
        let hours = Int64(offset.prefix(2)) ?? 0
        let east = hours * 3_600 + (Int64(offset.dropFirst(2)) ?? 0) * 60
        return midnight + Int64(seconds) - (rest[end...].hasPrefix("-") ? -east : east)
    }
}
