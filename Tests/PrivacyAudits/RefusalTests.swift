import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

/// Questions that once trapped, or claimed less than one unit can change.
@Suite("Questions at the ends of ranges")
struct RefusalTests {
    private static let context = context(rows: 4)

    private static func context(rows: Int, capacity: Int = 10_000) -> PlanningContext {
        PlanningContext(
            datasets: ["left_table", "right_table"].map { name in
                var dataset = AuditedTable.description(name, .init(rows: rows, groups: 3))
                dataset.capacityRows = capacity
                return dataset
            },
            regime: LossRegime(kind: .zeroConcentrated, conversionDelta: 1e-6, selectionDelta: 1e-6, total: 100))
    }

    private static func refusal(_ question: Question, _ context: PlanningContext) -> QueryError? {
        do throws(QueryError) {
            _ = try Planner.plan(question, in: context)
            return nil
        } catch {
            return error
        }
    }

    private func answer(_ sql: String) throws -> NoisyAnswer {
        let plan = try Planner.plan(Question(sql: sql, budget: .rho(1_000)), in: Self.context)
        var random = SeededGenerator(seed: 5)
        let bounds = AuditedTable.Bounds(rows: 4, groups: 3)
        let units = (0..<5).map { AuditedTable.rows($0, bounds, &random) }
        return plan.measure(.table(try AuditedTable.table(units, bounds, &random)), lookups: [], using: &random).answer
    }

    @Test("A join whose bound on a unit's rows cannot be stated is refused, not cut")
    func productOfBounds() throws {
        let sql = "SELECT i, COUNT(*) FROM left_table l JOIN right_table r ON l.u = r.u GROUP BY l.i"
        let question = Question(sql: sql.replacing("SELECT i", with: "SELECT l.i"), budget: .rho(1))
        #expect(Self.refusal(question, Self.context(rows: 1 << 24)) != nil)
        #expect(Self.refusal(question, Self.context(rows: 1 << 15)) == nil)
    }

    @Test(
        "Quantiles of integers whose bounds lie beyond 64 bits stay integers",
        arguments: [
            "MAX(COALESCE(big * big, 9223372036854775807))", "MIN(COALESCE(-big * big, -9223372036854775807))",
            "MAX(COALESCE(CAST(CLAMP(wide, 8123861508590403584, 1e19) AS INTEGER), 9223372036854775807))",
        ])
    func wideQuantile(_ aggregate: String) throws {
        for _ in 0..<20 {
            guard case .integer? = try answer("SELECT \(aggregate) FROM left_table").rows.first?.first?.value else {
                Issue.record("no integer")
                return
            }
        }
    }

    @Test("A resolution far below what a grid can have gives the finest grid")
    func resolution() throws {
        let step = Allocation.quantileStep(.real, Bounds(lower: 0, upper: 1, isNullable: false), .leastNonzeroMagnitude)
        #expect(step.isFinite && step > 0)
    }

    @Test("A delta that no tail can reach is refused", arguments: [Double.leastNonzeroMagnitude, 1e-200, 8e-19])
    func smallDelta(_ delta: Double) {
        let question = Question(
            sql: "SELECT c, COUNT(*) FROM left_table GROUP BY c", budget: .rho(1), selectionDelta: delta)
        #expect(Self.refusal(question, Self.context) != nil)
    }

    @Test(
        "Parts of moments at both ends of 64 bits are null",
        arguments: ["SECOND(t)", "HOUR(t)", "YEAR(t)", "DATE_TRUNC('hour', t)", "CAST(t AS TEXT)", "CAST(t AS DATE)"])
    func moments(_ expression: String) throws {
        #expect(try answer("SELECT COUNT(\(expression)) FROM left_table").rows.count == 1)
    }

    @Test("What a scan must hold is limited by public numbers")
    func cells() {
        let edges = (0...1_000).map(String.init).joined(separator: ", ")
        let wide = Question(
            sql: "SELECT BIN(big, 36028797019), HISTOGRAM(f, \(edges)) FROM left_table GROUP BY 1", budget: .rho(1))
        let selected = Question(sql: "SELECT c, HISTOGRAM(f, \(edges)) FROM left_table GROUP BY c", budget: .rho(1))
        #expect(Self.refusal(wide, Self.context)?.message.contains("too many") == true)
        #expect(Self.refusal(selected, Self.context(rows: 4, capacity: 1 << 30))?.message.contains("too many") == true)
        #expect(Self.refusal(selected, Self.context) == nil)
    }
}
