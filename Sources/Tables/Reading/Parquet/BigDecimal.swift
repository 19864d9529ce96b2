/// A decimal's digits as text, exact however many there are: for the code that reads numbers from text.
struct BigDecimal {
    /// The longest whole number that is taken: 256 bits.
    static let largestBytes = 32

    private(set) var text: [UInt8] = []
    private var limbs: [UInt32] = []

    /// Writes a whole number of ten to the power of -`scale`.
    mutating func write(_ number: Int64, scale: Int) {
        text.removeAll(keepingCapacity: true)
        var rest = number.magnitude
        repeat {
            text.append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        finish(isNegative: number < 0, scale: scale)
    }

    /// Writes one that is in two's complement, the highest byte first; false where it is too long, or no number.
    mutating func write(bigEndian bytes: UnsafeRawBufferPointer, scale: Int) -> Bool {
        guard let first = bytes.first, bytes.count <= Self.largestBytes else { return false }
        let isNegative = first & 0x80 != 0
        limbs = Array(repeating: 0, count: (bytes.count + 3) / 4)
        for (index, byte) in bytes.reversed().enumerated() {
            limbs[index / 4] |= UInt32(isNegative ? ~byte : byte) << UInt32(8 * (index % 4))
        }
        // The magnitude of a negative number: all bits inverted, plus one.
        if isNegative { addOne() }
        text.removeAll(keepingCapacity: true)
        repeat {
            var rest = divideByBillion()
            for _ in 0..<9 {
                text.append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
                rest /= 10
            }
        } while limbs.contains { $0 != 0 }
        while text.count > 1, text.last == 0x30 { text.removeLast() }
        finish(isNegative: isNegative, scale: scale)
        return true
    }

    private mutating func addOne() {
        var carry = true
        for index in limbs.indices where carry {
            limbs[index] &+= 1
            carry = limbs[index] == 0
        }
        if carry { limbs.append(1) }
    }

    /// Returns the remainder.
    private mutating func divideByBillion() -> UInt64 {
        var rest: UInt64 = 0
        for index in limbs.indices.reversed() {
            let value = rest << 32 | UInt64(limbs[index])
            limbs[index] = UInt32(truncatingIfNeeded: value / 1_000_000_000)
            rest = value % 1_000_000_000
        }
        return rest
    }

    /// Turns the digits, which are the last first, to a number with a sign and a point.
    private mutating func finish(isNegative: Bool, scale: Int) {
        while text.count <= scale { text.append(0x30) }
        if scale > 0 { text.insert(0x2e, at: scale) }
        if isNegative { text.append(0x2d) }
        text.reverse()
    }
}
