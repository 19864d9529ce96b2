import Tables

/// A column cut into cells by what its declaration says, and how a cell becomes a value again. Public.
struct SyntheticColumn: Sendable, Hashable {
    let partition: CellPartition
    let name: String
    let type: ValueType
    /// For numbers: the grid of values and where each cell begins on it.
    let grid: CellGrid?
    /// For domains: each cell's value.
    let values: [Value]

    var cellCount: Int { partition.count }
    /// Cells with an order, whose neighbours can be merged: null's is not among them.
    var orderedCells: Int { grid?.cellCount ?? 0 }

    /// The column at that position of a schema, or why it cannot be synthesised.
    static func make(_ schema: ColumnSchema, at index: Int) -> Result<SyntheticColumn, LeftOutColumn> {
        if let values = domain(schema) {
            return .success(
                SyntheticColumn(
                    partition: CellPartition(column: index, cells: .values(values), hasNull: schema.isNullable),
                    name: schema.name, type: schema.type, grid: nil, values: values))
        }
        guard schema.type != .text else {
            return .failure(LeftOutColumn(name: schema.name, reason: "it has no declared domain"))
        }
        guard let grid = CellGrid(schema) else {
            return .failure(LeftOutColumn(name: schema.name, reason: "it has no declared bounds"))
        }
        return .success(
            SyntheticColumn(
                partition: CellPartition(
                    column: index, cells: .intervals(edges: grid.edges), hasNull: schema.isNullable),
                name: schema.name, type: schema.type, grid: grid, values: []))
    }

    private static func domain(_ schema: ColumnSchema) -> [Value]? {
        if schema.type == .boolean { return [.boolean(false), .boolean(true)] }
        guard var domain = schema.domain, !domain.isEmpty else { return nil }
        if let other = schema.other, !domain.contains(other) { domain.append(other) }
        return domain
    }

    /// A value of a cell: the domain's, or one of the cell's grid points with equal chances.
    func value<R: RandomNumberGenerator>(_ cell: Int, using generator: inout R) -> Value {
        guard let grid else { return values.indices.contains(cell) ? values[cell] : .null }
        guard cell < grid.cellCount else { return .null }
        let number = grid.value(in: cell, using: &generator)
        switch type {
        case .real: return .real(number)
        case .date: return .date(Int64(number.rounded()))
        case .timestamp: return .timestamp(Int64(number.rounded()))
        default: return .integer(Int64(number.rounded()))
        }
    }
}

/// A column that no synthetic value is made for, and why.
public struct LeftOutColumn: Error, Sendable, Hashable {
    /// The column's name in the schema.
    public let name: String
    /// Why it has no values, in words for people.
    public let reason: String
}

/// Numbers between declared bounds on the grid of a column's resolution, in at most some sixty cells.
///
/// Cells are of equal width, except where a column that starts near zero spans more than two orders of magnitude
/// (spending, durations): there each is wider than the last by a constant factor, from one grid point up, since such
/// quantities crowd near zero. That is decided from the declaration alone.
struct CellGrid: Sendable, Hashable {
    let lower: Double
    let upper: Double
    let step: Double
    /// Cell i holds the grid points `starts[i] ..< starts[i + 1]`, counted from 0.
    let starts: [Int64]

    static let mostCells = 64
    /// Grid points where no resolution is declared for real numbers.
    private static let defaultPoints = 1_000.0

    var cellCount: Int { starts.count - 1 }

    /// nil without bounds.
    init?(_ schema: ColumnSchema) {
        guard let lower = schema.lowerBound, let upper = schema.upperBound, lower < upper, (upper - lower).isFinite
        else {
            return nil
        }
        self.lower = lower
        self.upper = upper
        let range = upper - lower
        let isReal = schema.type == .real
        let declared = schema.resolution ?? (isReal ? range / Self.defaultPoints : 1)
        // Finer than 2^40 points no cell can tell apart; a step above the range leaves one point.
        let step = max(declared, isReal ? range * 0x1p-40 : 1)
        self.step = step
        let points = Int64((range / step).rounded(.down)) + 1
        let isWide = schema.type == .real || schema.type == .integer
        starts =
            isWide && lower >= 0 && lower <= upper / 100 && points > 256
            ? Self.growing(points) : Self.equal(points)
    }

    private static func equal(_ points: Int64) -> [Int64] {
        let cells = min(points, Int64(mostCells))
        return (0...cells).map { cell in
            let product = Int128(points) * Int128(cell)
            return Int64(product / Int128(cells))
        }
    }

    /// Widths that grow by the factor that reaches the end in about `mostCells`.
    private static func growing(_ points: Int64) -> [Int64] {
        var factor = 1.0
        var starts: [Int64] = []
        repeat {
            factor += 1.0 / 32
            starts = [0]
            while let last = starts.last, last < points, starts.count <= mostCells + 1 {
                let next = max(last + 1, Int64((Double(last) * factor).rounded(.up)))
                starts.append(min(next, points))
            }
        } while starts.last != points || starts.count > mostCells + 1
        return starts
    }

    /// Half a step below each cell's first point, so that a value counts at the nearest point.
    var edges: [Double] {
        starts.map { lower + (Double($0) - 0.5) * step }
    }

    /// One of the cell's points, clipped to the bounds; rounded to nine decimals where the grid is coarser.
    func value<R: RandomNumberGenerator>(in cell: Int, using generator: inout R) -> Double {
        let width = starts[cell + 1] - starts[cell]
        let point = starts[cell] + Int64(Uniform.below(UInt64(max(width, 1)), using: &generator))
        let number = lower + Double(point) * step
        let short = step >= 1e-8 && abs(number) < 0x1p20 ? (number * 1e9).rounded() / 1e9 : number
        return min(max(short, lower), upper)
    }
}
