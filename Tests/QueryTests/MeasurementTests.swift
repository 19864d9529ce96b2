import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

@Suite("From rows to an answer")
struct MeasurementTests {
    /// A row of the tests' manifest.
    static func row(
        _ person: Int, plan: String = "free", age: Int64 = 30, cost: Value = .real(10), visits: Int64 = 2,
        city: Value = .text("Rome"), insured: Value = .boolean(true), day: Int64 = 10, weight: Double = 1,
        number: Value = .null, integer: Value = .null
    ) -> [Value] {
        [
            .text("p\(person)"), .text(plan), .integer(age), cost, .integer(visits), city, insured, .date(day),
            .real(weight), number, integer,
        ]
    }

    static func ask(
        _ sql: String, _ rows: [[Value]], _ budget: Budget = .rho(1_000), seed: UInt64 = 1,
        regime: LossRegime = Fixtures.zCDP, clinics: [[Value]] = []
    ) throws -> NoisyAnswer {
        let plan = try Fixtures.plan(sql, budget, regime: regime)
        let source = try SampleRows.source(plan, rows, clinics)
        var random = SeededGenerator(seed: seed)
        let lookups = try plan.lookups.map { _ in try SampleRows.lookup() }
        let measured = plan.measure(source, lookups: lookups, using: &random)
        #expect(measured.events == plan.events)
        return measured.answer
    }

    private static func numbers(_ answer: NoisyAnswer, _ column: Int) -> [Double] {
        answer.rows.map { $0[column].value.number ?? .nan }
    }

    /// 200 people in each plan, with costs 0 to 995 in plan "free" and a tenth of that elsewhere.
    static let people: [[Value]] = (0..<800).map { person in
        let plan = ["free", "25 %", "50 %", "95 %"][person / 200]
        let place = Double(person % 200) * 5
        return row(
            person, plan: plan, age: Int64(person % 100), cost: .real(plan == "free" ? place : place / 10),
            visits: Int64(person % 5), city: .text(person % 200 < 150 ? "Rome" : "c\(person % 200)"),
            insured: person % 2 == 0 ? .boolean(true) : .null, weight: person % 2 == 0 ? 1 : 3)
    }

    @Test(
        "A column without a name of its own is titled by the whole text of its expression",
        arguments: [
            ("SELECT COUNT(*) FROM visits", ["COUNT(*)"]),
            ("SELECT SUM(cost) + SUM(visits) / 2 FROM visits", ["SUM(cost) + SUM(visits) / 2"]),
            (
                "SELECT visits.plan, AVG(visits.age) FROM visits GROUP BY visits.plan",
                ["visits.plan", "AVG(visits.age)"]
            ),
        ])
    func titles(sql: String, names: [String]) throws {
        #expect(try Fixtures.plan(sql, .rho(1)).columns.map(\.name) == names)
    }

    @Test("With a very large budget every aggregate is close to the truth")
    func truth() throws {
        let answer = try Self.ask(
            """
            SELECT plan, COUNT(*), COUNT(insured), COUNT(DISTINCT person), SUM(cost), AVG(cost), VARIANCE(cost),
            STDDEV(cost), MEDIAN(cost), QUANTILE(cost, 0.9), AVG(visits > 3), SUM(cost) WEIGHTED, AVG(cost) WEIGHTED,
            COUNT(*) WEIGHTED, SUM(cost) / COUNT(*) AS ratio, MIN(visits), MAX(visits), HISTOGRAM(cost, 0, 100, 1000)
            FROM visits GROUP BY plan
            """, Self.people, .rho(9_000))
        #expect(answer.rows.map { $0[0].value } == ["free", "25 %", "50 %", "95 %"].map(Value.text))
        let free = answer.rows[0].map { $0.value.number ?? .nan }
        let expected: [Double] = [
            200, 100, 200, 99_500, 497.5, 83_331.25, 288.67, 500, 895, 0.2, 200_000 - 500, 498.75, 400, 497.5, 0, 4, 20,
            180,
        ]
        #expect(free.count == expected.count + 1)
        for (value, truth) in zip(free.dropFirst(), expected) {
            #expect(abs(value - truth) <= 6 + abs(truth) * 0.01, "\(value) for \(truth)")
        }
        let other = answer.rows[1].map { $0.value.number ?? .nan }
        #expect(abs(other[5] - 49.75) < 2)
        #expect(
            answer.columns[16].name == "MAX(visits) [0.995 quantile]"
                || answer.columns[17].name == "MAX(visits) [0.995 quantile]")
    }

    @Test("The same under pure differential privacy")
    func pureTruth() throws {
        let answer = try Self.ask(
            "SELECT COUNT(*), SUM(visits), AVG(cost), MEDIAN(cost) FROM visits WHERE plan = 'free'", Self.people,
            .epsilon(9_000), regime: Fixtures.pure)
        let values = answer.rows[0].map { $0.value.number ?? .nan }
        for (value, truth) in zip(values, [200, 400, 497.5, 500] as [Double]) { #expect(abs(value - truth) <= 5) }
    }

    @Test("Groups of a public domain are all there, empty ones with noise; null is a group")
    func empty() throws {
        let answer = try Self.ask(
            "SELECT insured, plan, COUNT(*) FROM visits GROUP BY insured, plan", Self.people, .rho(0.01))
        #expect(answer.rows.count == 12)
        #expect(answer.rows.last?[0].value == .null)
        let empties = answer.rows.prefix(4).map { $0[2].value.number ?? .nan }
        #expect(empties.contains { $0 != 0 })
    }

    @Test("Keys are selected by their number of units, and sorted by key")
    func selection() throws {
        let answer = try Self.ask(
            "SELECT city, COUNT(*), COUNT(DISTINCT person) FROM visits GROUP BY city", Self.people, .rho(1))
        // Rome has 600 people; the others 4 each, far below the threshold.
        #expect(answer.rows.map { $0[0].value } == [.text("Rome")])
        #expect(abs((answer.rows[0][1].value.number ?? 0) - 600) < 30)
        let many = Self.people.enumerated().map { index, row in
            var row = row
            row[5] = index % 4 == 0 ? .null : .text(["z", "a", "m"][index % 3])
            return row
        }
        let sorted = try Self.ask("SELECT city, COUNT(*) FROM visits GROUP BY city", many, .rho(1))
        #expect(sorted.rows.map { $0[0].value } == [.null, .text("a"), .text("m"), .text("z")])
    }

    @Test("Rows beyond a unit's bounds do not count, whatever they hold")
    func bounded() throws {
        // One person with thousands of rows in every group.
        let flood = (0..<4_000).map {
            Self.row(1, plan: ["free", "25 %", "50 %", "95 %"][$0 % 4], cost: .real(1e300), visits: 1_000_000)
        }
        let answer = try Self.ask("SELECT COUNT(*), SUM(cost), SUM(visits) FROM visits", flood, .rho(1_000))
        let values = answer.rows[0].map { $0.value.number ?? .nan }
        #expect(values[0] <= 6)
        #expect(values[1] <= 5_500)
        #expect(values[2] <= 300)
    }

    @Test("NaN, infinity, division by zero and failed casts poison nothing")
    func poison() throws {
        let poisoned =
            Self.people + [
                Self.row(9_001, cost: .real(.nan)), Self.row(9_002, cost: .real(.infinity)),
                Self.row(9_003, cost: .real(-.infinity)), Self.row(9_004, age: 0, city: .text("no number")),
            ]
        let sql = """
            SELECT SUM(cost), AVG(cost), AVG(CLAMP(cost / age, 0, 10)), SUM(CLAMP(CAST(city AS INTEGER), 0, 9)), MEDIAN(cost),
            SUM(CLAMP(LN(age - 50), 0, 5)), COUNT(1 / age), SUM(CLAMP(EXP(cost), 0, 2)) FROM visits
            """
        let answer = try Self.ask(sql, poisoned, .rho(1_000))
        let clean = try Self.ask(sql, Self.people, .rho(1_000))
        for (a, b) in zip(answer.rows[0], clean.rows[0]) {
            let (x, y) = (a.value.number ?? .nan, b.value.number ?? .nan)
            #expect(x.isFinite && y.isFinite)
            #expect(abs(x - y) < 5 + abs(y) * 0.02)
        }
    }

    @Test("HAVING, ORDER BY and LIMIT work on what is noisy, in this order, after keys are sorted")
    func order() throws {
        let answer = try Self.ask(
            "SELECT plan AS p, AVG(cost) AS mean FROM visits GROUP BY plan HAVING COUNT(*) > 100 AND mean < 400 "
                + "ORDER BY mean DESC, p LIMIT 2", Self.people)
        let means = Self.numbers(answer, 1)
        #expect(answer.rows.count == 2)
        #expect(means[0] >= means[1])
        let all = try Self.ask(
            "SELECT plan, COUNT(*) AS n FROM visits GROUP BY plan ORDER BY 1 DESC LIMIT 2 OFFSET 1", Self.people)
        #expect(all.rows.map { $0[0].value } == [.text("95 %"), .text("50 %")])
        let none = try Self.ask("SELECT COUNT(*) FROM visits HAVING COUNT(*) < 0 - 1000", Self.people)
        #expect(none.rows.isEmpty)
        let nulls = try Self.ask(
            "SELECT insured, COUNT(*) FROM visits GROUP BY insured ORDER BY insured DESC NULLS FIRST", Self.people)
        #expect(nulls.rows.map { $0[0].value } == [.null, .boolean(true), .boolean(false)])
    }

    @Test("A lookup adds columns: inner drops rows without a match, left keeps them as null")
    func lookup() throws {
        let inner = try Self.ask(
            "SELECT kind, COUNT(*) FROM visits JOIN plans USING (plan) GROUP BY kind", Self.people)
        #expect(inner.rows.map { $0[0].value } == [.text("free"), .text("shared")])
        for (value, truth) in zip(Self.numbers(inner, 1), [200, 400] as [Double]) { #expect(abs(value - truth) <= 3) }
        let left = try Self.ask(
            "SELECT kind, COUNT(*), SUM(share * 4) FROM visits LEFT JOIN plans ON plans.plan = visits.plan GROUP BY kind",
            Self.people)
        #expect(left.rows.map { $0[0].value } == [.text("free"), .text("shared"), .null])
        for (value, truth) in zip(Self.numbers(left, 1), [200, 400, 200] as [Double]) {
            #expect(abs(value - truth) <= 3)
        }
        for (value, truth) in zip(Self.numbers(left, 2), [0, 960, 0] as [Double]) { #expect(abs(value - truth) <= 8) }
    }

    @Test("Of two tables whose names differ in case alone, the one that is spelt so is read")
    func namesInCase() throws {
        var (lookup, dataset) = (Fixtures.plans, Fixtures.clinics)
        (lookup.name, dataset.name) = ("Plans", "PLANS")
        let context = PlanningContext(
            datasets: [Fixtures.visits, Fixtures.clinics, dataset], lookups: [lookup, Fixtures.plans],
            regime: Fixtures.zCDP)
        func plan(_ table: String, _ condition: String) throws -> Plan {
            try Planner.plan(
                Question(sql: "SELECT COUNT(*) FROM visits JOIN \(table) \(condition)", budget: .rho(0.1)), in: context)
        }
        #expect(try plan("plans", "USING (plan)").lookups == ["plans"])
        #expect(try plan("Plans", "USING (plan)").lookups == ["Plans"])
        #expect(try plan("PLANS", "ON visits.person = PLANS.patient").datasets == ["visits", "PLANS"])
        // Spelt in no table's way, it is the first lookup table's.
        #expect(try plan("pLANS", "USING (plan)").lookups == ["Plans"])
    }

    @Test("Two private tables join on their unit")
    func join() throws {
        let scores = (0..<400).map { [Value.text("p\($0)"), .real(Double($0 % 2))] }
        let answer = try Self.ask(
            "SELECT plan, COUNT(*), AVG(score) FROM visits v JOIN clinics c ON v.person = c.patient GROUP BY plan",
            Self.people, clinics: scores)
        for (value, truth) in zip(Self.numbers(answer, 1), [200, 200, 0, 0] as [Double]) {
            #expect(abs(value - truth) <= 5)
        }
        #expect(abs(Self.numbers(answer, 2)[0] - 0.5) < 0.05)
    }

    @Test("Unselected groups leave no trace: the answer is the same as if they were not there")
    func noTrace() throws {
        let rare = Self.people + [Self.row(5_000, city: .text("a rare place"))]
        let sql = "SELECT city, COUNT(*) FROM visits GROUP BY city"
        for seed in UInt64(0)..<20 {
            let answer = try Self.ask(sql, rare, .rho(1), seed: seed)
            #expect(answer.rows.map { $0[0].value } == [.text("Rome")])
        }
    }

    @Test("Integers come out as integers, dates as dates")
    func types() throws {
        let answer = try Self.ask(
            "SELECT SUM(visits), AVG(visits), MEDIAN(day), COUNT(*) + 1, MEDIAN(visits) FROM visits", Self.people)
        #expect(answer.columns.map(\.type) == [.integer, .real, .date, .integer, .integer])
        for (cell, column) in zip(answer.rows[0], answer.columns) {
            switch (cell.value, column.type) {
            case (.integer, .integer), (.real, .real), (.date, .date): break
            default: Issue.record("\(cell.value) in \(column.name)")
            }
        }
    }
}
