import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

/// What the slow statistics share. `PARLEY_AUDIT=deep` runs them (`swift test --filter Simulations`, some minutes each); they
/// print lines of JSON with a `bench` name.
enum Simulation {
    static let isDeep = ProcessInfo.processInfo.environment["PARLEY_AUDIT"] == "deep"

    /// Draws for made-up rows.
    struct Draws {
        var generator: SeededGenerator
        init(seed: UInt64) { generator = SeededGenerator(seed: seed) }
        mutating func uniform() -> Double { (Double(generator.next() >> 11) + 0.5) * 0x1p-53 }
        mutating func exponential() -> Double { -log(uniform()) }
        mutating func normal() -> Double { (2 * exponential()).squareRoot() * cos(2 * Double.pi * uniform()) }
    }

    static func report(_ bench: String, _ fields: [(String, any CustomStringConvertible)]) {
        let text = fields.map { name, value in
            let isText = value is String
            let written = (value as? Double).map { String(format: "%.4g", $0) } ?? value.description
            return "\"\(name)\": " + (isText ? "\"\(written)\"" : written)
        }
        print("{\"bench\": \"\(bench)\", " + text.joined(separator: ", ") + "}")
        fflush(nil)
    }

    /// Whether so many of so many are within 4.9 standard deviations (a false alarm in 10^6) of a share.
    static func isShare(_ share: Double, _ count: Int, of trials: Int) -> Bool {
        let n = Double(trials)
        return abs(Double(count) - n * share) <= 4.9 * (n * share * (1 - share)).squareRoot() + 0.5
    }
}

/// Rows of survival studies whose law is known: times have an exponential law, and so many are censored.
struct StudyLaw: Sendable {
    var name: String
    /// The mean time to the event, of the unit of observation.
    var mean: Double
    /// The time at which a row is censored: uniform up to this, or beyond the end of observation.
    var censoredUpTo: Double?

    static let all = [
        StudyLaw(name: "end of study", mean: 0.8), StudyLaw(name: "no censoring", mean: 0.25),
        StudyLaw(name: "rare events", mean: 10), StudyLaw(name: "a third censored", mean: 0.4, censoredUpTo: 1.2),
        StudyLaw(name: "two thirds censored", mean: 1, censoredUpTo: 1.2),
        StudyLaw(name: "four fifths censored", mean: 2, censoredUpTo: 1.05),
    ]

    func survival(_ time: Double) -> Double { exp(-time / mean) }

    func row(group: Int = 0, ratio: Double = 1, _ draws: inout Simulation.Draws) -> SurvivalRow {
        let event = draws.exponential() * mean / ratio
        let censored = censoredUpTo.map { $0 * draws.uniform() } ?? .infinity
        return SurvivalRow(group: group, time: min(event, censored, 2), isEvent: event <= censored && event <= 2)
    }
}

@Suite("Survival, simulated")
struct SurvivalSimulations {
    struct Outcome {
        /// The largest distance to the curve without noise, per seed.
        var errors: [Double] = []
        var covered = 0
        var noIntervals = 0
        var intervals = 0
        var medianCovered = 0
        var medians = 0
    }

    /// Curves of many seeds: their distance from the curve without noise while 5 % are at risk, and how often
    /// intervals hold the population's.
    static func curves(_ law: StudyLaw, rows: Int, loss: PrivacyLoss, seeds: Int, bins: Int = 20) throws -> Outcome {
        let task = try SurvivalTask(bins: EqualBins(lower: 0, upper: 1, count: bins))
        let study = try PrivateSurvival(task, loss: loss)
        var outcome = Outcome()
        for seed in 0..<seeds {
            var draws = Simulation.Draws(seed: UInt64(seed) &* 7919 &+ 1)
            let sample = (0..<rows).map { _ in law.row(&draws) }
            let exact = try task.estimate(task.counts(sample), noise: noNoise()).curve()
            let noisy = try study.release(sample, using: &draws.generator).curve()
            var largest = 0.0
            for (e, n) in zip(exact.points, noisy.points) where e.atRisk >= 0.05 * Double(rows) {
                largest = max(largest, abs((e.survival ?? 0) - (n.survival ?? 0)))
            }
            outcome.errors.append(largest)
            for point in noisy.points {
                guard let interval = point.interval else {
                    outcome.noIntervals += 1
                    continue
                }
                outcome.intervals += 1
                let truth = law.survival(point.end)
                if interval.lower <= truth && truth <= interval.upper { outcome.covered += 1 }
            }
            if let interval = noisy.medianInterval {
                outcome.medians += 1
                let median = law.mean * log(2.0)
                if interval.lower <= median && median <= interval.upper || median > 1 && interval.upper == .infinity {
                    outcome.medianCovered += 1
                }
            }
        }
        return outcome
    }

    @Test("Kaplan-Meier: error and coverage over laws, sizes and losses", .enabled(if: Simulation.isDeep))
    func deepCurves() throws {
        for law in StudyLaw.all {
            for (rows, epsilon) in [
                (10_000, 1.0), (10_000, 0.1), (1000, 1), (1000, 0.3), (200, 10), (200, 1), (50, 10),
            ] {
                let loss = try PrivacyLoss(roundingUpEpsilon: epsilon)
                let outcome = try Self.curves(law, rows: rows, loss: loss, seeds: 400)
                Simulation.report(
                    "kaplan-meier",
                    [
                        ("law", law.name), ("rows", rows), ("epsilon", epsilon),
                        ("error_95", outcome.errors.sorted()[380]),
                        ("coverage", Double(outcome.covered) / Double(outcome.intervals)),
                        ("no_interval", Double(outcome.noIntervals) / Double(outcome.intervals + outcome.noIntervals)),
                        ("median_coverage", Double(outcome.medianCovered) / Double(outcome.medians)),
                    ])
            }
        }
    }

    /// Of so many seeds, how often the log-rank test refuses at 5 %, and how often there is none.
    static func logRank(
        _ laws: [StudyLaw], rows: [Int], ratio: Double = 1, loss: PrivacyLoss, seeds: Int
    ) throws -> (refused: Int, tests: Int) {
        let task = try SurvivalTask(bins: EqualBins(lower: 0, upper: 1, count: 20), groups: rows.count)
        let study = try PrivateSurvival(task, loss: loss)
        var (refused, tests) = (0, 0)
        for seed in 0..<seeds {
            var draws = Simulation.Draws(seed: UInt64(seed) &* 104_729 &+ 3)
            var sample: [SurvivalRow] = []
            for (group, count) in rows.enumerated() {
                for _ in 0..<count {
                    sample.append(laws[group].row(group: group, ratio: group == 1 ? ratio : 1, &draws))
                }
            }
            guard let test = try study.release(sample, using: &draws.generator).logRank() else { continue }
            tests += 1
            if test.pValue < 0.05 { refused += 1 }
        }
        return (refused, tests)
    }

    @Test("Log-rank: type I error and power over sizes and losses", .enabled(if: Simulation.isDeep))
    func deepLogRank() throws {
        let early = StudyLaw(name: "early", mean: 0.8, censoredUpTo: 0.8)
        let late = StudyLaw(name: "late", mean: 0.8, censoredUpTo: 1.5)
        for (laws, rows) in [
            ([late, late], [200, 200]), ([late, late], [500, 500]), ([late, late], [5000, 5000]),
            ([late, early], [2000, 500]), ([late, late, early], [400, 400, 400]),
        ] {
            for epsilon in [0.1, 0.3, 1, 10] {
                let loss = try PrivacyLoss(roundingUpEpsilon: epsilon)
                let seeds = rows[0] > 1000 ? 2000 : 4000
                let null = try Self.logRank(laws, rows: rows, loss: loss, seeds: seeds)
                let power = try Self.logRank(laws, rows: rows, ratio: 1.3, loss: loss, seeds: 500)
                Simulation.report(
                    "log-rank",
                    [
                        ("rows", rows.description), ("epsilon", epsilon),
                        ("type_one", Double(null.refused) / Double(max(1, null.tests))),
                        ("no_test", 1 - Double(null.tests) / Double(seeds)),
                        ("power_at_1.3", Double(power.refused) / Double(max(1, power.tests))),
                    ])
            }
        }
    }
}
