/// What a question would cost and how precise it would be (`POST /v1/preview`): from the plan alone, nothing spent.
public struct Preview: Sendable, Hashable, Codable {
    /// A column of the answer to come.
    public struct Column: Sendable, Hashable, Codable {
        /// Its name, as the question has it.
        public var name: String
        /// Its type: "boolean", "integer", "real", "text", "date" or "timestamp".
        public var type: String
        /// Whether it is a grouping key, and no measured value.
        public var isKey: Bool
        /// The mechanism and its parameters, in words ("discrete Gaussian, standard deviation 12.3").
        public var mechanism: String?
        /// The standard deviation of the noise, in the column's unit, where it is known beforehand.
        public var standardDeviation: Double?
        /// The half-width of the 95 % interval, absolute, where it is known beforehand.
        public var expectedError: Double?

        /// A column, by its parts.
        public init(
            name: String, type: String, isKey: Bool, mechanism: String?, standardDeviation: Double?,
            expectedError: Double?
        ) {
            self.name = name
            self.type = type
            self.isKey = isKey
            self.mechanism = mechanism
            self.standardDeviation = standardDeviation
            self.expectedError = expectedError
        }
    }

    /// The dataset that is asked.
    public var dataset: String
    /// The question.
    public var sql: String
    /// What it would cost.
    public var charge: Loss
    /// What she could still spend, all limits taken together, before this question.
    public var available: Loss
    /// Whether it would be answered, wait for approval, or be refused (and why).
    public var decision: String
    /// The columns of the answer, in the question's order.
    public var columns: [Column]
    /// The number of groups, where the domain is public.
    public var groups: Int?
    /// What must be known to read the numbers.
    public var notes: [String]
    /// What is left, in questions; nil from a server that does not count them.
    public var left: QuestionsLeft?
    /// What the engine says of it for programs, in JSON; nil where it says nothing.
    public var document: String?
    /// How many owners would have to approve it first; nil where it would be refused.
    public var approvals: Int?

    /// A preview, by its parts.
    public init(
        dataset: String, sql: String, charge: Loss, available: Loss, decision: String, columns: [Column],
        groups: Int?, notes: [String], left: QuestionsLeft? = nil, document: String? = nil,
        approvals: Int? = nil
    ) {
        self.dataset = dataset
        self.sql = sql
        self.charge = charge
        self.available = available
        self.decision = decision
        self.columns = columns
        self.groups = groups
        self.notes = notes
        self.left = left
        self.document = document
        self.approvals = approvals
    }
}
