import Tables

/// Aggregates: where they may stand, what they may take, and whether the policy allows them.
extension Binder {
    mutating func aggregate(
        _ name: AggregateName, _ call: Syntax.Call, _ syntax: Syntax
    ) throws(QueryError) -> Expression {
        let aggregate = try resolve(name, call, syntax)
        if case .histogram = aggregate.function {
            throw QueryError(
                "HISTOGRAM stands alone in the SELECT list: it gives a column for each bin", at: syntax.position)
        }
        let index = try add(aggregate, syntax.position)
        return .column((output?.keys.count ?? 0) + index, aggregate.type)
    }

    /// A column of the SELECT list that is a histogram; nil for anything else.
    mutating func histogram(_ syntax: Syntax) throws(QueryError) -> (index: Int, edges: [Double])? {
        guard case .call(let call) = syntax.kind, AggregateName(call.name) == .histogram else { return nil }
        let aggregate = try resolve(.histogram, call, syntax)
        guard case .histogram(let edges) = aggregate.function else { return nil }
        return (try add(aggregate, syntax.position), edges)
    }

    private mutating func add(_ aggregate: Aggregate, _ position: Int) throws(QueryError) -> Int {
        if let known = output?.aggregates.firstIndex(of: aggregate) { return known }
        guard (output?.aggregates.count ?? 0) < QuestionLimits.aggregates else {
            throw QueryError("more than \(QuestionLimits.aggregates) different aggregates", at: position)
        }
        output?.aggregates.append(aggregate)
        output?.positions.append(position)
        return (output?.aggregates.count ?? 1) - 1
    }

    private func resolve(
        _ name: AggregateName, _ call: Syntax.Call, _ syntax: Syntax
    ) throws(QueryError) -> Aggregate {
        guard let output else {
            throw QueryError(
                "\(call.name) is an aggregate: it cannot stand in WHERE, GROUP BY, a join or another aggregate",
                at: syntax.position, hint: "Conditions on aggregates go into HAVING.")
        }
        let function = Self.policyName(name, call)
        guard output.allowed.contains(function) else {
            let names = AggregateFunction.allCases.filter(output.allowed.contains).map { $0.rawValue.uppercased() }
            throw QueryError(
                "the policy of this dataset does not allow \(function.rawValue.uppercased())", at: syntax.position,
                hint: "It allows \(names.joined(separator: ", ")).")
        }
        var rows = Binder(scope: scope)
        return try rows.build(name, call, syntax)
    }

    private static func policyName(_ name: AggregateName, _ call: Syntax.Call) -> AggregateFunction {
        switch name {
        case .count: call.isDistinct ? .countDistinct : .count
        case .sum: .sum
        case .average, .mean: .average
        case .variance, .populationVariance: .variance
        case .standardDeviation, .populationStandardDeviation: .standardDeviation
        case .median: .median
        case .quantile: .quantile
        case .minimum: .minimum
        case .maximum: .maximum
        case .histogram: .histogram
        }
    }

    /// Binds the arguments, as row expressions.
    private mutating func build(
        _ name: AggregateName, _ call: Syntax.Call, _ syntax: Syntax
    ) throws(QueryError) -> Aggregate {
        if call.isDistinct, name != .count {
            throw QueryError("DISTINCT stands only in COUNT(DISTINCT unit)", at: syntax.position)
        }
        if call.isStar, name != .count {
            throw QueryError(
                "\(call.name) takes an expression, not *", at: syntax.position,
                hint: "Write \(call.name)(x), or COUNT(*).")
        }
        let weight = try weight(name, call, syntax)
        switch name {
        case .count: return try count(call, weight, syntax)
        case .sum, .average, .mean, .variance, .populationVariance, .standardDeviation,
            .populationStandardDeviation:
            try arity(call, 1...1, usage: "\(call.name)(x)", at: syntax.position)
            let argument = try values(call.arguments[0])
            let function: Aggregate.Function =
                switch name {
                case .sum: .sum
                case .average, .mean: .average
                case .variance, .populationVariance: .variance
                default: .standardDeviation
                }
            let isWide = function == .sum && weight == nil && mayLeaveIntegers(argument)
            return Aggregate(
                function: function, argument: isWide ? Coercion.real(argument) : argument, weight: weight)
        case .median, .quantile, .minimum, .maximum: return try quantile(name, call, syntax)
        case .histogram: return try histogram(call, syntax)
        }
    }

    private func weight(
        _ name: AggregateName, _ call: Syntax.Call, _ syntax: Syntax
    ) throws(QueryError) -> Expression? {
        guard call.isWeighted else { return nil }
        guard [.count, .sum, .average, .mean].contains(name), !call.isDistinct else {
            throw QueryError(
                "WEIGHTED stands after COUNT, SUM and AVG only", at: syntax.position,
                hint: "Weighted proportions are AVG(condition) WEIGHTED.")
        }
        guard let weight = scope.weights.first else {
            throw QueryError(
                "this dataset declares no survey weight", at: syntax.position, hint: "Leave WEIGHTED out.")
        }
        guard scope.weights.count == 1 else {
            throw QueryError(
                "both tables of the join have a survey weight", at: syntax.position,
                hint: "Multiply by the one that you mean: SUM(x * t.weight).")
        }
        let bounds = scope.bounds.bounds(weight)
        guard bounds.isFinite else {
            throw QueryError("the survey weight has no declared bounds", at: syntax.position)
        }
        return .clamp(Coercion.real(weight), lower: bounds.lower, upper: bounds.upper, .real)
    }

    private mutating func count(
        _ call: Syntax.Call, _ weight: Expression?, _ syntax: Syntax
    ) throws(QueryError) -> Aggregate {
        if call.isStar { return Aggregate(function: .count, argument: nil, weight: weight) }
        try arity(call, 1...1, usage: "COUNT(*), COUNT(x) or COUNT(DISTINCT unit)", at: syntax.position)
        let argument = try bind(call.arguments[0])
        if call.isDistinct {
            guard case .column(let index, _) = argument, scope.unitColumns.contains(index) else {
                let units = scope.unitColumns.compactMap { scope.schema(ofColumn: $0)?.name }
                throw QueryError(
                    "COUNT(DISTINCT ...) counts privacy units only", at: syntax.position,
                    hint: units.isEmpty
                        ? "Each row is a unit here: COUNT(*) counts them."
                        : "Write COUNT(DISTINCT \(units[0])), or group by the expression.")
            }
            return Aggregate(function: .countUnits, argument: nil)
        }
        // What is never null is counted by its row, so that both questions share one noisy number.
        let isNullable = scope.bounds.bounds(argument).isNullable
        return Aggregate(function: .count, argument: isNullable ? argument : nil, weight: weight)
    }

    /// A numeric argument; a condition counts as 1 and 0.
    private mutating func values(_ syntax: Syntax) throws(QueryError) -> Expression {
        let bound = try bind(syntax)
        switch bound.type {
        case .integer, .real: return bound
        case .boolean: return Coercion.indicator(bound)
        default:
            throw QueryError(
                "a number or a condition is needed here, this is \(TypeName.words(bound.type))",
                at: syntax.position,
                hint: bound.type == .text
                    ? "Count text: COUNT(x), AVG(x = 'a')." : "Use MEDIAN or QUANTILE for dates, or YEAR(x).")
        }
    }

    /// Whether a sum over all rows that the bounds allow, and its noise, may need more than 64 bits.
    private func mayLeaveIntegers(_ argument: Expression) -> Bool {
        let bounds = scope.bounds.bounds(argument)
        guard argument.type == .integer, bounds.isFinite else { return false }
        let choice = GridChoice(
            capacityRows: Planner.capacity(scope), bounds: bounds, type: argument.type)
        return choice.largest(isCentred: false) >= choice.sumLimit
    }

    private mutating func quantile(
        _ name: AggregateName, _ call: Syntax.Call, _ syntax: Syntax
    ) throws(QueryError) -> Aggregate {
        let usage = name == .quantile ? "QUANTILE(x, 0.25)" : "\(call.name)(x)"
        try arity(
            call, name == .quantile ? 2...2 : (name == .median ? 1...1 : 1...2), usage: usage, at: syntax.position)
        var argument = try bind(call.arguments[0])
        if argument.type == .boolean { argument = Coercion.indicator(argument) }
        guard argument.type != .text else {
            throw QueryError(
                "a number or a date is needed here, this is text", at: call.arguments[0].position,
                hint: "Count text: COUNT(*) with GROUP BY x, or AVG(x = 'a').")
        }
        var rank: QuantileRank =
            switch name {
            case .minimum: .minimum
            case .maximum: .maximum
            default: .median
            }
        if call.arguments.count == 2 {
            guard case .number(let digits) = call.arguments[1].kind, let stated = QuantileRank(decimal: digits) else {
                throw QueryError(
                    "a quantile is a number between 0 and 1 with at most 9 decimals",
                    at: call.arguments[1].position, hint: "Write \(call.name)(x, 0.25).")
            }
            rank = stated
        }
        return Aggregate(function: .quantile(rank), argument: argument)
    }

    private mutating func histogram(_ call: Syntax.Call, _ syntax: Syntax) throws(QueryError) -> Aggregate {
        var arguments = call.arguments
        if arguments.count == 2, case .array(let elements) = arguments[1].kind { arguments = [arguments[0]] + elements }
        guard arguments.count >= 3, arguments.count <= QuestionLimits.histogramBins + 2 else {
            throw QueryError(
                "HISTOGRAM takes an expression and 2 to \(QuestionLimits.histogramBins + 1) edges", at: syntax.position,
                hint: "Write HISTOGRAM(x, 0, 10, 20) or HISTOGRAM(x, ARRAY[0, 10, 20]).")
        }
        let argument = try values(arguments[0])
        var edges: [Double] = []
        for edge in arguments.dropFirst() {
            let value = try constant(edge, "an edge of HISTOGRAM")
            if let last = edges.last, value <= last {
                throw QueryError("the edges of HISTOGRAM do not increase", at: edge.position)
            }
            edges.append(value)
        }
        return Aggregate(function: .histogram(edges), argument: argument)
    }
}
