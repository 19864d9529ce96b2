import Foundation

/// The word of a text as an integer, boolean, date or timestamp; nil where it is none.
func parseWord(_ text: UnsafeRawBufferPointer, _ type: ValueType) -> Int64? {
    let trimmed = trim(text)
    switch type {
    case .integer: return parseInteger(trimmed)
    case .boolean: return parseBoolean(trimmed)
    case .date: return parseDate(trimmed)
    case .timestamp: return parseTimestamp(trimmed)
    case .real, .text: return nil
    }
}

/// A decimal number, "nan", "inf" or "infinity"; nil where it is none.
func parseReal(_ text: UnsafeRawBufferPointer) -> Double? {
    let text = trim(text)
    if let parsed = DecimalNumber(text) { return parsed.value }
    guard text.count <= 9 else { return nil }
    switch String(decoding: text, as: UTF8.self).lowercased() {
    case "nan", "-nan", "+nan": return .nan
    case "inf", "+inf", "infinity", "+infinity": return .infinity
    case "-inf", "-infinity": return -.infinity
    default: return nil
    }
}

/// Without spaces and tabs at either end.
func trim(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var start = 0
    var end = text.count
    while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
    while end > start, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
    return UnsafeRawBufferPointer(rebasing: text[start..<end])
}

/// An optional sign and digits; a fraction of zeros is allowed, as programs write integers that may be missing.
private func parseInteger(_ text: UnsafeRawBufferPointer) -> Int64? {
    var place = 0
    var isNegative = false
    if let first = text.first, first == 0x2d || first == 0x2b {
        isNegative = first == 0x2d
        place = 1
    }
    var value: Int64 = 0
    let start = place
    while place < text.count, let digit = decimalDigit(text[place]) {
        let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = tens.addingReportingOverflow(digit)
        if overflow || carry { return nil }
        value = sum
        place += 1
    }
    guard place > start else { return nil }
    if place < text.count, text[place] == 0x2e {
        place += 1
        while place < text.count, text[place] == 0x30 { place += 1 }
    }
    return place == text.count ? (isNegative ? -value : value) : nil
}

@inline(__always)
func decimalDigit(_ byte: UInt8) -> Int64? {
    let digit = byte &- 0x30
    return digit <= 9 ? Int64(digit) : nil
}

private func parseBoolean(_ text: UnsafeRawBufferPointer) -> Int64? {
    guard text.count <= 5 else { return nil }
    switch String(decoding: text, as: UTF8.self).lowercased() {
    case "true", "t", "yes", "y", "1", "1.0": return 1
    case "false", "f", "no", "n", "0", "0.0": return 0
    default: return nil
    }
}

/// YYYY-MM-DD.
private func parseDate(_ text: UnsafeRawBufferPointer) -> Int64? {
    guard text.count == 10, text[4] == 0x2d, text[7] == 0x2d, let year = number(text, 0..<4),
        let month = number(text, 5..<7), let day = number(text, 8..<10)
    else { return nil }
    return CivilDate(year: year, month: month, day: day)?.daysSince1970
}

/// RFC 3339, with a space for the T, without seconds, and without an offset (UTC) too. A fraction is cut.
private func parseTimestamp(_ text: UnsafeRawBufferPointer) -> Int64? {
    guard text.count >= 10, let days = parseDate(UnsafeRawBufferPointer(rebasing: text[0..<10])) else { return nil }
    let midnight = days * secondsPerDay
    if text.count == 10 { return midnight }
    guard text.count >= 16, [0x54, 0x74, 0x20].contains(text[10]), text[13] == 0x3a, let hour = number(text, 11..<13),
        let minute = number(text, 14..<16), hour < 24, minute < 60
    else { return nil }
    var second: Int64 = 0
    var place = 16
    if place < text.count, text[place] == 0x3a {
        guard text.count >= 19, let value = number(text, 17..<19), value < 60 else { return nil }
        second = value
        place = 19
        if place < text.count, text[place] == 0x2e {
            let start = place + 1
            place = start
            while place < text.count, decimalDigit(text[place]) != nil { place += 1 }
            guard place > start else { return nil }
        }
    }
    guard let offset = parseOffset(UnsafeRawBufferPointer(rebasing: text[place...])) else { return nil }
    return midnight + hour * 3600 + minute * 60 + second - offset
}

/// Seconds east of Greenwich: nothing, Z, +HH:MM, +HHMM or +HH.
private func parseOffset(_ text: UnsafeRawBufferPointer) -> Int64? {
    if text.isEmpty || (text.count == 1 && (text[0] == 0x5a || text[0] == 0x7a)) { return 0 }
    guard text.count >= 3, text[0] == 0x2b || text[0] == 0x2d, let hours = number(text, 1..<3), hours < 24 else {
        return nil
    }
    var minutes: Int64 = 0
    switch text.count {
    case 3: break
    case 5:
        guard let value = number(text, 3..<5) else { return nil }
        minutes = value
    case 6:
        guard text[3] == 0x3a, let value = number(text, 4..<6) else { return nil }
        minutes = value
    default: return nil
    }
    guard minutes < 60 else { return nil }
    return (text[0] == 0x2d ? -1 : 1) * (hours * 3600 + minutes * 60)
}

private func number(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int64? {
    var value: Int64 = 0
    for place in range {
        guard let digit = decimalDigit(text[place]) else { return nil }
        value = value * 10 + digit
    }
    return value
}
