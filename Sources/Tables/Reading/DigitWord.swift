/// Eight bytes of text in one word, of which the first ones are digits: their number and their value without a branch for
/// each (Lemire 2021, "Number parsing at a gigabyte per second").
struct DigitWord {
    /// The first byte lowest; each digit as its value.
    private let bytes: UInt64
    /// The highest bit of each byte that is no digit, exact up to the first one, and to the second behind a point: what
    /// carries into the next byte is larger than a point.
    private let others: UInt64

    /// Reads eight bytes.
    @inline(__always)
    init(_ text: UnsafePointer<UInt8>) {
        bytes = UInt64(littleEndian: UnsafeRawPointer(text).loadUnaligned(as: UInt64.self)) ^ 0x3030_3030_3030_3030
        others = (bytes &+ 0x7676_7676_7676_7676 | bytes) & 0x8080_8080_8080_8080
    }

    /// Whether all eight are digits.
    @inline(__always)
    var isAllDigits: Bool { others == 0 }

    /// Eight times the number of digits before the first byte that is none; only where there is one.
    @inline(__always)
    var digitBits: UInt64 { UInt64(truncatingIfNeeded: others.trailingZeroBitCount) & 0x78 }

    /// The value of the first digits: `bits` is eight times their number, from 8 to 64.
    @inline(__always)
    func value(_ bits: UInt64) -> UInt64 { Self.value(bytes &<< (64 &- bits)) }

    /// The number that is written here with a point behind the first `bits` / 8 digits, if it ends in these eight bytes:
    /// all its digits, eight times the number of those behind the point, and eight times its length.
    @inline(__always)
    func fraction(_ bits: UInt64) -> (mantissa: UInt64, fractionBits: UInt64, lengthBits: UInt64)? {
        let next = others & (others &- 1)
        let point = UInt64(UInt8(ascii: ".") ^ UInt8(ascii: "0"))
        guard (bytes &>> bits) & 0xff == point, next != 0 else { return nil }
        let length = UInt64(truncatingIfNeeded: next.trailingZeroBitCount) & 0x78
        let fraction = length &- bits &- 8
        guard fraction > 0 else { return nil }
        // The digits before the point move up by one byte, onto the point.
        let before = bytes & (1 &<< bits &- 1)
        let digits = before &<< (72 &- length) | (bytes &>> (bits &+ 8)) &<< (64 &- fraction)
        return (Self.value(digits), fraction, length)
    }

    /// The value of eight digits, the first lowest: pairs, then fours, then all are joined by one multiplication each.
    @inline(__always)
    private static func value(_ digits: UInt64) -> UInt64 {
        let pairs = digits &* 10 &+ digits &>> 8
        let low = (pairs & 0x0000_00ff_0000_00ff) &* 0x000f_4240_0000_0064
        let high = (pairs &>> 16 & 0x0000_00ff_0000_00ff) &* 0x0000_2710_0000_0001
        return (low &+ high) &>> 32
    }
}

/// A number of digits and at most a point, without a sign: at most 15 digits, so that they are exact in a double, and one
/// division by an exact power of ten rounds them rightly (Clinger 1990).
struct PlainNumber {
    let value: Double
    /// Its characters.
    let length: Int

    /// Reads the number at the start of the text; nil where there is none, or a longer one. It may go on, in a way that
    /// is no part of a plain number: what is behind `length` is the caller's to see.
    @inline(__always)
    init?(_ text: UnsafePointer<UInt8>) {
        guard let (whole, digits) = Self.digits(text) else { return nil }
        guard text[digits] == UInt8(ascii: ".") else {
            (value, length) = (Double(whole), digits)
            return
        }
        guard digits < 8 else { return nil }
        let word = DigitWord(text + digits + 1)
        guard !word.isAllDigits, word.digitBits > 0 else { return nil }
        let places = Int(truncatingIfNeeded: word.digitBits &>> 3)
        let mantissa = whole &* smallPowersOfTen[places] &+ word.value(word.digitBits)
        value = Double(mantissa) / powersOfTen[places]
        length = digits + 1 + places
    }

    /// The value of the 1 to 15 digits at the start of the text and their number; nil where there are none or more.
    @inline(__always)
    static func digits(_ text: UnsafePointer<UInt8>) -> (value: UInt64, count: Int)? {
        let first = DigitWord(text)
        guard first.isAllDigits else {
            let bits = first.digitBits
            return bits == 0 ? nil : (first.value(bits), Int(truncatingIfNeeded: bits &>> 3))
        }
        let second = DigitWord(text + 8)
        guard !second.isAllDigits else { return nil }
        let bits = second.digitBits
        guard bits > 0 else { return (first.value(64), 8) }
        let count = Int(truncatingIfNeeded: bits &>> 3)
        return (first.value(64) &* smallPowersOfTen[count] &+ second.value(bits), 8 + count)
    }
}

private let smallPowersOfTen: [UInt64] = [1, 10, 100, 1000, 10000, 100_000, 1_000_000, 10_000_000]
