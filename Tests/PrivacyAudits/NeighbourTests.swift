import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

/// Random tables that break every declaration, random questions of the whole grammar, and each unit removed in turn:
/// what changes before noise stays within what the plan's events claim, and what other units contribute does not
/// change.
@Suite("Neighbours of random tables")
struct NeighbourTests {
    @Test("What one unit changes is within each event's claim, and the charge covers all events", arguments: 0..<8)
    func claims(_ part: Int) throws {
        var planned = 0
        var changed = 0
        for seed in 0..<120 {
            var trial = try Trial(seed: UInt64(part * 1_000 + seed))
            guard let plan = try trial.plan() else { continue }
            planned += 1
            let audit = ChangeAudit(plan)
            try audit.checkCharge(asked: trial.question.budget, trial.regime)
            let all = try trial.exact(plan, without: nil)
            for unit in trial.left.indices {
                let without = try trial.exact(plan, without: unit)
                let alone = try trial.exact(plan, only: unit)
                #expect(audit.violations(all, without).isEmpty, "\(trial.question.sql)")
                #expect(all == without.adding(alone), "others' contributions changed: \(trial.question.sql)")
                if all != without { changed += 1 }
            }
            var random = SeededGenerator(seed: UInt64(seed))
            let source = try trial.source(plan, trial.left, trial.right)
            let measured = plan.measure(source, lookups: try trial.lookups(plan), using: &random)
            let answer = measured.answer
            #expect(measured.events == plan.events)
            if let groups = plan.groups, !trial.question.sql.contains("HAVING") { #expect(answer.rows.count == groups) }
        }
        #expect(planned >= 40, "too few questions are planned to test anything")
        #expect(changed >= 50)
    }

    @Test("The same in tables of many chunks, whose units lie across their ends", arguments: 0..<4)
    func manyUnits(_ part: Int) throws {
        var planned = 0
        for seed in 0..<14 {
            var trial = try Trial(seed: UInt64(5_000 + part * 100 + seed), units: 900)
            guard let plan = try trial.plan() else { continue }
            planned += 1
            let audit = ChangeAudit(plan)
            let all = try trial.exact(plan, without: nil)
            for unit in [0, 450, 899] {
                let without = try trial.exact(plan, without: unit)
                #expect(audit.violations(all, without).isEmpty, "\(trial.question.sql)")
                #expect(all == without.adding(try trial.exact(plan, only: unit)), "\(trial.question.sql)")
            }
        }
        #expect(planned >= 3)
    }

    /// A copy that scans with wider bounds than the plan claims must be noticed.
    @Test("Wider bounds in the scan than in the claim are found out")
    func broken() throws {
        var found = (groups: 0, rows: 0)
        for seed in 0..<150 {
            var trial = try Trial(seed: UInt64(seed))
            guard let plan = try trial.plan() else { continue }
            let audit = ChangeAudit(plan)
            var wider = plan.specification
            wider.bounds.groupsPerUnit += 3
            found.groups += try trial.violations(audit, plan, wider)
            wider = plan.specification
            wider.bounds.rowsPerGroup += 5
            found.rows += try trial.violations(audit, plan, wider)
        }
        #expect(found.groups > 10)
        #expect(found.rows > 10)
    }
}

/// One table or two, and a question.
private struct Trial {
    let regime: LossRegime
    let bounds: AuditedTable.Bounds
    let left: [[[Value]]]
    let right: [[[Value]]]
    let question: Question
    private var random: SeededGenerator

    static let pure = LossRegime(kind: .pure, conversionDelta: 0, selectionDelta: 0, total: 100)
    static let zCDP = LossRegime(kind: .zeroConcentrated, conversionDelta: 1e-6, selectionDelta: 1e-3, total: 100)

    init(seed: UInt64, units count: Int? = nil) throws {
        random = SeededGenerator(seed: seed)
        regime = seed % 3 == 0 ? Self.pure : Self.zCDP
        bounds = .random(&random)
        var units: [[[Value]]] = []
        var others: [[[Value]]] = []
        for unit in 0..<(count ?? Int.random(in: 1...4, using: &random)) {
            units.append(AuditedTable.rows(unit, bounds, &random))
            others.append(AuditedTable.rows(unit, bounds, &random))
        }
        (left, right) = (units, others)
        var questions = RandomQuestion(seed: seed)
        question = questions.question(bounds: bounds, isPure: regime.kind == .pure)
    }

    func plan() throws -> Plan? {
        let context = PlanningContext(
            datasets: ["left_table", "right_table"].map { AuditedTable.description($0, bounds) },
            lookups: [AuditedTable.lookup], regime: regime)
        do throws(QueryError) { return try Planner.plan(question, in: context) } catch { return nil }
    }

    mutating func source(_ plan: Plan, _ left: [[[Value]]], _ right: [[[Value]]]) throws -> RowSource {
        let table = try AuditedTable.table(left, bounds, &random)
        guard plan.datasets.count > 1 else { return .table(table) }
        return .join(
            table, try AuditedTable.table(right, bounds, &random), leftRows: plan.rowsPerUnit[0],
            rightRows: plan.rowsPerUnit[1])
    }

    func lookups(_ plan: Plan) throws -> [LookupTable] {
        try plan.lookups.map { _ in try AuditedTable.lookupTable() }
    }

    mutating func exact(_ plan: Plan, without unit: Int?, _ specification: AggregationSpecification? = nil) throws
        -> Totals
    {
        let keep = left.indices.filter { $0 != unit }
        return Totals(
            BoundedAggregation(
                specification ?? plan.specification,
                source: try source(plan, keep.map { left[$0] }, keep.map { right[$0] }),
                lookups: try lookups(plan)
            ).run(), plan)
    }

    mutating func exact(_ plan: Plan, only unit: Int) throws -> Totals {
        Totals(
            BoundedAggregation(
                plan.specification, source: try source(plan, [left[unit]], [right[unit]]), lookups: try lookups(plan)
            ).run(), plan)
    }

    mutating func violations(
        _ audit: ChangeAudit, _ plan: Plan, _ specification: AggregationSpecification
    ) throws -> Int {
        let all = try exact(plan, without: nil, specification)
        var found = 0
        for unit in left.indices {
            found += audit.violations(all, try exact(plan, without: unit, specification)).count
        }
        return found
    }
}
