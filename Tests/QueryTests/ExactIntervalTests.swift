import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Tables
import Testing

@testable import Query

/// The intervals of means and variances again, from the definition: the ends are where the test that
/// `numerator - r denominator` has mean zero is just not rejected, found by halving, for independent noises on sums around
/// the middle of the bounds.
@Suite("Intervals of means and variances are exact")
struct ExactIntervalTests {
    /// A noise law by its own definition: the parameter that is as wide as its exact quantile, and the test.
    private struct Noise {
        var parameters: [Double]
        var isLaplace: Bool
        var quantile: Double
        var probability: Double

        init(_ plan: Plan) throws {
            let (quantile, probability) = (1.959963984540054, 0.05)
            (self.quantile, self.probability) = (quantile, probability)
            var isLaplace = false
            parameters = try plan.output.channels.map { channel in
                switch channel.noise {
                case .gaussian(let sigma), .share(let sigma, _):
                    let half = Double(try DiscreteGaussian(sigma: sigma).halfWidth(confidence: 1 - probability))
                    return max(sigma, half / quantile) * channel.unit
                case .laplace(let scale):
                    isLaplace = true
                    let half = Double(try DiscreteLaplace(scale: scale).halfWidth(confidence: 1 - probability))
                    return max(scale, half / -log(probability)) * channel.unit
                case .none: return 0
                }
            }
            self.isLaplace = isLaplace
        }

        /// Whether a deviation of a sum of independent noises of these parameters, all different, is no surprise.
        func accepts(_ deviation: Double, _ sum: [Double]) -> Bool {
            guard isLaplace else { return abs(deviation) <= quantile * sum.reduce(0) { $0 + $1 * $1 }.squareRoot() }
            let scales = sum.filter { $0 > 0 }
            let tail = scales.reduce(0) { total, scale in
                let weight = scales.filter { $0 != scale }.reduce(1.0) {
                    $0 * scale * scale / (scale * scale - $1 * $1)
                }
                return total + weight * exp(-abs(deviation) / scale)
            }
            return tail > probability
        }

        /// Where the test is just not rejected, from `middle` on.
        func ends(around middle: Double, _ isInside: (Double) -> Bool) -> (lower: Double, upper: Double) {
            func end(_ direction: Double) -> Double {
                var (inside, outside) = (0.0, direction * abs(middle) + direction)
                while isInside(middle + outside) { outside *= 2 }
                for _ in 0..<100 {
                    let half = (inside + outside) / 2
                    if isInside(middle + half) { inside = half } else { outside = half }
                }
                return middle + outside
            }
            return (end(-1), end(1))
        }

        /// The ends of the ratio of channel `numerator` to channel 0, with their noisy values.
        func ratio(_ value: Double, _ numerator: Int, over count: Double) -> (lower: Double, upper: Double) {
            ends(around: value / count) {
                accepts(value - $0 * count, [parameters[numerator], abs($0) * parameters[0]])
            }
        }

        /// The ends of the variance of channels 1 (sum) and 2 (squares) over channel 0.
        func variance(_ sum: Double, _ squares: Double, over count: Double) -> (lower: Double, upper: Double) {
            let mean = sum / count
            return ends(around: squares / count - mean * mean) { v in
                accepts(
                    squares - sum * mean - v * count,
                    [parameters[2], 2 * abs(mean) * parameters[1], abs(mean * mean - v) * parameters[0]])
            }
        }
    }

    private func cells(_ plan: Plan, _ counts: [Int64]) -> [AnswerCell] {
        let noisy = NoisyGroups(keys: [[]], counts: counts.map { [$0] }, picks: counts.map { _ in [] })
        return PostProcessing(output: plan.output, columns: plan.columns, notes: []).answer(noisy).rows[0]
    }

    private func expect(_ cell: AnswerCell, _ lower: Double, _ upper: Double, _ comment: Comment) throws {
        let width = upper - lower
        #expect(abs(try #require(cell.lower) - lower) < 1e-6 * width, comment)
        #expect(abs(try #require(cell.upper) - upper) < 1e-6 * width, comment)
    }

    static let regimes: [(Budget, LossRegime)] = [
        (.rho(0.02), Fixtures.zCDP), (.epsilon(0.2), Fixtures.pure),
    ]

    @Test("AVG with bounds far from zero: the middle, the shift and both ends", arguments: 0..<2)
    func mean(_ index: Int) throws {
        let (budget, regime) = Self.regimes[index]
        for (expression, lower, upper) in [("visits + 1000", 1_000.0, 1_050.0), ("CLAMP(age, 10, 50) - 90", -80, -40)] {
            let plan = try Fixtures.plan("SELECT AVG(\(expression)) FROM visits", budget, regime: regime)
            let centre = try #require(plan.output.channels[1].grid?.center)
            let unit = plan.output.channels[1].unit
            #expect(abs(centre - (lower + upper) / 2) <= 1)
            let noise = try Noise(plan)
            for (count, sum) in [(1_000, -4_000), (1_000, 4_000), (300, 50), (5_000, -60_000)] as [(Int64, Int64)] {
                let value = Double(sum) * unit
                let ends = noise.ratio(value, 1, over: Double(count))
                let cell = cells(plan, [count, sum])[0]
                #expect(abs((cell.value.number ?? .nan) - centre - value / Double(count)) < 1e-9)
                try expect(
                    cell, max(lower, centre + ends.lower), min(upper, centre + ends.upper),
                    "\(expression) \(count) \(sum)")
            }
        }
    }

    @Test(
        "VARIANCE and STDDEV: where the test of squares - sum^2 / count - v count is just not rejected",
        arguments: 0..<2)
    func variance(_ index: Int) throws {
        let (budget, regime) = Self.regimes[index]
        let plan = try Fixtures.plan("SELECT VARIANCE(visits), STDDEV(visits) FROM visits", budget, regime: regime)
        let unit = (plan.output.channels[1].unit, plan.output.channels[2].unit)
        let noise = try Noise(plan)
        // Means below, above and about the middle.
        for (count, mean, second) in [(20_000, -9.0, 300.0), (20_000, 9, 300), (20_000, 0, 200), (9_000, 5, 150)] {
            let sum = Int64((mean * Double(count) / unit.0).rounded())
            let squares = Int64((second * Double(count) / unit.1).rounded())
            let ends = noise.variance(Double(sum) * unit.0, Double(squares) * unit.1, over: Double(count))
            let (lower, upper) = (max(0, ends.lower), min(625, ends.upper))
            let row = cells(plan, [Int64(count), sum, squares])
            try expect(row[0], lower, upper, "\(mean)")
            try expect(row[1], lower.squareRoot(), upper.squareRoot(), "\(mean)")
        }
    }
}

@Suite("HAVING and ORDER BY, on numbers that are given")
struct PostProcessingTests {
    /// The keys that are left, in their order, of groups "free", "25 %", "50 %", "95 %" with these noisy counts and sums.
    private func keys(_ clauses: String, counts: [Int64], sums: [Int64]) throws -> [String] {
        let plan = try Fixtures.plan(
            "SELECT plan, COUNT(*) AS n, AVG(visits) AS mean FROM visits GROUP BY plan \(clauses)")
        let names = ["free", "25 %", "50 %", "95 %"]
        let noisy = NoisyGroups(
            keys: names.map { [.text($0)] }, counts: [counts, sums], picks: [[], []])
        return PostProcessing(output: plan.output, columns: plan.columns, notes: []).answer(noisy).rows.map {
            if case .text(let name) = $0[0].value { name } else { "" }
        }
    }

    @Test("HAVING keeps a group whose condition is true: one that is null is left out, and so is its negation")
    func having() throws {
        // The second group's noisy count is not positive: its mean is null.
        let (counts, sums) = ([10, -3, 10, 10] as [Int64], [-100, 40, 100, 0] as [Int64])
        #expect(try keys("HAVING mean > 20", counts: counts, sums: sums) == ["50 %", "95 %"])
        #expect(try keys("HAVING NOT (mean > 20)", counts: counts, sums: sums) == ["free"])
        #expect(try keys("HAVING mean IS NULL", counts: counts, sums: sums) == ["25 %"])
        #expect(try keys("HAVING mean > 20 OR n < 0", counts: counts, sums: sums) == ["25 %", "50 %", "95 %"])
        #expect(try keys("HAVING mean > 20 AND NULL", counts: counts, sums: sums) == [])
    }

    @Test("A mean is moved into the bounds of what is averaged, at both ends, and its interval holds it")
    func means() throws {
        let plan = try Fixtures.plan("SELECT plan, AVG(visits) FROM visits GROUP BY plan")
        // Of 10 values each, from 0 to 50; sums are around 25.
        let noisy = NoisyGroups(
            keys: ["a", "b", "c", "d"].map { [.text($0)] }, counts: [[10, 10, 10, 10], [-1_000, 1_000, 0, -240]],
            picks: [[], []])
        let cells = PostProcessing(output: plan.output, columns: plan.columns, notes: []).answer(noisy).rows.map {
            $0[1]
        }
        #expect(cells.map(\.value) == [.real(0), .real(50), .real(25), .real(1)])
        for cell in cells {
            let value = try #require(cell.value.number)
            #expect(try #require(cell.lower) <= value && value <= (try #require(cell.upper)))
        }
    }

    @Test("A ratio has no bounds where its denominator may be zero, under either noise")
    func unboundedRatios() throws {
        for (budget, regime) in [(Budget.rho(0.1), Fixtures.zCDP), (.epsilon(1), Fixtures.pure)] {
            let plan = try Fixtures.plan("SELECT AVG(visits) FROM visits", budget, regime: regime)
            let model = ErrorModel(plan.output.channels.map(\.error))
            guard case .mean(let sum, let count, _, _) = plan.output.forms[0] else {
                Issue.record("no mean")
                return
            }
            let half = model.halfWidth(count)
            #expect(half > 1)
            for factor in [1, 0.99, 0.5, -0.5, -1] {
                let interval = model.ratio(
                    LinearEstimate(form: sum, value: 3), to: LinearEstimate(form: count, value: half * factor))
                #expect(interval == .unbounded, "\(factor)")
            }
            for factor in [1.5, 10, -1.5] {
                let interval = model.ratio(
                    LinearEstimate(form: sum, value: 3), to: LinearEstimate(form: count, value: half * factor))
                #expect(interval.lower.isFinite && interval.upper.isFinite, "\(factor)")
            }
        }
    }

    @Test("Groups that compare equal stay in the order of their keys, whichever the direction; the next key decides")
    func ties() throws {
        let (counts, sums) = ([5, 9, 5, 9] as [Int64], [0, 0, 0, 0] as [Int64])
        #expect(try keys("ORDER BY n", counts: counts, sums: sums) == ["free", "50 %", "25 %", "95 %"])
        #expect(try keys("ORDER BY n DESC", counts: counts, sums: sums) == ["25 %", "95 %", "free", "50 %"])
        #expect(try keys("ORDER BY mean DESC", counts: counts, sums: sums) == ["free", "25 %", "50 %", "95 %"])
        // Texts by their scalars: "25 %", "50 %", "95 %", "free".
        #expect(try keys("ORDER BY n, plan DESC", counts: counts, sums: sums) == ["free", "50 %", "95 %", "25 %"])
        #expect(try keys("ORDER BY n DESC LIMIT 2 OFFSET 1", counts: counts, sums: sums) == ["95 %", "free"])
    }

    @Test("Nulls stand where NULLS FIRST and NULLS LAST put them, whichever the direction")
    func nulls() throws {
        let (counts, sums) = ([10, -3, 10, 10] as [Int64], [-100, 40, 100, 0] as [Int64])
        for (clause, place) in [
            ("mean NULLS LAST", 3), ("mean DESC NULLS LAST", 3), ("mean NULLS FIRST", 0), ("mean DESC NULLS FIRST", 0),
        ] {
            #expect(
                try keys("ORDER BY \(clause)", counts: counts, sums: sums).firstIndex(of: "25 %") == place, "\(clause)")
        }
    }
}
