import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

@Suite("Keys that could be public are")
struct KeyConditionTests {
    /// The first key's public values; nil where they are selected.
    private func keys(
        _ key: String, where filter: String? = nil, join: String = "", lookups: [LookupDescription] = [Fixtures.plans]
    ) throws -> [Value]? {
        let context = PlanningContext(
            datasets: [Fixtures.visits, Self.metered], lookups: lookups, regime: Fixtures.zCDP)
        let from = key == "level" ? "metered" : "visits"
        let question = try BoundQuestion.bind(
            "SELECT \(key), COUNT(*) FROM \(from) \(join) \(filter.map { "WHERE \($0)" } ?? "") GROUP BY 1", context)
        return KeyDomain(scope: question.scope, filter: question.filter).values(of: question.keys[0])
    }

    static let metered = DatasetDescription(
        name: "metered",
        schema: Schema(columns: [
            ColumnSchema(
                name: "level", type: .real, isNullable: true, lowerBound: -0.3, upperBound: 0.75, resolution: 0.1)
        ]),
        unit: UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1), capacityRows: 1_000, population: "meters")

    @Test(
        "WHERE narrows a key to what its conjuncts on the key allow",
        arguments: [
            ("age", "age >= 96", [.integer(96), .integer(97), .integer(98), .integer(99)]),
            ("age", "98 <= age", [.integer(98), .integer(99)]),
            ("age", "age BETWEEN 10 AND 12 AND cost > 3", [.integer(10), .integer(11), .integer(12)]),
            ("age", "age IN (7, 3, 200)", [.integer(3), .integer(7)]),
            ("age", "age = 5 OR age = 6", [.integer(5), .integer(6)]),
            ("age", "age > 96.5", [.integer(97), .integer(98), .integer(99)]),
            ("plan", "plan <> 'free' AND plan LIKE '5%'", [.text("50 %")]),
            ("insured", "insured", [.boolean(true)]), ("insured", "insured IS NULL", [.null]),
            ("insured", "insured IS NOT NULL", [.boolean(false), .boolean(true)]),
            ("YEAR(day)", "day >= '1971-03-01'", [.integer(1971), .integer(1972)]),
            ("YEAR(day)", "YEAR(day) < 1971", [.integer(1970)]),
            ("BIN(age, 25)", "age >= 60", [.integer(50), .integer(75)]),
            ("city", "city IN ('Rome', 'Bern')", [.text("Bern"), .text("Rome")]),
            ("city", "city = 'Rome'", [.text("Rome")]),
            ("free_integer", "free_integer BETWEEN 3 AND 5", [.integer(3), .integer(4), .integer(5)]),
            ("cost", "cost >= 998", [.real(998), .real(999), .real(1_000)]),
            ("age", "age = 3 AND age = 4", []),
        ] as [(String, String, [Value])])
    func narrowed(key: String, filter: String, values: [Value]) throws {
        #expect(try keys(key, where: filter) == values)
    }

    @Test(
        "What WHERE says of something else, or of the key and something else, narrows nothing",
        arguments: [
            ("plan", "age > 3", 4), ("plan", "plan = 'free' OR age = 3", 4), ("age", "age > visits", 100),
            ("insured", "NOT (age > 3)", 3),
        ])
    func notNarrowed(key: String, filter: String, count: Int) throws {
        #expect(try keys(key, where: filter)?.count == count)
        #expect(try keys("city", where: "city <> 'Rome'") == nil)
        #expect(try keys("city", where: "city = 'Rome' OR age = 3") == nil)
    }

    @Test("A bounded real with a resolution has its grid, and the bound to which larger values are clipped")
    func grid() throws {
        let expected = [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75].map(Value.real)
        #expect(try keys("level") == expected + [.null])
        var random = SeededGenerator(seed: 8)
        let column = Self.metered.schema.columns[0]
        for _ in 0..<2_000 {
            let value = column.bounded(.real(Double.random(in: -1...2, using: &random)))
            #expect(expected.contains(value))
        }
        #expect(try keys("cost")?.count == 1_002)
    }

    @Test("A joined public table's own values are keys, and a row that must match has one of its keys")
    func lookups() throws {
        var described = Fixtures.plans
        described.domains = try SampleRows.lookup().domains
        let rows = try SampleRows.lookup()
        #expect(rows.domains[2] == [.real(0), .real(0.25), .real(0.95)])
        let join = "JOIN plans USING (plan)"
        #expect(try keys("share", join: join, lookups: [described]) == [.real(0), .real(0.25), .real(0.95)])
        #expect(try keys("share", join: "LEFT " + join, lookups: [described])?.last == .null)
        #expect(
            try keys("share", where: "share > 0.1", join: "LEFT " + join, lookups: [described]) == [
                .real(0.25), .real(0.95),
            ])
        // 50 % has no row in the table.
        #expect(try keys("plan", join: join, lookups: [described]) == ["free", "25 %", "95 %"].map(Value.text))
        #expect(
            try keys("city", join: "JOIN plans ON visits.city = plans.plan", lookups: [described])
                == ["25 %", "95 %", "free"].map(Value.text))
        #expect(try keys("city", join: "LEFT JOIN plans ON visits.city = plans.plan", lookups: [described]) == nil)
        #expect(try keys("share", join: join) == nil)
    }

    @Test("A table with too many different values says none")
    func manyValues() throws {
        let schema = Schema(columns: [ColumnSchema(name: "n", type: .integer, isNullable: false)])
        func table(_ count: Int) throws -> LookupTable {
            try LookupTable(schema: schema, keyColumn: 0, rows: (0..<count).map { [.integer(Int64($0))] })
        }
        #expect(try table(LookupTable.largestDomain).domains[0]?.count == LookupTable.largestDomain)
        #expect(try table(LookupTable.largestDomain + 1).domains[0] == nil)
    }

    private static let conditions = [
        "age >= 40", "age < 70", "age IN (1, 44, 50)", "NOT (age BETWEEN 20 AND 80)", "plan <> 'free'",
        "plan LIKE '%5%'", "insured", "NOT insured", "insured IS NULL", "insured = FALSE OR insured IS NULL",
        "cost > 200", "cost <= 3 OR cost IS NULL", "cost IN (0, 1000, 30)", "day > '1971-06-01'", "YEAR(day) <> 1971",
        "city = 'c1'", "city IN ('c0', 'c3')", "city = 'c1' OR city = 'c4'", "free_integer > -10 AND free_integer < 13",
        "free_integer = 12", "COALESCE(insured, TRUE)", "age + visits > 60", "10 < visits", "visits IS NOT NULL",
        "share >= 0.2", "kind = 'shared'", "CASE WHEN insured THEN age > 50 END",
    ]
    private static let grouped = [
        "age", "plan", "insured", "cost", "YEAR(day)", "BIN(age, 10)", "city", "free_integer", "visits", "kind",
        "share",
        "ROUND(cost, -2)", "MONTH(day)", "CASE WHEN age > 50 THEN plan END", "COALESCE(city, 'c0')", "visits % 7",
    ]

    @Test("No row that passes a random filter has a key that is not listed: nulls, clipped and odd values among them")
    func complete() throws {
        var random = SeededGenerator(seed: 41)
        var (narrowed, passed) = (0, 0)
        let lookup = try SampleRows.lookup()
        var described = Fixtures.plans
        described.domains = lookup.domains
        let context = PlanningContext(datasets: [Fixtures.visits], lookups: [described], regime: Fixtures.zCDP)
        for _ in 0..<200 {
            let filters = (0..<Int.random(in: 1...3, using: &random)).compactMap { _ in
                Self.conditions.randomElement(using: &random)
            }
            let key = Self.grouped.randomElement(using: &random) ?? "age"
            let join = Bool.random(using: &random) ? "JOIN" : "LEFT JOIN"
            let question = try BoundQuestion.bind(
                "SELECT \(key), COUNT(*) FROM visits \(join) plans USING (plan) WHERE \(filters.joined(separator: " AND ")) "
                    + "GROUP BY 1", context)
            guard let domain = KeyDomain(scope: question.scope, filter: question.filter).values(of: question.keys[0])
            else { continue }
            let all = KeyDomain(scope: question.scope).values(of: question.keys[0])
            if let all {
                #expect(Set(domain).isSubset(of: all), "\(key) \(filters)")
                narrowed += domain.count < all.count ? 1 : 0
            } else {
                narrowed += 1
            }
            // Every key that occurs, as the engine finds it.
            let table = try SampleRows.table(Fixtures.visits, SampleRows.visits(units: 12, &random))
            let specification = AggregationSpecification(
                filter: question.filter, keys: [KeySpecification(expression: question.keys[0], coding: .discovered)],
                measures: [Measure(.rows)], bounds: ContributionBounds(groupsPerUnit: 8, rowsPerGroup: 8))
            let exact = BoundedAggregation(specification, source: .table(table), lookups: [lookup]).run()
            let known = Set(domain)
            for found in exact.keys {
                #expect(known.contains(found[0]), "\(key) WHERE \(filters): \(found)")
                passed += 1
            }
        }
        #expect(narrowed > 12, "\(narrowed)")
        #expect(passed > 150, "\(passed)")
    }

    @Test(
        "A narrowed question answers its keys alone, those without rows with noise, and is refused where none is possible"
    )
    func answers() throws {
        let answer = try MeasurementTests.ask(
            "SELECT age, COUNT(*) FROM visits WHERE age >= 97 GROUP BY age", MeasurementTests.people)
        #expect(answer.rows.map { $0[0].value } == [.integer(97), .integer(98), .integer(99)])
        #expect(answer.rows.allSatisfy { abs(($0[1].value.number ?? 0) - 8) < 3 })
        let refusal = Fixtures.error("SELECT age, COUNT(*) FROM visits WHERE age = 3 AND age = 4 GROUP BY age")
        #expect(refusal?.message.hasPrefix("no row can pass WHERE") == true)
        let named = try MeasurementTests.ask(
            "SELECT city, COUNT(*) FROM visits WHERE city IN ('Rome', 'Nowhere') GROUP BY city",
            MeasurementTests.people,
            .epsilon(50), regime: Fixtures.pure)
        #expect(named.rows.map { $0[0].value } == [.text("Nowhere"), .text("Rome")])
        #expect(abs((named.rows[1][1].value.number ?? 0) - 600) < 5)
    }
}
