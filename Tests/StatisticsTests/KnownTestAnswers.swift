import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

/// Without noise, tests are the ones of the books; p-values by scipy 1.17.1 (ttest_ind, f_oneway, chi2_contingency).
@Suite("Tests of means and tables")
struct KnownTestAnswers {
    /// Values of two decimals lie on a grid of hundredths that is not a power of two: bounds are chosen so that
    /// rounding is below a thousandth.
    private static func means(_ groups: [[Double]], lower: Double, upper: Double) throws -> NoisyMeans {
        let task = try MeansTask(grid: ValueGrid(lower: lower, upper: upper), groups: groups.count)
        let rows = groups.enumerated().flatMap { group, values in values.map { GroupedValue(group: group, value: $0) } }
        return try task.estimate(task.sums(rows), noise: noNoise())
    }

    @Test("Welch's test of two samples of different variances")
    func welch() throws {
        let first = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]
        let second = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 26.3]
        let found = try #require(try Self.means([first, second], lower: 16, upper: 32).difference(0, 1))
        #expect(abs(found.test.statistic - 2.9368) < 0.005 && abs(found.test.pValue - 0.0065677) < 1e-4)
        #expect(abs(found.test.degreesOfFreedom[0] - 27.9702) < 0.01 && found.noiseDeviation == 0)
        // The interval and the test are one: its end at that confidence is no difference.
        let confidence = 1 - found.test.pValue
        let edge = try #require(
            try Self.means([first, second], lower: 16, upper: 32).difference(0, 1, confidence: confidence))
        #expect(abs(edge.interval.lower) < 1e-6)
    }

    @Test("The analysis of variance of plant growth (Dobson 1983)")
    func varianceAnalysis() throws {
        let groups = [
            [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14],
            [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69],
            [6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26],
        ]
        let noisy = try Self.means(groups, lower: 3, upper: 7)
        let test = try #require(noisy.varianceAnalysis())
        #expect(abs(test.statistic - 4.8461) < 0.01 && abs(test.pValue - 0.01591) < 2e-4)
        #expect(test.degreesOfFreedom.count == 2 && test.degreesOfFreedom[0] == 2)
        #expect(abs(try #require(noisy.mean(group: 0)) - 5.032) < 1e-3)
        #expect(abs(try #require(noisy.variance(group: 2)) - 0.19587) < 2e-3)
    }

    @Test("The chi-square test of party by gender (Agresti 2007, table 2.5)")
    func independence() throws {
        let task = try TableTask(rows: 2, columns: 3)
        let test = try #require(try task.estimate([762, 327, 468, 484, 239, 477], noise: noNoise()).independence())
        #expect(abs(test.statistic - 30.070149095754672) < 1e-9 && test.degreesOfFreedom == [2])
        #expect(abs(test.pValue - 2.9535891832117595e-07) < 1e-15)
        // Empty rows and columns are no part of a table.
        let wide = try TableTask(rows: 3, columns: 4)
            .estimate([762, 0, 327, 468, 0, 0, 0, 0, 484, 0, 239, 477], noise: noNoise())
        #expect(abs(try #require(wide.independence()).statistic - test.statistic) < 1e-9)
        #expect(try TableTask(rows: 2, columns: 2).estimate([0, 0, 5, 7], noise: noNoise()).independence() == nil)
    }

    @Test("Nonsense has no test and no interval: negative counts, empty groups, numbers at the ends of integers")
    func nonsense() throws {
        for law in [ErrorLaw.gaussian, .laplace] {
            let noise = try AddedNoise(law: law, variance: 200)
            for value: Int64 in [.min, -1_000_000, -1, 0, 1, .max] {
                let survival = try SurvivalTask(edges: [0, 1, 2, 3], groups: 2)
                let curve = try survival.estimate([Int64](repeating: value, count: survival.length), noise: noise)
                for point in try curve.curve().points {
                    if let interval = point.interval {
                        #expect(interval.lower >= 0 && interval.upper <= 1 && interval.lower <= interval.upper)
                    }
                }
                let median = try curve.curve().medianInterval
                if value <= 1 { #expect(curve.logRank() == nil && median == nil) }
                if let test = curve.logRank() { #expect(test.pValue >= 0 && test.pValue <= 1) }
                let means = try MeansTask(grid: ValueGrid(lower: -1, upper: 1), groups: 3)
                let compared = try means.estimate([Int64](repeating: value, count: 9), noise: noise)
                let difference = try compared.difference(0, 1)
                if value <= 1 { #expect(compared.varianceAnalysis() == nil && difference == nil) }
                let table = try TableTask(rows: 3, columns: 3)
                    .estimate([Int64](repeating: value, count: 9), noise: noise)
                if value <= 1 { #expect(table.independence() == nil) }
                #expect(table.interval(row: 0, column: 0).lower >= 0)
                let hazards = try HazardTask(covariates: [.levels(2)], edges: [0, 1, 2])
                let ratios = try hazards.estimate([Int64](repeating: value, count: 10), noise: noise).ratios()
                if value <= 1 { #expect(ratios == nil) }
            }
        }
    }

    @Test("The same released integers have the same p-values")
    func determinism() throws {
        let noise = try AddedNoise(law: .laplace, variance: 50)
        let table = try TableTask(rows: 2, columns: 3)
        let counts: [Int64] = [62, 27, 46, 48, 23, 47]
        let first = try #require(try table.estimate(counts, noise: noise).independence())
        #expect(try table.estimate(counts, noise: noise).independence() == first)
        #expect(first.pValue > 0 && first.pValue < 1)
    }
}

/// Laws at a few sizes, from seeds: each refusal or miss rate within 4.9 standard deviations of what it should be, a
/// false alarm in 10^6.
@Suite("Error rates")
struct ErrorRateTests {
    @Test("Kaplan-Meier of 10,000 rows: within .005 at epsilon 1 and .02 at 0.1 in 95 of 100 seeds")
    func curveErrors() throws {
        for (epsilon, bound) in [(1.0, 0.005), (0.1, 0.02)] {
            for law in StudyLaw.all.prefix(3) {
                let outcome = try SurvivalSimulations.curves(
                    law, rows: 10_000, loss: PrivacyLoss(roundingUpEpsilon: epsilon), seeds: 100)
                #expect(outcome.errors.count { $0 <= bound } >= 95, "\(law.name), \(epsilon)")
            }
        }
    }

    @Test("A curve's interval holds the population's at each bin's end in 95 % of seeds, at most 2.5 % less")
    func curveCoverage() throws {
        for (law, rows, epsilon) in [
            (StudyLaw.all[0], 1000, 0.5), (StudyLaw.all[3], 500, 1), (StudyLaw.all[4], 1000, 1),
        ] {
            let outcome = try SurvivalSimulations.curves(
                law, rows: rows, loss: PrivacyLoss(roundingUpEpsilon: epsilon), seeds: 400, bins: 10)
            // Bins of one curve are not independent: as if there were one a seed.
            let share = Double(outcome.covered) / Double(outcome.intervals)
            #expect(share > 0.925 - 4.9 * (0.05 * 0.95 / 400).squareRoot() && outcome.intervals > 1000)
            #expect(Double(outcome.medianCovered) > 400 * 0.95 - 4.9 * 4.36 || outcome.medians < 400)
        }
    }

    @Test("The log-rank test refuses 5 % of equal curves, and most of different ones")
    func logRank() throws {
        let law = StudyLaw(name: "late", mean: 0.8, censoredUpTo: 1.5)
        let loss = try PrivacyLoss(roundingUpEpsilon: 0.5)
        let null = try SurvivalSimulations.logRank([law, law], rows: [400, 400], loss: loss, seeds: 1000)
        #expect(Simulation.isShare(0.05, null.refused, of: null.tests) && null.tests > 990)
        let other = try SurvivalSimulations.logRank([law, law], rows: [400, 400], ratio: 1.6, loss: loss, seeds: 100)
        #expect(other.refused > 80)
    }

    @Test("Hazard ratios are covered in at least 93.5 % of seeds")
    func hazardRatios() throws {
        let laws = try HazardSimulations.laws()
        for (law, epsilon) in [(laws[2], 1.0), (laws[4], 0.5)] {
            let outcome = try HazardSimulations.ratios(
                law, rows: 1000, loss: PrivacyLoss(roundingUpEpsilon: epsilon), seeds: 400)
            #expect(outcome.intervals > 380)
            for covered in outcome.covered {
                #expect(
                    Double(covered) > 0.935 * Double(outcome.intervals) - 4.9
                        * (0.0608 * Double(outcome.intervals)).squareRoot())
            }
        }
    }

    @Test("Tests of means and of a table refuse 5 % where there is nothing, and most where there is")
    func testsOfNothing() throws {
        let laplace = try PrivacyLoss(roundingUpEpsilon: 1)
        let gaussian = try PrivacyLoss(roundingUpRho: 0.05)
        for loss in [laplace, gaussian] {
            var law = TestSimulations.MeansLaw(sizes: [300, 300], means: [0.5, 0.5], deviations: [1, 1])
            let welch = try TestSimulations.means(law, loss: loss, seeds: 500, isWelch: true)
            #expect(Simulation.isShare(0.05, welch.refused, of: welch.tests) && welch.tests == 500)
            let three = TestSimulations.MeansLaw(
                sizes: [300, 300, 300], means: [0.5, 0.5, 0.5], deviations: [1, 1, 1])
            let variance = try TestSimulations.means(three, loss: loss, seeds: 200, isWelch: false)
            #expect(Simulation.isShare(0.05, variance.refused, of: variance.tests) && variance.tests == 200)
            law.means[1] = 1.5
            #expect(try TestSimulations.means(law, loss: loss, seeds: 50, isWelch: true).refused > 45)
            let table = try TestSimulations.tables(
                rows: [0.5, 0.5], columns: [0.4, 0.6], count: 500, loss: loss, seeds: 300)
            #expect(Simulation.isShare(0.05, table.refused, of: table.tests) && table.tests == 300)
            let moved = try TestSimulations.tables(
                rows: [0.5, 0.5], columns: [0.4, 0.6], count: 500, moved: 0.3, loss: loss, seeds: 50)
            #expect(moved.refused > 40)
        }
    }

    @Test("A heat map's intervals hold the true counts, alone in 95 % and all together in 95 % of tables")
    func heatMap() throws {
        for loss in [try PrivacyLoss(roundingUpEpsilon: 1), try PrivacyLoss(roundingUpRho: 0.1)] {
            let study = try PrivateTable(TableTask(rows: 4, columns: 5), loss: loss)
            let truth = (0..<20).map { Int64(100 + 7 * $0) }
            var draws = Simulation.Draws(seed: 5)
            var (alone, together) = (0, 0)
            for _ in 0..<500 {
                var noisy = truth
                study.noise.add(to: &noisy, using: &draws.generator)
                let table = try study.task.estimate(noisy, noise: AddedNoise(study.noise))
                func holds(_ cell: Int, _ simultaneous: Bool) -> Bool {
                    let interval = table.interval(row: cell / 5, column: cell % 5, simultaneous: simultaneous)
                    return interval.lower <= Double(truth[cell]) && Double(truth[cell]) <= interval.upper
                }
                alone += (0..<20).count { holds($0, false) }
                if (0..<20).allSatisfy({ holds($0, true) }) { together += 1 }
            }
            #expect(alone > 9500 - 107 && together > 475 - 24)
            // Not much more than asked for, or intervals would be too wide.
            #expect(alone < 9860)
        }
    }
}
