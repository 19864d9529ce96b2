import Testing

@testable import Tables

@Suite(
    "A partition that is too large for memory is sorted piece by piece, and gives the same table (docs/privacy.md, rule 11)"
)
struct LargePartitionTests {
    let schema = Schema(columns: [
        column("person", .integer), column("plan", .text), column("cost", .real), column("day", .date),
    ])

    /// Few units with many rows and many with few, the first with most; many rows are identical, one above all.
    func rows(_ dice: inout Dice, count: Int) -> [[Value]] {
        let units = dice.pick([1, 2, 40, 3000])
        let plans = dice.pick([1, 3, 200])
        return (0..<count).map { _ in
            let isMain = dice.chance(40)
            return [
                .integer(isMain ? 0 : Int64(dice.int(0...units - 1))),
                .text("plan \(isMain && dice.chance(50) ? 0 : dice.int(0...plans - 1))"),
                dice.chance(10) ? .null : .real(isMain ? 0.5 : Double(dice.int(0...plans)) / 3), .date(0),
            ]
        }
    }

    /// A table's bytes, with pieces of about so many rows.
    func parts(
        _ rows: [[Value]], _ plan: IngestPlan, piece: Int
    ) throws -> (parts: [TablePart: [UInt8]], report: IngestReport) {
        let workers = (0..<3).map { _ in IngestWorker(plan) }
        for (number, row) in rows.enumerated() { try workers[number % 3].append([row], from: number + 1) }
        var assembler = TableAssembler(
            workers, plan: plan, pieceBytes: piece * (24 * plan.schema.columns.count + 120))
        var parts: [TablePart: [UInt8]] = [:]
        for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
            try assembler.write(partition) { parts[$0, default: []].append(contentsOf: $1) }
        }
        _ = try assembler.finish { parts[$0, default: []].append(contentsOf: $1) }
        return (parts, assembler.report)
    }

    @Test("The kept rows of every unit are identical to the byte, whatever fits into memory", arguments: 1...60)
    func sameTable(seed: UInt64) throws {
        var dice = Dice(seed)
        // The fewer rows fit, the more passes it takes.
        let (count, sizes) = dice.pick([(40, [2, 9]), (400, [25, 90]), (3000, [300, 1000])])
        let rows = rows(&dice, count: dice.int(count / 2...count))
        let unit = dice.pick([0, 0, 1, nil])
        let plan = IngestPlan(
            schema: schema, unitColumn: unit, rowsPerUnit: unit == nil ? 1 : dice.pick([0, 1, 5, 100, 5000]),
            key: testKey)
        let reference = try parts(rows, plan, piece: 1 << 20)
        for piece in sizes {
            let pieces = try parts(rows, plan, piece: piece)
            #expect(pieces.parts == reference.parts)
            #expect(pieces.report == reference.report)
        }
    }

    @Test("Units with a wrong row are dropped whole, however many rows they have")
    func skippedUnits() throws {
        var dice = Dice(3)
        var rows = rows(&dice, count: 500)
        rows.append([.integer(0), .integer(1), .null, .null])
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 7, key: testKey, onError: .skipUnit)
        let reference = try parts(rows, plan, piece: 1 << 20)
        #expect(reference.report.unitsSkipped == 1)
        let pieces = try parts(rows, plan, piece: 50)
        #expect(pieces.parts == reference.parts && pieces.report == reference.report)
    }

    @Test("No more rows are decoded at once than fit, of one unit or many, alike or not")
    func pieces() throws {
        for distinct in [1, 10, 5000] {
            for units in [1, 5000] {
                let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 5000, key: testKey)
                let worker = IngestWorker(plan)
                try worker.append(
                    (0..<5000).map { row in
                        [.integer(Int64(row % units)), .text("a"), .real(Double(row % distinct)), .null]
                    })
                var assembler = TableAssembler([worker], plan: plan, pieceBytes: 100 * (24 * 4 + 120))
                var largest = 0
                for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
                    try assembler.write(partition) { part, bytes in
                        if part == .column(2) { largest = max(largest, bytes.count / 4) }
                    }
                }
                #expect(assembler.report.rowsKept == 5000)
                // What is kept alone takes less than what is decoded.
                #expect(largest <= 300)
            }
        }
    }

    @Test("Rows that are read take little more memory than their records, also where all are in one partition")
    func heldRows() throws {
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 5, key: testKey)
        let worker = IngestWorker(plan)
        let stride = RecordLayout(schema: schema).stride
        let count = 400_000
        let rows = (0..<4_000).map { [Value.integer(1), .text("a"), .real(Double($0)), .null] }
        for _ in 0..<count / rows.count { try worker.append(rows) }
        #expect(worker.heldBytes.rows <= count * stride + 1 << 18)
        let spans = worker.takeRows().joined()
        // Each block is memory of its own, and is described.
        #expect(spans.count <= count * stride / (1 << 17) + 16)
    }

    @Test("Work on a large partition ends where the check throws")
    func interruption() throws {
        struct Stopped: Error {}
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 5, key: testKey)
        let worker = IngestWorker(plan)
        try worker.append((0..<500).map { [.integer(1), .text("a"), .real(Double($0)), .null] })
        var assembler = TableAssembler([worker], plan: plan, pieceBytes: 1)
        #expect(throws: Stopped.self) {
            for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
                try assembler.write(partition, to: { _, _ in }, check: { throw Stopped() })
            }
        }
    }
}
