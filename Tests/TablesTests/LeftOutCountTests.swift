import Testing

@testable import Tables

@Suite("What bounding leaves out is counted, by units and by rows, within what one unit may change")
struct LeftOutCountTests {
    let schema = Schema(columns: [column("u", .integer), column("g", .integer), column("x", .integer)])

    func rows(_ dice: inout Dice, units: Int, count: Int) -> [[Value]] {
        (0..<count).map { _ in
            [
                .integer(Int64(dice.int(0...units - 1))), dice.chance(10) ? .null : .integer(Int64(dice.int(0...6))),
                .integer(Int64(dice.int(0...9))),
            ]
        }
    }

    func plan(_ rowsPerUnit: Int, base: Table? = nil) -> IngestPlan {
        var plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: rowsPerUnit, key: testKey)
        plan.base = base
        return plan
    }

    /// A question with a filter and a key whose domain lacks null and 6.
    func specification(groups: Int, rows: Int, counted: Int?, loaded: [Int] = []) -> AggregationSpecification {
        var specification = AggregationSpecification(
            filter: .comparison(.less, .column(2, .integer), .literal(.integer(8), .integer)),
            keys: [KeySpecification(expression: .column(1, .integer), coding: .domain((0...5).map { .integer($0) }))],
            measures: [Measure(.rows)], bounds: ContributionBounds(groupsPerUnit: groups, rowsPerGroup: rows))
        specification.bounding = BoundingSpecification(rowsPerUnit: counted, loaded: loaded)
        return specification
    }

    func counts(_ specification: AggregationSpecification, _ source: RowSource) -> [Int64] {
        let exact = BoundedAggregation(specification, source: source).run()
        guard let leftOut = exact.leftOut else { return [] }
        return [leftOut.units.cut, leftOut.units.kept, leftOut.rows.cut, leftOut.rows.kept]
    }

    @Test("Units and rows in scope are cut or not as the reference says", arguments: 1...30)
    func reference(seed: UInt64) throws {
        var dice = Dice(seed)
        let table = try Table(
            rows: rows(&dice, units: dice.pick([1, 7, 60]), count: dice.pick([0, 50, 5_000])), plan: plan(1_000))
        let counted = dice.pick([3, 20, 1_000])
        let specification = specification(groups: dice.int(1...6), rows: dice.int(1...4), counted: counted)
        let all = table.storedRows()
        let kept = ReferenceAggregation(specification, all).kept.values.flatMap(\.self)
        var expected: [Int64] = [0, 0, 0, 0]
        for unit in Set(all.map(\.unit)) {
            let scope = all.filter { row in
                guard row.unit == unit, case .integer(let key) = row.row[1], case .integer(let x) = row.row[2] else {
                    return false
                }
                return key <= 5 && x < 8
            }
            let left = kept.count { $0.unit == unit }
            guard !scope.isEmpty else { continue }
            expected[left < scope.count ? 0 : 1] += 1
            // Kept rows are not the first of a unit: only how many count together is compared where they are limited.
            if scope.count <= counted {
                expected[2] += Int64(scope.count - left)
                expected[3] += Int64(left)
            } else {
                expected[2] += Int64(counted)
            }
        }
        let found = counts(specification, .table(table))
        #expect(found.prefix(2) == expected.prefix(2))
        #expect(found[2] + found[3] == expected[2] + expected[3])
        if counted == 1_000 { #expect(found == expected) }
        #expect(counts(self.specification(groups: 1, rows: 1, counted: nil), .table(table)).isEmpty)
    }

    @Test("Counting changes nothing else of a scan, and stays within its bound of work", arguments: 1...10)
    func besides(seed: UInt64) throws {
        var dice = Dice(seed)
        let table = try Table(rows: rows(&dice, units: 40, count: 4_000), plan: plan(50))
        let plain = specification(groups: 2, rows: 3, counted: nil)
        let counting = specification(groups: 2, rows: 3, counted: 50, loaded: [50])
        let without = BoundedAggregation(plain, source: .table(table)).run()
        let with = BoundedAggregation(counting, source: .table(table)).run()
        let (integers, units) = (with.integers(0), with.units)
        #expect(without.integers(0) == integers)
        #expect(without.units == units)
        let nothing = without.leftOut == nil && without.dropped == nil
        #expect(nothing)
        let (sum, kept) = (with.integers(0).reduce(0, +), with.leftOut?.rows.kept)
        #expect(sum == kept)
        let shape = SourceShape(columns: schema.columns, rows: 4_000, tableRows: 4_000, units: 40)
        let (did, didNot) = (with.work, without.work)
        #expect(did.isWithin(WorkBound(counting, shape).work))
        #expect(!did.isWithin(WorkBound(plain, shape).work))
        #expect(didNot.isWithin(WorkBound(plain, shape).work))
    }

    @Test("One unit moves one of the two counts of units by 1, and the rows' by its bound in all", arguments: 1...20)
    func neighbours(seed: UInt64) throws {
        var dice = Dice(seed)
        let all = rows(&dice, units: 6, count: 150)
        let specification = specification(groups: dice.int(1...3), rows: dice.int(1...3), counted: 9)
        // Tables that hold more of a unit than the question says: what is counted is bounded all the same.
        for rowsPerUnit in [9, 40] {
            let with = counts(specification, .table(try Table(rows: all, plan: plan(rowsPerUnit))))
            for unit in 0..<6 {
                let rest = all.filter { $0[0] != .integer(Int64(unit)) }
                let without = counts(specification, .table(try Table(rows: rest, plan: plan(rowsPerUnit))))
                let change = zip(with, without).map(-)
                #expect(change.allSatisfy { $0 >= 0 })
                #expect(change[0] + change[1] <= 1)
                #expect(change[2] + change[3] <= 9)
            }
        }
    }

    @Test("A join's pairs count up to both bounds' product, each unit once")
    func join() throws {
        func table(_ rows: Int) throws -> Table {
            try Table(rows: (0..<rows).map { [.integer(1), .integer(Int64($0 % 3)), .integer(0)] }, plan: plan(rows))
        }
        var specification = specification(groups: 2, rows: 50, counted: 5 * 4, loaded: [5, 4])
        specification.filter = nil
        let source = RowSource.join(try table(5), try table(4), leftRows: 5, rightRows: 4)
        let counts = counts(specification, source)
        #expect(counts.prefix(2) == [1, 0])
        #expect(counts[2] + counts[3] == 20 && counts[2] >= 4)
        specification.bounding.rowsPerUnit = 7
        #expect(self.counts(specification, source).suffix(2).reduce(0, +) == 7)
    }

    // MARK: Dropped when the table was made

    func dropped(_ source: RowSource, _ limits: [Int]) -> [Int64]? {
        let exact = BoundedAggregation(
            specification(groups: 1, rows: 1, counted: nil, loaded: limits), source: source
        ).run()
        return exact.dropped.map { [$0.cut, $0.kept] }
    }

    /// 3 rows of unit 1, 12 of unit 2, 40 of unit 3.
    let three: [[Value]] = [(1, 3), (2, 12), (3, 40)].flatMap { unit, count in
        (0..<count).map { [.integer(unit), .integer(Int64($0)), .integer(0)] }
    }

    @Test("What is dropped is stored a unit, at most its bound, and counted whatever the question is")
    func dropped() throws {
        let table = try Table(rows: three, plan: plan(10))
        // Of 2 and 30 rows beyond it, 2 and 10 count.
        #expect(dropped(.table(table), [10]) == [12, 23])
        #expect(dropped(.table(table), [4]) == [6, 11])
        #expect(dropped(.join(table, table, leftRows: 10, rightRows: 10), [10, 10]) == [24, 46])
        let whole = try Table(rows: three, plan: plan(40))
        #expect(dropped(.table(whole), [40]) == [0, 55])
        #expect(dropped(.join(table, whole, leftRows: 10, rightRows: 40), [10, 40]) == [12, 78])
    }

    @Test("One unit changes what was dropped by its bound at most, also by rows that are appended", arguments: 1...10)
    func droppedNeighbours(seed: UInt64) throws {
        var dice = Dice(seed)
        let (first, second) = (rows(&dice, units: 5, count: 90), rows(&dice, units: 5, count: 90))
        let limit = dice.int(1...25)
        func counts(without unit: Int64?) throws -> [Int64] {
            func table(_ rows: [[Value]], _ base: Table?) throws -> Table {
                let plan = plan(limit, base: base)
                let worker = IngestWorker(plan)
                if let base { try worker.append(rowsOf: base, 0..<base.rowCount) }
                try worker.append(rows.filter { $0[0] != unit.map(Value.integer) })
                return try Table(assembling: [worker], plan: plan)
            }
            return try #require(dropped(.table(table(second, table(first, nil))), [limit]))
        }
        let with = try counts(without: nil)
        // A unit that had more than twice its bound counts the bound, not what each of two files dropped.
        #expect(with[0] <= Int64(5 * limit) && with[1] <= Int64(5 * limit))
        for unit in 0..<5 {
            let change = zip(with, try counts(without: Int64(unit))).map(-)
            #expect(change.allSatisfy { $0 >= 0 && $0 <= Int64(limit) })
        }
    }

    @Test("Appended rows add to what was dropped before; where that is not known, it stays unknown")
    func appended() throws {
        func append(_ rows: [[Value]], to base: Table) throws -> Table {
            let plan = plan(10, base: base)
            let worker = IngestWorker(plan)
            try worker.append(rowsOf: base, 0..<base.rowCount)
            try worker.append(rows)
            return try Table(assembling: [worker], plan: plan)
        }
        let table = try Table(rows: three, plan: plan(10))
        let more: [[Value]] = (0..<9).map { [.integer(1), .integer($0), .integer(1)] }
        // 12 rows of unit 1 by now: 2 more dropped; units 2 and 3 keep what they had lost.
        let longer = try append(more, to: table)
        #expect(dropped(.table(longer), [10]) == [14, 30])
        #expect(dropped(.table(try append([], to: longer)), [10]) == [14, 30])
        let old = try Self.withoutCounts(three, plan(10))
        #expect(dropped(.table(old), [10]) == nil)
        #expect(dropped(.join(table, old, leftRows: 10, rightRows: 10), [10, 10]) == nil)
        #expect(dropped(.table(try append(more, to: old)), [10]) == nil)
    }

    /// A table as it was stored before what is dropped was counted.
    static func withoutCounts(_ rows: [[Value]], _ plan: IngestPlan) throws -> Table {
        let worker = IngestWorker(plan)
        try worker.append(rows)
        var assembler = TableAssembler([worker], plan: plan)
        var parts: [TablePart: [UInt8]] = [:]
        for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
            try assembler.write(partition) { parts[$0, default: []].append(contentsOf: $1) }
        }
        var description = try assembler.finish { parts[$0, default: []].append(contentsOf: $1) }
        #expect(description.parts.contains(.unitDropped))
        description.countsDropped = nil
        parts[.unitDropped] = nil
        return try Table(schema: plan.schema, description: description) { ColumnBytes(parts[$0] ?? []) }
    }

    @Test("Counts that were damaged are refused, or move a sum by no more than the bound")
    func damaged() throws {
        let plan = plan(10)
        let worker = IngestWorker(plan)
        try worker.append(three)
        var assembler = TableAssembler([worker], plan: plan)
        var parts: [TablePart: [UInt8]] = [:]
        for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
            try assembler.write(partition) { parts[$0, default: []].append(contentsOf: $1) }
        }
        let description = try assembler.finish { parts[$0, default: []].append(contentsOf: $1) }
        func open(_ bytes: [UInt8]) throws -> Table {
            parts[.unitDropped] = bytes
            return try Table(schema: schema, description: description) { ColumnBytes(parts[$0] ?? []) }
        }
        #expect(throws: StoredTableError.damaged(.unitDropped)) { try open([0, 0, 0, 0]) }
        #expect(dropped(.table(try open([UInt8](repeating: 0x7f, count: 12))), [10]) == [30, 23])
        #expect(dropped(.table(try open([UInt8](repeating: 0xff, count: 12))), [10]) == [0, 23])
    }
}
