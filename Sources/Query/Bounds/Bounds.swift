import Tables

/// What follows for an expression's values from declared bounds and types alone: an interval that holds every value,
/// and whether it can be null. Booleans count as 0 and 1, dates and timestamps in their own unit; text has no bounds.
///
/// Interval arithmetic is what sensitivity is derived from, but not what enforces it: values are clipped to these
/// bounds where they enter an aggregate, so a row that breaks its declaration breaks no promise.
struct Bounds: Hashable {
    var lower: Double
    var upper: Double
    var isNullable: Bool

    static let unbounded = Bounds(lower: -.infinity, upper: .infinity, isNullable: true)
    static let boolean = Bounds(lower: 0, upper: 1, isNullable: false)
    /// No value but null.
    static let onlyNull = Bounds(lower: .infinity, upper: -.infinity, isNullable: true)

    static func constant(_ value: Double) -> Bounds { Bounds(lower: value, upper: value, isNullable: false) }

    var isEmpty: Bool { lower > upper }

    /// Whether both ends are finite and of a magnitude that can be computed with.
    var isFinite: Bool { !isEmpty && lower >= -QuestionLimits.bound && upper <= QuestionLimits.bound }

    func union(_ other: Bounds) -> Bounds {
        Bounds(
            lower: Swift.min(lower, other.lower), upper: Swift.max(upper, other.upper),
            isNullable: isNullable || other.isNullable)
    }

    func orNull(_ nullable: Bool = true) -> Bounds {
        Bounds(lower: lower, upper: upper, isNullable: isNullable || nullable)
    }

    /// The interval of a function that does not decrease.
    func mapped(_ function: (Double) -> Double, orNull nullable: Bool = false) -> Bounds {
        if isEmpty { return orNull(nullable) }
        return Bounds(lower: function(lower), upper: function(upper), isNullable: isNullable || nullable)
    }

    /// Integers beyond 64 bits, and reals beyond finite, become null when computed.
    func representable(_ type: ValueType) -> Bounds {
        if isEmpty { return self }
        let limit = type == .integer ? 0x1p63 : Double.greatestFiniteMagnitude
        guard lower.isNaN || upper.isNaN || lower < -limit || upper > limit else { return self }
        if lower.isNaN || upper.isNaN { return .unbounded }
        return Bounds(
            lower: type == .integer ? Swift.max(lower, -limit) : lower,
            upper: type == .integer ? Swift.min(upper, limit) : upper, isNullable: true)
    }
}

/// The declared bounds of the columns that an expression can name.
struct BoundsScope: Hashable {
    var columns: [Bounds]
    /// By slot, then by column; nullable where the join keeps rows without a match.
    var lookups: [[Bounds]] = []

    static func declared(_ column: ColumnSchema) -> Bounds {
        var bounds = Bounds(
            lower: column.lowerBound ?? -.infinity, upper: column.upperBound ?? .infinity,
            isNullable: column.isNullable)
        if column.type == .boolean { bounds = Bounds.boolean.orNull(column.isNullable) }
        if let domain = column.domain {
            let values = (domain + [column.other].compactMap(\.self)).compactMap(\.number)
            if !values.isEmpty, let least = values.min(), let greatest = values.max() {
                bounds.lower = Swift.max(bounds.lower, least)
                bounds.upper = Swift.min(bounds.upper, greatest)
            }
        }
        return bounds
    }

    func bounds(_ expression: Expression) -> Bounds {
        switch expression {
        case .column(let index, _): return columns[index]
        case .literal(let value, _): return value.number.map(Bounds.constant) ?? (value == .null ? .onlyNull : .text)
        case .arithmetic(let operation, let left, let right, let type):
            return arithmetic(operation, left, right, as: type).representable(type)
        case .function(let function, let operand, let type):
            return Self.apply(function, bounds(operand)).representable(type)
        case .round(let operand, let digits):
            return bounds(operand).mapped { ScalarFunctions.round($0, digits: digits) }.representable(.real)
        case .bin(let operand, let width, let origin, let type):
            return bounds(operand).mapped { ScalarFunctions.bin($0, width: width, origin: origin) }.representable(type)
        case .comparison(_, let left, let right):
            return Bounds.boolean.orNull(bounds(left).isNullable || bounds(right).isNullable)
        case .and(let left, let right), .or(let left, let right):
            return Bounds.boolean.orNull(bounds(left).isNullable || bounds(right).isNullable)
        case .not(let operand), .isIn(let operand, _), .like(let operand, _):
            return Bounds.boolean.orNull(bounds(operand).isNullable)
        case .isNull, .lookupMatches: return .boolean
        case .conditional(let branches, let otherwise, _):
            return branches.reduce(bounds(otherwise)) { $0.union(bounds($1.value)) }
        case .coalesce(let operands, _):
            let all = operands.map(bounds)
            return Bounds(
                lower: all.map(\.lower).min() ?? 0, upper: all.map(\.upper).max() ?? 0,
                isNullable: all.allSatisfy(\.isNullable))
        case .extremum(let function, let operands, _): return Self.extremum(function, operands.map(bounds))
        case .clamp(let operand, let lower, let upper, _):
            return bounds(operand).mapped { Swift.min(Swift.max($0, lower), upper) }
        case .cast(let operand, let type): return cast(operand, to: type)
        case .datePart(let part, let operand): return datePart(part, operand)
        case .dateTruncate(let part, let operand, let type):
            return calendar(operand) { part.start(of: $0, type) }
        case .textFunction(_, let operand): return Bounds.text.orNull(bounds(operand).isNullable)
        case .concatenation(let operands): return Bounds.text.orNull(operands.contains { bounds($0).isNullable })
        case .textLength(let operand):
            return Bounds(lower: 0, upper: .infinity, isNullable: bounds(operand).isNullable)
        case .lookup(let slot, _, let column, _): return lookups[slot][column]
        }
    }

    private func arithmetic(
        _ operation: ArithmeticOperator, _ left: Expression, _ right: Expression, as type: ValueType
    ) -> Bounds {
        let a = bounds(left)
        let b = bounds(right)
        let nullable = a.isNullable || b.isNullable
        if a.isEmpty || b.isEmpty { return .onlyNull }
        switch operation {
        case .add: return Bounds(lower: a.lower + b.lower, upper: a.upper + b.upper, isNullable: nullable)
        case .subtract: return Bounds(lower: a.lower - b.upper, upper: a.upper - b.lower, isNullable: nullable)
        case .multiply:
            let product = Self.product(a, b).orNull(nullable)
            // A square is not negative, which the product of two independent factors may be.
            return left == right
                ? Bounds(lower: Swift.max(product.lower, 0), upper: product.upper, isNullable: nullable) : product
        case .divide:
            if b.lower > 0 || b.upper < 0 {
                let inverse = Bounds(lower: 1 / b.upper, upper: 1 / b.lower, isNullable: false)
                return Self.quotient(a, b, inverse).orNull(nullable)
            }
            return .unbounded
        case .modulo: return Self.remainder(a, b, type).orNull(nullable)
        case .power: return Self.power(a, b).orNull(nullable)
        }
    }

    private static func product(_ a: Bounds, _ b: Bounds) -> Bounds {
        corners(a, b) { $0 == 0 || $1 == 0 ? 0 : $0 * $1 }
    }

    private static func quotient(_ a: Bounds, _ b: Bounds, _ inverse: Bounds) -> Bounds {
        if b.lower.isInfinite || b.upper.isInfinite { return product(a, inverse) }
        return corners(a, b) { $0 == 0 ? 0 : $0 / $1 }
    }

    private static func corners(_ a: Bounds, _ b: Bounds, _ function: (Double, Double) -> Double) -> Bounds {
        let values = [
            function(a.lower, b.lower), function(a.lower, b.upper), function(a.upper, b.lower),
            function(a.upper, b.upper),
        ]
        return Bounds(lower: values.min() ?? 0, upper: values.max() ?? 0, isNullable: false)
    }

    /// The remainder has the dividend's sign and is smaller than the divisor; null for a divisor of zero.
    private static func remainder(_ a: Bounds, _ b: Bounds, _ type: ValueType) -> Bounds {
        let divisor = Swift.max(abs(b.lower), abs(b.upper))
        let largest = type == .integer ? Swift.max(divisor - 1, 0) : divisor
        return Bounds(
            lower: a.lower < 0 ? Swift.max(a.lower, -largest) : 0,
            upper: a.upper > 0 ? Swift.min(a.upper, largest) : 0,
            isNullable: b.lower <= 0 && b.upper >= 0)
    }

    /// Of a base that is not negative, a power is monotone in the base for each exponent, and in the exponent for each base
    /// (of 0: infinite, 1, 0), so that the corners are the extremes. Of a negative base it is that of the magnitude with
    /// either sign, which a constant whole exponent tells, and null where the exponent is not whole.
    private static func power(_ base: Bounds, _ exponent: Bounds) -> Bounds {
        var parts: [Bounds] = []
        if base.upper >= 0 {
            parts.append(
                magnitude(Bounds(lower: Swift.max(base.lower, 0), upper: base.upper, isNullable: false), exponent))
        }
        if base.lower < 0 {
            let size = magnitude(
                Bounds(lower: Swift.max(-base.upper, 0), upper: -base.lower, isNullable: false), exponent)
            let whole = exponent.lower == exponent.upper ? exponent.lower : .nan
            let isEven = whole.remainder(dividingBy: 2) == 0
            let isOdd = abs(whole.remainder(dividingBy: 2)) == 1
            parts.append(
                Bounds(
                    lower: isEven ? size.lower : -size.upper, upper: isOdd ? -size.lower : size.upper,
                    isNullable: size.isNullable || !(isEven || isOdd)))
        }
        return parts.dropFirst().reduce(parts.first ?? .onlyNull) { $0.union($1) }
    }

    /// The powers of bases from 0 on; the C library's are not rounded correctly.
    private static func magnitude(_ base: Bounds, _ exponent: Bounds) -> Bounds {
        let corners = widened(corners(base, exponent, ScalarFunctions.power))
        return Bounds(
            lower: Swift.max(corners.lower, 0), upper: corners.upper,
            isNullable: corners.upper > .greatestFiniteMagnitude)
    }

    private static func apply(_ function: NumericFunction, _ x: Bounds) -> Bounds {
        if x.isEmpty { return x }
        switch function {
        case .negate: return Bounds(lower: -x.upper, upper: -x.lower, isNullable: x.isNullable)
        case .absolute:
            let least = x.lower > 0 ? x.lower : (x.upper < 0 ? -x.upper : 0)
            return Bounds(
                lower: least, upper: Swift.max(abs(x.lower), abs(x.upper)), isNullable: x.isNullable)
        case .floor: return x.mapped { $0.rounded(.down) }
        case .ceiling: return x.mapped { $0.rounded(.up) }
        case .squareRoot:
            guard x.upper >= 0 else { return .onlyNull }
            return x.mapped({ Swift.max($0, 0).squareRoot() }, orNull: x.lower < 0)
        case .exponential: return widened(x.mapped(ScalarFunctions.exponential))
        case .naturalLogarithm:
            guard x.upper > 0 else { return .onlyNull }
            return widened(x.mapped({ ScalarFunctions.logarithm(Swift.max($0, 0)) }, orNull: x.lower <= 0))
        }
    }

    /// The C library's exponential and logarithm are not rounded correctly, hence perhaps not monotone in the last bit.
    private static func widened(_ x: Bounds) -> Bounds {
        Bounds(lower: x.lower.nextDown, upper: x.upper.nextUp, isNullable: x.isNullable)
    }

    /// Nulls are skipped, so that a nullable operand bounds the result on one side only if another is never null.
    private static func extremum(_ function: ExtremumFunction, _ operands: [Bounds]) -> Bounds {
        let present = operands.filter { !$0.isEmpty }
        let certain = present.filter { !$0.isNullable }
        guard let least = present.map(\.lower).min(), let greatest = present.map(\.upper).max() else {
            return .onlyNull
        }
        let nullable = operands.allSatisfy(\.isNullable)
        switch function {
        case .least:
            let upper = certain.map(\.upper).min() ?? greatest
            return Bounds(lower: least, upper: Swift.min(greatest, upper), isNullable: nullable)
        case .greatest:
            let lower = certain.map(\.lower).max() ?? least
            return Bounds(lower: Swift.max(least, lower), upper: greatest, isNullable: nullable)
        }
    }

    private func cast(_ operand: Expression, to type: ValueType) -> Bounds {
        let x = bounds(operand)
        switch (operand.type, type) {
        case (let from, let to) where from == to: return x
        case (.integer, .real), (.boolean, .integer), (.boolean, .real): return x
        case (.real, .integer): return x.mapped(ScalarFunctions.whole).representable(.integer)
        case (.date, .integer), (.timestamp, .integer): return x
        case (.integer, .date): return ValueType.date.calendar.map(x.within) ?? x
        case (.date, .timestamp): return calendar(operand) { $0 * secondsPerDay }
        case (.timestamp, .date): return x.mapped { ($0 / Double(secondsPerDay)).rounded(.down) }
        case (_, .boolean): return Bounds.boolean.orNull(operand.type == .text || x.isNullable)
        case (.date, .text), (.timestamp, .text): return Bounds.text.orNull(calendar(operand) { $0 }.isNullable)
        case (.integer, .text), (.real, .text), (.boolean, .text): return Bounds.text.orNull(x.isNullable)
        default: return .unbounded
        }
    }

    private func datePart(_ part: DatePart, _ operand: Expression) -> Bounds {
        let x = calendar(operand) { part == .year ? part.value(of: $0, operand.type) : $0 }
        guard part != .year, !x.isEmpty else { return x }
        let isTime = part == .hour || part == .minute || part == .second
        let upper = isTime && operand.type == .date ? 0 : part.range.upperBound
        return Bounds(lower: Double(part.range.lowerBound), upper: Double(upper), isNullable: x.isNullable)
    }

    /// The interval of a function of dates or timestamps that does not decrease and is null outside years 0 to 9999.
    /// Where nothing is declared, dates lie within: they are read from four digits.
    private func calendar(_ operand: Expression, _ function: (Int64) -> Int64?) -> Bounds {
        let x = bounds(operand)
        guard !x.isEmpty, let years = operand.type.calendar else { return x }
        let (least, largest) = (Double(years.lowerBound), Double(years.upperBound))
        guard x.lower <= largest, x.upper >= least else { return .onlyNull }
        var result = x
        if x.lower.isFinite {
            let first = function(Int64(Swift.max(x.lower, least).rounded(.down)))
            result.lower = first.map(Double.init) ?? least
            result.isNullable = result.isNullable || first == nil || x.lower < least
        }
        if x.upper.isFinite {
            let last = function(Int64(Swift.min(x.upper, largest).rounded(.down)))
            result.upper = last.map(Double.init) ?? largest
            result.isNullable = result.isNullable || last == nil || x.upper > largest
        }
        return result
    }
}

extension Bounds {
    static let text = Bounds(lower: -.infinity, upper: .infinity, isNullable: false)

    /// What lies beyond becomes null.
    fileprivate func within(_ range: ClosedRange<Int64>) -> Bounds {
        let (least, largest) = (Double(range.lowerBound), Double(range.upperBound))
        if isEmpty { return self }
        guard lower <= largest, upper >= least else { return .onlyNull }
        return Bounds(
            lower: Swift.max(lower, least), upper: Swift.min(upper, largest),
            isNullable: isNullable || lower < least || upper > largest)
    }
}

extension Value {
    /// The number that bounds are stated in; nil for null and text.
    var number: Double? {
        switch self {
        case .null, .text: nil
        case .integer(let value), .date(let value), .timestamp(let value): Double(value)
        case .real(let value): value
        case .boolean(let value): value ? 1 : 0
        }
    }
}
