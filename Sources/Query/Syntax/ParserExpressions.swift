import Tables

/// Expressions, from the loosest operator to the tightest: OR, AND, NOT, comparison, + -, * / %, sign, primary.
extension Parser {
    mutating func expression() throws(QueryError) -> Syntax {
        try nested { (parser) throws(QueryError) in
            let operands = try parser.chain("OR") { (parser) throws(QueryError) in try parser.conjunction() }
            return try parser.balanced(operands[...]) { .or($0, $1) }
        }
    }

    private mutating func conjunction() throws(QueryError) -> Syntax {
        let operands = try chain("AND") { (parser) throws(QueryError) in try parser.negation() }
        return try balanced(operands[...]) { .and($0, $1) }
    }

    private mutating func chain(
        _ keyword: String, _ operand: (inout Parser) throws(QueryError) -> Syntax
    ) throws(QueryError) -> [Syntax] {
        var operands = [try operand(&self)]
        while take(keyword: keyword) { operands.append(try operand(&self)) }
        return operands
    }

    /// A balanced tree over a chain of an associative operator: a long chain is not deep.
    private func balanced(
        _ operands: ArraySlice<Syntax>, _ combine: (Syntax, Syntax) -> Syntax.Kind
    ) throws(QueryError) -> Syntax {
        if operands.count == 1 { return operands[operands.startIndex] }
        let middle = operands.startIndex + operands.count / 2
        let left = try balanced(operands[..<middle], combine)
        let right = try balanced(operands[middle...], combine)
        let kind = combine(left, right)
        let depth = 1 + Swift.max(left.depth, right.depth)
        guard depth <= QuestionLimits.depth else { throw Self.tooDeep(left.position) }
        return Syntax(kind: kind, position: left.position, end: right.end, depth: depth)
    }

    private mutating func negation() throws(QueryError) -> Syntax {
        let position = current.position
        guard take(keyword: "NOT") else { return try comparison() }
        let operand = try nested { (parser) throws(QueryError) in try parser.negation() }
        return try node(.not(operand), position)
    }

    private mutating func comparison() throws(QueryError) -> Syntax {
        var left = try concatenation()
        var isCompared = false
        while true {
            if case .symbol(let symbol) = current.kind, Self.comparisons.contains(symbol) {
                guard !isCompared else {
                    throw QueryError(
                        "comparisons do not chain", at: current.position,
                        hint: "Write 1 < x AND x < 5, or x BETWEEN 1 AND 5, which includes both ends.")
                }
                isCompared = true
                advance()
                if isKeyword("ANY") || isKeyword("ALL") || isKeyword("SOME"), following.kind == .symbol("(") {
                    throw foreign(current.keyword ?? "", current.position)
                }
                let right = try concatenation()
                left = try node(.binary(symbol, left, right), left.position)
            } else if let predicate = try predicate(left) {
                left = predicate
            } else {
                return left
            }
        }
    }

    private static let comparisons: Set<String> = ["=", "==", "<>", "!=", "<", "<=", ">", ">="]

    /// `[NOT] IN`, `[NOT] BETWEEN`, `[NOT] LIKE`, `IS [NOT] NULL`; nil where none follows.
    private mutating func predicate(_ left: Syntax) throws(QueryError) -> Syntax? {
        let position = left.position
        if take(keyword: "IS") {
            let negated = take(keyword: "NOT")
            if take(keyword: "DISTINCT") {
                try expect(keyword: "FROM")
                return try negate(!negated, try node(.isSame(left, try concatenation()), position), position)
            }
            return try negate(negated, try truth(left), position)
        }
        if isKeyword("NOT"), following.keyword == "NULL" {
            throw QueryError("NOT NULL stands behind IS", at: current.position, hint: "Write x IS NOT NULL.")
        }
        let word = isKeyword("NOT") ? following.keyword : current.keyword
        guard let word, ["IN", "BETWEEN", "LIKE", "ILIKE", "SIMILAR", "REGEXP"].contains(word) else { return nil }
        let negated = take(keyword: "NOT")
        switch word {
        case "IN":
            advance()
            return try negate(negated, try node(.isIn(left, try inList()), position), position)
        case "BETWEEN":
            advance()
            let lower = try concatenation()
            try expect(keyword: "AND", hint: "Write x BETWEEN 1 AND 5.")
            return try negate(negated, try node(.between(left, lower, try concatenation()), position), position)
        case "LIKE":
            advance()
            let pattern = try concatenation()
            let escape = take(keyword: "ESCAPE") ? try concatenation() : nil
            return try negate(negated, try node(.like(left, pattern, escape: escape), position), position)
        default:
            throw QueryError(
                "\(word) is not supported", at: current.position, hint: ForeignSQL.words[word])
        }
    }

    private mutating func truth(_ operand: Syntax) throws(QueryError) -> Syntax {
        if take(keyword: "NULL") { return try node(.isNull(operand), operand.position) }
        if take(keyword: "TRUE") { return try node(.isTruth(operand, true), operand.position) }
        if take(keyword: "FALSE") { return try node(.isTruth(operand, false), operand.position) }
        let hint =
            isKeyword("UNKNOWN") || isKeyword("NA") || isKeyword("MISSING")
            ? "Write x IS NULL." : "Write x = y, or x <> y."
        throw unexpected("NULL, TRUE, FALSE or DISTINCT FROM after IS", hint: hint)
    }

    private mutating func negate(_ isNegated: Bool, _ syntax: Syntax, _ position: Int) throws(QueryError) -> Syntax {
        isNegated ? try node(.not(syntax), position) : syntax
    }

    private mutating func inList() throws(QueryError) -> [Syntax] {
        try expect(symbol: "(")
        if isKeyword("SELECT") {
            throw QueryError(
                "a subquery is not supported", at: current.position,
                hint: "IN takes a list of literals; a public table's rows are met by JOIN, conditions by WHERE.")
        }
        let elements = try list(QuestionLimits.listElements, "elements of IN") { (parser) throws(QueryError) in
            try parser.expression()
        }
        try expect(symbol: ")")
        return elements
    }

    private mutating func concatenation() throws(QueryError) -> Syntax {
        var left = try sum()
        while take(symbol: "||") { left = try node(.binary("||", left, try sum()), left.position) }
        return left
    }

    private mutating func sum() throws(QueryError) -> Syntax {
        var left = try product()
        while case .symbol(let symbol) = current.kind, symbol == "+" || symbol == "-" {
            advance()
            left = try node(.binary(symbol, left, try product()), left.position)
        }
        return left
    }

    private mutating func product() throws(QueryError) -> Syntax {
        var left = try signed()
        while case .symbol(let symbol) = current.kind, symbol == "*" || symbol == "/" || symbol == "%" {
            advance()
            left = try node(.binary(symbol, left, try signed()), left.position)
        }
        return left
    }

    private mutating func signed() throws(QueryError) -> Syntax {
        let position = current.position
        if take(symbol: "-") {
            let operand = try nested { (parser) throws(QueryError) in try parser.signed() }
            if case .number(let digits) = operand.kind, !digits.hasPrefix("-") {
                return try node(.number("-" + digits), position)
            }
            return try node(.negate(operand), position)
        }
        if take(symbol: "+") { return try nested { (parser) throws(QueryError) in try parser.signed() } }
        return try cast(after: try primary())
    }

    /// `x::type`, perhaps more than once.
    private mutating func cast(after operand: Syntax) throws(QueryError) -> Syntax {
        var operand = operand
        while take(symbol: "::") {
            operand = try node(.cast(operand, try typeName()), operand.position)
        }
        if current.kind == .symbol("[") {
            throw QueryError(
                "brackets have no meaning behind an expression", at: current.position,
                hint: "Write a column's name alone; characters of a text are SUBSTR(x, 1, 3).")
        }
        return operand
    }

    private mutating func primary() throws(QueryError) -> Syntax {
        let token = current
        switch token.kind {
        case .number(let digits):
            advance()
            return try node(.number(digits), token.position)
        case .text(let text):
            advance()
            return try node(.text(text), token.position)
        case .symbol("("):
            advance()
            if isKeyword("SELECT") {
                throw QueryError(
                    "a subquery is not supported", at: current.position,
                    hint: "Ask for its value first, and write the number here.")
            }
            let inner = try expression()
            try expect(symbol: ")")
            return Syntax(kind: inner.kind, position: token.position, end: previousEnd, depth: inner.depth)
        case .symbol("["): return try array()
        case .quotedName: return try reference()
        case .word(let word): return try wordPrimary(word.uppercased())
        default: throw unexpected("an expression")
        }
    }

    private mutating func wordPrimary(_ word: String) throws(QueryError) -> Syntax {
        let position = current.position
        switch word {
        case "TRUE", "FALSE":
            advance()
            return try node(.boolean(word == "TRUE"), position)
        case "NULL":
            advance()
            return try node(.null, position)
        case "CASE": return try conditional()
        case "CAST", "TRY_CAST", "SAFE_CAST": return try cast()
        case "EXTRACT" where following.kind == .symbol("("): return try extract()
        case "ARRAY" where following.kind == .symbol("["):
            advance()
            return try array()
        case "DATE", "TIMESTAMP":
            if case .text(let text) = following.kind {
                advance()
                advance()
                return try node(.typed(word, text), position)
            }
            return try reference()
        case "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP":
            throw Self.noClock(word, position)
        case "E", "N", "B", "X", "R", "F", "U":
            if case .text = following.kind, following.position == current.end {
                throw QueryError(
                    "a text has no letter before it", at: position, hint: "Text stands between single quotes: 'a'.")
            }
            return try reference()
        case "INTERVAL":
            throw QueryError(
                "INTERVAL is not supported", at: position,
                hint: "Dates count in days: d + 7 a week later; a month's start is DATE_TRUNC('month', d).")
        case "EXISTS":
            throw QueryError(
                "EXISTS is not supported", at: position,
                hint: "JOIN the other table: rows without a match are dropped.")
        case "IF" where following.keyword.map { !Self.reserved.contains($0) } ?? false:
            throw QueryError("IF is a function", at: position, hint: ForeignSQL.words["IF"])
        default: return try reference()
        }
    }

    static func noClock(_ word: String, _ position: Int) -> QueryError {
        QueryError(
            "\(word) is refused: an answer must not depend on when it is asked", at: position,
            hint: "Write the date out: DATE '2020-01-31'.")
    }

    /// A name, a qualified name or a call.
    private mutating func reference() throws(QueryError) -> Syntax {
        let position = current.position
        if case .word(let word) = current.kind, following.kind == .symbol("(") {
            if Self.reserved.contains(word.uppercased()), word.uppercased() != "LEFT", word.uppercased() != "RIGHT" {
                throw unexpected("an expression")
            }
            return try call(word.uppercased())
        }
        var isQuoted = false
        if case .quotedName = current.kind { isQuoted = true }
        let first = try name("an expression")
        guard take(symbol: ".") else {
            return try node(.name(qualifier: nil, first, isQuoted: isQuoted), position)
        }
        if current.kind == .symbol("*") {
            throw QueryError(
                "rows cannot be selected: only aggregates leave a datasite", at: position,
                hint: "Ask for COUNT(*), SUM(x), AVG(x) and the like.")
        }
        let column = try name("a column")
        if current.kind == .symbol("(") || current.kind == .symbol(".") {
            throw QueryError(
                "nothing is called on \(first)", at: position,
                hint: "Functions stand before their arguments: AVG(x), LOWER(x). " + ForeignSQL.one)
        }
        return try node(.name(qualifier: first, column, isQuoted: false), position)
    }

    /// A function that there is not, with what to write instead.
    private func foreign(_ name: String, _ position: Int) -> QueryError {
        QueryError("there is no function \(name)", at: position, hint: ForeignSQL.functions[name])
    }

    private mutating func call(_ name: String) throws(QueryError) -> Syntax {
        let position = current.position
        guard ForeignSQL.functions[name] == nil else { throw foreign(name, position) }
        advance()
        advance()
        var call = Syntax.Call(name: name, arguments: [])
        if current.kind == .symbol("*") {
            advance()
            call.isStar = true
        } else if current.kind != .symbol(")") {
            call.isDistinct = take(keyword: "DISTINCT")
            let limit =
                name == AggregateName.histogram.rawValue ? QuestionLimits.histogramBins + 2 : QuestionLimits.arguments
            call.arguments = try list(limit, "arguments") { (parser) throws(QueryError) in try parser.expression() }
            if name.hasPrefix("SUBSTR"), call.arguments.count == 1 { try places(of: &call) }
        }
        try expect(symbol: ")")
        call.isWeighted = take(keyword: "WEIGHTED")
        if let word = current.keyword, word == "OVER" || word == "FILTER" {
            throw QueryError(
                word == "OVER" ? "window functions are not supported" : "FILTER is not supported",
                at: current.position,
                hint: word == "OVER" ? Self.supported : "Use CASE WHEN condition THEN x END inside the aggregate.")
        }
        return try node(.call(call), position)
    }

    /// `SUBSTRING(x FROM 2 FOR 3)`.
    private mutating func places(of call: inout Syntax.Call) throws(QueryError) {
        if take(keyword: "FROM") {
            call.arguments.append(try expression())
        } else if isKeyword("FOR") {
            call.arguments.append(try node(.number("1"), current.position))
        }
        if take(keyword: "FOR") { call.arguments.append(try expression()) }
    }

    private mutating func array() throws(QueryError) -> Syntax {
        let position = current.position
        try expect(symbol: "[")
        let elements = try list(QuestionLimits.histogramBins + 1, "elements") { (parser) throws(QueryError) in
            try parser.expression()
        }
        try expect(symbol: "]")
        return try node(.array(elements), position)
    }

    private static let conditional = "Write CASE WHEN x > 3 THEN 1 ELSE 0 END."

    private mutating func conditional() throws(QueryError) -> Syntax {
        let position = current.position
        advance()
        let operand = isKeyword("WHEN") ? nil : try expression()
        var branches: [(condition: Syntax, value: Syntax)] = []
        while take(keyword: "WHEN") {
            guard branches.count < QuestionLimits.selectItems else {
                throw QueryError("more than \(QuestionLimits.selectItems) branches", at: current.position)
            }
            let condition = try expression()
            try expect(keyword: "THEN", hint: Self.conditional)
            branches.append((condition, try expression()))
        }
        guard !branches.isEmpty else { throw unexpected("WHEN", hint: Self.conditional) }
        let otherwise = take(keyword: "ELSE") ? try expression() : nil
        try expect(keyword: "END", hint: Self.conditional)
        return try node(.conditional(operand: operand, branches, otherwise: otherwise), position)
    }

    private mutating func cast() throws(QueryError) -> Syntax {
        let position = current.position
        advance()
        try expect(symbol: "(")
        let operand = try expression()
        try expect(keyword: "AS", hint: "Write CAST(x AS INTEGER).")
        let type = try typeName()
        try expect(symbol: ")")
        return try node(.cast(operand, type), position)
    }

    /// Upper case.
    private mutating func typeName() throws(QueryError) -> String {
        let position = current.position
        guard case .word(let word) = current.kind else { throw unexpected("a type") }
        advance()
        if word.uppercased() == "DOUBLE" { _ = take(keyword: "PRECISION") }
        if word.uppercased() == "CHARACTER" { _ = take(keyword: "VARYING") }
        let types = "Types are INTEGER, REAL, TEXT, BOOLEAN, DATE and TIMESTAMP."
        guard TypeName.type(word) != nil else {
            throw QueryError("'\(word)' is not a type", at: position, hint: types)
        }
        if current.kind == .symbol("(") {
            throw QueryError(
                "a type has no length here", at: current.position,
                hint: TypeName.type(word) == .real ? "Write ROUND(x, 2) for two decimals." : types)
        }
        return word.uppercased()
    }

    private mutating func extract() throws(QueryError) -> Syntax {
        let position = current.position
        advance()
        try expect(symbol: "(")
        let part = try name("a date part")
        try expect(keyword: "FROM", hint: "Write EXTRACT(YEAR FROM d), or YEAR(d).")
        let operand = try expression()
        try expect(symbol: ")")
        return try node(.extract(part.uppercased(), operand), position)
    }
}
