public import DifferentialPrivacy

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
        if let own = limit(of: researcher) { limits.append(Limit(scope: .researcher(researcher), limit: own)) }
        limits += windows.map { Limit(scope: .window(seconds: $0.seconds), limit: $0.limit) }
        return limits
    }

    /// The same, each with what was spent of it.
    public func limits(for researcher: String, spending: Spending) -> [(limit: Limit, spent: PrivacyLoss)] {
        let own = limit(of: researcher) == nil ? [] : [spending.researcher]
        return zip(limits(for: researcher), [spending.total] + own + spending.windows).map { ($0, $1) }
    }

    /// The most that this researcher may spend: what is said of her by name, else of each; nil: no own limit.
    public func limit(of researcher: String) -> PrivacyLoss? { researcherLimits[researcher] ?? perResearcher }
}
