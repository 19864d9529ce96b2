/// What a population's ledger has left (`GET /v1/budget`). A researcher sees only her own rows, the windows and the site's total.
public struct BudgetReport: Sendable, Hashable, Codable {
    /// One limit, and what of it is used.
    public struct Line: Sendable, Hashable, Codable {
        /// "all researchers", "researcher NAME" or "window 7d".
        public var scope: String
        /// What may be spent.
        public var limit: Loss
        /// What was charged for good.
        public var spent: Loss
        /// What is held for requests that wait for approval: it is charged or given back; nil: nothing is.
        public var held: Loss?
        /// What is left: the limit less what is spent and held, in each part.
        public var remaining: Loss
        /// The same in questions.
        public var meaning: BudgetMeaning?

        /// A line, by its parts.
        public init(
            scope: String, limit: Loss, spent: Loss, held: Loss? = nil, remaining: Loss, meaning: BudgetMeaning? = nil
        ) {
            self.scope = scope
            self.limit = limit
            self.spent = spent
            self.held = held
            self.remaining = remaining
            self.meaning = meaning
        }
    }

    /// What one researcher's requests of one dataset cost in one month.
    public struct Spending: Sendable, Hashable, Codable {
        /// Who asked.
        public var researcher: String
        /// The dataset that was asked.
        public var dataset: String
        /// When they were charged, such as "2026-11", UTC.
        public var month: String
        /// How many requests.
        public var requests: Int64
        /// What they were charged for good, together.
        public var spent: Loss
        /// What is held for those that wait; nil: nothing is.
        public var held: Loss?

        /// Spending, by its parts.
        public init(
            researcher: String, dataset: String, month: String, requests: Int64, spent: Loss, held: Loss? = nil
        ) {
            self.researcher = researcher
            self.dataset = dataset
            self.month = month
            self.requests = requests
            self.spent = spent
            self.held = held
        }
    }

    /// A limit of how often a dataset may be used for a kind of work that is counted, and what of it is used.
    public struct Uses: Sendable, Hashable, Codable {
        /// The dataset.
        public var dataset: String
        /// The kind of work, such as "federated-training".
        public var engine: String
        /// "all researchers" or "researcher NAME".
        public var scope: String
        /// How many there may be, for ever.
        public var limit: Int64
        /// How many were counted for good.
        public var spent: Int64
        /// How many are held for requests that wait for approval; nil: none.
        public var held: Int64?
        /// How many are left.
        public var remaining: Int64

        /// A limit of uses, by its parts.
        public init(
            dataset: String, engine: String, scope: String, limit: Int64, spent: Int64, held: Int64? = nil,
            remaining: Int64
        ) {
            (self.dataset, self.engine, self.scope) = (dataset, engine, scope)
            (self.limit, self.spent, self.held, self.remaining) = (limit, spent, held, remaining)
        }
    }

    /// A dataset at another site whose people may be the same, since it was intersected with one of this population: what each site charges adds up for whoever is in
    /// both, and in questions to both together up to four times the rho of one.
    public struct Overlap: Sendable, Hashable, Codable {
        /// The dataset, here and there.
        public var dataset: String
        /// The other site's Ed25519 key, in base64.
        public var site: String
        /// The columns that were matched.
        public var columns: [String]
        /// When it was asked for last.
        public var time: String

        /// An overlap, by its parts.
        public init(dataset: String, site: String, columns: [String], time: String) {
            (self.dataset, self.site, self.columns, self.time) = (dataset, site, columns, time)
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
    /// Who spent it on what, and when, the newest month first; a researcher sees her own.
    public var spending: [Spending]?
    /// Of each dataset whose policy counts uses of a kind of work, all researchers first; nil: none does.
    public var uses: [Uses]?
    /// With which sites' datasets it may share people; nil: for others than owners.
    public var overlaps: [Overlap]?

    /// A report, by its parts.
    public init(
        population: String, datasets: [String], lines: [Line], leastCharge: Loss? = nil, raised: String? = nil,
        spending: [Spending]? = nil, uses: [Uses]? = nil, overlaps: [Overlap]? = nil
    ) {
        self.population = population
        self.datasets = datasets
        self.lines = lines
        self.leastCharge = leastCharge
        self.raised = raised
        self.spending = spending
        self.uses = uses
        self.overlaps = overlaps
    }
}
