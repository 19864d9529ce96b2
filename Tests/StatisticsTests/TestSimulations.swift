import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

@Suite("Tests of means and tables, simulated")
struct TestSimulations {
    struct Rates {
        var refused = 0
        var tests = 0
        var covered = 0
        var type: Double { Double(refused) / Double(max(1, tests)) }
        var coverage: Double { Double(covered) / Double(max(1, tests)) }
    }

    /// Normal values in [-4, 4] about a group's mean, with a group's deviation.
    struct MeansLaw: Sendable {
        var sizes: [Int]
        var means: [Double]
        var deviations: [Double]

        func rows(_ draws: inout Simulation.Draws) -> [GroupedValue] {
            sizes.indices.flatMap { group in
                (0..<sizes[group]).map { _ in
                    GroupedValue(group: group, value: means[group] + deviations[group] * draws.normal())
                }
            }
        }
    }

    static func means(
        _ law: MeansLaw, loss: PrivacyLoss, seeds: Int, isWelch: Bool
    ) throws -> Rates {
        let grid = try ValueGrid(lower: -4, upper: 4)
        let study = try PrivateMeans(MeansTask(grid: grid, groups: law.sizes.count), loss: loss)
        var rates = Rates()
        for seed in 0..<seeds {
            var draws = Simulation.Draws(seed: UInt64(seed) &* 9_973 &+ 11)
            let noisy = try study.release(law.rows(&draws), using: &draws.generator)
            var test: HypothesisTest?
            if isWelch {
                guard let found = try noisy.difference(0, 1) else { continue }
                test = found.test
                let truth = law.means[1] - law.means[0]
                if found.interval.lower <= truth && truth <= found.interval.upper { rates.covered += 1 }
            } else {
                test = noisy.varianceAnalysis()
            }
            guard let test else { continue }
            rates.tests += 1
            if test.pValue < 0.05 { rates.refused += 1 }
        }
        return rates
    }

    static let losses: [(String, PrivacyLoss)] = {
        let pairs: [(String, PrivacyLoss?)] = [
            ("epsilon 0.1", try? PrivacyLoss(roundingUpEpsilon: 0.1)),
            ("epsilon 1", try? PrivacyLoss(roundingUpEpsilon: 1)),
            ("epsilon 10", try? PrivacyLoss(roundingUpEpsilon: 10)),
            ("rho 0.005", try? PrivacyLoss(roundingUpRho: 0.005)), ("rho 0.5", try? PrivacyLoss(roundingUpRho: 0.5)),
        ]
        return pairs.compactMap { pair in pair.1.map { (pair.0, $0) } }
    }()

    @Test("Welch's test: type I error, coverage and power", .enabled(if: Simulation.isDeep))
    func deepWelch() throws {
        // Deviations leave the bounds far: values that are clipped would have other means.
        for (sizes, deviations) in [
            ([100, 400], [0.8, 0.4]), ([2000, 3000], [0.5, 0.8]), ([30, 30], [0.8, 0.8]), ([600, 600], [0.8, 0.8]),
        ] {
            for (name, loss) in Self.losses {
                for mean in [0.0, 1.5] {
                    var law = MeansLaw(sizes: sizes, means: [mean, mean], deviations: deviations)
                    let null = try Self.means(law, loss: loss, seeds: 2000, isWelch: true)
                    law.means[1] += 0.5
                    let other = try Self.means(law, loss: loss, seeds: 1000, isWelch: true)
                    Simulation.report(
                        "welch",
                        [
                            ("rows", sizes.description), ("loss", name), ("mean", mean), ("type_one", null.type),
                            ("coverage", null.coverage), ("no_test", 1 - Double(null.tests) / 2000),
                            ("power_at_half", other.type),
                        ])
                }
            }
        }
    }

    @Test("Analysis of variance: type I error and power", .enabled(if: Simulation.isDeep))
    func deepVarianceAnalysis() throws {
        for sizes in [[30, 30, 30], [100, 200, 300], [1000, 1000, 1000]] {
            for (name, loss) in Self.losses {
                let same = sizes.map { _ in 1.0 }
                var law = MeansLaw(sizes: sizes, means: same, deviations: same)
                let null = try Self.means(law, loss: loss, seeds: 3000, isWelch: false)
                law.means[0] = 1.4
                let other = try Self.means(law, loss: loss, seeds: 200, isWelch: false)
                Simulation.report(
                    "variance-analysis",
                    [
                        ("rows", sizes.description), ("loss", name), ("type_one", null.type),
                        ("no_test", 1 - Double(null.tests) / 3000), ("power", other.type),
                    ])
            }
        }
    }

    /// Tables with given shares of rows and columns, and so much of the rows moved to the diagonal.
    static func tables(
        rows: [Double], columns: [Double], count: Int, moved: Double = 0, loss: PrivacyLoss, seeds: Int
    ) throws -> Rates {
        let study = try PrivateTable(TableTask(rows: rows.count, columns: columns.count), loss: loss)
        var rates = Rates()
        for seed in 0..<seeds {
            var draws = Simulation.Draws(seed: UInt64(seed) &* 12_289 &+ 17)
            let cells = (0..<count).map { _ in
                let row = Self.pick(rows, draws.uniform())
                let isMoved = draws.uniform() < moved && row < columns.count
                return TableCell(row: row, column: isMoved ? row : Self.pick(columns, draws.uniform()))
            }
            guard let test = try study.release(cells, using: &draws.generator).independence() else { continue }
            rates.tests += 1
            if test.pValue < 0.05 { rates.refused += 1 }
        }
        return rates
    }

    private static func pick(_ shares: [Double], _ u: Double) -> Int {
        var rest = u
        for (index, share) in shares.enumerated() {
            rest -= share
            if rest < 0 { return index }
        }
        return shares.count - 1
    }

    @Test("Chi-square: type I error and power", .enabled(if: Simulation.isDeep))
    func deepTables() throws {
        for (rows, columns) in [
            ([0.5, 0.5], [0.5, 0.5]), ([0.9, 0.1], [0.8, 0.2]), ([0.5, 0.3, 0.2], [0.4, 0.3, 0.2, 0.1]),
        ] {
            for count in [200, 1000, 10_000] {
                for (name, loss) in Self.losses {
                    let seeds = count > 5000 ? 1000 : 2000
                    let null = try Self.tables(rows: rows, columns: columns, count: count, loss: loss, seeds: seeds)
                    let other = try Self.tables(
                        rows: rows, columns: columns, count: count, moved: 0.1, loss: loss, seeds: 200)
                    Simulation.report(
                        "independence",
                        [
                            ("cells", "\(rows) x \(columns)"), ("rows", count), ("loss", name), ("type_one", null.type),
                            ("no_test", 1 - Double(null.tests) / Double(seeds)), ("power", other.type),
                        ])
                }
            }
        }
    }
}
