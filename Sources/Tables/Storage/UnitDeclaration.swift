/// The privacy unitof a dataset and what it may contribute.
public struct UnitDeclaration: Sendable, Hashable {
    /// The column that names the unit; nil: each row is one.
    public var column: Int?
    /// The largest number of rows of a unit in the table: enforced when the table is added.
    public var rowsPerUnit: Int
    /// The largest number of groups that a unit may contribute to in one answer.
    public var groupsPerUnit: Int
    /// The largest number of rows that a unit may contribute to one group; nil: `rowsPerUnit`.
    public var rowsPerGroup: Int?

    /// A unit with its bounds, as a manifest declares them.
    public init(column: Int?, rowsPerUnit: Int, groupsPerUnit: Int, rowsPerGroup: Int? = nil) {
        self.column = column
        self.rowsPerUnit = rowsPerUnit
        self.groupsPerUnit = groupsPerUnit
        self.rowsPerGroup = rowsPerGroup
    }
}
