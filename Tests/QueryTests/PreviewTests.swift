import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

/// What a preview says of a group, against answers on a table drawn as it assumes: so many values, each of another unit,
/// spread evenly over their bounds, weights in the middle of theirs.
@Suite("A preview says how wide intervals will be")
struct PreviewTests {
    private static let size = 2_000

    /// A group for each of `keys`, as the preview assumes it.
    private static func table(keys: [(plan: String, city: String)]) throws -> Table {
        var rows: [[Value]] = []
        for (group, key) in keys.enumerated() {
            for place in 0..<size {
                let part = (Double(place) + 0.5) / Double(size)
                rows.append(
                    MeasurementTests.row(
                        group * size + place, plan: key.plan, age: Int64(part * 100),
                        cost: .real((part * 1_000).rounded()), visits: Int64(part * 51), city: .text(key.city),
                        insured: .boolean(place % 2 == 0), day: Int64(part * 1_096), weight: 2.25,
                        number: .real(part * 10)))
            }
        }
        return try SampleRows.table(Fixtures.visits, rows)
    }

    private func context(_ regime: LossRegime, groups: Int) -> PlanningContext {
        var visits = Fixtures.visits
        visits.capacityRows = Self.size * groups
        return PlanningContext(datasets: [visits], lookups: [Fixtures.plans], regime: regime)
    }

    private static let columns = [
        "COUNT(*)", "COUNT(cost)", "COUNT(DISTINCT person)", "SUM(visits)", "SUM(cost)", "AVG(cost)", "AVG(age)",
        "VARIANCE(cost)", "STDDEV(visits)", "AVG(visits > 25)", "AVG(CLAMP(free_number, 0, 10))", "MEDIAN(cost)",
        "QUANTILE(age, 0.9)", "MEDIAN(day)", "MEDIAN(CLAMP(free_number, 0, 10))", "MIN(cost)", "MAX(cost)",
        "HISTOGRAM(cost, 0, 500, 1000)", "COUNT(*) WEIGHTED", "SUM(cost) WEIGHTED", "AVG(cost) WEIGHTED",
        "SUM(cost) / COUNT(*)", "SUM(visits) / COUNT(DISTINCT person)", "AVG(cost) * 2 + 1", "-AVG(visits)",
        "SQRT(COUNT(*))", "ROUND(STDDEV(cost), 3)", "100 * AVG(insured)", "MEDIAN(cost) / 10",
    ]

    private func check(
        _ column: String, _ table: Table, _ context: PlanningContext, _ budget: Budget, key: String? = nil,
        seed: UInt64
    ) throws {
        let sql = "SELECT \(key.map { "\($0), " } ?? "")\(column) FROM visits" + (key.map { " GROUP BY \($0)" } ?? "")
        let plan = try Planner.plan(Question(sql: sql, budget: budget), in: context)
        var random = SeededGenerator(seed: seed)
        var half = 0.0
        var cells = 0
        let measured = plan.columns.indices.last ?? 0
        // A quantile's interval lies between two draws and varies; others hardly do.
        for _ in 0..<(column.contains("M") || column.contains("QUANTILE") ? 24 : 3) {
            for row in plan.measure(.table(table), lookups: [], using: &random).answer.rows {
                half += (try #require(row[measured].upper) - (try #require(row[measured].lower))) / 2
                cells += 1
            }
        }
        #expect(cells > 0)
        let ratio = half / Double(cells) / (try #require(plan.columns[measured].expectedError))
        #expect(abs(ratio - 1) < 0.25, "\(column) by \(key ?? "nothing"), \(budget): \(ratio)")
    }

    @Test("Of the whole table: every aggregate, option and function, under each kind of policy")
    func whole() throws {
        let table = try Self.table(keys: [("free", "Rome")])
        for (index, column) in Self.columns.enumerated() {
            for (budget, regime) in [
                (Budget.rho(0.2), Fixtures.zCDP), (.epsilon(1), Fixtures.pure), (.epsilon(1), Fixtures.renyi),
            ] { try check(column, table, context(regime, groups: 1), budget, seed: UInt64(index)) }
        }
    }

    @Test("Of public groups, which share the capacity")
    func groups() throws {
        let table = try Self.table(keys: ["free", "25 %", "50 %", "95 %"].map { ($0, "Rome") })
        for (index, column) in Self.columns.enumerated() {
            try check(column, table, context(Fixtures.zCDP, groups: 4), .rho(0.5), key: "plan", seed: UInt64(index))
        }
    }

    @Test("For an error in groups of a size that is named")
    func named() throws {
        let table = try Self.table(keys: [("free", "Rome")])
        let budget = Budget.error(relative: 0.05, groupSize: Double(Self.size))
        for (index, column) in Self.columns.enumerated() {
            // The capacity says nothing here.
            try check(column, table, context(Fixtures.zCDP, groups: 50), budget, seed: UInt64(index))
        }
    }

    @Test("Of a group whose key is selected: twice as many units as it needs")
    func selected() throws {
        let plan = try Fixtures.plan("SELECT city, AVG(cost) FROM visits GROUP BY city", .rho(2))
        let threshold = try #require(plan.output.selection?.threshold)
        let note = try #require(plan.notes.first { $0.contains("is expected in a group of \(2 * threshold) values") })
        #expect(note.contains("twice the number of units at which a group is kept"))
        let size = Int(2 * threshold)
        var rows: [[Value]] = []
        for place in 0..<(20 * size) {
            let cost = Double(place % size) / Double(size - 1) * 1_000
            rows.append(MeasurementTests.row(place, cost: .real(cost.rounded()), city: .text("c\(place / size)")))
        }
        var random = SeededGenerator(seed: 5)
        let table = try SampleRows.table(Fixtures.visits, rows)
        let answer = plan.measure(.table(table), lookups: [], using: &random).answer
        #expect(answer.rows.count == 20)
        let halves = try answer.rows.map { (try #require($0[1].upper) - (try #require($0[1].lower))) / 2 }
        let ratio = halves.reduce(0, +) / 20 / (try #require(plan.columns[1].expectedError))
        #expect(abs(ratio - 1) < 0.25, "\(ratio)")
    }

    @Test("Where WHERE leaves no group, a question is refused before it is previewed, and nothing traps")
    func noGroup() throws {
        for aggregate in ["AVG(cost)", "MEDIAN(cost)", "STDDEV(cost)", "SUM(cost)", "AVG(cost) WEIGHTED", "COUNT(*)"] {
            let refusal = Fixtures.error(
                "SELECT plan, \(aggregate) FROM visits WHERE plan = 'free' AND plan <> 'free' GROUP BY plan")
            #expect(refusal?.message.hasPrefix("no row can pass WHERE") == true)
        }
    }

    @Test("The text says what is assumed, and of which columns; what may be unbounded has no number")
    func words() throws {
        let plan = try Fixtures.plan("SELECT plan, COUNT(*), AVG(cost) WEIGHTED AS mean FROM visits GROUP BY plan")
        #expect(
            plan.notes.contains {
                $0.hasPrefix(
                    "The half-width of mean is expected in a group of 25000 values (the declared capacity over the number of groups)"
                )
                    && $0.contains("with weights in the middle of theirs")
            })
        #expect(
            !(try Fixtures.plan("SELECT COUNT(*), SUM(cost) FROM visits")).notes.contains {
                $0.contains("is expected in")
            })
        let small = try Planner.plan(
            Question(sql: "SELECT AVG(cost) FROM visits", budget: .rho(1e-7)), in: context(Fixtures.zCDP, groups: 1))
        #expect(small.columns[0].expectedError == nil)
        #expect(small.notes.contains { $0.hasPrefix("The interval of AVG(cost) may be unbounded in a group of 2000") })
        let median = try Fixtures.plan("SELECT MEDIAN(cost) FROM visits", .rho(0.1))
        let offset = try #require(median.output.channels[0].quantile?.offset)
        #expect(median.notes.contains { $0.contains("which aim \(offset) ranks below and above it") })
    }
}
