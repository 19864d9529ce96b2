import Secrets
import Tables
import Testing

@testable import SyntheticData

@Suite("Exact marginals, before the noise")
struct CountingTests {
    private let schema = Schema(columns: [
        ColumnSchema(name: "unit", type: .integer),
        ColumnSchema(name: "word", type: .text, domain: [.text("a"), .text("é")], maximumBytes: 8),
        ColumnSchema(name: "number", type: .real, lowerBound: 0, upperBound: 3, resolution: 1),
    ])

    private func table(_ rows: [[Value]], rowsPerUnit: Int = 100) throws -> Table {
        try Table(
            rows: rows,
            plan: IngestPlan(
                schema: schema, unitColumn: 0, rowsPerUnit: rowsPerUnit,
                key: ClusteringKey(siteSecret: [UInt8](repeating: 1, count: 16), population: "p"), onError: .null))
    }

    private func columns() throws -> [SyntheticColumn] {
        try SyntheticData(schema: schema, unitColumn: 0, rowsPerUnit: 9).columns
    }

    @Test(
        "Values fall into their cells: null into its own, what is out of bounds into the nearest, foreign words into null"
    )
    func cells() throws {
        let table = try table([
            [.integer(1), .text("a"), .real(0)], [.integer(1), .text("e\u{301}"), .real(2.6)],
            [.integer(2), .null, .real(-4)], [.integer(3), .text("b"), .real(1e9)],
            [.integer(4), .text("a"), .null], [.integer(5), .text("a"), .real(1.2)],
        ])
        let counting = try #require(MarginalCounting(columns().map(\.partition), rowsPerUnit: 9, table: table))
        let singles = counting.singles()
        #expect(singles.units == 5)
        #expect(singles.counts == [[3, 1, 2], [2, 1, 0, 2, 1]])
        let pairs = counting.pairs(groups: [[0, 1, 2], [0, 0, 1, 1, 2]])
        #expect(pairs.counts(0, 1) == [2, 0, 1, 0, 1, 0, 1, 1, 0])
    }

    @Test("Of each unit the first rows count, up to the bound: adding a unit changes no marginal by more")
    func unitsAreBounded() throws {
        let others = (0..<50).map { [Value.integer($0 % 7), .text("a"), .real(Double($0 % 4))] }
        let added = (0..<20).map { _ in [Value.integer(99), .text("é"), .real(1)] }
        for bound in [1, 3, 20] {
            func counts(_ rows: [[Value]]) throws -> [[Int64]] {
                let partitions = try columns().map(\.partition)
                let counting = try #require(
                    MarginalCounting(partitions, rowsPerUnit: bound, table: try table(rows)))
                let pairs = counting.pairs(groups: partitions.map { Array(0..<Int32($0.count)) })
                return counting.singles().counts + [pairs.counts(0, 1)]
            }
            for (before, after) in zip(try counts(others), try counts(others + added)) {
                #expect(zip(before, after).reduce(0) { $0 + abs($1.0 - $1.1) } == Int64(bound))
            }
        }
    }

    @Test("An empty table has empty marginals")
    func emptyTable() throws {
        let counting = try #require(MarginalCounting(columns().map(\.partition), rowsPerUnit: 9, table: table([])))
        let singles = counting.singles()
        #expect(singles.units == 0 && singles.counts.allSatisfy { $0.allSatisfy { $0 == 0 } })
    }

    @Test("A grid's cells cover its bounds, each value counts in the cell that makes it")
    func grids() throws {
        var generator = SeededGenerator(seed: 1)
        for (lower, upper, step, type) in [
            (0.0, 50.0, nil, ValueType.integer), (0, 1e6, nil, .integer), (-3, 4, nil, .real), (0, 1e-9, nil, .real),
            (0, 5_000, 0.01, .real), (1e9, 1.1e9, nil, .timestamp), (0, 1, 5, .real), (-0x1p53, 0x1p53, nil, .integer),
            (0, 0x1p53, nil, .integer), (0, 1e300, nil, .real), (0.123456789_49, 1.5, 0.1, .real),
            (14_000, 14_001, nil, .date),
        ] as [(Double, Double, Double?, ValueType)] {
            let schema = ColumnSchema(
                name: "x", type: type, isNullable: false, lowerBound: lower, upperBound: upper, resolution: step)
            let grid = try #require(CellGrid(schema))
            #expect(grid.cellCount >= 1 && grid.cellCount <= CellGrid.mostCells + 1)
            #expect(zip(grid.starts, grid.starts.dropFirst()).allSatisfy { $0 < $1 })
            let edges = grid.edges
            for cell in 0..<grid.cellCount {
                let value = grid.value(in: cell, using: &generator)
                #expect(value >= lower && value <= upper)
                if upper < 0x1p52 {
                    #expect(value >= edges[cell] && (value < edges[cell + 1] || cell == grid.cellCount - 1))
                }
            }
        }
    }

    @Test("Merging groups neighbours until they are full, and rare values together; no cell is lost")
    func merging() throws {
        let columns = try columns()
        let words = CellMerging(columns[0], counts: [100, 2, 50], noise: 1, wanted: 4)
        #expect(words.groups == [0, 2, 1] || words.groups == [0, 1, 2])
        let numbers = CellMerging(columns[1], counts: [10, 10, 100, 5, 3], noise: 2, wanted: 6)
        #expect(numbers.groupCount == Int(numbers.groups.max() ?? 0) + 1)
        #expect(numbers.groups[0] == numbers.groups[1] && numbers.groups[4] == numbers.groups.max())
        let nothing = CellMerging(columns[1], counts: [0, 0, 0, 0, 0], noise: 2, wanted: 6)
        #expect(nothing.groupCount == 2)
    }

    @Test("A group is full where it and what is left hold their share, and stand out from the noise three times over")
    func fullGroups() throws {
        let columns = try columns()
        func groups(_ counts: [Double], _ noise: Double, wanted: Int = 6, column: Int = 1) -> [Int32] {
            CellMerging(columns[column], counts: counts, noise: noise, wanted: wanted).groups
        }
        // A sixth is 21: what is left of the last cell would not do for a group of its own.
        #expect(groups([10, 10, 100, 5, 3], 2) == [0, 0, 0, 0, 1])
        #expect(groups([30, 40, 50, 30, 3], 2) == [0, 1, 2, 3, 4])
        #expect(groups([30, 40, 50, 30, 3], 20) == [0, 0, 1, 1, 2])
        // Words below three times the noise share a group.
        #expect(groups([2, 1, 50], 1, column: 0) == [0, 0, 1])
        #expect(groups([3, 1, 50], 1, column: 0) == [0, 1, 2])
        let wide = try SyntheticColumn.make(
            ColumnSchema(name: "wide", type: .integer, lowerBound: 0, upperBound: 63), at: 0
        ).get()
        let even = [Double](repeating: 100, count: 65)
        #expect(CellMerging(wide, counts: even, noise: 0.1, wanted: 100).groupCount == CellMerging.mostGroups)
    }
}
