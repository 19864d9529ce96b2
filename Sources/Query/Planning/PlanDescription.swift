import DatasiteProtocol
import DifferentialPrivacy
import Tables

/// A plan in words and numbers, for the researcher who decides whether to spend.
struct PlanDescription {
    let question: Question
    let bound: BoundQuestion
    let contribution: Contribution
    let allocation: Allocation.Result
    let forms: [EstimateForm]

    private var model: ErrorModel { ErrorModel(allocation.channels.map(\.error)) }

    private var groupSize: Double? {
        if case .error(_, let groupSize) = question.budget { return groupSize }
        return nil
    }

    // MARK: columns

    var columns: [PlannedColumn] {
        bound.columns.flatMap { column -> [PlannedColumn] in
            switch column.item {
            case .scalar(let expression): return [scalar(column.name, expression)]
            case .histogram(let aggregate, let edges):
                guard case .histogram(let channel) = forms[aggregate] else { return [] }
                return histogram(column.name, allocation.channels[channel], edges)
            }
        }
    }

    private func histogram(_ name: String, _ channel: Channel, _ edges: [Double]) -> [PlannedColumn] {
        (0..<(edges.count - 1)).map { bin in
            let close = bin == edges.count - 2 ? "]" : ")"
            return PlannedColumn(
                name: "\(name) [\(Channel.digits(edges[bin])), \(Channel.digits(edges[bin + 1]))\(close)",
                type: .integer, isKey: false, mechanism: channel.words,
                standardDeviation: channel.error.variance.squareRoot(), expectedError: Double(channel.error.halfWidth))
        }
    }

    private func scalar(_ name: String, _ expression: Expression) -> PlannedColumn {
        var aggregates: [Int] = []
        expression.visit { node in
            if case .column(let index, _) = node, index >= bound.keys.count {
                let aggregate = index - bound.keys.count
                if !aggregates.contains(aggregate) { aggregates.append(aggregate) }
            }
        }
        guard !aggregates.isEmpty else { return PlannedColumn(name: name, type: expression.type, isKey: true) }
        var channels: [Int] = []
        for channel in aggregates.flatMap({ Self.channels(forms[$0]) }) where !channels.contains(channel) {
            channels.append(channel)
        }
        var column = PlannedColumn(name: name, type: expression.type, isKey: false)
        column.mechanism = channels.map { allocation.channels[$0].words }.joined(separator: "; ")
        if channels.isEmpty { column.mechanism = "a constant" }
        (column.standardDeviation, column.expectedError) = errors(expression)
        return column
    }

    private func errors(_ expression: Expression) -> (Double?, Double?) {
        switch CellForm(expression, keys: bound.keys.count, forms) {
        case .linear(let form): return (model.standardDeviation(form), model.halfWidth(form))
        case .ratio(let numerator, let denominator, let lower, let upper):
            // The worst case over the means that the bounds allow, in a group of the size that was named.
            guard let groupSize, lower.isFinite, upper.isFinite else { return (nil, nil) }
            let worst = [lower, upper].map { numerator - denominator.scaled($0) }
            return (
                worst.map { model.standardDeviation($0) / groupSize }.max(),
                worst.map { model.halfWidth($0) / groupSize }.max()
            )
        default: return (nil, nil)
        }
    }

    private static func channels(_ form: EstimateForm) -> [Int] {
        switch form {
        case .linear(let linear): linear.terms.map(\.number)
        case .mean(let sum, let count, _, _): (sum.terms + count.terms).map(\.number)
        case .spread(let sum, let squares, let count, _, _):
            (sum.terms + squares.terms + count.terms).map(\.number)
        case .quantile(let channel), .histogram(let channel): [channel]
        }
    }

    // MARK: notes

    func notes(_ keys: Keys) -> [String] {
        var notes = [
            "Intervals are 95 % and hold privacy noise only: no sampling error, no bias from bounding, no selection by "
                + "HAVING."
        ]
        notes += boundingNotes + BoundingChannel.notes(allocation.bounding)
        if let threshold = allocation.selection {
            notes.append(
                "The values of \(keys.selected.joined(separator: ", ")) are selected privately: a group is left out "
                    + "unless its noisy number of units reaches \(threshold.threshold).")
        }
        notes += meanNotes
        notes += aggregateNotes
        return notes
    }

    private var boundingNotes: [String] {
        let (groups, rows, total) = (contribution.groups, contribution.rowsPerGroup, contribution.rowsPerUnit)
        guard total > 1, groups < total || rows < total else { return [] }
        if bound.keys.isEmpty {
            return rows < total ? ["Of each unit, at most \(rows) of up to \(total) rows count."] : []
        }
        return [
            "Of each unit, at most \(groups) group\(groups == 1 ? "" : "s") count, and \(rows) "
                + "row\(rows == 1 ? "" : "s") in each; groups in which a unit has more rows are favoured."
        ]
    }

    /// The interval of a mean depends on the group's size, which is not known beforehand.
    private var meanNotes: [String] {
        bound.columns.compactMap { column in
            guard groupSize == nil, case .scalar(let expression) = column.item,
                case .ratio(let numerator, let denominator, let lower, let upper) = CellForm(
                    expression, keys: bound.keys.count, forms), lower.isFinite, upper.isFinite
            else { return nil }
            let worst = [lower, upper].map { model.halfWidth(numerator - denominator.scaled($0)) }.max() ?? 0
            return "The 95 % interval of \(column.name) is at most about \(Channel.digits(worst)) / n either way in a "
                + "group of n values, once n is well above its own noise."
        }
    }

    private var aggregateNotes: [String] {
        var notes: [String] = []
        func note(_ text: String, where applies: (Aggregate) -> Bool) {
            if bound.aggregates.contains(where: applies) { notes.append(text) }
        }
        note("Noisy counts and sums are reported as they are: small ones can be negative.") {
            switch $0.function {
            case .count, .countUnits, .sum, .histogram: true
            default: false
            }
        }
        note("A mean is null where its noisy count is not positive, and its interval unbounded where zero is likely.") {
            $0.function == .average
        }
        note("Variances divide by the number of values.") {
            $0.function == .variance || $0.function == .standardDeviation
        }
        note("Quantiles use one row of each unit and group, and have no interval in values.") {
            if case .quantile = $0.function { true } else { false }
        }
        note("MIN and MAX are the 0.005 and 0.995 quantiles unless another rank is stated.") {
            $0.function == .quantile(.minimum) || $0.function == .quantile(.maximum)
        }
        note(
            "Weights are clipped to their declared bounds and taken as fixed; the variance of the survey design is not "
                + "in the intervals."
        ) { $0.weight != nil }
        return notes
    }
}
