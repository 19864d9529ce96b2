/// A non-negative integer of any size: what exact decisions fall back to when 128 bits do not decide. Rarely used, and
/// so kept simple.
struct Natural: Sendable, Hashable, Comparable {
    /// Little-endian; the last limb is not zero.
    private(set) var limbs: [UInt64]

    static let zero = Natural(limbs: [])

    private init(limbs: [UInt64]) {
        self.limbs = limbs
        while self.limbs.last == 0 { self.limbs.removeLast() }
    }

    init(_ value: UInt64) {
        self.init(limbs: [value])
    }

    init(_ value: UInt128) {
        self.init(limbs: [UInt64(truncatingIfNeeded: value), UInt64(truncatingIfNeeded: value >> 64)])
    }

    static func powerOfTwo(_ exponent: Int) -> Natural {
        Natural(1 as UInt64) << exponent
    }

    var isZero: Bool { limbs.isEmpty }

    var bitWidth: Int {
        guard let last = limbs.last else { return 0 }
        return 64 * limbs.count - last.leadingZeroBitCount
    }

    /// The value, if it is below 2^64.
    var word: UInt64? {
        limbs.count > 1 ? nil : limbs.first ?? 0
    }

    /// The value modulo 2^128.
    var low128: UInt128 {
        let low = limbs.first ?? 0
        let high = limbs.count > 1 ? limbs[1] : 0
        return UInt128(high) << 64 | UInt128(low)
    }

    static func < (a: Natural, b: Natural) -> Bool {
        if a.limbs.count != b.limbs.count { return a.limbs.count < b.limbs.count }
        for index in a.limbs.indices.reversed() where a.limbs[index] != b.limbs[index] {
            return a.limbs[index] < b.limbs[index]
        }
        return false
    }

    static func + (a: Natural, b: Natural) -> Natural {
        let (long, short) = a.limbs.count >= b.limbs.count ? (a.limbs, b.limbs) : (b.limbs, a.limbs)
        var result = long
        var carry: UInt64 = 0
        for index in result.indices {
            if index >= short.count && carry == 0 { break }
            let sum = UInt128(result[index]) + UInt128(index < short.count ? short[index] : 0) + UInt128(carry)
            result[index] = UInt64(truncatingIfNeeded: sum)
            carry = UInt64(truncatingIfNeeded: sum >> 64)
        }
        if carry > 0 { result.append(carry) }
        return Natural(limbs: result)
    }

    /// `a - b`, or zero where `b` is larger.
    static func - (a: Natural, b: Natural) -> Natural {
        guard b < a else { return .zero }
        var result = a.limbs
        var borrow: UInt64 = 0
        for index in result.indices {
            let (first, underflow1) = result[index].subtractingReportingOverflow(
                index < b.limbs.count ? b.limbs[index] : 0)
            let (second, underflow2) = first.subtractingReportingOverflow(borrow)
            result[index] = second
            borrow = underflow1 || underflow2 ? 1 : 0
        }
        return Natural(limbs: result)
    }

    static func * (a: Natural, b: Natural) -> Natural {
        guard !a.isZero && !b.isZero else { return .zero }
        var result = [UInt64](repeating: 0, count: a.limbs.count + b.limbs.count)
        for (i, x) in a.limbs.enumerated() {
            var carry: UInt64 = 0
            for (j, y) in b.limbs.enumerated() {
                let sum = UInt128(x) * UInt128(y) + UInt128(result[i + j]) + UInt128(carry)
                result[i + j] = UInt64(truncatingIfNeeded: sum)
                carry = UInt64(truncatingIfNeeded: sum >> 64)
            }
            result[i + b.limbs.count] = carry
        }
        return Natural(limbs: result)
    }

    static func * (a: Natural, b: UInt64) -> Natural {
        a * Natural(b)
    }

    /// The quotient, rounded down, and the remainder.
    func quotientAndRemainder(dividingBy divisor: UInt64) -> (quotient: Natural, remainder: UInt64) {
        var result = limbs
        var remainder: UInt64 = 0
        for index in result.indices.reversed() {
            (result[index], remainder) = divisor.dividingFullWidth((remainder, result[index]))
        }
        return (Natural(limbs: result), remainder)
    }

    /// The quotient, rounded down.
    static func / (a: Natural, b: UInt64) -> Natural {
        a.quotientAndRemainder(dividingBy: b).quotient
    }

    /// The quotient, rounded up.
    func dividedRoundingUp(by divisor: UInt64) -> Natural {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder == 0 ? quotient : quotient + Natural(1 as UInt64)
    }

    /// Times 2^count; a negative count divides and rounds down.
    static func << (a: Natural, count: Int) -> Natural {
        if count < 0 { return a >> -count }
        guard !a.isZero else { return .zero }
        let (whole, bits) = (count / 64, count % 64)
        var result = [UInt64](repeating: 0, count: whole)
        var carry: UInt64 = 0
        for limb in a.limbs {
            result.append(limb << UInt64(bits) | carry)
            carry = bits == 0 ? 0 : limb >> UInt64(64 - bits)
        }
        result.append(carry)
        return Natural(limbs: result)
    }

    /// Divided by 2^count, rounded down; a negative count multiplies.
    static func >> (a: Natural, count: Int) -> Natural {
        if count < 0 { return a << -count }
        let (whole, bits) = (count / 64, count % 64)
        guard whole < a.limbs.count else { return .zero }
        var result = [UInt64]()
        for index in whole..<a.limbs.count {
            let above = index + 1 < a.limbs.count && bits > 0 ? a.limbs[index + 1] << UInt64(64 - bits) : 0
            result.append(a.limbs[index] >> UInt64(bits) | above)
        }
        return Natural(limbs: result)
    }

    /// The value modulo 2^count.
    func low(bits count: Int) -> Natural {
        self - ((self >> count) << count)
    }

    /// Whether `a * 2^shiftA < b * 2^shiftB` (or `<=`), without building numbers of astronomical width.
    static func isLess(_ a: Natural, _ shiftA: Int, than b: Natural, _ shiftB: Int, orEqual: Bool) -> Bool {
        if a.isZero || b.isZero { return a.isZero && (orEqual || !b.isZero) }
        let (topA, topB) = (a.bitWidth + shiftA, b.bitWidth + shiftB)
        if topA != topB { return topA < topB }
        let (x, y) = (a << max(0, shiftA - shiftB), b << max(0, shiftB - shiftA))
        return orEqual ? !(y < x) : x < y
    }
}
