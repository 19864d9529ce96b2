/// A question's one scan: filters, groups, bounds each unit's contribution and aggregates exactly, in integers.
///
/// The bounds hold whatever the rows are (docs/privacy.md, rules 11 and 12): of each unit, in its stored order, a row that
/// passes the filter and whose keys are in their domains is kept if its group is among the unit's first `groupsPerUnit`
/// and it is among the unit's first `rowsPerGroup` rows of that group. Nothing else about a unit, and nothing about any
/// other, decides.
public struct BoundedAggregation {
    private let specification: AggregationSpecification
    private let source: RowSource
    private let lookups: [LookupTable]

    /// A scan of `source`. `lookups`: the public tables, by the slots that expressions name.
    public init(_ specification: AggregationSpecification, source: RowSource, lookups: [LookupTable] = []) {
        self.specification = specification
        self.source = source
        self.lookups = lookups
    }

    /// Scans the source once, on the calling thread.
    public func run() -> ExactAggregates {
        let scan = BoundedScan(specification, source: source, lookups: lookups)
        source.forEachChunk(copies: LookupTable.copies(lookups), scan.process)
        return scan.finish(source)
    }
}

/// The state of one scan. A plan makes one too, without a source: it is compiled and weighed, and never run.
final class BoundedScan {
    private let specification: AggregationSpecification
    let program: ExpressionProgram
    private let filter: ExpressionNode?
    let groups: GroupNumbering
    let accumulators: [MeasureAccumulator]
    private var kept = KeptRows()
    private var leftOut: LeftOutCount?
    private let selected: UnsafeMutablePointer<Int32>
    private let codes: UnsafeMutablePointer<Int32>
    /// Of each group: the last unit that used it (plus 1), how many of its rows were kept, and how many units used it.
    private var lastUnit: [UInt32] = []
    private var rowsKept: [Int32] = []
    private var units: [Int64] = []
    private var currentUnit: UInt32 = .max
    private var groupsUsed = 0

    convenience init(_ specification: AggregationSpecification, source: RowSource, lookups: [LookupTable]) {
        let program = ExpressionProgram(source: source, lookups: lookups)
        let rows = source.largestRowCount.multipliedReportingOverflow(by: LookupTable.copies(lookups))
        self.init(specification, program, rowCount: rows.overflow ? .max : rows.partialValue)
        program.meter.add(WorkBound.fixed(units: source.unitWork))
        reserve()
    }

    /// `compiled` is called when a part of the question has been compiled: the nodes that are new then belong to that
    /// part.
    init(
        _ specification: AggregationSpecification, _ program: ExpressionProgram, rowCount: Int,
        compiled: (WorkBound.Part) -> Void = { _ in }
    ) {
        self.specification = specification
        self.program = program
        filter = specification.filter.map { program.compile($0, as: .boolean) }
        compiled(.filter)
        groups = GroupNumbering(specification.keys, program) { compiled(.key($0)) }
        accumulators = specification.measures.enumerated().map { index, measure in
            let node = measure.node(in: program)
            compiled(.measure(index))
            return MeasureAccumulator(measure, node, rowCount: rowCount)
        }
        leftOut = specification.bounding.rowsPerUnit.map { LeftOutCount(rowsPerUnit: $0) }
        selected = .allocate(capacity: RowChunk.capacity)
        codes = .allocate(capacity: RowChunk.capacity)
    }

    deinit {
        selected.deallocate()
        codes.deallocate()
        kept.deallocate()
    }

    func process(_ chunk: RowChunk) {
        program.evaluate(chunk)
        let rows = select(chunk)
        groups.number(rows, into: codes)
        reserve()
        bound(rows, chunk)
        leftOut?.add(rows, codes: codes, kept: kept, of: chunk, program.meter)
        for accumulator in accumulators { accumulator.add(kept, of: chunk, program.meter) }
        program.meter.add(.row, Double(chunk.count))
        if groups.capacity > cachedEntries { program.meter.add(.miss, missesPerRow * Double(chunk.count)) }
        program.meter.hold(heldBytes)
    }

    private func select(_ chunk: RowChunk) -> UnsafeBufferPointer<Int32> {
        var count = 0
        if let filter {
            let condition = filter.words
            for row in 0..<chunk.count {
                selected[count] = Int32(truncatingIfNeeded: row)
                count += condition[row] == 1 ? 1 : 0
            }
        } else {
            for row in 0..<chunk.count { selected[row] = Int32(truncatingIfNeeded: row) }
            count = chunk.count
        }
        return UnsafeBufferPointer(start: selected, count: count)
    }

    private func reserve() {
        let count = groups.capacity
        guard count > units.count else { return }
        let more = Swift.max(count, Swift.min(units.count * 2, 1 << 26)) - units.count
        lastUnit.append(contentsOf: repeatElement(0, count: more))
        rowsKept.append(contentsOf: repeatElement(0, count: more))
        units.append(contentsOf: repeatElement(0, count: more))
        for accumulator in accumulators { accumulator.reserve(groups: units.count) }
    }

    /// Keeps the rows that the unit's bounds allow. The state outlives the chunk: a unit may continue in the next.
    private func bound(_ rows: UnsafeBufferPointer<Int32>, _ chunk: RowChunk) {
        let groupLimit = specification.bounds.groupsPerUnit
        let rowLimit = Int32(clamping: specification.bounds.rowsPerGroup)
        var count = 0
        var current = currentUnit
        var used = groupsUsed
        guard rowLimit > 0 else {
            kept.count = 0
            return
        }
        lastUnit.withUnsafeMutableBufferPointer { lastUnit in
            rowsKept.withUnsafeMutableBufferPointer { rowsKept in
                units.withUnsafeMutableBufferPointer { units in
                    for row in rows {
                        let group = codes[Int(row)]
                        guard group >= 0 else { continue }
                        let place = Int(group)
                        let unit = chunk.units[Int(row)]
                        if unit != current {
                            current = unit
                            used = 0
                        }
                        if lastUnit[place] != unit &+ 1 {
                            guard used < groupLimit else { continue }
                            used += 1
                            lastUnit[place] = unit &+ 1
                            rowsKept[place] = 0
                            units[place] &+= 1
                        } else if rowsKept[place] >= rowLimit {
                            continue
                        }
                        kept.rows[count] = row
                        kept.groups[count] = group
                        kept.occurrences[count] = rowsKept[place]
                        rowsKept[place] &+= 1
                        count += 1
                    }
                }
            }
        }
        kept.count = count
        currentUnit = current
        groupsUsed = used
    }

    func finish(_ source: RowSource) -> ExactAggregates {
        let numbers = groups.listing(units)
        let results = accumulators.map { $0.result(numbers, units: units) }
        let meter = program.meter
        meter.add(.addition, closingAdditions(groups: Double(groups.capacity)))
        meter.hold(heldBytes)
        let bounding = specification.bounding
        return ExactAggregates(
            groups: groups, numbers: numbers, units: numbers.map { units[$0] }, results: results,
            leftOut: leftOut?.finished, dropped: bounding.loaded.isEmpty ? nil : source.dropped(bounding.loaded, meter),
            work: meter.work, memory: meter.memory)
    }

    /// How often one row accesses what is kept of its group, which may be in no cache.
    var missesPerRow: Double { 3 + Double(accumulators.count) }

    /// How many numbers are gone through at the end.
    func closingAdditions(groups: Double) -> Double {
        accumulators.reduce(2 * groups) { $0 + groups * Double(Swift.max($1.cellsPerGroup, 1)) }
    }

    /// Bytes that the scan holds now, the results not counted.
    private var heldBytes: Double {
        program.heldBytes + groups.heldBytes + accumulators.reduce(0) { $0 + $1.heldBytes }
            + Double(lastUnit.capacity * 4 + rowsKept.capacity * 4) + Double(units.capacity * 8)
            + Double(RowChunk.capacity * 48)
    }
}

extension Measure {
    /// The compiled expression that the measure needs, as the type that it needs.
    fileprivate func node(in program: ExpressionProgram) -> ExpressionNode? {
        switch kind {
        case .rows, .units, .unitNumbers: nil
        case .nonNull(let expression): program.compile(expression)
        case .sum(let expression, _), .sumOfSquares(let expression, _), .histogram(let expression, _),
            .gridValues(let expression, _, _, _), .values(let expression):
            program.compile(expression, as: .real)
        }
    }
}
