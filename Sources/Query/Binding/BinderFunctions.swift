import Tables

/// Functions of a row.
extension Binder {
    static let functionNames = [
        "ABS", "BIN", "CEIL", "CLAMP", "COALESCE", "CONCAT", "DATE_TRUNC", "DAY", "DAYOFWEEK", "DAYOFYEAR", "EXP",
        "FLOOR",
        "GREATEST", "HOUR", "IF", "LEAST", "LENGTH", "LN", "LOWER", "MINUTE", "MOD", "MONTH", "NULLIF", "POWER",
        "QUARTER", "ROUND", "SECOND", "SQRT", "SUBSTR", "TRIM", "UPPER", "WEEK", "YEAR",
    ]

    static let aggregateNames = [
        "COUNT", "SUM", "AVG", "VARIANCE", "STDDEV", "MEDIAN", "QUANTILE", "MIN", "MAX", "HISTOGRAM",
    ]

    mutating func function(_ call: Syntax.Call, _ syntax: Syntax) throws(QueryError) -> Expression {
        let position = syntax.position
        if call.isStar || call.isDistinct || call.isWeighted {
            throw QueryError(
                "\(call.name) is not an aggregate: it takes no *, DISTINCT or WEIGHTED", at: position)
        }
        let arguments = call.arguments
        switch call.name {
        case "ABS": return try numericFunction(.absolute, call, position)
        case "FLOOR": return try numericFunction(.floor, call, position)
        case "CEIL", "CEILING": return try numericFunction(.ceiling, call, position)
        case "SQRT": return try numericFunction(.squareRoot, call, position)
        case "EXP": return try numericFunction(.exponential, call, position)
        case "LN": return try numericFunction(.naturalLogarithm, call, position)
        case "ROUND": return try round(call, position)
        case "MOD":
            try arity(call, 2...2, usage: "MOD(x, y)", at: position)
            return try bind(
                Syntax(
                    kind: .binary("%", arguments[0], arguments[1]), position: position, end: syntax.end,
                    depth: syntax.depth))
        case "BIN": return try bin(call, position)
        case "CLAMP": return try clamp(call, position)
        case "LEAST", "GREATEST":
            try arity(call, 1...QuestionLimits.arguments, usage: "\(call.name)(x, y, ...)", at: position)
            let (operands, type) = try unified(arguments, "arguments of one \(call.name)")
            return Coercion.folded(.extremum(call.name == "LEAST" ? .least : .greatest, operands, type))
        case "ISNULL" where arguments.count == 1: return .isNull(try bind(arguments[0]))
        case "COALESCE", "IFNULL", "NVL", "ISNULL":
            try arity(call, 1...QuestionLimits.arguments, usage: "COALESCE(x, y, ...)", at: position)
            let (operands, type) = try unified(arguments, "arguments of one COALESCE")
            return .coalesce(operands, type)
        case "NULLIF":
            try arity(call, 2...2, usage: "NULLIF(x, y)", at: position)
            let bound = [try bind(arguments[0]), try bind(arguments[1])]
            let (operands, type) = try unified(bound, arguments, "arguments of one NULLIF")
            try checkRepeatable(operands[0], arguments[0].position)
            let isSame = try compare(.equal, (bound[0], arguments[0]), (bound[1], arguments[1]))
            return .conditional(
                [ConditionalBranch(condition: isSame, value: .literal(.null, type))], otherwise: operands[0], type)
        case "IF", "IIF":
            try arity(call, 3...3, usage: "IF(condition, x, y)", at: position)
            let test = try condition(arguments[0])
            let (values, type) = try unified(Array(arguments.dropFirst()), "values of one IF")
            return .conditional(
                [ConditionalBranch(condition: test, value: values[0])], otherwise: values[1], type)
        case "LOWER", "LCASE": return try textFunction(.lower, call, position)
        case "UPPER", "UCASE": return try textFunction(.upper, call, position)
        case "TRIM": return try textFunction(.trim, call, position)
        case "SUBSTR", "SUBSTRING", "MID", "LEFT": return try substring(call, position)
        case "CONCAT":
            try arity(call, 1...QuestionLimits.arguments, usage: "CONCAT(x, y, ...)", at: position)
            return try concat(arguments)
        case "LENGTH", "LEN", "CHAR_LENGTH", "CHARACTER_LENGTH":
            try arity(call, 1...1, usage: "LENGTH(x)", at: position)
            return .textLength(try text(arguments[0]))
        case "DATE_TRUNC": return try dateTruncate(call, position)
        case "POWER", "POW":
            try arity(call, 2...2, usage: "POWER(x, y)", at: position)
            let (base, exponent) = (try numeric(arguments[0]), try numeric(arguments[1]))
            return Coercion.folded(.arithmetic(.power, Coercion.real(base), Coercion.real(exponent), .real))
        case "NOW", "GETDATE", "TODAY", "SYSDATE", "CURDATE", "DATE_NOW":
            throw Parser.noClock("\(call.name)()", position)
        case "RANDOM", "RAND", "UUID", "RUNIF", "NEWID", "SETSEED":
            throw QueryError(
                "\(call.name)() is refused: nothing but the noise of an answer may be random", at: position,
                hint: "Leave it out: a sample of the rows costs as much as all of them.")
        default:
            if TypeName.datePart(call.name) != nil, arguments.count == 1 {
                return try datePart(call.name, arguments[0], position)
            }
            throw QueryError(
                "there is no function \(call.name)", at: position,
                hint: NameSuggestion.hint(
                    for: call.name, among: Self.aggregateNames + ["MEAN"] + Self.functionNames, what: "Functions are"))
        }
    }

    func arity(
        _ call: Syntax.Call, _ range: ClosedRange<Int>, usage: String, at position: Int
    ) throws(QueryError) {
        guard range.contains(call.arguments.count), !call.isStar else {
            throw QueryError(
                "\(call.name) does not take \(call.isStar ? "*" : Self.arguments(call.arguments.count))", at: position,
                hint: "Write \(usage).")
        }
    }

    private static func arguments(_ count: Int) -> String { "\(count) argument\(count == 1 ? "" : "s")" }

    /// A finite number that the text states.
    mutating func constant(_ syntax: Syntax, _ what: String) throws(QueryError) -> Double {
        let bound = try bind(syntax)
        guard let value = bound.constant?.number, value.isFinite else {
            throw QueryError("\(what) is a number that stands in the text", at: syntax.position)
        }
        return value
    }

    private mutating func textFunction(
        _ function: TextFunction, _ call: Syntax.Call, _ position: Int
    ) throws(QueryError) -> Expression {
        try arity(call, 1...1, usage: "\(call.name)(x)", at: position)
        return .textFunction(function, try text(call.arguments[0]))
    }

    /// `SUBSTR(x, start[, length])`, and `LEFT(x, length)`.
    private mutating func substring(_ call: Syntax.Call, _ position: Int) throws(QueryError) -> Expression {
        let isLeft = call.name == "LEFT"
        try arity(
            call, 2...(isLeft ? 2 : 3),
            usage: isLeft ? "LEFT(x, length)" : "SUBSTR(x, start) or SUBSTR(x, start, length)",
            at: position)
        let operand = try text(call.arguments[0])
        let places = try call.arguments.dropFirst().map { (syntax) throws(QueryError) in
            try wholeNumber(syntax, "a place in a text")
        }
        let length = isLeft ? places[0] : places.count == 2 ? places[1] : nil
        if let length, length < 0 {
            throw QueryError(
                "the length is negative", at: call.arguments[call.arguments.count - 1].position,
                hint: "Characters are counted from the start: SUBSTR(x, 1, 3).")
        }
        return Coercion.folded(.textFunction(.substring(from: isLeft ? 1 : places[0], length: length), operand))
    }

    private mutating func wholeNumber(_ syntax: Syntax, _ what: String) throws(QueryError) -> Int64 {
        let value = try constant(syntax, what)
        guard let whole = Int64(exactly: value), abs(value) <= 0x1p53 else {
            throw QueryError("\(what) is a whole number", at: syntax.position)
        }
        return whole
    }

    /// `CONCAT` leaves nulls out, as in PostgreSQL and DuckDB; `||` is null beside one.
    private mutating func concat(_ arguments: [Syntax]) throws(QueryError) -> Expression {
        var parts: [Expression] = []
        for argument in arguments {
            let bound = try bind(argument)
            let text = Coercion.convert(bound, to: .text) ?? bound
            parts.append(Coercion.folded(.coalesce([text, .literal(.text(""), .text)], .text)))
        }
        return Self.joined(parts)
    }

    private mutating func numericFunction(
        _ function: NumericFunction, _ call: Syntax.Call, _ position: Int
    ) throws(QueryError) -> Expression {
        try arity(call, 1...1, usage: "\(call.name)(x)", at: position)
        let operand = try numeric(call.arguments[0])
        switch function {
        case .negate, .absolute: return Coercion.folded(.function(function, operand, operand.type))
        case .floor, .ceiling:
            return operand.type == .integer ? operand : Coercion.folded(.function(function, operand, .real))
        case .squareRoot, .exponential, .naturalLogarithm:
            return Coercion.folded(.function(function, Coercion.real(operand), .real))
        }
    }

    private mutating func round(_ call: Syntax.Call, _ position: Int) throws(QueryError) -> Expression {
        try arity(call, 1...2, usage: "ROUND(x) or ROUND(x, digits)", at: position)
        let operand = try numeric(call.arguments[0])
        var digits = 0.0
        if call.arguments.count == 2 { digits = try constant(call.arguments[1], "the number of digits") }
        guard abs(digits) <= 15, digits == digits.rounded() else {
            throw QueryError("ROUND takes -15 to 15 whole digits", at: call.arguments[1].position)
        }
        return Coercion.folded(.round(Coercion.real(operand), digits: Int(digits)))
    }

    private mutating func bin(_ call: Syntax.Call, _ position: Int) throws(QueryError) -> Expression {
        try arity(call, 2...3, usage: "BIN(x, width) or BIN(x, width, origin)", at: position)
        let operand = try numeric(call.arguments[0])
        let width = try constant(call.arguments[1], "the width of bins")
        let origin = call.arguments.count == 3 ? try constant(call.arguments[2], "the origin of bins") : 0
        guard width > 0 else {
            throw QueryError("the width of bins is not positive", at: call.arguments[1].position)
        }
        let isInteger = operand.type == .integer && width == width.rounded() && origin == origin.rounded()
        return .bin(
            isInteger ? operand : Coercion.real(operand), width: width, origin: origin, isInteger ? .integer : .real)
    }

    private mutating func clamp(_ call: Syntax.Call, _ position: Int) throws(QueryError) -> Expression {
        try arity(call, 3...3, usage: "CLAMP(x, lower, upper)", at: position)
        var operand = try bind(call.arguments[0])
        guard operand.type != .text, operand.type != .boolean else {
            throw QueryError(
                "CLAMP takes a number or a date, this is \(TypeName.words(operand.type))",
                at: call.arguments[0].position)
        }
        var ends: [Double] = []
        for argument in call.arguments.dropFirst() {
            var end = try bind(argument)
            if operand.type == .date || operand.type == .timestamp {
                guard let converted = Coercion.convert(end, to: operand.type) else {
                    throw QueryError("this is not \(TypeName.words(operand.type))", at: argument.position)
                }
                end = converted
            }
            guard let value = end.constant?.number, value.isFinite else {
                throw QueryError("a bound of CLAMP stands in the text", at: argument.position)
            }
            ends.append(value)
        }
        guard ends[0] <= ends[1] else {
            throw QueryError("the lower bound is above the upper", at: call.arguments[1].position)
        }
        if operand.type == .integer, ends.contains(where: { $0 != $0.rounded() || abs($0) > 0x1p53 }) {
            operand = Coercion.real(operand)
        }
        return .clamp(operand, lower: ends[0], upper: ends[1], operand.type)
    }

    mutating func datePart(_ name: String, _ operand: Syntax, _ position: Int) throws(QueryError) -> Expression {
        if name.uppercased() == "EPOCH" {
            let moment = try temporal(operand)
            let second = moment.type == .date ? Coercion.folded(.cast(moment, .timestamp)) : moment
            return Coercion.folded(.cast(second, .integer))
        }
        guard let part = TypeName.datePart(name) else {
            throw QueryError(
                "\(name) is not a part of a date", at: position,
                hint: "Parts are YEAR, QUARTER, MONTH, WEEK, DAY, DOW, ISODOW, DOY, HOUR, MINUTE, SECOND, EPOCH.")
        }
        let value = Expression.datePart(part, try temporal(operand))
        // 0 for a Sunday, as PostgreSQL and DuckDB have it.
        guard name.uppercased() == "DOW" else { return value }
        return .arithmetic(.modulo, value, .literal(.integer(7), .integer), .integer)
    }

    private mutating func temporal(_ syntax: Syntax) throws(QueryError) -> Expression {
        let bound = try bind(syntax)
        guard bound.type == .date || bound.type == .timestamp else {
            throw QueryError(
                "a date or timestamp is needed here, this is \(TypeName.words(bound.type))", at: syntax.position,
                hint: bound.type == .text
                    ? "Use CAST(x AS DATE)." : "A number is compared, or put into bins, as it is: BIN(x, 10).")
        }
        return bound
    }

    private mutating func dateTruncate(_ call: Syntax.Call, _ position: Int) throws(QueryError) -> Expression {
        try arity(call, 2...2, usage: "DATE_TRUNC('month', d)", at: position)
        guard case .text(let name) = call.arguments[0].kind, let part = TypeName.datePart(name),
            [.year, .quarter, .month, .week, .day, .hour].contains(part)
        else {
            throw QueryError(
                "DATE_TRUNC takes 'year', 'quarter', 'month', 'week', 'day' or 'hour'",
                at: call.arguments[0].position, hint: "Write DATE_TRUNC('month', d).")
        }
        let operand = try temporal(call.arguments[1])
        return .dateTruncate(part, operand, operand.type)
    }
}
