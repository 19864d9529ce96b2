/// Privacy loss for people; the ledger's integers are exact, these are their decimal values.
public struct Loss: Sendable, Hashable, Codable {
    /// "pure", "zcdp" or "renyi"; "uses" where nothing but uses is counted.
    public var kind: String
    /// Epsilon (pure).
    public var epsilon: Double?
    /// Rho (zcdp); of a limit or what is left of one, the largest rho of a question that fits, and of the least charge the
    /// least rho that a question may ask for (renyi).
    public var rho: Double?
    /// What was spent on key selection (zcdp, renyi).
    public var delta: Double?
    /// The epsilon that rho, or the divergences, alone convert to at the policy's conversion delta (zcdp, renyi). Such
    /// epsilons do not add.
    public var epsilonAtDelta: Double?
    /// The policy's conversion delta (zcdp, renyi).
    public var conversionDelta: Double?
    /// The Rényi divergences at the orders 2, 4, 6, 8, 12, 24, 64 and 256 (renyi). They add.
    public var divergences: [Double]?
    /// How many uses are counted, where the work counts them.
    public var uses: Int64?

    /// A loss, by its parts.
    public init(
        kind: String, epsilon: Double? = nil, rho: Double? = nil, delta: Double? = nil, epsilonAtDelta: Double? = nil,
        conversionDelta: Double? = nil, divergences: [Double]? = nil, uses: Int64? = nil
    ) {
        self.kind = kind
        self.epsilon = epsilon
        self.rho = rho
        self.delta = delta
        self.epsilonAtDelta = epsilonAtDelta
        self.conversionDelta = conversionDelta
        self.divergences = divergences
        self.uses = uses
    }
}
