/// Keeps the best weights by a metric and a direction.
///
/// What is kept is what was measured: the measure is given the very weights that are kept with its value, so that the two can
/// not be a step apart.
public struct Selection: Sendable {
    /// By which.
    public let metric: Metric
    /// Whether more is better.
    public let isBetterHigher: Bool
    /// The best so far; of equal ones the first.
    public private(set) var best: Choice?

    /// Weights and what was measured on them.
    public struct Choice: Sendable {
        /// After how many steps.
        public let step: Int
        /// The metric's value.
        public let value: Double
        /// The weights that were measured.
        public let parameters: Parameters
    }

    /// - Parameters:
    ///   - isBetterHigher: nil: as the metric has it.
    ///   - best: What was best before, where a run goes on.
    public init(_ metric: Metric, isBetterHigher: Bool? = nil, best: Choice? = nil) {
        self.metric = metric
        self.isBetterHigher = isBetterHigher ?? metric.isBetterHigher
        self.best = best
    }

    /// Measures the weights that a model would be used with now, and keeps them if they are better than all before.
    ///
    /// - Returns: What `measure` gave, and whether the weights are now the best. Without a value they never are.
    public mutating func consider<Measured>(
        _ state: TrainingState, measure: (Parameters) throws -> (Measured, value: Double?)
    ) rethrows -> (measured: Measured, isBest: Bool) {
        let parameters = state.result
        let (measured, value) = try measure(parameters)
        guard let value, !value.isNaN else { return (measured, false) }
        if let best, isBetterHigher ? value <= best.value : value >= best.value { return (measured, false) }
        best = Choice(step: state.step, value: value, parameters: parameters)
        return (measured, true)
    }
}
