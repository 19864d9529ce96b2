import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Counts that were shown because they are large")
struct SelectedCountTests {
    /// P(X = x), summed plainly.
    private struct Law {
        let sigma: Double
        let total: Double

        init(sigma: Double) {
            self.sigma = sigma
            let reach = Int(14 * sigma) + 14
            total = (-reach...reach).reduce(0) { $0 + exp(-Double($1 * $1) / (2 * sigma * sigma)) }
        }

        func probability(_ x: Int64) -> Double { exp(-Double(x * x) / (2 * sigma * sigma)) / total }
    }

    @Test(
        "Given that it is shown, each number of units is covered as often as said, and far above the threshold no more: all outcomes",
        arguments: [(0.4, 2), (3, 14), (9, 44), (9, 3), (70, 340)] as [(Double, Int64)])
    func coverage(sigma: Double, threshold: Int64) {
        let law = Law(sigma: sigma)
        let reach = Int64(10 * sigma) + 10
        let largest = threshold + Int64(4 * sigma)
        let confidence = 0.95
        let count = SelectedCount(sigma: sigma, threshold: threshold, confidence: confidence)
        let intervals = (threshold...largest + reach).map { count.interval($0) }
        var least = 1.0
        for units in stride(from: 1, through: largest, by: sigma > 50 ? 7 : 1) {
            var (shown, covered) = (0.0, 0.0)
            for noisy in threshold...max(threshold, units + reach) {
                let probability = law.probability(noisy - units)
                shown += probability
                let interval = intervals[Int(noisy - threshold)]
                if interval.lower <= Double(units), interval.upper >= Double(units) { covered += probability }
            }
            // What lies beyond the reach is below 1e-20 of all, but not of what a small group has: there all are summed.
            guard shown > 1e-15 else { continue }
            least = min(least, covered / shown)
            #expect(covered / shown >= confidence - 1e-9, "\(units) units: \(covered / shown)")
            if units > threshold + Int64(3 * sigma), sigma >= 9 {
                #expect(covered / shown <= confidence + 1 / sigma, "\(units) units: \(covered / shown)")
            }
        }
        // A grid coarser than the noise cannot but cover more.
        #expect(least < 0.999 || sigma < 1)
    }

    @Test("Without the truncation a small group that is shown would be missed nearly always")
    func plainInterval() {
        let (sigma, threshold) = (9.0, Int64(44))
        let count = SelectedCount(sigma: sigma, threshold: threshold)
        let half = DiscreteGaussianLaw(sigma: sigma).halfWidth(confidence: 0.95)
        #expect(threshold - half > 10)
        #expect(count.interval(threshold).lower == 1)
        // Far above the threshold nothing was selected, and both intervals are one.
        let far = count.interval(threshold + 200)
        #expect(abs(far.lower - Double(threshold + 200 - half)) <= 1)
        #expect(abs(far.upper - Double(threshold + 200 + half)) <= 1)
    }

    @Test("Intervals from a selection's own draws cover what they stand for (seeded; false alarm 1e-6)")
    func draws() throws {
        let selection = try GaussianThreshold(groupsPerUnit: 3, rho: 0.02, delta: 1e-5)
        let count = SelectedCount(selection)
        var generator = SeededGenerator(seed: 1_105)
        for units in [selection.threshold - 20, selection.threshold - 8, selection.threshold + 5] {
            var (shown, covered) = (0, 0)
            for _ in 0..<40_000 {
                let noisy = units + selection.noise.sample(using: &generator)
                guard selection.keep(noisy) else { continue }
                shown += 1
                let interval = count.interval(noisy)
                if interval.lower <= Double(units), interval.upper >= Double(units) { covered += 1 }
            }
            #expect(shown > 100)
            let spread = 4.76 * (0.05 * 0.95 / Double(shown)).squareRoot()
            #expect(Double(covered) / Double(shown) > 0.95 - spread)
        }
    }

    @Test("The chance of being shown, and the size that has it, agree with the law")
    func chances() {
        for (sigma, threshold) in [(0.4, 2), (9, 44), (120, 600)] as [(Double, Int64)] {
            let law = Law(sigma: sigma)
            let count = SelectedCount(sigma: sigma, threshold: threshold)
            for chance in [0.2, 0.5, 0.95] {
                let units = count.units(shownWith: chance)
                func exact(_ units: Int64) -> Double {
                    (threshold - units...threshold - units + Int64(30 * sigma) + 30).reduce(0) {
                        $0 + law.probability($1)
                    }
                }
                #expect(exact(units) >= chance - 1e-12)
                #expect(units == 1 || exact(units - 1) < chance + 1e-12)
                #expect(abs(count.probabilityOfBeingShown(units: units) - exact(units)) < 1e-8)
            }
        }
    }

    @Test("Numbers of any size have an interval")
    func extremes() {
        for sigma in [0x1p-20, 1, 64, 65, 0x1p40] {
            let count = SelectedCount(sigma: sigma, threshold: 100)
            for noisy in [100, 101, 1 << 40, Int64.max] {
                let interval = count.interval(noisy)
                #expect(interval.lower >= 1 && interval.upper >= interval.lower)
            }
        }
    }
}
