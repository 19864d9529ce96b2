import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

/// A black-box audit: from the frequencies of one event under two neighbouring inputs, the privacy that a mechanism can
/// at best have. The right mechanisms pass; the broken copies below, each with a mistake that has been made in
/// practice, do not, which shows that the audit sees such mistakes.
///
/// An audit's alarm is false with a probability below 1e-9 (each frequency's bound is 6 standard deviations out, at
/// hundreds of expected events), and draws are seeded.
struct Audit {
    var draws = 300_000

    /// Whether P(event | present) > e^epsilon P(event | absent) + delta, or the other way round, beyond doubt.
    func alarms(
        epsilon: Double, delta: Double, present: () throws -> Bool, absent: () throws -> Bool
    ) rethrows -> Bool {
        var counts = (present: 0, absent: 0)
        for _ in 0..<draws {
            if try present() { counts.present += 1 }
            if try absent() { counts.absent += 1 }
        }
        let a = bounds(counts.present)
        let b = bounds(counts.absent)
        return a.lower > exp(epsilon) * b.upper + delta || b.lower > exp(epsilon) * a.upper + delta
    }

    private func bounds(_ count: Int) -> (lower: Double, upper: Double) {
        let n = Double(draws)
        let p = Double(count) / n
        // Wilson's interval (1927).
        let z = 6.0
        let center = (p + z * z / (2 * n)) / (1 + z * z / n)
        let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        return (max(0, center - half), min(1, center + half))
    }
}

@Suite("Audits")
struct AuditTests {
    let audit = Audit()

    @Test("Gaussian noise keeps its promise, and noise of half the size is found out")
    func gaussian() throws {
        let loss = try PrivacyLoss(roundingDownRho: 0.5)
        let delta = 1e-3
        let epsilon = Conversion.epsilon(rho: 0.5, delta: delta)
        let right = try DiscreteGaussian(sensitivitySquared: 100, loss: loss)
        let halved = try DiscreteGaussian(sigma: right.sigma / 2)
        for (noise, isBroken) in [(right, false), (halved, true)] {
            var generator = SeededGenerator(seed: 91)
            let alarm = audit.alarms(epsilon: epsilon, delta: delta) {
                10 + noise.sample(using: &generator) > 20
            } absent: {
                noise.sample(using: &generator) > 20
            }
            #expect(alarm == isBroken)
        }
    }

    @Test("Laplace noise keeps its promise; half the size, and noise for one row where a unit has two, are found out")
    func laplace() throws {
        let epsilon = 1.0
        let loss = try PrivacyLoss(roundingDownEpsilon: epsilon)
        let right = try DiscreteLaplace(sensitivity: 2, loss: loss)
        let halved = try DiscreteLaplace(scale: right.scale / 2)
        let oneRow = try DiscreteLaplace(sensitivity: 1, loss: loss)
        for (noise, isBroken) in [(right, false), (halved, true), (oneRow, true)] {
            var generator = SeededGenerator(seed: 92)
            let alarm = audit.alarms(epsilon: epsilon, delta: 0) {
                2 + noise.sample(using: &generator) >= 2
            } absent: {
                noise.sample(using: &generator) >= 2
            }
            #expect(alarm == isBroken)
        }
    }

    @Test("Floating-point noise scaled afterwards gives its input away; ours are integers only")
    func granularity() throws {
        // Outputs with digits below 2^-20 betray the truth 0 of a floating-point sampler (Mironov 2012).
        var generator = SeededGenerator(seed: 93)
        let noise = try DiscreteLaplace(scale: 1000)
        var outputs = Set<Int64>()
        for _ in 0..<100_000 { outputs.insert(noise.sample(using: &generator)) }
        // Every integer near zero occurs: none is unreachable from one truth and reachable from another.
        for x in -500...500 as ClosedRange<Int64> { #expect(outputs.contains(x)) }
    }

    @Test("Selection hides a key that only one unit has; without its threshold it is found out")
    func threshold() throws {
        let delta = 1e-3
        let selection = try GaussianThreshold(groupsPerUnit: 1, rho: 0.5, delta: delta)
        for (keep, isBroken) in [
            ({ selection.keep($0) }, false), ({ _ in true }, true), ({ $0 > 0 }, true),
            // The threshold of a delta that nobody asked for.
            ({ $0 >= selection.threshold / 2 }, true),
        ] as [((Int64) -> Bool, Bool)] {
            var generator = SeededGenerator(seed: 94)
            let alarm = audit.alarms(epsilon: 0, delta: delta) {
                keep(1 + selection.noise.sample(using: &generator))
            } absent: {
                false
            }
            #expect(alarm == isBroken)
        }
    }

    @Test("Quantiles keep their promise; a sensitivity of one row where a unit has four is found out")
    func quantile() throws {
        let epsilon = 1.0
        let right = try PrivateQuantile(q: 0.5, epsilon: epsilon, rowsPerUnitAndGroup: 4)
        let broken = try PrivateQuantile(q: 0.5, epsilon: epsilon, rowsPerUnitAndGroup: 1)
        for (quantile, isBroken) in [(right, false), (broken, true)] {
            var generator = SeededGenerator(seed: 95)
            let alarm = try Audit(draws: 100_000).alarms(epsilon: epsilon, delta: 0) {
                (61...98).contains(
                    try quantile.select(indices: [20, 60, 99], counts: [4, 4, 4], points: 100, using: &generator))
            } absent: {
                (61...98).contains(
                    try quantile.select(indices: [20, 60], counts: [4, 4], points: 100, using: &generator))
            }
            #expect(alarm == isBroken)
        }
    }
}
