import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

@Suite("TOP k")
struct TopTests {
    private static let top = "SELECT TOP 3 age, COUNT(*) FROM visits GROUP BY age ORDER BY COUNT(*) DESC"

    /// Ages 10, 20, 30 and 40 have 400, 300, 200 and 100 people; each other one has 5.
    private static let people: [[Value]] = (0..<100).flatMap { age -> [[Value]] in
        let count = age % 10 == 0 && (10...40).contains(age) ? 500 - 10 * age : 5
        return (0..<count).map { MeasurementTests.row(age * 1_000 + $0, age: Int64(age)) }
    }

    @Test("The largest groups are chosen, in order, and counted anew: nothing is marked")
    func choice() throws {
        let answer = try MeasurementTests.ask(Self.top, Self.people, .epsilon(8))
        #expect(answer.rows.map { $0[0].value } == [.integer(10), .integer(20), .integer(30)])
        for (row, truth) in zip(answer.rows, [400.0, 300, 200]) {
            #expect(abs((row[1].value.number ?? 0) - truth) < 40)
            #expect(row[1].flags.isEmpty && row[1].lower != nil)
        }
        #expect(
            answer.notes.contains { $0.contains("chosen by the exponential mechanism") && $0.contains("among 100") })
        let pure = try MeasurementTests.ask(Self.top, Self.people, .epsilon(20), regime: Fixtures.pure)
        #expect(pure.rows.map { $0[0].value } == [.integer(10), .integer(20), .integer(30)])
    }

    @Test(
        "Where the choice is close to a guess, intervals of what was chosen cover as often as said (seeded; false alarm 1e-6)"
    )
    func coverage() throws {
        var truth: [Int64: Double] = [:]
        for row in Self.people { if case .integer(let age) = row[2] { truth[age, default: 0] += 1 } }
        var (cells, covered) = (0, 0)
        let plan = try Fixtures.plan(Self.top, .epsilon(0.05))
        let table = try SampleRows.table(Fixtures.visits, Self.people)
        for seed in 0..<150 {
            var random = SeededGenerator(seed: UInt64(seed))
            for row in plan.measure(.table(table), lookups: [], using: &random).answer.rows {
                guard case .integer(let age) = row[0].value, let lower = row[1].lower, let upper = row[1].upper else {
                    continue
                }
                cells += 1
                covered += (lower...upper).contains(truth[age] ?? 0) ? 1 : 0
            }
        }
        #expect(cells == 450)
        let spread = 4.76 * (0.05 * 0.95 / Double(cells)).squareRoot()
        #expect(Double(covered) / Double(cells) > 0.95 - spread)
    }

    @Test("One charge holds choice and counts, each within its part, under every kind of loss")
    func charge() throws {
        for regime in [Fixtures.zCDP, Fixtures.pure, Fixtures.renyi] {
            let plan = try Fixtures.plan(Self.top, .epsilon(1), regime: regime)
            let whole = try Fixtures.plan("SELECT age, COUNT(*) FROM visits GROUP BY age", .epsilon(1), regime: regime)
            #expect(plan.charge.amount <= whole.charge.amount)
            #expect(plan.groups == 3)
            guard case .exponentialMechanism(let epsilon, let times) = plan.events[0] else {
                Issue.record("the choice is not charged")
                continue
            }
            #expect(times == 3 && epsilon > 0 && plan.events.count == 2)
            if regime.kind == .pure {
                #expect(epsilon * 3 <= 0.5 && epsilon * 3 > 0.499)
            }
        }
        // Of five rows a unit, three groups: with TOP 1 the count is of one group alone.
        let one = try Fixtures.plan(
            "SELECT TOP 1 age, COUNT(DISTINCT person) FROM visits GROUP BY age ORDER BY 2 DESC", .rho(0.1))
        guard case .discreteGaussian(let squared, _) = one.events[1] else {
            Issue.record("no noise")
            return
        }
        #expect(squared == 1)
    }

    @Test("One unit raises each count by at most the sensitivity, and lowers none: all units of random tables")
    func sensitivity() throws {
        var random = SeededGenerator(seed: 77)
        for sql in [
            Self.top, "SELECT TOP 2 plan, COUNT(cost) AS n FROM visits GROUP BY plan ORDER BY n DESC",
            "SELECT TOP 2 BIN(age, 10), COUNT(DISTINCT person) FROM visits GROUP BY 1 ORDER BY 2 DESC",
        ] {
            let plan = try Fixtures.plan(sql, .rho(0.1))
            let top = try #require(plan.output.top)
            let slot = try #require(plan.output.channels[top.request.channel].slot)
            var largest: Int64 = 0
            for _ in 0..<10 {
                let rows = SampleRows.visits(units: 6, &random)
                func counts(_ rows: [[Value]]) throws -> [Int64] {
                    BoundedAggregation(
                        plan.specification, source: .table(try SampleRows.table(Fixtures.visits, rows))
                    ).run().integers(slot)
                }
                let all = try counts(rows)
                #expect(all.count == top.request.candidates)
                for unit in 0..<6 {
                    let without = try counts(rows.filter { $0[0] != .text("p\(unit)") })
                    let changes = zip(all, without).map { $0 - $1 }
                    #expect(changes.allSatisfy { (0...top.request.sensitivity).contains($0) })
                    #expect(changes.filter { $0 != 0 }.count <= plan.specification.bounds.groupsPerUnit)
                    largest = Swift.max(largest, changes.max() ?? 0)
                }
            }
            #expect(largest == top.request.sensitivity || sql == Self.top || largest >= 3)
        }
    }

    @Test("The choice follows the exponential mechanism on the exact counts (seeded; false alarm below 1e-6)")
    func law() throws {
        // Two plans of 30 and 20 people: e^(10 epsilon / 1) to 1 against each other, the two empty ones far behind.
        let rows = (0..<50).map { MeasurementTests.row($0, plan: $0 < 30 ? "free" : "25 %") }
        let sql = "SELECT TOP 1 plan, COUNT(DISTINCT person) FROM visits GROUP BY plan ORDER BY 2 DESC"
        let budget = Budget.rho(0.02)
        let plan = try Fixtures.plan(sql, budget)
        let table = try SampleRows.table(Fixtures.visits, rows)
        let epsilon = try #require(plan.output.top).epsilon
        let weights = [30.0, 20, 0, 0].map { _exp(epsilon * $0) }
        let expected = weights[0] / weights.reduce(0, +)
        let draws = 1_500
        let first = (0..<draws).filter { seed in
            var random = SeededGenerator(seed: UInt64(seed))
            return plan.measure(.table(table), lookups: [], using: &random).answer.rows[0][0].value == .text("free")
        }.count
        let spread = 5 * (expected * (1 - expected) / Double(draws)).squareRoot()
        #expect(expected > 0.6 && expected < 0.99)
        #expect(abs(Double(first) / Double(draws) - expected) < spread)
    }

    private func _exp(_ x: Double) -> Double {
        Expression.function(.exponential, .literal(.real(x), .real), .real).constant?.number ?? .nan
    }

    @Test(
        "What TOP cannot choose is refused with what can be asked",
        arguments: [
            ("SELECT TOP 3 city, COUNT(*) FROM visits GROUP BY city ORDER BY COUNT(*) DESC", "WHERE x IN (...)"),
            ("SELECT TOP 4 plan, COUNT(*) FROM visits GROUP BY plan ORDER BY COUNT(*) DESC", "without TOP"),
            ("SELECT TOP 3 age, COUNT(*) FROM visits GROUP BY age", "ORDER BY COUNT(*) DESC"),
            ("SELECT TOP 3 age, COUNT(*) FROM visits GROUP BY age ORDER BY COUNT(*)", "ORDER BY COUNT(*) DESC"),
            ("SELECT TOP 3 age, AVG(cost) FROM visits GROUP BY age ORDER BY AVG(cost) DESC", "ORDER BY COUNT(*) DESC"),
            ("SELECT TOP 3 age, SUM(cost) FROM visits GROUP BY age ORDER BY COUNT(*) DESC", "SELECT list"),
            ("SELECT TOP 3 age, COUNT(*) FROM visits GROUP BY age ORDER BY COUNT(*) DESC LIMIT 2", "after TOP alone"),
            ("SELECT TOP 3 COUNT(*) FROM visits", "GROUP BY x"),
            ("SELECT TOP 0 age, COUNT(*) FROM visits GROUP BY age ORDER BY COUNT(*) DESC", "GROUP BY x"),
        ])
    func refused(sql: String, hint: String) throws {
        #expect(try #require(Fixtures.error(sql)).hint?.contains(hint) == true)
    }

    @Test("TOP among the cities that the question names needs no delta")
    func named() throws {
        let sql = """
            SELECT TOP 1 city, COUNT(*) FROM visits WHERE city IN ('Rome', 'Bern', 'Nice') GROUP BY city ORDER BY 2 DESC
            """
        let answer = try MeasurementTests.ask(
            sql, MeasurementTests.people, .epsilon(10), regime: Fixtures.pure)
        #expect(answer.rows.map { $0[0].value } == [.text("Rome")])
    }

    @Test("The bound of work grows with choices times candidates, and that of memory with candidates")
    func bound() throws {
        func work(_ count: Int) throws -> PlanBound {
            try Fixtures.plan("SELECT TOP \(count) age, COUNT(*) FROM visits GROUP BY age ORDER BY 2 DESC").bound
        }
        let (few, many) = (try work(1), try work(51))
        #expect(many.work[.item] - few.work[.item] == 100 * 2 * 50)
        let plain = try Fixtures.plan("SELECT age, COUNT(*) FROM visits GROUP BY age").bound
        #expect(few.work[.item] >= plain.work[.item] + 300)
    }
}

@Suite("Intervals that hold together")
struct SimultaneousTests {
    private func plan(_ sql: String, simultaneous: Bool, regime: LossRegime = Fixtures.zCDP) throws -> Plan {
        try Planner.plan(
            Question(sql: sql, budget: .epsilon(1), isSimultaneous: simultaneous), in: Fixtures.context(regime))
    }

    private static let sql = "SELECT BIN(age, 10) AS decade, COUNT(*), SUM(visits), AVG(visits) FROM visits GROUP BY 1"

    @Test("All cells of an answer cover at once as often as said, and not all without it (seeded; false alarm 1e-6)")
    func coverage() throws {
        for regime in [Fixtures.zCDP, Fixtures.pure] {
            var holds: [Bool: Int] = [:]
            let exact = try MeasurementTests.ask(Self.sql, MeasurementTests.people, .epsilon(9_000), regime: regime)
            let table = try SampleRows.table(Fixtures.visits, MeasurementTests.people)
            for isSimultaneous in [false, true] {
                let plan = try plan(Self.sql, simultaneous: isSimultaneous, regime: regime)
                for seed in 0..<200 {
                    var random = SeededGenerator(seed: UInt64(seed))
                    let answer = plan.measure(.table(table), lookups: [], using: &random).answer
                    let all = zip(answer.rows, exact.rows).allSatisfy { row, truth in
                        (1...3).allSatisfy { column in
                            let value = truth[column].value.number ?? 0
                            return (row[column].lower ?? 0) <= value + 1 && value - 1 <= (row[column].upper ?? 0)
                        }
                    }
                    holds[isSimultaneous, default: 0] += all ? 1 : 0
                }
            }
            #expect((holds[true] ?? 0) >= 174)
            #expect((holds[false] ?? 0) < 160)
        }
    }

    @Test("Quantiles, whose brackets are chosen for one interval, are refused")
    func quantiles() {
        #expect(throws: QueryError.self) { try plan("SELECT MEDIAN(age) FROM visits", simultaneous: true) }
        #expect(throws: Never.self) { try plan("SELECT MEDIAN(age) FROM visits", simultaneous: false) }
    }

    @Test("The same noise and the same charge; the preview's errors are those of the intervals, and the answer says so")
    func preview() throws {
        let (single, joint) = (try plan(Self.sql, simultaneous: false), try plan(Self.sql, simultaneous: true))
        #expect(single.events == joint.events && single.charge == joint.charge)
        let widths = zip(single.columns, joint.columns).compactMap { single, joint -> Double? in
            guard let before = single.expectedError, let after = joint.expectedError else { return nil }
            return after / before
        }
        #expect(widths.count == 3 && widths.allSatisfy { $0 > 1.5 && $0 < 2 }, "\(widths)")
        #expect(joint.notes.contains { $0.contains("hold together") && $0.contains("30 cells") })
        #expect(!single.notes.contains { $0.contains("hold together") })
        #expect(single.bound.work[.value] < joint.bound.work[.value])
    }
}
