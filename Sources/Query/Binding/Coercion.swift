import Tables

/// Conversions that need no CAST: integer to real, date to timestamp, a text literal to a date, null to anything.
enum Coercion {
    static func isNull(_ expression: Expression) -> Bool {
        if case .literal(.null, _) = expression { return true }
        return false
    }

    private static func isTextLiteral(_ expression: Expression) -> Bool {
        if case .literal(.text, _) = expression { return true }
        return false
    }

    /// The type that holds both; nil where none does. A text literal takes the type of a date beside it.
    static func common(_ type: ValueType?, _ expression: Expression, others: [Expression]) -> ValueType? {
        guard let type else {
            if isTextLiteral(expression),
                let temporal = others.first(where: { $0.type == .date || $0.type == .timestamp })
            {
                return temporal.type
            }
            return expression.type
        }
        switch (type, expression.type) {
        case (let a, let b) where a == b: return a
        case (.integer, .real), (.real, .integer): return .real
        case (.date, .timestamp), (.timestamp, .date): return .timestamp
        case (.date, .text), (.timestamp, .text): return isTextLiteral(expression) ? type : nil
        default: return nil
        }
    }

    /// The expression as that type; nil for a text literal that is not one.
    static func convert(_ expression: Expression, to type: ValueType) -> Expression? {
        if case .literal(.null, _) = expression { return .literal(.null, type) }
        if expression.type == type { return expression }
        if case .literal = expression {
            guard let cast = Expression.cast(expression, type).constant, cast != .null else { return nil }
            return .literal(cast, type)
        }
        return .cast(expression, type)
    }

    static func real(_ expression: Expression) -> Expression {
        convert(expression, to: .real) ?? expression
    }

    /// An integer beside a real literal from 2^53 on, which the integer as a real might meet by rounding: compared as
    /// integers, so that each one is on its own side. Nil for anything else; below 2^53 nothing is rounded across.
    static func exact(_ comparison: ComparisonOperator, _ left: Expression, _ right: Expression) -> Expression? {
        if case .literal(.real(let real), _) = left, right.type == .integer {
            return exact(comparison.mirrored, right, real)
        }
        if case .literal(.real(let real), _) = right, left.type == .integer { return exact(comparison, left, real) }
        return nil
    }

    private static func exact(_ comparison: ComparisonOperator, _ integer: Expression, _ real: Double) -> Expression? {
        guard abs(real) >= 0x1p53 else { return nil }
        func compare(_ comparison: ComparisonOperator, _ value: Int64) -> Expression {
            .comparison(comparison, integer, .literal(.integer(value), .integer))
        }
        if let whole = Int64(exactly: real), whole != .min { return compare(comparison, whole) }
        // Every integer is on one side of it.
        switch comparison {
        case .less, .lessOrEqual: return compare(real > 0 ? .lessOrEqual : .less, real > 0 ? .max : -.max)
        case .greater, .greaterOrEqual: return compare(real > 0 ? .greater : .greaterOrEqual, real > 0 ? .max : -.max)
        case .equal: return compare(.greater, .max)
        case .notEqual: return compare(.lessOrEqual, .max)
        }
    }

    /// A condition as 1, 0 or null, so that its mean is a proportion.
    static func indicator(_ condition: Expression) -> Expression {
        .conditional(
            [
                ConditionalBranch(condition: condition, value: .literal(.integer(1), .integer)),
                ConditionalBranch(condition: .not(condition), value: .literal(.integer(0), .integer)),
            ], otherwise: .literal(.null, .integer), .integer)
    }

    /// The literal that an expression of literals comes to.
    static func folded(_ expression: Expression) -> Expression {
        let areLiterals = expression.operands.allSatisfy { operand in
            if case .literal = operand { return true }
            return false
        }
        guard areLiterals else { return expression }
        return .literal(expression.constant ?? .null, expression.type)
    }

    static func canCast(_ from: ValueType, to type: ValueType) -> Bool {
        switch (from, type) {
        case (let a, let b) where a == b: true
        case (.integer, .real), (.real, .integer), (.boolean, .integer), (.integer, .boolean), (.boolean, .real),
            (.date, .timestamp), (.timestamp, .date):
            true
        case (.text, _), (_, .text): true
        default: false
        }
    }
}

/// What to write where types do not fit.
extension Coercion {
    /// For values that have no common type.
    static func mismatchHint(_ values: [Expression], _ use: String) -> String {
        if use.hasPrefix("values") || use.hasPrefix("arguments") {
            return "They are of one type: CAST(x AS TEXT) makes text of a number, and '0' is a text."
        }
        let literals = values.compactMap { value in
            if case .literal(.text(let text), _) = value { text } else { nil }
        }
        let types = Set(values.filter { !isNull($0) && !isTextLiteral($0) }.map(\.type))
        if types.contains(.integer) || types.contains(.real), let text = literals.first {
            let isNumber = Double(text) != nil && text.utf8.count <= 20
            return isNumber
                ? "Numbers stand without quotes: \(text)."
                : "Compare it with a number, such as 5; a column's name stands without quotes."
        }
        if types.contains(.boolean) {
            return "A condition stands alone, x or NOT x, or beside TRUE or FALSE: x = TRUE."
        }
        if types.contains(.date) || types.contains(.timestamp) {
            return types.contains(.text)
                ? "CAST(x AS DATE) reads text as a date."
                : "A date stands in quotes, '2020-01-31'; a part of one is a number: YEAR(d) = 2020."
        }
        let hasNumberLiteral = values.contains { value in
            if case .literal(let literal, _) = value { literal.number != nil } else { false }
        }
        return hasNumberLiteral ? "Text stands between single quotes: '5'." : "CAST(x AS TEXT) makes text of a number."
    }

    /// For what is no number where one is needed.
    static func numberHint(_ value: Expression) -> String {
        switch value {
        case .literal(.text(let text), _) where Double(text) != nil && text.utf8.count <= 20:
            return "Numbers stand without quotes: \(text)."
        case .literal(.text, _) where convert(value, to: .date) != nil:
            return "A date before + or - is written DATE '2020-01-31'."
        default: break
        }
        switch value.type {
        case .boolean: return "Use CASE WHEN ... THEN 1 ELSE 0 END."
        case .date, .timestamp: return "A part of a date is a number: YEAR(d); days between two: d1 - d2."
        default: return "CAST(x AS REAL) reads a number from text; texts are joined by ||."
        }
    }

    /// For a cast that there is not.
    static func castHint(_ from: ValueType, to type: ValueType) -> String {
        switch (from, type) {
        case (.date, .integer), (.timestamp, .integer), (.date, .real), (.timestamp, .real):
            "Write a part, YEAR(d), or days, d - DATE '1970-01-01'."
        case (.integer, .date), (.real, .date): "Write DATE '1970-01-01' + days."
        default: "Write what it stands for: CASE WHEN x = 1 THEN DATE '2020-01-31' END."
        }
    }
}

extension ComparisonOperator {
    /// The same of the two sides exchanged.
    var mirrored: ComparisonOperator {
        switch self {
        case .equal, .notEqual: self
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        }
    }
}
