import DifferentialPrivacy
import Tables

/// Which quantities a question's aggregates need, each once, and how the aggregates follow from them.
struct MeasurementLayout {
    private(set) var quantities: [Quantity] = []
    private let aggregates: [Aggregate]
    private let bounds: BoundsScope
    /// Each unit has at most one row in a group, so that counting rows and units is the same.
    private let rowsAreUnits: Bool

    init(_ question: BoundQuestion, _ contribution: Contribution) throws(QueryError) {
        aggregates = question.aggregates
        bounds = question.scope.bounds
        rowsAreUnits = contribution.rowsPerGroup == 1
        for (aggregate, position) in zip(aggregates, question.positions) {
            if let argument = aggregate.argument { try check(aggregate, argument, position) }
        }
        // Counts first: whether a sum is centred depends on whether its count is asked (rule 21).
        for aggregate in aggregates { countQuantities(aggregate).forEach { add($0) } }
        for aggregate in aggregates { valueQuantities(aggregate).forEach { add($0) } }
    }

    private mutating func add(_ quantity: Quantity) {
        if !quantities.contains(quantity) { quantities.append(quantity) }
    }

    private func check(_ aggregate: Aggregate, _ argument: Expression, _ position: Int) throws(QueryError) {
        switch aggregate.function {
        case .count, .countUnits, .histogram: return
        case .sum, .average, .variance, .standardDeviation, .quantile: break
        }
        let interval = bounds.bounds(argument)
        if interval.isEmpty { throw QueryError("this expression is always null", at: position) }
        guard interval.isFinite else {
            let columns = Self.unboundedColumns(argument, bounds)
            guard !interval.lower.isFinite || !interval.upper.isFinite else {
                throw QueryError(
                    "the bounds of these values, \(interval.lower) to \(interval.upper), are too wide: noise that hides one "
                        + "unit would hide everything", at: position,
                    hint:
                        "Say narrower ones, CLAMP(x, 0, 1000000), or in the manifest: at most \(QuestionLimits.bound) either way."
                )
            }
            throw QueryError(
                "the values of this aggregate have no finite bounds, so that no noise could hide one unit",
                at: position,
                hint: "Say the bounds: CLAMP(x, 0, 100)"
                    + (columns ? "; the manifest declares none for a column in it." : "."))
        }
    }

    private static func unboundedColumns(_ expression: Expression, _ bounds: BoundsScope) -> Bool {
        var found = false
        expression.visit { node in
            if case .column = node, !bounds.bounds(node).isFinite { found = true }
        }
        return found
    }

    // MARK: what is needed

    private var rows: Quantity { rowsAreUnits ? .units : .rows }

    /// The number of values of an expression: of rows where it is never null.
    private func count(of argument: Expression?) -> Quantity {
        guard let argument, bounds.bounds(argument).isNullable else { return rows }
        return .nonNull(argument)
    }

    /// The weights of the rows that have a value, as values.
    private func weights(_ weight: Expression, of argument: Expression?) -> Expression {
        guard let argument, bounds.bounds(argument).isNullable else { return weight }
        let present = ConditionalBranch(condition: .not(.isNull(argument)), value: weight)
        return .conditional([present], otherwise: .literal(.null, .real), .real)
    }

    private func constant(_ argument: Expression) -> Double? {
        let interval = bounds.bounds(argument)
        return interval.lower == interval.upper ? interval.lower : nil
    }

    private func countQuantities(_ aggregate: Aggregate) -> [Quantity] {
        guard aggregate.weight == nil else { return [] }
        switch aggregate.function {
        case .count, .average, .variance, .standardDeviation: return [count(of: aggregate.argument)]
        case .sum: return aggregate.argument.flatMap(constant) == nil ? [] : [count(of: aggregate.argument)]
        case .countUnits: return [.units]
        case .quantile, .histogram: return []
        }
    }

    private func valueQuantities(_ aggregate: Aggregate) -> [Quantity] {
        if let weight = aggregate.weight {
            switch aggregate.function {
            case .count: return [sum(weights(weight, of: aggregate.argument))]
            case .average:
                return [sum(weights(weight, of: aggregate.argument))]
                    + weightedSum(aggregate, weight).map { [$0] }
                    .flatMap(\.self)
            default: return weightedSum(aggregate, weight)
            }
        }
        guard let argument = aggregate.argument else { return [] }
        switch aggregate.function {
        case .count, .countUnits: return []
        case .sum, .average: return constant(argument) == nil ? [sum(argument)] : []
        case .variance, .standardDeviation:
            return constant(argument) == nil ? [sum(argument), .squares(argument)] : []
        case .quantile(let rank): return [.quantile(argument, rank)]
        case .histogram(let edges): return [.histogram(argument, edges)]
        }
    }

    private func sum(_ argument: Expression) -> Quantity {
        .sum(argument, isCentred: quantities.contains(count(of: argument)))
    }

    // MARK: survey weights

    /// The middle of the bounds, by which a weighted sum is centred where its weights are summed too.
    private func weightedCenter(_ aggregate: Aggregate) -> Double {
        guard let argument = aggregate.argument, let weight = aggregate.weight else { return 0 }
        let total = weights(weight, of: argument)
        let isCounted = aggregates.contains { other in
            guard let otherWeight = other.weight else { return false }
            switch other.function {
            case .count, .average: return weights(otherWeight, of: other.argument) == total
            default: return false
            }
        }
        let interval = bounds.bounds(argument)
        return isCounted ? interval.lower / 2 + interval.upper / 2 : 0
    }

    /// `weight * (x - center)`.
    private func weightedValues(_ aggregate: Aggregate) -> Expression? {
        guard let argument = aggregate.argument, let weight = aggregate.weight else { return nil }
        let center = weightedCenter(aggregate)
        let real = Coercion.real(argument)
        let deviation =
            center == 0 ? real : .arithmetic(.subtract, real, .literal(.real(center), .real), .real)
        return .arithmetic(.multiply, weight, deviation, .real)
    }

    private func weightedSum(_ aggregate: Aggregate, _ weight: Expression) -> [Quantity] {
        weightedValues(aggregate).map { [.sum($0, isCentred: false)] } ?? []
    }

    // MARK: what follows

    /// How each aggregate is estimated from the channels, which stand in the order of `quantities`.
    func forms(_ channels: [Channel]) -> [EstimateForm] {
        aggregates.map { form($0, channels) }
    }

    private func index(_ quantity: Quantity) -> Int { quantities.firstIndex(of: quantity) ?? 0 }

    /// The channel whose integers an unweighted count is; nil of any other aggregate.
    func countingChannel(_ aggregate: Aggregate) -> Int? {
        guard aggregate.isCount else { return nil }
        return index(aggregate.function == .countUnits ? .units : count(of: aggregate.argument))
    }

    private func counting(_ quantity: Quantity) -> LinearForm {
        LinearForm(number: index(quantity))
    }

    /// The sum around the grid's centre, and the sum itself.
    private func sums(_ argument: Expression, _ channels: [Channel]) -> (around: LinearForm, total: LinearForm) {
        if let value = constant(argument) {
            return (LinearForm(), counting(count(of: argument)).scaled(value))
        }
        let quantity = sum(argument)
        let channel = channels[index(quantity)]
        let around = LinearForm(number: index(quantity), coefficient: channel.unit)
        guard case .sum(_, isCentred: true) = quantity, let center = channel.grid?.center, center != 0 else {
            return (around, around)
        }
        return (around, counting(count(of: argument)).scaled(center) + around)
    }

    private func form(_ aggregate: Aggregate, _ channels: [Channel]) -> EstimateForm {
        if let weight = aggregate.weight { return weighted(aggregate, weight, channels) }
        guard let argument = aggregate.argument else {
            return .linear(counting(aggregate.function == .countUnits ? .units : rows))
        }
        let interval = bounds.bounds(argument)
        switch aggregate.function {
        case .count: return .linear(counting(count(of: argument)))
        case .countUnits: return .linear(counting(.units))
        case .sum: return .linear(sums(argument, channels).total)
        case .average:
            return .mean(
                sum: sums(argument, channels).total, count: counting(count(of: argument)), lower: interval.lower,
                upper: interval.upper)
        case .variance, .standardDeviation:
            let half = interval.upper / 2 - interval.lower / 2
            return .spread(
                sum: sums(argument, channels).around, squares: squares(argument, channels),
                count: counting(count(of: argument)), largest: half * half,
                isRoot: aggregate.function == .standardDeviation)
        case .quantile(let rank):
            let channel = index(.quantile(argument, rank))
            return .quantile(channel: channel, channels[channel].quantile)
        case .histogram(let edges): return .histogram(channel: index(.histogram(argument, edges)))
        }
    }

    private func squares(_ argument: Expression, _ channels: [Channel]) -> LinearForm {
        guard constant(argument) == nil else { return LinearForm() }
        let channel = index(.squares(argument))
        return LinearForm(number: channel, coefficient: channels[channel].unit)
    }

    private func weighted(_ aggregate: Aggregate, _ weight: Expression, _ channels: [Channel]) -> EstimateForm {
        let weights = weights(weight, of: aggregate.argument)
        guard let argument = aggregate.argument, let values = weightedValues(aggregate),
            aggregate.function != .count
        else { return .linear(sums(weights, channels).total) }
        let channel = index(.sum(values, isCentred: false))
        let around = LinearForm(number: channel, coefficient: channels[channel].unit)
        let center = weightedCenter(aggregate)
        let total = center == 0 ? around : around + sums(weights, channels).total.scaled(center)
        guard aggregate.function == .average else { return .linear(total) }
        let interval = bounds.bounds(argument)
        return .mean(
            sum: total, count: sums(weights, channels).total, lower: interval.lower, upper: interval.upper)
    }
}
