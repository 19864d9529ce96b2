import DifferentialPrivacy
import Foundation
import Testing

/// Selection keeps its promise; broken copies of it do not.
@Suite("Audits of selection")
struct SelectionAudits {
    @Test("The exponential mechanism holds its epsilon; sensitivity 1 where utilities change by 3 is caught")
    func exponential() throws {
        let claim = PrivacyClaim.pure(epsilon: 1)
        // One item up, all others down: the worst change. Many others make it nearly tight.
        let before = [Int64](repeating: 6, count: 40)
        let after = [9] + [Int64](repeating: 3, count: 39)
        let right = try ExponentialMechanism(epsilon: 1, sensitivity: 3)
        let broken = try ExponentialMechanism(epsilon: 1, sensitivity: 1)
        try Audit("exponential mechanism", claim).holds {
            try right.select(utilities: before, using: &$0)
        } _: {
            try right.select(utilities: after, using: &$0)
        }
        try Audit("exponential mechanism, sensitivity 1 for 3", claim).catches {
            try broken.select(utilities: before, using: &$0)
        } _: {
            try broken.select(utilities: after, using: &$0)
        }
    }

    @Test("A key that only one unit has is hidden; without its threshold, or with half of it, it is seen")
    func threshold() throws {
        let delta = 1e-2
        let claim = PrivacyClaim.approximate(epsilon: 0, delta: delta)
        let selection = try GaussianThreshold(groupsPerUnit: 1, rho: 0.5, delta: delta)
        func keep(_ units: Int64, from threshold: Int64) -> (inout AuditRandom) -> Int {
            { units + selection.noise.sample(using: &$0) >= threshold ? 1 : 0 }
        }
        let absent: Audit.Draw<Int> = { _ in 0 }
        try Audit("threshold", claim).holds(keep(1, from: selection.threshold), absent)
        try Audit("no threshold", claim).catches(keep(1, from: .min), absent)
        try Audit("positive counts", claim).catches(keep(1, from: 1), absent)
        try Audit("half the threshold", claim).catches(keep(1, from: selection.threshold / 2), absent)
        // Keys that others have too: the noise alone hides the unit.
        let both = PrivacyClaim.zeroConcentrated(rho: 0.5)
        let threshold = selection.threshold
        try Audit("threshold, other units", both).holds(
            keep(threshold + 1, from: threshold), keep(threshold, from: threshold))
    }

    @Test("Quantiles hold their epsilon; a sensitivity of one row where a unit has four is caught")
    func quantile() throws {
        let claim = PrivacyClaim.pure(epsilon: 1)
        func choose(_ rows: Int, _ indices: [Int32]) throws -> Audit.Draw<Int> {
            let quantile = try PrivateQuantile(q: 0.5, epsilon: 1, rowsPerUnitAndGroup: rows)
            let counts = [Int64](repeating: 4, count: indices.count)
            return { try quantile.select(indices: indices, counts: counts, points: 100, using: &$0) }
        }
        try Audit("median of four rows", claim, runs: 50_000).holds(choose(4, [20, 60, 99]), choose(4, [20, 60]))
        try Audit("median, one row for four", claim, runs: 50_000)
            .catches(choose(1, [20, 60, 99]), choose(1, [20, 60]))
    }
}
