import Tables

/// Computes a row expression on values: for constants, for the values that a grouping expression can take, and for
/// post-processing, where the "row" is a group's keys and noisy aggregates. The semantics are those of the column
/// engine; every operation is total.
struct ScalarEvaluator {
    /// What `.column` reads.
    var row: [Value] = []

    /// The value of an expression without columns; nil where it has some.
    static func constant(_ expression: Expression) -> Value? {
        var isConstant = true
        expression.visit { node in
            switch node {
            case .column, .lookup, .lookupMatches: isConstant = false
            default: break
            }
        }
        return isConstant ? ScalarEvaluator().evaluate(expression) : nil
    }

    func evaluate(_ expression: Expression) -> Value {
        switch expression {
        case .column(let index, _): return index < row.count ? row[index] : .null
        case .literal(let value, _): return value
        case .arithmetic(let operation, let left, let right, let type):
            return arithmetic(operation, evaluate(left), evaluate(right), type)
        case .function(let function, let operand, let type): return apply(function, evaluate(operand), type)
        case .round(let operand, let digits):
            return real(evaluate(operand).number.map { ScalarFunctions.round($0, digits: digits) })
        case .bin(let operand, let width, let origin, let type):
            return number(
                evaluate(operand).number.map { ScalarFunctions.bin($0, width: width, origin: origin) }, type)
        case .comparison(let comparison, let left, let right):
            return boolean(compare(comparison, evaluate(left), evaluate(right)))
        case .and(let left, let right): return and(evaluate(left), evaluate(right))
        case .or(let left, let right): return negate(and(negate(evaluate(left)), negate(evaluate(right))))
        case .not(let operand): return negate(evaluate(operand))
        case .isNull(let operand): return .boolean(evaluate(operand) == .null)
        case .isIn(let operand, let list):
            let value = evaluate(operand)
            return value == .null ? .null : .boolean(list.contains { Self.order(value, $0) == 0 })
        case .like(let operand, let pattern):
            guard case .text(let text) = evaluate(operand) else { return .null }
            return .boolean(Self.matches(text, pattern))
        case .conditional(let branches, let otherwise, _):
            let taken = branches.first { evaluate($0.condition) == .boolean(true) }
            return evaluate(taken?.value ?? otherwise)
        case .coalesce(let operands, _):
            return operands.lazy.map(evaluate).first { $0 != .null } ?? .null
        case .extremum(let function, let operands, _): return extremum(function, operands.map(evaluate))
        case .clamp(let operand, let lower, let upper, let type):
            return number(evaluate(operand).number.map { Swift.min(Swift.max($0, lower), upper) }, type)
        case .cast(let operand, let type): return Self.cast(evaluate(operand), to: type)
        case .datePart(let part, let operand):
            return temporal(operand) { .integer(ScalarFunctions.part(part, of: $0, operand.type)) }
        case .dateTruncate(let part, let operand, let type):
            return temporal(operand) {
                let start = ScalarFunctions.truncate($0, part, type)
                return type == .date ? .date(start) : .timestamp(start)
            }
        case .textFunction(let function, let operand):
            guard case .text(let text) = evaluate(operand) else { return .null }
            return .text(Self.apply(function, text))
        case .textLength(let operand):
            guard case .text(let text) = evaluate(operand) else { return .null }
            return .integer(Int64(text.unicodeScalars.count))
        case .lookup, .lookupMatches: return .null
        }
    }

    // MARK: numbers

    private func real(_ value: Double?) -> Value {
        guard let value, value.isFinite else { return .null }
        return .real(value)
    }

    /// A number as a value of that type; null where it does not fit.
    private func number(_ value: Double?, _ type: ValueType) -> Value {
        guard type != .real else { return real(value) }
        guard let value, let exact = Int64(exactly: value.rounded(.toNearestOrEven)) else { return .null }
        switch type {
        case .date: return .date(exact)
        case .timestamp: return .timestamp(exact)
        default: return .integer(exact)
        }
    }

    private func arithmetic(
        _ operation: ArithmeticOperator, _ left: Value, _ right: Value, _ type: ValueType
    ) -> Value {
        if case .integer(let a) = left, case .integer(let b) = right, type == .integer {
            return integers(operation, a, b)
        }
        guard let a = left.number, let b = right.number else { return .null }
        switch operation {
        case .add: return real(a + b)
        case .subtract: return real(a - b)
        case .multiply: return real(a * b)
        case .divide: return b == 0 ? .null : real(a / b)
        case .modulo: return b == 0 ? .null : real(a.truncatingRemainder(dividingBy: b))
        }
    }

    private func integers(_ operation: ArithmeticOperator, _ a: Int64, _ b: Int64) -> Value {
        let (result, overflow) =
            switch operation {
            case .add: a.addingReportingOverflow(b)
            case .subtract: a.subtractingReportingOverflow(b)
            case .multiply: a.multipliedReportingOverflow(by: b)
            case .divide: a.dividedReportingOverflow(by: b)
            case .modulo: a.remainderReportingOverflow(dividingBy: b)
            }
        return overflow ? .null : .integer(result)
    }

    private func apply(_ function: NumericFunction, _ operand: Value, _ type: ValueType) -> Value {
        if case .integer(let value) = operand, type == .integer {
            switch function {
            case .negate: return integers(.subtract, 0, value)
            case .absolute: return value == .min ? .null : .integer(abs(value))
            default: return .integer(value)
            }
        }
        guard let x = operand.number else { return .null }
        switch function {
        case .negate: return real(-x)
        case .absolute: return real(abs(x))
        case .floor: return real(x.rounded(.down))
        case .ceiling: return real(x.rounded(.up))
        case .squareRoot: return x < 0 ? .null : real(x.squareRoot())
        case .exponential: return real(ScalarFunctions.exponential(x))
        case .naturalLogarithm: return x <= 0 ? .null : real(ScalarFunctions.logarithm(x))
        }
    }

    private func extremum(_ function: ExtremumFunction, _ values: [Value]) -> Value {
        let present = values.filter { $0 != .null }
        guard var best = present.first else { return .null }
        for value in present.dropFirst() {
            let order = Self.order(value, best)
            if function == .least ? order < 0 : order > 0 { best = value }
        }
        return best
    }

    // MARK: logic

    private func boolean(_ value: Bool?) -> Value { value.map(Value.boolean) ?? .null }

    private func compare(_ comparison: ComparisonOperator, _ left: Value, _ right: Value) -> Bool? {
        guard left != .null, right != .null else { return nil }
        let order = Self.order(left, right)
        switch comparison {
        case .equal: return order == 0
        case .notEqual: return order != 0
        case .less: return order < 0
        case .lessOrEqual: return order <= 0
        case .greater: return order > 0
        case .greaterOrEqual: return order >= 0
        }
    }

    private func and(_ left: Value, _ right: Value) -> Value {
        if left == .boolean(false) || right == .boolean(false) { return .boolean(false) }
        return left == .boolean(true) && right == .boolean(true) ? .boolean(true) : .null
    }

    private func negate(_ value: Value) -> Value {
        if case .boolean(let truth) = value { return .boolean(!truth) }
        return .null
    }

    /// The order of two values: null first, numbers by magnitude, text by Unicode scalar values.
    static func order(_ left: Value, _ right: Value) -> Int {
        switch (left, right) {
        case (.null, .null): return 0
        case (.null, _): return -1
        case (_, .null): return 1
        case (.text(let a), .text(let b)):
            if a.unicodeScalars.elementsEqual(b.unicodeScalars) { return 0 }
            return a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars) ? -1 : 1
        case (.integer(let a), .integer(let b)), (.date(let a), .date(let b)), (.timestamp(let a), .timestamp(let b)):
            return a < b ? -1 : (a > b ? 1 : 0)
        default:
            guard let a = left.number, let b = right.number else { return left.number == nil ? 1 : -1 }
            return a < b ? -1 : (a > b ? 1 : 0)
        }
    }

    // MARK: dates and text

    private func temporal(_ operand: Expression, _ body: (Int64) -> Value) -> Value {
        switch evaluate(operand) {
        case .date(let value), .timestamp(let value): abs(value) < 1 << 53 ? body(value) : .null
        default: .null
        }
    }

    static func apply(_ function: TextFunction, _ text: String) -> String {
        switch function {
        case .lower: return text.lowercased()
        case .upper: return text.uppercased()
        case .trim:
            var scalars = text.unicodeScalars[...]
            while scalars.first == " " { scalars.removeFirst() }
            while scalars.last == " " { scalars.removeLast() }
            return String(String.UnicodeScalarView(scalars))
        }
    }

    static func cast(_ value: Value, to type: ValueType) -> Value {
        switch (value, type) {
        case (.null, _): return .null
        case (.integer, .integer), (.real, .real), (.text, .text), (.boolean, .boolean), (.date, .date),
            (.timestamp, .timestamp):
            return value
        case (.integer(let number), .real): return .real(Double(number))
        case (.real(let number), .integer):
            return Int64(exactly: number.rounded(.towardZero)).map(Value.integer) ?? .null
        case (.integer(let number), .boolean): return .boolean(number != 0)
        case (.boolean(let truth), .integer): return .integer(truth ? 1 : 0)
        case (.boolean(let truth), .real): return .real(truth ? 1 : 0)
        case (.text(let text), .integer): return Int64(text).map(Value.integer) ?? .null
        case (.text(let text), .real): return Double(text).flatMap { $0.isFinite ? .real($0) : nil } ?? .null
        case (.text(let text), .date): return CivilDate.parseDate(text).map(Value.date) ?? .null
        case (.text(let text), .timestamp): return CivilDate.parseTimestamp(text).map(Value.timestamp) ?? .null
        case (.date(let day), .timestamp):
            let (seconds, overflow) = day.multipliedReportingOverflow(by: CivilDate.secondsPerDay)
            return overflow ? .null : .timestamp(seconds)
        case (.timestamp(let second), .date):
            return .date(CivilDate.floorDivide(second, CivilDate.secondsPerDay))
        case (.boolean(let truth), .text): return .text(truth ? "true" : "false")
        case (.integer(let number), .text): return .text(String(number))
        default: return .null
        }
    }

    /// SQL LIKE on Unicode scalars, by the greedy algorithm for `%` (linear memory, no recursion).
    static func matches(_ text: String, _ pattern: String) -> Bool {
        let text = Array(text.unicodeScalars)
        var pieces: [(isRun: Bool, scalar: Unicode.Scalar?)] = []
        var isEscaped = false
        for scalar in pattern.unicodeScalars {
            if isEscaped {
                pieces.append((false, scalar))
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "%" {
                pieces.append((true, nil))
            } else {
                pieces.append((false, scalar == "_" ? nil : scalar))
            }
        }
        var (t, p) = (0, 0)
        var (lastRun, resume) = (-1, 0)
        while t < text.count {
            if p < pieces.count, pieces[p].isRun {
                (lastRun, resume) = (p, t)
                p += 1
            } else if p < pieces.count, pieces[p].scalar == nil || pieces[p].scalar == text[t] {
                t += 1
                p += 1
            } else if lastRun >= 0 {
                resume += 1
                (t, p) = (resume, lastRun + 1)
            } else {
                return false
            }
        }
        return pieces[p...].allSatisfy(\.isRun)
    }
}

extension Expression {
    /// The expressions that this one is made of.
    var operands: [Expression] {
        switch self {
        case .column, .literal: []
        case .arithmetic(_, let left, let right, _), .comparison(_, let left, let right), .and(let left, let right),
            .or(let left, let right):
            [left, right]
        case .function(_, let operand, _), .round(let operand, _), .bin(let operand, _, _, _), .not(let operand),
            .isNull(let operand), .isIn(let operand, _), .like(let operand, _), .clamp(let operand, _, _, _),
            .cast(let operand, _), .datePart(_, let operand), .dateTruncate(_, let operand, _),
            .textFunction(_, let operand), .textLength(let operand), .lookup(_, let operand, _, _),
            .lookupMatches(_, let operand):
            [operand]
        case .conditional(let branches, let otherwise, _):
            branches.flatMap { [$0.condition, $0.value] } + [otherwise]
        case .coalesce(let operands, _), .extremum(_, let operands, _): operands
        }
    }

    /// The number of nodes, counted no further than `limit`.
    func size(upTo limit: Int) -> Int {
        var total = 1
        for operand in operands where total < limit { total += operand.size(upTo: limit - total) }
        return total
    }

    /// Calls `body` on this expression and everything inside it.
    func visit(_ body: (Expression) -> Void) {
        body(self)
        for operand in operands { operand.visit(body) }
    }
}
