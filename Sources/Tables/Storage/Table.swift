/// A private table in memory or mapped from files: typed columns whose rows are clustered by privacy unit, each unit's
/// rows in their keyed order (docs/privacy.md, rule 11).
///
/// It prints nothing and its rows cannot be read from outside the module: what leaves it are bounded aggregates, through
/// ``BoundedAggregation``, and within the package numbers to learn from (``TableExamples``), identifiers to be hashed (``TableIdentifiers``) and
/// rows that an owner opens (``RowContents``), which print nothing either.
public final class Table: Sendable {
    /// Its columns.
    public let schema: Schema
    /// Private: for the owner only.
    public let rowCount: Int
    /// Private: for the owner only.
    public let unitCount: Int
    /// The position of the column that names the unit; nil where each row is a unit.
    public let unitColumn: Int?

    let columns: [StoredColumn]
    /// One byte string for each of the schema's arrays: row after row.
    let arrays: [ColumnBytes]
    /// `unitCount + 1` row numbers; nil where each row is a unit.
    let unitStarts: StoredColumn?
    /// 16 bytes a unit, ascending: high word, low word.
    let unitHashes: ColumnBytes?
    /// 4 bytes a unit: how many of its rows were dropped when the table was made, at most as many as it may have; nil
    /// where that was not counted.
    let unitDropped: ColumnBytes?

    /// Opens stored parts; nothing is read but what is needed to know that they fit together.
    public init(
        schema: Schema, description: TableDescription, part: (TablePart) throws -> ColumnBytes
    ) throws {
        guard description.columns.count == schema.columns.count, (description.arrays ?? 0) == schema.arrays.count,
            description.unitColumn.map(schema.columns.indices.contains) ?? true
        else { throw StoredTableError.schemaDiffers }
        guard Self.counts.contains(description.rowCount), Self.counts.contains(description.unitCount) else {
            throw StoredTableError.damaged(.unitStarts)
        }
        self.schema = schema
        rowCount = description.rowCount
        unitCount = description.unitCount
        unitColumn = description.unitColumn
        columns = try zip(schema.columns, description.columns).enumerated().map { index, pair in
            try Self.column(index, pair.0, pair.1, rows: description.rowCount, part: part)
        }
        arrays = try schema.arrays.enumerated().map { index, array in
            let bytes = try part(.array(index))
            let (size, overflows) = array.rowBytes.multipliedReportingOverflow(by: description.rowCount)
            guard !overflows, bytes.count == size else { throw StoredTableError.damaged(.array(index)) }
            return bytes
        }
        guard description.unitColumn != nil else {
            unitStarts = nil
            unitHashes = nil
            unitDropped = nil
            return
        }
        let starts = try part(.unitStarts)
        let hashes = try part(.unitHashes)
        guard starts.count == (unitCount + 1) * 8, hashes.count == unitCount * 16,
            Self.divide(rows: rowCount, starts)
        else { throw StoredTableError.damaged(.unitStarts) }
        let encoding = ColumnEncoding(kind: .integer, width: 8, base: 0, largest: Int64(rowCount))
        unitStarts = StoredColumn(encoding: encoding, bytes: starts, dictionary: nil)
        unitHashes = hashes
        unitDropped = try description.countsDropped == true ? part(.unitDropped) : nil
        guard unitDropped.map({ $0.count == unitCount * 4 }) ?? true else {
            throw StoredTableError.damaged(.unitDropped)
        }
    }

    /// Numbers of rows and units whose bytes can be counted.
    private static let counts = 0...(1 << 48)

    /// Whether the units' starts ascend from the first row to the end of the last.
    private static func divide(rows: Int, _ starts: ColumnBytes) -> Bool {
        starts.withBytes { bytes in
            let starts = bytes.bindMemory(to: Int64.self)
            var isAscending = starts[0] == 0 && starts[starts.count - 1] == Int64(rows)
            for unit in 1..<max(starts.count, 1) { isAscending = isAscending && starts[unit - 1] <= starts[unit] }
            return isAscending
        }
    }

    private static func column(
        _ index: Int, _ schema: ColumnSchema, _ description: TableDescription.Column, rows: Int,
        part: (TablePart) throws -> ColumnBytes
    ) throws -> StoredColumn {
        let encoding = description.encoding
        let bytes = try part(.column(index))
        guard encoding.isSound, bytes.count == rows * encoding.width else {
            throw StoredTableError.damaged(.column(index))
        }
        guard (schema.type == .real) == (encoding.kind == .real) else { throw StoredTableError.schemaDiffers }
        guard schema.type == .text else {
            return StoredColumn(
                encoding: encoding, bytes: bytes, dictionary: nil, bounds: bounds(schema, description))
        }
        let dictionary = TextDictionary(
            count: description.texts ?? 0, offsets: try part(.textOffsets(index)), bytes: try part(.textBytes(index)))
        guard dictionary.isSound, encoding.width < 8, encoding.base == 0, encoding.largest < Int64(dictionary.count)
        else {
            throw StoredTableError.damaged(.textOffsets(index))
        }
        return StoredColumn(encoding: encoding, bytes: bytes, dictionary: dictionary)
    }

    /// What is left to do to values when they are read: nothing where they were clipped before they were stored, or lie
    /// within the bounds. Units are told apart by their names' hashes, so that clipping their column merges nobody.
    private static func bounds(
        _ schema: ColumnSchema, _ description: TableDescription.Column
    ) -> DeclaredBounds? {
        guard schema.boundsPair != nil, description.bounds != schema.boundsPair,
            // A real is rounded too: the grid is what its keys are taken from.
            let bounds = schema.type == .real ? DeclaredBounds(schema) : DeclaredBounds(schema)?.withoutRounding
        else { return nil }
        let stored = StoredColumn(encoding: description.encoding, bytes: ColumnBytes([]), dictionary: nil)
        if let range = stored.range, range.clamped(to: bounds.integers) == range { return nil }
        return bounds
    }

    /// How many units occur in both tables, which were built under one site's secret: for the owner's warning that two
    /// populations hold the same people (docs/privacy.md, rule 9). 0 where a table has no column that names the unit.
    public func unitsShared(with other: Table) -> Int {
        guard let mine = unitHashes, let theirs = other.unitHashes else { return 0 }
        var shared = 0
        MatchedUnits(mine, theirs).forEach { _, _ in shared += 1 }
        return shared
    }

    /// One cell: for a table that is made of this one, and for tests.
    func value(_ column: Int, _ row: Int) -> Value {
        let stored = columns[column]
        let type = schema.columns[column].type
        if type == .real {
            var value = 0.0
            stored.loadReals(from: row, count: 1, into: &value)
            return value.isNaN ? .null : .real(value)
        }
        var word: Int64 = 0
        stored.loadIntegers(from: row, count: 1, into: &word)
        if word == ColumnEncoding.null { return .null }
        guard type == .text, let dictionary = stored.dictionary else { return Value(word: word, type: type) }
        return .text(String(decoding: dictionary.bytes(of: Int(word)), as: UTF8.self))
    }

    /// The rows of a unit.
    @inline(__always)
    func rows(ofUnit unit: Int) -> Range<Int> {
        guard let unitStarts else { return unit..<unit + 1 }
        let starts = unitStarts.bytes.start.assumingMemoryBound(to: Int64.self)
        return Int(starts[unit])..<Int(starts[unit + 1])
    }
}

extension Table: CustomReflectable {
    /// Shows nothing: rows, counts and encodings are private.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// One of the byte strings of which a stored table consists.
public enum TablePart: Sendable, Hashable {
    /// The values of the column at that position.
    case column(Int)
    /// Where each distinct text of a text column begins, and the end of the last.
    case textOffsets(Int)
    /// The distinct texts of a text column, one behind the other.
    case textBytes(Int)
    /// The numbers of the array at that position, row after row.
    case array(Int)
    /// The number of each unit's first row, and the number of rows.
    case unitStarts
    /// The units' names: 16 bytes each.
    case unitHashes
    /// How many rows of each unit were dropped when the table was made: 4 bytes each.
    case unitDropped

    /// A file name for it.
    public var name: String {
        switch self {
        case .column(let index): "column-\(index)"
        case .textOffsets(let index): "column-\(index)-offsets"
        case .textBytes(let index): "column-\(index)-texts"
        case .array(let index): "array-\(index)"
        case .unitStarts: "unit-starts"
        case .unitHashes: "unit-hashes"
        case .unitDropped: "unit-dropped"
        }
    }
}

/// What is needed beside the schema to open a table's parts. Private, as the rows are.
public struct TableDescription: Sendable, Hashable, Codable {
    /// What is needed to open one column.
    public struct Column: Sendable, Hashable, Codable {
        /// How its values lie in memory.
        public var encoding: ColumnEncoding
        /// The number of distinct texts of a text column.
        public var texts: Int?
        /// The bounds within which all values lie, where they were clipped before they were stored.
        public var bounds: [Double]?

        /// A column; `texts` is nil unless it is a text column.
        public init(encoding: ColumnEncoding, texts: Int?, bounds: [Double]? = nil) {
            self.encoding = encoding
            self.texts = texts
            self.bounds = bounds
        }
    }

    /// The number of rows.
    public var rowCount: Int
    /// The number of units; where each row is a unit, as many as rows.
    public var unitCount: Int
    /// The position of the column that names the unit; nil where each row is a unit.
    public var unitColumn: Int?
    /// The columns, in the schema's order.
    public var columns: [Column]
    /// Whether it is stored how many rows of each unit were dropped; nil in tables from before that was counted.
    public var countsDropped: Bool?
    /// How many arrays each row has; nil where none.
    public var arrays: Int?

    /// The parts that a table so described has.
    public var parts: [TablePart] {
        let ofColumns = columns.enumerated().flatMap { index, column -> [TablePart] in
            column.texts == nil ? [.column(index)] : [.column(index), .textOffsets(index), .textBytes(index)]
        }
        let ofRows = ofColumns + (0..<(arrays ?? 0)).map(TablePart.array)
        guard unitColumn != nil else { return ofRows }
        return ofRows + [.unitStarts, .unitHashes] + (countsDropped == true ? [.unitDropped] : [])
    }
}

/// Why stored parts are no table.
public enum StoredTableError: Error, Hashable {
    /// The parts are those of another schema.
    case schemaDiffers
    /// A part is missing, has another length, or holds what cannot be.
    case damaged(TablePart)
}

/// Units that occur in two tables, by a merge of their ascending hashes.
struct MatchedUnits {
    private let left: ColumnBytes
    private let right: ColumnBytes

    init(_ left: ColumnBytes, _ right: ColumnBytes) {
        self.left = left
        self.right = right
    }

    /// Calls `body` with the unit's number on each side.
    func forEach(_ body: (Int, Int) -> Void) {
        let leftCount = left.count / 16
        let rightCount = right.count / 16
        let leftWords = left.start.assumingMemoryBound(to: UInt64.self)
        let rightWords = right.start.assumingMemoryBound(to: UInt64.self)
        var i = 0
        var j = 0
        while i < leftCount, j < rightCount {
            let a = (leftWords[2 * i], leftWords[2 * i + 1])
            let b = (rightWords[2 * j], rightWords[2 * j + 1])
            if a == b { body(i, j) }
            if a <= b { i += 1 }
            if a >= b { j += 1 }
        }
    }
}
