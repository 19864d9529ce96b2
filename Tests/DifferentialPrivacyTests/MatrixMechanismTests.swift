import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("The matrix mechanism and heavy hitters")
struct MatrixMechanismTests {
    let rho: PrivacyLoss
    let epsilon: PrivacyLoss

    init() throws {
        rho = try PrivacyLoss(roundingDownRho: 0.5)
        epsilon = try PrivacyLoss(roundingDownEpsilon: 1)
    }

    private func prefixes(_ size: Int) -> [[Double]] {
        (0..<size).map { row in (0..<size).map { $0 <= row ? 1 : 0 } }
    }

    private func total(_ mechanism: MatrixMechanism) -> Double { mechanism.variances.reduce(0, +) }

    @Test("Without noise, answers are exact")
    func exact() throws {
        var generator = SeededGenerator(seed: 61)
        let workload = prefixes(20) + [(0..<20).map { Double($0) - 7.5 }]
        let counts = (0..<20).map { Int64($0 * $0 % 17) }
        for loss in NoNoise.losses {
            let answers = try MatrixMechanism(workload: workload, loss: loss).release(counts, using: &generator).answers
            for (answer, query) in zip(answers, workload) {
                let truth = zip(query, counts).reduce(0.0) { $0 + $1.0 * Double($1.1) }
                #expect(abs(answer - truth) < 1e-2)
            }
        }
    }

    @Test("The identity's strategy is the identity; the optimum for prefixes clearly beats it and trees")
    func strategies() throws {
        let identity = (0..<16).map { row in (0..<16).map { $0 == row ? 1.0 : 0 } }
        #expect(abs(total(try MatrixMechanism(workload: identity, loss: rho)) / 16 - 1) < 1e-4)
        #expect(abs(total(try MatrixMechanism(workload: identity, loss: epsilon)) / 16 - 1.8413) < 1e-3)
        let workload = prefixes(64)
        let plain = 64.0 * 65 / 2
        let optimum = total(try MatrixMechanism(workload: workload, loss: rho))
        #expect(optimum < plain / 7)
        // The lower bound by singular values: (sum of them)^2 / n, here sigma_k = 1 / (2 sin((2k - 1) pi / (4n + 2))).
        let singular = (1...64).map { k -> Double in
            let angle = Double(2 * k - 1) * Double.pi / Double(4 * 64 + 2)
            return 1 / (2 * sin(angle))
        }
        let trace = singular.reduce(0, +)
        #expect(optimum >= trace * trace / 64 && optimum < 1.15 * trace * trace / 64)
        let pure = total(try MatrixMechanism(workload: workload, loss: epsilon))
        #expect(pure < 0.8 * plain * 1.8413)
    }

    @Test("The event states the largest column of the integers that are really used")
    func sensitivity() throws {
        for loss in [rho, epsilon] {
            let mechanism = try MatrixMechanism(workload: prefixes(24), rowsPerUnit: 3, loss: loss)
            let columns = (0..<24).map { column in mechanism.strategy.rows.map { Double($0[column]) } }
            switch mechanism.event {
            case .discreteLaplace(let stated, _):
                let largest = columns.map { column in column.reduce(0) { $0 + abs($1) } }.max() ?? 0
                #expect(stated == 3 * largest)
            case .discreteGaussian(let stated, _):
                let largest = columns.map { column in column.reduce(0) { $0 + $1 * $1 } }.max() ?? 0
                #expect(stated == 9 * largest)
            default: Issue.record("an additive event")
            }
        }
    }

    @Test("Answers have the stated variance, and intervals cover (4.75 standard deviations); few queries, low rank too")
    func errors() throws {
        var generator = SeededGenerator(seed: 62)
        let few = [[1.0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 0]]
        for (workload, loss) in [(prefixes(6), rho), (prefixes(6), epsilon), (few, rho), (few, epsilon)] {
            let mechanism = try MatrixMechanism(workload: workload, loss: loss)
            let query = 1
            let truth = 5 * workload[query].reduce(0, +)
            var (squares, covered) = (0.0, 0)
            for _ in 0..<4000 {
                let answer = try mechanism.release([5, 5, 5, 5, 5, 5], using: &generator).answers[query]
                squares += (answer - truth) * (answer - truth)
                let interval = try mechanism.interval(around: answer, query: query, confidence: 0.9)
                if interval.lower <= truth && truth <= interval.upper { covered += 1 }
            }
            let relative = squares / 4000 / mechanism.variances[query] - 1
            #expect(abs(relative) < 4.75 * (5.0 / 4000).squareRoot() && covered >= 3600 - 90)
        }
    }

    @Test("Workloads that are none are refused")
    func refused() throws {
        var generator = SeededGenerator(seed: 63)
        for workload in [[], [[]], [[0, 0]], [[1, .nan]], [[1, .infinity]], [[1, 2], [1]], [[1e200, 1]]] as [[[Double]]]
        {
            #expect(throws: MechanismError.self) { try MatrixMechanism(workload: workload, loss: rho) }
        }
        let wide = [[Double](repeating: 1, count: 257)]
        #expect(throws: MechanismError.self) { try MatrixMechanism(workload: wide, loss: rho) }
        let mechanism = try MatrixMechanism(workload: [[1, 1]], loss: rho)
        #expect(throws: MechanismError.self) { try mechanism.release([1], using: &generator) }
        #expect(throws: MechanismError.self) { try mechanism.interval(around: 0, query: 1, confidence: 0.9) }
        #expect(try mechanism.release([.max, .min], using: &generator).answers[0].isFinite)
    }

    @Test("Frequent items are found with their counts, rare ones and noise are not")
    func heavyHitters() throws {
        var generator = SeededGenerator(seed: 64)
        for loss in [rho, epsilon] {
            let hitters = try HeavyHitters(bits: 32, falseAlarms: 1e-6, loss: loss)
            #expect(hitters.levels == 4)
            let frequent = hitters.detectableCount(confidence: 1 - 1e-6)
            var items: [UInt64: Int64] = [
                7: frequent, 0xffff_ffff: frequent, 0xdead_beef: 2 * frequent, 1 << 32: 1 << 40,
            ]
            for rare in 0..<1000 as Range<UInt64> { items[0x1000_0000 + rare << 16] = 1 }
            let found = hitters.release(items, using: &generator)
            #expect(found.map(\.value) == [7, 0xdead_beef, 0xffff_ffff])
            for item in found {
                let error = item.noisyCount - (items[item.value] ?? 0)
                #expect(abs(error) <= hitters.noise.halfWidth(confidence: 1 - 1e-6))
            }
            #expect(hitters.release([:], using: &generator).isEmpty)
            #expect(hitters.release([3: -5, 4: 0], using: &generator).isEmpty)
        }
        let whole = try HeavyHitters(bits: 64, bitsPerLevel: 16, mostSurvivors: 1, loss: NoNoise.losses[0])
        let items: [UInt64: Int64] = [.max: 90, 0: 100, 1 << 63: .max]
        #expect(whole.release(items, using: &generator) == [HeavyHitters.Item(value: 1 << 63, noisyCount: 1 << 32)])
        for bits in [0, 65] { #expect(throws: MechanismError.self) { try HeavyHitters(bits: bits, loss: rho) } }
        #expect(throws: MechanismError.self) { try HeavyHitters(bits: 8, bitsPerLevel: 17, loss: rho) }
        #expect(throws: MechanismError.self) { try HeavyHitters(bits: 8, itemsPerUnit: 0, loss: rho) }
        #expect(throws: MechanismError.self) { try HeavyHitters(bits: 8, mostSurvivors: 0, loss: rho) }
        #expect(throws: MechanismError.self) { try HeavyHitters(bits: 8, falseAlarms: 0, loss: rho) }
    }

    @Test("An item is kept from the threshold on; a detectable count outlasts each level's noise (a union bound)")
    func heavyHitterThreshold() throws {
        var generator = SeededGenerator(seed: 65)
        let exact = try HeavyHitters(bits: 8, loss: NoNoise.losses[0])
        #expect(exact.release([3: exact.threshold, 5: exact.threshold - 1], using: &generator).map(\.value) == [3])
        let hitters = try HeavyHitters(bits: 24, loss: try PrivacyLoss(roundingDownRho: 0.005))
        let margin = hitters.detectableCount(confidence: 0.97) - hitters.threshold
        // Three levels: each falls below -margin with 1 % at most, which a margin less by one exceeds.
        let outside = (hitters.noise.upperTail(margin + 1), hitters.noise.upperTail(margin))
        #expect(2 * outside.0 <= 0.01 && 2 * outside.1 > 0.01)
    }

    @Test("An item is in one node of each level: what the event states")
    func heavyHitterSensitivity() throws {
        let hitters = try HeavyHitters(bits: 20, bitsPerLevel: 8, itemsPerUnit: 2, loss: rho)
        guard case .discreteGaussian(12, _) = hitters.event else {
            Issue.record("three levels, two items: 4 times 3")
            return
        }
    }
}
