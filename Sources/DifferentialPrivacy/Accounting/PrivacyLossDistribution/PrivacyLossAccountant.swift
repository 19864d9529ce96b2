/// Accounts by privacy loss distributions: bounds from both sides, as close as the grid is fine, for events that are known
/// in advance.
///
/// Each answer composes anew, in milliseconds to seconds by the grid (see ``PrivacyLossDistribution``); a filter that
/// must decide at every release uses Rényi divergences or zCDP instead.
public struct PrivacyLossAccountant: Accountant {
    /// What was composed so far.
    public private(set) var distribution: PrivacyLossDistribution

    /// The relation that sensitivities and multipliers are about, and the guarantee.
    public var neighbours: NeighbourRelation { distribution.neighbours }

    /// Throws unless the grid's step is from 1e-7 to 1, or nil for one that suits the events.
    public init(gridStep: Double? = nil, neighbours: NeighbourRelation = .addOrRemove) throws(MechanismError) {
        distribution = try PrivacyLossDistribution(gridStep: gridStep, neighbours: neighbours)
    }

    /// Adds the event, `times` times. Throws for parameters out of range and for unsupported events.
    public mutating func compose(_ event: PrivacyEvent, times: Int) throws(MechanismError) {
        distribution = try distribution.composed(with: event, times: times)
    }

    /// Bounds on the least epsilon at that delta. Throws unless delta is from 0 to 1.
    public func epsilon(delta: Double) throws(MechanismError) -> PrivacyBounds {
        try distribution.epsilon(delta: delta)
    }

    /// Bounds on the least delta at that epsilon. Throws unless epsilon is a number that is not negative.
    public func delta(epsilon: Double) throws(MechanismError) -> PrivacyBounds {
        try distribution.delta(epsilon: epsilon)
    }
}
