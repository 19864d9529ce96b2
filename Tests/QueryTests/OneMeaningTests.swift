import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Secrets
import Tables
import Testing

@testable import Query

/// Literals, keys and results come to what columns come to: no row is lost, and nothing is charged for groups that cannot be.
@Suite("What a key, a literal and a result mean")
struct OneMeaningTests {
    /// Six doses, of 0, 0.5 and 1.
    private func answer(_ sql: String) throws -> [[Value]] {
        let doses = DatasetDescription(
            name: "doses",
            schema: Schema(columns: [
                ColumnSchema(name: "dose", type: .real, domain: [0, 0.5, 1].map { .real($0) }),
                ColumnSchema(name: "given", type: .date, lowerBound: 18_320, upperBound: 18_322),
                ColumnSchema(name: "answer", type: .text, domain: ["yes", "No", "5.0"].map { .text($0) }),
            ]),
            unit: UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1), capacityRows: 100,
            population: "people")
        let rows: [[Value]] = zip([0, 0.5, 0.5, 1, 1, 1], 0...).map { dose, number in
            [.real(dose), .date(18_320 + Int64(number % 3)), .text(["yes", "No", "5.0"][number % 3])]
        }
        let plan = try Planner.plan(
            Question(sql: sql, budget: .rho(9_000)), in: PlanningContext(datasets: [doses], regime: Fixtures.zCDP))
        var random = SeededGenerator(seed: 1)
        return plan.measure(.table(try SampleRows.table(doses, rows)), lookups: [], using: &random).answer.rows
            .map { $0.map(\.value) }
    }

    @Test(
        "A condition of literals that is true keeps every row",
        arguments: [
            "CAST('true' AS BOOLEAN)", "CAST('5.0' AS INTEGER) = 5", "CAST(0.5 AS TEXT) = '0.5'",
            "CAST(DATE '2020-02-29' AS TEXT) = '2020-02-29'", "CAST('yes' AS BOOLEAN)", "CAST(' 7 ' AS INTEGER) = 7",
            "CAST(TIMESTAMP '2020-02-29 10:30:00' AS TEXT) = '2020-02-29T10:30:00Z'", "'50%' LIKE '50\\%'",
            "TIMESTAMP '2020-02-29 10:30:00+02:00' = '2020-02-29 08:30'", "CAST(CAST(1 AS REAL) AS TEXT) = '1.0'",
        ])
    func literals(_ condition: String) throws {
        #expect(try answer("SELECT COUNT(*) FROM doses WHERE \(condition)") == [[.integer(6)]])
    }

    /// Integers at the ends of their range and around 2^53, from which on not each is a real.
    private static let large: [Int64] = [
        -.max, 1 - .max, -(1 << 53) - 1, -(1 << 53), 0, 1 << 53, (1 << 53) + 1, (1 << 53) + 2, .max - 1, .max,
    ]

    @Test(
        "An integer and a literal are compared exactly, wherever the literal lies",
        arguments: [
            "-9223372036854775808", "-9223372036854775807", "-9223372036854775809", "-1e19", "-9007199254740992.0",
            "-9007199254740993", "0.5", "9007199254740992.0", "9007199254740993", "9007199254740992e0",
            "9223372036854775807", "9223372036854775808", "1e19", "1.7e308",
        ])
    func largeIntegers(literal: String) throws {
        let dataset = DatasetDescription(
            name: "t", schema: Schema(columns: [ColumnSchema(name: "v", type: .integer, isNullable: true)]),
            unit: UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1), capacityRows: 100,
            population: "people")
        let table = try SampleRows.table(dataset, Self.large.map { [.integer($0)] } + [[.null]])
        func count(_ condition: String) throws -> Value {
            let plan = try Planner.plan(
                Question(sql: "SELECT COUNT(*) FROM t WHERE \(condition)", budget: .rho(9_000)),
                in: PlanningContext(datasets: [dataset], regime: Fixtures.zCDP))
            var random = SeededGenerator(seed: 1)
            return plan.measure(.table(table), lookups: [], using: &random).answer.rows[0][0].value
        }
        // The oracle has 64 bits of significand, or decimals where they do not suffice.
        let value = try #require(Decimal(string: literal.contains("e308") ? "1e100" : literal))
        func number(_ passes: (Decimal) -> Bool) -> Value {
            .integer(Int64(Self.large.count { passes(Decimal($0)) }))
        }
        #expect(try count("v = \(literal)") == number { $0 == value })
        #expect(try count("v <> \(literal)") == number { $0 != value })
        #expect(try count("v < \(literal)") == number { $0 < value })
        #expect(try count("v >= \(literal)") == number { $0 >= value })
        #expect(try count("\(literal) < v") == number { value < $0 })
        #expect(try count("\(literal) >= v") == number { value >= $0 })
        #expect(try count("v IN (\(literal), 0.5)") == number { $0 == value })
        #expect(try count("v NOT IN (\(literal), -0.5)") == number { $0 != value })
        #expect(try count("v BETWEEN \(literal) AND 1e30") == number { $0 >= value && literal != "1.7e308" })
        #expect(try count("v BETWEEN -1e30 AND \(literal)") == number { $0 <= value })
        #expect(try count("CASE v WHEN \(literal) THEN TRUE ELSE FALSE END") == number { $0 == value })
        #expect(
            try count("NULLIF(v, \(literal)) IS NULL") == .integer(Int64(1 + Self.large.count { Decimal($0) == value }))
        )
    }

    @Test(
        "A number or a name too large is refused without being repeated",
        arguments: [
            "dose < \(String(repeating: "9", count: 60_000))", "dose < 1\(String(repeating: "0", count: 400))",
            "\(String(repeating: "n", count: 60_000)) = 1", "\"\(String(repeating: "n", count: 60_000))\" = 1",
            "\(String(repeating: "n", count: 60_000))(dose) = 1",
            "CAST(dose AS \(String(repeating: "n", count: 60_000))) = 1",
        ])
    func tooLarge(condition: String) {
        #expect {
            try answer("SELECT COUNT(*) FROM doses WHERE \(condition)")
        } throws: { error in
            "\(error)".count < 300
        }
    }

    @Test(
        "A cast key has a group for each of its values, and every row is in one",
        arguments: [
            ("CAST(dose AS TEXT)", [("0.0", 1), ("0.5", 2), ("1.0", 3)]),
            ("CAST(given AS TEXT)", [("2020-02-28", 2), ("2020-02-29", 2), ("2020-03-01", 2)]),
            (
                "CAST(CAST(given AS TIMESTAMP) AS TEXT)",
                [("2020-02-28T00:00:00Z", 2), ("2020-02-29T00:00:00Z", 2), ("2020-03-01T00:00:00Z", 2)]
            ),
            ("CAST(dose = 1 AS TEXT)", [("false", 3), ("true", 3)]),
            ("UPPER(CAST(dose AS TEXT))", [("0.0", 1), ("0.5", 2), ("1.0", 3)]),
        ] as [(String, [(String, Int64)])])
    func keys(_ key: String, _ groups: [(String, Int64)]) throws {
        let expected: [[Value]] = groups.map { [.text($0.0), .integer($0.1)] }
        let rows = try answer("SELECT \(key) AS k, COUNT(*) FROM doses GROUP BY k ORDER BY k NULLS LAST")
        #expect(Array(rows.prefix(groups.count)) == expected)
        for rest in rows.dropFirst(groups.count) { #expect(rest == [.null, .integer(0)]) }
    }

    @Test("A key of text cast to a boolean or an integer has what the column's texts come to")
    func fromText() throws {
        let truths = try answer("SELECT CAST(answer AS BOOLEAN) AS k, COUNT(*) FROM doses GROUP BY k")
        #expect(
            Set(truths) == [[.boolean(false), .integer(2)], [.boolean(true), .integer(2)], [.null, .integer(2)]])
        let numbers = try answer("SELECT CAST(answer AS INTEGER) AS k, COUNT(*) FROM doses GROUP BY k")
        #expect(Set(numbers) == [[.integer(5), .integer(2)], [.null, .integer(4)]])
    }

    @Test("DOW counts from Sunday, 0, and ISODOW and DAYOFWEEK from Monday, 1, to Sunday, 7")
    func dayOfWeek() throws {
        // 2020-02-28 was a Friday: two of each day to Sunday.
        for (part, counts) in [("DOW", [0: 2, 5: 2, 6: 2]), ("ISODOW", [5: 2, 6: 2, 7: 2])]
            as [(String, [Int64: Int64])]
        {
            let rows = try answer("SELECT EXTRACT(\(part) FROM given) AS k, COUNT(*) FROM doses GROUP BY k")
            for row in rows {
                if case .integer(let day) = row[0] { #expect(row[1] == .integer(counts[day] ?? 0), "\(part) \(day)") }
            }
            #expect(Set(rows.map { $0[0] }).isSuperset(of: counts.keys.map { .integer($0) }))
        }
        func literal(_ text: String, _ value: Int) throws {
            #expect(try answer("SELECT COUNT(*) FROM doses WHERE \(text) = \(value)") == [[.integer(6)]], "\(text)")
        }
        for (day, dow) in [("2020-03-01", 0), ("2020-03-02", 1), ("2020-02-29", 6)] {
            try literal("EXTRACT(DOW FROM DATE '\(day)')", dow)
            try literal("DOW(DATE '\(day)')", dow)
            try literal("EXTRACT(ISODOW FROM DATE '\(day)')", dow == 0 ? 7 : dow)
            try literal("DAYOFWEEK(DATE '\(day)')", dow == 0 ? 7 : dow)
        }
    }

    @Test("What follows on a key is computed as on a column")
    func results() throws {
        let rows = try answer(
            "SELECT CAST(dose AS TEXT) AS k, CAST(COUNT(*) AS TEXT), LENGTH(CAST(dose AS TEXT)) FROM doses GROUP BY dose "
                + "HAVING CAST(dose AS TEXT) LIKE '_.%' ORDER BY k DESC")
        #expect(
            rows == [
                [.text("1.0"), .text("3"), .integer(3)], [.text("0.5"), .text("2"), .integer(3)],
                [.text("0.0"), .text("1"), .integer(3)],
            ])
    }

    @Test("Parts and texts of dates that the calendar does not have are null, and the plan knows it")
    func outsideTheCalendar() throws {
        let far = DatasetDescription(
            name: "far",
            schema: Schema(columns: [
                ColumnSchema(name: "day", type: .date, isNullable: false, lowerBound: -719_530, upperBound: -700_000)
            ]),
            unit: UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1), capacityRows: 100,
            population: "people")
        let context = PlanningContext(datasets: [far], regime: Fixtures.zCDP)
        let rows: [[Value]] = [-719_530, -719_528, -719_162, -719_000].map { [.date($0)] }
        for (key, counts) in [("YEAR(day)", [1, 1, 2]), ("DATE_TRUNC('year', day)", [1, 1, 2])] {
            let plan = try Planner.plan(
                Question(sql: "SELECT \(key) AS k, COUNT(*) AS n FROM far GROUP BY k ORDER BY n", budget: .rho(9_000)),
                in: context)
            var random = SeededGenerator(seed: 1)
            let answer = plan.measure(.table(try SampleRows.table(far, rows)), lookups: [], using: &random).answer
            let counted = answer.rows.map { $0.map(\.value) }.filter { $0[1] != .integer(0) }
            #expect(counted.map { $0[1] } == counts.map { .integer(Int64($0)) }, "\(key)")
            #expect(counted.contains([.null, .integer(1)]))
        }
    }
}
