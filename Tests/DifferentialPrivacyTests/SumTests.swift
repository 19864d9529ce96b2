import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

/// Losses so large that noise on small integers is zero (but for one draw in 10^400), so that what is under the noise
/// can be seen.
enum NoNoise {
    static let losses = [
        PrivacyLoss(kind: .pure, amount: 9_000_000_000_000_000_000),
        PrivacyLoss(kind: .zeroConcentrated, amount: 9_000_000_000_000_000_000),
    ]
}

/// Whether draws follow the exact law of a noise (chi-square, false alarm 1e-6).
func follows(_ noise: IntegerNoise, _ draws: [Int64]) -> Bool {
    let half = noise.halfWidth(confidence: 0.9999)
    let cells = Int(2 * half + 1)
    var counts = [Int](repeating: 0, count: cells)
    for draw in draws where abs(draw) <= half { counts[Int(draw + half)] += 1 }
    let probabilities = (-half...half).map { x in
        noise.upperTail(abs(x)) - noise.upperTail(abs(x) + 1)
    }
    return ChiSquare.fits(counts: counts, probabilities: probabilities, draws: draws.count)
}

@Suite("Grids, counts and sums")
struct SumTests {
    @Test("A value is clipped and rounded to the grid; NaN and the infinities are null")
    func grid() throws {
        let grid = try ValueGrid(lower: -1, upper: 3, step: 0.5)
        #expect(grid.lowest == -2 && grid.highest == 6 && grid.width == 8 && grid.centre == 2)
        let values: [Double] = [-1, -0.8, -0.74, 0, 0.24, 0.26, 2.9, 3, 1e300, -1e300, .greatestFiniteMagnitude]
        #expect(values.compactMap { grid.index($0) } == [-2, -2, -1, 0, 0, 1, 6, 6, 6, -2, 6])
        for value in [Double.nan, .signalingNaN, .infinity, -.infinity] { #expect(grid.index(value) == nil) }
        let fine = try ValueGrid(lower: 0, upper: 100)
        #expect((1 << 23...1 << 24).contains(fine.width) && fine.step.significand == 1)
    }

    @Test(
        "Bounds that are reversed, equal, not finite or too far apart are refused, and steps that are no power of two",
        arguments: [
            (1, 0, nil), (1, 1, nil), (.nan, 1, nil), (0, .nan, nil), (0, .infinity, nil), (-.infinity, 0, nil),
            (-.greatestFiniteMagnitude, .greatestFiniteMagnitude, nil), (0, 1, 0.3), (0, 1, 0), (0, 1, -0.5),
            (0, 1, 2), (0, 1, .nan), (1e300, 1.1e300, 1),
        ] as [(Double, Double, Double?)])
    func refusedGrids(lower: Double, upper: Double, step: Double?) {
        #expect(throws: MechanismError.self) { try ValueGrid(lower: lower, upper: upper, step: step) }
    }

    @Test("Adding a unit's rows changes no sum by more than its sensitivity, whatever the values")
    func sensitivity() throws {
        let values: [Double] = [
            -5, -1, -0.999, 0, 1.3, 2, 2.999, 3, 7, .nan, .infinity, 1e308, -1e308, .leastNonzeroMagnitude,
        ]
        let grid = try ValueGrid(lower: -1, upper: 3, step: 0.25)
        var generator = SeededGenerator(seed: 1)
        for loss in NoNoise.losses {
            for isCentred in [false, true] {
                let sum = try PrivateSum(grid: grid, rowsPerUnit: 2, isCentred: isCentred, loss: loss)
                let rest = sum.release(values, using: &generator)
                let bound = 2 * (isCentred ? 2.0 : 3.0)
                var largest = 0.0
                for a in values {
                    for b in values {
                        let change = sum.release([a] + values + [b], using: &generator) - rest
                        #expect(abs(change) <= bound)
                        largest = max(largest, abs(change))
                    }
                }
                #expect(largest == bound)
                let claimed = 2 * (isCentred ? 8.0 : 12.0)
                switch sum.event {
                case .discreteLaplace(let sensitivity, _): #expect(sensitivity == claimed)
                case .discreteGaussian(let square, _): #expect(square == claimed * claimed)
                default: Issue.record("an additive event")
                }
            }
        }
    }

    @Test("A sum beyond 64 bits becomes the bound on its own side")
    func overflow() throws {
        var generator = SeededGenerator(seed: 3)
        let noise = try IntegerNoise(
            l1Sensitivity: 1 << 30, l2SensitivitySquared: 1 << 60, loss: try PrivacyLoss(roundingDownRho: 0.5))
        let sums = (0..<100).map { _ in
            (noise.add(to: .max, using: &generator), noise.add(to: .min, using: &generator))
        }
        #expect(sums.allSatisfy { $0.0 > .max - 1 << 40 && $0.1 < .min + 1 << 40 })
        #expect(sums.contains { $0.0 == .max } && sums.contains { $0.1 == .min })
    }

    @Test("Sums do not depend on the order of summation, and do not overflow")
    func orderAndOverflow() throws {
        let grid = try ValueGrid(lower: -0x1p62, upper: 0x1p62, step: 0x1p40)
        var generator = SeededGenerator(seed: 2)
        let sum = try PrivateSum(grid: grid, loss: NoNoise.losses[0])
        let values = (0..<1000).map { (row: Int) -> Double in row % 2 == 0 ? 1e18 : -1e18 + Double(row) * 1e12 }
        let mixed = values.sorted()
        let noise = Double(sum.noise.halfWidth(confidence: 1 - 1e-9)) * sum.grid.step
        let one = sum.release(values, using: &generator)
        let other = sum.release(mixed, using: &generator)
        #expect(abs(one - other) <= 2 * noise)
        var exact = ExactSum()
        for _ in 0..<5 { exact.add(.max) }
        #expect(exact.clamped == 1 << 62)
        for _ in 0..<10 { exact.add(.min) }
        #expect(exact.clamped == -(1 << 62))
    }

    @Test("Bounds far from zero: a sum coarsens its grid as far as it can, a centred one need not")
    func farBounds() throws {
        let grid = try ValueGrid(lower: 1e6, upper: 1e6 + 1)
        let loss = try PrivacyLoss(roundingDownEpsilon: 1)
        let sum = try PrivateSum(grid: grid, loss: loss)
        #expect(sum.grid.step > grid.step && sum.grid.step <= 0.5 && sum.grid.lower == 1e6)
        #expect(try PrivateSum(grid: grid, isCentred: true, loss: loss).grid == grid)
        let far = try ValueGrid(lower: 1e13, upper: 1e13 + 1, step: 0x1p-8)
        #expect(throws: MechanismError.self) { try PrivateSum(grid: far, loss: loss) }
        #expect(try PrivateMean(grid: far, loss: loss).grid == far)
    }

    @Test("Released counts and sums are the truth plus the exact law of the noise (chi-square, false alarm 1e-6)")
    func laws() throws {
        var generator = SeededGenerator(seed: 3)
        let losses = [try PrivacyLoss(roundingDownEpsilon: 0.3), try PrivacyLoss(roundingDownRho: 0.05)]
        for loss in losses {
            let count = try PrivateCount(rowsPerUnit: 2, loss: loss)
            #expect(follows(count.noise, (0..<50_000).map { _ in count.release(7, using: &generator) - 7 }))
            let grid = try ValueGrid(lower: 0, upper: 4, step: 0.5)
            let sum = try PrivateSum(grid: grid, loss: loss)
            let draws = (0..<50_000).map { _ in
                Int64(2 * (sum.release([1, 1.4, 9, .nan], using: &generator) - 6.5))
            }
            #expect(follows(sum.noise, draws))
            #expect(try sum.event.loss(kind: loss.kind).amount <= loss.amount)
        }
    }

    @Test("A private count's interval covers the true count as often as it says, and an empty table is a table")
    func countInterval() throws {
        var generator = SeededGenerator(seed: 4)
        let count = try PrivateCount(loss: try PrivacyLoss(roundingDownRho: 0.02))
        var covered = 0
        for _ in 0..<20_000 {
            let interval = count.interval(around: count.release(0, using: &generator), confidence: 0.9)
            if interval.lower <= 0 && 0 <= interval.upper { covered += 1 }
        }
        #expect(covered >= 18_000 - 202)  // 4.75 standard deviations
    }

    @Test("Parameters out of range are refused")
    func refused() throws {
        let grid = try ValueGrid(lower: 0, upper: 1)
        let loss = try PrivacyLoss(roundingDownEpsilon: 1)
        for rows in [0, -1, .min, .max] {
            #expect(throws: MechanismError.self) { try PrivateCount(rowsPerUnit: rows, loss: loss) }
            #expect(throws: MechanismError.self) { try PrivateSum(grid: grid, rowsPerUnit: rows, loss: loss) }
            #expect(throws: MechanismError.self) { try PrivateMean(grid: grid, rowsPerUnit: rows, loss: loss) }
            #expect(throws: MechanismError.self) { try PrivateVariance(grid: grid, rowsPerUnit: rows, loss: loss) }
            #expect(throws: MechanismError.self) { try PrivateHistogram(bins: rows, loss: loss) }
        }
        for kind in [PrivacyLossKind.pure, .zeroConcentrated] {
            #expect(throws: MechanismError.self) { try PrivateCount(loss: .zero(kind)) }
            #expect(throws: MechanismError.self) { try PrivateCount(loss: PrivacyLoss(kind: kind, amount: -1)) }
            #expect(throws: MechanismError.self) { try PrivateVariance(grid: grid, loss: .zero(kind)) }
        }
    }
}
