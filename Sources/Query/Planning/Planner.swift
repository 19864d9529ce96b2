import DifferentialPrivacy
import Tables

/// Turns a question into a plan.
public enum Planner {
    /// Plans the question, from public knowledge alone.
    ///
    /// - Throws: `QueryError` with the position in the text, for whatever is wrong or not supported, and where the
    ///   budget is not one that this policy knows.
    public static func plan(_ question: Question, in context: PlanningContext) throws(QueryError) -> Plan {
        try plan(question, in: context, among: nil)
    }

    /// - Parameter sharing: Where several sites answer together; what comes of it is no plan by itself then.
    static func plan(
        _ question: Question, in context: PlanningContext, among sharing: NoiseSharing?
    ) throws(QueryError) -> Plan {
        let bound = try BoundQuestion.bind(question.sql, context)
        let conditions = KeyConditions(scope: bound.scope, filter: bound.filter)
        try checkPossible(bound, conditions)
        let keys = try Keys(bound, context.regime, conditions)
        var contribution = try Contribution(
            bound.scope.datasets, copies: bound.scope.copies, question, isGrouped: !bound.keys.isEmpty)
        if let groups = keys.groups { contribution.limit(groups: groups) }
        if let call = bound.statistic, call.description == nil {
            guard sharing == nil else {
                throw QueryError(
                    "\(call.name.rawValue) is asked of one site at a time", at: call.position,
                    hint: "Ask each, or several together for the counts by group.")
            }
            return try plan(
                call, question, of: bound, keys: keys, conditions: conditions, contribution: contribution, in: context)
        }
        let layout = try MeasurementLayout(bound, contribution)
        guard !layout.quantities.isEmpty || keys.areSelected else {
            throw QueryError(
                "the question asks for no aggregate: its groups are public", at: 0,
                hint: "Add COUNT(*), SUM(x), AVG(x) and the like.")
        }
        try checkCells(keys, layout: layout, bound.scope, sharing)
        let settlement = Settlement(
            regime: context.regime, question: question, least: bound.scope.datasets.map(\.leastAmount).max() ?? 0,
            isShared: sharing != nil)
        let top = try topRequest(bound, keys, layout: layout, contribution: contribution)
        var measured = contribution
        // Of the chosen groups alone: a unit is in no more of them than there are.
        if let top { measured.limit(groups: top.count) }
        var allocation = Allocation(
            quantities: layout.quantities, contribution: measured, bounds: bound.scope.bounds,
            capacityRows: sharing?.capacityRows ?? capacity(bound.scope), kind: context.regime.planned,
            resolution: { resolution($0, bound.scope) }, clips: { ClippedEnds($0, bound.scope) },
            selectsKeys: keys.areSelected,
            selectionDelta: { (amount) throws(QueryError) in try settlement.selectionDelta(amount) },
            aimsAtError: settlement.aimsAtError,
            bounding: BoundingMeasurement(
                question, bound.scope.datasets, contribution, groups: keys.groups, kind: context.regime.planned,
                sharing: sharing),
            top: top)
        (allocation.sharing, allocation.groups) = (sharing, keys.groups ?? 0)
        let confidence = try confidence(question, bound, groups: top?.count ?? keys.groups)
        var result = try settlement.settle(allocation) {
            meets($0.at(confidence), layout: layout, question: bound, relative: $1, groupSize: $2)
        }
        result = result.at(confidence)
        result.charge = try settlement.charge(result)
        return assemble(
            question, bound: bound, keys: keys, contribution: contribution, layout: layout,
            allocation: allocation, result: result)
    }

    /// What a scan may hold is bounded by public numbers: memory that ran out on some tables and not on others would
    /// tell them apart. Of keys that are selected, each row of the capacity may bring one.
    private static func checkCells(
        _ keys: Keys, layout: MeasurementLayout, _ scope: Scope, _ sharing: NoiseSharing?
    ) throws(QueryError) {
        let cells = layout.quantities.reduce(0) { total, quantity in
            switch quantity {
            case .histogram(_, let edges): total + edges.count - 1
            case .quantile where sharing != nil: total + NoiseSharing.quantilePoints
            default: total + 1
            }
        }
        let groups = keys.groups ?? capacity(scope)
        guard
            Double(groups) * Double(cells)
                <= Double(keys.areSelected ? QuestionLimits.selectedCells : QuestionLimits.cells)
        else {
            throw QueryError(
                "\(keys.areSelected ? "up to " : "")\(groups) groups of \(cells) numbers each are too many for one answer",
                hint: "Group by fewer values, or ask for fewer aggregates and bins at once.")
        }
    }

    /// The declared resolution of a column, also where it is clamped.
    private static func resolution(_ expression: Expression, _ scope: Scope) -> Double? {
        switch expression {
        case .column(let index, _): scope.schema(ofColumn: index)?.resolution
        case .clamp(let operand, _, _, _): resolution(operand, scope)
        default: nil
        }
    }

    /// The largest number of rows of the source, each as often as its keys may have rows in public tables.
    static func capacity(_ scope: Scope) -> Int {
        Int(Swift.min(Double(capacity(scope.datasets)) * Double(scope.copies), 0x1p50))
    }

    /// Of a join, each row of one side with every row of its unit.
    static func capacity(_ datasets: [DatasetDescription]) -> Int {
        guard let first = datasets.first else { return 0 }
        guard datasets.count > 1 else { return Swift.max(1, first.capacityRows) }
        let second = datasets[1]
        let left = Double(first.capacityRows) * Double(Contribution.rows(second))
        let right = Double(second.capacityRows) * Double(Contribution.rows(first))
        return Int(Swift.max(1, Swift.min(left, right, 0x1p50)))
    }

    // MARK: the error that was asked for

    /// Whether every aggregate is within `relative` of a group of `groupSize`.
    private static func meets(
        _ result: Allocation.Result, layout: MeasurementLayout, question: BoundQuestion, relative: Double,
        groupSize: Double
    ) -> Bool {
        let model = ErrorModel(result.channels.map(\.error))
        let forms = layout.forms(result.channels)
        return zip(question.aggregates, forms).allSatisfy { aggregate, form in
            let scale = halfWidth(aggregate, question.scope.bounds)
            let target = relative * groupSize
            switch form {
            case .linear(let linear): return model.halfWidth(linear) <= target * scale
            case .mean(let sum, let count, let lower, let upper):
                // Whatever the mean is, in a group whose weights are in the middle of their bounds.
                let weight = aggregate.weight.map { question.scope.bounds.bounds($0) }
                let share = weight.map { ($0.lower / 2 + $0.upper / 2) / $0.upper } ?? 1
                return [lower, upper].allSatisfy {
                    model.halfWidth(sum - count.scaled($0)) <= target * scale * share
                }
            case .spread(let sum, let squares, _, let largest, _):
                return model.halfWidth(sum) <= target * largest.squareRoot()
                    && model.halfWidth(squares) <= target * largest
            case .quantile(_, let grid): return Double(grid?.offset ?? 0) <= target
            case .histogram(let channel): return Double(result.channels[channel].error.halfWidth) <= target
            }
        }
    }

    /// What errors of an aggregate are relative to, beside the group's size: 1 for counts, the half-width of the bounds
    /// for sums, times the largest weight.
    private static func halfWidth(_ aggregate: Aggregate, _ scope: BoundsScope) -> Double {
        let weight = aggregate.weight.map { scope.bounds($0).upper } ?? 1
        guard let argument = aggregate.argument, aggregate.function != .count else { return weight }
        let bounds = scope.bounds(argument)
        let half = bounds.upper / 2 - bounds.lower / 2
        return weight * (half > 0 ? half : abs(bounds.upper))
    }

    // MARK: the plan

    private static func assemble(
        _ question: Question, bound: BoundQuestion, keys: Keys, contribution: Contribution,
        layout: MeasurementLayout, allocation: Allocation, result: Allocation.Result
    ) -> Plan {
        let bounding = allocation.bounding
        let forms = layout.forms(result.channels)
        let description = PlanDescription(
            question: question, bound: bound, contribution: contribution, allocation: result, forms: forms,
            typical: TypicalGroup(
                question, bound, result, groups: keys.groups,
                capacity: allocation.sharing?.capacityRows ?? capacity(bound.scope.datasets)),
            sharing: allocation.sharing)
        var specification = AggregationSpecification(
            filter: bound.filter, keys: keys.specifications,
            measures: result.channels.filter { $0.slot != nil }.compactMap(\.measure),
            bounds: ContributionBounds(
                groupsPerUnit: contribution.groups, rowsPerGroup: contribution.rowsPerGroup))
        specification.bounding = bounding.specification
        var items: [OutputPlan.Item] = []
        for column in bound.columns {
            switch column.item {
            case .scalar(let expression):
                items.append(.scalar(expression, CellForm(expression, keys: bound.keys.count, forms)))
            case .histogram(let aggregate, let edges):
                guard case .histogram(let channel) = forms[aggregate] else { continue }
                items += (0..<(edges.count - 1)).map { .bin(channel: channel, $0) }
            }
        }
        let output = OutputPlan(
            keys: keys.specifications, selection: result.selection, top: result.top, channels: result.channels,
            forms: forms,
            types: bound.aggregates.map(\.type), items: items, having: bound.having, orders: bound.orders,
            limit: bound.limit, offset: bound.offset, bounding: result.bounding,
            effects: BoundingEffect.of(bound, forms, groupsAreCut: bounding.cutsGroups))
        return Plan(
            question: bound, sql: question.sql, specification: specification,
            bound: PlanBound(specification, output, bound), allocation: result,
            columns: description.columns, groups: result.top?.request.count ?? keys.groups,
            notes: description.notes(keys), output: output)
    }
}

/// The grouping keys: public domains, or values to be selected privately.
struct Keys {
    var specifications: [KeySpecification] = []
    /// The number of groups, where all keys are public.
    var groups: Int? = 1
    /// Names of the keys that are selected.
    var selected: [String] = []

    var areSelected: Bool { groups == nil }

    init(_ question: BoundQuestion, _ regime: LossRegime, _ conditions: KeyConditions) throws(QueryError) {
        let domain = KeyDomain(scope: question.scope, conditions: conditions)
        var values: [[Value]?] = []
        for key in question.keys {
            values.append(domain.values(of: key))
            Self.limit(&values)
        }
        for (index, key) in question.keys.enumerated() {
            if let known = values[index] {
                specifications.append(KeySpecification(expression: key, coding: .domain(known)))
                guard !known.isEmpty else {
                    throw QueryError(
                        "no row can be in a group: under WHERE, \(question.keyNames[index]) can take no value that is declared",
                        at: question.keyPositions[index], hint: Planner.impossibleHint)
                }
                groups = groups.map { $0 * known.count }
                continue
            }
            guard regime.kind != .pure, regime.selectionDelta > 0 else {
                throw QueryError(
                    "the values of \(question.keyNames[index]) are not public, and selecting them privately needs a "
                        + "delta, which this policy's pure differential privacy does not have",
                    at: question.keyPositions[index],
                    hint: "Group by a column with a public domain, BIN(x, width) of a bounded number, or CASE ... END.")
            }
            specifications.append(KeySpecification(expression: key, coding: .discovered))
            selected.append(question.keyNames[index])
            groups = nil
        }
    }

    /// Too many combinations to output whole: the largest domains are selected from instead.
    private static func limit(_ values: inout [[Value]?]) {
        while true {
            let product = values.compactMap { $0?.count }.reduce(1.0) { $0 * Double($1) }
            guard product > Double(QuestionLimits.groups) else { return }
            let largest = values.indices.max { (values[$0]?.count ?? 0) < (values[$1]?.count ?? 0) }
            guard let largest else { return }
            values[largest] = nil
        }
    }
}
