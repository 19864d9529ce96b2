public import Tables

/// What the owner declares of a dataset: public, complete, and all that a plan may know.
public struct Manifest: Sendable, Hashable {
    /// The dataset's name at the site: at most ``Limits/nameBytes`` bytes.
    public var name: String
    /// A line that says to people what it is.
    public var title: String
    /// What people should know of it: where it comes from, what its columns mean.
    public var description: String
    /// The people protected: the ledger belongs to them (docs/privacy.md, rule 9).
    public var population: String
    /// Its columns, with their declared types, bounds and domains.
    public var schema: Schema
    /// The privacy unit and what one unit may contribute.
    public var unit: UnitDeclaration
    /// The position of the survey weight's column; nil where rows have no weight.
    public var weightColumn: Int?
    /// The largest number of rows that the table may hold: public; loading more is refused.
    public var capacityRows: Int
    /// The largest number of units that the table may hold: public; loading more is refused.
    public var capacityUnits: Int
    /// nil for a public lookup table.
    public var policy: Policy?
    /// For a public lookup table: its key's column. Such a table is not protected.
    public var lookupKey: Int?
    /// The most rows of a public lookup table that have one key.
    public var rowsPerKey = 1

    /// The name of the column that names the unit; nil where each row is one.
    public var unitColumnName: String? {
        unit.column.flatMap { schema.columns.indices.contains($0) ? schema.columns[$0].name : nil }
    }

    /// A manifest; nothing is checked here but by ``problems(isStored:)``.
    public init(
        name: String, title: String, description: String, population: String, schema: Schema, unit: UnitDeclaration,
        weightColumn: Int? = nil, capacityRows: Int, capacityUnits: Int, policy: Policy?, lookupKey: Int? = nil
    ) {
        self.name = name
        self.title = title
        self.description = description
        self.population = population
        self.schema = schema
        self.unit = unit
        self.weightColumn = weightColumn
        self.capacityRows = capacityRows
        self.capacityUnits = capacityUnits
        self.policy = policy
        self.lookupKey = lookupKey
    }
}
