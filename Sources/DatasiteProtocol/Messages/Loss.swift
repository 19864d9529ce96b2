/// Privacy loss for people; the ledger's integers are exact, these are their decimal values.
public struct Loss: Sendable, Hashable, Codable {
    /// "pure" or "zcdp"; "uses" where nothing but uses is counted.
    public var kind: String
    /// Epsilon (pure).
    public var epsilon: Double?
    /// Rho (zcdp).
    public var rho: Double?
    /// What was spent on key selection (zcdp).
    public var delta: Double?
    /// The epsilon that rho alone converts to at the policy's conversion delta (zcdp). Such epsilons do not add.
    public var epsilonAtDelta: Double?
    /// The policy's conversion delta (zcdp).
    public var conversionDelta: Double?
    /// How many uses are counted, where the work counts them.
    public var uses: Int64?

    /// A loss, by its parts.
    public init(
        kind: String, epsilon: Double? = nil, rho: Double? = nil, delta: Double? = nil, epsilonAtDelta: Double? = nil,
        conversionDelta: Double? = nil, uses: Int64? = nil
    ) {
        self.kind = kind
        self.epsilon = epsilon
        self.rho = rho
        self.delta = delta
        self.epsilonAtDelta = epsilonAtDelta
        self.conversionDelta = conversionDelta
        self.uses = uses
    }
}
