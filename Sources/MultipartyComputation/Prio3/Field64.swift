/// Integers modulo p = 2^32 · 4294967295 + 1 = 2^64 - 2^32 + 1 (VDAF draft, section 6.1.4), below p.
struct Field64: NTTField {
    @inline(__always) static var modulus: UInt64 { 0xffff_ffff_0000_0001 }
    static var encodedSize: Int { 8 }
    static var logGeneratorOrder: Int { 32 }
    /// 7^4294967295.
    static var generator: Field64 { Field64(unchecked: 0x1856_29dc_da58_878c) }
    static var inversionExponent: UInt128 { UInt128(modulus - 2) }
    @inline(__always) static var zero: Field64 { Field64(unchecked: 0) }
    @inline(__always) static var one: Field64 { Field64(unchecked: 1) }

    /// Below p.
    private let value: UInt64

    private init(unchecked value: UInt64) { self.value = value }

    init(_ value: UInt64) {
        let (difference, borrow) = value.subtractingReportingOverflow(Self.modulus)
        self.value = borrow ? value : difference
    }

    init?(encoded: UnsafeRawPointer) {
        let value = UInt64(littleEndian: encoded.loadUnaligned(as: UInt64.self))
        guard value < Self.modulus else { return nil }
        self.value = value
    }

    func encode(to bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: value.littleEndian, as: UInt64.self)
    }

    var signed: Int64? {
        let (magnitude, isNegative) =
            value > Self.modulus / 2 ? (Self.modulus - value, true) : (value, false)
        guard magnitude <= 1 << 62 else { return nil }
        return isNegative ? -Int64(magnitude) : Int64(magnitude)
    }

    /// 2^64 modulo p.
    @inline(__always) private static var wrap: UInt64 { 0xffff_ffff }

    /// All ones where the condition holds.
    @inline(__always)
    private static func mask(_ condition: Bool) -> UInt64 { 0 &- (condition ? 1 : 0) }

    @inline(__always)
    static func + (a: Field64, b: Field64) -> Field64 {
        // a - (p - b), and p again if that was negative.
        let (difference, borrow) = a.value.subtractingReportingOverflow(modulus &- b.value)
        return Field64(unchecked: difference &- (mask(borrow) & wrap))
    }

    @inline(__always)
    static func - (a: Field64, b: Field64) -> Field64 {
        let (difference, borrow) = a.value.subtractingReportingOverflow(b.value)
        return Field64(unchecked: difference &- (mask(borrow) & wrap))
    }

    @inline(__always)
    static func * (a: Field64, b: Field64) -> Field64 {
        let product = a.value.multipliedFullWidth(by: b.value)
        return reduce(product.high, product.low)
    }

    /// With 2^64 = 2^32 - 1 and 2^96 = -1 modulo p: low + (high's low half) (2^32 - 1) - (high's high half).
    @inline(__always)
    private static func reduce(_ high: UInt64, _ low: UInt64) -> Field64 {
        let (difference, borrow) = low.subtractingReportingOverflow(high &>> 32)
        let lower: UInt64 = difference &- (mask(borrow) & wrap)
        let middle: UInt64 = (high & wrap) &* wrap
        let (sum, carry) = lower.addingReportingOverflow(middle)
        let folded: UInt64 = sum &+ (mask(carry) & wrap)
        let (reduced, isBelow) = folded.subtractingReportingOverflow(modulus)
        return Field64(unchecked: reduced &+ (mask(isBelow) & modulus))
    }

    static func elements(_ vector: [Field64]) -> FieldElements { .field64(vector) }

    static func vector(_ elements: FieldElements) -> [Field64]? {
        guard case .field64(let vector) = elements else { return nil }
        return vector
    }
}
