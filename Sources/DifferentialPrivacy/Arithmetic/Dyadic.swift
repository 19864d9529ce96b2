/// A positive finite `Double`, exactly: `significand * 2^exponent`.
struct Dyadic: Sendable, Hashable {
    let significand: UInt64
    let exponent: Int

    /// nil unless the value is positive and finite.
    init?(_ value: Double) {
        guard value.isFinite && value > 0 else { return nil }
        let bits = (1 << 52) | value.significandBitPattern
        let isSubnormal = value < Double.leastNormalMagnitude
        let significand = isSubnormal ? value.significandBitPattern : bits
        let zeros = significand.trailingZeroBitCount
        self.significand = significand >> UInt64(zeros)
        exponent = (isSubnormal ? -1074 : Int(value.exponentBitPattern) - 1075) + zeros
    }
}
