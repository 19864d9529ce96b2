import DifferentialPrivacy
import Tables

/// Turns noisy numbers into the answer: estimates, HAVING, ORDER BY, LIMIT and intervals. It sees nothing exact but keys
/// that are public or selected, so that all of it is free (docs/privacy.md, rule 19).
struct PostProcessing {
    let output: OutputPlan
    let columns: [PlannedColumn]
    let notes: [String]

    func answer(_ noisy: NoisyGroups) -> NoisyAnswer {
        var groups = Array(noisy.keys.indices)
        if output.having != nil || !output.orders.isEmpty {
            let rows = rows(groups, noisy)
            if let having = output.having {
                let kept = rows.values(of: [having])[0]
                groups = groups.filter { kept[$0] == .boolean(true) }
            }
            if !output.orders.isEmpty { groups = sorted(groups, rows.values(of: output.orders.map(\.expression))) }
        }
        let kept = groups.count
        groups = Array(groups.dropFirst(output.offset).prefix(output.limit ?? groups.count))
        let cells = zip(cells(groups, noisy, isCut: groups.count < kept), output.effects).map { cells, effect in
            cells.map { noisy.bounding?.flagged($0, effect) ?? $0 }
        }
        return NoisyAnswer(
            columns: columns.map { AnswerColumn(name: $0.name, type: $0.type, isKey: $0.isKey, bin: $0.bin) },
            rows: groups.indices.map { row in cells.map { $0[row] } }, notes: emptiness(groups, noisy) + notes,
            bounding: noisy.bounding?.shares)
    }

    /// Why there is no row, where there is none.
    private func emptiness(_ groups: [Int], _ noisy: NoisyGroups) -> [String] {
        guard groups.isEmpty else { return [] }
        if noisy.keys.isEmpty {
            return [output.selection?.emptyWords ?? "No group is shown: the keys can take no value under WHERE."]
        }
        return ["No group is shown: \(noisy.keys.count) came out, and HAVING, LIMIT or OFFSET left out each."]
    }

    /// The keys of groups, then their aggregates.
    private func rows(_ groups: [Int], _ noisy: NoisyGroups) -> ValueRows {
        var columns: [Int: ValueRows.Column] = [:]
        for (index, key) in output.keys.enumerated() {
            columns[index] = ValueRows.Column(key.expression.type, groups.map { noisy.keys[$0][index] })
        }
        for (index, (form, type)) in zip(output.forms, output.types).enumerated() {
            columns[output.keys.count + index] = ValueRows.Column(
                type, groups.map { estimate(form, as: type, noisy, of: $0) })
        }
        return ValueRows(count: groups.count, columns: columns)
    }

    /// Groups that compare equal stay in the order of their keys.
    private func sorted(_ groups: [Int], _ orders: [[Value]]) -> [Int] {
        groups.sorted { left, right in
            for (order, values) in zip(output.orders, orders) {
                let (a, b) = (values[left], values[right])
                if (a == .null) != (b == .null) { return (a == .null) == order.nullsFirst }
                let comparison = Value.order(a, b)
                if comparison != 0 { return (comparison < 0) != order.isDescending }
            }
            return left < right
        }
    }

    // MARK: estimates

    private func reader(_ noisy: NoisyGroups, _ group: Int) -> (Int) -> Int64 {
        { channel in noisy.counts[channel][group] }
    }

    private func estimate(_ form: EstimateForm, as type: ValueType, _ noisy: NoisyGroups, of group: Int) -> Value {
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
        case .quantile(let channel, let grid):
            return grid.map { Self.quantile($0.value(noisy.picks[channel][group].point), type) } ?? .null
        case .histogram: return .null
        }
    }

    private static func quantile(_ value: Double, _ type: ValueType) -> Value {
        switch type {
        case .real: return .real(value)
        case .date: return .date(integer(value))
        case .timestamp: return .timestamp(integer(value))
        default: return .integer(integer(value))
        }
    }

    /// The nearest integer that is a value: bounds, and so grids, may reach beyond 64 bits.
    private static func integer(_ value: Double) -> Int64 {
        Int64(exactly: value.rounded()) ?? (value > 0 ? .max : -.max)
    }

    // MARK: cells

    /// For each item, the cells of groups. `isCut`: there are groups beyond `LIMIT` or before `OFFSET`.
    private func cells(_ groups: [Int], _ noisy: NoisyGroups, isCut: Bool) -> [[AnswerCell]] {
        let expressions = output.items.compactMap { item in
            if case .scalar(let expression, _) = item { expression } else { nil }
        }
        var values = rows(groups, noisy).values(of: expressions)[...]
        let model = ErrorModel(output.channels.map(\.error))
        let selection = SelectionChannel(output)
        let marks = CellFlags(output, selection: selection, isCut: isCut)
        let units = groups.map { $0 < noisy.selectionCounts.count ? noisy.selectionCounts[$0] : 0 }
        let picks = noisy.picks.map { picks in picks.isEmpty ? [] : groups.map { picks[$0] } }
        return output.items.map { item in
            var cells: [AnswerCell]
            switch item {
            case .scalar(_, let form):
                let intervals = form.intervals(model, groups, selection: selection, noisy)
                cells = Self.cells(values.popFirst() ?? [], intervals)
            case .bin(let channel, let bin): cells = groups.map { self.bin(bin, of: channel, noisy, $0) }
            }
            for (row, flags) in marks.flags(of: item, units: units, picks: picks).enumerated() {
                cells[row].flags += flags
            }
            return cells
        }
    }

    private static func cells(_ values: [Value], _ intervals: [ConfidenceInterval]?) -> [AnswerCell] {
        guard let intervals else { return values.map { AnswerCell(value: $0) } }
        return zip(values, intervals).map { value, interval in
            // An estimate that was moved into its bounds can lie beyond an interval that was not.
            let number = value.number
            return AnswerCell(
                value: value, lower: Swift.min(interval.lower, number ?? interval.lower),
                upper: Swift.max(interval.upper, number ?? interval.upper))
        }
    }

    private func bin(_ bin: Int, of channel: Int, _ noisy: NoisyGroups, _ group: Int) -> AnswerCell {
        guard case .histogram(_, let edges) = output.channels[channel].quantity else { return AnswerCell(value: .null) }
        let count = noisy.counts[channel][group * (edges.count - 1) + bin]
        let half = Double(output.channels[channel].error.halfWidth)
        return AnswerCell(value: .integer(count), lower: Double(count) - half, upper: Double(count) + half)
    }
}
