import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Secrets
import Tables
import Testing

@testable import Query

/// Coverage is counted over seeded draws of the noise alone: with 4,000 draws a true coverage of 95 % falls below 93.6 % with
/// a probability of 3e-5.
@Suite("Intervals hold the truth as often as they say")
struct IntervalTests {
    private static let draws = 4_000

    /// Noisy groups drawn around exact sufficient statistics, `truth` in steps of each channel.
    private func coverage(
        _ plan: Plan, _ truth: [Int64], column: Int, contains expected: Double, seed: UInt64
    ) -> (covered: Double, unbounded: Double) {
        var random = SeededGenerator(seed: seed)
        let post = PostProcessing(output: plan.output, columns: plan.columns, notes: [])
        var counts: [[Int64]] = []
        for (channel, exact) in zip(plan.output.channels, truth) {
            var values = [Int64](repeating: exact, count: Self.draws)
            switch channel.noise {
            case .gaussian(let sigma), .share(let sigma, _):
                (try? DiscreteGaussian(sigma: sigma))?.add(to: &values, using: &random)
            case .laplace(let scale): (try? DiscreteLaplace(scale: scale))?.add(to: &values, using: &random)
            case .none: break
            }
            counts.append(values)
        }
        let noisy = NoisyGroups(
            keys: Array(repeating: [], count: Self.draws), counts: counts, picks: plan.output.channels.map { _ in [] })
        let cells = post.answer(noisy).rows.map { $0[column] }
        let covered = cells.filter { ($0.lower ?? .nan) <= expected && expected <= ($0.upper ?? .nan) }.count
        let unbounded = cells.filter { ($0.lower ?? 0).isInfinite || ($0.upper ?? 0).isInfinite }.count
        return (Double(covered) / Double(Self.draws), Double(unbounded) / Double(Self.draws))
    }

    private static let budgets: [(Budget, LossRegime)] = [
        (.rho(0.5), Fixtures.zCDP), (.rho(0.01), Fixtures.zCDP), (.rho(200), Fixtures.zCDP),
        (.epsilon(1), Fixtures.pure), (.epsilon(0.05), Fixtures.pure), (.epsilon(60), Fixtures.pure),
    ]

    @Test("Counts and sums, with small noise and large")
    func sums() throws {
        for (index, (budget, regime)) in Self.budgets.enumerated() {
            let plan = try Fixtures.plan(
                "SELECT COUNT(*), SUM(visits), SUM(visits) - 3 * COUNT(*), SUM(age) FROM visits", budget, regime: regime
            )
            // COUNT(*) = 100; visits centred at 25, age at 49 or 50.
            let centre = try #require(plan.output.channels[2].grid?.center)
            let truth: [Int64] = [100, 200 - 2_500, 5_000 - Int64(centre) * 100]
            for (column, expected) in [100.0, 200, -100, 5_000].enumerated() {
                let (covered, _) = coverage(plan, truth, column: column, contains: expected, seed: UInt64(index))
                #expect(covered > 0.936, "\(budget) column \(column): \(covered)")
                // Not far too wide either, where the grid is not coarse against the noise.
                if index < 2 { #expect(covered < 0.975, "\(budget) column \(column): \(covered)") }
            }
        }
    }

    @Test("Means and variances at an end of their bounds: no interval is a single point")
    func endsOfBounds() throws {
        let plan = try Fixtures.plan("SELECT AVG(visits), VARIANCE(visits) FROM visits", .rho(0.1))
        let post = PostProcessing(output: plan.output, columns: plan.columns, notes: [])
        let channels = plan.output.channels
        var random = SeededGenerator(seed: 11)
        var beyond = 0
        for _ in 0..<500 {
            // 1,000 rows, all of them 50: the mean's upper bound; their squares about the centre are 625.
            let counts = zip(channels, [1_000, 25_000, 625_000] as [Int64]).map { channel, exact -> [Int64] in
                var values = [exact]
                if case .gaussian(let sigma) = channel.noise {
                    (try? DiscreteGaussian(sigma: sigma))?.add(to: &values, using: &random)
                }
                return values
            }
            let noisy = NoisyGroups(keys: [[]], counts: counts, picks: channels.map { _ in [] })
            let row = post.answer(noisy).rows[0]
            for cell in row { #expect(try #require(cell.lower) < #require(cell.upper)) }
            if row[0].value == .real(50) { beyond += 1 }
        }
        #expect(beyond > 100)
    }

    @Test("A sum that integers of 64 bits may not hold is a real number, and not cut off")
    func wideSums() throws {
        let wide = try Fixtures.plan(
            "SELECT SUM(\(Array(repeating: "visits", count: 9).joined(separator: " * "))) FROM visits")
        #expect(wide.columns[0].type == .real)
        let post = PostProcessing(output: wide.output, columns: wide.columns, notes: [])
        let step = try #require(wide.output.channels[0].grid?.step)
        let steps = Int64(0x1p66 / step)
        let noisy = NoisyGroups(keys: [[]], counts: wide.output.channels.map { _ in [steps] }, picks: [[]])
        let cell = post.answer(noisy).rows[0][0]
        #expect(try #require(cell.lower) < #require(cell.value.number))
        #expect(try #require(cell.value.number) < #require(cell.upper))
        #expect(try Fixtures.plan("SELECT SUM(visits) FROM visits").columns[0].type == .integer)
    }

    @Test("Means, also where the count is near zero: unbounded intervals keep the coverage")
    func means() throws {
        for (index, (budget, regime)) in Self.budgets.enumerated() {
            let plan = try Fixtures.plan(
                "SELECT AVG(visits), SUM(visits) / COUNT(*) FROM visits", budget, regime: regime)
            let noise = plan.output.channels[0].error.variance.squareRoot()
            for multiple in [0.3, 1, 2, 3, 8, 100] {
                let count = Swift.max(1, Int64(multiple * noise))
                // The mean is 10: 15 below the centre.
                let truth = [count, -15 * count]
                for column in 0..<2 {
                    let (covered, unbounded) = coverage(
                        plan, truth, column: column, contains: 10, seed: UInt64(index))
                    #expect(covered > 0.936, "\(budget) \(multiple) column \(column): \(covered)")
                    if multiple >= 100 { #expect(unbounded == 0) }
                    if multiple <= 1, noise > 10 { #expect(unbounded > 0.3) }
                }
            }
        }
    }

    @Test("Variances and standard deviations")
    func variances() throws {
        for (index, (budget, regime)) in Self.budgets.enumerated() {
            let plan = try Fixtures.plan("SELECT VARIANCE(visits), STDDEV(visits) FROM visits", budget, regime: regime)
            let noise = plan.output.channels[0].error.variance.squareRoot()
            for multiple in [0.5, 2, 5, 50, 1_000] {
                let half = Swift.max(1, Int64(multiple * noise) / 2)
                // Half the values are 10, half 20: mean 15, variance 25; around 25: sums -15 and -5.
                let truth = [2 * half, -20 * half, (225 + 25) * half]
                for (column, expected) in [25.0, 5].enumerated() {
                    let (covered, _) = coverage(
                        plan, truth, column: column, contains: expected, seed: UInt64(index))
                    #expect(covered > 0.936, "\(budget) \(multiple): \(covered)")
                    // The interval is below a quarter of the estimate, and the grid not coarse against the noise.
                    if multiple == 1_000, noise > 3 { #expect(covered <= 0.97, "\(budget): \(covered)") }
                }
            }
        }
    }

    @Test("Functions that do not decrease carry their interval along; others give none")
    func transformed() throws {
        let plan = try Fixtures.plan(
            "SELECT ROUND(AVG(cost), 0), SQRT(COUNT(*)), ABS(COUNT(*)), COUNT(*) * COUNT(cost), 100 * AVG(cost) + 1, "
                + "MEDIAN(cost), CLAMP(COUNT(*), 0, 50), COUNT(*) / 4, -COUNT(*), STDDEV(cost) * 2 FROM visits")
        let forms = plan.output.items.map { item -> Bool in
            guard case .scalar(_, let form) = item else { return false }
            return form != .none
        }
        #expect(forms == [true, true, false, false, true, true, true, true, true, true])
        var random = SeededGenerator(seed: 3)
        let table = try SampleRows.table(Fixtures.visits, MeasurementTests.people)
        let row = plan.measure(.table(table), lookups: [], using: &random).answer.rows[0]
        for cell in row {
            guard let lower = cell.lower, let upper = cell.upper, let value = cell.value.number else { continue }
            #expect(lower <= value && value <= upper)
        }
    }

    @Test("The plan says the half-width that the answer has")
    func expected() throws {
        let plan = try Fixtures.plan("SELECT plan, COUNT(*), SUM(visits) * 2 FROM visits GROUP BY plan")
        var random = SeededGenerator(seed: 4)
        let table = try SampleRows.table(Fixtures.visits, MeasurementTests.people)
        for row in plan.measure(.table(table), lookups: [], using: &random).answer.rows {
            for column in 1...2 {
                let width = try #require(row[column].upper) - (try #require(row[column].lower))
                let expected = try #require(plan.columns[column].expectedError)
                #expect(abs(width / 2 - expected) < 1e-6 * expected)
            }
        }
    }
}
