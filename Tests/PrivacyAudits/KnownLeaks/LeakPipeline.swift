import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables

@testable import Query

/// From a question and rows to what leaves, on `AuditedTable`'s columns.
struct LeakPipeline {
    enum Regime { case zCDP, pure }

    let bounds = AuditedTable.Bounds(rows: 3, groups: 2)

    func plan(_ sql: String, _ budget: Budget = .rho(0.5), _ regime: Regime = .zCDP) throws -> Plan {
        let loss =
            switch regime {
            case .zCDP: LossRegime(kind: .zeroConcentrated, conversionDelta: 1e-6, selectionDelta: 1e-3, total: 100)
            case .pure: LossRegime(kind: .pure, conversionDelta: 0, selectionDelta: 0, total: 100)
            }
        return try Planner.plan(
            Question(sql: sql, budget: budget),
            in: PlanningContext(datasets: [AuditedTable.description("left_table", bounds)], regime: loss))
    }

    /// A row of a unit; what is not given is null.
    func row(
        _ unit: String, c: String? = nil, wide: Double? = nil, x: Double? = nil, i: Int64? = nil
    ) -> [Value] {
        AuditedTable.columns.columns.map { column in
            switch column.name {
            case "u": .text(unit)
            case "k": .text("a")
            case "c": c.map(Value.text) ?? .null
            case "wide": wide.map(Value.real) ?? .null
            case "x": x.map(Value.real) ?? .null
            case "i": i.map(Value.integer) ?? .null
            default: .null
            }
        }
    }

    /// The rows as a table, in the order in which they are given.
    func table(_ rows: [[Value]]) throws -> Table {
        try Table(
            rows: rows,
            plan: IngestPlan(
                schema: AuditedTable.columns, unitColumn: 0, rowsPerUnit: bounds.rows,
                key: ClusteringKey(siteSecret: Array(0..<16), population: "people"), onError: .null))
    }

    /// What noise is added to.
    func totals(_ plan: Plan, _ rows: [[Value]]) throws -> Totals {
        Totals(BoundedAggregation(plan.specification, source: .table(try table(rows)), lookups: []).run(), plan)
    }

    func answer(_ plan: Plan, _ rows: [[Value]]) throws -> NoisyAnswer {
        var random = SeededGenerator(seed: 8)
        return plan.measure(.table(try table(rows)), lookups: [], using: &random).answer
    }
}
