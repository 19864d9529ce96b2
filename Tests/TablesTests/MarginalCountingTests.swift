import Testing

@testable import Tables

@Suite("Marginals count each unit's first rows, each in one cell a column")
struct MarginalCountingTests {
    private let schema = Schema(columns: [
        column("u", .integer), column("x", .real), column("t", .text), column("n", .integer),
    ])

    private func table(_ rows: [[Value]], rowsPerUnit: Int = 100) throws -> Table {
        try Table(
            rows: rows, plan: IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: rowsPerUnit, key: testKey))
    }

    private func counts(_ partition: CellPartition, _ rows: [[Value]]) throws -> [Int64] {
        let counting = try #require(MarginalCounting([partition], rowsPerUnit: 100, table: try table(rows)))
        return counting.singles().counts[0]
    }

    @Test("A number on an edge is in the cell that begins there; beyond the ends it is in the first or the last cell")
    func edges() throws {
        let values: [Double?] = [-5, 0, 0.999, 1, 1.5, 2, 3.999, 4, 9, nil, nil]
        let rows = values.map { [.integer(1), $0.map(Value.real) ?? .null, .null, .null] as [Value] }
        let cells = CellPartition.Cells.intervals(edges: [0, 1, 2, 4])
        #expect(try counts(CellPartition(column: 1, cells: cells, hasNull: true), rows) == [3, 2, 4, 2])
        #expect(try counts(CellPartition(column: 1, cells: cells, hasNull: false), rows) == [3, 2, 4])
        // A cell in the middle of many, and the one before it.
        let many = CellPartition.Cells.intervals(edges: (0...16).map(Double.init))
        for edge in 1..<16 {
            let pair = [Double(edge), Double(edge).nextDown].map { [Value.integer(1), .real($0), .null, .null] }
            let found = try counts(CellPartition(column: 1, cells: many, hasNull: false), pair)
            #expect(found == (0..<16).map { $0 == edge || $0 == edge - 1 ? 1 : 0 })
        }
    }

    @Test("Values of a domain have a cell each; others count as null, or not at all")
    func domains() throws {
        let rows: [[Value]] = [("b", 7), ("a", -7), ("b", 1 << 40), ("c", 8), (nil, nil)].map {
            (text: String?, number: Int64?) in
            [.integer(1), .null, text.map(Value.text) ?? .null, number.map(Value.integer) ?? .null]
        }
        let texts = CellPartition.Cells.values([.text("b"), .text("zz"), .text("a")])
        #expect(try counts(CellPartition(column: 2, cells: texts, hasNull: true), rows) == [2, 0, 1, 2])
        #expect(try counts(CellPartition(column: 2, cells: texts, hasNull: false), rows) == [2, 0, 1])
        for far in [Int64(9), 1 << 40] {
            let numbers = CellPartition.Cells.values([.integer(7), .integer(far), .integer(-7)])
            let expected: [Int64] = [1, far == 9 ? 0 : 1, 1, far == 9 ? 3 : 2]
            #expect(try counts(CellPartition(column: 3, cells: numbers, hasNull: true), rows) == expected)
        }
    }

    @Test("Of each unit exactly its first rows count, across chunks too", arguments: [1, 2, 3, 5_000])
    func rowsPerUnit(_ bound: Int) throws {
        var dice = Dice(4)
        var rows: [[Value]] = (0..<300).map { _ in
            [.integer(Int64(dice.int(1...90))), .real(Double(dice.int(0...3))), .null, .null]
        }
        rows += (0..<4_000).map { [.integer(0), .real(Double($0 % 4)), .null, .null] }
        let table = try table(rows, rowsPerUnit: 4_000)
        let partition = CellPartition(column: 1, cells: .intervals(edges: [0, 1, 2, 3, 4]), hasNull: false)
        let exact = try #require(MarginalCounting([partition], rowsPerUnit: bound, table: table)).singles()
        var expected: [Int64] = [0, 0, 0, 0]
        for unit in table.rowsByUnit().values {
            for row in unit.prefix(bound) { if case .real(let x) = row[1] { expected[Int(x)] += 1 } }
        }
        #expect(exact.counts == [expected])
        #expect(exact.units == Int64(Set(rows.map { $0[0] }).count))
        #expect(MarginalCounting([partition], rowsPerUnit: 0, table: table) == nil)
        #expect(
            MarginalCounting(
                [CellPartition(column: 4, cells: partition.cells, hasNull: false)], rowsPerUnit: 1, table: table) == nil
        )
    }

    @Test("Pairs of columns are counted by their groups of cells, the right one fastest; what has no cell is left out")
    func pairs() throws {
        let values: [(Double?, String?, Int64)] = [
            (0, "a", 1), (1, "a", 2), (2, "b", 1), (3, "b", 3), (3, nil, 1), (nil, "a", 2), (2, "c", 3),
        ]
        let rows = values.map { x, text, n in
            [.integer(1), x.map(Value.real) ?? .null, text.map(Value.text) ?? .null, .integer(n)] as [Value]
        }
        let partitions = [
            CellPartition(column: 1, cells: .intervals(edges: [0, 1, 2, 3, 4]), hasNull: true),
            CellPartition(column: 2, cells: .values([.text("a"), .text("b")]), hasNull: false),
            CellPartition(column: 3, cells: .values([.integer(1), .integer(2), .integer(3)]), hasNull: false),
        ]
        let counting = try #require(MarginalCounting(partitions, rowsPerUnit: 100, table: try table(rows)))
        // Cells 0 and 1 of the first column are one group, 2 and 3 another, null a third.
        let exact = counting.pairs(groups: [[0, 0, 1, 1, 2], [0, 1], [0, 1, 1]])
        #expect(exact.counts(0, 1) == [2, 0, 0, 2, 1, 0])
        #expect(exact.counts(0, 2) == [1, 1, 2, 2, 0, 1])
        #expect(exact.counts(1, 2) == [1, 2, 1, 1])
    }
}
