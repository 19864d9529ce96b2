import Testing

@testable import Tables

@Suite("A unit's stored rows depend on that unit alone (docs/privacy.md, rule 11)")
struct ClusteringTests {
    let schema = Schema(columns: [
        column("person", .integer), column("plan", .text), column("cost", .real), column("day", .date),
        column("flag", .boolean),
    ])

    func plan(_ rowsPerUnit: Int = 4, unit: Int? = 0) -> IngestPlan {
        IngestPlan(schema: schema, unitColumn: unit, rowsPerUnit: rowsPerUnit, key: testKey)
    }

    /// Rows of units 0 ..< units, many of them identical.
    func rows(_ dice: inout Dice, units: Int) -> [[Value]] {
        (0..<units * 5).map { _ in
            [
                .integer(Int64(dice.int(0...units - 1))), .text(dice.pick(["a", "b", "é", "long text"])),
                dice.chance(10) ? .null : .real(Double(dice.int(0...2)) / 3), .date(Int64(dice.int(0...1))),
                .boolean(dice.chance(50)),
            ]
        }
    }

    @Test("Adding or removing a unit leaves every other unit's kept rows identical", arguments: 1...20)
    func neighbours(seed: UInt64) throws {
        var dice = Dice(seed)
        let rows = rows(&dice, units: 60)
        let all = try Table(rows: rows, plan: plan()).rowsByUnit()
        let removed = Value.integer(Int64(dice.int(0...59)))
        let rest = try Table(rows: rows.filter { $0[0] != removed }, plan: plan()).rowsByUnit()
        #expect(rest[removed] == nil)
        for (unit, kept) in all where unit != removed { #expect(rest[unit] == kept) }
        #expect(rest.count == all.count - 1)
    }

    @Test("The order of the file's rows does not matter, nor how they are divided among workers", arguments: 1...20)
    func fileOrder(seed: UInt64) throws {
        var dice = Dice(seed)
        let rows = rows(&dice, units: 50)
        let reference = try Table(rows: rows, plan: plan()).storedRows()
        let shuffled = dice.shuffle(rows)
        let workers = (0..<dice.int(1...5)).map { _ in IngestWorker(plan()) }
        for row in shuffled { try dice.pick(workers).append([row]) }
        let table = try Table(assembling: workers, plan: plan())
        #expect(table.storedRows().map(\.row) == reference.map(\.row))
        #expect(table.storedRows().map(\.unit) == reference.map(\.unit))
    }

    @Test("The stored bytes themselves are those of any order and number of workers")
    func bytes() throws {
        var dice = Dice(7)
        let rows = rows(&dice, units: 40)
        func parts(_ rows: [[Value]], _ count: Int) throws -> [TablePart: [UInt8]] {
            let workers = (0..<count).map { _ in IngestWorker(plan()) }
            for (number, row) in rows.enumerated() { try workers[number % count].append([row]) }
            var assembler = TableAssembler(workers, plan: plan())
            var parts: [TablePart: [UInt8]] = [:]
            for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
                try assembler.write(partition) { parts[$0, default: []].append(contentsOf: $1) }
            }
            _ = try assembler.finish { parts[$0, default: []].append(contentsOf: $1) }
            return parts
        }
        #expect(try parts(rows, 1) == parts(dice.shuffle(rows), 3))
    }

    @Test("Rows beyond the bound are dropped, counted, and chosen the same from a unit's rows in any file")
    func rowsPerUnit() throws {
        var dice = Dice(3)
        let rows = rows(&dice, units: 10)
        let full = try Table(rows: rows, plan: plan(1000)).rowsByUnit()
        for bound in 0...6 {
            let worker = IngestWorker(plan(bound))
            try worker.append(rows)
            var assembler = TableAssembler([worker], plan: plan(bound))
            for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
                try assembler.write(partition) { _, _ in }
            }
            let kept = try Table(rows: rows, plan: plan(bound)).rowsByUnit()
            for (unit, all) in full { #expect(kept[unit] ?? [] == Array(all.prefix(bound))) }
            #expect(assembler.report.rowsBeyondBound == full.values.reduce(0) { $0 + max(0, $1.count - bound) })
            #expect(assembler.report.rowsRead == rows.count)
            #expect(assembler.report.rowsKept + assembler.report.rowsBeyondBound == rows.count)
        }
    }

    @Test("The order is a shuffle: each of a unit's rows comes first about equally often, identical rows too")
    func shuffle() throws {
        // 3000 units with four rows, two of them identical. 1e-6: chi-square with 2 degrees of freedom above 27.6.
        let rows = (0..<3000).flatMap { unit in
            ["a", "a", "b", "c"].map { [Value.integer(Int64(unit)), .text($0), .real(1), .date(0), .boolean(true)] }
        }
        var first: [Value: Double] = [:]
        for (_, rows) in try Table(rows: rows, plan: plan()).rowsByUnit() { first[rows[0][1], default: 0] += 1 }
        let expected: [Value: Double] = [.text("a"): 1500, .text("b"): 750, .text("c"): 750]
        let statistic = expected.reduce(0.0) {
            $0 + (first[$1.key, default: 0] - $1.value) * (first[$1.key, default: 0] - $1.value) / $1.value
        }
        #expect(statistic < 27.6)
    }

    @Test("The order depends on the secret and on the population")
    func keys() throws {
        var dice = Dice(5)
        let rows = rows(&dice, units: 50)
        func orders(_ key: ClusteringKey) throws -> [Value: [[Value]]] {
            var plan = plan()
            plan.key = key
            return try Table(rows: rows, plan: plan).rowsByUnit()
        }
        let first = try orders(testKey)
        #expect(try first != orders(ClusteringKey(siteSecret: Array(1..<33), population: "people")))
        #expect(try first != orders(ClusteringKey(siteSecret: Array(0..<32), population: "others")))
    }

    @Test("Rows without a unit are dropped and counted")
    func nullUnit() throws {
        let worker = IngestWorker(plan())
        let other: [Value] = [.text("a"), .null, .null, .null]
        try worker.append([[.null] + other, [.integer(1)] + other, [.null] + other])
        let assembler = TableAssembler([worker], plan: plan())
        #expect(assembler.report.rowsWithoutUnit == 2)
        #expect(assembler.report.rowsRead == 3)
    }

    @Test("Where each row is a unit all rows stay, in an order that the file's does not change")
    func rowsAsUnits() throws {
        var dice = Dice(11)
        let rows = rows(&dice, units: 30)
        let plan = plan(1, unit: nil)
        let table = try Table(rows: rows, plan: plan)
        #expect(table.unitCount == rows.count)
        #expect(
            try Table(rows: dice.shuffle(rows), plan: plan).storedRows().map(\.row) == table.storedRows().map(\.row))
        #expect(Set(table.storedRows().map(\.row)) == Set(rows))
    }

    @Test("A text or a date names the unit as well as a number", arguments: [1, 3])
    func otherUnits(unit: Int) throws {
        var dice = Dice(13)
        let rows = rows(&dice, units: 30)
        let table = try Table(rows: rows, plan: plan(1000, unit: unit))
        #expect(table.unitCount == Set(rows.map { $0[unit] }).count)
        #expect(table.rowCount == rows.count)
        for (value, kept) in table.rowsByUnit() {
            #expect(kept.count == rows.filter { $0[unit] == value }.count)
        }
    }

    @Test("Wide, narrow and missing integers survive storage, whatever came first")
    func widths() throws {
        let schema = Schema(columns: [
            column("u", .integer), column("x", .integer), column("y", .real), column("t", .timestamp),
        ])
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 10_000, key: testKey)
        let values: [Int64] = [
            0, 1, -1, 254, 255, 256, 65_534, 65_536, -70_000, 1 << 31, -(1 << 31), 1 << 40, .max, -.max,
        ]
        for count in 1...values.count {
            var rows = values.prefix(count).flatMap { value in
                (0..<1500).map { [Value.integer(Int64($0)), .integer(value), .real(Double(value)), .timestamp(value)] }
            }
            rows.append([.integer(0), .null, .null, .null])
            let table = try Table(rows: rows, plan: plan)
            #expect(Set(table.storedRows().map(\.row)) == Set(rows))
        }
    }

    @Test("Units that occur in two tables are found under one secret, whatever the populations")
    func sharedUnits() throws {
        func table(_ units: Range<Int>, _ population: String, _ secret: [UInt8]) throws -> Table {
            let schema = Schema(columns: [column("u", .integer)])
            let key = ClusteringKey(siteSecret: secret, population: population)
            let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 1, key: key)
            return try Table(rows: units.map { [.integer(Int64($0))] }, plan: plan)
        }
        let secret = [UInt8](repeating: 9, count: 16)
        let left = try table(0..<500, "a", secret)
        #expect(try left.unitsShared(with: table(400..<900, "b", secret)) == 100)
        #expect(try left.unitsShared(with: table(500..<900, "b", secret)) == 0)
        #expect(try left.unitsShared(with: table(0..<500, "a", [UInt8](repeating: 8, count: 16))) == 0)
    }

    @Test("A table shows nothing of itself when it is printed")
    func opacity() throws {
        let table = try Table(rows: [[.integer(424_242), .text("secret"), .null, .null, .null]], plan: plan())
        var dumped = ""
        dump(table, to: &dumped)
        #expect(!dumped.contains("secret") && !dumped.contains("424242") && !dumped.contains("rowCount"))
        #expect(Mirror(reflecting: table).children.isEmpty)
    }
}
