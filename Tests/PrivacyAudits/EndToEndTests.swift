import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

/// From SQL and rows to what leaves, many times on two neighbours: the loss that the outputs show is within the claim.
/// The same audit on tables that differ in several units, as if one person had several names, sees more than the claim:
/// it would notice a bound that is not kept.
@Suite("Audits from question to answer")
struct EndToEndTests {
    private static let runs = 3_000
    private static let bounds = AuditedTable.Bounds(rows: 3, groups: 2)

    /// Units whose rows weigh as much as they can.
    private static func rows(_ unit: Int) -> [[Value]] {
        (0..<3).map { number in
            var row = AuditedTable.columns.columns.map { _ in Value.null }
            row[0] = .text("person \(unit)")
            row[1] = .text(number < 2 ? "a" : "b")
            row[2] = .text("rare")
            row[3] = .integer(7)
            row[5] = .real(10)
            row[13] = .timestamp(Int64(number))
            return row
        }
    }

    /// The values of the first row's last column, or -1 where there is no row.
    private static func outputs(
        _ plan: Plan, units: Range<Int>, _ random: inout SeededGenerator
    ) throws -> [Double] {
        let table = try AuditedTable.table(units.map(rows), bounds, &random)
        return (0..<runs).map { _ in
            let answer = plan.measure(.table(table), lookups: [], using: &random).answer
            return answer.rows.first?.last?.value.number ?? -1
        }
    }

    private static func shown(
        _ sql: String, _ regime: LossRegime, _ budget: QuestionBudget, units: ClosedRange<Int>, delta: Double
    ) throws -> Double {
        let context = PlanningContext(
            datasets: [AuditedTable.description("left_table", bounds)], regime: regime)
        let plan = try Planner.plan(Question(sql: sql, budget: budget), in: context)
        var random = SeededGenerator(seed: UInt64(sql.utf8.count))
        let present = try outputs(plan, units: 0..<units.upperBound, &random)
        let absent = try outputs(plan, units: 0..<units.lowerBound, &random)
        return DistributionAudit(runs: runs).leastEpsilon(present, absent, delta: delta)
    }

    private static let pure = LossRegime(kind: .pure, conversionDelta: 0, selectionDelta: 0, total: 100)
    private static let zCDP = LossRegime(
        kind: .zeroConcentrated, conversionDelta: 1e-6, selectionDelta: 0.05, total: 1)

    @Test(
        "Pure epsilon",
        arguments: [
            "SELECT COUNT(*) FROM left_table", "SELECT COUNT(DISTINCT u) FROM left_table",
            "SELECT SUM(x) FROM left_table",
            "SELECT SUM(i) FROM left_table", "SELECT MEDIAN(i) FROM left_table", "SELECT MAX(x) FROM left_table",
            "SELECT k, COUNT(*) FROM left_table GROUP BY k",
        ])
    func pureEpsilon(_ sql: String) throws {
        #expect(try Self.shown(sql, Self.pure, .epsilon(1), units: 2...3, delta: 0) <= 1)
        #expect(try Self.shown(sql, Self.pure, .epsilon(1), units: 2...8, delta: 0) > 1)
    }

    @Test(
        "zCDP, converted at a delta",
        arguments: [
            "SELECT COUNT(*) FROM left_table", "SELECT SUM(x) FROM left_table", "SELECT MEDIAN(i) FROM left_table",
            "SELECT k, SUM(i) FROM left_table GROUP BY k",
        ])
    func concentrated(_ sql: String) throws {
        let delta = 1e-3
        let epsilon = Conversion.epsilon(rho: 0.2, delta: delta)
        #expect(try Self.shown(sql, Self.zCDP, .rho(0.2), units: 2...3, delta: delta) <= epsilon)
        #expect(try Self.shown(sql, Self.zCDP, .rho(0.2), units: 2...14, delta: delta) > epsilon)
    }

    @Test("Keys that only one unit has are shown with a probability of delta at most")
    func selection() throws {
        let delta = 0.05
        let sql = "SELECT c, COUNT(DISTINCT u) FROM left_table GROUP BY c"
        let epsilon = Conversion.epsilon(rho: 1, delta: 1e-3)
        // The event "a key is shown" is impossible without the unit: delta alone must cover it.
        #expect(try Self.shown(sql, Self.zCDP, .rho(1), units: 0...1, delta: delta) == 0)
        #expect(try Self.shown(sql, Self.zCDP, .rho(1), units: 0...3, delta: delta) > 0)
        #expect(try Self.shown(sql, Self.zCDP, .rho(1), units: 5...6, delta: delta + 1e-3) <= epsilon)
    }
}
