/// Exact marginal tables of some columns, each cut into public cells: private, the input of a noisy measurement.
///
/// Of each unit the first `rowsPerUnit` rows in stored order count (docs/privacy.md, rule 11), so one unit changes each
/// marginal by at most that much in L1 norm, and by at most that much in L2 norm (all its rows in one cell).
public struct MarginalCounting {
    private let table: Table
    private let partitions: [CellPartition]
    private let rowsPerUnit: Int

    /// nil for a column that the table has not, or fewer than one row a unit.
    public init?(_ partitions: [CellPartition], rowsPerUnit: Int, table: Table) {
        guard rowsPerUnit > 0, partitions.allSatisfy({ table.columns.indices.contains($0.column) && $0.count > 0 })
        else {
            return nil
        }
        self.partitions = partitions
        self.rowsPerUnit = rowsPerUnit
        self.table = table
    }

    /// The number of units, and of rows in each cell of each column: one scan.
    public func singles() -> ExactSingles {
        let scan = MarginalScan(partitions, groups: nil, table: table)
        var counts = scan.coders.map { [Int64](repeating: 0, count: $0.count + 1) }
        let units = scan.run(rowsPerUnit) { codes, rows in
            for column in counts.indices {
                let code = codes[column]
                counts[column].withUnsafeMutableBufferPointer { counts in
                    for row in rows { counts[Int(code[Int(row)])] &+= 1 }
                }
            }
        }
        return ExactSingles(units: units, counts: counts.map { Array($0.dropLast()) })
    }

    /// The number of rows in each pair of groups of cells, for every pair of columns: one scan. `groups[c][cell]` is the
    /// group of a cell of column c, numbered from 0 without gaps.
    public func pairs(groups: [[Int32]]) -> ExactPairs {
        let scan = MarginalScan(partitions, groups: groups, table: table)
        let sizes = scan.groupCounts
        var tables: [(left: Int, right: Int, counts: [Int64])] = []
        for left in sizes.indices {
            for right in sizes.indices.dropFirst(left + 1) {
                tables.append((left, right, [Int64](repeating: 0, count: (sizes[left] + 1) * (sizes[right] + 1))))
            }
        }
        _ = scan.run(rowsPerUnit) { codes, rows in
            for place in tables.indices {
                let left = codes[tables[place].left]
                let right = codes[tables[place].right]
                let width = Int32(sizes[tables[place].right] + 1)
                tables[place].counts.withUnsafeMutableBufferPointer { counts in
                    for row in rows { counts[Int(left[Int(row)] * width + right[Int(row)])] &+= 1 }
                }
            }
        }
        return ExactPairs(sizes: sizes, tables: tables.map { Self.withoutUncounted($0.counts, sizes[$0.right]) })
    }

    /// Drops the last row and column of a marginal: what was not counted in one of the two.
    private static func withoutUncounted(_ counts: [Int64], _ width: Int) -> [Int64] {
        var kept: [Int64] = []
        for start in stride(from: 0, to: counts.count - width - 1, by: width + 1) {
            kept += counts[start..<start + width]
        }
        return kept
    }
}

/// Exact counts of each column's cells: private, for the noise alone.
public struct ExactSingles: ~Copyable {
    /// The number of units in the table.
    public let units: Int64
    /// By column, then by cell.
    public let counts: [[Int64]]
}

/// Exact counts of each pair of columns: private, for selection and noise alone.
public struct ExactPairs: ~Copyable {
    private let sizes: [Int]
    private let tables: [[Int64]]

    init(sizes: [Int], tables: [[Int64]]) {
        self.sizes = sizes
        self.tables = tables
    }

    /// The counts of columns `left < right`, the right group fastest.
    public func counts(_ left: Int, _ right: Int) -> [Int64] {
        tables[left * (2 * sizes.count - left - 1) / 2 + right - left - 1]
    }
}

/// One scan that codes every column, chunk by chunk.
private final class MarginalScan {
    let coders: [CellCoder]
    /// By column: the group of each cell, and one more for what is not counted; nil: each cell is its own.
    private let groups: [[Int32]]?
    private let source: RowSource
    private let codes: [UnsafeMutablePointer<Int32>]
    private let selected: UnsafeMutablePointer<Int32>

    init(_ partitions: [CellPartition], groups: [[Int32]]?, table: Table) {
        coders = partitions.map { CellCoder($0, in: table) }
        self.groups = groups.map { groups in groups.map { $0 + [($0.max() ?? -1) + 1] } }
        source = .table(table)
        codes = partitions.map { _ in .allocate(capacity: RowChunk.capacity) }
        selected = .allocate(capacity: RowChunk.capacity)
    }

    deinit {
        for code in codes { code.deallocate() }
        selected.deallocate()
    }

    /// The number of groups of each column; what is not counted is no group.
    var groupCounts: [Int] { (groups ?? []).map { Int($0.last ?? 0) } }

    /// Calls `body` with the columns' codes and the rows of the chunk that count; gives the number of units.
    func run(
        _ rowsPerUnit: Int, _ body: ([UnsafeMutablePointer<Int32>], UnsafeBufferPointer<Int32>) -> Void
    ) -> Int64 {
        var units: Int64 = 0
        var kept = 0
        var current: UInt32?
        source.forEachChunk { chunk in
            var count = 0
            for row in 0..<chunk.count {
                if chunk.units[row] != current {
                    current = chunk.units[row]
                    kept = 0
                    units += 1
                }
                guard kept < rowsPerUnit else { continue }
                kept += 1
                selected[count] = Int32(truncatingIfNeeded: row)
                count += 1
            }
            for (column, coder) in coders.enumerated() { code(column, coder, chunk) }
            body(codes, UnsafeBufferPointer(start: selected, count: count))
        }
        return units
    }

    private func code(_ column: Int, _ coder: CellCoder, _ chunk: RowChunk) {
        let target = codes[column]
        coder.code(from: chunk.start, rows: chunk.count, into: target)
        groups?[column].withUnsafeBufferPointer { group in
            for row in 0..<chunk.count { target[row] = group[Int(target[row])] }
        }
    }
}
