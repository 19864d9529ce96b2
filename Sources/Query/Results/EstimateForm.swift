import DifferentialPrivacy

/// How an aggregate is estimated from what was measured. The integers of linear forms are numbered by their channels.
enum EstimateForm: Sendable, Hashable {
    case linear(LinearForm)
    /// A mean: moved into the public bounds of what is averaged, null where the noisy count is below one.
    case mean(sum: LinearForm, count: LinearForm, lower: Double, upper: Double)
    /// From sums around a centre: `squares / count - (sum / count)^2`.
    case spread(sum: LinearForm, squares: LinearForm, count: LinearForm, largest: Double, isRoot: Bool)
    /// Chosen on the grid.
    case quantile(channel: Int, Channel.QuantileGrid?)
    case histogram(channel: Int)

    /// The channels that it is computed from, by number.
    var channels: [Int] {
        switch self {
        case .linear(let linear): linear.terms.map(\.number)
        case .mean(let sum, let count, _, _): (sum.terms + count.terms).map(\.number)
        case .spread(let sum, let squares, let count, _, _):
            (sum.terms + squares.terms + count.terms).map(\.number)
        case .quantile(let channel, _), .histogram(let channel): [channel]
        }
    }
}
