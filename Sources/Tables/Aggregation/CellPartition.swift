/// How a column's values are cut into cells: by public numbers alone.
public struct CellPartition: Sendable, Hashable {
    /// How values become cells.
    public enum Cells: Sendable, Hashable {
        /// A cell for each of these values, in that order; any other value counts as null.
        case values([Value])
        /// Cell i holds the numbers in `[edges[i], edges[i + 1])`; those beyond the ends count in the first and the last
        /// cell, as values are clipped to their bounds (docs/privacy.md, rule 12). Edges ascend; there are at least two.
        case intervals(edges: [Double])
    }

    /// The column's position in the schema.
    public var column: Int
    /// How the column's values become cells.
    public var cells: Cells
    /// Whether null has a cell of its own, the last; else rows with null are not counted here.
    public var hasNull: Bool

    /// Cells of the column at that position.
    public init(column: Int, cells: Cells, hasNull: Bool) {
        self.column = column
        self.cells = cells
        self.hasNull = hasNull
    }

    /// The number of cells, null's included.
    public var count: Int {
        let declared =
            switch cells {
            case .values(let values): values.count
            case .intervals(let edges): Swift.max(edges.count - 1, 0)
            }
        return declared + (hasNull ? 1 : 0)
    }
}

extension CellPartition {
    /// The most bytes that it takes to code a column of that type and to count its cells, whatever the rows hold.
    public func largestMemory(type: ValueType) -> Double {
        let scratch = Double(RowChunk.capacity * (MemoryLayout<Int32>.stride + MemoryLayout<Int64>.stride * 2))
        // Counts, with and without what is not counted, and the group of each cell.
        let counting = scratch + Double(count + 1) * 32
        guard case .values(let values) = cells else { return counting + Double(count) * 8 }
        let texts = values.reduce(0.0) { bytes, value in
            if case .text(let text) = value { bytes + 2 * Double(text.utf8.count) + 64 } else { bytes }
        }
        // A hash table from values to cells that may be half empty, and has just been grown.
        let coding = Double(values.count) * 128 + texts
        return counting + coding + Double(CellCoder.tableSize(values.compactMap { $0.word(as: type) })) * 4
    }
}

/// Writes the cell of each row of a chunk: 0 ..< partition.count, and `partition.count` for what is not counted.
final class CellCoder {
    private enum Method {
        /// By dictionary code.
        case text([Int32])
        /// `table[word - base]`.
        case table(base: Int64, [Int32])
        case hashed([Int64: Int32])
        case edges([Double])
    }

    private let stored: StoredColumn
    private let isReal: Bool
    private let method: Method
    private let nullCell: Int32
    private let words: UnsafeMutablePointer<Int64>
    private let reals: UnsafeMutablePointer<Double>
    let count: Int

    private static let largestTable: UInt64 = 1 << 20

    init(_ partition: CellPartition, in table: Table) {
        stored = table.columns[partition.column]
        let type = table.schema.columns[partition.column].type
        isReal = type == .real
        count = partition.count
        nullCell = Int32(partition.hasNull ? partition.count - 1 : partition.count)
        switch partition.cells {
        case .intervals(let edges): method = .edges(edges)
        case .values(let values): method = Self.method(values, type, stored.dictionary, other: nullCell)
        }
        words = .allocate(capacity: RowChunk.capacity)
        reals = .allocate(capacity: RowChunk.capacity)
    }

    deinit {
        words.deallocate()
        reals.deallocate()
    }

    private static func method(
        _ values: [Value], _ type: ValueType, _ dictionary: TextDictionary?, other: Int32
    ) -> Method {
        if let dictionary {
            var cells: [String: Int32] = [:]
            for (cell, value) in values.enumerated() {
                if case .text(let text) = value { cells[text.normalizedForKeys] = Int32(cell) }
            }
            return .text(
                (0..<dictionary.count).map { code in
                    cells[String(decoding: dictionary.bytes(of: code), as: UTF8.self)] ?? other
                })
        }
        var cells: [Int64: Int32] = [:]
        for (cell, value) in values.enumerated() {
            if let word = value.word(as: type) { cells[word] = Int32(cell) }
        }
        let size = tableSize(cells.keys)
        guard size > 0, let least = cells.keys.min() else { return .hashed(cells) }
        var table = [Int32](repeating: other, count: size)
        for (word, cell) in cells { table[Int(word - least)] = cell }
        return .table(base: least, table)
    }

    /// The entries of a table from the least word to the largest; 0 where there would be too many, or none.
    static func tableSize(_ words: some Collection<Int64>) -> Int {
        guard let least = words.min(), let largest = words.max(), UInt64(bitPattern: largest &- least) < largestTable
        else { return 0 }
        return Int(largest - least) + 1
    }

    /// The cells of rows `start ..< start + rows`, at most a chunk.
    func code(from start: Int, rows: Int, into target: UnsafeMutablePointer<Int32>) {
        if isReal {
            stored.loadReals(from: start, count: rows, into: reals)
        } else {
            stored.loadIntegers(from: start, count: rows, into: words)
        }
        for row in 0..<rows { target[row] = cell(row) }
    }

    @inline(__always)
    private func cell(_ row: Int) -> Int32 {
        if isReal ? reals[row].isNaN : words[row] == ColumnEncoding.null { return nullCell }
        switch method {
        case .text(let cells): return cells[Int(words[row])]
        case .table(let base, let cells):
            let place = UInt64(bitPattern: word(row) &- base)
            return place < UInt64(cells.count) ? cells[Int(place)] : nullCell
        case .hashed(let cells): return cells[word(row)] ?? nullCell
        case .edges(let edges): return Self.interval(isReal ? reals[row] : Double(words[row]), edges)
        }
    }

    @inline(__always)
    private func word(_ row: Int) -> Int64 {
        isReal ? Int64(bitPattern: (reals[row] + 0.0).bitPattern) : words[row]
    }

    /// The last interval that starts at or below the value, by halving.
    @inline(__always)
    private static func interval(_ value: Double, _ edges: [Double]) -> Int32 {
        var (low, high) = (0, edges.count - 2)
        while low < high {
            let middle = (low + high + 1) / 2
            if edges[middle] <= value { low = middle } else { high = middle - 1 }
        }
        return Int32(low)
    }
}
