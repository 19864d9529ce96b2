/// A dataset's dictionary, policy and mock rows (`GET /v1/datasets/{name}`): all public.
public struct DatasetDetail: Sendable, Hashable, Codable {
    public struct Column: Sendable, Hashable, Codable {
        public var name: String
        public var type: String
        public var description: String
        public var nullable: Bool
        public var lower: Double?
        public var upper: Double?
        public var resolution: Double?
        public var domain: [Scalar]?
        /// "unit", "weight", "key" or nil.
        public var role: String?

        public init(
            name: String, type: String, description: String, nullable: Bool, lower: Double?, upper: Double?,
            resolution: Double?, domain: [Scalar]?, role: String?
        ) {
            self.name = name
            self.type = type
            self.description = description
            self.nullable = nullable
            self.lower = lower
            self.upper = upper
            self.resolution = resolution
            self.domain = domain
            self.role = role
        }
    }

    public var summary: DatasetSummary
    public var description: String
    public var columns: [Column]
    public var rowsPerUnit: Int
    public var groupsPerUnit: Int
    public var capacityRows: Int
    public var capacityUnits: Int
    /// The policy in words and numbers; empty for a lookup table.
    public var total: Loss?
    public var perResearcher: Loss?
    public var perQuestion: Loss?
    /// What a question is charged at least.
    public var leastCharge: Loss?
    public var windows: [String]
    public var allowedAggregates: [String]
    public var approval: String
    /// A few mock rows, in the order of `columns`.
    public var mockRows: [[Scalar]]
    /// Where mock rows come from, if they are of a synthetic table (a release, with its cost); nil: they are made up from
    /// the manifest alone.
    public var mockSource: String?

    public init(
        summary: DatasetSummary, description: String, columns: [Column], rowsPerUnit: Int, groupsPerUnit: Int,
        capacityRows: Int, capacityUnits: Int, total: Loss?, perResearcher: Loss?, perQuestion: Loss?,
        leastCharge: Loss? = nil, windows: [String], allowedAggregates: [String], approval: String,
        mockRows: [[Scalar]],
        mockSource: String? = nil
    ) {
        self.summary = summary
        self.description = description
        self.columns = columns
        self.rowsPerUnit = rowsPerUnit
        self.groupsPerUnit = groupsPerUnit
        self.capacityRows = capacityRows
        self.capacityUnits = capacityUnits
        self.total = total
        self.perResearcher = perResearcher
        self.perQuestion = perQuestion
        self.leastCharge = leastCharge
        self.windows = windows
        self.allowedAggregates = allowedAggregates
        self.approval = approval
        self.mockRows = mockRows
        self.mockSource = mockSource
    }
}
