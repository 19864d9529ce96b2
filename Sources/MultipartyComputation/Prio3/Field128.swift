/// Integers modulo p = 2^66 · 4611686018427387897 + 1 = 2^128 - 28 · 2^64 + 1 (VDAF draft, section 6.1.4), in Montgomery
/// form (Montgomery 1985): x is kept as x 2^128 modulo p, below p.
struct Field128: NTTField {
    // Constants are computed, since a stored one can cost a check of its initialisation at each use.
    @inline(__always) static var modulus: UInt128 { UInt128(highHalf) &<< 64 | 1 }
    static var encodedSize: Int { 16 }
    static var logGeneratorOrder: Int { 66 }
    /// 7^4611686018427387897.
    static var generator: Field128 { Field128(canonical: 0x6d27_8fbf_4f60_228b_1f9b_2759_c510_9f06) }
    static var inversionExponent: UInt128 { modulus - 2 }
    @inline(__always) static var zero: Field128 { Field128(montgomery: 0) }
    /// 2^128 modulo p.
    @inline(__always) static var one: Field128 { Field128(montgomery: 0 &- modulus) }

    /// The modulus's upper word; its lower one is 1.
    @inline(__always) private static var highHalf: UInt64 { 0xffff_ffff_ffff_ffe4 }
    /// 2^256 modulo p, which brings an integer into Montgomery form.
    @inline(__always) private static var squaredRadix: UInt128 { 0x5587_ffff_ffff_ffff_fcf1 }

    /// x 2^128 modulo p.
    private let montgomery: UInt128

    @inline(__always)
    private init(montgomery: UInt128) { self.montgomery = montgomery }

    /// An integer below p.
    private init(canonical: UInt128) {
        self = Field128(montgomery: canonical) * Field128(montgomery: Self.squaredRadix)
    }

    init(_ value: UInt64) { self.init(canonical: UInt128(value)) }

    /// Below p.
    private var canonical: UInt128 {
        let (upper, lower) = (UInt64(truncatingIfNeeded: montgomery &>> 64), UInt64(truncatingIfNeeded: montgomery))
        return Self.reduce(high: 0, upper, lower).montgomery
    }

    init?(encoded: UnsafeRawPointer) {
        let low = UInt64(littleEndian: encoded.loadUnaligned(as: UInt64.self))
        let high = UInt64(littleEndian: encoded.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        let value = UInt128(high) << 64 | UInt128(low)
        guard value < Self.modulus else { return nil }
        self.init(canonical: value)
    }

    func encode(to bytes: UnsafeMutableRawPointer) {
        let value = canonical
        bytes.storeBytes(of: UInt64(truncatingIfNeeded: value).littleEndian, as: UInt64.self)
        bytes.storeBytes(
            of: UInt64(truncatingIfNeeded: value &>> 64).littleEndian, toByteOffset: 8, as: UInt64.self)
    }

    var signed: Int64? {
        let value = canonical
        let (magnitude, isNegative) =
            value > Self.modulus / 2 ? (Self.modulus - value, true) : (value, false)
        guard magnitude <= 1 << 62 else { return nil }
        return isNegative ? -Int64(magnitude) : Int64(magnitude)
    }

    /// All ones where the condition holds.
    @inline(__always)
    private static func mask(_ condition: Bool) -> UInt128 { 0 &- (condition ? 1 : 0) }

    @inline(__always)
    static func + (a: Field128, b: Field128) -> Field128 {
        // a - (p - b), and p again if that was negative.
        let (difference, borrow) = a.montgomery.subtractingReportingOverflow(modulus &- b.montgomery)
        return Field128(montgomery: difference &+ (mask(borrow) & modulus))
    }

    @inline(__always)
    static func - (a: Field128, b: Field128) -> Field128 {
        let (difference, borrow) = a.montgomery.subtractingReportingOverflow(b.montgomery)
        return Field128(montgomery: difference &+ (mask(borrow) & modulus))
    }

    @inline(__always)
    static func * (a: Field128, b: Field128) -> Field128 {
        let aLow = UInt64(truncatingIfNeeded: a.montgomery)
        let aHigh = UInt64(truncatingIfNeeded: a.montgomery &>> 64)
        let bLow = UInt64(truncatingIfNeeded: b.montgomery)
        let bHigh = UInt64(truncatingIfNeeded: b.montgomery &>> 64)
        let lowLow: UInt128 = product(aLow, bLow)
        let lowHigh: UInt128 = product(aLow, bHigh)
        let highLow: UInt128 = product(aHigh, bLow)
        let highHigh: UInt128 = product(aHigh, bHigh)
        let carried: UInt128 = lowHigh &+ (lowLow &>> 64)
        let middle: UInt128 = highLow &+ UInt128(UInt64(truncatingIfNeeded: carried))
        let high: UInt128 = highHigh &+ (carried &>> 64) &+ (middle &>> 64)
        return reduce(high: high, UInt64(truncatingIfNeeded: middle), UInt64(truncatingIfNeeded: lowLow))
    }

    @inline(__always)
    private static func product(_ a: UInt64, _ b: UInt64) -> UInt128 {
        let (high, low) = a.multipliedFullWidth(by: b)
        return UInt128(high) &<< 64 | UInt128(low)
    }

    /// high 2^128 + middle 2^64 + low, over 2^128, modulo p; the whole is below p 2^128.
    ///
    /// The modulus's lower word is 1, so that taking away low p leaves no low word, and the same again for the middle one.
    /// What is taken from the high part in all is below p: the result is above -p, and p is added once where it is negative.
    @inline(__always)
    private static func reduce(high: UInt128, _ middle: UInt64, _ low: UInt64) -> Field128 {
        let first: UInt128 = product(low, highHalf)
        let (word, borrow) = middle.subtractingReportingOverflow(UInt64(truncatingIfNeeded: first))
        let second: UInt128 = product(word, highHalf)
        let taken: UInt128 = second &+ (first &>> 64) &+ (borrow ? 1 : 0)
        let (difference, isNegative) = high.subtractingReportingOverflow(taken)
        return Field128(montgomery: difference &+ (mask(isNegative) & modulus))
    }

    static func elements(_ vector: [Field128]) -> FieldElements { .field128(vector) }

    static func vector(_ elements: FieldElements) -> [Field128]? {
        guard case .field128(let vector) = elements else { return nil }
        return vector
    }
}
