/// The unit in which a policy measures privacy loss, fixed once and for all (docs/privacy.md, rule 6).
public enum PrivacyLossKind: String, Sendable, Hashable, Codable {
    /// Pure differential privacy: `amount` is epsilon, `delta` stays zero.
    case pure
    /// Zero-concentrated differential privacy (Bun and Steinke 2016): `amount` is rho; `delta` is what private key
    /// selection used, beside it.
    case zeroConcentrated = "zcdp"
}

/// An amount of privacy loss, in integers, so that ledgers add exactly. Whoever makes one from a real number rounds up.
public struct PrivacyLoss: Sendable, Hashable, Codable {
    /// What `amount` measures.
    public let kind: PrivacyLossKind
    /// Epsilon (pure) or rho (zCDP), in units of 1e-12.
    public let amount: Int64
    /// The delta spent on selection, in units of 1e-18.
    public let delta: Int64

    /// A loss in whole units: `amount` of 1e-12, `delta` of 1e-18.
    public init(kind: PrivacyLossKind, amount: Int64, delta: Int64 = 0) {
        self.kind = kind
        self.amount = amount
        self.delta = delta
    }

    /// The epsilon or rho of one unit of `amount`.
    public static let amountUnit = 1e-12
    /// The delta of one unit of `delta`.
    public static let deltaUnit = 1e-18
}

extension PrivacyLoss {
    /// No loss.
    public static func zero(_ kind: PrivacyLossKind) -> PrivacyLoss {
        PrivacyLoss(kind: kind, amount: 0)
    }

    /// Epsilon or rho, to a `Double`'s precision: for display and planning, not for the ledger.
    public var value: Double { Double(amount) / 1e12 }

    /// Delta, to a `Double`'s precision.
    public var deltaValue: Double { Double(delta) / 1e18 }

    /// The sum; throws for different kinds, and beyond what integers hold.
    public static func + (a: PrivacyLoss, b: PrivacyLoss) throws(MechanismError) -> PrivacyLoss {
        guard a.kind == b.kind else { throw .mixedKinds }
        let (amount, overflow1) = a.amount.addingReportingOverflow(b.amount)
        let (delta, overflow2) = a.delta.addingReportingOverflow(b.delta)
        guard !overflow1 && !overflow2 else { throw .overflow }
        return PrivacyLoss(kind: a.kind, amount: amount, delta: delta)
    }

    /// What remains of `self` after `spent`, not below zero; throws for different kinds.
    public func remaining(after spent: PrivacyLoss) throws(MechanismError) -> PrivacyLoss {
        guard kind == spent.kind else { throw .mixedKinds }
        return PrivacyLoss(
            kind: kind, amount: max(0, amount.subtractingReportingOverflow(spent.amount).partialValue),
            delta: max(0, delta.subtractingReportingOverflow(spent.delta).partialValue))
    }

    /// Whether both parts are within the limit's, and the kinds are the same.
    public func fits(in limit: PrivacyLoss) -> Bool {
        kind == limit.kind && amount <= limit.amount && delta <= limit.delta
    }
}

/// A number that somebody wrote down is its shortest decimal text: 0.3 is three tenths, not the binary fraction next to
/// it, so that a limit of 0.3 admits a charge of 0.3.
extension PrivacyLoss {
    /// Pure epsilon, rounded up to the unit. Throws for negative, infinite and excessive numbers.
    public init(roundingUpEpsilon epsilon: Double) throws(MechanismError) {
        self.init(
            kind: .pure, amount: try DecimalUnits.count(epsilon, digits: 12, roundingUp: true, name: "epsilon"))
    }

    /// Pure epsilon, rounded down to the unit: for limits.
    public init(roundingDownEpsilon epsilon: Double) throws(MechanismError) {
        self.init(
            kind: .pure, amount: try DecimalUnits.count(epsilon, digits: 12, roundingUp: false, name: "epsilon"))
    }

    /// Rho and delta, rounded up to the unit.
    public init(roundingUpRho rho: Double, delta: Double = 0) throws(MechanismError) {
        self.init(
            kind: .zeroConcentrated,
            amount: try DecimalUnits.count(rho, digits: 12, roundingUp: true, name: "rho"),
            delta: try DecimalUnits.count(delta, digits: 18, roundingUp: true, name: "delta"))
    }

    /// Rho and delta, rounded down to the unit: for limits.
    public init(roundingDownRho rho: Double, delta: Double = 0) throws(MechanismError) {
        self.init(
            kind: .zeroConcentrated,
            amount: try DecimalUnits.count(rho, digits: 12, roundingUp: false, name: "rho"),
            delta: try DecimalUnits.count(delta, digits: 18, roundingUp: false, name: "delta"))
    }
}
