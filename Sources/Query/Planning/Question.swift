public import DatasiteProtocol
public import DifferentialPrivacy
public import Tables

/// A question as it is asked.
public struct Question: Sendable, Hashable {
    /// One SELECT statement.
    public var sql: String
    /// What it may cost, or how precise it must be.
    public var budget: Budget
    /// The delta that key selection may use; nil: the policy's selection delta in proportion to the question's loss.
    public var selectionDelta: Double?
    /// Fewer groups of one unit than the manifest allows, never more; nil: the manifest's bound.
    public var groupsPerUnit: Int?
    /// Fewer rows of one unit in a group than the manifest allows, never more; nil: the manifest's bound.
    public var rowsPerGroup: Int?
    /// Whether a small part of the budget measures what bounding leaves out, where it can leave out anything.
    public var boundingShares: Bool
    /// Whether all intervals of the answer hold together with 95 %, not each by itself.
    public var isSimultaneous: Bool

    /// A question; hints that are nil are left to the manifest and the policy.
    public init(
        sql: String, budget: Budget, selectionDelta: Double? = nil, groupsPerUnit: Int? = nil,
        rowsPerGroup: Int? = nil, boundingShares: Bool = false, isSimultaneous: Bool = false
    ) {
        self.sql = sql
        self.budget = budget
        self.selectionDelta = selectionDelta
        self.groupsPerUnit = groupsPerUnit
        self.rowsPerGroup = rowsPerGroup
        self.boundingShares = boundingShares
        self.isSimultaneous = isSimultaneous
    }
}

/// What planning may know of a dataset: nothing of its rows.
public struct DatasetDescription: Sendable, Hashable {
    /// The dataset's name, by which questions name it.
    public var name: String
    /// Its columns.
    public var schema: Schema
    /// Its privacy unit and what one unit may contribute.
    public var unit: UnitDeclaration
    /// The survey weight's column, if there is one; its bounds are declared.
    public var weightColumn: Int?
    /// The largest number of rows that the owner declares: public.
    public var capacityRows: Int
    /// The largest number of units that the owner declares: public; nil: as many as rows.
    public var capacityUnits: Int?
    /// The people protected: datasets of one population draw on one ledger.
    public var population: String
    /// The least that a question which reads it is charged (docs/privacy.md, rule 27), in units of `PrivacyLoss.amountUnit`.
    public var leastAmount: Int64

    /// What a manifest and its policy say of a dataset.
    public init(
        name: String, schema: Schema, unit: UnitDeclaration, weightColumn: Int? = nil, capacityRows: Int,
        capacityUnits: Int? = nil, population: String, leastAmount: Int64 = 0
    ) {
        self.name = name
        self.schema = schema
        self.unit = unit
        self.weightColumn = weightColumn
        self.capacityRows = capacityRows
        self.capacityUnits = capacityUnits
        self.population = population
        self.leastAmount = leastAmount
    }

    /// Where each row is a unit, as many as rows.
    var largestUnits: Int {
        unit.column == nil ? capacityRows : Swift.min(capacityRows, capacityUnits ?? capacityRows)
    }
}

/// A public table: joining it multiplies rows by what a key may have of them, one unless it is declared.
public struct LookupDescription: Sendable, Hashable {
    /// The table's name, by which questions name it.
    public var name: String
    /// Its columns.
    public var schema: Schema
    /// The position of the key's column.
    public var keyColumn: Int
    /// The most rows that a key has, as the owner declares.
    public var rowsPerKey: Int
    /// The largest number of rows that the owner declares.
    public var capacityRows: Int
    /// The values that stand in each column, in their order, null first where it does; nil where they are not said. The
    /// table is public, so they are.
    public var domains: [[Value]?]

    /// A public table of that name and schema.
    public init(
        name: String, schema: Schema, keyColumn: Int, rowsPerKey: Int = 1, capacityRows: Int, domains: [[Value]?] = []
    ) {
        self.name = name
        self.schema = schema
        self.keyColumn = keyColumn
        self.rowsPerKey = Swift.max(1, rowsPerKey)
        self.capacityRows = capacityRows
        self.domains = domains
    }

    /// The values that stand in a column; nil where they are not said.
    func domain(_ column: Int) -> [Value]? { column < domains.count ? domains[column] : nil }
}

/// All that a plan may depend on beside the question: public, the same whatever the data.
public struct PlanningContext: Sendable {
    /// The private tables that a question may read.
    public var datasets: [DatasetDescription]
    /// The public tables that a question may join.
    public var lookups: [LookupDescription]
    /// How the policy measures loss.
    public var regime: LossRegime
    /// The aggregates that the policy allows.
    public var allowed: Set<AggregateFunction>

    /// All that questions to these tables may depend on.
    public init(
        datasets: [DatasetDescription], lookups: [LookupDescription] = [], regime: LossRegime,
        allowed: Set<AggregateFunction> = Set(AggregateFunction.allCases)
    ) {
        self.datasets = datasets
        self.lookups = lookups
        self.regime = regime
        self.allowed = allowed
    }
}
