/// What a question would cost and how precise it would be (`POST /v1/preview`): from the plan alone, nothing spent.
public struct Preview: Sendable, Hashable, Codable {
    public struct Column: Sendable, Hashable, Codable {
        public var name: String
        public var type: String
        public var isKey: Bool
        /// The mechanism and its parameters, in words ("discrete Gaussian, standard deviation 12.3").
        public var mechanism: String?
        /// The standard deviation of the noise, in the column's unit, where it is known beforehand.
        public var standardDeviation: Double?
        /// The half-width of the 95 % interval, absolute, where it is known beforehand.
        public var expectedError: Double?

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

    public var dataset: String
    public var sql: String
    public var charge: Loss
    /// What she could still spend, all limits taken together, before this question.
    public var available: Loss
    /// Whether it would be answered, wait for approval, or be refused (and why).
    public var decision: String
    public var columns: [Column]
    /// The number of groups, where the domain is public.
    public var groups: Int?
    public var notes: [String]

    public init(
        dataset: String, sql: String, charge: Loss, available: Loss, decision: String, columns: [Column],
        groups: Int?, notes: [String]
    ) {
        self.dataset = dataset
        self.sql = sql
        self.charge = charge
        self.available = available
        self.decision = decision
        self.columns = columns
        self.groups = groups
        self.notes = notes
    }
}
