/// Exact Poisson draws, by a table of cumulated weights with proven bounds.
///
/// With the mode's weight as unit, each further weight follows from its neighbour by a factor `mean / x` or `x / mean`,
/// rounded down and up, in integers: bounds on every weight and, by a geometric series, on what is beyond the table. A
/// uniform number picks a place on the line of all weights. If the digits drawn leave it certain which integer lies
/// there, that is the draw (all but about once in 2^45); else more digits are drawn, against weights with more digits.
struct PoissonSampler: Sendable {
    private let mean: Dyadic
    private let table: Table

    /// A table of so many bits has less than 2^40 of rounding in some 2^106.
    private static let tableBits = 96

    /// `mean`: from 2^-30 to 2^20.
    init(mean: Dyadic) {
        self.mean = mean
        table = Table(PoissonWeights(mean: mean, bits: Self.tableBits))
    }

    /// One draw. `isExactOnly`: by the second way alone, for tests.
    func sample<R: RandomNumberGenerator>(isExactOnly: Bool = false, using generator: inout R) -> Int64 {
        var uniform = LazyUniform()
        uniform.refine(using: &generator)
        if !isExactOnly, let draw = table.draw(uniform.numerator.word ?? 0) { return draw }
        var bits = Self.tableBits
        while true {
            if let draw = PoissonWeights(mean: mean, bits: bits).draw(uniform) { return draw }
            uniform.refine(using: &generator)
            bits += 64
        }
    }

    /// The weights of `PoissonWeights`, cumulated, in machine words.
    private struct Table: Sendable {
        private let first: Int64
        /// Lower bounds of the sums up to each integer; the upper bounds are at most `slack` above.
        private var ends: [UInt128] = []
        private var slack: UInt128
        private let totalUpper: UInt128

        init(_ weights: PoissonWeights) {
            first = weights.first
            var (lower, upper): (UInt128, UInt128) = (0, weights.below.low128)
            slack = upper
            for weight in weights.weights {
                lower += weight.lower.low128
                upper += weight.upper.low128
                ends.append(lower)
                slack = max(slack, upper - lower)
            }
            totalUpper = upper + weights.above.low128
        }

        /// The draw at the place `u * total` for every u in `[digits, digits + 1) / 2^64`, if it is the same for all.
        func draw(_ digits: UInt64) -> Int64? {
            let lowest = Self.scaled(ends[ends.count - 1], digits)
            let highest = Self.scaled(totalUpper, digits) + (totalUpper >> 64) + 2
            var (low, high) = (0, ends.count)
            while low < high {
                let middle = (low + high) / 2
                if ends[middle] + slack > lowest { high = middle } else { low = middle + 1 }
            }
            // The first integer's cell begins where those below the table end, at an unknown place.
            guard low < ends.count, highest <= ends[low], low > 0 || lowest >= slack || first == 0 else { return nil }
            return first + Int64(low)
        }

        private static func scaled(_ value: UInt128, _ digits: UInt64) -> UInt128 {
            let product = value.multipliedFullWidth(by: UInt128(digits))
            return product.high << 64 | UInt128(product.low >> 64)
        }
    }
}

/// Bounds on the Poisson law's weights in units of 2^-bits of the mode's: of all integers from `first` on whose weight
/// is not below one unit.
struct PoissonWeights {
    private(set) var first: Int64
    private(set) var weights: [(lower: Natural, upper: Natural)]
    /// Upper bounds on the weights of all smaller and of all larger integers.
    private(set) var below = Natural.zero
    private(set) var above = Natural.zero

    init(mean: Dyadic, bits: Int) {
        let whole = (Natural(mean.significand) << mean.exponent).word ?? 0
        let unit = Natural.powerOfTwo(bits)
        let one = Natural(1 as UInt64)
        var falling: [(lower: Natural, upper: Natural)] = []
        var weight = (lower: unit, upper: unit)
        var x = whole
        // w(x - 1) = w(x) x / mean.
        while x > 0 && !weight.lower.isZero {
            weight.lower = ((weight.lower * x) << -mean.exponent) / mean.significand
            weight.upper = (((weight.upper * x) << -mean.exponent) + one) / mean.significand + one
            falling.append(weight)
            x -= 1
        }
        first = Int64(x)
        // Ratios fall on the way down: the rest is at most w(x) (x / mean) / (1 - x / mean).
        if x > 0 { below = weight.upper * x / (whole - x) + one }
        var rising = [(lower: unit, upper: unit)]
        weight = (unit, unit)
        x = whole
        // w(x + 1) = w(x) mean / (x + 1).
        while !weight.lower.isZero {
            x += 1
            weight.lower = ((weight.lower * mean.significand) << mean.exponent) / x
            weight.upper = (((weight.upper * mean.significand) << mean.exponent) + one) / x + one
            rising.append(weight)
        }
        above = weight.upper * (whole + 1) / (x - whole) + one
        weights = falling.reversed() + rising
    }

    /// The draw at the place `u * total` for every u that the digits leave possible, if it is the same for all.
    func draw(_ uniform: LazyUniform) -> Int64? {
        let totals = weights.reduce((lower: Natural.zero, upper: below + above)) {
            ($0.lower + $1.lower, $0.upper + $1.upper)
        }
        let lowest = (totals.lower * uniform.numerator) >> uniform.bits
        let highest = ((totals.upper * uniform.upper) >> uniform.bits) + Natural(1 as UInt64)
        // What lies below the table ends at an unknown place.
        if lowest < below { return nil }
        var end = (lower: Natural.zero, upper: below)
        for (index, weight) in weights.enumerated() {
            end = (end.lower + weight.lower, end.upper + weight.upper)
            if lowest < end.upper { return highest <= end.lower ? first + Int64(index) : nil }
        }
        return nil
    }
}
