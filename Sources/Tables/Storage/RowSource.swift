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
    /// Where public tables may have several rows for a key: which of the row's copies it is, from 0.
    var copies: UnsafeMutablePointer<Int32>?

    init(isJoin: Bool, copies: Int = 1) {
        units = .allocate(capacity: Self.capacity)
        if isJoin || copies > 1 { left = .allocate(capacity: Self.capacity) }
        if isJoin { right = .allocate(capacity: Self.capacity) }
        if copies > 1 { self.copies = .allocate(capacity: Self.capacity) }
    }

    func deallocate() {
        units.deallocate()
        left?.deallocate()
        right?.deallocate()
        copies?.deallocate()
    }
}

extension RowSource {
    /// Calls `body` with chunk after chunk. Each row comes `copies` times, one behind the other.
    func forEachChunk(copies: Int = 1, _ body: (RowChunk) -> Void) {
        switch self {
        case .table(let table) where copies > 1: Self.scan(table, copies: copies, body)
        case .table(let table): Self.scan(table, body)
        case .join(let left, let right, let leftRows, let rightRows):
            Self.scan(
                left, right, leftRows: Swift.max(leftRows, 0), rightRows: Swift.max(rightRows, 0), copies: copies, body)
        }
    }

    private static func scan(_ table: Table, copies: Int, _ body: (RowChunk) -> Void) {
        var chunk = RowChunk(isJoin: false, copies: copies)
        defer { chunk.deallocate() }
        guard let indices = chunk.left, let numbers = chunk.copies else { return }
        let units = table.unitStarts == nil ? table.rowCount : table.unitCount
        for unit in 0..<units {
            for row in table.unitStarts == nil ? unit..<unit + 1 : table.rows(ofUnit: unit) {
                for copy in 0..<copies {
                    indices[chunk.count] = row
                    numbers[chunk.count] = Int32(truncatingIfNeeded: copy)
                    chunk.units[chunk.count] = UInt32(truncatingIfNeeded: unit)
                    chunk.count += 1
                    if chunk.count == RowChunk.capacity {
                        body(chunk)
                        chunk.count = 0
                    }
                }
            }
        }
        if chunk.count > 0 { body(chunk) }
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
        _ left: Table, _ right: Table, leftRows: Int, rightRows: Int, copies: Int, _ body: (RowChunk) -> Void
    ) {
        guard let leftHashes = left.unitHashes, let rightHashes = right.unitHashes else { return }
        var chunk = RowChunk(isJoin: true, copies: copies)
        defer { chunk.deallocate() }
        guard let leftIndices = chunk.left, let rightIndices = chunk.right else { return }
        var unit: UInt32 = 0
        MatchedUnits(leftHashes, rightHashes).forEach { leftUnit, rightUnit in
            for l in left.rows(ofUnit: leftUnit).prefix(leftRows) {
                for r in right.rows(ofUnit: rightUnit).prefix(rightRows) {
                    for copy in 0..<copies {
                        leftIndices[chunk.count] = l
                        rightIndices[chunk.count] = r
                        chunk.copies?[chunk.count] = Int32(truncatingIfNeeded: copy)
                        chunk.units[chunk.count] = unit
                        chunk.count += 1
                        if chunk.count == RowChunk.capacity {
                            body(chunk)
                            chunk.count = 0
                        }
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
