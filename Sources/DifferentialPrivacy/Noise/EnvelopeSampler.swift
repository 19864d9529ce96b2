/// Draws from a law on the integers that falls to both sides of 0: with the symmetric weights `f(x) = exp(-rate * |x|^p)`,
/// p = 1 or 2, or a Poisson law's about its mode (`EnvelopeLaw`): exactly, in integer arithmetic, and mostly from one
/// random word.
///
/// The magnitudes 0, 1, 2, ... (0 with half its weight, since both signs give it) are covered by strips of neighbouring
/// integers: strip j has `width_j` integers and `slots_j` of 1024 equal slots. A random word picks a slot, a sign, and,
/// by the product of its remaining bits with the width, an integer x in the strip and the first digits of a uniform v
/// in [0, 1). The draw is x if `v < f(x) width_j / (slots_j W)`, and otherwise starts again. Each x is thus proposed
/// with a probability in proportion to `slots_j W / width_j` and accepted with one that makes the product proportional
/// to f(x): the law is exact for any strips at all, as long as no acceptance probability exceeds one, which is verified
/// in integers when the strips are laid. The tail beyond the last strip is one slot: blocks of `width` integers, each
/// with half the probability of the one before.
///
/// v and f(x) are never rounded: v is known to the digits drawn, f(x) to proven integer bounds. In 92 to 99 of 100
/// draws the strip's own bound (`quick`) decides; next, 64-bit bounds; then (about once in 2^50) as many digits of both
/// as it takes. Floating point serves to choose good strips, and nothing depends on it but speed.
///
/// Where f differs with the sign, strips are laid above the larger of both, and the sign's own f decides.
///
/// Source: strips, Ahrens 1995 ("A one-table method for sampling from continuous and discrete distributions"); the
/// laws, Canonne, Kamath and Steinke 2020.
@usableFromInline
struct EnvelopeSampler: Sendable {
    enum Power: Sendable, Hashable { case linear, square }

    /// What a slot of the table says: enough for most draws.
    @usableFromInline
    struct Slot: Sendable {
        @usableFromInline var first: UInt64
        @usableFromInline var width: UInt64
        /// The draw is decided, and taken, if the fraction is below.
        @usableFromInline var quick: UInt64
    }

    /// A strip, or the tail.
    struct Strip: Sendable {
        var first: UInt64
        var width: UInt64
        var slots: UInt64
        var ratio: Ratio
    }

    @usableFromInline var slots: [Slot] = []
    var stripOfSlot: [UInt16] = []
    var strips: [Strip] = []
    let law: EnvelopeLaw
    /// The weight of a slot is `weight * 2^-weightShift`.
    var weight: UInt64 = 0
    var weightShift = 0
    /// Whether only the last of the three ways of deciding is used, and with few digits at first: for tests.
    let isExactOnly: Bool

    @usableFromInline static let slotCount = 1024
    /// The low bits of a word that pick slot and sign; the others are the fraction.
    @usableFromInline static let choiceMask: UInt64 = 0x7ff
    static let fractionBits = 53
    /// Draws beyond are moved here; their probability is below 2^-60000.
    static let largestMagnitude: UInt64 = 1 << 62

    /// Nothing laid yet.
    init(law: EnvelopeLaw, isExactOnly: Bool) {
        self.law = law
        self.isExactOnly = isExactOnly
    }

    /// The draw.
    @inlinable
    func sample<R: RandomNumberGenerator>(using generator: inout R) -> Int64 {
        while true {
            let word = generator.next()
            let slot = slots[Int(truncatingIfNeeded: word & 0x3ff)]
            let product = (word & ~Self.choiceMask).multipliedFullWidth(by: slot.width)
            var magnitude = slot.first &+ product.high
            if product.low >= slot.quick {
                guard let decided = decide(word, using: &generator) else { continue }
                magnitude = decided
            }
            let sign = -Int64(truncatingIfNeeded: word >> 10 & 1)
            return (Int64(bitPattern: magnitude) ^ sign) &- sign
        }
    }

    /// Adds a draw to each value; a sum beyond Int64 becomes its bound, which is post-processing.
    @inlinable
    func add<R: RandomNumberGenerator>(to values: inout [Int64], using generator: inout R) {
        for index in values.indices {
            let noise = sample(using: &generator)
            let (sum, overflows) = values[index].addingReportingOverflow(noise)
            values[index] = overflows ? (noise > 0 ? .max : .min) : sum
        }
    }
}

// MARK: - Decisions

extension EnvelopeSampler {
    /// `mantissa * 2^-shift <= width / (slots * W) < (mantissa + 1) * 2^-shift`, and `mantissa < 2^63`.
    struct Ratio: Sendable {
        var mantissa: UInt64
        var shift: Int
    }

    /// The magnitude, or nil if the proposal is rejected.
    @usableFromInline @inline(never)
    func decide<R: RandomNumberGenerator>(_ word: UInt64, using generator: inout R) -> UInt64? {
        let index = Int(stripOfSlot[Int(word & 0x3ff)])
        let strip = strips[index]
        let isNegative = word >> 10 & 1 == 1
        if index == strips.count - 1 { return decideTail(strip, isNegative, using: &generator) }
        let spread = strip.width << 11
        let product = (word & ~Self.choiceMask).multipliedFullWidth(by: strip.width)
        if isExactOnly || product.low.addingReportingOverflow(spread).overflow {
            return decideExactly(word, strip, using: &generator)
        }
        let magnitude = strip.first + product.high
        let bounds = acceptance(magnitude, strip, isNegative: isNegative)
        if UInt128(product.low) + UInt128(spread) <= bounds.lower { return magnitude }
        if UInt128(product.low) >= bounds.upper { return nil }
        let uniform = LazyUniform(
            numerator: Natural(product.low >> 11), spread: strip.width, bits: Self.fractionBits)
        return accepts(magnitude, strip, isNegative: isNegative, uniform, using: &generator)
            ? magnitude : nil
    }

    /// As `decide`, where the fraction's digits do not even decide the integer in the strip: with as many as it takes.
    private func decideExactly<R: RandomNumberGenerator>(
        _ word: UInt64, _ strip: Strip, using generator: inout R
    ) -> UInt64? {
        var digits = LazyUniform(numerator: Natural(word >> 11), spread: 1, bits: Self.fractionBits)
        while true {
            let product = digits.numerator * strip.width
            let fraction = product.low(bits: digits.bits)
            if fraction + Natural(strip.width) <= .powerOfTwo(digits.bits) {
                let magnitude = strip.first + ((product >> digits.bits).word ?? 0)
                let uniform = LazyUniform(numerator: fraction, spread: strip.width, bits: digits.bits)
                let isAccepted = accepts(
                    magnitude, strip, isNegative: word >> 10 & 1 == 1, uniform, using: &generator)
                return isAccepted ? magnitude : nil
            }
            digits.refine(using: &generator)
        }
    }

    private func decideTail<R: RandomNumberGenerator>(
        _ tail: Strip, _ isNegative: Bool, using generator: inout R
    ) -> UInt64? {
        var block: UInt64 = 0
        while true {
            let halvings = (~generator.next()).trailingZeroBitCount
            block += UInt64(halvings)
            if halvings < 64 || block > 1 << 16 { break }
        }
        let (offset, overflows) = block.multipliedReportingOverflow(by: tail.width)
        let magnitude = tail.first &+ offset &+ generator.next(upperBound: tail.width)
        if let limit = law.rejectedBeyond, overflows || magnitude > limit { return nil }
        if overflows || magnitude > Self.largestMagnitude { return Self.largestMagnitude }
        let word = generator.next()
        if !isExactOnly {
            let bounds = acceptance(magnitude, tail, isNegative: isNegative, block: Int(block))
            if UInt128(word) < bounds.lower { return magnitude }
            if UInt128(word) >= bounds.upper { return nil }
        }
        let uniform = LazyUniform(numerator: Natural(word), spread: 1, bits: 64)
        let isAccepted = accepts(
            magnitude, tail, isNegative: isNegative, block: Int(block), uniform, using: &generator)
        return isAccepted ? magnitude : nil
    }

    /// The power of two by which an acceptance probability differs from `f(x) * width / (slots * W)`: zero has half its
    /// weight, and block b of the tail is proposed 2^(b + 1) times less often than a strip.
    private func doublings(_ magnitude: UInt64, block: Int?) -> Int {
        if let block { return block + 1 }
        return magnitude == 0 ? -1 : 0
    }

    /// Bounds on the probability with which a proposal is accepted, in Q64; `upper` is above 2^64 if it may exceed 1.
    /// `block`: of the tail, if the integer is there.
    func acceptance(
        _ magnitude: UInt64, _ strip: Strip, isNegative: Bool = false, block: Int? = nil
    ) -> (lower: UInt128, upper: UInt128) {
        guard let exponent = law.exponent(magnitude, isNegative: isNegative) else { return (0, .max) }
        let value = ExponentialBounds.exponential(exponent.lower)
        // exp(-x) falls by at most a unit of 2^-64 of itself when x grows by one.
        let error = UInt128(ExponentialBounds.mantissaError + exponent.spread)
        let mantissa = UInt128(value.mantissa)
        let lower = (mantissa - min(mantissa, error)) * UInt128(strip.ratio.mantissa)
        let upper = (mantissa + error) * UInt128(strip.ratio.mantissa + 1)
        let shift = value.exponent + strip.ratio.shift - doublings(magnitude, block: block)
        if shift >= 128 { return (0, 1) }
        if shift < 32 { return (0, .max) }
        return (lower >> UInt128(shift), (upper >> UInt128(shift)) + 1)
    }

    /// Whether `v` is below the probability that `acceptance` bounds, with as many digits of both as it takes.
    private func accepts<R: RandomNumberGenerator>(
        _ magnitude: UInt64, _ strip: Strip, isNegative: Bool, block: Int? = nil, _ uniform: LazyUniform,
        using generator: inout R
    ) -> Bool {
        var uniform = uniform
        var bits = isExactOnly ? 64 : 128
        while bits <= law.largestPrecision {
            let exponential = law.refined(magnitude, isNegative: isNegative, bits: bits)
            let scale = Natural(strip.slots) * weight
            let left = bits + exponential.exponent
            let right = weightShift + uniform.bits + doublings(magnitude, block: block)
            if Natural.isLess(
                uniform.upper * scale, left, than: exponential.lower * strip.width, right, orEqual: true)
            {
                return true
            }
            if !Natural.isLess(
                uniform.numerator * scale, left, than: exponential.upper * strip.width, right, orEqual: false)
            {
                return false
            }
            uniform.refine(using: &generator)
            bits += 64
        }
        return false
    }
}
