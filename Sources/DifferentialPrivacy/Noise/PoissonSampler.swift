/// Exact Poisson draws, by a table of cumulated weights with proven bounds.
///
/// With the mode's weight as unit, each further weight follows from its neighbour by a factor `mean / x` or `x / mean`,
/// rounded down and up, in integers: bounds on every weight and, by a geometric series, on what is beyond the table. A
/// uniform number picks a place on the line of all weights. If the digits drawn leave it certain which integer lies
/// there, that is the draw (all but about once in 2^45); else more digits are drawn, against weights with more digits.
///
/// Which words are certain to mean which integer is computed when the table is made; a guide of 1024 places into it saves
/// most of the search (Chen and Asau 1974, "On generating random variates from an empirical distribution").
@usableFromInline
struct PoissonSampler: Sendable {
    private let mean: Dyadic
    @usableFromInline let table: Table

    /// A table of so many bits has less than 2^40 of rounding in some 2^106.
    private static let tableBits = 96

    /// `mean`: from 2^-30 to 2^20.
    init(mean: Dyadic) {
        self.mean = mean
        table = Table(PoissonWeights(mean: mean, bits: Self.tableBits))
    }

    /// One draw.
    @inlinable
    func sample<R: RandomNumberGenerator>(using generator: inout R) -> Int64 {
        let word = generator.next()
        return table.draw(word) ?? decide(word, using: &generator)
    }

    /// The draw whose first digits are the word's, with as many more as it takes.
    @usableFromInline @inline(never)
    func decide<R: RandomNumberGenerator>(_ word: UInt64, using generator: inout R) -> Int64 {
        var uniform = LazyUniform(numerator: Natural(word), spread: 1, bits: 64)
        var bits = Self.tableBits
        while true {
            if let draw = PoissonWeights(mean: mean, bits: bits).draw(uniform) { return draw }
            uniform.refine(using: &generator)
            bits += 64
        }
    }

    /// The integers from `first` on, each with the words w for which every place in `[w, w + 1) / 2^64` of the line is its.
    @usableFromInline
    struct Table: Sendable {
        @usableFromInline
        struct Cell: Sendable {
            @usableFromInline var begin: UInt64
            /// Not in the cell itself.
            @usableFromInline var end: UInt64
        }

        @usableFromInline let first: Int64
        @usableFromInline var cells: [Cell] = []
        /// The first cell that ends beyond the least word that has these 10 bits at its top.
        @usableFromInline var guide: [UInt32] = []
        @usableFromInline static let guideShift: UInt64 = 54

        init(_ weights: PoissonWeights) {
            first = weights.first
            // Lower bounds of the sums up to each integer; the upper bounds are at most `slack` above.
            var ends: [UInt128] = []
            var (lower, upper): (UInt128, UInt128) = (0, weights.below.low128)
            var slack = upper
            for weight in weights.weights {
                lower += weight.lower.low128
                upper += weight.upper.low128
                ends.append(lower)
                slack = max(slack, upper - lower)
            }
            let (least, most) = (lower, upper + weights.above.low128)
            // The first integer's cell begins where those below the table end, at an unknown place.
            var begin = first == 0 ? 0 : Self.words { Self.scaled(least, $0) < slack }
            for end in ends {
                cells.append(
                    Cell(begin: begin, end: Self.words { Self.scaled(most, $0) + (most >> 64) + 2 <= end }))
                begin = Self.words { Self.scaled(least, $0) < end + slack }
            }
            var index = 0
            for place in 0..<(1 << 10) as Range<UInt64> {
                while index < cells.count, cells[index].end <= place << Self.guideShift { index += 1 }
                guide.append(UInt32(index))
            }
        }

        /// The draw that begins with the word's digits, if it is the same however they go on.
        @inlinable
        func draw(_ word: UInt64) -> Int64? {
            var index = Int(truncatingIfNeeded: guide[Int(truncatingIfNeeded: word >> Self.guideShift)])
            while index < cells.count, cells[index].end <= word { index += 1 }
            guard index < cells.count, word >= cells[index].begin else { return nil }
            return first + Int64(truncatingIfNeeded: index)
        }

        /// How many words, the least ones, a condition holds for that, once false, stays false (at most 2^64 - 1).
        private static func words(_ holds: (UInt64) -> Bool) -> UInt64 {
            var (low, high): (UInt64, UInt64) = (0, .max)
            while low < high {
                let middle = low + (high - low) / 2
                if holds(middle) { low = middle + 1 } else { high = middle }
            }
            return low
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
