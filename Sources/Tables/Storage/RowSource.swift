/// The rows that a question scans, unit by unit.
public enum RowSource: Sendable {
    /// The rows of one table, in stored order.
    case table(Table)
    /// The join of two tables of one site and population on their unit. Of each unit the first `leftRows` and `rightRows`
    /// rows in stored order enter; every pair of them is a row, left row by left row; units without rows on both sides
    /// have none. The left table's columns come first. A table without a column that names the unit joins nothing.
    case join(Table, Table, leftRows: Int, rightRows: Int)

    /// The columns that expressions can name.
    public var columns: [ColumnSchema] {
        switch self {
        case .table(let table): table.schema.columns
        case .join(let left, let right, _, _): left.schema.columns + right.schema.columns
        }
    }
}

/// Rows of the source that are evaluated together.
struct RowChunk {
    /// Rows in a chunk: small enough that a handful of vectors stays in the first cache.
    static let capacity = 2048

    var count = 0
    /// Without indices: the rows `start ..< start + count` of the only table.
    var start = 0
    /// For a join: the row of the left and right table.
    var left: UnsafeMutablePointer<Int>?
    var right: UnsafeMutablePointer<Int>?
    /// The number of each row's unit; rows of a unit are adjacent, across chunks too.
    let units: UnsafeMutablePointer<UInt32>

    init(isJoin: Bool) {
        units = .allocate(capacity: Self.capacity)
        if isJoin {
            left = .allocate(capacity: Self.capacity)
            right = .allocate(capacity: Self.capacity)
        }
    }

    func deallocate() {
        units.deallocate()
        left?.deallocate()
        right?.deallocate()
    }
}

extension RowSource {
    /// Calls `body` with chunk after chunk.
    func forEachChunk(_ body: (RowChunk) -> Void) {
        switch self {
        case .table(let table): Self.scan(table, body)
        case .join(let left, let right, let leftRows, let rightRows):
            Self.scan(left, right, leftRows: Swift.max(leftRows, 0), rightRows: Swift.max(rightRows, 0), body)
        }
    }

    private static func scan(_ table: Table, _ body: (RowChunk) -> Void) {
        var chunk = RowChunk(isJoin: false)
        defer { chunk.deallocate() }
        var unit = 0
        var unitEnd = table.unitCount > 0 ? table.rows(ofUnit: 0).upperBound : 0
        while chunk.start < table.rowCount {
            chunk.count = Swift.min(RowChunk.capacity, table.rowCount - chunk.start)
            if table.unitStarts == nil {
                for i in 0..<chunk.count { chunk.units[i] = UInt32(truncatingIfNeeded: chunk.start + i) }
            } else {
                var i = 0
                while i < chunk.count {
                    let end = Swift.min(unitEnd - chunk.start, chunk.count)
                    while i < end {
                        chunk.units[i] = UInt32(truncatingIfNeeded: unit)
                        i += 1
                    }
                    guard i < chunk.count else { break }
                    unit += 1
                    unitEnd = unit < table.unitCount ? table.rows(ofUnit: unit).upperBound : table.rowCount
                }
            }
            body(chunk)
            chunk.start += chunk.count
        }
    }

    private static func scan(
        _ left: Table, _ right: Table, leftRows: Int, rightRows: Int, _ body: (RowChunk) -> Void
    ) {
        guard let leftHashes = left.unitHashes, let rightHashes = right.unitHashes else { return }
        var chunk = RowChunk(isJoin: true)
        defer { chunk.deallocate() }
        guard let leftIndices = chunk.left, let rightIndices = chunk.right else { return }
        var unit: UInt32 = 0
        MatchedUnits(leftHashes, rightHashes).forEach { leftUnit, rightUnit in
            for l in left.rows(ofUnit: leftUnit).prefix(leftRows) {
                for r in right.rows(ofUnit: rightUnit).prefix(rightRows) {
                    leftIndices[chunk.count] = l
                    rightIndices[chunk.count] = r
                    chunk.units[chunk.count] = unit
                    chunk.count += 1
                    if chunk.count == RowChunk.capacity {
                        body(chunk)
                        chunk.count = 0
                    }
                }
            }
            unit &+= 1
        }
        if chunk.count > 0 { body(chunk) }
    }

    /// An upper bound of the number of rows, for the check that sums cannot overflow.
    var largestRowCount: Int {
        switch self {
        case .table(let table): return table.rowCount
        case .join(let left, let right, let leftRows, let rightRows):
            let pairs = Swift.max(leftRows, 0).multipliedReportingOverflow(by: Swift.max(rightRows, 0))
            let units = Swift.min(left.unitCount, right.unitCount)
            let rows = pairs.partialValue.multipliedReportingOverflow(by: units)
            return pairs.overflow || rows.overflow ? Int.max : rows.partialValue
        }
    }

    /// The stored column behind a position, and whether it is of a join's right table; nil out of range.
    func column(_ index: Int) -> (stored: StoredColumn, type: ValueType, isRight: Bool)? {
        guard index >= 0 else { return nil }
        switch self {
        case .table(let table):
            guard index < table.columns.count else { return nil }
            return (table.columns[index], table.schema.columns[index].type, false)
        case .join(let left, let right, _, _):
            if index < left.columns.count { return (left.columns[index], left.schema.columns[index].type, false) }
            let place = index - left.columns.count
            guard place < right.columns.count else { return nil }
            return (right.columns[place], right.schema.columns[place].type, true)
        }
    }
}
