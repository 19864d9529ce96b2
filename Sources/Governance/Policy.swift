public import DifferentialPrivacy
public import Query

/// What a data owner allows, at what price, and who decides.
public struct Policy: Sendable, Hashable {
    /// Loss for all researchers together, over the population's lifetime.
    public var regime: LossRegime
    public var total: PrivacyLoss
    /// The most that one researcher may spend; nil: no own limit.
    public var perResearcher: PrivacyLoss?
    /// Rate limits inside the total, for all researchers together.
    public var windows: [Window]
    /// The most that one question may cost; nil: no own limit.
    public var perQuestion: PrivacyLoss?
    public var allowedAggregates: Set<AggregateFunction>
    public var approval: Approval
    /// Who may ask; nil: every researcher of the site.
    public var researchers: Set<String>?

    public struct Window: Sendable, Hashable {
        public var seconds: Int64
        public var limit: PrivacyLoss

        public init(seconds: Int64, limit: PrivacyLoss) {
            self.seconds = seconds
            self.limit = limit
        }
    }

    public enum Approval: Sendable, Hashable {
        /// Within budget, answered at once.
        case automatic
        /// Waits until that many different owners approve.
        case owners(Int)
    }

    public init(
        regime: LossRegime, total: PrivacyLoss, perResearcher: PrivacyLoss? = nil, windows: [Window] = [],
        perQuestion: PrivacyLoss? = nil, allowedAggregates: Set<AggregateFunction> = Set(AggregateFunction.allCases),
        approval: Approval = .automatic, researchers: Set<String>? = nil
    ) {
        self.regime = regime
        self.total = total
        self.perResearcher = perResearcher
        self.windows = windows
        self.perQuestion = perQuestion
        self.allowedAggregates = allowedAggregates
        self.approval = approval
        self.researchers = researchers
    }
}
