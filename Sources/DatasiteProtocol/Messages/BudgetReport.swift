/// What a population's ledger has left (`GET /v1/budget`). A researcher sees only her own row and the site's total.
public struct BudgetReport: Sendable, Hashable, Codable {
    public struct Line: Sendable, Hashable, Codable {
        /// "all researchers", "researcher NAME" or "window 7d".
        public var scope: String
        public var limit: Loss
        public var spent: Loss
        public var remaining: Loss

        public init(scope: String, limit: Loss, spent: Loss, remaining: Loss) {
            self.scope = scope
            self.limit = limit
            self.spent = spent
            self.remaining = remaining
        }
    }

    public var population: String
    public var datasets: [String]
    public var lines: [Line]
    /// What a question is charged at least.
    public var leastCharge: Loss?
    /// When the total was raised last, and from what to what; nil if it never was.
    public var raised: String?

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
