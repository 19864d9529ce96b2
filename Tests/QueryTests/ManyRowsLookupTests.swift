import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Testing

@testable import Query
@testable import Tables

@Suite("Public tables with several rows for a key")
struct ManyRowsLookupTests {
    private static let schema = Schema(columns: [
        ColumnSchema(name: "plan", type: .text, isNullable: false),
        ColumnSchema(name: "genre", type: .text, isNullable: true),
        ColumnSchema(name: "share", type: .real, isNullable: false, lowerBound: 0, upperBound: 1),
    ])

    private static func table(_ rowsPerKey: Int = 3) throws -> LookupTable {
        try LookupTable(
            schema: schema, keyColumn: 0, rowsPerKey: rowsPerKey,
            rows: [
                [.text("free"), .text("drama"), .real(0.5)], [.text("25 %"), .text("drama"), .real(0.25)],
                [.text("free"), .text("farce"), .real(0.5)], [.text("free"), .null, .real(1)],
                [.text("50 %"), .text("drama"), .real(0.75)], [.text("50 %"), .text("opera"), .real(1)],
            ])
    }

    private static func context(_ regime: LossRegime = Fixtures.zCDP) throws -> PlanningContext {
        PlanningContext(
            datasets: [Fixtures.visits, Fixtures.clinics],
            lookups: [
                LookupDescription(
                    name: "genres", schema: schema, keyColumn: 0, rowsPerKey: 3, capacityRows: 6,
                    domains: try table().domains), Fixtures.plans,
            ], regime: regime)
    }

    private static func plan(_ sql: String, _ regime: LossRegime = Fixtures.zCDP) throws -> Plan {
        try Planner.plan(Question(sql: sql, budget: .epsilon(1)), in: context(regime))
    }

    private static func lookups(_ plan: Plan) throws -> [LookupTable] {
        try plan.lookups.map { $0 == "genres" ? try table() : try SampleRows.lookup() }
    }

    private static func exact(_ plan: Plan, _ visits: [[Value]], _ clinics: [[Value]] = []) throws -> [[Value]: [Int64]]
    {
        let source = try SampleRows.source(plan, visits, clinics)
        let exact = BoundedAggregation(plan.specification, source: source, lookups: try lookups(plan)).run()
        #expect(exact.work.isWithin(plan.bound.work))
        let vectors = plan.output.channels.compactMap(\.slot).map { exact.integers($0) }
        return Dictionary(
            uniqueKeysWithValues: exact.keys.enumerated().map { group, keys in (keys, vectors.map { $0[group] }) })
    }

    private static let people = (0..<90).map {
        MeasurementTests.row($0, plan: ["free", "25 %", "50 %", "95 %"][$0 % 4], age: Int64($0 % 3))
    }

    @Test("A row stands once for each row of its key, and not at all without one")
    func multiplied() throws {
        let plan = try Self.plan(
            "SELECT genre, COUNT(*), COUNT(DISTINCT person) FROM visits JOIN genres USING (plan) GROUP BY genre")
        // Of 90 people 23 have "free", 23 "25 %", 22 "50 %" and 22 "95 %", which the table has not.
        let result = try Self.exact(plan, Self.people)
        #expect(plan.groups == 4)
        #expect(result[[.text("drama")]]?.allSatisfy { $0 == 68 } == true)
        #expect(result[[.text("farce")]]?.allSatisfy { $0 == 23 } == true)
        #expect(result[[.text("opera")]]?.allSatisfy { $0 == 22 } == true)
        #expect(result[[.null]]?.allSatisfy { $0 == 23 } == true)
        let both = try Self.plan(
            """
            SELECT genre, kind, COUNT(*) FROM visits JOIN genres USING (plan) JOIN plans ON visits.plan = plans.plan
            WHERE genre = 'drama' GROUP BY genre, kind
            """)
        let joined = try Self.exact(both, Self.people)
        // "50 %" is in one of the two tables alone.
        #expect(
            joined[[.text("drama"), .text("free")]]?[0] == 23 && joined[[.text("drama"), .text("shared")]]?[0] == 23)
    }

    @Test("A table in which a key has more rows than declared is refused")
    func enforced() throws {
        #expect(throws: LookupTable.Failure.keyIsNotUnique) { try Self.table(2) }
        #expect(throws: LookupTable.Failure.keyIsNotUnique) { try Self.table(1) }
        #expect(try Self.table(5).rowCount == 6)
    }

    private static let questions = [
        "SELECT genre, COUNT(*), SUM(visits * genres.share) FROM visits JOIN genres USING (plan) GROUP BY genre",
        "SELECT COUNT(*), COUNT(genre), SUM(genres.share) FROM visits JOIN genres USING (plan)",
        "SELECT plan, COUNT(*), COUNT(DISTINCT person) FROM visits JOIN genres USING (plan) GROUP BY plan",
        "SELECT BIN(age, 10), genre, COUNT(*) FROM visits JOIN genres USING (plan) WHERE genre IS NOT NULL GROUP BY 1, 2",
        """
        SELECT genre, COUNT(*), SUM(score) FROM visits v JOIN clinics c ON v.person = c.patient
        JOIN genres g ON v.plan = g.plan GROUP BY genre
        """,
    ]

    @Test("Removing any unit changes every vector by at most its event's sensitivity", arguments: questions)
    func neighbours(_ sql: String) throws {
        var random = SeededGenerator(seed: UInt64(sql.utf8.count))
        for regime in [Fixtures.zCDP, Fixtures.pure] {
            let plan = try Self.plan(sql, regime)
            for _ in 0..<6 {
                let visits = SampleRows.visits(units: 4, &random)
                let clinics = SampleRows.clinics(units: 4, &random)
                let all = try Self.exact(plan, visits, clinics)
                for unit in 0..<4 {
                    let name = Value.text("p\(unit)")
                    let without = try Self.exact(
                        plan, visits.filter { $0[0] != name }, clinics.filter { $0[0] != name })
                    try Self.compare(plan, all, without)
                }
            }
        }
    }

    private static func compare(_ plan: Plan, _ all: [[Value]: [Int64]], _ without: [[Value]: [Int64]]) throws {
        for channel in plan.output.channels {
            guard let slot = channel.slot else { continue }
            let changes = Set(all.keys).union(without.keys).map { key in
                Double((all[key]?[slot] ?? 0) - (without[key]?[slot] ?? 0))
            }
            switch channel.event {
            case .discreteGaussian(let squared, _): #expect(changes.reduce(0) { $0 + $1 * $1 } <= squared)
            case .discreteLaplace(let sensitivity, _): #expect(changes.reduce(0) { $0 + abs($1) } <= sensitivity)
            default: Issue.record("an event that no channel has")
            }
        }
    }

    @Test("The bound is reached: a unit whose every row has as many genres as a key may have")
    func tight() throws {
        let plan = try Self.plan("SELECT COUNT(*) FROM visits JOIN genres USING (plan)")
        let rows = (0..<9).map { _ in MeasurementTests.row(1, plan: "free") }
        // Five rows a unit, three genres each.
        #expect(try Self.exact(plan, rows)[[]] == [15])
        guard case .discreteGaussian(let squared, _) = plan.events[0] else {
            Issue.record("no noise")
            return
        }
        #expect(squared == 225)
        #expect(plan.notes.contains { $0.contains("up to 3") })
        let alone = try Self.plan("SELECT COUNT(*) FROM visits")
        #expect(alone.bound.work[.row] * 3 == plan.bound.work[.row])
    }

    @Test("A left join of such a table is refused: which row would stand for none?")
    func left() throws {
        #expect(throws: QueryError.self) {
            try Self.plan("SELECT COUNT(*) FROM visits LEFT JOIN genres USING (plan)")
        }
    }
}
