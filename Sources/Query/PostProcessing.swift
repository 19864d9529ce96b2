import Tables

/// Turns noisy numbers into the answer: estimates, HAVING, ORDER BY, LIMIT and intervals. It sees nothing exact but keys
/// that are public or selected, so that all of it is free (PRIVACY.md, rule 19).
struct PostProcessing {
    let output: OutputPlan
    let columns: [PlannedColumn]
    let notes: [String]

    private struct Group {
        var index: Int
        var row: [Value]
        var order: [Value] = []
    }

    func answer(_ noisy: NoisyGroups) -> NoisyAnswer {
        var groups: [Group] = []
        for (index, keys) in noisy.keys.enumerated() {
            let row = keys + zip(output.forms, output.types).map { estimate($0, $1, noisy, index) }
            let evaluator = ScalarEvaluator(row: row)
            if let having = output.having, evaluator.evaluate(having) != .boolean(true) { continue }
            let order = output.orders.map { evaluator.evaluate($0.expression) }
            groups.append(Group(index: index, row: row, order: order))
        }
        if !output.orders.isEmpty { groups = sorted(groups) }
        let limited = groups.dropFirst(output.offset).prefix(output.limit ?? groups.count)
        let model = ErrorModel(channels: output.channels)
        return NoisyAnswer(
            columns: columns.map { AnswerColumn(name: $0.name, type: $0.type, isKey: $0.isKey) },
            rows: limited.map { group in output.items.map { cell($0, group, noisy, model) } }, notes: notes)
    }

    /// Groups that compare equal stay in the order of their keys.
    private func sorted(_ groups: [Group]) -> [Group] {
        groups.enumerated().sorted { left, right in
            for (position, order) in output.orders.enumerated() {
                let (a, b) = (left.element.order[position], right.element.order[position])
                if (a == .null) != (b == .null) { return (a == .null) == order.nullsFirst }
                let comparison = ScalarEvaluator.order(a, b)
                if comparison != 0 { return (comparison < 0) != order.isDescending }
            }
            return left.offset < right.offset
        }.map(\.element)
    }

    // MARK: estimates

    private func reader(_ noisy: NoisyGroups, _ group: Int) -> (LinearForm.Term) -> Int64 {
        { term in noisy.counts[term.channel][group] }
    }

    private func estimate(_ form: EstimateForm, _ type: ValueType, _ noisy: NoisyGroups, _ group: Int) -> Value {
        let read = reader(noisy, group)
        switch form {
        case .linear(let linear):
            let value = linear.value(read)
            guard type == .integer else { return .real(value) }
            if let exact = linear.integer(read) { return .integer(exact) }
            return .integer(Int64(Swift.min(Swift.max(value.rounded(), -0x1p62), 0x1p62)))
        case .mean(let sum, let count, let lower, let upper):
            let total = count.value(read)
            guard total > 0 else { return .null }
            return .real(Swift.min(Swift.max(sum.value(read) / total, lower), upper))
        case .spread(let sum, let squares, let count, let largest, let isRoot):
            let total = count.value(read)
            guard total > 0 else { return .null }
            let mean = sum.value(read) / total
            let variance = Swift.min(Swift.max(squares.value(read) / total - mean * mean, 0), largest)
            return .real(isRoot ? variance.squareRoot() : variance)
        case .quantile(let channel): return quantile(channel, type, noisy.picks[channel][group])
        case .histogram: return .null
        }
    }

    private func quantile(_ channel: Int, _ type: ValueType, _ pick: Int) -> Value {
        guard let grid = output.channels[channel].quantile else { return .null }
        let value = grid.lower + grid.step * Double(pick)
        switch type {
        case .real: return .real(value)
        case .date: return .date(Self.integer(value))
        case .timestamp: return .timestamp(Self.integer(value))
        default: return .integer(Self.integer(value))
        }
    }

    /// The nearest integer that is a value: bounds, and so grids, may reach beyond 64 bits.
    private static func integer(_ value: Double) -> Int64 {
        Int64(exactly: value.rounded()) ?? (value > 0 ? .max : -.max)
    }

    // MARK: cells

    private func cell(_ item: OutputPlan.Item, _ group: Group, _ noisy: NoisyGroups, _ model: ErrorModel) -> AnswerCell
    {
        switch item {
        case .scalar(let expression, let form):
            let value = ScalarEvaluator(row: group.row).evaluate(expression)
            guard let interval = form.interval(model, reader(noisy, group.index)) else {
                return AnswerCell(value: value)
            }
            // An estimate that was moved into its bounds can lie beyond an interval that was not.
            let number = value.number
            return AnswerCell(
                value: value, lower: Swift.min(interval.lower, number ?? interval.lower),
                upper: Swift.max(interval.upper, number ?? interval.upper))
        case .bin(let channel, let bin):
            guard case .histogram(_, let edges) = output.channels[channel].quantity else {
                return AnswerCell(value: .null)
            }
            let count = noisy.counts[channel][group.index * (edges.count - 1) + bin]
            let half = Double(output.channels[channel].halfWidth95)
            return AnswerCell(value: .integer(count), lower: Double(count) - half, upper: Double(count) + half)
        }
    }
}
