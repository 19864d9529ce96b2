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
    /// The most that these researchers may spend, by name, in the place of `perResearcher`.
    public var researcherLimits: [String: PrivacyLoss]
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
    /// The kinds of work that are allowed, each with its rule; nil: those that are allowed unless a policy says otherwise.
    public var engines: [EngineName: EngineRule]?
    /// Whether each request must say what its answer is for.
    public var requiresPurpose: Bool

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
        regime: LossRegime, total: PrivacyLoss, perResearcher: PrivacyLoss? = nil,
        researcherLimits: [String: PrivacyLoss] = [:], windows: [Window] = [],
        perQuestion: PrivacyLoss? = nil, leastShare: Int64 = Self.usualLeastShare,
        allowedAggregates: Set<AggregateFunction> = Set(AggregateFunction.allCases),
        approval: Approval = .automatic, researchers: Set<String>? = nil, engines: [EngineName: EngineRule]? = nil,
        requiresPurpose: Bool = false
    ) {
        self.regime = regime
        self.total = total
        self.perResearcher = perResearcher
        self.researcherLimits = researcherLimits
        self.windows = windows
        self.perQuestion = perQuestion
        self.leastShare = leastShare
        self.allowedAggregates = allowedAggregates
        self.approval = approval
        self.researchers = researchers
        self.engines = engines
        self.requiresPurpose = requiresPurpose
    }
}
