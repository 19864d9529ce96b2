import Tables

extension SyntheticData {
    /// The most rows that a table of it has.
    public var largestRowCount: Int {
        max(1, min(options.rows ?? Limits.rows, Limits.values / max(schema.columns.count, 1)))
    }

    /// The most bytes that `measure` holds at once beside the private table's own files, whatever the rows hold: from
    /// schema and options alone. Everything is added up, also what is not held at the same time.
    public var largestMemory: Double { countingMemory + modelMemory + rowsMemory }

    /// Columns as they are coded, and the exact counts of all pairs: with what is not counted, and without.
    private var countingMemory: Double {
        let sizes = columns.map { Double(groups($0) + 1) }
        let all = sizes.reduce(0, +)
        let pairs = (all * all - sizes.reduce(0) { $0 + $1 * $1 }) / 2
        let coding = columns.reduce(0) { $0 + $1.partition.largestMemory(type: $1.type) }
        return 2 * (16 * pairs + 64 * Double(columns.count * columns.count)) + coding
    }

    /// Noisy counts of cells and of chosen pairs, and the dozen copies of them that fitting takes.
    private var modelMemory: Double {
        let cells = columns.reduce(0.0) { $0 + Double($1.cellCount) }
        let largest = columns.reduce(0.0) { max($0, Double(groups($1))) }
        return 128 * cells + 12 * 8 * Double(columns.count) * (largest * largest + 16)
    }

    /// Groups and cells of each row, who is in which group, and the rows' values.
    private var rowsMemory: Double {
        let row = 8 * columns.count + 64 + 48 + MemoryLayout<Value>.stride * schema.columns.count
        return Double(largestRowCount * row)
    }

    private func groups(_ column: SyntheticColumn) -> Int { min(column.cellCount, CellMerging.mostGroups) }
}
