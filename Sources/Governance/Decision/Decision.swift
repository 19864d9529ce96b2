public import DifferentialPrivacy

/// What a population's ledger holds when a request is decided: losses that were reserved before, by scope.
public struct Spending: Sendable, Hashable {
    /// By all researchers together.
    public var total: PrivacyLoss
    /// By the researcher who asks.
    public var researcher: PrivacyLoss
    /// By all researchers in each of the policy's windows, in the policy's order.
    public var windows: [PrivacyLoss]

    /// Losses of one kind, with one of `windows` for each window of the policy.
    public init(total: PrivacyLoss, researcher: PrivacyLoss, windows: [PrivacyLoss]) {
        self.total = total
        self.researcher = researcher
        self.windows = windows
    }

    /// Nothing spent yet.
    public static func nothing(_ policy: Policy) -> Spending {
        let zero = PrivacyLoss(kind: policy.regime.kind, amount: 0)
        return Spending(total: zero, researcher: zero, windows: policy.windows.map { _ in zero })
    }
}

/// What becomes of a request: from its plan, the policy and the ledger alone, never from a row (docs/privacy.md, rule 2).
public enum Decision: Sendable, Hashable {
    /// Reserve and answer.
    case answer
    /// Reserve, and wait until so many different owners approve.
    case awaitApproval(owners: Int)
    /// Refuse; nothing is charged.
    case refuse(Refusal)
}

/// Why a request is refused.
public enum Refusal: Sendable, Hashable {
    /// The policy names researchers, and she is not one of them.
    case researcherNotAllowed
    /// The charge is in another unit of loss than the policy's.
    case otherKindOfLoss
    /// The charge exceeds what one question may cost.
    case questionTooExpensive(limit: PrivacyLoss)
    /// The charge is less than a question costs at least.
    case questionTooCheap(least: PrivacyLoss)
    /// The charge does not fit into what a scope has left.
    case overBudget(scope: BudgetScope, limit: PrivacyLoss, spent: PrivacyLoss)
}

/// Whose losses a limit bounds.
public enum BudgetScope: Sendable, Hashable {
    /// All researchers together, for the population's lifetime: they may collude (docs/privacy.md, rule 9).
    case allResearchers
    /// One researcher, by name, for the population's lifetime.
    case researcher(String)
    /// All researchers together within so many seconds.
    case window(seconds: Int64)

    /// The scope in the words of budget reports and refusals.
    public var words: String {
        switch self {
        case .allResearchers: "all researchers"
        case .researcher(let name): "researcher \(name)"
        case .window(let seconds): "window \(Self.duration(seconds))"
        }
    }

    private static func duration(_ seconds: Int64) -> String {
        for (unit, length) in [("d", Int64(86_400)), ("h", 3_600), ("m", 60)] where seconds % length == 0 {
            return "\(seconds / length)\(unit)"
        }
        return "\(seconds)s"
    }
}

extension Policy {
    /// One limit with the scope that it bounds.
    public struct Limit: Sendable, Hashable {
        /// Whose losses it bounds.
        public var scope: BudgetScope
        /// The most that they may sum up to.
        public var limit: PrivacyLoss
    }

    /// Every limit that a researcher's charges must fit in, the site's total first.
    public func limits(for researcher: String) -> [Limit] {
        var limits = [Limit(scope: .allResearchers, limit: total)]
        if let perResearcher { limits.append(Limit(scope: .researcher(researcher), limit: perResearcher)) }
        limits += windows.map { Limit(scope: .window(seconds: $0.seconds), limit: $0.limit) }
        return limits
    }

    /// Decides a request. Whether the budget suffices is decided again, authoritatively, inside the transaction that
    /// reserves it: between the two another request may have spent it. What waits for approval counts in the windows in
    /// which it is approved, and not in those of now.
    ///
    /// - Parameter isHeld: Whether it waits for an owner whatever this policy says.
    public func decide(
        researcher: String, charge: PrivacyLoss, spending: Spending, isHeld: Bool = false
    ) -> Decision {
        if let refusal = refuses(researcher: researcher, charge: charge) { return .refuse(refusal) }
        let inWindows = isHeld || approval != .automatic ? Spending.nothing(self).windows : spending.windows
        let spent = [spending.total] + (perResearcher == nil ? [] : [spending.researcher]) + inWindows
        for (limit, spent) in zip(limits(for: researcher), spent)
        where !charge.fits(within: limit.limit, after: spent) {
            return .refuse(.overBudget(scope: limit.scope, limit: limit.limit, spent: spent))
        }
        switch approval {
        case .automatic: return .answer
        case .owners(let count): return .awaitApproval(owners: count)
        }
    }

    /// The reasons for refusal that no ledger enters: who asks, in which unit of loss, and the most and the least that one
    /// question may cost.
    public func refuses(researcher: String, charge: PrivacyLoss) -> Refusal? {
        if let researchers, !researchers.contains(researcher) { return .researcherNotAllowed }
        guard charge.kind == regime.kind, charge.amount >= 0, charge.delta >= 0 else { return .otherKindOfLoss }
        if let perQuestion, !charge.fits(within: perQuestion, after: .init(kind: charge.kind, amount: 0)) {
            return .questionTooExpensive(limit: perQuestion)
        }
        guard charge.amount >= leastCharge.amount else { return .questionTooCheap(least: leastCharge) }
        return nil
    }
}

extension PrivacyLoss {
    /// Whether `spent` and this charge together stay within `limit`, in both parts. Never overflows, whatever the
    /// numbers: the limit is what is left after subtraction.
    public func fits(within limit: PrivacyLoss, after spent: PrivacyLoss) -> Bool {
        guard kind == limit.kind, kind == spent.kind, amount >= 0, delta >= 0 else { return false }
        return PrivacyLoss.difference(limit.amount, spent.amount) >= amount
            && PrivacyLoss.difference(limit.delta, spent.delta) >= delta
    }

    /// What a limit has left: nothing where more was spent than a lowered limit now allows.
    public func left(after spent: PrivacyLoss) -> PrivacyLoss {
        PrivacyLoss(
            kind: kind, amount: PrivacyLoss.difference(amount, spent.amount),
            delta: PrivacyLoss.difference(delta, spent.delta))
    }

    /// The smaller of both, part by part.
    public func minimum(_ other: PrivacyLoss) -> PrivacyLoss {
        PrivacyLoss(kind: kind, amount: Swift.min(amount, other.amount), delta: Swift.min(delta, other.delta))
    }

    private static func difference(_ limit: Int64, _ spent: Int64) -> Int64 {
        let (difference, overflow) = limit.subtractingReportingOverflow(spent)
        return overflow || difference < 0 ? 0 : difference
    }
}
