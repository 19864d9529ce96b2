/// How rows become a table.
public struct IngestPlan: Sendable {
    /// The table's columns.
    public var schema: Schema
    /// The column that names the privacy unit; nil: each row is one.
    public var unitColumn: Int?
    /// The column on which a lookup table is unique.
    public var lookupKey: Int?
    /// The largest number of rows of a unit: what is beyond, in the unit's keyed order, is dropped.
    public var rowsPerUnit: Int
    /// The keys of units' names and of rows' order.
    public var key: ClusteringKey
    /// What happens to wrong rows.
    public var onError: ErrorPolicy
    /// The table whose rows are added again, before a file's: of each unit, what it dropped counts on.
    public var base: Table?
    /// Whether values are only looked at for a draft; nothing is kept.
    public var isSurvey = false

    /// A plan of a private table, or with `lookupKey` of a public one.
    public init(
        schema: Schema, unitColumn: Int?, lookupKey: Int? = nil, rowsPerUnit: Int, key: ClusteringKey,
        onError: ErrorPolicy = .refuse
    ) {
        self.schema = schema
        self.unitColumn = unitColumn
        self.lookupKey = lookupKey
        self.rowsPerUnit = rowsPerUnit
        self.key = key
        self.onError = onError
    }
}
