import Tables

/// Operators that are more than one step of the engine: on dates, on texts, and those that know null.
extension Binder {
    /// Dates count in days: two dates differ by a number of days, and a date moved by a number of days is a date.
    func dates(
        _ symbol: String, _ left: (bound: Expression, syntax: Syntax), _ right: (bound: Expression, syntax: Syntax)
    ) throws(QueryError) -> Expression {
        guard symbol == "+" || symbol == "-", left.bound.type != .timestamp, right.bound.type != .timestamp else {
            throw QueryError(
                symbol == "+" || symbol == "-"
                    ? "timestamps are not added or subtracted" : "a date cannot be multiplied or divided",
                at: left.syntax.position,
                hint: "Days: CAST(t AS DATE) - CAST(u AS DATE). Seconds: EXTRACT(EPOCH FROM t) - EXTRACT(EPOCH FROM u)."
            )
        }
        func days(_ date: Expression) -> Expression { Coercion.folded(.cast(date, .integer)) }
        func moved(_ date: Expression, _ by: Expression, _ operation: ArithmeticOperator) -> Expression {
            Coercion.folded(.cast(Coercion.folded(.arithmetic(operation, days(date), by, .integer)), .date))
        }
        let isDifference = symbol == "-"
        switch (left.bound.type, right.bound.type) {
        case (.date, .integer): return moved(left.bound, right.bound, isDifference ? .subtract : .add)
        case (.integer, .date) where !isDifference: return moved(right.bound, left.bound, .add)
        case (.date, .date) where isDifference, (.date, .text) where isDifference, (.text, .date) where isDifference:
            let (sides, _) = try unified([left.bound, right.bound], [left.syntax, right.syntax], "subtracted")
            return Coercion.folded(.arithmetic(.subtract, days(sides[0]), days(sides[1]), .integer))
        default:
            let other = left.bound.type == .date ? right : left
            throw QueryError(
                "a date and \(TypeName.words(other.bound.type)) cannot be \(isDifference ? "subtracted" : "added")",
                at: other.syntax.position, hint: "A date takes whole days: d + 7, d - 7; d1 - d2 is a number of days.")
        }
    }

    // MARK: texts

    /// `x || y`: null where one of them is.
    mutating func joined(_ left: Syntax, _ right: Syntax) throws(QueryError) -> Expression {
        let (a, b) = (try bind(left), try bind(right))
        guard a.type == .text || b.type == .text else {
            throw QueryError(
                "|| joins texts, this is \(TypeName.words(a.type))", at: left.position,
                hint: a.type == .boolean ? "Write a OR b." : "Write CAST(x AS TEXT) || CAST(y AS TEXT).")
        }
        return Self.joined([a, b])
    }

    /// Numbers, dates and conditions among them as their text.
    static func joined(_ parts: [Expression]) -> Expression {
        let texts = parts.flatMap { part -> [Expression] in
            if case .concatenation(let inner) = part { return inner }
            return [Coercion.convert(part, to: .text) ?? part]
        }
        return Coercion.folded(.concatenation(texts))
    }

    mutating func like(_ operand: Syntax, _ pattern: Syntax, _ escape: Syntax?) throws(QueryError) -> Expression {
        let bound = try text(operand)
        guard case .literal(.text(let text), _) = try bind(pattern) else {
            throw QueryError("LIKE takes a text literal", at: pattern.position, hint: "x LIKE 'a%'")
        }
        guard let escape else { return .like(bound, pattern: text) }
        guard case .text(let letter) = escape.kind, letter.unicodeScalars.count <= 1 else {
            throw QueryError("ESCAPE takes one character", at: escape.position, hint: "x LIKE 'a!_%' ESCAPE '!'")
        }
        guard let pattern = Self.escaped(text, by: letter.unicodeScalars.first) else {
            throw QueryError(
                "the pattern ends with its escape character", at: pattern.position,
                hint: "What it escapes comes behind it; twice, it stands for itself.")
        }
        return .like(bound, pattern: pattern)
    }

    /// The pattern with backslashes for the escape character; nil if nothing follows one. Without a character nothing is
    /// escaped.
    private static func escaped(_ pattern: String, by escape: Unicode.Scalar?) -> String? {
        var result = String.UnicodeScalarView()
        var isEscaped = false
        for scalar in pattern.unicodeScalars {
            if !isEscaped, scalar == escape {
                isEscaped = true
                continue
            }
            if isEscaped || scalar == "\\" { result.append("\\") }
            result.append(scalar)
            isEscaped = false
        }
        return isEscaped ? nil : String(result)
    }

    // MARK: null

    /// `IS NOT DISTINCT FROM`: equality to which null is a value.
    mutating func isSame(_ left: Syntax, _ right: Syntax) throws(QueryError) -> Expression {
        let (a, b) = (try bind(left), try bind(right))
        try checkRepeatable(a, left.position)
        try checkRepeatable(b, right.position)
        let areNull = Expression.and(.isNull(a), .isNull(b))
        return .coalesce([try compare(.equal, (a, left), (b, right)), areNull], .boolean)
    }
}
