/// What is public of a row source: enough to say how much work and memory a scan of it takes at most.
public struct SourceShape: Sendable, Hashable {
    /// The columns that expressions can name.
    public var columns: [ColumnSchema]
    /// The most rows of the source: of a join, its pairs; each as often as its keys may have rows in the public tables.
    public var rows: Double
    /// The most rows of one of its tables.
    public var tableRows: Double
    /// The most units of all its tables together.
    public var units: Double
    /// The public tables that are joined, with the most rows of each.
    public var lookups: [Lookup]

    /// A public table that is joined.
    public struct Lookup: Sendable, Hashable {
        /// Its columns.
        public var schema: Schema
        /// The position of the key's column.
        public var keyColumn: Int
        /// The most rows that a key has.
        public var rowsPerKey: Int
        /// The most rows that it has.
        public var rows: Double

        /// A public table of that schema.
        public init(schema: Schema, keyColumn: Int, rowsPerKey: Int = 1, rows: Double) {
            self.schema = schema
            self.keyColumn = keyColumn
            self.rowsPerKey = rowsPerKey
            self.rows = rows
        }
    }

    /// A source of those columns and sizes; all numbers are declared, none is counted in the data.
    public init(columns: [ColumnSchema], rows: Double, tableRows: Double, units: Double, lookups: [Lookup] = []) {
        self.columns = columns
        self.rows = rows
        self.tableRows = tableRows
        self.units = units
        self.lookups = lookups
    }
}

/// The most work and memory that a scan can take, whatever the rows hold (docs/privacy.md, rule 26): from the compiled
/// expressions and public numbers alone. The engine counts what it does in the same units and never exceeds it.
public struct WorkBound: Sendable, Hashable {
    /// A part of a question.
    public enum Part: Sendable, Hashable {
        /// The condition on rows.
        case filter
        /// The grouping key of that number.
        case key(Int)
        /// The measure of that number.
        case measure(Int)
    }

    /// What one operation costs in one part.
    public struct Share: Sendable, Hashable {
        /// The part of the question in which the operation stands.
        public var part: Part
        /// In the words of a question: `LIKE`, `EXP`.
        public var operation: String
        /// What it costs at most.
        public var work: Work
    }

    /// All work of the scan, by kind.
    public var work: Work
    /// Bytes.
    public var memory: Double
    /// The most groups that the scan can hold.
    public var groups: Double
    /// The most pairs of a unit and a group in which it is kept.
    public var contributions: Double
    /// What each operation of the question costs at most: for people who want to know what makes it dear.
    public var shares: [Share]

    /// The bound of a scan of a source of that shape.
    public init(_ specification: AggregationSpecification, _ shape: SourceShape) {
        let lookups = shape.lookups.compactMap {
            try? LookupTable(schema: $0.schema, keyColumn: $0.keyColumn, rowsPerKey: $0.rowsPerKey, rows: [])
        }
        let program = ExpressionProgram(
            columns: shape.columns, lookups: lookups, lookupRowCounts: shape.lookups.map(\.rows))
        let rows = Swift.max(shape.rows, 1)
        var shares: [Share] = []
        var counted = 0
        let scan = BoundedScan(specification, program, rowCount: Int(Swift.min(rows, 0x1p52))) { part in
            for node in program.nodes[counted...] {
                let work = node.largestWork(rows: rows)
                if let known = shares.firstIndex(where: { $0.part == part && $0.operation == node.operation.words }) {
                    shares[known].work += work
                } else {
                    shares.append(Share(part: part, operation: node.operation.words, work: work))
                }
            }
            counted = program.nodes.count
        }
        self.shares = shares
        groups = scan.groups.largestCount(rows: rows)
        let perUnit = Swift.min(Double(Swift.max(specification.bounds.groupsPerUnit, 0)), groups)
        contributions = Swift.min(rows, shape.units * perUnit)
        work = Work()
        memory = 0
        work = largestWork(scan, shape, rows) + specification.bounding.largestWork(rows: rows, units: shape.units)
        memory = largestMemory(scan, shape, rows)
    }

    private func largestWork(_ scan: BoundedScan, _ shape: SourceShape, _ rows: Double) -> Work {
        // Compiling costs a plan what it costs the scan.
        var work = scan.program.meter.work + Self.fixed(units: shape.unitWork)
        work += scan.groups.largestWork(rows: rows, tableRows: shape.tableRows)
        work[.row] += rows
        if groups > Double(cachedEntries) { work[.miss] += rows * scan.missesPerRow }
        for share in shares { work += share.work }
        for accumulator in scan.accumulators {
            work += accumulator.largestWork(rows: rows, contributions: contributions)
        }
        work[.addition] += scan.closingAdditions(groups: groups)
        for (slot, lookup) in shape.lookups.enumerated() {
            let texts = lookup.schema.columns.reduce(0) { $0 + $1.largestText }
            let columns = Double(scan.program.columnsRead(ofLookup: slot))
            work[.step] += lookup.rows * columns
            if texts > 0, columns > 0 {
                work[.discovery] += lookup.rows * Double(lookup.schema.columns.count)
                work[.byte] += lookup.rows * texts
            }
        }
        return work
    }

    private func largestMemory(_ scan: BoundedScan, _ shape: SourceShape, _ rows: Double) -> Double {
        // Room for nodes, and a chunk's computed texts: these grow by doubling, and so for a moment take three times.
        let interned = scan.program.largestInterned
        var memory = scan.program.nodeBytes(interned: interned) + scan.program.pool.heldBytes
        for node in scan.program.nodes where node.operation.makesText(node.type) {
            memory += 3 * Double(RowChunk.capacity) * (node.largestText + 8) + 16 * node.largestText
        }
        for lookup in shape.lookups {
            let bytes = lookup.schema.columns.reduce(0) { $0 + 8 + 4 * $1.largestText + ($1.type == .text ? 160 : 0) }
            memory += lookup.rows * (bytes + (lookup.rowsPerKey > 1 ? 8 : 0))
        }
        // Of each group: the last unit, its rows, its units; then the listing.
        memory += groups * (3 * 16 + 24) + Double(RowChunk.capacity * 48) + 4_096
        memory += scan.groups.largestMemory(rows: rows, tableRows: shape.tableRows, interned: interned)
        for accumulator in scan.accumulators {
            memory += accumulator.largestMemory(rows: rows, groups: groups, contributions: contributions)
        }
        return memory
    }

    /// What beginning and ending a scan costs, and going through so many units and texts where tables are opened and
    /// matched.
    static func fixed(units: Double) -> Work { Work([.scan: 1, .unit: units]) }
}

extension SourceShape {
    /// Units, and of each text column every text that there may be.
    fileprivate var unitWork: Double {
        columns.reduce(units) { sum, column in
            sum + (column.type == .text ? column.distinctTexts ?? tableRows : 0)
        }
    }
}

extension RowSource {
    /// What opening the tables goes through.
    var unitWork: Double {
        let (tables, units) =
            switch self {
            case .table(let table): ([table], table.unitHashes == nil ? 0 : table.unitCount)
            case .join(let left, let right, _, _): ([left, right], left.unitCount + right.unitCount)
            }
        let texts = tables.flatMap(\.columns).reduce(0) { $0 + ($1.dictionary?.count ?? 0) }
        return Double(units + texts)
    }
}
