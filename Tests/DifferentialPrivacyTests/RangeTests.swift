import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Histograms, ranges and distributions")
struct RangeTests {
    @Test("Histogram counts are the truth plus the exact law of the noise, empty bins too")
    func histogram() throws {
        var generator = SeededGenerator(seed: 21)
        let histogram = try PrivateHistogram(
            bins: 4, binsPerUnit: 2, rowsPerUnitAndBin: 3, loss: try PrivacyLoss(roundingDownRho: 0.5))
        #expect(
            histogram.event == .discreteGaussian(sensitivitySquared: 18, sigma: histogram.noise.variance.squareRoot()))
        var draws: [Int64] = []
        for _ in 0..<10_000 {
            let noisy = try histogram.release([0, 5, 0, 1 << 40], using: &generator)
            draws += zip(noisy, [0, 5, 0, 1 << 40]).map { $0 - $1 }
        }
        #expect(follows(histogram.noise, draws))
        #expect(throws: MechanismError.self) { try histogram.release([1, 2, 3], using: &generator) }
        #expect(throws: MechanismError.self) {
            try PrivateHistogram(bins: 4, binsPerUnit: 5, loss: try PrivacyLoss(roundingDownRho: 0.5))
        }
    }

    @Test("All bins at once are within the simultaneous half-width as often as is said")
    func simultaneous() throws {
        let histogram = try PrivateHistogram(bins: 8, loss: try PrivacyLoss(roundingDownRho: 0.01))
        let half = Int64(histogram.simultaneousHalfWidth(confidence: 0.92))
        let inside = pow(1 - 2 * histogram.noise.upperTail(half + 1), 8)
        #expect(inside >= 0.92 && inside < 0.94)
    }

    @Test("Bins hold their lower edge; values beyond the bounds are clipped, NaN and infinities left out")
    func bins() throws {
        let bins = try EqualBins(lower: 0, upper: 1, count: 10)
        #expect(bins.counts([0, 0.05, 0.1, 0.95, 1, 2, -1, .nan, .infinity]) == [3, 1, 0, 0, 0, 0, 0, 0, 0, 3])
        #expect(bins.edge(0) == 0 && bins.edge(10) == 1)
        for bounds in [(1.0, 0.0), (0, 0), (.nan, 1), (0, .infinity)] {
            #expect(throws: MechanismError.self) { try EqualBins(lower: bounds.0, upper: bounds.1, count: 3) }
        }
    }

    @Test(
        "Without noise a tree gives every range's count exactly, whatever the shape", arguments: [1, 2, 7, 16, 17, 100])
    func exactRanges(leaves: Int) throws {
        var generator = SeededGenerator(seed: 22)
        let counts = (0..<leaves).map { Int64($0 * $0 % 11) }
        for fanout in [2, 3, 5, 16] {
            let tree = try PrivateRangeTree(leaves: leaves, fanout: fanout, loss: NoNoise.losses[1])
            let released = try tree.release(counts, using: &generator)
            for start in 0...leaves {
                for end in start...leaves {
                    let truth = Double(counts[start..<end].reduce(0, +))
                    #expect(abs(try released.count(in: start..<end) - truth) < 1e-9)
                }
            }
        }
    }

    @Test("The variance of a consistent range: by the normal equations, and by simulation")
    func variance() throws {
        // Two leaves under two nodes: with no root, leaves (x, y) observed alone. Four leaves, fanout 2: by hand, a leaf
        // has variance 2/3 (own 1, sibling and parent: A'A = [[2, 1], [1, 2]]), a pair 2/3.
        let tree = try PrivateRangeTree(leaves: 4, fanout: 2, loss: try PrivacyLoss(roundingDownRho: 0.1))
        #expect(abs(try tree.variance(of: 0..<1) / tree.noise.variance - 2.0 / 3) < 1e-12)
        #expect(abs(try tree.variance(of: 0..<2) / tree.noise.variance - 2.0 / 3) < 1e-12)
        #expect(abs(try tree.variance(of: 1..<3) / tree.noise.variance - 4.0 / 3) < 1e-12)
        var generator = SeededGenerator(seed: 23)
        for leaves in [10, 27] {
            let tree = try PrivateRangeTree(leaves: leaves, fanout: 3, loss: try PrivacyLoss(roundingDownEpsilon: 1))
            let counts = [Int64](repeating: 100, count: leaves)
            let range = 2..<leaves - 1
            let draws = 20_000
            var squares = 0.0
            for _ in 0..<draws {
                let error = try tree.release(counts, using: &generator).count(in: range) - 100 * Double(range.count)
                squares += error * error
            }
            // The fourth moment of Laplace sums is at most 6 variances squared: 4.75 standard deviations.
            let relative = squares / Double(draws) / (try tree.variance(of: range)) - 1
            #expect(abs(relative) < 4.75 * (5 / Double(draws)).squareRoot())
        }
    }

    @Test("The chosen fanout is within a tenth of the best fanout's mean variance over all ranges")
    func fanout() throws {
        for kind in [PrivacyLossKind.pure, .zeroConcentrated] {
            let loss = PrivacyLoss(kind: kind, amount: 100_000_000_000)
            func mean(_ fanout: Int) throws -> Double {
                let tree = try PrivateRangeTree(leaves: 256, fanout: fanout, loss: loss)
                var total = 0.0
                for start in stride(from: 0, to: 256, by: 5) {
                    for end in stride(from: start + 1, through: 256, by: 7) {
                        total += try tree.variance(of: start..<end)
                    }
                }
                return total
            }
            let best = try [2, 3, 4, 6, 7, 8, 12, 16, 20, 32, 64].map { try mean($0) }.min() ?? 0
            #expect(try mean(PrivateRangeTree.bestFanout(leaves: 256, kind: kind)) <= 1.1 * best)
        }
    }

    @Test("A row is in one node of every level: what the event states")
    func sensitivity() throws {
        let tree = try PrivateRangeTree(
            leaves: 1000, fanout: 10, rowsPerUnit: 2, loss: try PrivacyLoss(roundingDownRho: 0.1))
        #expect(tree.levels == 3)
        guard case .discreteGaussian(12, _) = tree.event else {
            Issue.record("three levels and two rows: a squared sensitivity of 4 times 3")
            return
        }
    }

    @Test("Range intervals cover the truth as often as they say")
    func intervals() throws {
        var generator = SeededGenerator(seed: 24)
        for loss in [try PrivacyLoss(roundingDownEpsilon: 0.5), try PrivacyLoss(roundingDownRho: 0.05)] {
            let tree = try PrivateRangeTree(leaves: 60, fanout: 4, loss: loss)
            let counts = (0..<60).map { Int64($0) }
            var covered = 0
            for _ in 0..<2000 {
                let interval = try tree.interval(
                    of: 7..<43, in: try tree.release(counts, using: &generator), confidence: 0.9)
                if interval.lower <= 882 && 882 <= interval.upper { covered += 1 }
            }
            #expect(covered >= 1800 - 64)
        }
    }

    @Test("A distribution rises from 0 to 1, whatever the data, and is right without noise")
    func distribution() throws {
        var generator = SeededGenerator(seed: 25)
        let bins = try EqualBins(lower: 0, upper: 10, count: 10)
        let exact = try PrivateDistribution(bins: bins, loss: NoNoise.losses[0])
        let released = try exact.release([0.5, 1.5, 1.7, 9.5], using: &generator)
        #expect(abs(released.fraction(below: 2) - 0.75) < 1e-12 && abs(released.fraction(below: 1.5) - 0.5) < 1e-12)
        #expect(abs(released.quantile(0.5) - 1.5) < 1e-12 && released.fraction(below: 0) == 0)
        #expect(released.fraction(below: .nan).isNaN && released.fraction(below: .infinity) == 1)
        let noisy = try PrivateDistribution(bins: bins, loss: try PrivacyLoss(roundingDownEpsilon: 0.1))
        for values in [[], [.nan], [5.0], [Double](repeating: 10, count: 50)] as [[Double]] {
            for _ in 0..<100 {
                let fractions = try noisy.release(values, using: &generator).fractions
                #expect(zip(fractions, fractions.dropFirst()).allSatisfy { $0 <= $1 })
                #expect(fractions.first == 0 && fractions.last == 1 && fractions.allSatisfy { (0...1).contains($0) })
            }
        }
        #expect(NoisyDistribution.isotonic([1, 3, 2, 4, 0]) == [1, 2.25, 2.25, 2.25, 2.25])
    }
}
