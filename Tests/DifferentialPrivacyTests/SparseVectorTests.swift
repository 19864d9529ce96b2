import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Sparse vector")
struct SparseVectorTests {
    @Test("The law of three answers with a gap, written out over the threshold's noise (chi-square, false alarm 1e-6)")
    func law() throws {
        let mechanism = try SparseVector(epsilon: 2, positives: 2)
        let values: [Int64] = [-1, 1, 0]
        let (rho, nu) = (mechanism.thresholdNoise.scale, mechanism.valueNoise.scale)
        // Each answer: 0 below, 1 a gap of 0, 2 of 1 to 3, 3 of more; 4 no answer.
        func laplace(_ x: Int64, _ scale: Double) -> Double { tanh(1 / (2 * scale)) * exp(-abs(Double(x)) / scale) }
        func cell(_ gap: Int64) -> Int { gap < 0 ? 0 : gap == 0 ? 1 : gap <= 3 ? 2 : 3 }
        var expected = [Double](repeating: 0, count: 125)
        for offset in -120...120 as ClosedRange<Int64> {
            let answers = values.map { value in
                (-400...400 as ClosedRange<Int64>).reduce(into: [Double](repeating: 0, count: 4)) { sums, noise in
                    sums[cell(value + noise - offset)] += laplace(noise, nu)
                }
            }
            for a in 0..<4 {
                for b in 0..<4 {
                    let probability = laplace(offset, rho) * answers[0][a] * answers[1][b]
                    for c in 0..<4 where a == 0 || b == 0 {
                        expected[25 * a + 5 * b + c] += probability * answers[2][c]
                    }
                    if a > 0 && b > 0 { expected[25 * a + 5 * b + 4] += probability }
                }
            }
        }
        var generator = SeededGenerator(seed: 111)
        var counts = [Int](repeating: 0, count: 125)
        for _ in 0..<100_000 {
            var run = mechanism.begin(using: &generator)
            var code = 0
            for value in values {
                switch run.answer(value: value + 40, threshold: 40, using: &generator) {
                case .below: code = 5 * code
                case .above(let gap): code = 5 * code + cell(gap)
                case nil: code = 5 * code + 4
                }
            }
            counts[code] += 1
        }
        #expect(ChiSquare.fits(counts: counts, probabilities: expected, draws: 100_000))
    }

    @Test("A run stops after its positives, draws nothing more, and never overflows")
    func stops() throws {
        let mechanism = try SparseVector(epsilon: 1, positives: 3)
        var generator = CountingGenerator(seed: 112)
        var run = mechanism.begin(using: &generator)
        for left in [2, 1, 0] {
            let answer = run.answer(value: .max, threshold: .min, using: &generator)
            #expect(answer == .above(gap: .max) && run.positivesLeft == left)
        }
        let words = generator.words
        #expect(run.answer(value: .max, threshold: 0, using: &generator) == nil)
        #expect(generator.words == words)
        var other = mechanism.begin(using: &generator)
        #expect(other.answer(value: .min, threshold: .max, using: &generator) == .below)
        #expect(other.positivesLeft == 3)
    }

    @Test("Both scales together cost at most epsilon, and hardly less; the charge does not depend on the answers")
    func charge() throws {
        for (epsilon, positives, sensitivity) in [(1, 1, 1), (0.1, 5, 3), (3, 100, 1), (1e-3, 2, 1000)]
            as [(Double, Int, Int64)]
        {
            for change in [UtilityChange.anyDirection, .oneDirection] {
                let mechanism = try SparseVector(
                    epsilon: epsilon, positives: positives, sensitivity: sensitivity, change: change)
                let moves = change == .oneDirection ? 1.0 : 2
                let cost =
                    Double(sensitivity)
                    * (1 / mechanism.thresholdNoise.scale + moves * Double(positives) / mechanism.valueNoise.scale)
                #expect(cost <= epsilon && cost > epsilon * (1 - 1e-12))
                #expect(mechanism.event == .pure(epsilon: epsilon))
            }
        }
    }

    @Test("The margin holds its confidence (10,000 runs of 20 questions, 90 %; false alarm below 1e-6)")
    func margin() throws {
        let mechanism = try SparseVector(epsilon: 1, positives: 1)
        let margin = mechanism.margin(questions: 20, confidence: 0.9)
        var generator = SeededGenerator(seed: 113)
        var wrong = 0
        for _ in 0..<10_000 {
            var run = mechanism.begin(using: &generator)
            let early = (0..<19).contains { _ in
                run.answer(value: -margin - 1, threshold: 0, using: &generator) != .below
            }
            if early || run.answer(value: margin, threshold: 0, using: &generator) == .below { wrong += 1 }
        }
        #expect(wrong <= 1142)
    }
}
