import DifferentialPrivacy
import Tables

extension Planner {
    /// What TOP chooses, and by which count; nil where all groups are answered.
    static func topRequest(
        _ question: BoundQuestion, _ keys: Keys, layout: MeasurementLayout, contribution: Contribution
    ) throws(QueryError) -> TopChoice.Request? {
        guard let top = question.top, let channel = layout.countingChannel(question.aggregates[top.aggregate]) else {
            return nil
        }
        guard let candidates = keys.groups else {
            throw QueryError(
                "TOP chooses among keys that are public, and the values of \(keys.selected.joined(separator: ", ")) are not",
                at: top.position,
                hint:
                    "Join a public table of them, say WHERE x IN (...), or let the owner declare a domain; or else ORDER BY "
                    + "... LIMIT \(top.count), whose cells are marked.")
        }
        guard top.count < candidates else {
            throw QueryError(
                "TOP \(top.count) leaves nothing out: there are \(candidates) groups", at: top.position,
                hint: "Ask without TOP.")
        }
        // One unit's rows in one group; a number of units it raises by one.
        let sensitivity = layout.quantities[channel] == .units ? 1 : contribution.rowsPerGroup
        return TopChoice.Request(
            count: top.count, channel: channel, sensitivity: Int64(sensitivity), candidates: candidates)
    }

    /// The confidence of each cell's interval: where all are to hold together, the error is divided among them (a union
    /// bound). Of keys that are selected, each row of the capacity may bring a group.
    static func confidence(
        _ question: Question, _ bound: BoundQuestion, groups: Int?
    ) throws(QueryError) -> Double {
        guard question.isSimultaneous else { return usualConfidence }
        for (aggregate, position) in zip(bound.aggregates, bound.positions) {
            guard case .quantile = aggregate.function else { continue }
            throw QueryError(
                "intervals that hold together are not offered for quantiles: what brackets each is chosen for its own interval",
                at: position, hint: "Ask for the quantiles by themselves, without simultaneous intervals.")
        }
        return 1 - (1 - usualConfidence) / Swift.max(1, cells(bound, groups: groups))
    }

    /// The number of cells that an answer can have.
    static func cells(_ bound: BoundQuestion, groups: Int?) -> Double {
        let estimates = bound.columns.reduce(0) { total, column in
            switch column.item {
            case .histogram(_, let edges): return total + edges.count - 1
            case .scalar(let expression):
                var isNoisy = false
                expression.visit { node in
                    if case .column(let index, _) = node, index >= bound.keys.count { isNoisy = true }
                }
                return total + (isNoisy ? 1 : 0)
            }
        }
        return Double(groups ?? capacity(bound.scope)) * Double(estimates)
    }

    /// What intervals hold the truth with.
    static let usualConfidence = 0.95
}

extension Allocation.Result {
    /// The same noise, with intervals of that confidence.
    func at(_ confidence: Double) -> Allocation.Result {
        guard confidence != Planner.usualConfidence else { return self }
        var result = self
        for index in result.channels.indices { result.channels[index].setConfidence(confidence) }
        return result
    }
}

extension Channel {
    fileprivate mutating func setConfidence(_ confidence: Double) {
        switch noise {
        case .gaussian(let sigma):
            if let noise = try? DiscreteGaussian(sigma: sigma) { error = IntegerError(noise, confidence: confidence) }
        case .share(let sigma, let parties):
            if let noise = try? DiscreteGaussian(sigma: sigma * Double(parties).squareRoot()) {
                error = IntegerError(noise, confidence: confidence)
            }
        case .laplace(let scale):
            if let noise = try? DiscreteLaplace(scale: scale) { error = IntegerError(noise, confidence: confidence) }
        case .none: return
        }
    }
}
