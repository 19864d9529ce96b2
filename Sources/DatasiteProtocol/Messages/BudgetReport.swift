/// What a population's ledger has left (`GET /v1/budget`). A researcher sees only her own row and the site's total.
public struct BudgetReport: Sendable, Hashable, Codable {
    /// One limit, and what of it is used.
    public struct Line: Sendable, Hashable, Codable {
        /// "all researchers", "researcher NAME" or "window 7d".
        public var scope: String
        /// What may be spent.
        public var limit: Loss
        /// What was charged.
        public var spent: Loss
        /// What is left: the limit less what was spent, in each part.
        public var remaining: Loss

        /// A line, by its parts.
        public init(scope: String, limit: Loss, spent: Loss, remaining: Loss) {
            self.scope = scope
            self.limit = limit
            self.spent = spent
            self.remaining = remaining
        }
    }

    /// The population whose ledger it is.
    public var population: String
    /// The datasets about this population.
    public var datasets: [String]
    /// The limits, the total of all researchers first.
    public var lines: [Line]
    /// What a question is charged at least.
    public var leastCharge: Loss?
    /// When the total was raised last, and from what to what; nil if it never was.
    public var raised: String?

    /// A report, by its parts.
    public init(
        population: String, datasets: [String], lines: [Line], leastCharge: Loss? = nil, raised: String? = nil
    ) {
        self.population = population
        self.datasets = datasets
        self.lines = lines
        self.leastCharge = leastCharge
        self.raised = raised
    }
}
