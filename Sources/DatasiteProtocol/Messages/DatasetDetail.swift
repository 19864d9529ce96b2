/// A dataset's dictionary, policy and mock rows (`GET /v1/datasets/{name}`): all public.
public struct DatasetDetail: Sendable, Hashable, Codable {
    /// A column of the dictionary.
    public struct Column: Sendable, Hashable, Codable {
        /// Its name.
        public var name: String
        /// Its type: "boolean", "integer", "real", "text", "date" or "timestamp".
        public var type: String
        public var description: String
        /// Whether a value may be missing.
        public var nullable: Bool
        /// The declared lower bound of numbers, in the column's unit. Earlier sites give here those of dates and timestamps too, in
        /// days and seconds since 1970.
        public var lower: Double?
        /// The declared upper bound, likewise.
        public var upper: Double?
        /// The declared lower bound of dates and timestamps: RFC 3339 text, UTC.
        public var earliest: String?
        /// The declared upper bound, likewise.
        public var latest: String?
        /// The grid, from the lower bound on, to which values are rounded; of dates in days, of timestamps in seconds.
        public var resolution: Double?
        /// The declared values, where the domain is public.
        public var domain: [Scalar]?
        /// What a value outside the domain counts as; nil: as missing.
        public var other: Scalar?
        /// "unit", "weight", "key" or nil.
        public var role: String?
        /// What it is computed of; nil: of nothing.
        public var computed: ArrayStatistic?
        /// All that a question's meaning depends on, in words: the same at sites that declare the column alike. nil: of an earlier site.
        public var declared: String?

        /// What a column is of one of the dataset's arrays, for each row.
        public struct ArrayStatistic: Sendable, Hashable, Codable {
            /// "mean" or "deviation" of a row's numbers.
            public var statistic: String
            /// The array's name.
            public var array: String

            /// That of the array with this name.
            public init(statistic: String, array: String) { (self.statistic, self.array) = (statistic, array) }
        }

        /// A column, by its parts.
        public init(
            name: String, type: String, description: String, nullable: Bool, lower: Double? = nil, upper: Double? = nil,
            earliest: String? = nil, latest: String? = nil, resolution: Double? = nil, domain: [Scalar]? = nil,
            other: Scalar? = nil, role: String? = nil
        ) {
            self.name = name
            self.type = type
            self.description = description
            self.nullable = nullable
            self.lower = lower
            self.upper = upper
            self.earliest = earliest
            self.latest = latest
            self.resolution = resolution
            self.domain = domain
            self.other = other
            self.role = role
        }
    }

    /// An array that each row has beside its columns, such as an image: trained on, never asked for in questions.
    public struct Array: Sendable, Hashable, Codable {
        /// Its name.
        public var name: String
        /// How each number is stored: "uint8" or "float32".
        public var type: String
        /// The extents of one row's numbers; of an image channels, height and width.
        public var shape: [Int]
        /// The declared lower bound of its numbers.
        public var lower: Double
        /// The declared upper bound, likewise.
        public var upper: Double
        public var description: String

        /// An array, by its parts.
        public init(name: String, type: String, shape: [Int], lower: Double, upper: Double, description: String) {
            self.name = name
            self.type = type
            self.shape = shape
            self.lower = lower
            self.upper = upper
            self.description = description
        }
    }

    /// The line of the catalogue.
    public var summary: DatasetSummary
    public var description: String
    /// The columns, in the order of the table.
    public var columns: [Column]
    /// The arrays that each row has; nil: none.
    public var arrays: [Array]?
    /// The most rows of one privacy unit.
    public var rowsPerUnit: Int
    /// The most groups of an answer that one privacy unit contributes to.
    public var groupsPerUnit: Int
    /// The most rows that the table may hold.
    public var capacityRows: Int
    /// The most privacy units that the table may hold.
    public var capacityUnits: Int
    /// The policy in words and numbers; empty for a lookup table.
    public var total: Loss?
    /// What the total means in questions.
    public var meaning: BudgetMeaning?
    /// The most that one researcher may spend; nil: no limit of her own.
    public var perResearcher: Loss?
    /// The most that whoever reads this may spend, in the place of `perResearcher`, where the policy names her; told to nobody else.
    public var ownLimit: Loss?
    /// The most that one question may cost; nil: no limit of its own.
    public var perQuestion: Loss?
    /// What a question is charged at least.
    public var leastCharge: Loss?
    /// The limits in each window of time, in words: "window 7d: epsilon 1".
    public var windows: [String]
    /// The aggregates that may be asked for, by name.
    public var allowedAggregates: [String]
    /// Who decides, in words.
    public var approval: String
    /// The kinds of work that may be asked for, each with its rule in words: "training: noise from 0.7 to 10; ..."; nil: questions alone.
    public var work: [String]?
    /// A few mock rows, in the order of `columns`; of a public lookup table its own first rows.
    public var mockRows: [[Scalar]]
    /// Where mock rows come from, if they are of a synthetic table (a release, with its cost) or of a public table itself;
    /// nil: they are made up from the manifest alone.
    public var mockSource: String?

    /// A detail, by its parts.
    public init(
        summary: DatasetSummary, description: String, columns: [Column], arrays: [Array]? = nil, rowsPerUnit: Int,
        groupsPerUnit: Int,
        capacityRows: Int, capacityUnits: Int, total: Loss?, meaning: BudgetMeaning? = nil, perResearcher: Loss?,
        ownLimit: Loss? = nil, perQuestion: Loss?, leastCharge: Loss? = nil, windows: [String],
        allowedAggregates: [String], approval: String, work: [String]? = nil,
        mockRows: [[Scalar]],
        mockSource: String? = nil
    ) {
        self.summary = summary
        self.description = description
        self.columns = columns
        self.arrays = arrays
        self.rowsPerUnit = rowsPerUnit
        self.groupsPerUnit = groupsPerUnit
        self.capacityRows = capacityRows
        self.capacityUnits = capacityUnits
        self.total = total
        self.meaning = meaning
        self.perResearcher = perResearcher
        self.ownLimit = ownLimit
        self.perQuestion = perQuestion
        self.leastCharge = leastCharge
        self.windows = windows
        self.allowedAggregates = allowedAggregates
        self.approval = approval
        self.work = work
        self.mockRows = mockRows
        self.mockSource = mockSource
    }
}
