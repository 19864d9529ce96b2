import Tables

/// A question with all names resolved, before anything is decided about noise.
struct BoundQuestion {
    enum Item {
        /// Computed on the virtual row of a group: its keys, then its aggregates.
        case scalar(Expression)
        case histogram(aggregate: Int, edges: [Double])
    }

    struct Column {
        var name: String
        var item: Item
    }

    struct Order: Sendable, Hashable {
        var expression: Expression
        var isDescending: Bool
        var nullsFirst: Bool
    }

    var scope: Scope
    var filter: Expression?
    var keys: [Expression] = []
    var keyNames: [String] = []
    var keyPositions: [Int] = []
    var aggregates: [Aggregate] = []
    var positions: [Int] = []
    var columns: [Column] = []
    var having: Expression?
    var orders: [Order] = []
    var limit: Int?
    var offset = 0
    var top: Top?
    /// What is computed of the groups, in place of the columns.
    var statistic: StatisticCall?

    /// Parses and binds.
    static func bind(_ text: String, _ context: PlanningContext) throws(QueryError) -> BoundQuestion {
        var statement = try Parser.parse(text)
        var question = BoundQuestion(scope: try Scope(statement, context))
        if let call = try StatisticCall.found(in: statement, of: text, question.scope) {
            question.statistic = call
            statement = call.statement
        }
        question.limit = statement.limit
        question.offset = statement.offset
        try question.bindFilter(statement)
        try question.bindKeys(statement, text)
        try question.bindOutput(statement, text, context)
        return question
    }

    private static func checkSize(_ expression: Expression, _ position: Int) throws(QueryError) {
        guard expression.size(upTo: QuestionLimits.expressionNodes) < QuestionLimits.expressionNodes else {
            throw QueryError("the expression is too large", at: position)
        }
    }

    private mutating func bindFilter(_ statement: SelectStatement) throws(QueryError) {
        var conditions = scope.innerSlots.map { Expression.lookupMatches(slot: $0.slot, key: $0.key) }
        if let filter = statement.filter {
            try checkNames(filter, statement, "and WHERE comes before: it works on rows")
            var binder = Binder(scope: scope)
            let bound = try binder.condition(filter)
            try Self.checkSize(bound, filter.position)
            conditions.append(bound)
        }
        filter = conditions.dropFirst().reduce(conditions.first) { joined, next in joined.map { .and($0, next) } }
    }

    /// Names of the SELECT list do not stand in WHERE, nor in the SELECT list itself.
    private func checkNames(_ syntax: Syntax, _ statement: SelectStatement, _ why: String) throws(QueryError) {
        for child in syntax.children { try checkNames(child, statement, why) }
        guard case .name(nil, let name, _) = syntax.kind,
            (try? scope.resolve(qualifier: nil, name, at: syntax.position)) == nil,
            let item = statement.items.first(where: { $0.alias?.lowercased() == name.lowercased() })
        else { return }
        throw QueryError(
            "\(name) is named in SELECT, \(why)", at: syntax.position,
            hint: item.expression.containsAggregate && why.contains("WHERE")
                ? "Conditions on aggregates go into HAVING." : "Write the expression out here.")
    }

    // MARK: grouping

    private mutating func bindKeys(_ statement: SelectStatement, _ text: String) throws(QueryError) {
        for group in statement.groups {
            let (syntax, name) = try Self.groupingExpression(group, statement, scope)
            var binder = Binder(scope: scope)
            let key = try binder.bind(syntax)
            try Self.checkSize(key, group.position)
            if scope.namesUnit(key) {
                throw QueryError(
                    "grouping by the privacy unit is refused: each group would be one unit", at: group.position,
                    hint: "Group by an attribute that many units share.")
            }
            if !keys.contains(key) {
                keys.append(key)
                keyNames.append(name ?? Self.source(syntax, text))
                keyPositions.append(group.position)
            }
        }
    }

    /// What a grouping key stands for: a position in the SELECT list, one of its names, or an expression.
    static func groupingExpression(
        _ group: Syntax, _ statement: SelectStatement, _ scope: Scope
    ) throws(QueryError) -> (Syntax, String?) {
        if case .number(let digits) = group.kind {
            guard let position = Int(digits), position >= 1, position <= statement.items.count else {
                throw QueryError(
                    "GROUP BY \(digits) names no column of the SELECT list", at: group.position,
                    hint: "It has \(statement.items.count).")
            }
            let item = statement.items[position - 1]
            return (item.expression, item.alias)
        }
        if case .name(nil, let name, _) = group.kind,
            (try? scope.resolve(qualifier: nil, name, at: group.position)) == nil,
            let item = statement.items.first(where: { $0.alias?.lowercased() == name.lowercased() })
        {
            return (item.expression, item.alias)
        }
        return (group, nil)
    }

    /// The text of an expression: the name of a column that has no other.
    static func source(_ syntax: Syntax, _ text: String) -> String {
        let bytes = Array(text.utf8)
        guard syntax.position < syntax.end, syntax.end <= bytes.count else { return "column" }
        let words = String(decoding: bytes[syntax.position..<syntax.end], as: UTF8.self)
            .split(whereSeparator: { $0 == " " || $0 == "\n" || $0 == "\t" || $0 == "\r" })
        let joined = words.joined(separator: " ")
        return joined.unicodeScalars.count <= 80 ? joined : String(joined.prefix(77)) + "..."
    }

    // MARK: the output

    private mutating func bindOutput(
        _ statement: SelectStatement, _ text: String, _ context: PlanningContext
    ) throws(QueryError) {
        let clauses = statement.items.map(\.expression) + [statement.having].compactMap(\.self)
        let hasAggregates = (clauses + statement.orders.map(\.expression)).contains(where: \.containsAggregate)
        var output = Binder.Output(keys: keys, allowed: context.allowed)
        output.asksForRows = keys.isEmpty && !hasAggregates
        var binder = Binder(scope: scope, output: output)
        var names: [String: Expression] = [:]
        for item in statement.items {
            try checkNames(item.expression, statement, "and stands for its column only behind it")
            let name = item.alias ?? Self.source(item.expression, text)
            if let (index, edges) = try binder.histogram(item.expression) {
                columns.append(Column(name: name, item: .histogram(aggregate: index, edges: edges)))
                continue
            }
            let bound = try binder.bind(item.expression)
            try Self.checkSize(bound, item.expression.position)
            columns.append(
                Column(
                    name: Self.labelled(name, of: item, bound: bound, in: binder, keys: keys.count),
                    item: .scalar(bound)))
            if let alias = item.alias { names[alias.lowercased()] = bound }
        }
        if output.asksForRows {
            throw QueryError(
                "the question asks for no aggregate", at: statement.position,
                hint: "Ask for COUNT(*), SUM(x), AVG(x), MEDIAN(x) and the like, perhaps with GROUP BY.")
        }
        binder.output?.names = names
        if let clause = statement.having { having = try binder.condition(clause) }
        for order in statement.orders { orders.append(try bind(order, &binder)) }
        aggregates = binder.output?.aggregates ?? []
        positions = binder.output?.positions ?? []
        if let count = statement.top {
            top = try bindTop(count, statement)
            orders = []
        }
    }

    /// MIN and MAX say that they are quantiles, unless the researcher named the column.
    private static func labelled(
        _ name: String, of item: SelectStatement.Item, bound: Expression, in binder: Binder, keys: Int
    ) -> String {
        guard item.alias == nil, case .column(let index, _) = bound, index >= keys,
            case .call(let call) = item.expression.kind, call.name == "MIN" || call.name == "MAX",
            let aggregates = binder.output?.aggregates, case .quantile(let rank) = aggregates[index - keys].function
        else { return name }
        return "\(name) [\(rank.value) quantile]"
    }

    private func bind(
        _ order: SelectStatement.Order, _ binder: inout Binder
    ) throws(QueryError) -> Order {
        let nullsFirst = order.nullsFirst ?? !order.isDescending
        if case .number(let digits) = order.expression.kind {
            guard let position = Int(digits), position >= 1, position <= columns.count,
                case .scalar(let expression) = columns[position - 1].item
            else {
                throw QueryError(
                    "ORDER BY \(digits) names no column of the SELECT list", at: order.expression.position,
                    hint: "It has \(columns.count).")
            }
            return Order(expression: expression, isDescending: order.isDescending, nullsFirst: nullsFirst)
        }
        let expression = try binder.bind(order.expression)
        try Self.checkSize(expression, order.expression.position)
        return Order(expression: expression, isDescending: order.isDescending, nullsFirst: nullsFirst)
    }
}
