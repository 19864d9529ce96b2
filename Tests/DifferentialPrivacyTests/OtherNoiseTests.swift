import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

/// Chi-square at a false-alarm rate of 1e-6 each, seeded.
@Suite("Geometric, staircase, Skellam noise and noise on a grid")
struct OtherNoiseTests {
    private static let draws = 200_000

    private func fits(
        _ probability: (Int64) -> Double, _ xs: ClosedRange<Int64>, seed: UInt64, draws: Int = draws,
        _ draw: (inout SeededGenerator) -> Int64
    ) -> Bool {
        var generator = SeededGenerator(seed: seed)
        var counts = [Int](repeating: 0, count: xs.count)
        for _ in 0..<draws {
            let x = draw(&generator)
            if xs.contains(x) { counts[Int(x - xs.lowerBound)] += 1 }
        }
        return ChiSquare.fits(counts: counts, probabilities: xs.map(probability), draws: draws)
    }

    @Test("Geometric noise: its law, mean and variance", arguments: [1e-3, 0.3, 1, 7.5, 60])
    func geometric(scale: Double) throws {
        let noise = try GeometricNoise(scale: scale)
        let a = exp(-1 / scale)
        #expect(fits({ $0 < 0 ? 0 : (1 - a) * pow(a, Double($0)) }, -1...2_000, seed: 151) { noise.sample(using: &$0) })
        #expect(abs(noise.mean - a / (1 - a)) <= 1e-12 * (1 + noise.mean))
        #expect(abs(noise.variance - a / (1 - a) / (1 - a)) <= 1e-12 * (1 + noise.variance))
    }

    @Test("Staircase noise: law, privacy, variance and half-width by plain sums")
    func staircase() throws {
        for (epsilon, sensitivity, step) in [
            (1, 1, nil), (2, 10, nil), (0.5, 7, 3), (5, 100, nil), (3, 40, 40), (8, 1_000, 1),
        ] as [(Double, Int64, Int64?)] {
            let noise = try StaircaseNoise(epsilon: epsilon, sensitivity: sensitivity, step: step)
            let reach = sensitivity * Int64(45 / epsilon + 3)
            let weights = (-reach...reach).map { x in
                let magnitude = abs(x)
                let stair = magnitude / sensitivity + (magnitude % sensitivity < noise.step ? 0 : 1)
                return exp(-epsilon * Double(stair))
            }
            let total = weights.reduce(0, +)
            let law = weights.map { $0 / total }
            func probability(_ x: Int64) -> Double { abs(x) > reach ? 0 : law[Int(x + reach)] }
            #expect((-reach...reach).allSatisfy { abs(noise.probability($0) - probability($0)) < 1e-12 })
            #expect(fits(probability, -reach...reach, seed: 152) { noise.sample(using: &$0) })
            let variance = (-reach...reach).reduce(0.0) { $0 + Double($1 * $1) * probability($1) }
            #expect(abs(noise.variance / variance - 1) < 1e-9)
            for shift in Set([1, sensitivity / 2, sensitivity]) {
                let worst = ((shift - reach)...reach).map { abs(log(probability($0) / probability($0 - shift))) }.max()
                #expect((worst ?? 0) <= epsilon * (1 + 1e-9))
            }
            for confidence in [0.5, 0.9, 0.99] {
                let h = noise.halfWidth(confidence: confidence)
                let inside = (-h...h).reduce(0.0) { $0 + probability($1) }
                #expect(inside >= confidence - 1e-9)
                if h > 0 { #expect(inside - 2 * probability(h) < confidence + 1e-9) }
            }
        }
    }

    struct DensityRow: Decodable {
        var eps: String
        var gamma: String
        var gamma_kind: String
        var steps: [String]
    }

    @Test(
        "Staircase noise of a large sensitivity has the continuous law's density",
        .enabled(if: KnownAnswers.areAvailable, "the folder of known answers is not beside the package"))
    func density() throws {
        let sensitivity: Int64 = 10_000_000
        for row in try KnownAnswers.rows("e_staircase_density", as: DensityRow.self) {
            let (epsilon, gamma) = (try #require(Double(row.eps)), try #require(Double(row.gamma)))
            let step = Int64((gamma * Double(sensitivity)).rounded())
            let noise = try StaircaseNoise(epsilon: epsilon, sensitivity: sensitivity, step: step)
            for (stair, density) in row.steps.compactMap(Double.init).enumerated() {
                let start = Int64(stair) * sensitivity
                #expect(abs(noise.probability(start) * Double(sensitivity) / density - 1) < 1e-5)
                #expect(abs(noise.probability(-start - step + 1) * Double(sensitivity) / density - 1) < 1e-5)
                #expect(noise.probability(start + step) < noise.probability(start + step - 1))
            }
            if row.gamma_kind == "l1opt" {
                #expect(abs(try StaircaseNoise(epsilon: epsilon, sensitivity: sensitivity).step - step) <= 1)
            }
        }
    }

    @Test("Staircase noise beats Laplace noise where it should, and equals it at sensitivity 1")
    func comparison() throws {
        let staircase = try StaircaseNoise(epsilon: 4, sensitivity: 100)
        let laplace = try DiscreteLaplace(scale: 25)
        #expect(staircase.variance < 0.75 * laplace.variance)
        let one = try StaircaseNoise(epsilon: 1, sensitivity: 1)
        #expect(abs(one.variance / (try DiscreteLaplace(scale: 1).variance) - 1) < 1e-9)
    }

    private func poisson(_ mean: Double, _ x: Int64) -> Double {
        x < 0 ? 0 : exp(Double(x) * log(mean) - mean - lgamma(Double(x) + 1))
    }

    @Test("Poisson draws follow their law", arguments: [0x1p-30, 0.001, 0.5, 1, 3.75, 100.25, 12_345.678, 0x1p20])
    func poisson(mean: Double) throws {
        let sampler = PoissonSampler(mean: try #require(Dyadic(mean)))
        let spread = Int64(8 * mean.squareRoot()) + 12
        let (low, high) = (max(0, Int64(mean) - spread), Int64(mean) + spread)
        #expect(fits({ poisson(mean, $0) }, low...high, seed: 153) { sampler.sample(using: &$0) })
    }

    @Test("Weights are bounded: their sum is exp(mean), and more digits only narrow the bounds")
    func weights() throws {
        for mean in [0.25, 3.75, 100.25] {
            let exact = try #require(Dyadic(mean))
            let weights = PoissonWeights(mean: exact, bits: 96)
            let finer = PoissonWeights(mean: exact, bits: 224)
            var below = (lower: Natural.zero, upper: weights.below + weights.above)
            for (index, weight) in weights.weights.enumerated() {
                below = (below.lower + weight.lower, below.upper + weight.upper)
                let place = Int(weights.first - finer.first) + index
                let fine = finer.weights[place]
                #expect(!(fine.upper < (weight.lower << 128)) && !((weight.upper << 128) < fine.lower))
            }
            // The mode's weight is one: the sum is 1 / P(mode).
            let sum = 1 / poisson(mean, Int64(mean))
            #expect(abs(Double((below.lower >> 40).low128) * 0x1p-56 / sum - 1) < 1e-12)
            #expect(abs(Double((below.upper >> 40).low128) * 0x1p-56 / sum - 1) < 1e-12)
        }
    }

    @Test("Deciding with numbers of any size gives the same draw as the table, digit for digit")
    func exactly() throws {
        for mean in [0.25, 3.75, 40.5] {
            let sampler = PoissonSampler(mean: try #require(Dyadic(mean)))
            for seed in 0..<150 as Range<UInt64> {
                var (a, b) = (SeededGenerator(seed: seed), SeededGenerator(seed: seed))
                #expect(sampler.sample(using: &a) == sampler.decide(b.next(), using: &b))
            }
        }
    }

    @Test("Skellam noise: known probabilities, the law of draws, half-widths")
    func skellam() throws {
        // exp(-2) I_0(2) and exp(-2) I_1(2).
        let two = try Skellam(variance: 2).probabilities()
        #expect(abs(two[0] - 0.308508322553671) < 1e-14 && abs(two[1] - 0.215269289248937) < 1e-14)
        for variance in [0.01, 1, 7.3, 400, 250_000] {
            let noise = try Skellam(variance: variance)
            let law = noise.probabilities()
            func probability(_ x: Int64) -> Double { abs(x) < law.count ? law[Int(abs(x))] : 0 }
            let reach = Int64(6 * variance.squareRoot()) + 10
            #expect(fits(probability, -reach...reach, seed: 154) { noise.sample(using: &$0) })
            let second = law.enumerated().reduce(0.0) { $0 + 2 * Double($1.offset * $1.offset) * $1.element }
            #expect(abs(second / variance - 1) < 1e-10)
            for confidence in [0.5, 0.95, 0.999] {
                let h = noise.halfWidth(confidence: confidence)
                let inside = (-h...h).reduce(0.0) { $0 + probability($1) }
                #expect(inside >= confidence && (h == 0 || inside - 2 * probability(h) < confidence + 1e-8))
            }
        }
    }

    @Test("Skellam noise of the largest variance is made of parts, and nearly normal (20,000 draws, 40 cells)")
    func wideSkellam() throws {
        let noise = try Skellam(variance: 0x1p24)
        var generator = SeededGenerator(seed: 155)
        var cells = [Int](repeating: 0, count: 40)
        for _ in 0..<20_000 {
            let place = erfc(-Double(noise.sample(using: &generator)) / 4096 / 2.0.squareRoot()) / 2
            cells[min(39, Int(place * 40))] += 1
        }
        #expect(
            ChiSquare.fits(counts: cells, probabilities: [Double](repeating: 1 / 40, count: 40), draws: 20_000))
        #expect(abs(Double(noise.halfWidth(confidence: 0.95)) / 4096 - 1.96) < 1e-3)
    }

    @Test("A grid is a power of two well below noise and sensitivity; outputs lie on it; the enlargement is small")
    func grid() throws {
        var generator = SeededGenerator(seed: 156)
        for (sensitivity, count) in [(1, 1), (0.1, 3), (1e-100, 1), (1e100, 1), (3e5, 1_000)] as [(Double, Int)] {
            for loss in [try PrivacyLoss(roundingDownEpsilon: 0.5), try PrivacyLoss(roundingDownRho: 0.02)] {
                let noise = try GridNoise(
                    l1Sensitivity: sensitivity * Double(count).squareRoot(), l2Sensitivity: sensitivity, count: count,
                    loss: loss)
                #expect(noise.step.significand == 1)
                let values = (0..<count).map { Double($0) * sensitivity }
                let outputs = try noise.release(values, using: &generator)
                #expect(outputs.allSatisfy { ($0 / noise.step).rounded() == $0 / noise.step })
                let plain =
                    loss.kind == .pure
                    ? 2 * pow(sensitivity * Double(count).squareRoot() / 0.5, 2) : pow(sensitivity / 0.2, 2)
                #expect(noise.variance / plain > 0.999 && noise.variance / plain < 1.005)
                #expect(try noise.event.loss(kind: loss.kind).fits(in: loss))
                let far = noise.halfWidth(confidence: 0.999_999_999)
                #expect(zip(values, outputs).allSatisfy { abs($0 - $1) <= far })
            }
        }
    }

    @Test("What is rounded to a grid differs between neighbours by at most the enlarged sensitivity")
    func enlargement() throws {
        var generator = SeededGenerator(seed: 157)
        let noise = try GridNoise(sensitivity: 0.3, loss: PrivacyLoss(roundingDownEpsilon: 1_000_000))
        guard case .discreteLaplace(let steps, _) = noise.event else { throw Unexpected() }
        var largest = 0.0
        for _ in 0..<20_000 {
            let value = Double(generator.next(upperBound: 1 << 40 as UInt64)) * 0x1p-30
            let rounded = [value, value + 0.3].map { ($0 / noise.step).rounded() }
            largest = max(largest, rounded[1] - rounded[0])
        }
        #expect(largest <= steps && largest > 0.3 / noise.step)
    }

    struct Unexpected: Error {}

    @Test("Values that are no numbers, or too large, do no harm")
    func odd() throws {
        var generator = SeededGenerator(seed: 158)
        let noise = try GridNoise(
            l1Sensitivity: 2, l2Sensitivity: 1, count: 4, loss: PrivacyLoss(roundingDownEpsilon: 1))
        let outputs = try noise.release([.nan, .infinity, -.infinity, 1e300], using: &generator)
        #expect(abs(outputs[0]) < 100 && outputs[1] > 1e12 && outputs[2] < -1e12 && outputs.allSatisfy(\.isFinite))
        #expect(throws: MechanismError.self) { try noise.release([1], using: &generator) }
    }

    @Test("Impossible parameters are refused")
    func refused() throws {
        for bad in [0, -1, .nan, .infinity] {
            #expect(throws: MechanismError.self) { try GeometricNoise(scale: bad) }
            #expect(throws: MechanismError.self) { try StaircaseNoise(epsilon: bad, sensitivity: 1) }
            #expect(throws: MechanismError.self) { try Skellam(variance: bad) }
            #expect(throws: MechanismError.self) {
                try GridNoise(sensitivity: bad, loss: PrivacyLoss(roundingDownRho: 1))
            }
        }
        #expect(throws: MechanismError.self) { try StaircaseNoise(epsilon: 1, sensitivity: 0) }
        #expect(throws: MechanismError.self) { try StaircaseNoise(epsilon: 1, sensitivity: 3, step: 4) }
        #expect(throws: MechanismError.self) { try GridNoise(sensitivity: 1, loss: .zero(.pure)) }
        #expect(throws: MechanismError.self) {
            try GridNoise(l1Sensitivity: 1, l2Sensitivity: 2, loss: PrivacyLoss(roundingDownRho: 1))
        }
        #expect(throws: MechanismError.self) {
            try GridNoise(sensitivity: .leastNonzeroMagnitude, loss: PrivacyLoss(roundingDownRho: 1))
        }
    }
}
