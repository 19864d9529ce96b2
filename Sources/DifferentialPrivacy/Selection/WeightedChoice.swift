/// An exact choice among items, each with a probability in proportion to `count * exp(-rate * shortfall)`.
///
/// A uniform real number picks a place on the line of all weights; digits of the number are drawn, and weights bounded in
/// integer arithmetic, until one item is certain (the first 64 digits do for all but about one choice in 2^40). No
/// weight is ever rounded to a nearby one.
///
/// Rejection from uniform proposals (propose an item, keep it with probability exp(-x)) would be exact too and simpler,
/// but needs as many proposals as there are grid points for each good one: unusable for quantiles on a fine grid.
struct WeightedChoice: Sendable {
    let rate: ExponentRate

    /// Equal items: by how much their utility falls short of the best, and how many they are.
    struct Item {
        var shortfall: UInt128
        var count: UInt64
    }

    /// Bounds on an item's weight in Q64, up to a factor that all items share.
    typealias Weight = (lower: UInt128, upper: UInt128)

    /// At least one item; one at least with shortfall 0; counts below 2^62 in all, and positive in all but those that
    /// weigh nothing. `weights`: their bounds, if they are known already, maybe for a best item that is gone.
    func select<R: RandomNumberGenerator>(
        _ items: @autoclosure () -> [Item], weights: [Weight]? = nil, firstBits: Int = 64, using generator: inout R
    ) -> Int {
        var uniform = LazyUniform()
        uniform.refine(using: &generator)
        if firstBits == 64 {
            let digits = uniform.numerator.word ?? 0
            if let chosen = selectInWords(weights ?? items().map(weight), digits: digits) { return chosen }
        }
        let items = items()
        var bits = firstBits
        while true {
            bits += 64
            uniform.refine(using: &generator)
            if let chosen = selectExactly(items, uniform, bits: bits) { return chosen }
        }
    }

    /// The item at the place `u * total` for all u in `[digits, digits + 1) / 2^64`, if it is the same one for weights
    /// bounded in 64 bits.
    private func selectInWords(_ weights: [Weight], digits: UInt64) -> Int? {
        var totals: Weight = (0, 0)
        var ends: [Weight] = []
        ends.reserveCapacity(weights.count)
        for weight in weights {
            totals.lower += weight.lower
            totals.upper += weight.upper
            ends.append(totals)
        }
        let lowest = Self.scaled(totals.lower, by: digits)
        let highest = Self.scaled(totals.upper, by: digits) + (totals.upper >> 64) + 2
        // Ends rise, so the first that may lie beyond the place is found by halving.
        var (low, high) = (0, weights.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if ends[middle].upper > lowest { high = middle } else { low = middle + 1 }
        }
        return highest <= ends[low].lower ? low : nil
    }

    /// Bounds on `count * exp(-rate * shortfall)` in Q64.
    func weight(_ item: Item) -> Weight {
        let count = UInt128(item.count)
        if item.shortfall == 0 { return (count << 64, count << 64) }
        let value = ExponentialBounds.exponential(rate.exponent(item.shortfall))
        guard value.exponent < 64 else { return (0, count) }
        let mantissa = UInt128(value.mantissa)
        let error = UInt128(ExponentialBounds.mantissaError)
        let lower = (mantissa - error) >> UInt128(value.exponent)
        let upper = min((mantissa + error) >> UInt128(value.exponent) + 1, 1 << 64)
        return (lower * count, upper * count)
    }

    /// `value * digits / 2^64`, rounded down.
    private static func scaled(_ value: UInt128, by digits: UInt64) -> UInt128 {
        let product = value.multipliedFullWidth(by: UInt128(digits))
        return product.high << 64 | UInt128(product.low >> 64)
    }

    /// As `selectInWords`, in numbers of any size: weights in units of 2^-bits.
    private func selectExactly(_ items: [Item], _ uniform: LazyUniform, bits: Int) -> Int? {
        var ends: [(lower: Natural, upper: Natural)] = []
        var totals = (lower: Natural.zero, upper: Natural.zero)
        for item in items {
            let weight = exactWeight(item, bits: bits)
            totals = (totals.lower + weight.lower, totals.upper + weight.upper)
            ends.append(totals)
        }
        let lowest = (totals.lower * uniform.numerator) >> uniform.bits
        let highest = ((totals.upper * uniform.upper) >> uniform.bits) + Natural(1 as UInt64)
        for (index, end) in ends.enumerated() where lowest < end.upper {
            return end.lower < highest ? nil : index
        }
        return nil
    }

    private func exactWeight(_ item: Item, bits: Int) -> (lower: Natural, upper: Natural) {
        if item.shortfall == 0 {
            let exact = Natural.powerOfTwo(bits) * item.count
            return (exact, exact)
        }
        // Far items are not worth a series: their weight is below one unit.
        let coarse = ExponentialBounds.exponential(rate.exponent(item.shortfall))
        guard coarse.exponent <= bits + 1 else { return (.zero, Natural(item.count)) }
        let value = ExponentialBounds.refined(rate.exactExponent(item.shortfall, bits: bits), bits: bits)
        return (
            (value.lower >> value.exponent) * item.count,
            ((value.upper >> value.exponent) + Natural(1 as UInt64)) * item.count
        )
    }
}
