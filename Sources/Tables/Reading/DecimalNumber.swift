import Foundation

/// A decimal number in ASCII, read exactly: digits with an optional sign, point and exponent.
///
/// Up to 19 significant digits and a decimal exponent of magnitude at most 27, which is nearly all of them, are rounded
/// from an exact 128-bit quotient or product (Clinger 1990, "How to read floating point numbers accurately", for the
/// shorter ones); the rest goes to `strtod`.
struct DecimalNumber {
    let value: Double

    init?(_ text: UnsafeRawBufferPointer) {
        guard let base = text.baseAddress, !text.isEmpty else { return nil }
        var scanner = DecimalScanner()
        let end = scanner.scan(base.assumingMemoryBound(to: UInt8.self), end: text.count)
        guard end == text.count, scanner.digits > 0 else { return nil }
        value = scanner.value ?? Self.slow(text)
    }

    /// Any number of digits, by the C library in its "C" locale form: only called with what the scanner accepted.
    private static func slow(_ text: UnsafeRawBufferPointer) -> Double {
        Double(String(decoding: text.first == 0x2b ? text.dropFirst() : text[...], as: UTF8.self)) ?? .nan
    }
}

/// Scans a decimal number's parts.
struct DecimalScanner {
    private(set) var mantissa: UInt64 = 0
    private(set) var exponent = 0
    private(set) var isNegative = false
    /// All digits, and those that count (from the first that is not zero).
    private(set) var digits = 0
    private(set) var significant = 0

    /// Reads from `text`, at most to `end`; returns where it stopped.
    @inline(__always)
    mutating func scan(_ text: UnsafePointer<UInt8>, end: Int) -> Int {
        var place = 0
        if place < end, text[place] == 0x2d || text[place] == 0x2b {
            isNegative = text[place] == 0x2d
            place += 1
        }
        let start = place
        while place < end, text[place] &- 0x30 <= 9 {
            mantissa = mantissa &* 10 &+ UInt64(text[place] &- 0x30)
            place += 1
        }
        digits = place - start
        if place < end, text[place] == 0x2e {
            let point = place + 1
            place = point
            while place <= end - 8 {
                let word = DigitWord(text + place)
                guard word.isAllDigits else { break }
                mantissa = mantissa &* 100_000_000 &+ word.value(64)
                place += 8
            }
            while place < end, text[place] &- 0x30 <= 9 {
                mantissa = mantissa &* 10 &+ UInt64(text[place] &- 0x30)
                place += 1
            }
            digits += place - point
            exponent = point - place
        }
        guard digits > 0 else { return place }
        countSignificant(text, start)
        if place < end, text[place] | 0x20 == 0x65 { place = scanExponent(text, place, end) }
        return place
    }

    /// Leading zeros do not count; only long numbers need a second look.
    @inline(__always)
    private mutating func countSignificant(_ text: UnsafePointer<UInt8>, _ start: Int) {
        significant = digits
        guard digits > 19 else { return }
        var place = start
        while significant > 0, text[place] == 0x30 || text[place] == 0x2e {
            if text[place] == 0x30 { significant -= 1 }
            place += 1
        }
    }

    private mutating func scanExponent(_ text: UnsafePointer<UInt8>, _ from: Int, _ end: Int) -> Int {
        var place = from + 1
        var sign = 1
        if place < end, text[place] == 0x2d || text[place] == 0x2b {
            sign = text[place] == 0x2d ? -1 : 1
            place += 1
        }
        let start = place
        var value = 0
        while place < end, text[place] &- 0x30 <= 9 {
            if value < 100_000 { value = value * 10 + Int(text[place] &- 0x30) }
            place += 1
        }
        guard place > start else { return from }
        exponent += sign * value
        return place
    }

    /// The nearest double; nil where these parts do not suffice to tell quickly.
    @inline(__always)
    var value: Double? {
        guard significant <= 19 else { return nil }
        if mantissa == 0 { return 0 }
        if mantissa <= 1 << 53, exponent >= -22, exponent <= 22 {
            let exact = Double(mantissa)
            let magnitude = exponent < 0 ? exact / powersOfTen[-exponent] : exact * powersOfTen[exponent]
            return isNegative ? -magnitude : magnitude
        }
        guard exponent >= -27, exponent <= 27 else { return nil }
        let magnitude = exponent < 0 ? divided() : multiplied()
        return isNegative ? -magnitude : magnitude
    }

    /// mantissa / 5^n / 2^n, rounded once: 64 bits of the quotient and whether anything remains.
    private func divided() -> Double {
        let n = -exponent
        let shiftedDivisor = powersOfFive[n] << UInt64(powersOfFive[n].leadingZeroBitCount)
        let shiftedMantissa = mantissa << UInt64(mantissa.leadingZeroBitCount)
        var binary = powersOfFive[n].leadingZeroBitCount - mantissa.leadingZeroBitCount - n - 64
        var high = shiftedMantissa
        var low: UInt64 = 0
        if high >= shiftedDivisor {
            low = high << 63
            high >>= 1
            binary += 1
        }
        let (quotient, remainder) = shiftedDivisor.dividingFullWidth((high, low))
        return Self.rounded(quotient, sticky: remainder != 0, binary)
    }

    /// mantissa * 5^n * 2^n, rounded once.
    private func multiplied() -> Double {
        let product = mantissa.multipliedFullWidth(by: powersOfFive[exponent])
        let shift = product.high.leadingZeroBitCount
        if product.high == 0 { return Self.rounded(product.low, sticky: false, exponent) }
        let high = shift == 0 ? product.high : product.high << UInt64(shift) | product.low >> UInt64(64 - shift)
        let rest = shift == 0 ? product.low : product.low << UInt64(shift)
        return Self.rounded(high, sticky: rest != 0, exponent + 64 - shift)
    }

    /// bits * 2^binary to nearest, ties to even. The exponent is far from a double's ends.
    private static func rounded(_ bits: UInt64, sticky: Bool, _ binary: Int) -> Double {
        let shift = bits.leadingZeroBitCount
        let normal = bits << UInt64(shift)
        var kept = normal >> 11
        let rest = normal & 0x7ff
        if rest > 0x400 || (rest == 0x400 && (sticky || kept & 1 == 1)) { kept += 1 }
        let power = Double(bitPattern: UInt64(1023 + binary - shift + 11) << 52)
        return Double(kept) * power
    }
}

let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
]

private let powersOfFive: [UInt64] = (0...27).map { n in (0..<n).reduce(UInt64(1)) { power, _ in power * 5 } }
