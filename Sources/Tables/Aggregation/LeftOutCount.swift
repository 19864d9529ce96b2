import Secrets

/// Which counts of what bounding leaves out are made beside a question's groups.
public struct BoundingSpecification: Sendable, Hashable {
    /// The most rows of a unit of the source that are counted as kept or left out; nil: they are not counted.
    public var rowsPerUnit: Int?
    /// Of each table of the source, the most rows of a unit, kept or dropped when it was made; empty: these are not counted.
    public var loaded: [Int]

    /// Without arguments, nothing is counted.
    public init(rowsPerUnit: Int? = nil, loaded: [Int] = []) {
        self.rowsPerUnit = rowsPerUnit
        self.loaded = loaded
    }

    /// The most work for so many rows and units.
    func largestWork(rows: Double, units: Double) -> Work {
        Work([.addition: rowsPerUnit == nil ? 0 : LeftOutCount.additions * rows, .unit: loaded.isEmpty ? 0 : units])
    }
}

/// Two disjoint exact counts: private.
public struct BoundedPair: Sendable {
    /// What bounding left out.
    public var cut: Int64 = 0
    /// What it did not.
    public var kept: Int64 = 0
}

/// What the bounds of one question left out: private.
public struct LeftOut: Sendable {
    /// Units with a row in scope: those of which a row was left out, and those of which none was. One unit changes one of
    /// the two numbers, by 1.
    public var units = BoundedPair()
    /// Rows in scope. One unit changes the two numbers together by as many rows as are counted of it: by that many in L1,
    /// and so at most in L2.
    public var rows = BoundedPair()
}

/// Counts what the bounds of a question leave out: of each unit, in stored order, the first `rowsPerUnit` rows that pass
/// the filter and whose keys are in their domains count, as kept or left out. The unit's own rows alone decide.
struct LeftOutCount {
    private let limit: Int64
    private var total = LeftOut()
    private var unit: UInt32?
    /// Of the present unit: rows that were counted, and whether one was left out.
    private var counted: Int64 = 0
    private var isCut = false

    /// Of one row: whether it was kept, and whether its unit is the one before.
    static let additions = 2.0

    init(rowsPerUnit: Int) {
        limit = Int64(Swift.max(rowsPerUnit, 0))
    }

    /// Counts a chunk's selected rows, of which `kept` were kept, in the same order.
    mutating func add(
        _ rows: UnsafeBufferPointer<Int32>, codes: UnsafeMutablePointer<Int32>, kept: KeptRows, of chunk: RowChunk,
        _ meter: WorkMeter
    ) {
        meter.add(.addition, Self.additions * Double(rows.count))
        // Numbers of this call, so that they stay in registers.
        var (place, rowsCounted, rowsKept) = (0, 0, 0)
        var (unit, counted, isCut) = (self.unit, self.counted, self.isCut)
        for row in rows where codes[Int(row)] >= 0 {
            let next = chunk.units[Int(row)]
            if next != unit {
                end(unit, isCut)
                (unit, counted, isCut) = (next, 0, false)
            }
            let isKept = place < kept.count && kept.rows[place] == row
            place += isKept ? 1 : 0
            isCut = isCut || !isKept
            let counts = counted < limit
            counted += counts ? 1 : 0
            rowsCounted += counts ? 1 : 0
            rowsKept += counts && isKept ? 1 : 0
        }
        total.rows.kept += Int64(rowsKept)
        total.rows.cut += Int64(rowsCounted - rowsKept)
        (self.unit, self.counted, self.isCut) = (unit, counted, isCut)
    }

    private mutating func end(_ unit: UInt32?, _ isCut: Bool) {
        guard unit != nil else { return }
        if isCut { total.units.cut += 1 } else { total.units.kept += 1 }
    }

    /// The counts, the last unit's included.
    var finished: LeftOut {
        var count = self
        count.end(unit, isCut)
        return count.total
    }
}

extension RowSource {
    /// The rows that were dropped when the tables were made and those that they have, each capped a unit and a table at the
    /// bound of that table's rows: whatever the question asks, and of a join each table's own rows, not pairs. One unit
    /// changes each of the two numbers by at most the sum of the bounds. nil where a table does not know what it dropped.
    func dropped(_ rowsPerUnit: [Int], _ meter: WorkMeter) -> BoundedPair? {
        let tables: [Table] =
            switch self {
            case .table(let table): [table]
            case .join(let left, let right, _, _): [left, right]
            }
        var sum = BoundedPair()
        for (table, limit) in zip(tables, rowsPerUnit) {
            guard let pair = table.dropped(atMost: Swift.max(limit, 0)) else { return nil }
            meter.add(.unit, table.unitDropped == nil ? 0 : Double(table.unitCount))
            sum.cut += pair.cut
            sum.kept += pair.kept
        }
        return sum
    }
}

extension Table {
    /// Sums over units. Where each row is a unit, none was dropped.
    fileprivate func dropped(atMost limit: Int) -> BoundedPair? {
        guard unitStarts != nil else { return BoundedPair(cut: 0, kept: limit > 0 ? Int64(rowCount) : 0) }
        guard let unitDropped else { return nil }
        return unitDropped.withBytes { bytes in
            let dropped = bytes.bindMemory(to: Int32.self)
            var sum = BoundedPair()
            for unit in 0..<unitCount {
                sum.cut += Int64(Swift.min(Swift.max(Int(dropped[unit]), 0), limit))
                sum.kept += Int64(Swift.min(rows(ofUnit: unit).count, limit))
            }
            return sum
        }
    }

    /// What was dropped of the unit of that name: 0 where it has no rows, or nothing is known.
    func dropped(of name: KeyedHash.Digest) -> Int {
        guard let unitDropped, let unitHashes else { return 0 }
        let words = unitHashes.start.assumingMemoryBound(to: UInt64.self)
        var (low, high) = (0, unitCount)
        while low < high {
            let middle = (low + high) / 2
            if KeyedHash.Digest(first: words[2 * middle], second: words[2 * middle + 1]) < name {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < unitCount, words[2 * low] == name.first, words[2 * low + 1] == name.second else { return 0 }
        return Int(unitDropped.start.assumingMemoryBound(to: Int32.self)[low])
    }
}
