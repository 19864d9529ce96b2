import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Secrets
import Tables
import Testing

@testable import Query

/// What a privacy promise rests on in the plan and in the draw: thresholds, deltas, limits; each to the unit.
@Suite("Thresholds, deltas and bounds hold to the unit")
struct PromiseTests {
    @Test("A key is kept from its threshold on: a noisy count of one less never is, and one of the threshold itself is")
    func threshold() throws {
        let plan = try Fixtures.plan("SELECT city, COUNT(DISTINCT person) FROM visits GROUP BY city", .rho(1))
        guard case .thresholdSelection(let groups, let sigma, let threshold, _) = plan.events[0] else {
            Issue.record("no selection")
            return
        }
        let law = try GaussianThreshold(groupsPerUnit: groups, loss: plan.charge)
        #expect(plan.output.selection == KeyThreshold(sigma: sigma, threshold: threshold))
        #expect(groups == 3 && law.threshold <= threshold)
        // 60 cities of as many people as the threshold says: about half of them fall below.
        let rows = (0..<60).flatMap { city in
            (0..<Int(threshold)).map { MeasurementTests.row(city * 1_000 + $0, city: .text("c\(city)")) }
        }
        let table = try SampleRows.table(Fixtures.visits, rows)
        var random = SeededGenerator(seed: 2)
        var counts: [Int64] = []
        for _ in 0..<20 {
            for row in plan.measure(.table(table), lookups: [], using: &random).answer.rows {
                guard case .integer(let count) = row[1].value else { continue }
                counts.append(count)
            }
        }
        #expect(counts.count > 300 && counts.count < 900)
        #expect(counts.min() == threshold)
    }

    private func selection(
        _ delta: Double?, _ rho: Double = 0.4, _ regime: LossRegime = Fixtures.zCDP
    ) throws(QueryError) -> Plan {
        try Planner.plan(
            Question(
                sql: "SELECT city, COUNT(*) FROM visits GROUP BY city", budget: .rho(rho), selectionDelta: delta),
            in: Fixtures.context(regime))
    }

    @Test("A stated delta of selection is within the policy's, and is what is charged", arguments: [1e-6, 1e-9])
    func statedDelta(delta: Double) throws {
        let plan = try selection(delta)
        #expect(plan.charge.deltaValue <= delta * (1 + 1e-9) && plan.charge.deltaValue > delta * 0.01)
        guard case .thresholdSelection(_, _, _, let used) = plan.events[0] else { return }
        #expect(used <= delta)
        #expect(Double(plan.charge.delta) * 1e-18 >= used)
    }

    @Test(
        "One above the policy's is refused, and so is none",
        arguments: [1e-6 * (1 + 1e-12), 1e-3, 1, 0, -1e-9, .nan, .infinity])
    func wrongDelta(delta: Double) {
        #expect(throws: QueryError.self) { try selection(delta) }
    }

    @Test("Unstated it is the loss's share of the policy's, and never more than all of it")
    func shareOfDelta() throws {
        // A small total: much noise, so that each delta has a threshold of its own.
        var regime = Fixtures.zCDP
        regime.total = 0.01
        for (rho, share) in [(0.0001, 0.01), (0.005, 0.5), (0.01, 1), (0.02, 1)] {
            let unstated = try selection(nil, rho, regime)
            #expect(unstated.charge.deltaValue <= 1e-6 * share * (1 + 1e-9))
            let stated = try selection(1e-6 * share, rho, regime)
            #expect(unstated.output.selection == stated.output.selection, "\(rho)")
            let less = try selection(1e-6 * share / 2, rho, regime)
            #expect(unstated.output.selection != less.output.selection)
        }
    }

    @Test("A budget above what a question may name is refused, and one at it accepted")
    func largestBudget() throws {
        #expect(throws: Never.self) { try Fixtures.plan("SELECT COUNT(*) FROM visits", .rho(QuestionLimits.loss)) }
        #expect(Fixtures.error("SELECT COUNT(*) FROM visits", .rho(QuestionLimits.loss.nextUp)) != nil)
        #expect(
            Fixtures.error("SELECT COUNT(*) FROM visits", .epsilon(QuestionLimits.loss.nextUp), regime: Fixtures.pure)
                != nil)
    }

    @Test("Hints tighten what a unit may contribute, and never widen it; without groups all its rows count")
    func hints() throws {
        var narrow = Fixtures.visits
        narrow.unit.rowsPerGroup = 2
        let context = PlanningContext(datasets: [narrow], regime: Fixtures.zCDP)
        func bounds(_ sql: String, groups: Int? = nil, rows: Int? = nil) throws -> ContributionBounds {
            let question = Question(sql: sql, budget: .rho(1), groupsPerUnit: groups, rowsPerGroup: rows)
            return try Planner.plan(question, in: context).specification.bounds
        }
        let grouped = "SELECT plan, COUNT(*) FROM visits GROUP BY plan"
        #expect(try bounds(grouped) == ContributionBounds(groupsPerUnit: 3, rowsPerGroup: 2))
        #expect(try bounds("SELECT COUNT(*) FROM visits") == ContributionBounds(groupsPerUnit: 1, rowsPerGroup: 5))
        #expect(
            try bounds(grouped, groups: 2, rows: 1) == ContributionBounds(groupsPerUnit: 2, rowsPerGroup: 1))
        for (groups, rows) in [(4, nil), (nil, 3), (0, nil), (nil, 0), (-1, nil)] as [(Int?, Int?)] {
            #expect(throws: QueryError.self) { try bounds(grouped, groups: groups, rows: rows) }
        }
        #expect(throws: QueryError.self) { try bounds("SELECT COUNT(*) FROM visits", rows: 6) }
    }
}
