import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Continual counting")
struct CounterTests {
    let rho: PrivacyLoss
    let epsilon: PrivacyLoss

    init() throws {
        rho = try PrivacyLoss(roundingDownRho: 0.5)
        epsilon = try PrivacyLoss(roundingDownEpsilon: 1)
    }

    @Test("Without noise, running sums are exact")
    func exact() throws {
        var generator = SeededGenerator(seed: 41)
        let values: [Int64] = (0..<300).map { Int64($0 * 37 % 11) - 3 }
        let counter = try SquareRootCounter(steps: 300, loss: try PrivacyLoss(roundingDownRho: 1e6))
        var tree = try TreeCounter(steps: 300, loss: NoNoise.losses[0]).begin()
        var root = counter.begin()
        var sum: Int64 = 0
        for (step, value) in values.enumerated() {
            sum += value
            let exact = try tree.add(value, using: &generator)
            #expect(exact == Double(sum))
            let released = try root.add(value, using: &generator)
            #expect(abs(released - Double(sum)) < 6 * counter.variance(after: step + 1).squareRoot() + 1e-6)
        }
        #expect(counter.variance(after: 300) < 1e-4)
    }

    @Test("A step beyond what may be added counts as the bound, on either side")
    func clamped() throws {
        var generator = SeededGenerator(seed: 48)
        let root = try SquareRootCounter(steps: 1, loss: try PrivacyLoss(roundingDownRho: 1e6))
        for (value, sign) in [(Int64.min, -1.0), (.max, 1)] {
            var tree = try TreeCounter(steps: 2, loss: NoNoise.losses[0]).begin()
            let first = try tree.add(value, using: &generator)
            let second = try tree.add(value, using: &generator)
            #expect(first == sign * 0x1p40 && abs(second - sign * 0x1p41) < 1)
            var run = root.begin()
            let released = try run.add(value, using: &generator)
            #expect(abs(released - sign * 0x1p26) < 1)
        }
    }

    @Test("A tree's node is averaged with its children: variances 1, 2/3, 4/7; a level each doubling")
    func treeVariance() throws {
        let tree = try TreeCounter(steps: 8, sensitivity: 3, loss: rho)
        #expect(tree.event == .discreteGaussian(sensitivitySquared: 36, sigma: 6))
        let cases: [(Int, Double)] = [(1, 1), (2, 2.0 / 3), (3, 5.0 / 3), (4, 4.0 / 7), (7, 47.0 / 21)]
        for (step, expected) in cases {
            let variance = tree.variance(after: step) / tree.noise.variance
            #expect(abs(variance - expected) < 1e-12)
        }
    }

    @Test("The square root's coefficients: their squares sum to what the event states, and L R is the running sum")
    func squareRoot() throws {
        let counter = try SquareRootCounter(steps: 4, loss: rho)
        // 1, 1/2, 3/8, 5/16 are multiples of 2^-20.
        let square = (1 + 0.25 + 9.0 / 64 + 25.0 / 256) * 0x1p40
        guard case .discreteGaussian(square, let sigma) = counter.event else {
            Issue.record("the exact sum of squares")
            return
        }
        #expect(abs(sigma / square.squareRoot() - 1) < 1e-9)
        // L = R, up to the unit.
        for (step, expected) in [(1, 1.0), (2, 1.25), (3, 1.390625)] {
            #expect(abs(counter.variance(after: step) / counter.noise.variance * 0x1p40 - expected) < 1e-9)
        }
    }

    @Test("The square root has less than half of the tree's mean variance over 1024 steps, under the same rho")
    func comparison() throws {
        let tree = try TreeCounter(steps: 1023, loss: rho)
        let root = try SquareRootCounter(steps: 1023, loss: rho)
        let treeMean = (1...1023).reduce(0) { $0 + tree.variance(after: $1) }
        let rootMean = (1...1023).reduce(0) { $0 + root.variance(after: $1) }
        #expect(rootMean < 0.5 * treeMean)
        // (ln n / pi + 1)^2 sigma^2 is the published order of each variance.
        #expect(root.variance(after: 1023) < pow(log(1023.0) / Double.pi + 1.1, 2))
    }

    @Test("Errors have the stated variance, and intervals their coverage (4.75 standard deviations)")
    func errors() throws {
        var generator = SeededGenerator(seed: 42)
        let draws = 4000
        let steps = 37
        var squares = (tree: 0.0, laplace: 0.0, root: 0.0)
        var covered = (tree: 0, laplace: 0, root: 0)
        let tree = try TreeCounter(steps: steps, loss: rho)
        let laplace = try TreeCounter(steps: steps, loss: epsilon)
        let root = try SquareRootCounter(steps: steps, loss: rho)
        for _ in 0..<draws {
            var first = tree.begin()
            var second = laplace.begin()
            var third = root.begin()
            var released = (0.0, 0.0, 0.0)
            for _ in 0..<steps {
                released.0 = try first.add(2, using: &generator)
                released.1 = try second.add(2, using: &generator)
                released.2 = try third.add(2, using: &generator)
            }
            let truth = Double(2 * steps)
            squares.tree += (released.0 - truth) * (released.0 - truth) / tree.variance(after: steps)
            squares.laplace += (released.1 - truth) * (released.1 - truth) / laplace.variance(after: steps)
            squares.root += (released.2 - truth) * (released.2 - truth) / root.variance(after: steps)
            func holds(_ interval: ConfidenceInterval) -> Int {
                interval.lower <= truth && truth <= interval.upper ? 1 : 0
            }
            covered.tree += holds(tree.interval(around: released.0, after: steps, confidence: 0.9))
            covered.laplace += holds(laplace.interval(around: released.1, after: steps, confidence: 0.9))
            covered.root += holds(root.interval(around: released.2, after: steps, confidence: 0.9))
        }
        for square in [squares.tree, squares.laplace, squares.root] {
            #expect(abs(square / Double(draws) - 1) < 4.75 * (5 / Double(draws)).squareRoot())
        }
        for count in [covered.tree, covered.laplace, covered.root] { #expect(count >= 3600 - 90) }
    }

    @Test("More steps than were reserved are refused, and extreme values are clipped")
    func limits() throws {
        var generator = SeededGenerator(seed: 43)
        var tree = try TreeCounter(steps: 2, loss: rho).begin()
        var root = try SquareRootCounter(steps: 2, loss: rho).begin()
        for value in [Int64.max, .min] {
            _ = try tree.add(value, using: &generator)
            _ = try root.add(value, using: &generator)
        }
        let taken = [tree.taken, root.taken]
        #expect(taken == [2, 2])
        // A run cannot be captured by a closure, as it cannot be copied.
        var refusals = 0
        do { _ = try tree.add(1, using: &generator) } catch { refusals += 1 }
        do { _ = try root.add(1, using: &generator) } catch { refusals += 1 }
        #expect(refusals == 2)
        for steps in [0, -1, .max] {
            #expect(throws: MechanismError.self) { try TreeCounter(steps: steps, loss: rho) }
            #expect(throws: MechanismError.self) { try SquareRootCounter(steps: steps, loss: rho) }
        }
        for sensitivity in [0, -1, .max] as [Int64] {
            #expect(throws: MechanismError.self) { try TreeCounter(steps: 3, sensitivity: sensitivity, loss: rho) }
            #expect(throws: MechanismError.self) {
                try SquareRootCounter(steps: 3, sensitivity: sensitivity, loss: rho)
            }
        }
        #expect(throws: MechanismError.self) { try SquareRootCounter(steps: 3, loss: epsilon) }
    }
}
