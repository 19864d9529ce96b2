import Testing

@testable import Tables

@Suite("Damaged files are refused when they are opened, or read as nulls: never behind their ends")
struct DamageTests {
    let schema = Schema(columns: [column("person", .integer), column("plan", .text), column("day", .date)])

    /// A table's parts and description: 40 people with five rows each.
    func stored() throws -> (parts: [TablePart: [UInt8]], description: TableDescription) {
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 9, key: testKey)
        let worker = IngestWorker(plan)
        try worker.append(
            (0..<200).map { [.integer(Int64($0 % 40)), .text("plan \($0 % 7)"), .date(Int64($0 % 3))] })
        var assembler = TableAssembler([worker], plan: plan)
        var parts: [TablePart: [UInt8]] = [:]
        for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
            try assembler.write(partition) { parts[$0, default: []].append(contentsOf: $1) }
        }
        let description = try assembler.finish { parts[$0, default: []].append(contentsOf: $1) }
        return (parts, description)
    }

    func open(_ parts: [TablePart: [UInt8]], _ description: TableDescription) throws -> Table {
        try Table(schema: schema, description: description) { ColumnBytes(parts[$0] ?? []) }
    }

    @Test("A code that stands for no value is null, in every way of reading it", arguments: [7, 100, 254])
    func codes(code: UInt8) throws {
        var (parts, description) = try stored()
        parts[.column(1)]?[3] = code
        parts[.column(2)]?[4] = code
        let rows = try open(parts, description).storedRows().map(\.row)
        #expect(rows.count == 200)
        #expect(rows[3][1] == .null && rows[4][2] == .null)
        #expect(rows[2][1] != .null && rows[3][2] != .null)
        let column = try open(parts, description).columns[1]
        var gathered = [Int64](repeating: 0, count: 2)
        column.loadIntegers(at: [3, 2], count: 2, into: &gathered)
        #expect(gathered[0] == ColumnEncoding.null && (0..<7).contains(gathered[1]))
    }

    @Test("Units that do not divide the rows in order are refused")
    func unitStarts() throws {
        let (parts, description) = try stored()
        for (place, value) in [(0, UInt8(1)), (8 * 3, 250), (8 * 40, 199), (8 * 40 + 4, 1)] {
            var damaged = parts
            damaged[.unitStarts]?[place] = value
            #expect(throws: StoredTableError.damaged(.unitStarts)) { try open(damaged, description) }
        }
        #expect(throws: Never.self) { try open(parts, description) }
    }

    @Test("Texts that do not follow each other are refused")
    func textOffsets() throws {
        let (parts, description) = try stored()
        // Seven texts of six bytes: their ends are 0, 6, 12, ...
        for (place, value) in [(0, UInt8(1)), (8 * 2, 5), (8 * 3, 255), (8 * 4 + 7, 128), (8 * 7, 41), (8 * 7, 43)] {
            var damaged = parts
            damaged[.textOffsets(1)]?[place] = value
            #expect(throws: StoredTableError.damaged(.textOffsets(1))) { try open(damaged, description) }
        }
    }

    @Test("A description whose numbers do not fit the bytes is refused")
    func descriptions() throws {
        let (parts, description) = try stored()
        let changes: [(inout TableDescription) -> Void] = [
            { $0.rowCount = -1 }, { $0.rowCount = Int.max }, { $0.unitCount = -1 }, { $0.unitCount = Int.max },
            { $0.unitColumn = 3 }, { $0.columns[1].texts = 6 }, { $0.columns[1].texts = Int.max },
            { $0.columns[1].encoding.largest = 7 }, { $0.columns[1].encoding.base = 1 },
            { $0.columns[1].encoding.width = 8 }, { $0.columns[2].encoding.largest = 255 },
            { $0.columns[2].encoding.largest = -2 }, { $0.columns[2].encoding.base = Int64.min },
            { $0.columns[2].encoding.kind = .real }, { $0.columns[2].encoding.width = 3 },
        ]
        for (number, change) in changes.enumerated() {
            var damaged = description
            change(&damaged)
            #expect(throws: StoredTableError.self, "change \(number)") { try open(parts, damaged) }
        }
    }
}
