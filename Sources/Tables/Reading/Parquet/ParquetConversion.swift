/// What becomes of a column's values: what a text of the same value becomes in a CSV file, by the same intake. Numbers,
/// dates and times go in without a text where that is the same.
struct ParquetConversion {
    let intake: ColumnIntake
    private let kind: ParquetKind
    private var decimal = BigDecimal()

    init(_ kind: ParquetKind, _ intake: ColumnIntake) {
        self.kind = kind
        self.intake = intake
    }

    /// The column's word of a value of fixed width; nil where it is wrong.
    @inline(__always)
    mutating func accept(_ word: Int64) -> Int64? {
        switch kind {
        case .integer where intake.schema.type == .integer: intake.accept(integer: word)
        case .double where intake.schema.type == .real:
            intake.accept(real: Double(bitPattern: UInt64(bitPattern: word)))
        default: acceptOther(word)
        }
    }

    private mutating func acceptOther(_ word: Int64) -> Int64? {
        switch kind {
        case .boolean:
            return intake.schema.type == .text
                ? accept(text: Array((word == 0 ? "false" : "true").utf8)) : intake.accept(integer: word)
        case .integer: return accept(integer: word)
        case .unsigned(let bits):
            if bits == 32 { return accept(integer: Int64(UInt32(truncatingIfNeeded: word))) }
            return word < 0 ? nil : accept(integer: word)
        case .single: return accept(real: Double(Float(bitPattern: UInt32(truncatingIfNeeded: word))))
        case .double: return accept(real: Double(bitPattern: UInt64(bitPattern: word)))
        case .decimal(let scale):
            decimal.write(word, scale: scale)
            return accept(number: decimal.text)
        case .date: return accept(days: word)
        case .timestamp(let ticks):
            return accept(seconds: floorDivide(word, ticks), hasFraction: word % ticks != 0)
        case .half, .text, .uuid, .timestamp96: return nil
        }
    }

    /// The column's word of a value that is bytes; nil where it is wrong.
    mutating func accept(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        switch kind {
        case .text: return intake.accept(field: bytes, isQuoted: false)
        case .decimal(let scale):
            return decimal.write(bigEndian: bytes, scale: scale) ? accept(number: decimal.text) : nil
        case .uuid: return bytes.count == 16 ? accept(text: Self.uuid(bytes)) : nil
        case .half where bytes.count == 2:
            return accept(real: Self.half(UInt16(littleEndian: bytes.loadUnaligned(as: UInt16.self))))
        case .timestamp96 where bytes.count == 12:
            let nanoseconds = Int64(littleEndian: bytes.loadUnaligned(as: Int64.self))
            let day = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
            // 1970-01-01 began in the middle of Julian day 2,440,587.
            let seconds = (Int64(day) - 2_440_588) * secondsPerDay + floorDivide(nanoseconds, 1_000_000_000)
            return accept(seconds: seconds, hasFraction: nanoseconds % 1_000_000_000 != 0)
        default: return nil
        }
    }

    // MARK: -

    private func accept(text: [UInt8]) -> Int64? {
        text.withUnsafeBytes { intake.accept(field: $0, isQuoted: false) }
    }

    /// Digits as they are, whatever the form of numbers in files of text.
    private func accept(number: [UInt8]) -> Int64? {
        guard [.integer, .real].contains(intake.schema.type) else { return accept(text: number) }
        return number.withUnsafeBytes { intake.accept(number: $0) }
    }

    private mutating func accept(integer: Int64) -> Int64? {
        switch intake.schema.type {
        case .integer: return intake.accept(integer: integer)
        case .real: return intake.accept(real: Double(integer))
        case .boolean: return integer == 0 || integer == 1 ? intake.accept(integer: integer) : nil
        case .text:
            decimal.write(integer, scale: 0)
            return accept(text: decimal.text)
        case .timestamp where intake.schema.form.epochTicks != nil:
            return intake.schema.form.second(ofTicks: integer).flatMap(intake.accept(integer:))
        case .date, .timestamp: return nil
        }
    }

    /// Programs write integers that may be missing as reals, and missing ones as NaN.
    private mutating func accept(real: Double) -> Int64? {
        if intake.schema.type == .real { return intake.accept(real: real) }
        if real.isNaN { return intake.null() }
        return Int64(exactly: real).flatMap { accept(integer: $0) }
    }

    private func accept(days: Int64) -> Int64? {
        guard let date = CivilDate(daysSince1970: days) else { return nil }
        switch intake.schema.type {
        case .date: return intake.accept(integer: days)
        case .timestamp: return intake.accept(integer: days * secondsPerDay)
        default: return accept(text: Array(date.text.utf8))
        }
    }

    /// A fraction of a second is cut, but for a key: two of one second would be one. A time at midnight is a date too.
    private func accept(seconds: Int64, hasFraction: Bool) -> Int64? {
        let days = floorDivide(seconds, secondsPerDay)
        guard CivilDate.days.contains(days), !(hasFraction && intake.isKey) else { return nil }
        guard intake.schema.type == .date else { return intake.accept(integer: seconds) }
        return !hasFraction && secondOfDay(seconds, days) == 0 ? intake.accept(integer: days) : nil
    }

    /// IEEE 754's 16 bits.
    private static func half(_ bits: UInt16) -> Double {
        let (exponent, fraction) = (Int(bits >> 10 & 0x1f), Double(bits & 0x3ff))
        let magnitude =
            switch exponent {
            case 0: fraction * 0x1p-24
            case 31: fraction == 0 ? Double.infinity : .nan
            default: (1024 + fraction) * Double(sign: .plus, exponent: exponent - 25, significand: 1)
            }
        return bits & 0x8000 == 0 ? magnitude : -magnitude
    }

    /// 8-4-4-4-12 digits (RFC 9562).
    private static func uuid(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append(0x2d) }
            text += [digits[Int(byte >> 4)], digits[Int(byte & 0x0f)]]
        }
        return text
    }
}
