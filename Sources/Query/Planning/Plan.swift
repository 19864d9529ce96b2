public import DifferentialPrivacy
public import Tables

/// What a question comes to, decided from manifest, policy and text alone: what is read, how it is bounded and
/// aggregated, which noise is drawn, what it costs and how precise it is. The same question always gives the same plan,
/// whatever the data (docs/privacy.md, rule 5).
public struct Plan: Sendable, Hashable {
    /// The text as it was asked.
    public let sql: String
    /// The private tables read, in the order of the row source: one, or two joined on their unit.
    public let datasets: [String]
    /// For each of `datasets`, the largest number of rows of one unit that enters.
    public let rowsPerUnit: [Int]
    /// The public lookup tables read, in the order of their slots.
    public let lookups: [String]
    /// What is aggregated before noise.
    public let specification: AggregationSpecification
    /// The most work and memory that an answer takes, whatever the rows hold: scan, noise and what follows it.
    public let bound: PlanBound
    /// The loss of all events together, or the least charge where rounding left it below: never more than was asked for.
    public let charge: PrivacyLoss
    /// What will happen, for the accountant.
    public let events: [PrivacyEvent]
    /// The answer's columns, in order.
    public let columns: [PlannedColumn]
    /// The number of groups of a public domain (1 without GROUP BY); nil where keys are selected privately.
    public let groups: Int?
    /// Remarks for the reader.
    public let notes: [String]

    let output: OutputPlan
    /// What is computed of the groups in place of the output's columns.
    let statistic: StatisticPlan?
    /// Into which table the output's columns are put.
    let description: DescriptionPlan?

    init(
        question: BoundQuestion, sql: String, specification: AggregationSpecification, bound: PlanBound,
        allocation: Allocation.Result,
        columns: [PlannedColumn], groups: Int?, notes: [String], output: OutputPlan, statistic: StatisticPlan? = nil
    ) {
        self.sql = sql
        datasets = question.scope.datasets.map(\.name)
        rowsPerUnit = question.scope.datasets.map(Contribution.rows)
        lookups = question.scope.lookups.map(\.name)
        self.specification = specification
        self.bound = bound
        charge = allocation.charge
        events = allocation.events
        self.columns = columns
        self.groups = groups
        self.notes = notes
        self.output = output
        self.statistic = statistic
        description = question.statistic?.description
    }
}

/// A column of the answer, as far as it is known beforehand.
public struct PlannedColumn: Sendable, Hashable {
    /// The column's name: as the question gives it, else the text of its expression.
    public var name: String
    /// The type of its values.
    public var type: ValueType
    /// Whether it follows from the grouping keys alone.
    public var isKey: Bool
    /// The mechanism and its parameters, in words; nil for a key.
    public var mechanism: String?
    /// The standard deviation of the noise in the column's unit, where the plan fixes it.
    public var standardDeviation: Double?
    /// The half-width of the 95 % interval, absolute, where the plan fixes it.
    public var expectedError: Double?
    /// The bin of a histogram that it counts.
    public var bin: HistogramBin?

    /// A column; a key has no mechanism and no error.
    public init(
        name: String, type: ValueType, isKey: Bool, mechanism: String? = nil, standardDeviation: Double? = nil,
        expectedError: Double? = nil
    ) {
        self.name = name
        self.type = type
        self.isKey = isKey
        self.mechanism = mechanism
        self.standardDeviation = standardDeviation
        self.expectedError = expectedError
    }
}

/// What follows the noise: how cells are computed, filtered, ordered and cut.
struct OutputPlan: Sendable, Hashable {
    enum Item: Sendable, Hashable {
        /// A value on the virtual row of a group, and where its interval comes from.
        case scalar(Expression, CellForm)
        case bin(channel: Int, Int)
    }

    var keys: [KeySpecification]
    var selection: KeyThreshold?
    var top: TopChoice?
    var channels: [Channel]
    /// One for each aggregate, and its type.
    var forms: [EstimateForm]
    var types: [ValueType]
    var items: [Item]
    var having: Expression?
    var orders: [BoundQuestion.Order]
    var limit: Int?
    var offset: Int
    /// What is measured of what bounding leaves out, and what that does to each item.
    var bounding: [BoundingChannel]
    var effects: [BoundingEffect]
}

extension OutputPlan {
    /// Of a statistic: the keys alone.
    init(keys: [KeySpecification]) {
        self.init(
            keys: keys, channels: [], forms: [], types: [], items: [], orders: [], offset: 0, bounding: [], effects: [])
    }
}
