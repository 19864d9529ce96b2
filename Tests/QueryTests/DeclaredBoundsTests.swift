import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

/// Groups of public keys are listed from what the manifest declares: a value that it does not foresee would lose its row.
@Suite("A declared bound has one meaning, for filters, keys and aggregates (docs/privacy.md, rule 28)")
struct DeclaredBoundsTests {
    /// Each row is a unit, so that no bound on contributions cuts anything.
    static let readings = DatasetDescription(
        name: "readings",
        schema: Schema(columns: [
            ColumnSchema(name: "age", type: .integer, isNullable: false, lowerBound: 18, upperBound: 90),
            ColumnSchema(name: "cost", type: .real, lowerBound: -3.5, upperBound: 250.25),
            ColumnSchema(
                name: "dose", type: .real, isNullable: false, lowerBound: 0.05, upperBound: 1, resolution: 0.1,
                infinityIsBound: true),
            ColumnSchema(
                name: "score", type: .integer, lowerBound: -20, upperBound: 33, resolution: 5, outsideIsNull: true),
            ColumnSchema(name: "level", type: .real, lowerBound: 0, upperBound: 9, resolution: 2, outsideIsNull: true),
            ColumnSchema(name: "day", type: .date, isNullable: false, lowerBound: 10_957, upperBound: 11_400),
            ColumnSchema(
                name: "moment", type: .timestamp, lowerBound: 951_700_000, upperBound: 952_300_000, resolution: 60),
            ColumnSchema(
                name: "ward", type: .text, isNullable: false, domain: ["east", "west", "else"].map(Value.text),
                other: .text("else")),
            ColumnSchema(
                name: "grade", type: .integer, lowerBound: 0, upperBound: 20, domain: [0, 5, 10, 20].map(Value.integer)),
            ColumnSchema(name: "flag", type: .boolean),
        ]),
        unit: UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1), capacityRows: 10_000, population: "people"
    )

    static func row(_ random: inout SeededGenerator) -> [Value] {
        func integer(_ range: ClosedRange<Int64>, _ extremes: [Int64]) -> Int64 {
            Int.random(in: 0..<4, using: &random) == 0
                ? extremes.randomElement(using: &random) ?? 0 : Int64.random(in: range, using: &random)
        }
        func real(_ range: ClosedRange<Double>) -> Double {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: [1e300, -1e9, .infinity, -.infinity, 0.3, -0.0, 250.25].randomElement(using: &random) ?? 0
            case 1: Double(Int.random(in: -20...3_000, using: &random)) / 10
            default: Double.random(in: range, using: &random)
            }
        }
        func orNull(_ value: Value) -> Value { Int.random(in: 0..<8, using: &random) == 0 ? .null : value }
        return [
            .integer(integer(0...120, [.max, -.max, 17, 18, 90, 91])), orNull(.real(real(-10...300))),
            .real(real(-0.5...2)), orNull(.integer(integer(-40...50, [.max, -.max, -23, -22, 32, 35, 36]))),
            orNull(.real(real(-3...12))), .date(integer(10_000...12_000, [-719_528, 2_932_896, 10_956, 11_401])),
            orNull(.timestamp(integer(951_000_000...953_000_000, [.max, 0]))),
            .text(["east", "west", "north"].randomElement(using: &random) ?? ""),
            orNull(.integer([0, 5, 7, 10, 20, 40].randomElement(using: &random) ?? 0)),
            orNull(.boolean(Bool.random(using: &random))),
        ]
    }

    /// Rows as a table: read now, or stored before values were clipped and only opened now.
    static func table(_ rows: [[Value]], isOld: Bool) throws -> Table {
        var schema = readings.schema
        if isOld {
            for index in schema.columns.indices {
                (schema.columns[index].lowerBound, schema.columns[index].upperBound) = (nil, nil)
                (schema.columns[index].resolution, schema.columns[index].outsideIsNull) = (nil, false)
            }
        }
        let plan = IngestPlan(schema: schema, unitColumn: nil, rowsPerUnit: 1, key: SampleRows.key, onError: .null)
        guard isOld else { return try Table(rows: rows, plan: plan) }
        let worker = IngestWorker(plan)
        // Infinite doses are the bound, which is known then too.
        let finite = rows.map { row in
            row.map { $0 == .real(.infinity) ? .real(1e300) : $0 == .real(-.infinity) ? .real(-1e300) : $0 }
        }
        try worker.append(finite)
        var assembler = TableAssembler([worker], plan: plan)
        var parts: [TablePart: [UInt8]] = [:]
        for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
            try assembler.write(partition) { parts[$0, default: []].append(contentsOf: $1) }
        }
        let description = try assembler.finish { parts[$0, default: []].append(contentsOf: $1) }
        return try Table(schema: readings.schema, description: description) { ColumnBytes(parts[$0] ?? []) }
    }

    /// The answer without noise: a loss so large that the noise is zero but for a chance of exp(-1000). Under pure
    /// privacy a key that is not public is refused.
    static func ask(_ sql: String, _ table: Table) throws -> NoisyAnswer {
        let context = PlanningContext(datasets: [readings], lookups: [], regime: Fixtures.pure)
        let plan = try Planner.plan(Question(sql: sql, budget: .epsilon(5_000)), in: context)
        var random = SeededGenerator(seed: 1)
        return plan.measure(.table(table), lookups: [], using: &random).answer
    }

    static func counts(_ sql: String, _ table: Table) throws -> [Double] {
        try ask(sql, table).rows.map { $0.last?.value.number ?? .nan }
    }

    static let keys = [
        "age", "score", "day", "ward", "grade", "flag", "dose", "level", "age > 90", "age >= 90", "cost < -3",
        "dose = 0.35",
        "cost > 250",
        "BIN(age, 10)", "BIN(cost, 100)", "BIN(cost, 7.5, 1)", "BIN(level, 3)", "FLOOR(cost)", "CEIL(cost)",
        "FLOOR(dose)",
        "ROUND(cost)", "ROUND(cost, -1)", "FLOOR(level / 2)", "BIN(score, 7)", "age % 7", "ABS(score)", "-grade",
        "age + grade", "LEAST(age, 50)", "GREATEST(age, score)", "COALESCE(grade, -1)", "CLAMP(age, 20, 30)",
        "CASE WHEN age > 90 THEN 'old' WHEN age < 18 THEN 'young' ELSE 'middle' END",
        "CASE WHEN cost > 250 THEN age WHEN cost IS NULL THEN grade END", "score IS NULL", "level > 8", "YEAR(day)",
        "MONTH(day)", "QUARTER(day)", "WEEK(day)", "DAY(day)", "DAYOFWEEK(day)", "DAYOFYEAR(day)", "YEAR(moment)",
        "HOUR(moment)", "MINUTE(moment)", "SECOND(moment)", "DATE_TRUNC('month', day)", "DATE_TRUNC('week', day)",
        "DATE_TRUNC('day', moment)", "DATE_TRUNC('hour', moment)", "day < '2000-01-01'", "CAST(age AS REAL)",
        "ward = 'east'", "ward IN ('east', 'north')", "grade > 5", "NOT flag", "flag AND age > 40", "IF(flag, age, 0)",
        "moment > TIMESTAMP '2000-03-06 00:00:00'",
    ]

    static let filters = [
        "TRUE", "age > 90", "age >= 90 OR cost >= 250", "cost < 0", "score IS NOT NULL", "dose <= 0.05", "level = 8",
        "day > '2001-03-10' OR day <= '2000-01-02'", "NOT flag", "ward = 'else'",
        "moment IS NULL OR MINUTE(moment) < 30", "age BETWEEN 85 AND 200 AND grade > 4", "dose > 0.3 AND dose < 1",
        "level IN (2, 8)", "level IS NULL AND score < 20", "YEAR(day) = 2001", "age IN (17, 18, 90) AND flag",
    ]

    @Test(
        "The groups' counts add up to the rows that pass WHERE, in tables of today and of before", arguments: 1...24,
        [false, true])
    func groupsAddUp(seed: UInt64, isOld: Bool) throws {
        var random = SeededGenerator(seed: seed)
        let rows = (0..<Int.random(in: 1...400, using: &random)).map { _ in Self.row(&random) }
        let table = try Self.table(rows, isOld: isOld)
        for _ in 0..<12 {
            let chosen = (0..<Int.random(in: 1...2, using: &random)).map { _ in
                Self.keys.randomElement(using: &random) ?? "age"
            }
            let filter = Self.filters.randomElement(using: &random) ?? "TRUE"
            let named = chosen.enumerated().map { "\($1) AS k\($0)" }.joined(separator: ", ")
            let places = chosen.indices.map { "\($0 + 1)" }.joined(separator: ", ")
            let question = "SELECT \(named), COUNT(*) FROM readings WHERE \(filter) GROUP BY \(places)"
            let groups: [Double]
            do { groups = try Self.counts(question, table) } catch let error as QueryError
                where error.message.hasPrefix("no row can ")
            { groups = [] }
            let passing = try Self.counts("SELECT COUNT(*) FROM readings WHERE \(filter)", table)
            #expect(groups.reduce(0, +) == passing[0], "\(question)")
        }
    }

    @Test("Every key loses no row, in tables of today and of before", arguments: [false, true])
    func everyKey(isOld: Bool) throws {
        var random = SeededGenerator(seed: 99)
        let table = try Self.table((0..<600).map { _ in Self.row(&random) }, isOld: isOld)
        for key in Self.keys {
            let groups = try Self.counts("SELECT \(key) AS k, COUNT(*) FROM readings GROUP BY 1", table)
            #expect(groups.reduce(0, +) == 600, "\(key)")
        }
    }

    @Test("A value outside is the bound for a filter, a key and a sum; or null, where the column says so")
    func oneMeaning() throws {
        func row(age: Int64, score: Value) -> [Value] {
            [
                .integer(age), .null, .real(0.5), score, .null, .date(11_000), .null, .text("east"), .null, .null,
            ]
        }
        let rows = [
            row(age: 30, score: .integer(10)), row(age: 95, score: .integer(40)), row(age: 500, score: .integer(-21)),
            row(age: 10, score: .integer(35)),
        ]
        for isOld in [false, true] {
            let table = try Self.table(rows, isOld: isOld)
            #expect(try Self.counts("SELECT COUNT(*) FROM readings WHERE age > 90", table) == [0])
            #expect(try Self.counts("SELECT COUNT(*) FROM readings WHERE age = 90", table) == [2])
            #expect(try Self.counts("SELECT COUNT(*) FROM readings WHERE age = 18", table) == [1])
            #expect(try Self.counts("SELECT age > 90 AS old, COUNT(*) FROM readings GROUP BY old", table) == [4])
            #expect(try Self.counts("SELECT SUM(age) FROM readings", table) == [30 + 90 + 90 + 18])
            // -21 rounds to -20; 35 is on the grid and outside.
            let known = isOld ? 1.0 : 2
            #expect(try Self.counts("SELECT COUNT(score) FROM readings", table) == [known])
            #expect(try Self.counts("SELECT COUNT(*) FROM readings WHERE score IS NULL", table) == [4 - known])
        }
    }

    @Test("Values are rounded to the resolution before they are clipped, to the decimal numbers that people write")
    func rounding() {
        func column(_ type: ValueType, _ lower: Double, _ upper: Double, _ step: Double) -> ColumnSchema {
            ColumnSchema(name: "x", type: type, lowerBound: lower, upperBound: upper, resolution: step)
        }
        let tenths = column(.real, 0, 1, 0.1)
        for tenth in 0...10 {
            let value = Double(tenth) / 10
            #expect(tenths.bounded(.real(value)) == .real(value))
            #expect(tenths.bounded(.real(value + 0.04)) == .real(value))
        }
        #expect(tenths.bounded(.real(1.04)) == .real(1) && tenths.bounded(.real(7)) == .real(1))
        #expect(tenths.bounded(.real(.nan)) == .null && tenths.bounded(.null) == .null)
        // The upper bound need not lie on the grid, which begins at the lower one.
        #expect(column(.real, 0.25, 1, 0.5).bounded(.real(0.9)) == .real(0.75))
        #expect(column(.real, 0.25, 1, 0.5).bounded(.real(1.1)) == .real(1))
        let fives = column(.integer, -20, 33, 5)
        for (value, bounded) in [
            (-23, -20), (-18, -20), (-17, -15), (0, 0), (2, 0), (3, 5), (32, 30), (33, 33), (99, 33),
        ] {
            #expect(fives.bounded(.integer(Int64(value))) == .integer(Int64(bounded)))
        }
        #expect(fives.bounded(.integer(.max)) == .integer(33) && fives.bounded(.integer(-.max)) == .integer(-20))
        #expect(column(.date, 0, 100, 7).bounded(.date(18)) == .date(21))
        let thirds = column(.real, 0, 1, 1.0 / 3)
        #expect(thirds.bounded(thirds.bounded(.real(0.6))) == thirds.bounded(.real(0.6)))
    }
}
