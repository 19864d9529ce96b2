import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Means and variances")
struct MeanTests {
    let grid: ValueGrid
    let losses: [PrivacyLoss]

    init() throws {
        grid = try ValueGrid(lower: -1, upper: 3)
        losses = [try PrivacyLoss(roundingDownEpsilon: 0.5), try PrivacyLoss(roundingDownRho: 0.05)]
    }

    @Test("Without noise: count, sum, mean and variance worked by hand")
    func hand() throws {
        let coarse = try ValueGrid(lower: -1, upper: 3, step: 0.5)
        var generator = SeededGenerator(seed: 11)
        // 1.2 is rounded to 1, 9 clipped to 3: the values -1, 1, 3, 3.
        let values: [Double] = [-1, 1.2, 9, 3, .nan, .infinity]
        for loss in NoNoise.losses {
            let mean = try PrivateMean(grid: coarse, loss: loss).release(values, using: &generator)
            #expect(mean.count == 4 && mean.sum == 6 && mean.mean == 1.5)
            let interval = mean.interval(confidence: 0.95)
            #expect(abs(interval.lower - 1.5) < 1e-4 && abs(interval.upper - 1.5) < 1e-4)
            let variance = try PrivateVariance(grid: coarse, loss: loss).release(values, using: &generator)
            #expect(variance.count == 4 && variance.mean == 1.5 && variance.variance == 2.75)
            let around = variance.interval(confidence: 0.95)
            #expect(around.lower <= 2.75 && 2.75 <= around.upper && around.upper - around.lower < 1e-3)
        }
    }

    @Test("Adding a row changes the released integers by at most the norm that the event states")
    func sensitivity() throws {
        let coarse = try ValueGrid(lower: -1, upper: 2.5, step: 0.25)
        var (l1, l2): (Int64, Int64) = (0, 0)
        for value in stride(from: -1.5, through: 3, by: 0.01) {
            guard let index = coarse.index(value) else { continue }
            let (u, rest) = (index - coarse.lowest, coarse.highest - index)
            #expect(u + rest == coarse.width)
            let terms = [rest * rest, 2 * u * rest, u * u]
            l1 = max(l1, terms.reduce(0, +))
            l2 = max(l2, terms.reduce(0) { $0 + $1 * $1 })
        }
        let width = Double(coarse.width)
        #expect(Double(l1) == width * width && Double(l2) == width * width * width * width)
        for (loss, sensitivity) in zip(losses, [Double(l1), Double(l2)]) {
            switch try PrivateVariance(grid: coarse, rowsPerUnit: 3, loss: loss).event {
            case .discreteLaplace(let stated, _): #expect(stated == 3 * sensitivity)
            case .discreteGaussian(let stated, _): #expect(stated == 9 * sensitivity)
            default: Issue.record("an additive event")
            }
        }
    }

    @Test("No rows, one row and equal rows give an answer within the bounds")
    func extremes() throws {
        var generator = SeededGenerator(seed: 12)
        for loss in losses {
            for values in [[], [3.0], [.nan], [Double](repeating: 3, count: 40)] as [[Double]] {
                let mean = try PrivateMean(grid: grid, loss: loss)
                let variance = try PrivateVariance(grid: grid, loss: loss)
                for _ in 0..<200 {
                    let released = mean.release(values, using: &generator)
                    #expect((-1...3).contains(released.mean))
                    let second = variance.release(values, using: &generator)
                    #expect((-1...3).contains(second.mean) && (0...4).contains(second.variance))
                }
            }
        }
    }

    @Test("Count and centred sum have half the variance of a split budget under pure epsilon, and never more")
    func variances() throws {
        for (loss, gain) in zip(losses, [2.0, 1.0]) {
            let half = PrivacyLoss(kind: loss.kind, amount: loss.amount / 2)
            let split = try PrivateSum(grid: grid, isCentred: true, loss: half)
            let joint = try PrivateMean(grid: grid, loss: loss)
            #expect(abs(split.variance / joint.variance(rows: 1) - gain) < 1e-3)
        }
    }

    @Test("Intervals of means and variances cover the truth at least as often as they say, few rows included")
    func coverage() throws {
        var generator = SeededGenerator(seed: 13)
        let draws = 4000
        for loss in losses {
            for rows in [0, 3, 30, 3000] {
                let values = (0..<rows).map { (row: Int) -> Double in row % 3 == 0 ? -1 : 0.25 * Double(row % 7) }
                let mean = try PrivateMean(grid: grid, loss: loss)
                let variance = try PrivateVariance(grid: grid, loss: loss)
                let average = values.reduce(0, +) / Double(rows)
                let spread = values.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(rows)
                var (means, variances) = (0, 0)
                for _ in 0..<draws {
                    let first = mean.release(values, using: &generator).interval(confidence: 0.9)
                    if rows == 0 || (first.lower <= average && average <= first.upper) { means += 1 }
                    let second = variance.release(values, using: &generator).interval(confidence: 0.9)
                    if rows == 0 || (second.lower <= spread && spread <= second.upper) { variances += 1 }
                }
                // 4.75 standard deviations below 90 % (false alarm 1e-6).
                #expect(means >= 3600 - 90 && variances >= 3600 - 90)
            }
        }
    }

    @Test("A clearly negative count says nothing of the variance: the interval is all that a variance can be")
    func negativeCount() throws {
        let noise = try IntegerNoise(l1Sensitivity: 1, l2SensitivitySquared: 1, loss: losses[0])
        let released = NoisyVariance(
            bernstein: [-500, -300, -200], unit: 1, lower: 0, halfWidth: 2, noise: noise)
        #expect(released.interval(confidence: 0.9) == ConfidenceInterval(lower: 0, upper: 4))
    }

    @Test("A variance's interval, from its definition: where its test is just not rejected, found by halving")
    func varianceByDefinition() throws {
        // One integer of noise is 40 in the unit of the sums.
        let noise = try IntegerNoise(l1Sensitivity: 100, l2SensitivitySquared: 10_000, loss: losses[1])
        let (sums, unit) = ([3_000.0, 1_500, 5_500], 0.4)
        let count = sums.reduce(0, +)
        let mean = (sums[2] - sums[0]) / count
        let deviation = unit * noise.variance.squareRoot()
        func end(_ direction: Double) -> Double {
            let variance = (sums[0] - sums[1] + sums[2]) / count - mean * mean
            var (inside, outside) = (variance, variance + direction)
            for _ in 0..<60 {
                let v = (inside + outside) / 2
                // The three sums have independent noise: of x^2 - 2 mean x + mean^2 - v, x being -1, 0 and 1; x^2 of
                // the middle one is -1.
                let weights = [1 + 2 * mean, -1, 1 - 2 * mean].map { $0 + mean * mean - v }
                let spread = weights.reduce(0) { $0 + $1 * $1 }.squareRoot() * deviation
                if abs((variance - v) * count) <= 1.959963984540054 * spread { inside = v } else { outside = v }
            }
            return inside
        }
        let interval = NoisyVariance(bernstein: sums, unit: unit, lower: 0, halfWidth: 1, noise: noise)
            .interval(confidence: 0.95)
        let (lower, upper) = (end(-1), end(1))
        // The noise is whole numbers, widened to their own quantile.
        #expect(abs(interval.lower - lower) < 0.01 * (upper - lower))
        #expect(abs(interval.upper - upper) < 0.01 * (upper - lower))
    }

    @Test("A count that was released before serves several means")
    func sharedCount() throws {
        var generator = SeededGenerator(seed: 14)
        for loss in losses {
            let (counted, sum) = (
                try PrivateCount(loss: loss), try PrivateSum(grid: grid, isCentred: true, loss: loss)
            )
            let values = (0..<500).map { Double($0 % 5) - 1 }
            var covered = 0
            for _ in 0..<2000 {
                let mean = try NoisyMean(
                    centredSum: sum.release(values, using: &generator), of: sum,
                    count: counted.release(values.count, using: &generator), of: counted)
                let interval = mean.interval(confidence: 0.9)
                if interval.lower <= 1 && 1 <= interval.upper { covered += 1 }
            }
            #expect(covered >= 1800 - 64)
        }
        let wrong = try PrivateSum(grid: grid, loss: losses[0])
        let counted = try PrivateCount(loss: losses[1])
        #expect(throws: MechanismError.self) { try NoisyMean(centredSum: 0, of: wrong, count: 0, of: counted) }
        let mixed = try PrivateSum(grid: grid, isCentred: true, loss: losses[0])
        #expect(throws: MechanismError.mixedKinds) { try NoisyMean(centredSum: 0, of: mixed, count: 0, of: counted) }
    }

    @Test("A small loss coarsens the grid of a variance rather than being refused")
    func smallLoss() throws {
        let variance = try PrivateVariance(grid: grid, loss: try PrivacyLoss(roundingDownEpsilon: 1e-5))
        #expect(variance.grid.width < 1 << 14 && variance.grid.width >= 1 << 11)
    }
}
