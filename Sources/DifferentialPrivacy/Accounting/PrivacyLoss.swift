/// The unit in which a policy measures privacy loss, fixed once and for all (docs/privacy.md, rule 6).
public enum PrivacyLossKind: String, Sendable, Hashable, Codable {
    /// Pure differential privacy: the amount is epsilon, `delta` stays zero.
    case pure
    /// Zero-concentrated differential privacy (Bun and Steinke 2016): the amount is rho; `delta` is what private key
    /// selection used, beside it.
    case zeroConcentrated = "zcdp"
    /// Rényi differential privacy (Mironov 2017): an amount, the divergence, at each of ``RenyiOrders/all``; `delta`
    /// beside it as under zCDP.
    case renyi

    /// How many amounts a loss of this kind has.
    public var amountCount: Int { self == .renyi ? RenyiOrders.all.count : 1 }
}

/// An amount of privacy loss, in integers, so that ledgers add exactly. Whoever makes one from a real number rounds up.
///
/// Limits have the same form: an amount below 0 is an order at which nothing fits.
public struct PrivacyLoss: Sendable, Hashable {
    /// What the amounts measure.
    public let kind: PrivacyLossKind
    /// Epsilon (pure), rho (zCDP), or the divergence at each of ``RenyiOrders/all``, in units of 1e-12.
    public let amounts: [Int64]
    /// The delta spent on selection, in units of 1e-18.
    public let delta: Int64

    /// A loss in whole units: `amount` of 1e-12, under Rényi at every order; `delta` of 1e-18.
    public init(kind: PrivacyLossKind, amount: Int64, delta: Int64 = 0) {
        self.init(kind: kind, exactly: Array(repeating: amount, count: kind.amountCount), delta: delta)
    }

    /// A loss in whole units, as it was stored; nil unless the kind has so many amounts.
    public init?(kind: PrivacyLossKind, amounts: [Int64], delta: Int64 = 0) {
        guard amounts.count == kind.amountCount else { return nil }
        self.init(kind: kind, exactly: amounts, delta: delta)
    }

    init(kind: PrivacyLossKind, exactly amounts: [Int64], delta: Int64) {
        self.kind = kind
        self.amounts = amounts
        self.delta = delta
    }

    /// Epsilon or rho in units of 1e-12; under Rényi the divergence at the lowest order.
    public var amount: Int64 { amounts[0] }

    /// The epsilon, rho or divergence of one unit of an amount.
    public static let amountUnit = 1e-12
    /// The delta of one unit of `delta`.
    public static let deltaUnit = 1e-18
}

extension PrivacyLoss {
    /// No loss.
    public static func zero(_ kind: PrivacyLossKind) -> PrivacyLoss {
        PrivacyLoss(kind: kind, amount: 0)
    }

    /// ``amount`` as a number, to a `Double`'s precision: for display and planning, not for the ledger.
    public var value: Double { Double(amount) / 1e12 }

    /// Delta, to a `Double`'s precision.
    public var deltaValue: Double { Double(delta) / 1e18 }

    /// Throws unless it is one positive number, epsilon or rho: what noise is made for. A Rényi loss says no noise's size.
    func checkIsBudget() throws(MechanismError) {
        guard kind.amountCount == 1, amount > 0 else {
            throw .parameter("loss", expected: "a positive epsilon or rho")
        }
    }

    /// Whether nothing is lost.
    public var isZero: Bool { delta == 0 && amounts.allSatisfy { $0 == 0 } }

    /// Whether a part is below 0: a limit may be, a charge would give back what was spent.
    public var isNegative: Bool { delta < 0 || amounts.contains { $0 < 0 } }

    /// The sum; throws for different kinds, and beyond what integers hold.
    ///
    /// A sum of divergences saturates instead: at the largest integer, which is beyond every limit, it stays.
    public static func + (a: PrivacyLoss, b: PrivacyLoss) throws(MechanismError) -> PrivacyLoss {
        guard a.kind == b.kind else { throw .mixedKinds }
        var amounts = a.amounts
        for index in amounts.indices {
            let (sum, overflow) = amounts[index].addingReportingOverflow(b.amounts[index])
            guard !overflow || a.kind == .renyi else { throw .overflow }
            amounts[index] = overflow ? .max : sum
        }
        let (delta, overflow) = a.delta.addingReportingOverflow(b.delta)
        guard !overflow else { throw .overflow }
        return PrivacyLoss(kind: a.kind, exactly: amounts, delta: delta)
    }

    /// The sum without `part`, which is one of its terms; throws for different kinds, and where a part would be less than 0.
    /// A divergence that has saturated stays: how much it was is not known any more.
    public func removing(_ part: PrivacyLoss) throws(MechanismError) -> PrivacyLoss {
        guard kind == part.kind else { throw .mixedKinds }
        let amounts = zip(amounts, part.amounts).map { sum, part in
            kind == .renyi && sum == .max ? sum : sum.subtractingReportingOverflow(part).partialValue
        }
        let rest = PrivacyLoss(
            kind: kind, exactly: amounts, delta: delta.subtractingReportingOverflow(part.delta).partialValue)
        guard !rest.isNegative else { throw .overflow }
        return rest
    }

    /// What is left of `self`, a limit, after `spent`: nothing where more was spent than it now allows, or in another kind.
    public func left(after spent: PrivacyLoss) -> PrivacyLoss {
        guard kind == spent.kind else { return .zero(kind) }
        return PrivacyLoss(
            kind: kind, exactly: zip(amounts, spent.amounts).map(Self.difference),
            delta: Self.difference(delta, spent.delta))
    }

    /// What to add to `spent` where more was spent and nobody knows how much, but that `self`, the limit, held: all that
    /// is left. Of divergences that says nothing: one order held, whichever it was, and at the others more may have been
    /// spent than any bound. So each comes to what no limit admits, also one that is raised later.
    public func everything(after spent: PrivacyLoss) -> PrivacyLoss {
        guard kind == .renyi else { return left(after: spent) }
        let beyond = PrivacyLoss(kind: kind, amount: RenyiOrders.largestAmount, delta: delta)
        return beyond.left(after: kind == spent.kind ? spent : .zero(kind))
    }

    /// Whether `spent` and this charge together stay within `limit`: in both parts; under Rényi at one order at least,
    /// and in delta. A charge that is negative, or of another kind, does not. Never overflows, whatever the numbers.
    ///
    /// That one order suffices costs the factor by which ``RenyiOrders`` splits delta; the proof stands there.
    public func fits(in limit: PrivacyLoss, after spent: PrivacyLoss) -> Bool {
        guard kind == limit.kind, kind == spent.kind, !isNegative else { return false }
        let isWithin = amounts.indices.contains {
            Self.difference(limit.amounts[$0], spent.amounts[$0]) >= amounts[$0]
        }
        return isWithin && Self.difference(limit.delta, spent.delta) >= delta
    }

    /// The same with nothing spent before.
    public func fits(in limit: PrivacyLoss) -> Bool { fits(in: limit, after: .zero(kind)) }

    /// Whether each of its amounts is at least the other's.
    public func reaches(_ least: PrivacyLoss) -> Bool {
        kind == least.kind && zip(amounts, least.amounts).allSatisfy { $0 >= $1 }
    }

    /// Whether each part is at most the other's: what costs that at most is covered by it. A divergence that no limit
    /// admits is covered by any other such.
    public func isCovered(by reserved: PrivacyLoss) -> Bool {
        guard kind == reserved.kind, delta <= reserved.delta else { return false }
        let largest = kind == .renyi ? RenyiOrders.largestAmount : .max
        return zip(amounts, reserved.amounts).allSatisfy { min($0, largest) <= $1 }
    }

    /// The larger of both amounts, one by one; the other's delta is not taken.
    public func raised(to least: PrivacyLoss) -> PrivacyLoss {
        guard kind == least.kind else { return self }
        return PrivacyLoss(kind: kind, exactly: zip(amounts, least.amounts).map { max($0, $1) }, delta: delta)
    }

    /// The smaller of both, part by part.
    public func minimum(_ other: PrivacyLoss) -> PrivacyLoss {
        guard kind == other.kind else { return self }
        return PrivacyLoss(
            kind: kind, exactly: zip(amounts, other.amounts).map { min($0, $1) }, delta: min(delta, other.delta))
    }

    private static func difference(_ limit: Int64, _ spent: Int64) -> Int64 {
        let (difference, overflow) = limit.subtractingReportingOverflow(spent)
        return overflow || difference < 0 ? 0 : difference
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
