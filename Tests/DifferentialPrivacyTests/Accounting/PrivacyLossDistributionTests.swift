import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Privacy loss distributions")
struct PrivacyLossDistributionTests {
    private func composed(
        _ event: PrivacyEvent, _ times: Int = 1, step: Double = 1e-3
    ) throws -> PrivacyLossDistribution {
        try PrivacyLossDistribution(gridStep: step).composed(with: event, times: times)
    }

    private func sampled(_ rate: Double, _ sigma: Double) -> PrivacyEvent {
        .poissonSampled(rate: rate, .gaussian(noiseMultiplier: sigma))
    }

    /// delta at epsilon of the composition of laws made of atoms alone, by enumeration.
    private func exact(_ laws: [LossLaw], rate: Double = 1, epsilon: Double) -> Double {
        var joint: [(p: Double, q: Double)] = [(1, 1)]
        for law in laws {
            joint = joint.flatMap { pair in
                law.atoms.map { (pair.p * ((1 - rate) * $0.q + rate * $0.p), pair.q * $0.q) }
            }
        }
        return joint.reduce(0) { $0 + max(0, $1.p - exp(epsilon) * $1.q) }
    }

    @Test("What is proved from below is never above what another accountant proves from above")
    func accountantsAgree() throws {
        var random = SeededGenerator(seed: 5)
        func uniform(_ low: Double, _ high: Double) -> Double {
            low * Foundation.exp(Foundation.log(high / low) * Double(random.next() >> 11) * 0x1p-53)
        }
        var cases: [(events: [(PrivacyEvent, Int)], delta: Double)] = [
            ([(.exponentialMechanism(epsilon: 3.5, times: 1), 2000)], 1e-6),
            ([(.discreteGaussian(sensitivitySquared: 5, sigma: 2.4003), 1917)], 3.334e-4),
        ]
        // Laws whose upper and lower bounds differ, many times, alone and beside others.
        for _ in 0..<40 {
            let some: [PrivacyEvent] = [
                .exponentialMechanism(epsilon: uniform(0.05, 4), times: 1),
                .discreteGaussian(sensitivitySquared: uniform(1, 40).rounded(), sigma: uniform(0.8, 20)),
                .skellam(l1Sensitivity: 3, sensitivitySquared: 3, variance: uniform(20, 400)),
                .discreteLaplace(sensitivity: uniform(1, 6).rounded(), scale: uniform(0.5, 20)),
                .gaussian(noiseMultiplier: uniform(0.5, 20)),
            ].filter { _ in random.next() % 3 == 0 }
            cases.append((some.map { ($0, Int(uniform(1, 3000))) }, uniform(1e-10, 0.5)))
        }
        var informative = 0
        for (events, delta) in cases {
            var below = try PrivacyLossAccountant(gridStep: 1e-3)
            var above = try RenyiAccountant()
            do {
                for (event, times) in events {
                    try below.compose(event, times: times)
                    try above.compose(event, times: times)
                }
                let bounds = try below.epsilon(delta: delta)
                #expect(try bounds.lower <= above.epsilon(delta: delta).upper, "\(events) \(delta)")
                if bounds.lower > 0, bounds.lower > 0.5 * bounds.upper { informative += 1 }
                let epsilon = 0.7 * bounds.upper
                #expect(try below.delta(epsilon: epsilon).lower <= above.delta(epsilon: epsilon).upper, "\(events)")
            } catch {
                // An event that is not supported, or losses too large for a grid.
                continue
            }
        }
        #expect(informative >= 15)
    }

    @Test("Random laws, also sampled: the exact delta lies between the bounds on grids of every width")
    func randomLaws() throws {
        var random = SeededGenerator(seed: 5)
        func uniform() -> Double { (Double(random.next() >> 11) + 0.5) * 0x1p-53 }
        var narrow = 0
        for round in 0..<60 {
            let weights = (0..<5).map { _ in (uniform() * uniform(), uniform()) }
            let (p, q) = (weights.reduce(0) { $0 + $1.0 }, weights.reduce(0) { $0 + $1.1 })
            let law = LossLaw(
                density: .none,
                atoms: weights.map { LossLaw.Atom(loss: log($0.0 / p / ($0.1 / q)), p: $0.0 / p, q: $0.1 / q) })
            let rate = round % 2 == 0 ? 1 : uniform()
            let one = SampledLaw(law: law, rate: rate)
            let step = [0.5, 0.1, 0.01, 0.001][round % 4]
            let cells = one.cells(step: step, cut: 1e-30)
            for epsilon in [-0.7, 0, 0.3, 1.1, 2.9] {
                let truth = exact([law, law, law], rate: rate, epsilon: epsilon)
                func bound(_ masses: GridMasses, isUpper: Bool) -> Double {
                    let moments = LossMoments(laws: [(masses, 3)])
                    let tilt = LossTilt(moments, step: step, query: .delta(epsilon: epsilon))
                    let transform = RealFourierTransform(count: RealFourierTransform.count(atLeast: tilt.count))
                    let composition = LossComposition(moments, tilt: tilt, transform: transform)
                    return LossTail(composition: composition, blur: 3 * one.blur(cut: 1e-30), isUpper: isUpper)
                        .delta(epsilon: epsilon)
                }
                let upper = bound(cells.pessimistic(), isUpper: true)
                let lower = bound(cells.optimistic(), isUpper: false)
                let slack = 1e-15
                #expect(
                    lower <= truth + slack && truth <= upper + slack, "\(round) \(epsilon) \(lower) \(truth) \(upper)")
                #expect(upper - lower <= 3 * step, "\(round) \(epsilon)")
                if upper - lower <= step * 0.01 { narrow += 1 }
            }
        }
        #expect(narrow > 20)
    }

    @Test("Cells keep each law's mass, and reversal is the pair exchanged")
    func cells() {
        for law in [
            LossLaw.gaussian(mu: 1), .laplace(epsilon: 0.7), .discreteLaplace(steps: 7, unit: 0.3),
            .boundedRange(epsilon: 1.3),
            .pure(epsilon: 2, delta: 0.25), .unitDiscreteGaussian(sigma: 2, cut: 1e-20),
        ] {
            for rate in [1, 0.3] {
                let cells = SampledLaw(law: law, rate: rate).cells(step: 0.01, cut: 1e-20)
                let reversed = cells.reversed
                #expect(abs(cells.p.reduce(0, +) + cells.infiniteP - 1) < 1e-12)
                #expect(abs(reversed.p.reduce(0, +) + reversed.infiniteP - 1) < 1e-12)
                let twice = reversed.reversed
                #expect(twice.first == cells.first)
                for (a, b) in zip(twice.p, cells.p) { #expect(abs(a - b) <= 1e-12 * b) }
                // Losses in a cell are between its ends.
                for (p, r) in zip(cells.p, cells.r) {
                    #expect(r <= p * (1 + 1e-9) && p <= r * exp(0.01) * (1 + 1e-9))
                }
                if rate == 1 {
                    // Symmetric pairs.
                    func delta(_ masses: GridMasses) -> Double {
                        masses.masses.indices.reduce(masses.infinite) { sum, i in
                            let loss = Double(masses.first + i) * 0.01
                            return sum + (loss > 0.2 ? -expm1(0.2 - loss) * masses.masses[i] : 0)
                        }
                    }
                    #expect(abs(delta(cells.pessimistic()) - delta(reversed.pessimistic())) < 1e-7)
                    #expect(delta(cells.optimistic()) <= delta(reversed.pessimistic()) + 1e-12)
                }
            }
        }
    }

    @Test("A Gaussian's mass between points a hair apart, and far out, is right to many digits")
    func normalMass() {
        // Computed with 60 digits. In the second argument, 3.0001 and the like are rounded, which shows in narrow widths.
        for (a, b, mass, tolerance) in [
            (0.0, 1e-4, 3.98942279736528897e-5, 1e-15), (3.0, 3.0001, 4.43118369377355464e-7, 1e-11),
            (10.0, 10.001, 7.65625228405795178e-26, 1e-12), (-10.001, -10.0, 7.65625228405795178e-26, 1e-12),
            (-1.0, 2.0, 0.818594614120363741, 1e-15), (-Double.infinity, -5, 2.86651571879193912e-7, 1e-14),
            (0.5, 0.519, 0.00665716810060571038, 1e-13),
        ] {
            #expect(abs(LossLaw.normalMass(a, b) - mass) <= tolerance * mass, "\(a) \(b)")
        }
    }

    @Test("An interval shrinks as the grid does, and all intervals meet")
    func gridShrinks() throws {
        for event in [sampled(0.01, 1), .laplace(noiseMultiplier: 3), .discreteLaplace(sensitivity: 3, scale: 7)] {
            var width = Double.infinity
            var (lower, upper) = (0.0, Double.infinity)
            for step in [1e-2, 1e-3, 1e-4] {
                let bounds = try composed(event, 300, step: step).epsilon(delta: 1e-6)
                #expect(bounds.upper - bounds.lower <= width + 1e-7)
                width = bounds.upper - bounds.lower
                (lower, upper) = (max(lower, bounds.lower), min(upper, bounds.upper))
            }
            #expect(lower <= upper)
            #expect(width < 1e-3)
        }
    }

    @Test("More steps, a higher rate and less noise cost more")
    func monotone() throws {
        func upper(_ rate: Double, _ sigma: Double, _ steps: Int) throws -> Double {
            try composed(sampled(rate, sigma), steps).epsilon(delta: 1e-5).upper
        }
        let base = try upper(0.01, 1, 500)
        #expect(try upper(0.01, 1, 600) > base)
        #expect(try upper(0.012, 1, 500) > base)
        #expect(try upper(0.01, 0.95, 500) > base)
        let loss = try composed(sampled(0.01, 1), 500)
        #expect(try loss.epsilon(delta: 1e-6).upper > base)
        #expect(try loss.delta(epsilon: 1).upper > loss.delta(epsilon: 1.1).upper)
    }

    @Test("Epsilon and delta are each other's inverse, down to deltas of 1e-100")
    func inverse() throws {
        let loss = try composed(sampled(0.01, 1), 1000, step: 1e-4)
        for delta in [0.1, 1e-3, 1e-9, 1e-20] {
            let epsilon = try loss.epsilon(delta: delta)
            #expect(epsilon.lower <= epsilon.upper)
            #expect(try loss.delta(epsilon: epsilon.upper).lower <= delta * (1 + 1e-9))
            #expect(try loss.delta(epsilon: epsilon.lower).upper >= delta * (1 - 1e-9))
            #expect(epsilon.upper - epsilon.lower < 0.02 * epsilon.upper + 1e-3)
        }
        let rho = 50.0 / 2 / 36
        let gaussian = try composed(.gaussian(noiseMultiplier: 6), 50)
        for delta in [1e-30, 1e-100] {
            let exact = Conversion.gaussianEpsilon(rho: rho, delta: delta)
            let ours = try gaussian.epsilon(delta: delta)
            #expect(ours.lower <= exact && ours.upper >= exact * (1 - 1e-12) && ours.upper - ours.lower < 1e-3)
        }
    }

    @Test("Infinite losses: k mechanisms of delta each, all of it and no more")
    func infiniteLoss() throws {
        let event = PrivacyEvent.approximate(epsilon: 0.1, delta: 1e-6)
        let five = try composed(event, 5)
        let all = -expm1(5 * log1p(-1e-6))
        let bounds = try five.delta(epsilon: 0.5)
        #expect(abs(bounds.upper - all) < 1e-12 && abs(bounds.lower - all) < 1e-12)
        #expect(try five.epsilon(delta: 4e-6) == PrivacyBounds(lower: .infinity, upper: .infinity))
        #expect(try five.epsilon(delta: 6e-6).upper <= 0.5 + 1e-9)
        // In a sample, infinity has its share of the probability, and the unit's absence is noticed with none.
        let half = try composed(.poissonSampled(rate: 0.5, event), 1)
        #expect(abs(try half.delta(epsilon: 1).upper - 5e-7) < 1e-15)
        #expect(try composed(.approximate(epsilon: 0, delta: 1)).delta(epsilon: 3).upper == 1)
    }

    @Test("The order of composition, and how it is split, do not matter")
    func composition() throws {
        let one = try composed(sampled(0.02, 1.1), 70).composed(with: .laplace(noiseMultiplier: 9), times: 3)
        let event = PrivacyEvent.composition([
            .repeated(.laplace(noiseMultiplier: 9), times: 3), .repeated(sampled(0.02, 1.1), times: 70),
        ])
        #expect(try composed(event).epsilon(delta: 1e-6) == one.epsilon(delta: 1e-6))
        #expect(try composed(event, 0).epsilon(delta: 1e-6) == PrivacyBounds(lower: 0, upper: 0))
        // A rate of 1 is no sampling, a rate of 0 nothing, and a sample of a sample one of the product of rates.
        #expect(
            try composed(sampled(1, 2)).epsilon(delta: 1e-5)
                == composed(.gaussian(noiseMultiplier: 2)).epsilon(delta: 1e-5))
        #expect(try composed(sampled(0, 2), 1000).epsilon(delta: 0).upper == 0)
        #expect(
            try composed(.poissonSampled(rate: 0.5, sampled(0.5, 2))).epsilon(delta: 1e-5)
                == composed(sampled(0.25, 2)).epsilon(delta: 1e-5))
    }

    @Test("Adding a unit can cost more than removing it: the worse direction counts")
    func directions() throws {
        // By hand, one Gaussian of a sample: the unit removed has the curve H(P, Q), added H(Q, P).
        let (rate, sigma) = (0.5, 1.0)
        let law = SampledLaw(law: .gaussian(mu: 1 / sigma), rate: rate)
        let cells = law.cells(step: 1e-4, cut: 1e-20)
        func exact(_ epsilon: Double) -> Double {
            // P = (1-q) N(0) + q N(1) above the point where its ratio to N(0) is exp(epsilon).
            let x = log((exp(epsilon) - 1 + rate) / rate) + 0.5
            let q = erfc(x / 2.0.squareRoot()) / 2
            let p = (1 - rate) * q + rate * erfc((x - 1) / 2.0.squareRoot()) / 2
            return p - exp(epsilon) * q
        }
        let bounds = try composed(sampled(rate, sigma), step: 1e-4).delta(epsilon: 0.4)
        #expect(bounds.lower <= exact(0.4) && exact(0.4) <= bounds.upper)
        #expect(bounds.upper - bounds.lower < 1e-8)
        // Losses of an addition cannot pass -ln(1 - rate).
        let most = Double(cells.reversed.first + (cells.reversed.p.lastIndex { $0 > 1e-15 } ?? 0)) * 1e-4
        #expect(most <= -log(0.5) && most > -log(0.5) - 0.01)
    }
}
