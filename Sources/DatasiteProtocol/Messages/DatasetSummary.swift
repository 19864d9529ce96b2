/// A line of the catalogue (`GET /v1/datasets`).
public struct DatasetSummary: Sendable, Hashable, Codable {
    public var name: String
    public var title: String
    /// A random identifier of the version, never a hash of the data.
    public var version: String
    public var columns: Int
    public var unit: String
    public var population: String
    /// "private" or "lookup".
    public var kind: String

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
