public import DifferentialPrivacy

/// Why no synthetic table can be made: by the schema, the options and the budget alone, never by data.
public enum SyntheticDataError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No column has a declared domain or declared bounds.
    case noColumns
    /// More columns than pairs can be counted for.
    case tooManyColumns(count: Int, limit: Int)
    /// A column whose domain has more values than can be counted, or all columns together.
    case tooManyCells(column: String?, limit: Int)
    /// A number that makes no sense: which, and what it should be.
    case option(String, expected: String)
    /// The budget cannot pay for any noise that can be drawn.
    case budget(MechanismError)
    /// A table of another schema than the one that was planned for.
    case otherTable
    /// The caller wanted no more of it.
    case cancelled

    /// What was wrong, and what would be right.
    public var description: String {
        switch self {
        case .noColumns: return "no column has a declared domain or declared bounds: there is nothing to measure"
        case .tooManyColumns(let count, let limit):
            return "\(count) columns have declared domains or bounds; at most \(limit) can be synthesised: name fewer"
        case .tooManyCells(let column?, let limit):
            return "the domain of \(column) has more than \(limit) values: leave the column out"
        case .tooManyCells(nil, let limit):
            return "the domains together have more than \(limit) values: name fewer columns"
        case .option(let name, let expected): return "\(name): expected \(expected)"
        case .budget(let error): return "the budget does not pay for a measurement: \(error)"
        case .otherTable: return "the table is not of the schema that was planned for"
        case .cancelled: return "it was cancelled: nothing was made"
        }
    }
}
