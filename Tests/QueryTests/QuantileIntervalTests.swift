import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

@Suite("A quantile has an interval in values")
struct QuantileIntervalTests {
    /// 95 % falls below 92.4 % in 600 cells with a probability of 4e-3, but the offset is a worst case: it is not reached.
    @Test("It holds the quantile in 95 % of answers: few rows and many, ties, and both ends of the bounds")
    func coverage() throws {
        let columns = "MEDIAN(cost), QUANTILE(age, 0.9), MIN(visits), MAX(cost), MEDIAN(day)"
        for (budget, regime) in [(Budget.epsilon(1), Fixtures.zCDP), (.epsilon(2), Fixtures.pure)] {
            let plan = try Fixtures.plan("SELECT plan, \(columns) FROM visits GROUP BY plan", budget, regime: regime)
            for people in [1, 10, 300] {
                let rows = rows(people)
                let table = try SampleRows.table(Fixtures.visits, rows)
                let exact = try truth(rows.prefix(people))
                var random = SeededGenerator(seed: UInt64(people))
                var covered = [Int](repeating: 0, count: 5)
                for _ in 0..<150 {
                    for row in plan.measure(.table(table), lookups: [], using: &random).answer.rows {
                        for (column, range) in exact.enumerated() {
                            let cell = row[column + 1]
                            let (lower, upper) = (try #require(cell.lower), try #require(cell.upper))
                            if let value = cell.value.number { #expect(lower <= value && value <= upper) }
                            if lower <= range.lower && range.upper <= upper { covered[column] += 1 }
                        }
                    }
                }
                for rate in covered.map({ Double($0) / 600 }) { #expect(rate >= 0.95, "\(people): \(covered)") }
            }
        }
    }

    /// The same values in each of the four groups.
    private func rows(_ people: Int) -> [[Value]] {
        var rows: [[Value]] = []
        for (group, name) in ["free", "25 %", "50 %", "95 %"].enumerated() {
            for place in 0..<people {
                let cost = place % 3 == 0 ? 0 : Double(place * 37 % 1_001)
                rows.append(
                    MeasurementTests.row(
                        group * people + place, plan: name, age: Int64(place * 7 % 100), cost: .real(cost),
                        visits: Int64(place % 2) * 50, day: Int64(place * 101 % 1_096)))
            }
        }
        return rows
    }

    /// The least and the largest value that are the quantiles of these rows.
    private func truth(_ rows: ArraySlice<[Value]>) throws -> [(lower: Double, upper: Double)] {
        [(3, 0.5), (2, 0.9), (4, 0.005), (3, 0.995), (7, 0.5)].map { column, rank in
            let values = rows.compactMap { row -> Double? in
                if case .date(let day) = row[column] { return Double(day) }
                return row[column].number
            }.sorted()
            let target = rank * Double(values.count)
            let isQuantile = { (value: Double) in
                Double(values.count { $0 < value }) <= target && target <= Double(values.count { $0 <= value })
            }
            let found = values.filter(isQuantile)
            return (found.min() ?? 0, found.max() ?? 0)
        }
    }

    @Test("In a group that is too small for its ranks the ends are the bounds")
    func small() throws {
        let answer = try MeasurementTests.ask(
            "SELECT MEDIAN(cost), MEDIAN(day), MIN(age) FROM visits", [MeasurementTests.row(1)], .rho(0.01))
        let ends = answer.rows[0].map { [$0.lower ?? .nan, $0.upper ?? .nan] }
        #expect(ends == [[0, 1_000], [0, 1_095], [0, 99]])
    }

    @Test("A value between two points of the grid is within the interval: half a step is added")
    func betweenPoints() throws {
        // No resolution is declared: a thousand steps of 0.02, and every value is 3.009.
        let rows = (0..<400).map { MeasurementTests.row($0, number: .real(3.009)) }
        let answer = try MeasurementTests.ask(
            "SELECT MEDIAN(CLAMP(free_number, -10, 10)) FROM visits", rows, .rho(50))
        let cell = answer.rows[0][0]
        let (lower, upper) = (try #require(cell.lower), try #require(cell.upper))
        #expect(lower <= 3.009 && 3.009 <= upper && upper - lower < 0.03)
    }

    @Test("A function that does not decrease carries the interval along")
    func carried() throws {
        let plan = try Fixtures.plan("SELECT MEDIAN(cost), 2 * MEDIAN(cost) + 1, -MEDIAN(cost) FROM visits")
        let grid = try #require(plan.output.channels[0].quantile)
        let post = PostProcessing(output: plan.output, columns: plan.columns, notes: [])
        let row = post.answer(
            NoisyGroups(keys: [[]], counts: [[]], picks: [[QuantilePick(point: 40, lower: 30, upper: 55)]])
        ).rows[0]
        #expect(grid.step == 1 && row[0].value == .real(40) && row[0].lower == 30 && row[0].upper == 55)
        #expect(row[1].lower == 61 && row[1].upper == 111 && row[2].lower == nil)
        // A choice outside its own brackets is not left out.
        let beyond = post.answer(
            NoisyGroups(keys: [[]], counts: [[]], picks: [[QuantilePick(point: 60, lower: 30, upper: 55)]])
        ).rows[0]
        #expect(beyond[0].upper == 60)
        // Brackets that crossed are no interval of a single point.
        let crossed = post.answer(
            NoisyGroups(keys: [[]], counts: [[]], picks: [[QuantilePick(point: 40, lower: 55, upper: 30)]])
        ).rows[0]
        #expect(crossed[0].lower == 30 && crossed[0].upper == 55)
    }
}
