public import DifferentialPrivacy
public import Tables

/// What a data owner allows, at what price, and who decides.
public struct Policy: Sendable, Hashable {
    /// The kind of loss that charges are in, and how the policy's delta is divided.
    public var regime: LossRegime
    /// The most that all researchers together may spend, over the population's lifetime.
    public var total: PrivacyLoss
    /// The most that one researcher may spend; nil: no own limit.
    public var perResearcher: PrivacyLoss?
    /// Rate limits inside the total, for all researchers together.
    public var windows: [Window]
    /// The most that one question may cost; nil: no own limit.
    public var perQuestion: PrivacyLoss?
    /// The part of the total that a question is charged at least, in units of `leastShareUnit` (docs/privacy.md, rule 27).
    public var leastShare: Int64
    /// The aggregates that a question may ask for.
    public var allowedAggregates: Set<AggregateFunction>
    /// Who decides on a question that the budget allows.
    public var approval: Approval
    /// Who may ask; nil: every researcher of the site.
    public var researchers: Set<String>?

    /// A limit of loss within a time.
    public struct Window: Sendable, Hashable {
        /// The window's length. It slides: what was charged within that time before a request counts.
        public var seconds: Int64
        /// The most that is charged within the window.
        public var limit: PrivacyLoss

        /// At most `limit` within `seconds`.
        public init(seconds: Int64, limit: PrivacyLoss) {
            self.seconds = seconds
            self.limit = limit
        }
    }

    /// Who decides on a question that the budget allows.
    public enum Approval: Sendable, Hashable {
        /// Within budget, answered at once.
        case automatic
        /// Waits until that many different owners approve.
        case owners(Int)
    }

    /// A policy; what is left out sets no limit of its own and allows every aggregate.
    public init(
        regime: LossRegime, total: PrivacyLoss, perResearcher: PrivacyLoss? = nil, windows: [Window] = [],
        perQuestion: PrivacyLoss? = nil, leastShare: Int64 = Self.usualLeastShare,
        allowedAggregates: Set<AggregateFunction> = Set(AggregateFunction.allCases),
        approval: Approval = .automatic, researchers: Set<String>? = nil
    ) {
        self.regime = regime
        self.total = total
        self.perResearcher = perResearcher
        self.windows = windows
        self.perQuestion = perQuestion
        self.leastShare = leastShare
        self.allowedAggregates = allowedAggregates
        self.approval = approval
        self.researchers = researchers
    }
}

extension Policy {
    /// Shares are whole numbers of this: 1e-12.
    public static let leastShareUnit = 1e-12
    /// All of the total.
    public static let wholeShare: Int64 = 1_000_000_000_000
    /// 1/10,000, where a policy does not say.
    public static let usualLeastShare = wholeShare / 10_000

    /// The least that a question is charged: its share of the present total, rounded up.
    public var leastCharge: PrivacyLoss { Self.leastCharge(total, share: leastShare) }

    /// That share, in units of `leastShareUnit`, of a total, rounded up.
    public static func leastCharge(_ total: PrivacyLoss, share: Int64) -> PrivacyLoss {
        let product = UInt64(max(total.amount, 0)).multipliedFullWidth(by: UInt64(min(max(share, 0), wholeShare)))
        let (quotient, remainder) = UInt64(wholeShare).dividingFullWidth(product)
        return PrivacyLoss(kind: total.kind, amount: Int64(quotient) + (remainder > 0 ? 1 : 0))
    }
}
