import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

/// Leaks that other libraries had, each asked of the whole way from a question's text to its noisy answer. Those that
/// other suites test are listed in `KnownLeaksIndexTests`.
@Suite("Known leaks: from question to answer")
struct KnownLeakTests {
    private static let pipeline = LeakPipeline()

    @Test("Order of summation: rows in any order, huge and tiny values together, give the same exact integers")
    func orderOfSummation() throws {
        // In floating point 1e29 + 0.1 - 1e29 is 0 or 0.1, as the rows come (Casacuberta et al. 2022, section 5).
        let values = [1e29, 0.1, -1e29, 0.2, 1e29, -1e29, 0.3, 3]
        let rows = values.indices.map { Self.pipeline.row("p\($0)", wide: values[$0], x: values[$0] > 1 ? 9 : 0.1) }
        let plan = try Self.pipeline.plan("SELECT SUM(wide), AVG(x), VARIANCE(x) FROM left_table")
        let first = try Self.pipeline.totals(plan, rows)
        var random = SeededGenerator(seed: 1)
        for _ in 0..<30 {
            #expect(try Self.pipeline.totals(plan, rows.shuffled(using: &random)) == first)
        }
    }

    @Test(
        "Integer division and rounding: what a unit's rows become is bounded after rounding, not before",
        arguments: [
            "SUM(i / 3)", "SUM(ROUND(x, 0))", "SUM(i % 4)", "SUM(CAST(x AS INTEGER))", "SUM(FLOOR(x) * CEIL(x))",
            "AVG(BIN(i, 2))", "SUM(ROUND(x, -1))", "VARIANCE(FLOOR(x / 0.3))", "SUM(CLAMP(i / (x - 2), -1, 1))",
        ])
    func roundingSensitivity(_ aggregate: String) throws {
        let plan = try Self.pipeline.plan("SELECT k, \(aggregate) FROM left_table GROUP BY k")
        let audit = ChangeAudit(plan)
        var random = SeededGenerator(seed: 2)
        for _ in 0..<40 {
            let units = (0..<4).map { AuditedTable.rows($0, Self.pipeline.bounds, &random) }
            let all = try Self.pipeline.totals(plan, units.flatMap(\.self))
            for unit in units.indices {
                let others = units.indices.filter { $0 != unit }.flatMap { units[$0] }
                #expect(audit.violations(all, try Self.pipeline.totals(plan, others)) == [])
            }
        }
    }

    @Test(
        "Empty groups: a declared domain is output whole, whether its groups have rows or none",
        arguments: [
            "SELECT k, COUNT(*) FROM left_table GROUP BY k", "SELECT b, AVG(x) FROM left_table WHERE i > 6 GROUP BY b",
            "SELECT k, MEDIAN(x) FROM left_table WHERE FALSE GROUP BY k", "SELECT COUNT(*) FROM left_table",
        ])
    func emptyGroups(_ sql: String) throws {
        let plan = try Self.pipeline.plan(sql)
        let none = try Self.pipeline.answer(plan, [])
        let some = try Self.pipeline.answer(plan, (0..<40).map { Self.pipeline.row("p\($0)", x: 5) })
        #expect(none.rows.count == plan.groups && some.rows.count == plan.groups)
        #expect(none.rows.map { $0.first?.value }.filter(\.isKey) == some.rows.map { $0.first?.value }.filter(\.isKey))
    }

    @Test("Text keys without a bound: a key is cut at load, so a row cannot smuggle its text out as a key")
    func unboundedKeys() throws {
        let long = "secret" + String(repeating: "x", count: 100_000)
        let rows = (0..<400).map { Self.pipeline.row("p\($0)", c: long + "\($0)") }
        let plan = try Self.pipeline.plan("SELECT c, COUNT(*) FROM left_table GROUP BY c", .rho(50))
        let answer = try Self.pipeline.answer(plan, rows)
        #expect(answer.rows.map { $0[0].value } == [.text("secre")])
    }

    @Test(
        "Errors that depend on data: no row makes a question fail, or changes what is measured",
        arguments: [
            "SUM(CLAMP(1 / i, 0, 1))", "SUM(CLAMP(CAST(c AS INTEGER), 0, 9))", "SUM(CLAMP(LN(x) + SQRT(i), 0, 9))",
            "COUNT(big * big * big)", "AVG(CLAMP(EXP(wide), 0, 1))", "COUNT(CAST(c AS DATE))",
            "SUM(CLAMP(i % (i - i), 0, 1))",
            "MEDIAN(CLAMP(big * big, 0, 10))", "COUNT(DATE_TRUNC('month', t))", "COUNT(CAST(g AS TEXT) LIKE '%1%')",
        ])
    func dataDependentErrors(_ aggregate: String) throws {
        let plan = try Self.pipeline.plan("SELECT \(aggregate) FROM left_table")
        var random = SeededGenerator(seed: 3)
        for units in 0..<12 {
            let rows = (0..<units).flatMap { AuditedTable.rows($0, Self.pipeline.bounds, &random) }
            var noise = SeededGenerator(seed: 4)
            let table = try Self.pipeline.table(rows)
            let measured = plan.measure(.table(table), lookups: [], using: &noise)
            #expect(measured.answer.rows.count == 1 && measured.events == plan.events)
        }
    }

    @Test("Seeded noise: the system's randomness gives each answer noise of its own")
    func seededNoise() throws {
        // Noise of scale 1e6: two answers agree by chance with probability below 1e-6.
        let plan = try Self.pipeline.plan("SELECT COUNT(*) FROM left_table", .epsilon(1e-6), .pure)
        let table = try Self.pipeline.table([])
        let values = (0..<2).map { _ -> Value? in
            var system = SecureRandom()
            return plan.measure(.table(table), lookups: [], using: &system).answer.rows.first?.first?.value
        }
        #expect(values[0] != values[1])
    }

    @Test("Floating-point noise: every output is a whole multiple of the grid, whatever the truth", arguments: [0, 1])
    func outputsOnTheGrid(_ truth: Double) throws {
        // Mironov (2012): with floating-point Laplace noise 19.9 % of answers had a bit that only a truth of 0 gives.
        let plan = try Self.pipeline.plan("SELECT SUM(x) FROM left_table", .epsilon(1), .pure)
        let table = try Self.pipeline.table([Self.pipeline.row("p", x: truth)])
        guard case .sum(_, let grid)? = plan.specification.measures.first?.kind else {
            Issue.record("the sum has no grid")
            return
        }
        #expect(grid.step.significand == 1)
        var random = SeededGenerator(seed: 5)
        var low = Set<Double>()
        for _ in 0..<3_000 {
            let value = plan.measure(.table(table), lookups: [], using: &random).answer.rows[0][0].value.number ?? .nan
            #expect((value / grid.step).rounded() * grid.step == value)
            low.insert((value / grid.step).truncatingRemainder(dividingBy: 16).magnitude)
        }
        // All residues occur: nothing of the truth is left in the last bits.
        #expect(low.count == 16)
    }

    @Test("Scaling after aggregation: a multiple of an answer is that multiple of its noise, at the same charge")
    func scaling() throws {
        let plain = try Self.pipeline.plan("SELECT SUM(i) FROM left_table", .rho(0.01))
        let scaled = try Self.pipeline.plan("SELECT SUM(i) * 1000 FROM left_table", .rho(0.01))
        #expect(plain.charge == scaled.charge)
        let rows = (0..<5).map { Self.pipeline.row("p\($0)", i: 7) }
        let (a, b) = (try Self.pipeline.answer(plain, rows), try Self.pipeline.answer(scaled, rows))
        let (x, y) = (a.rows[0][0].value.number ?? .nan, b.rows[0][0].value.number ?? .nan)
        #expect(x != 35, "this seed draws no noise: choose another")
        #expect(y == x * 1_000)
        let inside = try Self.pipeline.plan("SELECT SUM(i * 1000) FROM left_table", .rho(0.01))
        let (narrow, wide) = (plain.columns[0].standardDeviation ?? 0, inside.columns[0].standardDeviation ?? 0)
        #expect(abs(wide / narrow - 1_000) < 1, "scaling before aggregation scales the noise")
    }

    @Test("Cost by order: the same aggregates in another order cost the same, and so do questions in another order")
    func orderOfQuestions() throws {
        let items = ["COUNT(*)", "SUM(x)", "AVG(i)", "COUNT(DISTINCT u)"]
        let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]]
        let charges = try orders.map { order in
            try Self.pipeline.plan("SELECT \(order.map { items[$0] }.joined(separator: ", ")) FROM left_table").charge
        }
        #expect(Set(charges).count == 1)
        let questions = try items.map { try Self.pipeline.plan("SELECT \($0) FROM left_table", .rho(0.3)).charge }
        let totals = try orders.map { order in
            try order.reduce(PrivacyLoss.zero(.zeroConcentrated)) { try $0 + questions[$1] }
        }
        #expect(Set(totals).count == 1)
    }

    @Test(
        "Bounds taken from the data: a column without declared bounds is refused, not measured",
        arguments: [
            "SUM(f)", "AVG(g)", "VARIANCE(f)", "MEDIAN(f)", "QUANTILE(g, 0.1)", "MIN(f)", "MAX(g)", "STDDEV(f)",
        ])
    func boundsFromData(_ aggregate: String) {
        do {
            _ = try Self.pipeline.plan("SELECT \(aggregate) FROM left_table")
            Issue.record("it was planned")
        } catch let error as QueryError {
            #expect((error.message + (error.hint ?? "")).contains("CLAMP"))
        } catch { Issue.record("another error") }
    }

    @Test("Sizes that show the number of rows: the width of each interval of a sum or count is the same for any data")
    func widthsOfIntervals() throws {
        let plan = try Self.pipeline.plan("SELECT COUNT(*), SUM(x), COUNT(i), SUM(i) FROM left_table")
        let widths = try [0, 1, 500].map { units in
            let rows = (0..<units).map { Self.pipeline.row("p\($0)", x: 3, i: 2) }
            return try Self.pipeline.answer(plan, rows).rows[0].map { cell in
                // The same to the last bits of a value of a few thousand.
                (((cell.upper ?? .nan) - (cell.lower ?? .nan)) * 0x1p20).rounded()
            }
        }
        #expect(widths[0].allSatisfy { $0.isFinite })
        #expect(widths[0] == widths[1] && widths[0] == widths[2])
    }

    @Test("Noise drawn twice for one result: an aggregate that a question repeats has one value")
    func repeatedAggregate() throws {
        let plan = try Self.pipeline.plan(
            "SELECT COUNT(*) AS a, COUNT(*) AS b, COUNT(*) * 2 AS c FROM left_table HAVING COUNT(*) < 1000000")
        let row = try Self.pipeline.answer(plan, [Self.pipeline.row("p")]).rows[0].map { $0.value.number ?? .nan }
        #expect(row[0] == row[1] && row[2] == 2 * row[0])
        #expect(plan.events.count == 1)
    }
}

extension Value? {
    fileprivate var isKey: Bool {
        switch self {
        case .text, .boolean: true
        default: false
        }
    }
}
