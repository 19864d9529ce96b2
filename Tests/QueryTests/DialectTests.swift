import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

/// What questions come to on rows, worked out by hand as PostgreSQL has it.
@Suite("What SQL means here")
struct DialectTests {
    private static let dataset = DatasetDescription(
        name: "t",
        schema: Schema(columns: [
            ColumnSchema(name: "a", type: .integer, isNullable: true, lowerBound: -10, upperBound: 10),
            ColumnSchema(name: "x", type: .real, isNullable: true, lowerBound: -100, upperBound: 100),
            ColumnSchema(name: "s", type: .text, isNullable: true, maximumBytes: 40),
            ColumnSchema(name: "d", type: .date, isNullable: true, lowerBound: 0, upperBound: 20_000),
            ColumnSchema(
                name: "ts", type: .timestamp, isNullable: true, lowerBound: 1_577_836_800, upperBound: 1_640_908_800),
        ]),
        unit: UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1), capacityRows: 100, population: "people")

    /// 2020-03-01, a Sunday, is day 18322.
    private static let rows: [[Value]] = [
        [.integer(1), .real(0.5), .text("a_b"), .date(18_322), .timestamp(1_583_020_800)],
        [.integer(2), .real(1.5), .text("axb"), .date(18_323), .timestamp(1_583_020_801)],
        [.integer(-3), .real(2.5), .text(""), .date(18_328), .timestamp(1_583_107_200)],
        [.null, .real(-0.5), .null, .null, .null],
        [.integer(2), .null, .text("Élan"), .date(18_321), .null],
        [.integer(0), .real(-1.5), .text("back\\slash"), .date(0), .null],
    ]

    private func answer(_ sql: String) throws -> [[Value]] {
        let plan = try Planner.plan(
            Question(sql: sql, budget: .rho(9_000)),
            in: PlanningContext(datasets: [Self.dataset], regime: Fixtures.zCDP))
        var random = SeededGenerator(seed: 1)
        let table = try SampleRows.table(Self.dataset, Self.rows)
        return plan.measure(.table(table), lookups: [], using: &random).answer.rows.map { $0.map(\.value) }
    }

    @Test(
        "A condition holds in so many of the rows",
        arguments: [
            ("a IN (1, 2)", 3), ("a IN (1, NULL)", 1), ("a NOT IN (1, 2)", 2), ("a NOT IN (1, NULL)", 0),
            ("NOT (a IN (1, NULL))", 0), ("(a IN (1, NULL)) IS NULL", 5), ("a IN (NULL)", 0), ("a NOT IN (NULL)", 0),
            ("s IN ('axb', NULL)", 1), ("s NOT IN ('axb', NULL)", 0), ("x IN (0.5, NULL)", 1), ("a = NULL", 0),
            ("a IS DISTINCT FROM 2", 4), ("a IS NOT DISTINCT FROM 2", 2), ("a IS DISTINCT FROM NULL", 5),
            ("a IS NOT DISTINCT FROM NULL", 1), ("x IS NOT DISTINCT FROM a", 0), ("s IS DISTINCT FROM ''", 5),
            ("NOT (a IS DISTINCT FROM 2)", 2),
            ("s LIKE 'a_b'", 2), ("s LIKE 'a!_b' ESCAPE '!'", 1), ("s LIKE 'a\\_b'", 1),
            ("s LIKE 'a\\_b' ESCAPE ''", 0),
            ("s LIKE 'back\\%' ESCAPE ''", 1), ("s LIKE 'back\\\\%'", 1), ("s LIKE 'back!\\%' ESCAPE '!'", 1),
            ("s LIKE '%sl!ash' ESCAPE '!'", 1), ("s LIKE 'a%_b' ESCAPE '%'", 1), ("s NOT LIKE 'a!_b' ESCAPE '!'", 4),
            ("s LIKE 'É%' ESCAPE 'É'", 0), ("s LIKE 'ÉÉ%' ESCAPE 'É'", 1),
            ("d - DATE '2020-03-01' = 6", 1), ("d + 7 = '2020-03-08'", 1), ("7 + d = '2020-03-08'", 1),
            ("d - 1 = '2020-02-29'", 1), ("d - d = 0", 5), ("d - '2020-03-01' < 0", 2), ("d + a > d", 3),
            ("d - 1000000 IS NULL", 6), ("EXTRACT(DOW FROM d) = 0", 1), ("EXTRACT(ISODOW FROM d) = 7", 1),
            ("EXTRACT(EPOCH FROM ts) - EXTRACT(EPOCH FROM TIMESTAMP '2020-03-01 00:00:00') = 1", 1),
            ("CAST(ts AS DATE) - d = 0", 1), ("EXTRACT(EPOCH FROM d) = 0", 1),
            ("POWER(a, 2) = 4", 2), ("POWER(a, 3) = -27", 1), ("POWER(a, 0.5) IS NULL", 2), ("POWER(a, -1) IS NULL", 2),
            ("POWER(a, 0) = 1", 5), ("POWER(x, NULL) IS NULL", 6), ("POWER(1, x) = 1", 5), ("POW(10, 400) IS NULL", 6),
            ("SUBSTR(s, 2) = 'lan'", 1), ("SUBSTR(s, 1, 1) = 'É'", 1), ("SUBSTRING(s FROM 2 FOR 1) = 'x'", 1),
            ("SUBSTR(s, 0, 2) = 'a'", 2), ("SUBSTR(s, -1, 3) = 'b'", 1), ("SUBSTR(s, 99) = ''", 5),
            ("LEFT(s, 2) = 'ax'", 1),
            ("s || '!' = 'axb!'", 1), ("'e' || '\u{301}' = 'é'", 6), ("s || NULL IS NULL", 6), ("s || a = 'axb2'", 1),
            ("s || '!' IS NULL", 1), ("CONCAT(s, '!') = '!'", 2), ("CONCAT(a, '-', s) = '-'", 1),
            ("CONCAT(NULL, 'a') = 'a'", 6),
            ("CAST(x AS INTEGER) = 0", 2), ("CAST(x AS INTEGER) = 2", 2), ("CAST(x AS INTEGER) = -2", 1),
            ("x::int = 2", 2), ("CAST(2.5 AS INTEGER) = 2", 6), ("CAST(3.5 AS INTEGER) = 4", 6),
            ("CAST(-2.5 AS INT) = -2", 6),
        ] as [(String, Int64)])
    func condition(_ condition: String, _ count: Int64) throws {
        #expect(try answer("SELECT COUNT(*) FROM t WHERE \(condition)") == [[.integer(count)]])
        // As a key, a condition says the same.
        let groups = try answer("SELECT \(condition) AS k, COUNT(*) FROM t GROUP BY k")
        #expect(groups.first { $0[0] == .boolean(true) }.map { $0[1] } ?? .integer(0) == .integer(count))
        #expect(groups.reduce(0) { if case .integer(let rows) = $1[1] { $0 + rows } else { $0 } } == 6)
    }

    @Test("A sum of days between dates, and a group for each, follow from the dates' bounds")
    func days() throws {
        #expect(try answer("SELECT SUM(CLAMP(d - DATE '2020-03-01', -9, 9)) FROM t WHERE a > 0") == [[.integer(0)]])
        let groups = try answer(
            "SELECT CLAMP(d - DATE '2020-03-01', -1, 1) AS k, COUNT(*) FROM t GROUP BY k ORDER BY k NULLS LAST")
        #expect(groups == [(-1, 2), (0, 1), (1, 2)].map { [.integer($0), .integer($1)] } + [[.null, .integer(1)]])
        let moved = try answer("SELECT CLAMP(d, '2020-03-01', '2020-03-02') + 1 AS k, COUNT(*) FROM t GROUP BY k")
        #expect(moved == [[.date(18_323), .integer(3)], [.date(18_324), .integer(2)], [.null, .integer(1)]])
    }

    @Test("Results are subtracted like rows")
    func results() throws {
        #expect(
            Fixtures.error("SELECT MAX(day) - MIN(day) AS span, MEDIAN(day) + 7, MIN(day) || '!' FROM visits") == nil)
        let known = try answer(
            "SELECT COUNT(*) || '!', POWER(COUNT(*), 2), DATE '2020-03-01' - DATE '2020-02-01' FROM t")
        #expect(known == [[.text("6!"), .real(36), .integer(29)]])
    }

    @Test("Powers and rounded numbers as keys have a group for each value, and every row is in one")
    func keys() throws {
        let powers = try answer("SELECT POWER(CLAMP(a, 0, 2), 2) AS k, COUNT(*) FROM t GROUP BY k")
        #expect(
            Set(powers) == [
                [.real(0), .integer(2)], [.real(1), .integer(1)], [.real(4), .integer(2)], [.null, .integer(1)],
            ])
        let whole = try answer("SELECT CAST(x AS INTEGER) AS k, COUNT(*) FROM t WHERE x BETWEEN -2 AND 3 GROUP BY k")
        #expect(whole.first { $0[0] == .integer(2) } == [.integer(2), .integer(2)])
        #expect(whole.first { $0[0] == .integer(-2) } == [.integer(-2), .integer(1)])
        #expect(whole.first { $0[0] == .integer(1) } == [.integer(1), .integer(0)])
    }

    @Test("Without another word, null comes first where the order ascends, and last where it descends")
    func nulls() throws {
        func keys(_ order: String) throws -> [Value] {
            try answer("SELECT CLAMP(a, 0, 1) AS k, COUNT(*) FROM t GROUP BY k ORDER BY \(order)").map { $0[0] }
        }
        #expect(try keys("k") == [.null, .integer(0), .integer(1)])
        #expect(try keys("k DESC") == [.integer(1), .integer(0), .null])
        #expect(try keys("k NULLS LAST") == [.integer(0), .integer(1), .null])
        #expect(try keys("k DESC NULLS FIRST") == [.null, .integer(1), .integer(0)])
    }

    @Test("A number with an exponent whose value is whole is a whole number")
    func whole() throws {
        #expect(try answer("SELECT CLAMP(a, 0, 1) AS k, COUNT(*) FROM t GROUP BY k LIMIT 2e0 OFFSET 1E0").count == 2)
        for limit in ["1.5", "1e99", "1e10", "2.5e0"] {
            #expect(throws: QueryError.self) { try answer("SELECT COUNT(*) FROM t LIMIT \(limit)") }
        }
    }
}
