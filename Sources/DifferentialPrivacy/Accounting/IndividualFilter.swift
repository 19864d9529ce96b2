/// Individual accounting: every unit has a budget of its own, pays for what it can have revealed, and drops out when it
/// is spent, while the others stay (Feldman and Zrnic 2021; docs/privacy.md, rule 10).
///
/// Privacy: one scalar a unit: rho, or the divergence of one fixed Rényi order. A unit takes part in a mechanism only if
/// its own cost, a function of its own data and of earlier outputs, fits into what its budget leaves; then the whole
/// sequence costs each unit at most its budget, although mechanisms are chosen adaptively (theorem 3.1 there, a filter
/// for each unit). Who has dropped out is private, and so is any single unit's balance: only `worstCase` and `cap` may be
/// shown. A second limit caps the sum of worst cases, which stops the dataset for all.
///
/// An additive mechanism costs a unit what its own clipped contribution costs; any other costs every unit with a row in
/// scope the mechanism's whole cost, and costs others nothing.
public struct IndividualFilter: Sendable {
    /// What all amounts are losses of: of the other kind nothing is admitted.
    public let kind: PrivacyLossKind
    /// What each unit may spend, in the ledger's units of 1e-12.
    public let limit: Int64
    /// What the worst case of all mechanisms may sum to.
    public let cap: Int64
    /// The sum of the worst cases that were admitted: what everyone may see.
    public private(set) var worstCase: Int64 = 0
    private var spent: [Int64]

    /// Throws for negative limits and counts, for a cap below the limit, and for losses that are more than one number.
    public init(units: Int, limit: PrivacyLoss, cap: PrivacyLoss) throws(MechanismError) {
        guard units >= 0 else { throw .parameter("units", expected: "a number that is not negative") }
        guard limit.kind == cap.kind else { throw .mixedKinds }
        guard limit.kind.amountCount == 1 else { throw .parameter("limit", expected: "a loss of one number") }
        guard limit.amount >= 0, cap.amount >= limit.amount else {
            throw .parameter("cap", expected: "at least the limit of a unit, which is not negative")
        }
        kind = limit.kind
        self.limit = limit.amount
        self.cap = cap.amount
        spent = [Int64](repeating: 0, count: units)
    }

    /// Which units take part in a mechanism: those whose cost fits into what they have left, and who are charged for it.
    /// Nil, and nothing is charged, where the mechanism's worst case does not fit under the cap or is of another kind.
    ///
    /// - Parameters:
    ///   - mechanism: the mechanism's data-independent worst case.
    ///   - cost: of a unit, by its index: a function of that unit's own data and of earlier outputs, rounded up. It is
    ///     taken as at least 0 and at most the worst case.
    public mutating func admit(mechanism: PrivacyLoss, cost: (_ unit: Int) -> Int64) -> [Bool]? {
        let (sum, overflow) = worstCase.addingReportingOverflow(mechanism.amount)
        guard mechanism.kind == kind, !overflow, mechanism.amount >= 0, mechanism.delta == 0, sum <= cap else {
            return nil
        }
        worstCase = sum
        var takesPart = [Bool](repeating: false, count: spent.count)
        for unit in spent.indices {
            let own = min(max(0, cost(unit)), mechanism.amount)
            guard own <= limit - spent[unit] else { continue }
            spent[unit] += own
            takesPart[unit] = true
        }
        return takesPart
    }

    /// rho of a unit's own contribution under discrete Gaussian noise, rounded up to the ledger's unit: its squared norm
    /// / (2 sigma^2). Throws for numbers that are not finite.
    public static func gaussianCost(normSquared: Double, sigma: Double) throws(MechanismError) -> Int64 {
        try PrivacyEvent.discreteGaussian(sensitivitySquared: normSquared, sigma: sigma)
            .loss(kind: .zeroConcentrated).amount
    }
}
