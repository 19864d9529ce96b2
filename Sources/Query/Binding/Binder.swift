import Tables

/// Resolves names and types: from what was written to expressions that can be computed.
///
/// Without an output scope it binds row expressions. With one it binds what is computed on a group's result: an
/// expression equal to a grouping key becomes that key, an aggregate becomes a column behind the keys.
struct Binder {
    /// The result of a group as a virtual row: the keys, then the aggregates.
    struct Output {
        var keys: [Expression]
        var aggregates: [Aggregate] = []
        /// Where each of them stands first in the text.
        var positions: [Int] = []
        /// What names of the SELECT list stand for, in HAVING and ORDER BY.
        var names: [String: Expression] = [:]
        var allowed: Set<AggregateFunction>
        /// Whether the question has neither aggregates nor groups: it asks for rows.
        var asksForRows = false
    }

    let scope: Scope
    var output: Output?

    init(scope: Scope, output: Output? = nil) {
        self.scope = scope
        self.output = output
    }

    mutating func bind(_ syntax: Syntax) throws(QueryError) -> Expression {
        if let key = outputKey(syntax) { return key }
        switch syntax.kind {
        case .name(let qualifier, let name, let isQuoted):
            return try reference(qualifier: qualifier, name, isQuoted: isQuoted, at: syntax.position)
        case .number(let digits): return try Self.number(digits, syntax.position)
        case .text(let text): return .literal(.text(text), .text)
        case .boolean(let truth): return .literal(.boolean(truth), .boolean)
        case .null: return .literal(.null, .integer)
        case .typed(let type, let text): return try Self.typed(type, text, syntax.position)
        case .negate(let operand):
            let bound = try numeric(try bind(operand), operand)
            return .function(.negate, bound, bound.type)
        case .not(let operand): return .not(try condition(operand))
        case .and(let left, let right): return .and(try condition(left), try condition(right))
        case .or(let left, let right): return .or(try condition(left), try condition(right))
        case .binary(let symbol, let left, let right):
            if let comparison = Self.comparison(symbol) {
                return try compare(comparison, (try bind(left), left), (try bind(right), right))
            }
            if symbol == "||" { return try joined(left, right) }
            return try arithmetic(symbol, left, right)
        case .isSame(let left, let right): return try isSame(left, right)
        case .isNull(let operand): return .isNull(try bind(operand))
        case .isTruth(let operand, let truth):
            let bound = try condition(operand)
            return .coalesce([truth ? bound : .not(bound), .literal(.boolean(false), .boolean)], .boolean)
        case .isIn(let operand, let list): return try isIn(operand, list)
        case .between(let operand, let lower, let upper):
            let bound = try bind(operand)
            try checkRepeatable(bound, operand.position)
            return .and(
                try compare(.greaterOrEqual, (bound, operand), (try bind(lower), lower)),
                try compare(.lessOrEqual, (bound, operand), (try bind(upper), upper)))
        case .like(let operand, let pattern, let escape): return try like(operand, pattern, escape)
        case .cast(let operand, let type): return try cast(operand, type, syntax.position)
        case .extract(let part, let operand): return try datePart(part, operand, syntax.position)
        case .conditional(let operand, let branches, let otherwise):
            return try conditional(operand: operand, branches, otherwise: otherwise, at: syntax.position)
        case .array:
            throw QueryError(
                "a list stands only in HISTOGRAM", at: syntax.position,
                hint: "HISTOGRAM(x, ARRAY[0, 10, 20]); an unusual column name stands in double quotes.")
        case .call(let call):
            if let name = AggregateName(call.name) { return try aggregate(name, call, syntax) }
            if let name = StatisticName(rawValue: call.name) {
                throw QueryError(
                    "\(name.rawValue) stands alone in the SELECT list: its answer is a table", at: syntax.position,
                    hint: "Write \(name.usage).")
            }
            return try function(call, syntax)
        }
    }

    /// A condition: a boolean expression.
    mutating func condition(_ syntax: Syntax) throws(QueryError) -> Expression {
        let bound = try bind(syntax)
        if case .literal(.null, _) = bound { return .literal(.null, .boolean) }
        guard bound.type == .boolean else {
            throw QueryError(
                "a condition is needed here, this is \(TypeName.words(bound.type))", at: syntax.position,
                hint: "Compare it: x > 0, x = 'a', x IS NOT NULL.")
        }
        return bound
    }

    // MARK: names and literals

    /// In the output: the key that this expression is, or the expression itself if it is constant.
    private func outputKey(_ syntax: Syntax) -> Expression? {
        guard let output else { return nil }
        if case .name(nil, let name, _) = syntax.kind, let named = output.names[name.lowercased()] { return named }
        if syntax.containsAggregate { return nil }
        var rows = Binder(scope: scope)
        guard let bound = try? rows.bind(syntax) else { return nil }
        return output.keys.firstIndex(of: bound).map { .column($0, bound.type) }
    }

    private func reference(
        qualifier: String?, _ name: String, isQuoted: Bool, at position: Int
    ) throws(QueryError) -> Expression {
        let column = try scope.resolve(qualifier: qualifier, name, isQuoted: isQuoted, at: position)
        guard let output else { return column }
        if output.asksForRows {
            throw QueryError(
                "rows cannot be selected: only aggregates leave a datasite", at: position,
                hint: "Ask for COUNT(*), AVG(\(name)), MEDIAN(\(name)) and the like, perhaps with GROUP BY.")
        }
        throw QueryError(
            "\(name) is neither a grouping key nor inside an aggregate", at: position,
            hint: "Add it to GROUP BY, or put it into an aggregate, such as COUNT(\(name)).")
    }

    static func number(_ digits: String, _ position: Int) throws(QueryError) -> Expression {
        // The least of 64 bits is the null of a column of integers, and so no integer.
        if let integer = Int64(digits), integer != .min { return .literal(.integer(integer), .integer) }
        guard let real = Double(digits), real.isFinite else {
            throw QueryError("this number is too large", at: position, hint: "Numbers go up to 1.7e308.")
        }
        return .literal(.real(real), .real)
    }

    private static func typed(_ type: String, _ text: String, _ position: Int) throws(QueryError) -> Expression {
        let type: ValueType = type == "DATE" ? .date : .timestamp
        guard let literal = Coercion.convert(.literal(.text(text), .text), to: type) else {
            throw QueryError(
                "this is not \(TypeName.words(type))", at: position,
                hint: type == .date ? "Write DATE '2020-01-31'." : "Write TIMESTAMP '2020-01-31 23:59:00' (UTC).")
        }
        return literal
    }

    // MARK: operators

    static func comparison(_ symbol: String) -> ComparisonOperator? {
        switch symbol {
        case "=", "==": .equal
        case "<>", "!=": .notEqual
        case "<": .less
        case "<=": .lessOrEqual
        case ">": .greater
        case ">=": .greaterOrEqual
        default: nil
        }
    }

    /// Two sides as bound, each with its text.
    func compare(
        _ comparison: ComparisonOperator, _ left: (bound: Expression, syntax: Syntax),
        _ right: (bound: Expression, syntax: Syntax)
    ) throws(QueryError) -> Expression {
        if let exact = Coercion.exact(comparison, left.bound, right.bound) { return exact }
        let (operands, _) = try unified([left.bound, right.bound], [left.syntax, right.syntax], "compared")
        return .comparison(comparison, operands[0], operands[1])
    }

    mutating func numeric(_ syntax: Syntax) throws(QueryError) -> Expression { try numeric(try bind(syntax), syntax) }

    private func numeric(_ bound: Expression, _ syntax: Syntax) throws(QueryError) -> Expression {
        guard bound.type == .integer || bound.type == .real else {
            throw QueryError(
                "a number is needed here, this is \(TypeName.words(bound.type))", at: syntax.position,
                hint: Coercion.numberHint(bound))
        }
        return bound
    }

    private mutating func arithmetic(
        _ symbol: String, _ left: Syntax, _ right: Syntax
    ) throws(QueryError) -> Expression {
        let sides = (try bind(left), try bind(right))
        if sides.0.type.calendar != nil || sides.1.type.calendar != nil {
            return try dates(symbol, (sides.0, left), (sides.1, right))
        }
        var a = try numeric(sides.0, left)
        var b = try numeric(sides.1, right)
        let isReal = symbol == "/" || a.type == .real || b.type == .real
        if isReal {
            a = Coercion.real(a)
            b = Coercion.real(b)
        }
        let operation: ArithmeticOperator =
            switch symbol {
            case "+": .add
            case "-": .subtract
            case "*": .multiply
            case "/": .divide
            default: .modulo
            }
        return Coercion.folded(.arithmetic(operation, a, b, isReal ? .real : .integer))
    }

    private mutating func isIn(_ operand: Syntax, _ list: [Syntax]) throws(QueryError) -> Expression {
        var bound: [Expression] = []
        for syntax in [operand] + list { bound.append(try bind(syntax)) }
        // An integer is looked for among reals as it is: as a real it might be rounded.
        if bound[0].type != .integer || bound.contains(where: { $0.type != .integer && $0.type != .real }) {
            bound = try unified(bound, [operand] + list, "compared").0
        }
        var values: [Value] = []
        for (element, syntax) in zip(bound.dropFirst(), list) {
            guard let value = element.constant else {
                throw QueryError(
                    "IN takes a list of literals", at: syntax.position, hint: "To compare with a column write x = y.")
            }
            values.append(value)
        }
        let known = values.filter { $0 != .null }
        // Equal to one of them, or perhaps to the null: true or null, never false.
        let unknown = Expression.literal(.null, .boolean)
        if known.isEmpty { return unknown }
        let isIn = Expression.isIn(bound[0], known)
        return known.count < values.count ? .or(isIn, unknown) : isIn
    }

    mutating func text(_ syntax: Syntax) throws(QueryError) -> Expression {
        let bound = try bind(syntax)
        guard bound.type == .text else {
            throw QueryError(
                "text is needed here, this is \(TypeName.words(bound.type))", at: syntax.position,
                hint: "Use CAST(x AS TEXT).")
        }
        return bound
    }

    private mutating func cast(
        _ operand: Syntax, _ name: String, _ position: Int
    ) throws(QueryError) -> Expression {
        let bound = try bind(operand)
        let type = TypeName.type(name) ?? .real
        guard Coercion.canCast(bound.type, to: type) else {
            throw QueryError(
                "\(TypeName.words(bound.type)) cannot be cast to \(TypeName.words(type))", at: position,
                hint: Coercion.castHint(bound.type, to: type))
        }
        if bound.type == type { return bound }
        return Coercion.folded(.cast(bound, type))
    }

    private mutating func conditional(
        operand: Syntax?, _ branches: [(condition: Syntax, value: Syntax)], otherwise: Syntax?, at position: Int
    ) throws(QueryError) -> Expression {
        var conditions: [Expression] = []
        if let operand {
            let bound = try bind(operand)
            try checkRepeatable(bound, operand.position)
            for (value, _) in branches {
                conditions.append(try compare(.equal, (bound, operand), (try bind(value), value)))
            }
        } else {
            for branch in branches { conditions.append(try condition(branch.condition)) }
        }
        let (values, type) = try unified(branches.map(\.value) + [otherwise].compactMap(\.self), "values of one CASE")
        let last = otherwise == nil ? Expression.literal(.null, type) : values[values.count - 1]
        return .conditional(
            zip(conditions, values).map { ConditionalBranch(condition: $0, value: $1) }, otherwise: last, type)
    }

    /// What is written once and computed twice (BETWEEN, CASE x WHEN, NULLIF) must be small: nested, such expressions
    /// grow without bound from a short text.
    func checkRepeatable(_ expression: Expression, _ position: Int) throws(QueryError) {
        guard expression.size(upTo: QuestionLimits.repeatedNodes) < QuestionLimits.repeatedNodes else {
            throw QueryError("this expression is too large here", at: position, hint: "Nest less.")
        }
    }

    /// Binds all and brings them to one type.
    mutating func unified(
        _ syntaxes: [Syntax], _ use: String
    ) throws(QueryError) -> ([Expression], ValueType) {
        var bound: [Expression] = []
        for syntax in syntaxes { bound.append(try bind(syntax)) }
        return try unified(bound, syntaxes, use)
    }

    /// What is bound, brought to one type.
    func unified(
        _ bound: [Expression], _ syntaxes: [Syntax], _ use: String
    ) throws(QueryError) -> ([Expression], ValueType) {
        var type: ValueType?
        for (expression, syntax) in zip(bound, syntaxes) where !Coercion.isNull(expression) {
            guard let common = Coercion.common(type, expression, others: bound) else {
                throw QueryError(
                    "\(TypeName.words(expression.type)) and \(TypeName.words(type ?? .integer)) cannot be \(use)",
                    at: syntax.position, hint: Coercion.mismatchHint(bound, use))
            }
            type = common
        }
        let common = type ?? bound.first?.type ?? .integer
        var coerced: [Expression] = []
        for (expression, syntax) in zip(bound, syntaxes) {
            guard let converted = Coercion.convert(expression, to: common) else {
                throw QueryError(
                    "this text is not \(TypeName.words(common))", at: syntax.position,
                    hint: common == .date ? "Write '2020-01-31'." : "Write '2020-01-31 23:59:00'.")
            }
            coerced.append(converted)
        }
        return (coerced, common)
    }
}
