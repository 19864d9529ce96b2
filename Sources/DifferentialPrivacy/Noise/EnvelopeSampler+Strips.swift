/// Laying the strips: a proposal in floating point, verified in integers. Apart from the draw, so that a test can see
/// that no floating-point number is in its file.
extension EnvelopeSampler {
    /// Strips are not wider, so that a strip's choice leaves digits for `v`.
    static let largestWidth = 0x1p44

    /// `scale`: the rate as a floating-point scale, for choosing strips.
    init(rate: ExponentRate, power: Power, scale: Double, isExactOnly: Bool = false) {
        self.init(law: .power(rate, power), isExactOnly: isExactOnly)
        layStrips(StripDesigner(scale: scale, power: power))
    }

    /// A Poisson law about its mode; `mean` the same as the law's, for choosing strips.
    init(poisson law: PoissonExponent, mean: Double, isExactOnly: Bool = false) {
        self.init(law: .poisson(law), isExactOnly: isExactOnly)
        layStrips(StripDesigner(mean: mean))
    }

    private mutating func layStrips(_ designer: StripDesigner) {
        var slotWeight = designer.leastWeight()
        while true {
            let exponent = Int(slotWeight.exponent) - 30
            weight = UInt64((slotWeight / Double(sign: .plus, exponent: exponent, significand: 1)).rounded(.up))
            weightShift = -exponent
            slots = []
            stripOfSlot = []
            strips = []
            if let design = designer.strips(weight: slotWeight), lay(design) { return }
            slotWeight *= 1.0005
        }
    }

    private func ratio(width: UInt64, slots: UInt64) -> Ratio {
        // A numerator of 127 bits over a denominator of at most 42: the quotient has more than 63.
        let scaling = width.leadingZeroBitCount + 63
        let quotient = UInt128(width) << UInt128(scaling) / UInt128(slots * weight)
        let excess = 65 - quotient.leadingZeroBitCount
        return Ratio(
            mantissa: UInt64(truncatingIfNeeded: quotient >> UInt128(excess)), shift: scaling - excess - weightShift)
    }

    /// Fills the table; false if a strip's acceptance probability could exceed one.
    private mutating func lay(_ design: StripDesigner.Design) -> Bool {
        let free = Self.slotCount - design.strips.reduce(0) { $0 + $1.slots }
        for strip in design.strips where !lay(first: strip.first, width: strip.width, slots: strip.slots) {
            return false
        }
        return layTail(first: design.tail.first, width: design.tail.width, slots: free)
    }

    private mutating func lay(first: UInt64, width: UInt64, slots count: Int) -> Bool {
        let strip = Strip(
            first: first, width: width, slots: UInt64(count), ratio: ratio(width: width, slots: UInt64(count)))
        let last = first + width - 1
        guard law.signs.allSatisfy({ acceptance(first, strip, isNegative: $0).upper <= 1 << 64 }) else { return false }
        let least = law.signs.map { acceptance(last, strip, isNegative: $0).lower }.min() ?? 0
        let spread = UInt128(width) << 11
        let quick = isExactOnly || least < spread ? 0 : UInt64(clamping: least - spread)
        append(Slot(first: first, width: width, quick: quick), strip, count)
        return true
    }

    /// The tail's block b has the envelope `slots * W / width * 2^-(b + 1)`: above f from the first block on, if f
    /// falls by a half at least from the first integer of the first block to that of the second, since f falls ever
    /// faster (or, for p = 1, as fast).
    private mutating func layTail(first: UInt64, width: UInt64, slots count: Int) -> Bool {
        guard count > 0 else { return false }
        let tail = Strip(
            first: first, width: width, slots: UInt64(count), ratio: ratio(width: width, slots: UInt64(count)))
        for isNegative in law.signs {
            guard let near = law.exponent(first, isNegative: isNegative),
                let far = law.exponent(first + width, isNegative: isNegative),
                far.lower >= near.lower + UInt128(near.spread) + ExponentialBounds.logarithmOfTwoQ64,
                acceptance(first, tail, isNegative: isNegative, block: 0).upper <= 1 << 64
            else { return false }
        }
        append(Slot(first: first, width: 0, quick: 0), tail, count)
        return true
    }

    private mutating func append(_ slot: Slot, _ strip: Strip, _ count: Int) {
        slots.append(contentsOf: repeatElement(slot, count: count))
        stripOfSlot.append(contentsOf: repeatElement(UInt16(strips.count), count: count))
        strips.append(strip)
    }
}
