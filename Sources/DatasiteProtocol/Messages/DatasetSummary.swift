/// A line of the catalogue (`GET /v1/datasets`).
public struct DatasetSummary: Sendable, Hashable, Codable {
    /// The name, as SQL has it.
    public var name: String
    /// The owner's title.
    public var title: String
    /// A random identifier of the version, never a hash of the data.
    public var version: String
    /// The number of columns.
    public var columns: Int
    /// The privacy unit, in words; "none" for a lookup table.
    public var unit: String
    /// The population whose ledger it draws on.
    public var population: String
    /// "private" or "lookup".
    public var kind: String

    /// A line, by its parts.
    public init(
        name: String, title: String, version: String, columns: Int, unit: String, population: String, kind: String
    ) {
        self.name = name
        self.title = title
        self.version = version
        self.columns = columns
        self.unit = unit
        self.population = population
        self.kind = kind
    }
}
