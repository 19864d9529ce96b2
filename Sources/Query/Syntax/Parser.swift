/// Reads one SELECT statement by recursive descent. What it does not support it names, with the position.
struct Parser {
    private let tokens: [Token]
    private var index = 0
    private var nesting = 0

    static func parse(_ text: String) throws(QueryError) -> SelectStatement {
        // Text that is no SQL at all is told so first.
        let start = Parser(tokens: Lexer.start(of: text))
        if start.current.keyword != nil, !start.isKeyword("SELECT") { throw start.notSelect() }
        var parser = Parser(tokens: try Lexer.tokens(of: text))
        return try parser.statement()
    }

    private init(tokens: [Token]) {
        self.tokens = tokens
    }

    static let supported = """
        Supported is one SELECT [TOP k] ... FROM dataset [JOIN ...] [WHERE ...] [GROUP BY ...] [HAVING ...] [ORDER BY ...] \
        [LIMIT n].
        """

    // MARK: tokens

    var current: Token { tokens[index] }

    var following: Token { tokens[Swift.min(index + 1, tokens.count - 1)] }

    var previousEnd: Int { index > 0 ? tokens[index - 1].end : 0 }

    mutating func advance() {
        if index < tokens.count - 1 { index += 1 }
    }

    func isKeyword(_ keyword: String) -> Bool { current.keyword == keyword }

    mutating func take(keyword: String) -> Bool {
        guard isKeyword(keyword) else { return false }
        advance()
        return true
    }

    mutating func take(symbol: String) -> Bool {
        guard current.kind == .symbol(symbol) else { return false }
        advance()
        return true
    }

    mutating func expect(keyword: String, hint: String? = nil) throws(QueryError) {
        guard take(keyword: keyword) else { throw unexpected(keyword, hint: hint) }
    }

    mutating func expect(symbol: String) throws(QueryError) {
        guard take(symbol: symbol) else { throw unexpected("'\(symbol)'") }
    }

    func unexpected(_ expected: String, hint: String? = nil) -> QueryError {
        let known = current.keyword.flatMap { ForeignSQL.words[$0] }
        return QueryError(
            "expected \(expected), found \(current.description)", at: current.position, hint: known ?? hint)
    }

    /// Runs `body` one level deeper, and refuses what is nested too deeply.
    mutating func nested<Result>(_ body: (inout Parser) throws(QueryError) -> Result) throws(QueryError) -> Result {
        guard nesting < QuestionLimits.depth else { throw Self.tooDeep(current.position) }
        nesting += 1
        defer { nesting -= 1 }
        return try body(&self)
    }

    static func tooDeep(_ position: Int) -> QueryError {
        QueryError(
            "the expression is nested more than \(QuestionLimits.depth) levels deep", at: position,
            hint: "Use IN instead of long chains of comparisons.")
    }

    /// A node that ends where the text was read to.
    ///
    /// Mutating, so that an argument that parses on is evaluated first, and the end is behind it.
    mutating func node(_ kind: Syntax.Kind, _ position: Int) throws(QueryError) -> Syntax {
        let depth = 1 + (Syntax.children(of: kind).map(\.depth).max() ?? 0)
        guard depth <= QuestionLimits.depth else { throw Self.tooDeep(position) }
        return Syntax(kind: kind, position: position, end: previousEnd, depth: depth)
    }

    // MARK: the statement

    private mutating func statement() throws(QueryError) -> SelectStatement {
        let position = current.position
        guard take(keyword: "SELECT") else { throw notSelect() }
        if isKeyword("DISTINCT") {
            throw QueryError(
                "SELECT DISTINCT is not supported", at: current.position, hint: "Use GROUP BY on the expressions.")
        }
        var top: Int?
        if isKeyword("TOP"), case .number = following.kind {
            advance()
            top = try count("TOP")
        }
        let items = try list(QuestionLimits.selectItems, "columns") { (parser) throws(QueryError) in try parser.item() }
        try expect(keyword: "FROM", hint: Self.supported)
        var statement = SelectStatement(items: items, source: try source(), position: position)
        statement.top = top
        try joins(&statement)
        if take(keyword: "WHERE") { statement.filter = try expression() }
        try grouping(&statement)
        try ordering(&statement)
        _ = take(symbol: ";")
        guard current.kind == .end else {
            throw unexpected("the end of the question", hint: Self.supported)
        }
        return statement
    }

    private func notSelect() -> QueryError {
        if isKeyword("WITH") {
            return QueryError(
                "a common table expression is not supported", at: current.position, hint: ForeignSQL.step)
        }
        let hint = current.keyword.flatMap { ForeignSQL.statements[$0] }
        let isCode =
            current.keyword != nil
            && [.end, .symbol("."), .symbol("["), .symbol("("), .symbol("=")].contains(following.kind)
        return QueryError(
            "expected SELECT, found \(current.description)", at: current.position,
            hint: hint ?? (isCode ? ForeignSQL.one : Self.supported))
    }

    /// A list with commas.
    mutating func list<Element>(
        _ limit: Int, _ what: String, _ element: (inout Parser) throws(QueryError) -> Element
    ) throws(QueryError) -> [Element] {
        var elements = [try element(&self)]
        while take(symbol: ",") {
            guard elements.count < limit else {
                throw QueryError("more than \(limit) \(what)", at: current.position)
            }
            elements.append(try element(&self))
        }
        return elements
    }

    private mutating func item() throws(QueryError) -> SelectStatement.Item {
        if current.kind == .symbol("*") {
            throw QueryError(
                "rows cannot be selected: only aggregates leave a datasite", at: current.position,
                hint: "Ask for COUNT(*), SUM(x), AVG(x), MEDIAN(x), HISTOGRAM(x, ...) and the like, by group.")
        }
        return .init(expression: try expression(), alias: try alias())
    }

    /// A name behind AS, or without it; nil where there is none.
    private mutating func alias() throws(QueryError) -> String? {
        if take(keyword: "AS") {
            if case .text = current.kind {
                throw unexpected("a name after AS", hint: "Names stand without quotes, or in double ones: \"total\".")
            }
            return try name("a name after AS")
        }
        switch current.kind {
        case .quotedName: return try name("a name")
        case .word(let word) where !Self.reserved.contains(word.uppercased()):
            return ForeignSQL.words[word.uppercased()] == nil ? try name("a name") : nil
        default: return nil
        }
    }

    static let reserved: Set<String> = [
        "SELECT", "FROM", "WHERE", "GROUP", "BY", "HAVING", "ORDER", "LIMIT", "OFFSET", "JOIN", "INNER", "LEFT",
        "RIGHT", "FULL", "CROSS", "OUTER", "ON", "USING", "AS", "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS",
        "NULL", "CASE", "WHEN", "THEN", "ELSE", "END", "CAST", "UNION", "EXCEPT", "INTERSECT", "ASC", "DESC",
        "WEIGHTED", "OVER", "FILTER", "DISTINCT", "TRUE", "FALSE", "NATURAL", "WINDOW", "FETCH",
    ]

    mutating func name(_ what: String) throws(QueryError) -> String {
        switch current.kind {
        case .quotedName(let name):
            advance()
            return name
        case .word(let word) where !Self.reserved.contains(word.uppercased()):
            advance()
            return word
        case .word(let word) where what == "a name after AS":
            throw QueryError(
                "'\(word)' is a word of the language", at: current.position,
                hint: "As a name it stands in double quotes: \"\(word)\".")
        case .word(let word) where what == Self.dataset:
            throw unexpected(what, hint: "As a name it stands in double quotes: \"\(word)\".")
        default: throw unexpected(what)
        }
    }

    /// What FROM and JOIN expect.
    private static let dataset = "the name of a dataset"

    private mutating func source() throws(QueryError) -> SelectStatement.Source {
        let position = current.position
        if current.kind == .symbol("(") {
            throw QueryError(
                "a subquery is not supported", at: position,
                hint: "FROM names a dataset. " + ForeignSQL.step)
        }
        if case .text = current.kind {
            throw unexpected(Self.dataset, hint: "Names stand without quotes, or in double ones.")
        }
        let table = try name(Self.dataset)
        guard current.kind != .symbol(".") else {
            throw QueryError(
                "a dataset has no schema or catalogue before its name", at: position,
                hint: "Write the name alone, without \(table) and the point.")
        }
        return .init(name: table, alias: try alias() ?? table, position: position)
    }

    private mutating func joins(_ statement: inout SelectStatement) throws(QueryError) {
        while true {
            let position = current.position
            if current.kind == .symbol(",") {
                throw QueryError(
                    "only one dataset stands in FROM", at: position, hint: "Use JOIN ... ON left.key = right.key.")
            }
            if let word = current.keyword, ["RIGHT", "FULL", "CROSS", "NATURAL"].contains(word) {
                throw QueryError(
                    "\(word) JOIN is not supported", at: position,
                    hint: "Supported are [INNER] JOIN and LEFT JOIN on equality of a key.")
            }
            let isInner = take(keyword: "INNER")
            let isLeft = !isInner && take(keyword: "LEFT")
            if isLeft { _ = take(keyword: "OUTER") }
            guard take(keyword: "JOIN") else {
                if isInner || isLeft { throw unexpected("JOIN") }
                return
            }
            guard statement.joins.count < QuestionLimits.joins else {
                throw QueryError("more than \(QuestionLimits.joins) joins", at: position)
            }
            let joined = try source()
            statement.joins.append(
                .init(source: joined, isLeft: isLeft, condition: try joinCondition(), position: position))
        }
    }

    private mutating func joinCondition() throws(QueryError) -> SelectStatement.Condition {
        if take(keyword: "USING") {
            try expect(symbol: "(")
            let position = current.position
            let column = try name("a column")
            try expect(symbol: ")")
            return .using(column, position)
        }
        try expect(keyword: "ON", hint: "A join names its key: ON left.key = right.key, or USING (key).")
        return .on(try expression())
    }

    private mutating func grouping(_ statement: inout SelectStatement) throws(QueryError) {
        if take(keyword: "GROUP") {
            try expect(keyword: "BY", hint: "Write GROUP BY x.")
            statement.groups = try list(QuestionLimits.keys, "grouping keys") { (parser) throws(QueryError) in
                if let word = parser.current.keyword, ["ROLLUP", "CUBE", "GROUPING"].contains(word) {
                    throw QueryError(
                        "\(word) is not supported", at: parser.current.position,
                        hint: "Ask one question a grouping.")
                }
                return try parser.expression()
            }
        }
        if take(keyword: "HAVING") { statement.having = try expression() }
    }

    private mutating func ordering(_ statement: inout SelectStatement) throws(QueryError) {
        if take(keyword: "ORDER") {
            try expect(keyword: "BY", hint: "Write ORDER BY x.")
            statement.orders = try list(QuestionLimits.keys, "ORDER BY keys") { (parser) throws(QueryError) in
                try parser.order()
            }
        }
        if take(keyword: "LIMIT") { statement.limit = try count("LIMIT") }
        if current.kind == .symbol(","), statement.limit != nil {
            throw QueryError("LIMIT takes one number", at: current.position, hint: "Write LIMIT 10 OFFSET 5.")
        }
        if take(keyword: "OFFSET") { statement.offset = try count("OFFSET") }
    }

    private mutating func order() throws(QueryError) -> SelectStatement.Order {
        let expression = try expression()
        let isDescending = take(keyword: "DESC")
        if !isDescending { _ = take(keyword: "ASC") }
        var nullsFirst: Bool?
        if take(keyword: "NULLS") {
            nullsFirst = take(keyword: "FIRST")
            if nullsFirst == false { try expect(keyword: "LAST") }
        }
        return .init(expression: expression, isDescending: isDescending, nullsFirst: nullsFirst)
    }

    private mutating func count(_ clause: String) throws(QueryError) -> Int {
        // 1e3 is a whole number too. Whole numbers up to the limit are exact as `Double`.
        guard case .number(let digits) = current.kind, let number = Double(digits),
            number <= Double(QuestionLimits.rows),
            let value = Int(exactly: number)
        else {
            throw unexpected("a whole number up to \(QuestionLimits.rows) after \(clause)")
        }
        advance()
        return value
    }
}
