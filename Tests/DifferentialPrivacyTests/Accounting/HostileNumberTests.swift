import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

/// Numbers as an attacker, or a slip of the finger, writes them.
@Suite("Hostile numbers")
struct HostileNumberTests {
    static let numbers: [Double] = [
        .nan, .infinity, -.infinity, -1, -0.0, 0, .leastNonzeroMagnitude, 1e-307, 1e-160, 1e-20, 1e-9, 1e-3, 0.5, 1,
        1 + 0x1p-52, 2, 30,
        700, 1e4, 1e9, 1e18, 1e154, 1.7e308,
    ]
    static let counts: [Int] = [.min, -1, 0, 1, 2, 1000, 1_000_000_000, 1 << 40, .max]

    private func number(_ generator: inout SeededGenerator) -> Double {
        Self.numbers[Int.random(in: 0..<Self.numbers.count, using: &generator)]
    }

    private func count(_ generator: inout SeededGenerator) -> Int {
        Self.counts[Int.random(in: 0..<Self.counts.count, using: &generator)]
    }

    /// A curve of 10^9 shuffled reports takes as long as a hundred events: `shuffled` goes through those, each once.
    private func smallCount(_ generator: inout SeededGenerator) -> Int {
        let small = Self.counts.filter { $0 <= 1000 }
        return small[Int.random(in: 0..<small.count, using: &generator)]
    }

    private func event(_ generator: inout SeededGenerator, depth: Int = 0) -> PrivacyEvent {
        let a = number(&generator)
        let b = number(&generator)
        switch Int.random(in: 0..<(depth < 4 ? 16 : 11), using: &generator) {
        case 0: return .discreteGaussian(sensitivitySquared: a, sigma: b)
        case 1: return .discreteLaplace(sensitivity: a, scale: b)
        case 2: return .gaussian(noiseMultiplier: a)
        case 3: return .laplace(noiseMultiplier: a)
        case 4: return .skellam(l1Sensitivity: a, sensitivitySquared: b, variance: number(&generator))
        case 5: return .exponentialMechanism(epsilon: a, times: count(&generator))
        case 6: return .pure(epsilon: a)
        case 7: return .approximate(epsilon: a, delta: b)
        case 8: return .zeroConcentrated(rho: a)
        case 9: return .treeAggregation(noiseMultiplier: a, steps: count(&generator))
        case 10: return .shuffled(localEpsilon: a, count: smallCount(&generator))
        case 11: return .poissonSampled(rate: a, event(&generator, depth: depth + 1))
        case 12:
            return .fixedSizeSampled(
                sampleSize: count(&generator), populationSize: count(&generator), event(&generator, depth: depth + 1))
        case 13: return .repeated(event(&generator, depth: depth + 1), times: count(&generator))
        default: return .composition([event(&generator, depth: depth + 1), event(&generator, depth: depth + 1)])
        }
    }

    @Test("Every accountant refuses or answers: in order, not NaN, and more events never look better")
    func accountants() throws {
        var generator = SeededGenerator(seed: 71)
        var answered = 0
        for round in 0..<6000 {
            let neighbours: NeighbourRelation = round.isMultiple(of: 2) ? .addOrRemove : .replaceOne
            let accountants: [any Accountant] = [
                PureAccountant(neighbours: neighbours), ZeroConcentratedAccountant(neighbours: neighbours),
                GaussianAccountant(neighbours: neighbours), try RenyiAccountant(neighbours: neighbours),
                try RenyiAccountant(orders: [1.5, 2, 33], conversion: .classic, neighbours: neighbours),
            ]
            let first = event(&generator)
            let second = event(&generator)
            let delta = [0, 1e-300, 1e-9, 0.3, 1][round % 5]
            let epsilon = [0, 1e-9, 1, 50, 1e300, .infinity][round % 6]
            for var accountant in accountants {
                guard (try? accountant.compose(first)) != nil else { continue }
                let once = (try accountant.epsilon(delta: delta), try accountant.delta(epsilon: epsilon))
                for bounds in [once.0, once.1] {
                    #expect(bounds.lower >= 0 && bounds.lower <= bounds.upper, "\(first) \(bounds)")
                }
                #expect(once.1.upper <= 1)
                answered += 1
                guard (try? accountant.compose(second)) != nil else { continue }
                let both = (try accountant.epsilon(delta: delta), try accountant.delta(epsilon: epsilon))
                #expect(both.0.upper >= once.0.upper * (1 - 1e-5) - 1e-11, "\(first) \(second) \(once.0) \(both.0)")
                #expect(both.1.upper >= once.1.upper * (1 - 1e-5), "\(first) \(second) \(once.1) \(both.1)")
            }
        }
        #expect(answered > 3000)
    }

    @Test("Any number of shuffled reports, of any epsilon: refused, or in order and no better where there are more")
    func shuffled() throws {
        var answered = 0
        for localEpsilon in Self.numbers {
            for count in Self.counts where count > 1000 {
                let event = PrivacyEvent.shuffled(localEpsilon: localEpsilon, count: count)
                var accountant = try RenyiAccountant(orders: [2, 33], neighbours: .replaceOne)
                guard (try? accountant.compose(event)) != nil else { continue }
                let once = (try accountant.epsilon(delta: 1e-9), try accountant.delta(epsilon: 1))
                for bounds in [once.0, once.1] {
                    #expect(bounds.lower >= 0 && bounds.lower <= bounds.upper, "\(event) \(bounds)")
                }
                #expect(once.1.upper <= 1)
                try accountant.compose(.gaussian(noiseMultiplier: 2))
                #expect(try accountant.epsilon(delta: 1e-9).upper >= once.0.upper * (1 - 1e-5), "\(event)")
                answered += 1
            }
        }
        #expect(answered > 5)
    }

    @Test("Events that nest without end are refused, not followed")
    func nesting() throws {
        var deep = PrivacyEvent.gaussian(noiseMultiplier: 1)
        for _ in 0..<1000 { deep = .repeated(deep, times: 1) }
        var sampled = PrivacyEvent.gaussian(noiseMultiplier: 1)
        for _ in 0..<1000 { sampled = .poissonSampled(rate: 0.5, sampled) }
        for event in [deep, sampled] {
            var accountant = try RenyiAccountant()
            #expect(throws: MechanismError.self) { try accountant.compose(event) }
        }
    }

    @Test("Counts that overflow are refused", arguments: [Int.max, Int.max / 2 + 1])
    func overflow(times: Int) throws {
        var accountant = PureAccountant()
        #expect(throws: MechanismError.self) {
            try accountant.compose(.repeated(.repeated(.pure(epsilon: 0.1), times: 2), times: times))
        }
        try accountant.compose(.pure(epsilon: 1e-3), times: .max)
        #expect(throws: MechanismError.self) { try accountant.compose(.pure(epsilon: 1e-3)) }
        #expect(try accountant.epsilon(delta: 0).upper >= 9.2e15)
    }
}
