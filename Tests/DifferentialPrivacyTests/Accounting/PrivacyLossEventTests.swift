import Foundation
import Testing

@testable import DifferentialPrivacy

@Suite("Privacy loss distributions of events")
struct PrivacyLossEventTests {
    private func delta(_ laws: [LossLaw], epsilon: Double, step: Double = 1e-3) throws -> PrivacyBounds {
        let factors = laws.map { (factor: LossFactor($0), times: 1.0, cut: 1e-30) }
        return try #require(PrivacyLossDistribution.evaluate(factors, step: step, .delta(epsilon: epsilon)))
    }

    @Test("Laplace noise on a vector is dominated by one entry that changes by the sum")
    func laplaceVectors() throws {
        for parts in [[0.5, 0.5], [0.9, 0.1], [0.3, 0.4, 0.3], [0.25, 0.25, 0.25, 0.25]] {
            for epsilon in [0, 0.2, 0.6, 0.95] {
                let vector = try delta(parts.map { .laplace(epsilon: 2 * $0) }, epsilon: 2 * epsilon)
                // 1 - exp((epsilon - 2) / 2)
                #expect(vector.lower <= -expm1(epsilon - 1))
            }
        }
        for (a, c) in [(1.0, 1.0), (2, 1), (3, 4), (1, 6)] {
            for place in 0...Int(a + c) {
                let epsilon = (2 * Double(place) - a - c) * 0.3
                let vector = try delta(
                    [.discreteLaplace(steps: a, unit: 0.3), .discreteLaplace(steps: c, unit: 0.3)],
                    epsilon: max(0, epsilon))
                let one = try delta([.discreteLaplace(steps: a + c, unit: 0.3)], epsilon: max(0, epsilon))
                #expect(vector.lower <= one.upper)
            }
        }
    }

    @Test("Laplace laws, continuous and discrete, have the curve that the argument uses")
    func laplaceCurve() throws {
        for epsilon in [0, 0.5, 1.3, 1.9] {
            let bounds = try delta([.laplace(epsilon: 2)], epsilon: epsilon, step: 1e-4)
            let exact = -expm1((epsilon - 2) / 2)
            #expect(bounds.lower <= exact && exact <= bounds.upper && bounds.upper - bounds.lower < 1e-7)
        }
        for place in 4...7 {
            let epsilon = (2 * Double(place) - 7) * 0.1
            let bounds = try delta([.discreteLaplace(steps: 7, unit: 0.1)], epsilon: epsilon)
            let exact = -expm1((epsilon - 0.7) / 2)
            #expect(bounds.lower <= exact + 1e-12 && exact <= bounds.upper && bounds.upper - bounds.lower < 1e-7)
        }
        // As an enumeration over the integers says.
        let (unit, steps) = (0.2, 3)
        for epsilon in [0.1, 0.37] {
            var exact = 0.0
            for x in -300...300 {
                let scale = tanh(unit / 2)
                let p = scale * exp(-unit * Double(abs(x - steps)))
                let q = scale * exp(-unit * Double(abs(x)))
                exact += max(0, p - exp(epsilon) * q)
            }
            let bounds = try delta([.discreteLaplace(steps: Double(steps), unit: unit)], epsilon: epsilon)
            #expect(
                bounds.lower <= exact + 1e-12 && exact <= bounds.upper + 1e-12 && bounds.upper - bounds.lower < 1e-7)
        }
    }

    @Test("A discrete Gaussian vector: each way to change it lies below the bound, and the worst above the lower one")
    func discreteGaussianVectors() throws {
        func exact(_ changes: [Int], sigma: Double, _ epsilon: Double) -> Double {
            var joint: [(Double, Double)] = [(1, 1)]
            let reach = Int(sigma * 9) + 3
            func weight(_ x: Int) -> Double { exp(-Double(x * x) / (2 * sigma * sigma)) }
            let total = (-reach...reach).reduce(0.0) { $0 + weight($1) }
            for change in changes {
                joint = joint.flatMap { pair in
                    (-reach...reach + change).map {
                        (pair.0 * weight($0 - change) / total, pair.1 * weight($0) / total)
                    }
                }
            }
            return joint.reduce(0) { $0 + max(0, $1.0 - Foundation.exp(epsilon) * $1.1) }
        }
        for (square, sigma, ways) in [
            (1.0, 0.7, [[1]]), (2, 1.2, [[1, 1]]), (3, 1.5, [[1, 1, 1]]), (4, 3, [[2], [1, 1, 1]]), (5, 3, [[2, 1]]),
            (9, 5, [[3], [2, 2, 1]]),
        ] {
            let event = PrivacyEvent.discreteGaussian(sensitivitySquared: square, sigma: sigma)
            for epsilon in [0.2, 1, 1.7] {
                let bounds = try PrivacyLossDistribution(gridStep: 1e-3).composed(with: event).delta(epsilon: epsilon)
                for way in ways {
                    #expect(exact(way, sigma: sigma, epsilon) <= bounds.upper * (1 + 1e-9), "\(square) \(way)")
                }
                #expect(bounds.lower <= bounds.upper)
                if square <= 3 { #expect(exact(ways[0], sigma: sigma, epsilon) >= bounds.lower * (1 - 1e-9)) }
            }
        }
        // From sigma = 1000 on through the continuous law: it meets the exact one.
        let large = try PrivacyLossDistribution().composed(
            with: .discreteGaussian(sensitivitySquared: 1e6, sigma: 1001))
        let gaussian = try PrivacyLossDistribution().composed(with: .gaussian(noiseMultiplier: 1.001))
        let (a, b) = (try large.epsilon(delta: 1e-6), try gaussian.epsilon(delta: 1e-6))
        #expect(a.lower <= b.upper && b.lower <= a.upper && a.upper - a.lower < 1e-3)
    }

    @Test("A mechanism of bounded range: every shift of its range lies below the curve, and one touches it")
    func boundedRange() throws {
        let range = 1.2
        for epsilon in [0, 0.3, 0.9] {
            let bounds = try delta([.boundedRange(epsilon: range)], epsilon: epsilon, step: 1e-4)
            var worst = 0.0
            for shift in 0...100 {
                let t = range * Double(shift) / 100
                let likely = (exp(range) - exp(t)) / expm1(range)
                worst = max(worst, likely * -expm1(epsilon - t))
            }
            #expect(worst <= bounds.upper && bounds.upper < worst + 1e-4)
        }
        // At most the pure bound, at least that of two candidates.
        let event = PrivacyEvent.exponentialMechanism(epsilon: 0.1, times: 100)
        let ours = try PrivacyLossDistribution().composed(with: event).epsilon(delta: 1e-6)
        let pure = try PrivacyLossDistribution().composed(with: .pure(epsilon: 0.1), times: 100).epsilon(delta: 1e-6)
        let half = try PrivacyLossDistribution().composed(with: .pure(epsilon: 0.05), times: 100).epsilon(delta: 1e-6)
        #expect(ours.upper < pure.upper && ours.upper >= half.lower)
        #expect(abs(ours.lower - half.lower) < 1e-9)
    }

    @Test("Threshold selection is its noise and its delta")
    func thresholdSelection() throws {
        let selection = try GaussianThreshold(groupsPerUnit: 2, rho: 0.1, delta: 1e-7)
        let both = try PrivacyLossDistribution().composed(with: selection.event).epsilon(delta: 1e-5)
        let noise = try PrivacyLossDistribution()
            .composed(with: .discreteGaussian(sensitivitySquared: 2, sigma: selection.sigma))
        #expect(try both.upper >= noise.epsilon(delta: 1e-5).lower)
        #expect(try both.upper <= noise.epsilon(delta: 1e-5 - 2e-7).upper)
        #expect(both.lower == 0)
        #expect(try PrivacyLossDistribution().composed(with: selection.event).epsilon(delta: 1e-8).upper == .infinity)
    }

    @Test("A tree is one Gaussian over the nodes that hold a step")
    func tree() throws {
        let tree = try PrivacyLossDistribution().composed(with: .treeAggregation(noiseMultiplier: 5, steps: 100))
        let exact = Conversion.gaussianEpsilon(rho: 7.0 / 50, delta: 1e-6)
        let ours = try tree.epsilon(delta: 1e-6)
        #expect(ours.lower <= exact && exact <= ours.upper + 1e-12 && ours.upper - ours.lower < 1e-6)
    }

    @Test("What has no theorem here is refused, and so are parameters that mean nothing")
    func refused() throws {
        for event in [
            PrivacyEvent.zeroConcentrated(rho: 1), .skellam(l1Sensitivity: 1, sensitivitySquared: 1, variance: 10),
            .poissonSampled(rate: 0.1, .composition([.pure(epsilon: 1), .pure(epsilon: 1)])),
            .poissonSampled(rate: 0.1, .exponentialMechanism(epsilon: 1, times: 2)),
            .poissonSampled(rate: 0.1, .zeroConcentrated(rho: 1)), .gaussian(noiseMultiplier: 1e-6),
            .gaussian(noiseMultiplier: .nan), .gaussian(noiseMultiplier: 0), .laplace(noiseMultiplier: 1e-9),
            .pure(epsilon: .infinity), .pure(epsilon: 601), .approximate(epsilon: 1, delta: 1.5),
            .poissonSampled(rate: .nan, .gaussian(noiseMultiplier: 1)), .poissonSampled(rate: 1.1, .pure(epsilon: 1)),
            .discreteGaussian(sensitivitySquared: 1, sigma: 1e-6), .discreteGaussian(sensitivitySquared: 9, sigma: 1),
            .discreteLaplace(sensitivity: 1e9, scale: 1), .repeated(.pure(epsilon: 1), times: 1 << 41),
            .fixedSizeSampled(sampleSize: 1, populationSize: 9, .gaussian(noiseMultiplier: 1)),
            .shuffled(localEpsilon: 1, count: 100),
        ] {
            var accountant = try PrivacyLossAccountant()
            try accountant.compose(.gaussian(noiseMultiplier: 3))
            let before = try accountant.epsilon(delta: 1e-5)
            #expect(throws: MechanismError.self, "\(event)") { try accountant.compose(event) }
            #expect(try accountant.epsilon(delta: 1e-5) == before)
        }
        for step in [0, -1, .nan, 1e-9, 2, .infinity] {
            #expect(throws: MechanismError.self) { try PrivacyLossAccountant(gridStep: step) }
        }
        var replacing = try PrivacyLossAccountant(neighbours: .replaceOne)
        #expect(throws: MechanismError.self) {
            try replacing.compose(.poissonSampled(rate: 0.1, .gaussian(noiseMultiplier: 1)))
        }
        try replacing.compose(.gaussian(noiseMultiplier: 1))
        for delta in [-1, 1.1, .nan] {
            #expect(throws: MechanismError.self) { try replacing.epsilon(delta: delta) }
        }
        for epsilon in [-1, .nan] {
            #expect(throws: MechanismError.self) { try replacing.delta(epsilon: epsilon) }
        }
    }

    @Test(
        "Extreme parameters have a valid answer",
        arguments: [
            (PrivacyEvent.poissonSampled(rate: 1e-4, .gaussian(noiseMultiplier: 1)), 1_000_000_000),
            (.gaussian(noiseMultiplier: 1e9), 1), (.gaussian(noiseMultiplier: 1e12), 1 << 40),
            (.gaussian(noiseMultiplier: 0.1), 1), (.gaussian(noiseMultiplier: 1), 1_000_000_000),
            (.poissonSampled(rate: 1e-12, .gaussian(noiseMultiplier: 0.5)), 1000),
            (.poissonSampled(rate: 1 - 1e-12, .gaussian(noiseMultiplier: 2)), 10),
            (.poissonSampled(rate: 1e-300, .laplace(noiseMultiplier: 1)), 10), (.pure(epsilon: 600), 1),
            (.pure(epsilon: 1e-12), 1000), (.discreteLaplace(sensitivity: 1e9, scale: 1e9), 3),
            (.discreteLaplace(sensitivity: 0, scale: 1), 3), (.laplace(noiseMultiplier: 1e300), 5),
            (.discreteGaussian(sensitivitySquared: 1e24, sigma: 1e12), 4),
            (.discreteGaussian(sensitivitySquared: 0.5, sigma: 1e-12), 4),
        ])
    func extremes(event: PrivacyEvent, times: Int) throws {
        let loss = try PrivacyLossDistribution(gridStep: 1e-2).composed(with: event, times: times)
        for delta in [0, 1e-300, 1e-100, 1e-5, 0.5] {
            let bounds = try loss.epsilon(delta: delta)
            #expect(bounds.lower >= 0 && bounds.lower <= bounds.upper, "\(event) \(delta) \(bounds)")
        }
        for epsilon in [0, 1e3, .infinity] {
            let bounds = try loss.delta(epsilon: epsilon)
            #expect(
                bounds.lower >= 0 && bounds.lower <= bounds.upper && bounds.upper <= 1, "\(event) \(epsilon) \(bounds)")
        }
        if case .gaussian(let sigma) = event {
            let exact = Conversion.gaussianEpsilon(rho: Double(times) / 2 / sigma / sigma, delta: 1e-5)
            #expect(try loss.epsilon(delta: 1e-5).upper >= exact * (1 - 1e-9))
        }
    }
}
