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
        func choose(_ rows: Int, _ indices: [Int32], offset: Int64 = 0) throws -> Audit.Draw<Int> {
            let quantile = try PrivateQuantile(q: 0.5, epsilon: 1, rowsPerUnitAndGroup: rows)
            let counts = [Int64](repeating: 4, count: indices.count)
            return { try quantile.select(indices: indices, counts: counts, points: 100, offset: offset, using: &$0) }
        }
        try Audit("median of four rows", claim, runs: 50_000).holds(choose(4, [20, 60, 99]), choose(4, [20, 60]))
        // Brackets: a target below all ranks, and one above them.
        for offset in [-5, 3] as [Int64] {
            try Audit("bracket of a median, four rows", claim, runs: 50_000)
                .holds(choose(4, [20, 60, 99], offset: offset), choose(4, [20, 60], offset: offset))
        }
        try Audit("median, one row for four", claim, runs: 50_000)
            .catches(choose(1, [20, 60, 99]), choose(1, [20, 60]))
    }

    @Test("Permute-and-flip holds its epsilon; one direction's noise for both, and floating-point weights, are caught")
    func permuteAndFlip() throws {
        let claim = PrivacyClaim.pure(epsilon: 1)
        func flip(_ mechanism: PermuteAndFlip, _ utilities: [Int64]) -> Audit.Draw<Int> {
            { try mechanism.select(utilities: utilities, using: &$0) }
        }
        let before = [Int64](repeating: 3, count: 20)
        let after = [4] + [Int64](repeating: 2, count: 19)
        let both = try PermuteAndFlip(epsilon: 1)
        let one = try PermuteAndFlip(epsilon: 1, change: .oneDirection)
        try Audit("permute and flip", claim).holds(flip(both, before), flip(both, after))
        try Audit("permute and flip, rising", claim).holds(
            flip(one, before), flip(one, [4] + [Int64](repeating: 3, count: 19)))
        try Audit("permute and flip, one direction for both", claim).catches(flip(one, before), flip(one, after))
        // exp underflows to 0: a candidate becomes impossible.
        func floating(_ utilities: [Int64]) -> Audit.Draw<Int> {
            { random in
                let best = utilities.max() ?? 0
                let heads = utilities.indices.filter {
                    Float(random.next() >> 40) * 0x1p-24 < Float(exp(Double(utilities[$0] - best) / 2)) * 0.999
                }
                return heads.isEmpty ? -1 : heads[Int(random.next(upperBound: UInt64(heads.count)))]
            }
        }
        try Audit("permute and flip without a sure winner", claim).catches(floating([0]), floating([0, 0, 0, 0]))
    }

    @Test("Report noisy max holds its epsilon, ties and lead included; half the noise and an order by data are caught")
    func reportNoisyMax() throws {
        let claim = PrivacyClaim.pure(epsilon: 1)
        func choose(_ mechanism: ReportNoisyMax, _ utilities: [Int64]) -> Audit.Draw<Int> {
            { random in
                let winner = try mechanism.select(utilities: utilities, using: &random)
                return winner.index * 100 + Int(min(winner.lead ?? 0, 99))
            }
        }
        let before = [Int64](repeating: 3, count: 8)
        let after = [4] + [Int64](repeating: 2, count: 7)
        let right = try ReportNoisyMax(epsilon: 1)
        let halved = try ReportNoisyMax(epsilon: 1, change: .oneDirection)
        try Audit("noisy max", claim).holds(choose(right, before), choose(right, after))
        try Audit("noisy max, rising", claim).holds(
            choose(halved, before), choose(halved, [4] + [Int64](repeating: 3, count: 7)))
        try Audit("noisy max, half the noise", claim).catches(choose(halved, before), choose(halved, after))
        // Little noise, so that ties are frequent: they must not go to the truly larger.
        let low = [0] + [Int64](repeating: 1, count: 39)
        let high = [1] + [Int64](repeating: 0, count: 39)
        let tying = try ReportNoisyMax(epsilon: 2)
        try Audit("noisy max, many ties", .pure(epsilon: 2)).holds(choose(tying, low), choose(tying, high))
        let noise = try DiscreteLaplace(scale: 1)
        func tiesByData(_ utilities: [Int64]) -> Audit.Draw<Int> {
            { random in
                let noisy = utilities.map { $0 + noise.sample(using: &random) }
                let best = noisy.max() ?? 0
                return utilities.indices.filter { noisy[$0] == best }.max { utilities[$0] < utilities[$1] } ?? 0
            }
        }
        try Audit("noisy max, ties by the data", .pure(epsilon: 2)).catches(tiesByData(low), tiesByData(high))
        // Gaussian noise: all values are told, so the winner costs what they cost.
        let gaussian = try ReportNoisyMax(sigma: 2, sensitivitySquared: 2)
        let rho = PrivacyClaim.zeroConcentrated(rho: 2.0 / 8)
        try Audit("noisy max, Gaussian", rho).holds(choose(gaussian, [0, 0, 5]), choose(gaussian, [1, 1, 5]))
        let quarter = try ReportNoisyMax(sigma: 0.5, sensitivitySquared: 2)
        try Audit("noisy max, a quarter of Gaussian noise", rho).catches(
            choose(quarter, [0, 0, 1]), choose(quarter, [1, 1, 1]))
    }

    @Test(
        "Key selection holds (epsilon, delta); without its cut, or a cut off by one, or two groups for one, it is caught"
    )
    func keySelection() throws {
        let selection = try KeySelection(epsilon: 1, delta: 0.02)
        let claim = PrivacyClaim.approximate(epsilon: 1, delta: selection.delta)
        func keep(_ units: Int64) -> Audit.Draw<Int64> {
            { try selection.keep(units: units, using: &$0) ?? -1 }
        }
        for units in [0, 1, 4, 2 * selection.cut] as [Int64] {
            try Audit("keys of \(units)", claim).holds(keep(units), keep(units + 1))
        }
        let noise = try DiscreteLaplace(scale: 1)
        func broken(_ units: Int64, above cut: Int64) -> Audit.Draw<Int> {
            { units > 0 && units + noise.sample(using: &$0) > cut ? 1 : 0 }
        }
        try Audit("keys without a threshold", claim).catches(broken(1, above: -1_000), broken(0, above: -1_000))
        try Audit("keys, cut too low", claim).catches(
            broken(1, above: selection.cut - 1), broken(0, above: selection.cut - 1))
        func twoGroups(_ units: Int64) -> Audit.Draw<Int> {
            { random in
                let kept = try ["a": units, "b": units].filter {
                    try selection.keep(units: $0.value, using: &random) != nil
                }
                return kept.count
            }
        }
        try Audit("keys, two groups for one", claim).catches(twoGroups(1), twoGroups(0))
    }

    @Test("Stability histograms hold (epsilon, delta); a threshold for one row where a unit has three is caught")
    func stability() throws {
        let right = try StabilityHistogram(groupsPerUnit: 2, rowsPerUnitAndGroup: 3, epsilon: 1, delta: 0.02)
        let oneRow = try StabilityHistogram(groupsPerUnit: 2, epsilon: 1, delta: 0.02)
        let oneGroup = try StabilityHistogram(groupsPerUnit: 1, rowsPerUnitAndGroup: 3, epsilon: 1, delta: 0.02)
        let claim = PrivacyClaim.approximate(epsilon: 1, delta: 0.02)
        func release(_ histogram: StabilityHistogram, _ values: [Int: Int64]) -> Audit.Draw<Int64> {
            { histogram.release(values, using: &$0).reduce(0) { $0 + ($1.key == 1 ? $1.value : 1_000_000) } }
        }
        try Audit("stability, new keys", claim).holds(release(right, [2: 3, 3: 3]), release(right, [:]))
        try Audit("stability, known keys", claim).holds(
            release(right, [1: right.threshold + 3, 2: 3]), release(right, [1: right.threshold]))
        try Audit("stability, one row for three", claim).catches(release(oneRow, [2: 3, 3: 3]), release(oneRow, [:]))
        try Audit("stability, one group for two", claim).catches(
            release(oneGroup, [2: 3, 3: 3]), release(oneGroup, [:]))
    }

    @Test("Bounds discovery holds its epsilon; noise for one row where a unit has four is caught")
    func bounds() throws {
        let right = try BoundsDiscovery(exponents: 0...6, epsilon: 1, rowsPerUnit: 4, confidence: 0.5)
        let oneRow = try BoundsDiscovery(exponents: 0...6, epsilon: 1, confidence: 0.5)
        let claim = PrivacyClaim.pure(epsilon: 1)
        func find(_ discovery: BoundsDiscovery, _ values: [Double]) -> Audit.Draw<Double> {
            { discovery.release(values, using: &$0).map { 1_000 * $0.lower + $0.upper } ?? .infinity }
        }
        let many = [Double](repeating: 1, count: Int(right.threshold))
        try Audit("bounds", claim).holds(find(right, many + [33, 33, 33, 33]), find(right, many))
        try Audit("bounds, one row for four", claim).catches(find(oneRow, many + [33, 33, 33, 33]), find(oneRow, many))
    }
}
