import DatasiteProtocol
import DifferentialPrivacy
import Tables
import Testing

@testable import Query

/// Rule 21: with k measured quantities each half-width is at most 1.1 sqrt(k) (Gaussian) or 1.1 k (pure) times the one that it
/// has alone.
@Suite("What stands beside an aggregate costs it its part of the budget and nothing else")
struct SplitTests {
    private static let aggregates = [
        "COUNT(*)", "COUNT(cost)", "COUNT(DISTINCT person)", "SUM(visits)", "SUM(age - 90)", "AVG(cost)",
        "VARIANCE(cost)",
        "STDDEV(visits)", "MEDIAN(cost)", "QUANTILE(age, 0.9)", "MIN(visits)", "HISTOGRAM(cost, 0, 100, 1000)",
        "COUNT(*) WEIGHTED", "SUM(cost) WEIGHTED", "AVG(cost) WEIGHTED", "AVG(visits > 3)",
    ]

    /// A person may have 200 rows. Budgets are small, so that whole numbers of noise are no part of the comparison.
    private func plan(_ aggregates: [String], _ rest: (key: String?, Budget, LossRegime)) throws -> Plan {
        var visits = Fixtures.visits
        visits.unit.rowsPerUnit = 200
        let key = rest.key
        return try Planner.plan(
            Question(
                sql: "SELECT \(aggregates.joined(separator: ", ")) FROM visits" + (key.map { " GROUP BY \($0)" } ?? ""),
                budget: rest.1, groupsPerUnit: key == "city" ? 2 : nil, rowsPerGroup: key == "city" ? 7 : nil),
            in: PlanningContext(datasets: [visits], regime: rest.2))
    }

    /// The half-width of each aggregate: of a mean, of its numerator at the upper bound; of a quantile, in ranks. And how many
    /// quantities share the budget.
    private func widths(_ plan: Plan) -> (widths: [Double], quantities: Int) {
        let model = ErrorModel(plan.output.channels.map(\.error))
        let widths = plan.output.forms.map { form -> Double in
            switch form {
            case .linear(let linear): return model.halfWidth(linear)
            case .mean(let sum, let count, _, let upper): return model.halfWidth(sum - count.scaled(upper))
            case .spread(let sum, let squares, let count, let largest, _):
                return model.halfWidth(squares - sum.scaled(largest.squareRoot()) - count.scaled(largest / 2))
            case .quantile(_, let grid): return Double(grid?.offset ?? 0)
            case .histogram(let channel): return Double(plan.output.channels[channel].error.halfWidth)
            }
        }
        let paid = plan.output.channels.count { $0.slot != nil }
        return (widths, paid + (plan.output.selection == nil ? 0 : 1))
    }

    private func check(_ asked: [Int], _ alone: [Double], _ rest: (key: String?, Budget, LossRegime)) throws {
        let plan = try plan(asked.map { Self.aggregates[$0] }, rest)
        let (widths, quantities) = widths(plan)
        #expect(widths.count == asked.count)
        let factor = rest.2.kind == .pure ? Double(quantities) : Double(quantities).squareRoot()
        for (aggregate, width) in zip(asked, widths) {
            #expect(
                width <= 1.1 * factor * alone[aggregate],
                "\(Self.aggregates[aggregate]) in \(asked.map { Self.aggregates[$0] }) by \(rest.key ?? "nothing")")
        }
    }

    @Test(
        "All pairs of aggregates and some triples, under each kind of policy, with and without groups",
        arguments: [
            (nil, .rho(0.002), Fixtures.zCDP), ("plan", .rho(0.002), Fixtures.zCDP),
            ("city", .rho(0.002), Fixtures.zCDP),
            ("plan", .epsilon(0.1), Fixtures.renyi), (nil, .epsilon(0.1), Fixtures.pure),
            ("plan", .epsilon(0.1), Fixtures.pure),
        ] as [(key: String?, Budget, LossRegime)])
    func pairs(_ rest: (key: String?, Budget, LossRegime)) throws {
        let count = Self.aggregates.count
        let alone = try (0..<count).map { try widths(plan([Self.aggregates[$0]], rest)).widths[0] }
        #expect(alone.allSatisfy { $0 > 0 && $0.isFinite })
        for first in 0..<count {
            for second in 0..<count where second != first {
                try check([first, second], alone, rest)
                let third = (first * 5 + second * 3) % count
                if third != first, third != second, (first + second) % 4 == 0 {
                    try check([first, second, third], alone, rest)
                }
            }
        }
    }

    @Test("A count of units beside a count of rows has its own sensitivity of 1, however many rows a unit may have")
    func unitsBesideRows() throws {
        for (budget, regime, factor) in [
            (Budget.rho(0.002), Fixtures.zCDP, 2.0.squareRoot()), (.epsilon(0.1), Fixtures.pure, 2),
        ] {
            let both = try widths(plan(["COUNT(DISTINCT person)", "COUNT(*)"], (nil, budget, regime))).widths
            let units = try widths(plan(["COUNT(DISTINCT person)"], (nil, budget, regime))).widths[0]
            let rows = try widths(plan(["COUNT(*)"], (nil, budget, regime))).widths[0]
            #expect(both[0] <= factor * units + 1 && both[1] <= factor * rows + 1)
            #expect(rows > 150 * units && both[1] > 150 * both[0])
        }
    }
}
