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
    let typical: TypicalGroup
    let sharing: NoiseSharing?

    private var model: ErrorModel { ErrorModel(allocation.channels.map(\.error)) }

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
            var column = PlannedColumn(
                name: "\(name) [\(Channel.digits(edges[bin])), \(Channel.digits(edges[bin + 1]))\(close)",
                type: .integer, isKey: false, mechanism: channel.words,
                standardDeviation: channel.error.variance.squareRoot(), expectedError: Double(channel.error.halfWidth))
            column.bin = HistogramBin(histogram: name, lower: edges[bin], upper: edges[bin + 1])
            return column
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
        for channel in aggregates.flatMap({ forms[$0].channels }) where !channels.contains(channel) {
            channels.append(channel)
        }
        var column = PlannedColumn(name: name, type: expression.type, isKey: false)
        column.mechanism = channels.map { allocation.channels[$0].words }.joined(separator: "; ")
        if channels.isEmpty { column.mechanism = "a constant" }
        (column.standardDeviation, column.expectedError) = errors(expression)
        return column
    }

    /// The noise of counts and sums is the same in any group; the interval of anything else is that of a typical one.
    private func errors(_ expression: Expression) -> (Double?, Double?) {
        let form = CellForm(expression, keys: bound.keys.count, forms)
        if case .linear(let linear) = form { return (model.standardDeviation(linear), model.halfWidth(linear)) }
        return (nil, typical.halfWidth(form, model))
    }

    // MARK: notes

    func notes(_ keys: Keys) -> [String] {
        var notes = [
            "Intervals are 95 % and hold privacy noise only: no sampling error, no bias from bounding, no selection by "
                + "HAVING."
        ]
        notes += sharingNotes + declarationNotes
        notes += contribution.notes(isGrouped: !bound.keys.isEmpty) + BoundingChannel.notes(allocation.bounding)
        notes += selectionNotes(keys)
        notes += typicalNotes
        notes += quantileNotes
        notes += aggregateNotes
        return notes
    }

    /// The interval of a mean, a variance or a quantile depends on the group's size, which is not known beforehand.
    private var typicalNotes: [String] {
        var (known, unknown): ([String], [String]) = ([], [])
        for column in bound.columns {
            guard case .scalar(let expression) = column.item else { continue }
            switch CellForm(expression, keys: bound.keys.count, forms) {
            case .none, .linear: continue
            case let form:
                if typical.halfWidth(form, model) == nil {
                    unknown.append(column.name)
                } else {
                    known.append(column.name)
                }
            }
        }
        var notes: [String] = []
        if !known.isEmpty {
            notes.append(
                "The half-width of \(known.joined(separator: ", ")) is expected in \(typical.words); in a group of n values "
                    + "it is about \(Channel.digits(typical.size)) / n times that.")
        }
        if !unknown.isEmpty {
            notes.append(
                "The interval of \(unknown.joined(separator: ", ")) may be unbounded in \(typical.words).")
        }
        return notes
    }

    private var quantileNotes: [String] {
        let offsets = allocation.channels.compactMap { $0.quantile?.offset }
        guard let least = offsets.min(), let most = offsets.max() else { return [] }
        if sharing != nil {
            return [
                "A quantile is read off noisy counts at the points of a grid, and so is its interval: those points whose rank may be "
                    + "the one that is asked for, which noise moves by up to \(most)."
            ]
        }
        return [
            "The interval of a quantile lies between two more choices, which aim \(least)"
                + (most > least ? " to \(most)" : "") + " ranks below and above it; where a group has no such rank, "
                + "it ends at the bound of the values."
        ]
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
        note("Quantiles use one row of each unit and group.") {
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
