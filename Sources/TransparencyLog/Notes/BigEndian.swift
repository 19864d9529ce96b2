/// Whole numbers as bytes, the most significant first.
enum BigEndian {
    static func bytes<Number: FixedWidthInteger & Sendable>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
    }

    /// The number that the bytes are; there are no more than it holds.
    static func number<Number: FixedWidthInteger & Sendable>(_ bytes: some Sequence<UInt8>) -> Number {
        var number: Number = 0
        for byte in bytes { number = number << 8 | Number(byte) }
        return number
    }
}
