import DifferentialPrivacy
import Statistics
import Tables

extension Planner {
    /// Plans a statistic: the scan of the question that its groups are of, and noise on the whole vector that its task makes of that.
    static func plan(
        _ call: StatisticCall, _ question: Question, of bound: BoundQuestion, keys: Keys,
        conditions: KeyConditions, contribution: Contribution, in context: PlanningContext
    ) throws(QueryError) -> Plan {
        guard !question.isSimultaneous else {
            throw QueryError(
                "intervals of \(call.name.rawValue) hold each by itself", at: call.position,
                hint: "Leave out simultaneous.")
        }
        guard !keys.areSelected else {
            throw QueryError(
                "the values of \(keys.selected.joined(separator: ", ")) are not public, and \(call.name.rawValue) needs groups that are",
                at: call.position,
                hint: "Take a column with a public domain, BIN(x, width) of a bounded number, or CASE ... END.")
        }
        // Looks at the values' bounds.
        _ = try MeasurementLayout(bound, contribution)
        let settlement = Settlement(
            regime: context.regime, question: question, least: bound.scope.datasets.map(\.leastAmount).max() ?? 0)
        let amount = try settlement.amount()
        let loss = PrivacyLoss(kind: context.regime.planned, amount: amount)
        let (statistic, measures) =
            call.name.isRegression
            ? try regressing(call, of: bound, contribution: contribution, conditions, loss: loss)
            : try planned(call, of: bound, keys, contribution: contribution, loss: loss)
        guard statistic.length * (1 + measures.count) <= QuestionLimits.cells else {
            throw QueryError(
                "\(statistic.length) numbers are too many for one answer", at: call.position,
                hint: "Group by fewer values, or take wider bins.")
        }
        var result = Allocation.Result(channels: [], charge: loss)
        do {
            let event = try statistic.event()
            result.selectionEvent = event
            result.charge = settlement.raised(try event.loss(kind: context.regime.planned), planned: amount)
        } catch { throw Channel.tooMuchNoise }
        result.charge = try settlement.charge(result)
        let specification = AggregationSpecification(
            filter: bound.filter, keys: keys.specifications, measures: measures,
            bounds: ContributionBounds(groupsPerUnit: contribution.groups, rowsPerGroup: contribution.rowsPerGroup))
        let output = OutputPlan(keys: keys.specifications)
        return Plan(
            question: bound, sql: question.sql, specification: specification,
            bound: PlanBound(specification, output, bound).adding(statistic.work, memory: statistic.memory),
            allocation: result, columns: statistic.columns, groups: statistic.groups,
            notes: statistic.notes + contribution.notes(isGrouped: !bound.keys.isEmpty), output: output,
            statistic: statistic)
    }

    private static func regressing(
        _ call: StatisticCall, of bound: BoundQuestion, contribution: Contribution, _ conditions: KeyConditions,
        loss: PrivacyLoss
    ) throws(QueryError) -> (StatisticPlan, [Measure]) {
        let (plan, measures) = try regression(
            call, of: bound, contribution: contribution, conditions, loss: loss)
        return (
            StatisticPlan(
                kind: .regression(plan), keys: [], factors: [], l1: 0, l2Squared: 0, loss: loss), measures
        )
    }

    private static func planned(
        _ call: StatisticCall, of bound: BoundQuestion, _ keys: Keys, contribution: Contribution, loss: PrivacyLoss
    ) throws(QueryError) -> (StatisticPlan, [Measure]) {
        let domains = keys.specifications.compactMap { key -> [Value]? in
            guard case .domain(let values) = key.coding else { return nil }
            return values.filter { $0 != .null }
        }
        // A key that stands twice is one key of the question.
        guard domains.count == call.groups + ([.survival, .hazardRatios].contains(call.name) ? 2 : 0),
            domains.allSatisfy({ !$0.isEmpty })
        else {
            throw QueryError(
                "the keys of \(call.name.rawValue) are not each another one", at: call.position,
                hint: "Write \(call.name.usage).")
        }
        let named = domains.prefix(call.groups).enumerated().map { place, values in
            StatisticPlan.Key(
                name: call.name == .hazardRatios ? call.arguments[place].name : bound.keyNames[place],
                type: bound.keys[place].type, values: values)
        }
        let groups = named.reduce(1) { $0 * $1.values.count }
        let (kind, factors, measures, row) = try task(call, bound, domains, groups: groups)
        let (l1, overflow1) = UInt128(contribution.l1()).multipliedReportingOverflow(by: row.l1)
        let (l2Squared, overflow2) = UInt128(contribution.l2Squared()).multipliedReportingOverflow(by: row.l2Squared)
        guard !overflow1, !overflow2 else { throw Channel.tooMuchNoise }
        return (
            StatisticPlan(kind: kind, keys: named, factors: factors, l1: l1, l2Squared: l2Squared, loss: loss), measures
        )
    }

    private typealias Made = (
        kind: StatisticPlan.Kind, factors: [Int64], measures: [Measure], row: (l1: UInt128, l2Squared: UInt128)
    )

    private static func task(
        _ call: StatisticCall, _ bound: BoundQuestion, _ domains: [[Value]], groups: Int
    ) throws(QueryError) -> Made {
        switch call.name {
        case .survival:
            let (task, hasEnd) = try survival(call, bound, times: domains[domains.count - 1], groups: groups)
            return (.survival(task, width: call.width, hasEnd: hasEnd), [1], [Measure(.rows)], (1, 1))
        case .chiSquare:
            let task = try reporting(call) { () throws(MechanismError) in
                try TableTask(rows: domains[0].count, columns: domains[1].count)
            }
            return (.table(task), [1], [Measure(.rows)], (1, 1))
        case .tTest, .anova: return try means(call, bound, groups: groups)
        case .hazardRatios:
            let (task, _) = try survival(call, bound, times: domains[domains.count - 1], groups: 1)
            var covariates: [HazardCovariate] = []
            for (place, argument) in call.arguments.enumerated() {
                if argument.bins == nil, domains[place].count < 2 {
                    throw QueryError("a covariate that is always the same tells nothing", at: argument.position)
                }
                covariates.append(
                    try reporting(call) { () throws(MechanismError) in
                        guard let bins = argument.bins else { return .levels(domains[place].count) }
                        return .number(try EqualBins(lower: bins.lower, upper: bins.upper, count: bins.count))
                    })
            }
            let hazards = try reporting(call) { () throws(MechanismError) in
                try HazardTask(covariates: covariates, edges: task.edges, censoring: task.censoring)
            }
            return (.hazards(hazards, width: call.width), [1], [Measure(.rows)], (1, 1))
        case .linearRegression, .logisticRegression, .poissonRegression, .describe: throw Channel.tooMuchNoise
        }
    }

    private static func means(
        _ call: StatisticCall, _ bound: BoundQuestion, groups: Int
    ) throws(QueryError) -> Made {
        guard groups > 1, call.name == .anova || (groups == 2 && bound.keys.count == 1) else {
            throw QueryError(
                call.name == .anova
                    ? "ANOVA compares groups, and under WHERE there is one"
                    : "T_TEST compares two groups, and there are \(groups)", at: call.position,
                hint: groups > 1
                    ? "ANOVA compares more; or leave two with WHERE." : "Group by a column with more values.")
        }
        guard let argument = bound.aggregates.compactMap(\.argument).first else { throw Channel.tooMuchNoise }
        let bounds = bound.scope.bounds.bounds(argument)
        let task = try reporting(call) { () throws(MechanismError) in
            try MeansTask(grid: ValueGrid(lower: bounds.lower, upper: bounds.upper), groups: groups)
        }
        let step = task.grid.step
        // Its ends are points of the grid, so that no value lies further from the middle than the task says.
        let grid = FixedPointGrid(
            lower: Double(task.grid.lowest) * step, upper: Double(task.grid.highest) * step,
            center: Double(task.grid.centre) * step, step: step)
        guard grid.largest <= task.radius else { throw Channel.tooMuchNoise }
        let factors = task.factors
        return (
            call.name == .tTest ? .tTest(task) : .anova(task), [factors.count, factors.sum, factors.squares],
            [Measure(.nonNull(argument)), Measure(.sum(argument, grid)), Measure(.sumOfSquares(argument, grid))],
            (task.l1Sensitivity, task.l2SensitivitySquared)
        )
    }

    private static func survival(
        _ call: StatisticCall, _ bound: BoundQuestion, times: [Value], groups: Int
    ) throws(QueryError) -> (SurvivalTask, hasEnd: Bool) {
        guard bound.keys[call.groups].type == .boolean else {
            throw QueryError(
                "the event of SURVIVAL is a condition, this is \(TypeName.words(bound.keys[call.groups].type))",
                at: bound.keyPositions[call.groups], hint: "Compare it: SURVIVAL(days, died = 1, 30).")
        }
        let starts = times.compactMap(\.number)
        guard starts.count == times.count, let first = starts.first, let last = starts.last, first >= 0 else {
            throw QueryError(
                "times are counted from 0, and these may lie below it", at: bound.keyPositions[call.groups + 1],
                hint: "Say the bounds: SURVIVAL(CLAMP(days, 0, 365), died, 30).")
        }
        let bins = call.horizon.map { $0 / call.width } ?? (last / call.width).rounded() + 1
        guard bins <= Double(SurvivalTask.binLimit) else {
            throw QueryError(
                "there would be \(Channel.digits(bins)) bins of time, and at most \(SurvivalTask.binLimit) are counted",
                at: call.position, hint: "Take wider bins, or end earlier: SURVIVAL(time, event, width, end).")
        }
        // Whole numbers in bins of one are times as they were told.
        let isWhole = bound.keys[call.groups + 1].type == .integer && call.width == 1
        let task = try reporting(call) { () throws(MechanismError) in
            try SurvivalTask(
                edges: (0...Int(bins)).map { Double($0) * call.width }, groups: groups,
                censoring: isWhole ? .end : .middle)
        }
        return (task, call.horizon != nil)
    }

    static func reporting<Task>(
        _ call: StatisticCall, _ body: () throws(MechanismError) -> Task
    ) throws(QueryError) -> Task {
        do { return try body() } catch {
            throw QueryError(
                "\(call.name.rawValue) cannot be computed of this: \(error)", at: call.position,
                hint: "Take fewer groups, wider bins, or other bounds.")
        }
    }
}
