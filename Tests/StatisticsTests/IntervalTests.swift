import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

/// A few hundred seeds of what ``CoverageTests`` does at length. Seeds are fixed; with fresh ones a right implementation, of 95 %
/// coverage, fails a bound of 5 deviations with a probability below 1e-6 each.
@Suite("Intervals of regressions and surveys")
struct StatisticsIntervalTests {
    private let seeds = 200

    /// 5 deviations below 95 % of so many draws.
    private func least(_ draws: Int) -> Double {
        0.95 * Double(draws) - 5 * (0.95 * 0.05 * Double(draws)).squareRoot()
    }

    @Test(
        "Intervals hold the population's coefficients, and are no wider than noise and sampling make them",
        arguments: ["linear", "logistic", "poisson", "logistic-table"])
    func regressions(_ name: String) throws {
        let isTable = name.hasSuffix("table")
        let numbers: [Predictor] = [.numeric(lower: 0, upper: 10), .numeric(lower: -3, upper: 3)]
        let pairs: [Predictor] = [.category(levels: 2), .category(levels: 2)]
        let design = try RegressionDesign((isTable ? pairs : numbers) + [.category(levels: 3)])
        let truth: [Double]
        let family: RegressionFamily
        switch name {
        case "linear": (truth, family) = ([1, 0.5, -1, 0.5, 1], .linear(lower: -10, upper: 20))
        case "poisson": (truth, family) = ([0.2, 0.08, 0.2, 0.3, -0.2], .poisson(largest: 30))
        default: (truth, family) = ([-1, 0.15, 0.5, 0.3, -0.5], .logistic)
        }
        let model = try PrivateGLM(design, family: family, loss: try CoverageTests.loss("zcdp", 4))
        var covered = [Int](repeating: 0, count: 5)
        var given = 0
        var errors = [Double](repeating: 0, count: 5)
        var squares = [Double](repeating: 0, count: 5)
        for seed in 0..<seeds {
            var random = PopulationGenerator(seed: UInt64(seed) + 5000)
            var noise = SeededGenerator(key: (UInt64(seed), 17, 0, 0))
            let rows = CoverageTests.rows(5000, family: name, truth, &random)
            let answer = try model.release(units: rows, using: &noise)
            guard answer.withheld == nil else { continue }
            given += 1
            for (k, coefficient) in answer.coefficients.enumerated() {
                let interval = try #require(coefficient.interval())
                covered[k] += interval.lower <= truth[k] && truth[k] <= interval.upper ? 1 : 0
                errors[k] += try #require(coefficient.standardError)
                let error = coefficient.estimate - truth[k]
                squares[k] += error * error
            }
        }
        #expect(given >= seeds * 9 / 10)
        for k in covered.indices {
            #expect(Double(covered[k]) >= least(given))
            // The root of a mean of 200 squares is within 5 % of its expectation as one deviation: 25 % is five.
            let root = (squares[k] / Double(given)).squareRoot()
            #expect(errors[k] / Double(given) < 1.25 * root && errors[k] / Double(given) > 0.75 * root)
        }
    }

    @Test("Design-based intervals hold the mean of a population of strata and clusters")
    func surveys() throws {
        let population = SurveyCoverageTests.Population()
        let survey = try PrivateSurveyEstimate(
            strata: [Stratum](repeating: Stratum(primaryUnits: 8), count: 10), quantity: .mean(lower: 0, upper: 100),
            largestWeight: 400 / 8 * 300 / 40, loss: try PrivacyLoss(roundingDownEpsilon: 2))
        var (covered, given) = (0, 0)
        for seed in 0..<seeds {
            var random = PopulationGenerator(seed: UInt64(seed) + 6000)
            var noise = SeededGenerator(key: (UInt64(seed), 19, 0, 0))
            let answer = try survey.release(population.sample(8, 40, &random), using: &noise)
            guard let interval = answer.interval() else { continue }
            given += 1
            covered += interval.lower <= population.mean && population.mean <= interval.upper ? 1 : 0
        }
        #expect(given >= seeds * 9 / 10 && Double(covered) >= least(given))
    }
}
