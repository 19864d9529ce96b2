import DatasiteProtocol
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
    private static let runs = 2_500
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

    /// Outputs: the value of the first row's last column, or -1 where there is no row. The first neighbour has the units
    /// up to `units.upperBound`, the second those up to `units.lowerBound`.
    private static func expect(
        _ sql: String, _ regime: LossRegime, _ budget: Budget, units: ClosedRange<Int>, _ claim: PrivacyClaim,
        holds: Bool
    ) throws {
        let context = PlanningContext(
            datasets: [AuditedTable.description("left_table", bounds)], regime: regime)
        let plan = try Planner.plan(Question(sql: sql, budget: budget), in: context)
        var shuffling = SeededGenerator(seed: UInt64(sql.utf8.count))
        let present = try AuditedTable.table((0..<units.upperBound).map(rows), bounds, &shuffling)
        let absent = try AuditedTable.table((0..<units.lowerBound).map(rows), bounds, &shuffling)
        func output(_ table: Table, _ random: inout AuditRandom) -> Double {
            let answer = plan.measure(.table(table), lookups: [], using: &random).answer
            return answer.rows.first?.last?.value.number ?? -1
        }
        let audit = Audit("\(sql), units \(units)", claim, runs: runs)
        if holds {
            try audit.holds({ output(present, &$0) }, { output(absent, &$0) })
        } else {
            try audit.catches({ output(present, &$0) }, { output(absent, &$0) })
        }
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
        try Self.expect(sql, Self.pure, .epsilon(1), units: 2...3, .pure(epsilon: 1), holds: true)
        try Self.expect(sql, Self.pure, .epsilon(1), units: 2...14, .pure(epsilon: 1), holds: false)
    }

    @Test(
        "zCDP, converted at several deltas",
        arguments: [
            "SELECT COUNT(*) FROM left_table", "SELECT SUM(x) FROM left_table", "SELECT MEDIAN(i) FROM left_table",
            "SELECT k, SUM(i) FROM left_table GROUP BY k",
        ])
    func concentrated(_ sql: String) throws {
        let claim = PrivacyClaim.zeroConcentrated(rho: 0.2)
        try Self.expect(sql, Self.zCDP, .rho(0.2), units: 2...3, claim, holds: true)
        try Self.expect(sql, Self.zCDP, .rho(0.2), units: 2...14, claim, holds: false)
    }

    @Test("Keys that only one unit has are shown with a probability of delta at most")
    func selection() throws {
        let sql = "SELECT c, COUNT(DISTINCT u) FROM left_table GROUP BY c"
        // The event "a key is shown" is impossible without the unit: delta alone must cover it.
        let shown = PrivacyClaim.approximate(epsilon: 0, delta: 0.05)
        try Self.expect(sql, Self.zCDP, .rho(1), units: 0...1, shown, holds: true)
        try Self.expect(sql, Self.zCDP, .rho(1), units: 0...3, shown, holds: false)
        let claim = PrivacyClaim.zeroConcentrated(rho: 1, delta: 0.05)
        try Self.expect(sql, Self.zCDP, .rho(1), units: 5...6, claim, holds: true)
    }
}
