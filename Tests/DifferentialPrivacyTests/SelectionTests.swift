import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Exponential mechanism")
struct ExponentialMechanismTests {
    struct Row: Decodable {
        var utilities: [Int64]
        var eps: String
        var sens: Int64
        var exponential_2sens: [String]
    }

    private func counts(
        _ mechanism: ExponentialMechanism, _ utilities: [Int64], _ multiplicities: [Int64]? = nil, draws: Int,
        seed: UInt64
    ) throws -> [Int] {
        var generator = SeededGenerator(seed: seed)
        var result = [Int](repeating: 0, count: utilities.count)
        for _ in 0..<draws {
            result[try mechanism.select(utilities: utilities, counts: multiplicities, using: &generator)] += 1
        }
        return result
    }

    private func probabilities(_ utilities: [Int64], _ counts: [Int64]? = nil, epsilon: Double, sensitivity: Double)
        -> [Double]
    {
        let best = utilities.max() ?? 0
        let weights = utilities.enumerated().map {
            Double(counts?[$0.offset] ?? 1) * exp(epsilon * Double($0.element - best) / (2 * sensitivity))
        }
        let total = weights.reduce(0, +)
        return weights.map { $0 / total }
    }

    @Test(
        "Selection probabilities, against exact values (chi-square, false alarm 1e-6 each, seeded)",
        .enabled(if: KnownAnswers.areAvailable, "the folder of known answers is not beside the package"))
    func knownAnswers() throws {
        let draws = 100_000
        let rows = try KnownAnswers.rows("e_selection_probs", as: Row.self)
        #expect(rows.count == 12)
        for row in rows {
            let mechanism = try ExponentialMechanism(epsilon: try #require(Double(row.eps)), sensitivity: row.sens)
            let counts = try counts(mechanism, row.utilities, draws: draws, seed: 61)
            #expect(
                ChiSquare.fits(
                    counts: counts, probabilities: row.exponential_2sens.compactMap(Double.init), draws: draws))
        }
    }

    @Test("Multiplicities, sensitivities and far items have their weight")
    func weights() throws {
        let draws = 100_000
        let utilities: [Int64] = [0, -3, 5, 5, -1000, .min + 10]
        let multiplicities: [Int64] = [7, 1, 2, 1, 1 << 40, 1 << 50]
        for (epsilon, sensitivity) in [(0.5, 1), (0.05, 3), (2, 2)] as [(Double, Int64)] {
            let counts = try counts(
                ExponentialMechanism(epsilon: epsilon, sensitivity: sensitivity), utilities, multiplicities,
                draws: draws,
                seed: 62)
            let expected = probabilities(
                utilities, multiplicities, epsilon: epsilon, sensitivity: Double(sensitivity))
            #expect(ChiSquare.fits(counts: counts, probabilities: expected, draws: draws))
        }
    }

    @Test("Deciding with numbers of any size gives the same choice as deciding in words, digit for digit")
    func refined() throws {
        let mechanism = try ExponentialMechanism(epsilon: 0.7, sensitivity: 3)
        let items = (0..<50).map { (index: Int) -> WeightedChoice.Item in
            WeightedChoice.Item(shortfall: UInt128(index * index % 37), count: UInt64(index + 1))
        }
        for seed in 0..<500 as Range<UInt64> {
            var (a, b) = (SeededGenerator(seed: seed), SeededGenerator(seed: seed))
            #expect(
                mechanism.choice.select(items, using: &a) == mechanism.choice.select(items, firstBits: 0, using: &b))
        }
    }

    @Test("A number that begins on a boundary is decided by more digits")
    func boundary() throws {
        // Two equal items: the boundary is at one half, that is, at the digits 1000... exactly.
        struct Fixed: RandomNumberGenerator {
            var words: [UInt64]
            mutating func next() -> UInt64 { words.isEmpty ? 0 : words.removeFirst() }
        }
        let mechanism = try ExponentialMechanism(epsilon: 1)
        var below = Fixed(words: [1 << 63 - 1, .max, 5])
        var above = Fixed(words: [1 << 63, 0, 5])
        #expect(try mechanism.select(utilities: [4, 4], using: &below) == 0)
        #expect(try mechanism.select(utilities: [4, 4], using: &above) == 1)
    }

    @Test("Impossible parameters are refused")
    func refused() throws {
        for epsilon in [0, -1, .nan, .infinity, 1e9] {
            #expect(throws: MechanismError.self) { try ExponentialMechanism(epsilon: epsilon) }
        }
        #expect(throws: MechanismError.self) { try ExponentialMechanism(epsilon: 1, sensitivity: 0) }
        let mechanism = try ExponentialMechanism(epsilon: 1)
        var generator = SeededGenerator(seed: 1)
        #expect(throws: MechanismError.self) { try mechanism.select(utilities: [], using: &generator) }
        #expect(throws: MechanismError.self) { try mechanism.select(utilities: [1], counts: [0], using: &generator) }
        #expect(throws: MechanismError.self) {
            try mechanism.select(utilities: [1], counts: [1, 1], using: &generator)
        }
        #expect(throws: MechanismError.self) {
            try mechanism.select(utilities: [1, 2], counts: [1 << 61, 1 << 61], using: &generator)
        }
    }
}

@Suite("Private quantile")
struct PrivateQuantileTests {
    /// The utility's shortfall of each grid point, in units of 1/denominator, straight from the definition.
    static func shortfalls(
        _ values: [Int], points: Int, numerator: Int, denominator: Int, offset: Int = 0
    ) -> [Int] {
        (0..<points).map { point in
            let below = values.count { $0 < point } * denominator
            let atOrBelow = values.count { $0 <= point } * denominator
            let target = numerator * values.count + offset * denominator
            // Nothing lies below the first point, or above the last.
            if offset < 0, point == 0 { return max(0, target - atOrBelow) }
            if offset > 0, point == points - 1 { return max(0, below - target) }
            return max(0, below - target, target - atOrBelow)
        }
    }

    static func histogram(_ values: [Int]) -> (indices: [Int32], counts: [Int64]) {
        let occupied = Set(values).sorted()
        return (occupied.map(Int32.init), occupied.map { value in Int64(values.count { $0 == value }) })
    }

    @Test("Every grid point has its exact probability (chi-square, false alarm 1e-6 each, seeded)")
    func exact() throws {
        let draws = 50_000
        var generator = SeededGenerator(seed: 71)
        for (numerator, denominator, epsilon, rows) in [
            (1, 2, 1.0, 1), (1, 10, 0.5, 1), (995, 1000, 3, 1), (0, 1, 0.3, 1), (1, 1, 0.3, 2), (3, 4, 0.8, 3),
        ] as [(Int, Int, Double, Int)] {
            for (values, offset) in [
                ([3, 3, 3, 4, 9, 9, 12], 0), ([0], 0), ([], 0), ([19, 19, 19, 0], 0), ([3, 3, 3, 4, 9, 9, 12], -2),
                ([3, 3, 3, 4, 9, 9, 12], 3), ([], -1), ([], 1), ([5, 6], -7), ([5, 6], 7), ([19, 19, 19, 0], 1),
            ] {
                let points = 20
                let quantile = try PrivateQuantile(
                    numerator: Int64(numerator), denominator: Int64(denominator), epsilon: epsilon,
                    rowsPerUnitAndGroup: rows)
                let (indices, counts) = Self.histogram(values)
                var chosen = [Int](repeating: 0, count: points)
                for _ in 0..<draws {
                    let point = try quantile.select(
                        indices: indices, counts: counts, points: points, offset: Int64(offset), using: &generator)
                    chosen[point] += 1
                }
                let sensitivity = Double(max(numerator, denominator - numerator) * rows)
                let weights = Self.shortfalls(
                    values, points: points, numerator: numerator, denominator: denominator, offset: offset
                ).map { exp(-epsilon * Double($0) / (2 * sensitivity)) }
                let total = weights.reduce(0, +)
                #expect(ChiSquare.fits(counts: chosen, probabilities: weights.map { $0 / total }, draws: draws))
            }
        }
    }

    @Test(
        "One unit's rows change no utility by more than the sensitivity, at any offset: all datasets of up to six values",
        arguments: [0, -1, 1, -3, 3])
    func sensitivity(offset: Int) {
        let points = 4
        for (numerator, denominator) in [(1, 2), (1, 10), (9, 10), (0, 1), (1, 1), (1, 3)] {
            for size in 0...4 {
                for code in 0..<Int(pow(4, Double(size))) {
                    let values = (0..<size).map { code >> (2 * $0) & 3 }
                    let before = Self.shortfalls(
                        values, points: points, numerator: numerator, denominator: denominator, offset: offset)
                    for rows in 1...2 {
                        for added in 0..<(rows == 1 ? 4 : 16) {
                            let unit = (0..<rows).map { added >> (2 * $0) & 3 }
                            let after = Self.shortfalls(
                                values + unit, points: points, numerator: numerator, denominator: denominator,
                                offset: offset)
                            let change = zip(before, after).map { abs($0 - $1) }.max() ?? 0
                            #expect(change <= max(numerator, denominator - numerator) * rows)
                        }
                    }
                }
            }
        }
    }

    @Test("A million occupied points, and counts up to 2^40: the choice is near the median")
    func large() throws {
        var generator = SeededGenerator(seed: 72)
        let quantile = try PrivateQuantile(q: 0.5, epsilon: 1)
        let indices = (0..<1_000_000).map { Int32($0 * 2) }
        let even = try quantile.select(
            indices: indices, counts: [Int64](repeating: 1, count: 1_000_000), points: 2_000_000, using: &generator)
        // Beyond 100 ranks: probability below 1e6 * exp(-100).
        #expect(abs(even - 1_000_000) < 400)
        let heavy = try quantile.select(
            indices: indices, counts: [Int64](repeating: 1 << 40, count: 1_000_000), points: 2_000_000,
            using: &generator)
        #expect(abs(heavy - 1_000_000) <= 3)
        let empty = try quantile.select(indices: [], counts: [], points: 1 << 61, using: &generator)
        #expect((0..<(1 << 61)).contains(empty))
    }

    @Test(
        "A bracket's choice costs what the occupied points cost, however long the gaps around them",
        arguments: [-7, 0, 7])
    func longGaps(offset: Int64) throws {
        let mechanism = try PrivateQuantile(numerator: 1, denominator: 2, epsilon: 1, rowsPerUnitAndGroup: 1)
        var generator = SeededGenerator(seed: 5)
        for (indices, counts) in [([], []), ([0], [9]), ([1 << 30], [9]), ([3, 1 << 30], [2, 50])]
            as [([Int32], [Int64])]
        {
            let chosen = try mechanism.select(
                indices: indices, counts: counts, points: 1 << 40, offset: offset, using: &generator)
            #expect((0..<(1 << 40)).contains(chosen))
        }
    }

    @Test("A value that most have is found, though few values lie below it")
    func atoms() throws {
        var generator = SeededGenerator(seed: 73)
        let quantile = try PrivateQuantile(q: 0.5, epsilon: 1)
        for _ in 0..<200 {
            // 300 zeros of 1000... and a step of 500 at 7 that covers the median.
            let chosen = try quantile.select(
                indices: [0, 7, 90], counts: [300, 500, 200], points: 100, using: &generator)
            #expect(chosen == 7)
        }
    }

    @Test("Quantiles are read as decimals")
    func decimals() throws {
        #expect(try PrivateQuantile(q: 0.005, epsilon: 1).denominator == 1000)
        #expect(try PrivateQuantile(q: 0.1, epsilon: 1).numerator == 1)
        #expect(try PrivateQuantile(q: 1, epsilon: 1).numerator == (try PrivateQuantile(q: 1, epsilon: 1).denominator))
        for q in [-0.1, 1.1, .nan, 1e-12, 1.0 / 3] {
            #expect(throws: MechanismError.self) { try PrivateQuantile(q: q, epsilon: 1) }
        }
        var generator = SeededGenerator(seed: 1)
        let median = try PrivateQuantile(q: 0.5, epsilon: 1)
        for (indices, counts, points) in [
            ([1, 1], [1, 1], 5), ([2, 1], [1, 1], 5), ([5], [1], 5), ([-1], [1], 5), ([1], [0], 5), ([1], [1, 1], 5),
            ([], [], 0),
        ]
            as [([Int32], [Int64], Int)]
        {
            #expect(throws: MechanismError.self) {
                try median.select(indices: indices, counts: counts, points: points, using: &generator)
            }
        }
    }

    @Test("The rank error holds its confidence (10,000 draws, 95 %; false alarm below 1e-6)")
    func rankError() throws {
        var generator = SeededGenerator(seed: 74)
        let quantile = try PrivateQuantile(q: 0.25, epsilon: 0.2)
        let values = (0..<1000).map { $0 * $0 % 512 }
        let (indices, counts) = Self.histogram(values)
        let shortfalls = Self.shortfalls(values, points: 512, numerator: 1, denominator: 4).map { Double($0) / 4 }
        let bound = quantile.rankError(points: 512, confidence: 0.95)
        var outside = 0
        for _ in 0..<10_000 {
            let chosen = try quantile.select(indices: indices, counts: counts, points: 512, using: &generator)
            if shortfalls[chosen] > bound { outside += 1 }
        }
        #expect(outside <= 605)
    }

    /// How often a bracket lies beyond a quantile: the lower one above, the upper one below, in that many draws.
    private func missed(
        _ values: [Int], points: Int, _ quantile: PrivateQuantile, offset: Int64, draws: Int,
        using generator: inout SeededGenerator
    ) throws -> (lower: Int, upper: Int) {
        let (indices, counts) = Self.histogram(values)
        let exact = Self.shortfalls(
            values, points: points, numerator: Int(quantile.numerator), denominator: Int(quantile.denominator))
        let first = exact.firstIndex(of: 0) ?? 0
        let last = exact.lastIndex(of: 0) ?? 0
        var missed = (lower: 0, upper: 0)
        for _ in 0..<draws {
            let lower = try quantile.select(
                indices: indices, counts: counts, points: points, offset: -offset, using: &generator)
            let upper = try quantile.select(
                indices: indices, counts: counts, points: points, offset: offset, using: &generator)
            if lower > first { missed.lower += 1 }
            if upper < last { missed.upper += 1 }
        }
        return missed
    }

    @Test("Brackets lie around every quantile, few values, ties and both ends of the grid included")
    func brackets() throws {
        var generator = SeededGenerator(seed: 75)
        let points = 200
        let draws = 1_500
        for q in [0.005, 0.25, 0.5, 0.995] {
            let quantile = try PrivateQuantile(q: q, epsilon: 0.5)
            let offset = quantile.bracketOffset(points: points, confidence: 0.975)
            #expect(Double(offset) > quantile.rankError(points: points, confidence: 0.975))
            for values in [
                [], [7], [0, 199], Array(repeating: 0, count: 30), Array(repeating: 199, count: 300),
                (0..<40).map { $0 * 5 }, (0..<600).map { $0 % 3 * 90 }, (0..<1_000).map { $0 * $0 % 200 },
            ] as [[Int]] {
                let missed = try missed(
                    values, points: points, quantile, offset: offset, draws: draws, using: &generator)
                // 2.5 % of 1,500 and 4.75 standard deviations (false alarm 1e-6).
                #expect(missed.lower <= 37 + 29 && missed.upper <= 37 + 29, "\(q) \(values.count): \(missed)")
            }
        }
    }

    @Test("No smaller offset would do for all data: a gap just beyond the median holds nearly all points")
    func offsetIsNeeded() throws {
        var generator = SeededGenerator(seed: 76)
        let points = 10_000
        let quantile = try PrivateQuantile(q: 0.5, epsilon: 0.5)
        let offset = quantile.bracketOffset(points: points, confidence: 0.975)
        let values = Array(repeating: 0, count: 201) + Array(repeating: points - 1, count: 199)
        let draws = 4_000
        let right = try missed(values, points: points, quantile, offset: offset, draws: draws, using: &generator).lower
        let small = try missed(
            values, points: points, quantile, offset: offset - 4, draws: draws, using: &generator
        ).lower
        // About 2.5 % / e^(1/4); with four ranks less about e^1 times that.
        #expect(right <= 100 + 47 && right >= 30)
        #expect(small >= 100 + 47)
    }
}

@Suite("Threshold selection")
struct GaussianThresholdTests {
    @Test("The threshold is the least that its delta allows, and the noise the least that its rho allows")
    func least() throws {
        for groups in [1, 3, 10, 1000] {
            for rho in [0.001, 0.01, 0.1, 1] {
                for delta in [1e-3, 1e-6, 5e-8, 1e-12] {
                    let selection = try GaussianThreshold(groupsPerUnit: groups, rho: rho, delta: delta)
                    #expect(selection.delta <= delta)
                    let tighter = try GaussianThreshold.delta(
                        groupsPerUnit: groups, sigma: selection.sigma, threshold: selection.threshold - 1)
                    #expect(tighter > delta)
                    let loss = try selection.event.loss(kind: .zeroConcentrated)
                    #expect(loss.fits(in: try PrivacyLoss(roundingDownRho: rho, delta: delta)))
                    let units = try PrivacyLoss(roundingDownRho: rho, delta: delta)
                    let fromUnits = try GaussianThreshold(groupsPerUnit: groups, loss: units)
                    #expect(fromUnits.threshold == selection.threshold)
                    #expect(try fromUnits.event.loss(kind: .zeroConcentrated).fits(in: units))
                    #expect(abs(selection.sigma / (Double(groups) / (2 * rho)).squareRoot() - 1) < 1e-9)
                }
            }
        }
    }

    @Test("A single unit's key is kept with at most the stated probability: the exact law's, not the continuous one's")
    func discrete() throws {
        // For small sigma the discrete tail beyond an integer differs by far from the continuous one.
        let selection = try GaussianThreshold(groupsPerUnit: 1, rho: 2, delta: 1e-4)
        let weights = (-40...40).map { exp(-Double($0 * $0) / (2 * selection.sigma * selection.sigma)) }
        let kept = (-40...40).filter { selection.keep(1 + Int64($0)) }
        let probability = kept.reduce(0.0) { $0 + weights[$1 + 40] } / weights.reduce(0, +)
        #expect(probability <= selection.delta && probability > selection.delta * 0.999_999)
        #expect(selection.keep(selection.threshold) && !selection.keep(selection.threshold - 1))
    }

    @Test("Impossible parameters are refused")
    func refused() {
        for (groups, rho, delta) in [
            (0, 1, 1e-6), (1, 0, 1e-6), (1, -1, 1e-6), (1, 1, 0), (1, 1, 1e-200), (1, 1, 1), (1, .nan, 1e-6),
        ]
            as [(Int, Double, Double)]
        {
            #expect(throws: MechanismError.self) {
                try GaussianThreshold(groupsPerUnit: groups, rho: rho, delta: delta)
            }
        }
    }
}
