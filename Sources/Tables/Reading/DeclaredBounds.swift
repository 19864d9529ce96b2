/// What a column's declaration makes of its numbers (docs/privacy.md, rule 28): each is rounded to the declared resolution,
/// then clipped to the declared bounds, or null where the column says so. The result *is* the column's value, for
/// filters, keys and aggregates alike.
struct DeclaredBounds: Sendable, Hashable {
    /// Bounds of integers, dates and timestamps: the whole numbers within the declared ones.
    let integers: ClosedRange<Int64>
    let reals: ClosedRange<Double>
    let isReal: Bool
    /// What is outside becomes null, not the bound.
    let outsideIsNull: Bool
    /// nil: nothing is rounded.
    private let grid: DecimalGrid?
    private let step: Int64

    /// nil where the declaration leaves every number as it is.
    init?(_ schema: ColumnSchema) {
        guard [.integer, .real, .date, .timestamp].contains(schema.type) else { return nil }
        let (lower, upper) = (schema.lowerBound ?? -.infinity, schema.upperBound ?? .infinity)
        let resolution = schema.resolution.flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
        isReal = schema.type == .real
        guard lower <= upper, lower > -.infinity || upper < .infinity || resolution != nil else { return nil }
        let (least, largest) = (Self.integer(lower.rounded(.up)), Self.integer(upper.rounded(.down)))
        guard isReal || least <= largest else { return nil }
        integers = least...Swift.max(least, largest)
        reals = lower + 0.0...upper + 0.0
        outsideIsNull = schema.outsideIsNull
        grid = isReal ? resolution.map { DecimalGrid(step: $0, origin: lower.isFinite ? lower : 0) } : nil
        step = isReal ? 1 : resolution.flatMap(Int64.init(exactly:)) ?? 1
    }

    /// The bounds alone: for tables that were stored before values were rounded.
    var withoutRounding: DeclaredBounds {
        DeclaredBounds(
            integers: integers, reals: reals, isReal: isReal, outsideIsNull: outsideIsNull, grid: nil, step: 1)
    }

    private init(
        integers: ClosedRange<Int64>, reals: ClosedRange<Double>, isReal: Bool, outsideIsNull: Bool, grid: DecimalGrid?,
        step: Int64
    ) {
        (self.integers, self.reals, self.isReal) = (integers, reals, isReal)
        (self.outsideIsNull, self.grid, self.step) = (outsideIsNull, grid, step)
    }

    private static func integer(_ bound: Double) -> Int64 {
        bound >= 0x1p63 ? Int64.max : bound <= -0x1p63 ? -Int64.max : Int64(bound)
    }

    /// Makes `count` integers (null: `ColumnEncoding.null`) or doubles' bits the column's values; returns how many were
    /// outside the bounds.
    func apply(to words: UnsafeMutablePointer<Int64>, count: Int) -> Int {
        if isReal {
            return words.withMemoryRebound(to: Double.self, capacity: count) { apply(to: $0, count: count) }
        }
        if step > 1 { for i in 0..<count { words[i] = rounded(words[i]) } }
        let (least, largest, null) = (integers.lowerBound, integers.upperBound, ColumnEncoding.null)
        var outside = 0
        for i in 0..<count {
            let word = words[i]
            let clipped = Swift.min(Swift.max(word, least), largest)
            let isOutside = word != null && word != clipped
            outside &+= isOutside ? 1 : 0
            words[i] = isOutside ? (outsideIsNull ? null : clipped) : word
        }
        return outside
    }

    /// The same for doubles; null is NaN.
    func apply(to values: UnsafeMutablePointer<Double>, count: Int) -> Int {
        if let grid { for i in 0..<count { values[i] = grid.nearest(values[i]) } }
        let (lower, upper) = (reals.lowerBound, reals.upperBound)
        var outside = 0
        for i in 0..<count {
            let value = values[i]
            // Comparisons with NaN are false, so that null stays.
            let clipped = value < lower ? lower : value > upper ? upper : value
            let isOutside = value < lower || value > upper
            outside &+= isOutside ? 1 : 0
            values[i] = isOutside && outsideIsNull ? .nan : clipped
        }
        return outside
    }

    /// The nearest multiple of the step, counted from the lower bound; of two the one farther from it.
    private func rounded(_ word: Int64) -> Int64 {
        let origin = integers.lowerBound == -Int64.max ? 0 : integers.lowerBound
        let (distance, isFar) = word.subtractingReportingOverflow(origin)
        // What is so far away is outside anyway.
        guard word != ColumnEncoding.null, !isFar else { return word }
        let rest = distance % step
        let moved = rest.magnitude >= step.magnitude - rest.magnitude ? (rest < 0 ? -step : step) : 0
        let (result, overflow) = word.addingReportingOverflow(moved - rest)
        return overflow || result == ColumnEncoding.null ? word : result
    }
}

/// Multiples of a step from an origin, as the doubles nearest to them: 0.3 is a multiple of 0.1, though 3 * 0.1 is not 0.3.
struct DecimalGrid: Sendable, Hashable {
    private let step: Double
    private let origin: Double
    /// Step and origin in units of 1 / scale, where they are whole numbers of such units.
    private let decimal: Decimal?

    private struct Decimal: Hashable {
        var step: Double
        var origin: Double
        var scale: Double
    }

    init(step: Double, origin: Double) {
        self.step = step
        self.origin = origin
        decimal = (0...15).lazy.map { Self.decimal(step, origin, scale: powersOfTen[$0]) }.first { $0 != nil } ?? nil
    }

    private static func decimal(_ step: Double, _ origin: Double, scale: Double) -> Decimal? {
        let (units, start) = ((step * scale).rounded(), (origin * scale).rounded())
        guard units >= 1, units < 0x1p53, abs(start) < 0x1p53, units / scale == step, start / scale == origin else {
            return nil
        }
        return Decimal(step: units, origin: start, scale: scale)
    }

    /// The multiple nearest to a value; NaN, and what is too large to have one, stay as they are.
    func nearest(_ value: Double) -> Double {
        let number = ((value - origin) / step).rounded(.toNearestOrAwayFromZero)
        guard abs(number) < 0x1p52 else { return value }
        if let decimal {
            let units = decimal.origin + number * decimal.step
            if abs(units) < 0x1p53 { return units / decimal.scale + 0.0 }
        }
        return origin + number * step + 0.0
    }
}

extension ColumnSchema {
    /// The declared bounds, as a stored table's description has them.
    var boundsPair: [Double]? {
        guard let lowerBound, let upperBound, lowerBound.isFinite, upperBound.isFinite, type != .text, type != .boolean
        else { return nil }
        return [lowerBound, upperBound]
    }

    /// The value that a column has where a row holds `value`: rounded to the resolution and clipped to the bounds.
    public func bounded(_ value: Value) -> Value {
        guard let bounds = DeclaredBounds(self) else { return value }
        switch value {
        case .integer(let number) where type == .real: return bounded(.real(Double(number)))
        case .integer, .date, .timestamp:
            guard type != .real, var word = value.word else { return value }
            _ = bounds.apply(to: &word, count: 1)
            return word == ColumnEncoding.null ? .null : Value(word: word, type: type)
        case .real(var number):
            guard type == .real else { return value }
            _ = bounds.apply(to: &number, count: 1)
            return number.isNaN ? .null : .real(number)
        default: return value
        }
    }

    /// The name of a made-up unit, from 1: for rows that are nobody's. It is one that the column can hold.
    public func madeUpUnit(_ number: Int64) -> Value {
        if let domain, !domain.isEmpty { return domain[Int((number - 1) % Int64(domain.count))] }
        guard type != .text else { return .text("unit-\(number)") }
        var word = number
        if let bounds = DeclaredBounds(self)?.integers, !bounds.contains(number) {
            let (span, isWide) = bounds.upperBound.subtractingReportingOverflow(bounds.lowerBound)
            word = bounds.lowerBound + (isWide || span == Int64.max ? number - 1 : (number - 1) % (span + 1))
        }
        return Value(word: word, type: type)
    }
}
