import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

@Suite("Hazard ratios, simulated")
struct HazardSimulations {
    /// Studies whose hazard is exp(b x) times a baseline that rises or is constant.
    struct Law: Sendable {
        var name: String
        var covariates: [HazardCovariate]
        var bins: Int
        /// One for each coefficient, in its own unit.
        var coefficients: [Double]
        var mean = 0.8
        var censoredUpTo = 1.5
        /// Of a Weibull law; 1 is a constant hazard.
        var shape = 1.0

        func row(_ draws: inout Simulation.Draws) -> HazardRow {
            var values: [Double] = []
            var eta = 0.0
            var next = 0
            for covariate in covariates {
                switch covariate {
                case .levels(let count):
                    let level = min(Int(draws.uniform() * Double(count)), count - 1)
                    values.append(Double(level))
                    if level > 0 { eta += coefficients[next + level - 1] }
                    next += count - 1
                case .number(let bins):
                    let value = bins.lower + (bins.upper - bins.lower) * draws.uniform()
                    values.append(value)
                    eta += coefficients[next] * value
                    next += 1
                }
            }
            let event = mean * pow(draws.exponential() / exp(eta), 1 / shape)
            let censored = censoredUpTo * draws.uniform()
            return HazardRow(covariates: values, time: min(event, censored), isEvent: event <= censored)
        }
    }

    static func laws() throws -> [Law] {
        let age = try EqualBins(lower: 20, upper: 80, count: 6)
        let score = try EqualBins(lower: 0, upper: 1, count: 5)
        return [
            Law(name: "two arms", covariates: [.levels(2)], bins: 6, coefficients: [0.5]),
            Law(name: "two arms, no effect", covariates: [.levels(2)], bins: 20, coefficients: [0], shape: 1.5),
            Law(name: "arm and sex", covariates: [.levels(2), .levels(2)], bins: 6, coefficients: [0.7, -0.3]),
            Law(name: "four stages", covariates: [.levels(4)], bins: 10, coefficients: [0.3, 0.6, 1.2], shape: 1.5),
            Law(
                name: "arm and age", covariates: [.levels(2), .number(age)], bins: 6, coefficients: [0.5, 0.02],
                mean: 2),
            Law(
                name: "arm, age and score", covariates: [.levels(2), .number(age), .number(score)], bins: 5,
                coefficients: [0.5, 0.02, -0.8], mean: 2),
        ]
    }

    struct Outcome {
        var covered: [Int] = []
        var intervals = 0
        var squaredErrors: [Double] = []
        var claimed: [Double] = []
    }

    static func ratios(_ law: Law, rows: Int, loss: PrivacyLoss, seeds: Int) throws -> Outcome {
        let bins = try EqualBins(lower: 0, upper: 1, count: law.bins)
        let task = try HazardTask(covariates: law.covariates, edges: (0...law.bins).map(bins.edge))
        let study = try PrivateHazards(task, loss: loss)
        let size = law.coefficients.count
        var outcome = Outcome(
            covered: Array(repeating: 0, count: size), squaredErrors: Array(repeating: 0, count: size),
            claimed: Array(repeating: 0, count: size))
        for seed in 0..<seeds {
            var draws = Simulation.Draws(seed: UInt64(seed) &* 65_537 &+ 5)
            let sample = (0..<rows).map { _ in law.row(&draws) }
            guard let ratios = try study.release(sample, using: &draws.generator).ratios() else { continue }
            guard ratios.allSatisfy({ $0.interval != nil }) else { continue }
            outcome.intervals += 1
            for (index, found) in ratios.enumerated() {
                guard let interval = found.interval else { continue }
                let truth = law.coefficients[index]
                if interval.lower <= exp(truth) && exp(truth) <= interval.upper { outcome.covered[index] += 1 }
                outcome.squaredErrors[index] += (found.coefficient - truth) * (found.coefficient - truth)
                outcome.claimed[index] +=
                    found.samplingDeviation * found.samplingDeviation + found.noiseDeviation * found.noiseDeviation
            }
        }
        return outcome
    }

    @Test("Coverage of hazard ratios over laws, sizes and losses", .enabled(if: Simulation.isDeep))
    func deepRatios() throws {
        for law in try Self.laws() {
            for (rows, epsilon) in [(10_000, 1.0), (10_000, 0.1), (2000, 1), (2000, 0.3), (400, 10), (400, 1)] {
                let seeds = rows > 5000 ? 500 : 2000
                let outcome = try Self.ratios(
                    law, rows: rows, loss: PrivacyLoss(roundingUpEpsilon: epsilon), seeds: seeds)
                let n = Double(max(1, outcome.intervals))
                Simulation.report(
                    "hazard-ratios",
                    [
                        ("law", law.name), ("rows", rows), ("epsilon", epsilon),
                        ("no_interval", 1 - Double(outcome.intervals) / Double(seeds)),
                        ("least_coverage", Double(outcome.covered.min() ?? 0) / n),
                        ("coverage", Double(outcome.covered.reduce(0, +)) / n / Double(outcome.covered.count)),
                        ("error", (outcome.squaredErrors[0] / n).squareRoot()),
                        ("claimed_error", (outcome.claimed[0] / n).squareRoot()),
                    ])
            }
        }
    }
}
