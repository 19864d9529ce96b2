import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

/// Laws of the selection mechanisms, each against a plain computation: chi-square at a false-alarm rate of 1e-6, seeded.
@Suite("Laws of selection")
struct SelectionMechanismTests {
    struct Row: Decodable {
        var utilities: [Int64]
        var eps: String
        var sens: Int64
        var exponential_monotone: [String]
        var permute_and_flip: [String]
    }

    private static let draws = 100_000

    private func fits(
        _ probabilities: [Double], seed: UInt64, draw: (inout SeededGenerator) throws -> Int
    ) rethrows -> Bool {
        var generator = SeededGenerator(seed: seed)
        var counts = [Int](repeating: 0, count: probabilities.count)
        for _ in 0..<Self.draws { counts[try draw(&generator)] += 1 }
        return ChiSquare.fits(counts: counts, probabilities: probabilities, draws: Self.draws)
    }

    @Test(
        "Exponential mechanism in one direction, and permute-and-flip, against exact values",
        .enabled(if: KnownAnswers.areAvailable, "the folder of known answers is not beside the package"))
    func knownAnswers() throws {
        for row in try KnownAnswers.rows("e_selection_probs", as: Row.self) {
            let epsilon = try #require(Double(row.eps))
            let exponential = try ExponentialMechanism(
                epsilon: epsilon, sensitivity: row.sens, change: .oneDirection)
            #expect(
                try fits(row.exponential_monotone.compactMap(Double.init), seed: 101) {
                    try exponential.select(utilities: row.utilities, using: &$0)
                })
            let flip = try PermuteAndFlip(epsilon: epsilon, sensitivity: row.sens)
            #expect(
                try fits(row.permute_and_flip.compactMap(Double.init), seed: 102) {
                    try flip.select(utilities: row.utilities, using: &$0)
                })
        }
    }

    /// Permute-and-flip by its definition: all orders of candidates, coin by coin.
    private func permuteAndFlip(_ utilities: [Int64], scale: Double) -> [Double] {
        let best = utilities.max() ?? 0
        let heads = utilities.map { exp(Double($0 - best) / scale) }
        var result = [Double](repeating: 0, count: utilities.count)
        func walk(_ left: [Int], _ probability: Double) {
            for candidate in left {
                let reached = probability / Double(left.count)
                result[candidate] += reached * heads[candidate]
                walk(left.filter { $0 != candidate }, reached * (1 - heads[candidate]))
            }
        }
        walk(Array(utilities.indices), 1)
        return result
    }

    @Test("Permute-and-flip by its definition, ties and one direction included")
    func permuteAndFlip() throws {
        let utilities: [Int64] = [3, 5, 5, -2, 0, .min]
        for change in [UtilityChange.anyDirection, .oneDirection] {
            let mechanism = try PermuteAndFlip(epsilon: 0.75, sensitivity: 2, change: change)
            let scale = (change == .oneDirection ? 1 : 2) * 2 / 0.75
            // The last candidate is out of reach, and beyond 64 bits from the first.
            let expected = permuteAndFlip(utilities.dropLast() + [-1_000_000], scale: scale)
            #expect(
                try fits(expected, seed: 103) { try mechanism.select(utilities: utilities, using: &$0) })
        }
    }

    @Test("Coins decided by numbers of any size fall like those decided in words, digit for digit")
    func coins() throws {
        let rate = try ExponentRate.selection(epsilon: 0.7, sensitivity: 3, change: .anyDirection)
        for form in [ExponentialBernoulli.Form.exponential, .logistic] {
            let coin = ExponentialBernoulli(rate: rate, form: form)
            for seed in 0..<400 as Range<UInt64> {
                let t = UInt128(seed % 40)
                var (a, b) = (SeededGenerator(seed: seed), SeededGenerator(seed: seed))
                let inWords = coin.sample(t, using: &a)
                // Bounds that decide nothing: only the digits are left.
                let exactly = coin.sample((0, .max), t, using: &b)
                #expect(inWords == exactly)
                let p = exp(-0.7 * Double(t) / 6)
                let truth = form == .exponential ? p : p / (1 + p)
                let bounds = coin.bounds(t)
                #expect(Double(bounds.lower) * 0x1p-64 <= truth * (1 + 1e-15))
                #expect(Double(bounds.upper) * 0x1p-64 >= truth * (1 - 1e-15))
                #expect(bounds.upper - bounds.lower < 100)
            }
        }
    }

    /// Winner and lead of report noisy max, written out: every noise on a wide grid, every order of candidates.
    private func noisyMax(_ utilities: [Int64], _ weight: (Int64) -> Double, reach: Int64) -> [Int: Double] {
        let noises = Array(-reach...reach)
        let total = noises.reduce(0) { $0 + weight($1) }
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
        var result: [Int: Double] = [:]
        for a in noises {
            for b in noises {
                for c in noises {
                    let noisy = [utilities[0] + a, utilities[1] + b, utilities[2] + c]
                    let probability = weight(a) * weight(b) * weight(c) / (total * total * total)
                    for ranks in orders {
                        let sorted = (0..<3).sorted {
                            noisy[$0] != noisy[$1] ? noisy[$0] > noisy[$1] : ranks[$0] < ranks[$1]
                        }
                        let lead = noisy[sorted[0]] - noisy[sorted[1]] - (ranks[sorted[1]] < ranks[sorted[0]] ? 1 : 0)
                        result[sorted[0] * 20 + Int(min(lead, 19)), default: 0] += probability / 6
                    }
                }
            }
        }
        return result
    }

    @Test("Report noisy max: winner and lead, with Laplace and Gaussian noise, ties included")
    func reportNoisyMax() throws {
        let utilities: [Int64] = [4, 5, 4]
        let laplace = try ReportNoisyMax(epsilon: 2, sensitivity: 1)
        let gaussian = try ReportNoisyMax(sigma: 1.5, sensitivitySquared: 2)
        for (mechanism, weight) in [
            (laplace, { exp(-abs(Double($0))) }), (gaussian, { exp(-Double($0 * $0) / 4.5) }),
        ] as [(ReportNoisyMax, (Int64) -> Double)] {
            let expected = noisyMax(utilities, weight, reach: 22)
            let cells = (0..<60).map { expected[$0] ?? 0 }
            #expect(
                try fits(cells, seed: 104) {
                    let winner = try mechanism.select(utilities: utilities, using: &$0)
                    return winner.index * 20 + Int(min(winner.lead ?? 0, 19))
                })
        }
        #expect(laplace.event == .pure(epsilon: 2))
        #expect(gaussian.event == .discreteGaussian(sensitivitySquared: 2, sigma: 1.5))
        var generator = SeededGenerator(seed: 1)
        #expect(try laplace.select(utilities: [7], using: &generator) == .init(index: 0, lead: nil))
        // The ends of 64 bits neither overflow nor lose their order.
        let ends = try laplace.select(utilities: [.min, .max, 0], using: &generator)
        #expect(ends.index == 1 && (ends.lead ?? 0) > 1 << 62)
    }

    @Test("The k best, in order: probabilities of all sequences, far-apart utilities included")
    func topK() throws {
        for utilities in [[3, 1, 4, 1, 5], [0, 0, -90, -91, -300]] as [[Int64]] {
            let mechanism = try TopK(count: 3, epsilon: 0.8)
            let weights = utilities.map { exp(0.4 * Double($0)) }
            var probabilities = [Double](repeating: 0, count: 125)
            for a in 0..<5 {
                for b in 0..<5 where b != a {
                    for c in 0..<5 where c != a && c != b {
                        let all = weights.reduce(0, +)
                        let withoutFirst = weights.indices.filter { $0 != a }.reduce(0) { $0 + weights[$1] }
                        let rest = weights.indices.filter { $0 != a && $0 != b }.reduce(0) { $0 + weights[$1] }
                        probabilities[25 * a + 5 * b + c] =
                            weights[a] / all * weights[b] / withoutFirst * weights[c] / rest
                    }
                }
            }
            #expect(
                try fits(probabilities, seed: 105) {
                    try mechanism.select(utilities: utilities, using: &$0).reduce(0) { 5 * $0 + $1 }
                })
        }
        let all = try TopK(count: 4, epsilon: 1)
        var generator = SeededGenerator(seed: 2)
        #expect(try all.select(utilities: [1, .min, .max, 3], using: &generator).sorted() == [0, 1, 2, 3])
        #expect(throws: MechanismError.self) { try all.select(utilities: [1, 2, 3], using: &generator) }
        #expect(throws: MechanismError.self) { try TopK(count: 0, epsilon: 1) }
        #expect(try all.event.loss(kind: .pure).value == 4)
    }

    @Test("Words drawn for a choice do not depend on the utilities")
    func words() throws {
        let equal = [Int64](repeating: 3, count: 200)
        let spread = (0..<200).map { Int64($0 * $0) - 10_000 }
        func words(_ select: ([Int64], inout CountingGenerator) throws -> Void) rethrows -> [Int] {
            try [equal, spread].map { utilities in
                var generator = CountingGenerator(seed: 9)
                for _ in 0..<50 { try select(utilities, &generator) }
                return generator.words
            }
        }
        let flip = try PermuteAndFlip(epsilon: 1)
        let exponential = try ExponentialMechanism(epsilon: 1)
        let top = try TopK(count: 5, epsilon: 1)
        #expect(try words { _ = try flip.select(utilities: $0, using: &$1) } == [50 * 201, 50 * 201])
        #expect(try words { _ = try exponential.select(utilities: $0, using: &$1) } == [50, 50])
        #expect(try words { _ = try top.select(utilities: $0, using: &$1) } == [250, 250])
        let noisyMax = try ReportNoisyMax(epsilon: 1)
        let counts = try words { _ = try noisyMax.select(utilities: $0, using: &$1) }
        #expect(counts[0] == counts[1])
    }

    @Test("The shortfall that is stated with a confidence is hardly ever exceeded (95 %; false alarm below 1e-6)")
    func shortfall() throws {
        let utilities = (0..<60).map { Int64($0 % 30) }
        let flip = try PermuteAndFlip(epsilon: 0.9)
        let exponential = try ExponentialMechanism(epsilon: 0.9)
        var generator = SeededGenerator(seed: 106)
        var outside = (flip: 0, exponential: 0)
        var sum = (flip: 0.0, exponential: 0.0)
        for _ in 0..<10_000 {
            let a = Double(29 - utilities[try flip.select(utilities: utilities, using: &generator)])
            let b = Double(29 - utilities[try exponential.select(utilities: utilities, using: &generator)])
            outside.flip += a > flip.shortfall(candidates: 60, confidence: 0.95) ? 1 : 0
            outside.exponential += b > exponential.shortfall(candidates: 60, confidence: 0.95) ? 1 : 0
            sum.flip += a
            sum.exponential += b
        }
        #expect(outside.flip <= 605 && outside.exponential <= 605)
        #expect(sum.flip < sum.exponential)
    }

    @Test("Impossible parameters are refused")
    func refused() throws {
        for epsilon in [0, -1, .nan, .infinity] {
            #expect(throws: MechanismError.self) { try PermuteAndFlip(epsilon: epsilon) }
            #expect(throws: MechanismError.self) { try ReportNoisyMax(epsilon: epsilon) }
            #expect(throws: MechanismError.self) { try TopK(count: 1, epsilon: epsilon) }
            #expect(throws: MechanismError.self) { try SparseVector(epsilon: epsilon) }
            #expect(throws: MechanismError.self) { try KeySelection(epsilon: epsilon, delta: 1e-6) }
            #expect(throws: MechanismError.self) {
                try StabilityHistogram(groupsPerUnit: 1, epsilon: epsilon, delta: 1e-6)
            }
            #expect(throws: MechanismError.self) { try BoundsDiscovery(exponents: 0...1, epsilon: epsilon) }
        }
        for delta in [0, -1, .nan, 1] {
            #expect(throws: MechanismError.self) { try KeySelection(epsilon: 1, delta: delta) }
            #expect(throws: MechanismError.self) {
                try StabilityHistogram(groupsPerUnit: 1, epsilon: 1, delta: delta)
            }
        }
        for sensitivity in [0, -1] as [Int64] {
            #expect(throws: MechanismError.self) { try PermuteAndFlip(epsilon: 1, sensitivity: sensitivity) }
            #expect(throws: MechanismError.self) { try ReportNoisyMax(epsilon: 1, sensitivity: sensitivity) }
            #expect(throws: MechanismError.self) { try SparseVector(epsilon: 1, sensitivity: sensitivity) }
        }
        #expect(throws: MechanismError.self) { try SparseVector(epsilon: 1, positives: 0) }
        #expect(throws: MechanismError.self) { try ReportNoisyMax(sigma: 1, sensitivitySquared: 0) }
        var generator = SeededGenerator(seed: 1)
        let flip = try PermuteAndFlip(epsilon: 1)
        #expect(throws: MechanismError.self) { try flip.select(utilities: [], using: &generator) }
        let noisyMax = try ReportNoisyMax(epsilon: 1)
        #expect(throws: MechanismError.self) { try noisyMax.select(utilities: [], using: &generator) }
        let keys = try KeySelection(epsilon: 1, delta: 0.1)
        #expect(throws: MechanismError.self) { try keys.keep(units: -1, using: &generator) }
    }
}
