import Tables

/// The statistics that SQL text can name. Each stands alone in the SELECT list: its answer is a table of its own.
enum StatisticName: String, CaseIterable {
    case survival = "SURVIVAL"
    case chiSquare = "CHI_SQUARE"
    case tTest = "T_TEST"
    case anova = "ANOVA"
    case linearRegression = "LINEAR_REGRESSION"
    case logisticRegression = "LOGISTIC_REGRESSION"
    case poissonRegression = "POISSON_REGRESSION"
    case describe = "DESCRIBE"
    case hazardRatios = "HAZARD_RATIOS"

    var usage: String {
        switch self {
        case .survival: "SELECT SURVIVAL(time, event, width) FROM t GROUP BY g"
        case .chiSquare: "SELECT CHI_SQUARE(a, b) FROM t"
        case .tTest: "SELECT T_TEST(x) FROM t GROUP BY g"
        case .anova: "SELECT ANOVA(x) FROM t GROUP BY g"
        case .linearRegression, .logisticRegression, .poissonRegression: "SELECT \(rawValue)(y, x, z) FROM t"
        case .hazardRatios: "SELECT HAZARD_RATIOS(time, event, width, x, y) FROM t"
        case .describe: "SELECT DESCRIBE(*) FROM t, or SELECT DESCRIBE(x, y) FROM t GROUP BY g"
        }
    }

    var arguments: ClosedRange<Int> {
        switch self {
        case .survival: 3...4
        case .chiSquare: 2...2
        case .tTest, .anova: 1...1
        case .linearRegression, .logisticRegression, .poissonRegression: 2...QuestionLimits.arguments
        case .describe: 1...QuestionLimits.arguments
        case .hazardRatios: 4...QuestionLimits.keys + 1
        }
    }

    var isRegression: Bool {
        switch self {
        case .linearRegression, .logisticRegression, .poissonRegression: true
        case .survival, .chiSquare, .tTest, .anova, .describe, .hazardRatios: false
        }
    }
}

/// A statistic as it is asked, and the question whose groups it is computed from: what is counted and added up of rows is what that question would, and bounded as its is.
struct StatisticCall {
    let name: StatisticName
    let position: Int
    /// The width of a bin of time, and where the last one ends.
    private(set) var width = 0.0
    private(set) var horizon: Double?
    /// The question without the statistic.
    private(set) var statement: SelectStatement
    /// The first keys of it, by which the researcher groups.
    private(set) var groups: Int
    /// Of a regression: what is predicted, then the predictors; of hazard ratios the covariates.
    private(set) var arguments: [Argument] = []
    /// Of a description: which columns of the question without it are whose.
    private(set) var description: DescriptionPlan?

    /// What stands between the brackets.
    struct Argument {
        var expression: Expression
        /// As it is written.
        var name: String
        var position: Int
        /// Of a covariate that is a number, what it is held to.
        var bins: (lower: Double, upper: Double, count: Int)?

        init(_ syntax: Syntax, of text: String, _ scope: Scope) throws(QueryError) {
            var binder = Binder(scope: scope)
            expression = try binder.bind(syntax)
            (name, position) = (BoundQuestion.source(syntax, text), syntax.position)
        }
    }

    /// - Returns: nil: the question asks for no statistic.
    static func found(
        in statement: SelectStatement, of text: String, _ scope: Scope
    ) throws(QueryError) -> StatisticCall? {
        for item in statement.items {
            guard case .call(let call) = item.expression.kind, let name = StatisticName(rawValue: call.name) else {
                continue
            }
            var found = try StatisticCall(name, call, at: item.expression.position, in: statement, scope)
            if name.isRegression { try found.bindRegression(call.arguments, text, scope) }
            if name == .hazardRatios { try found.bindHazards(call.arguments, text, scope) }
            if name == .describe { try found.bindDescription(call, at: item.expression, text, scope) }
            return found
        }
        return nil
    }

    private init(
        _ name: StatisticName, _ call: Syntax.Call, at position: Int, in asked: SelectStatement,
        _ scope: Scope
    ) throws(QueryError) {
        (self.name, self.position) = (name, position)
        statement = asked
        guard name.arguments.contains(call.isStar && name == .describe ? 1 : call.arguments.count),
            !call.isStar || name == .describe, !call.isDistinct, !call.isWeighted
        else {
            throw QueryError("\(name.rawValue) is not asked for so", at: position, hint: "Write \(name.usage).")
        }
        guard asked.having == nil, asked.orders.isEmpty, asked.limit == nil, asked.offset == 0, asked.top == nil else {
            throw QueryError(
                "the answer of \(name.rawValue) comes whole: without HAVING, ORDER BY, LIMIT and TOP", at: position,
                hint: "Write \(name.usage).")
        }
        var keys: [Syntax] = []
        for group in asked.groups { keys.append(try BoundQuestion.groupingExpression(group, asked, scope).0) }
        try Self.check(asked, keys, scope)
        groups = keys.count
        switch name {
        case .survival: try bindSurvival(call.arguments, keys, scope)
        case .chiSquare:
            guard keys.isEmpty else {
                throw QueryError(
                    "CHI_SQUARE(a, b) has its two keys, and takes no GROUP BY", at: position,
                    hint: "To compare within groups, ask with WHERE.")
            }
            groups = 2
            try become(keys: call.arguments, of: ["COUNT"], argument: nil)
        case .tTest, .anova:
            guard !keys.isEmpty else {
                throw QueryError(
                    "\(name.rawValue) compares groups, and there is no GROUP BY", at: position,
                    hint: "Write \(name.usage).")
            }
            try become(keys: keys, of: ["COUNT", "AVG", "VARIANCE"], argument: call.arguments[0])
        case .linearRegression, .logisticRegression, .poissonRegression:
            guard keys.isEmpty else {
                throw QueryError(
                    "\(name.rawValue) is of all rows, and takes no GROUP BY", at: position,
                    hint: "Put the groups among the predictors, or ask with WHERE.")
            }
        case .describe: statement.groups = keys
        case .hazardRatios:
            guard keys.isEmpty else {
                throw QueryError(
                    "HAZARD_RATIOS is of all rows, and takes no GROUP BY", at: position,
                    hint: "Put the groups among the covariates, or ask with WHERE.")
            }
        }
    }

    /// Beside the statistic, the SELECT list may name the groups.
    private static func check(
        _ statement: SelectStatement, _ keys: [Syntax], _ scope: Scope
    ) throws(QueryError) {
        var known: [Expression] = []
        for key in keys {
            var binder = Binder(scope: scope)
            known.append(try binder.bind(key))
        }
        var statistics = 0
        for item in statement.items {
            if case .call(let call) = item.expression.kind, let name = StatisticName(rawValue: call.name) {
                statistics += 1
                guard statistics == 1 else {
                    throw QueryError(
                        "\(name.rawValue) is the second statistic of one question", at: item.expression.position,
                        hint: "Ask for each by itself: its answer is a table of its own.")
                }
                continue
            }
            var binder = Binder(scope: scope)
            guard !item.expression.containsAggregate, let bound = try? binder.bind(item.expression),
                known.contains(bound)
            else {
                throw QueryError(
                    "a statistic stands alone in the SELECT list, with the groups at most",
                    at: item.expression.position, hint: "Ask for anything else in a question of its own.")
            }
        }
    }

    /// Of all rows in which nothing is null. What the policy must allow are the numbers that it is computed from.
    private mutating func bindRegression(
        _ asked: [Syntax], _ text: String, _ scope: Scope
    ) throws(QueryError) {
        var items = [asked[0].wrapped(in: "COUNT", [], isStar: true)]
        for syntax in asked {
            let argument = try Argument(syntax, of: text, scope)
            if scope.namesUnit(argument.expression) {
                throw QueryError(
                    "the privacy unit is no predictor: each value would be one unit's", at: syntax.position)
            }
            arguments.append(argument)
            guard [.integer, .real, .boolean].contains(argument.expression.type) else { continue }
            items.append(syntax.wrapped(in: "AVG", [syntax]))
            if argument.expression.type != .boolean { items.append(syntax.wrapped(in: "VARIANCE", [syntax])) }
        }
        statement.items = items.map { SelectStatement.Item(expression: $0) }
        require(asked)
    }

    /// By cell of the covariates: numbers in eight bins of their bounds at most.
    private mutating func bindHazards(
        _ asked: [Syntax], _ text: String, _ scope: Scope
    ) throws(QueryError) {
        var keys: [Syntax] = []
        for syntax in asked.dropFirst(3) {
            var argument = try Argument(syntax, of: text, scope)
            defer { arguments.append(argument) }
            let expression = argument.expression
            guard expression.type == .integer || expression.type == .real else {
                keys.append(syntax)
                continue
            }
            let bounds = scope.bounds.bounds(expression)
            guard bounds.isFinite, bounds.lower < bounds.upper else {
                throw QueryError(
                    "a covariate that is a number has bounds, and not always the same value", at: syntax.position,
                    hint: "Say them: CLAMP(x, 0, 100).")
            }
            let width = bounds.upper - bounds.lower
            let count = expression.type == .integer ? Int(Swift.min(8, width + 1)) : 8
            argument.bins = (bounds.lower, bounds.upper, count)
            let low = syntax.literal("\(abs(bounds.lower))")
            let start = bounds.lower < 0 ? low.with(.negate(low)) : low
            let place = syntax.with(
                .binary(
                    "/", syntax.with(.binary("-", syntax, start)), syntax.literal("\(width / Double(count))")))
            // The upper bound is in the last bin.
            let inside = place.wrapped(
                in: "CLAMP", [place, place.literal("0"), place.literal("\(count - 1).999999")])
            keys.append(inside.wrapped(in: "FLOOR", [inside]))
        }
        groups = keys.count
        try bindSurvival(Array(asked.prefix(3)), keys, scope)
    }

    /// Count, missing values, mean, deviation and quartiles of each column, as an ordinary question would ask for them.
    private mutating func bindDescription(
        _ call: Syntax.Call, at place: Syntax, _ text: String, _ scope: Scope
    ) throws(QueryError) {
        let described = call.isStar ? Self.columns(of: scope, at: place) : call.arguments
        statement.items = statement.groups.map { SelectStatement.Item(expression: $0) }
        var rows: [DescriptionPlan.Row] = []
        let whole = place.wrapped(in: "COUNT", [], isStar: true)
        for syntax in described {
            var binder = Binder(scope: scope)
            let expression = try binder.bind(syntax)
            if scope.namesUnit(expression) {
                if call.isStar { continue }
                throw QueryError("the privacy unit is not described", at: syntax.position)
            }
            let name = if case .name(_, let name, _) = syntax.kind { name } else { BoundQuestion.source(syntax, text) }
            let present = syntax.wrapped(in: "COUNT", [syntax])
            let isNumber = expression.type == .integer || expression.type == .real
            let isBounded = isNumber && scope.bounds.bounds(expression).isFinite
            var measures: [Syntax?] = [present, place.with(.binary("-", whole, present))]
            measures.append(isBounded || expression.type == .boolean ? syntax.wrapped(in: "AVG", [syntax]) : nil)
            measures.append(isBounded ? syntax.wrapped(in: "STDDEV", [syntax]) : nil)
            for rank in ["0.25", "0.5", "0.75"] {
                measures.append(
                    isBounded ? syntax.wrapped(in: "QUANTILE", [syntax, syntax.literal(rank)]) : nil)
            }
            rows.append(
                DescriptionPlan.Row(
                    name: name,
                    places: zip(measures, DescriptionPlan.measures).map { measure, title in
                        guard let measure else { return nil }
                        statement.items.append(.init(expression: measure, alias: "\(name): \(title)"))
                        return statement.items.count - 1
                    }))
        }
        guard !rows.isEmpty else {
            throw QueryError("there is no column to describe", at: position, hint: "Write \(name.usage).")
        }
        description = DescriptionPlan(keys: groups, rows: rows)
    }

    /// All columns of the private tables.
    private static func columns(of scope: Scope, at place: Syntax) -> [Syntax] {
        scope.sources.flatMap { source -> [Syntax] in
            guard case .dataset = source.kind else { return [] }
            return source.schema.columns.map {
                place.with(.name(qualifier: source.alias, $0.name, isQuoted: true))
            }
        }
    }

    private mutating func bindSurvival(
        _ arguments: [Syntax], _ keys: [Syntax], _ scope: Scope
    ) throws(QueryError) {
        width = try Self.number(arguments[2], "the width of a bin")
        var (time, event) = (arguments[0], arguments[1])
        var binder = Binder(scope: scope)
        let bounds = scope.bounds.bounds(try binder.bind(time))
        guard arguments.count == 4 || bounds.isFinite else {
            throw QueryError(
                "these times have no bounds, so that nobody knows where the last bin ends", at: time.position,
                hint: "Say where: SURVIVAL(time, event, width, end).")
        }
        if arguments.count == 4 {
            let end = try Self.number(arguments[3], "the end of the last bin")
            let bins = end / width
            guard bins == bins.rounded() else {
                throw QueryError(
                    "the last bin of \(arguments[3].digits) does not end with one of width \(arguments[2].digits)",
                    at: arguments[3].position, hint: "Name a multiple of the width.")
            }
            horizon = end
            // Behind the end nobody has an event: each group of the scan is one entry of the vector, and each entry of one.
            event = event.with(.and(event, time.with(.binary("<", time, arguments[3]))))
            time = time.wrapped(in: "CLAMP", [time, time.literal("0"), arguments[3]])
        }
        try become(
            keys: keys + [event, time.wrapped(in: "BIN", [time, arguments[2]])], of: ["COUNT"], argument: nil,
            known: [arguments[0]])
    }

    /// Grouped by these keys, of rows that have them.
    private mutating func become(
        keys: [Syntax], of aggregates: [String], argument: Syntax?, known: [Syntax] = []
    ) throws(QueryError) {
        statement.groups = keys
        statement.items = aggregates.map { aggregate in
            let place = argument ?? keys[0]
            return SelectStatement.Item(
                expression: place.wrapped(in: aggregate, [argument].compactMap(\.self), isStar: argument == nil))
        }
        require(keys + [argument].compactMap(\.self) + known)
    }

    /// Rows in which one of them is null are left out.
    private mutating func require(_ expressions: [Syntax]) {
        for needed in expressions {
            let present = needed.with(.not(needed.with(.isNull(needed))))
            statement.filter = statement.filter.map { $0.with(.and($0, present)) } ?? present
        }
    }

    private static func number(_ syntax: Syntax, _ what: String) throws(QueryError) -> Double {
        guard case .number(let digits) = syntax.kind, let number = Double(digits), number > 0, number.isFinite else {
            throw QueryError(
                "\(what) is a number above 0", at: syntax.position, hint: "Write \(StatisticName.survival.usage).")
        }
        return number
    }
}

extension Syntax {
    fileprivate var digits: String { if case .number(let digits) = kind { digits } else { "" } }

    /// In the same place of the text.
    fileprivate func with(_ kind: Kind) -> Syntax {
        Syntax(kind: kind, position: position, end: end, depth: depth + 1)
    }

    fileprivate func literal(_ digits: String) -> Syntax { with(.number(digits)) }

    fileprivate func wrapped(in name: String, _ arguments: [Syntax], isStar: Bool = false) -> Syntax {
        with(.call(Call(name: name, arguments: arguments, isStar: isStar)))
    }
}
