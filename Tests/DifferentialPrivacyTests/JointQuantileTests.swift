import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Joint quantiles")
struct JointQuantileTests {
    /// The law by its definition: all tuples of places, sorted, with weights in floating point.
    private func law(_ values: [UInt64], places: UInt64, quantiles: [Double], epsilon: Double) -> [[UInt64]: Double] {
        let n = Double(values.count)
        let ends = quantiles + [1]
        let steps = zip(ends, [0] + quantiles).map { $0 - $1 }
        let sensitivity = 2 * (1 - (steps.min() ?? 0))
        var result: [[UInt64]: Double] = [:]
        var tuples: [[UInt64]] = [[]]
        for _ in quantiles { tuples = tuples.flatMap { tuple in (0..<places).map { tuple + [$0] } } }
        for tuple in tuples {
            let sorted = tuple.sorted()
            let below = [0] + sorted.map { place in Double(values.count { $0 < place }) } + [n]
            var deviation = 0.0
            for j in steps.indices { deviation += abs(below[j + 1] - below[j] - n * steps[j]) }
            result[sorted, default: 0] += exp(-epsilon * deviation / (2 * sensitivity))
        }
        let total = result.values.reduce(0, +)
        return result.mapValues { $0 / total }
    }

    /// The k-th place of a grid point with 4 places: the half, the quarter, three quarters, the start.
    private static let order: [UInt64] = [2, 1, 3, 0]

    @Test(
        "Draws follow the law of the definition (chi-square, false alarm 1e-6 each), in floating point and in integers",
        arguments: [
            ([1, 2], [1, 1], [0.5], 1.0), ([0, 3], [2, 5], [0.25, 0.75], 2), ([], [], [0.1, 0.5], 1),
            ([2], [9], [0.2, 0.5, 0.8], 0.7), ([0, 1, 3], [1, 2, 1], [0.3, 0.4, 0.9], 4), ([3], [1], [0, 1], 1),
            ([0, 1, 2, 3], [3, 0x11, 2, 6], [0.1, 0.5, 0.6], 1.5),
        ] as [([Int], [Int64], [Double], Double)])
    func exactLaw(indices: [Int], counts: [Int64], quantiles: [Double], epsilon: Double) throws {
        let ranks = try RefinedRanks(indices: indices, counts: counts, points: 4, bits: 2)
        var values: [UInt64] = []
        for (index, count) in zip(indices, counts) {
            for row in 0..<Int(count) { values.append(UInt64(index) * 4 + Self.order[row % 4]) }
        }
        let law = law(values, places: 16, quantiles: quantiles, epsilon: epsilon)
        let joint = try JointQuantiles(quantiles: quantiles, epsilon: epsilon)
        let cells = law.keys.sorted { $0.lexicographicallyPrecedes($1) }
        for (firstDoubling, draws) in [(0, 20_000), (1, 20)] {
            var generator = SeededGenerator(seed: 31)
            var counted: [[UInt64]: Int] = [:]
            for _ in 0..<draws {
                counted[joint.places(ranks, firstDoubling: firstDoubling, using: &generator), default: 0] += 1
            }
            #expect(
                ChiSquare.fits(
                    counts: cells.map { counted[$0] ?? 0 }, probabilities: cells.map { law[$0] ?? 0 }, draws: draws))
        }
    }

    @Test(
        "The law itself: a value more changes no probability by more than e^epsilon, nor any two by more between them",
        arguments: [[0.5], [0.25, 0.75], [0.4, 0.6], [0, 1], [0.1, 0.2]])
    func privacy(quantiles: [Double]) {
        var largest = 0.0
        for counts in [[0, 0, 0, 0], [1, 0, 0, 2], [0, 5, 0, 0], [2, 1, 3, 0]] {
            for added in 0..<4 {
                func places(_ counts: [Int]) -> [UInt64] {
                    counts.enumerated().flatMap { point, count in
                        (0..<count).map { UInt64(point) * 4 + Self.order[$0 % 4] }
                    }
                }
                var more = counts
                more[added] += 1
                let first = law(places(counts), places: 16, quantiles: quantiles, epsilon: 1)
                let second = law(places(more), places: 16, quantiles: quantiles, epsilon: 1)
                let ratios = first.map { log((second[$0.key] ?? 0) / $0.value) }
                // Bounded range: the spread of the log ratios, and so each of them, is at most epsilon.
                largest = max(largest, (ratios.max() ?? 0) - (ratios.min() ?? 0))
            }
        }
        #expect(largest <= 1 + 1e-12 && largest > 0.5)
    }

    @Test("Bounds in floating point and in integers enclose the same weights, tightly")
    func enclosure() throws {
        let counts = (0..<400).map { Int64($0 * $0 % 13) + 1 }
        let ranks = try RefinedRanks(indices: (0..<400).map { 3 * $0 }, counts: counts, points: 1200)
        let numerators: [Int64] = [1, 2, 3]
        let rate = ExponentRate(numerator: 3, divisors: [4], shift: 0)
        let targets = QuantileTargets(
            count: ranks.count, numerators: numerators, denominator: 4, rate: rate, rateOfStep: 3)
        let fast = JointQuantileTable<DoubleBounds>(targets, ranks: ranks, bits: 150)
        let exact = JointQuantileTable<NaturalBounds>(targets, ranks: ranks, bits: 150)
        #expect(fast.windows == exact.windows && fast.windows != [0...ranks.count, 0...ranks.count, 0...ranks.count])
        func double(_ value: Natural) -> Double {
            let excess = max(0, value.bitWidth - 53)
            return Double((value >> excess).word ?? 0) * pow(2, Double(excess - 150))
        }
        for (first, second) in zip(fast.placed.flatMap(\.self), exact.placed.flatMap(\.self)) {
            let (lower, upper) = (double(second.lower), double(second.upper))
            #expect(first.lower <= upper * (1 + 1e-15) && lower <= first.upper * (1 + 1e-15))
            #expect(first.upper <= first.lower * (1 + 1e-11))
            #expect(upper <= lower * (1 + 1e-9) + 1e-30)
        }
    }

    /// What lies beyond the tabled ranks may weigh as much as the tabled ones, where these have narrow gaps, and lies on
    /// both sides of them.
    @Test(
        "A rank that a coarse table draws is the one that finer ones draw, with equal values on a fine grid too",
        arguments: [Int64(1) << 8, 1 << 10])
    func decisionsAgree(count: Int64) throws {
        let ranks = try RefinedRanks(indices: [1 << 39], counts: [count], points: 1 << 40)
        let targets = QuantileTargets(
            count: ranks.count, numerators: [1, 2, 3, 4], denominator: 5,
            rate: ExponentRate(numerator: 1, divisors: [16], shift: 0), rateOfStep: 5.0 / 16)
        let fine = JointQuantileTable<NaturalBounds>(targets, ranks: ranks, bits: 400)
        var generator = SeededGenerator(seed: 37)
        var decided = 0
        for bits in [8, 64, 192, 300] {
            let coarse = JointQuantileTable<DoubleBounds>(targets, ranks: ranks, bits: bits)
            for draw in 0..<12 as Range<UInt64> {
                // Both ends of the unit interval too, where the first digits are all equal.
                let digits = draw < 6 ? generator.next() : draw < 9 ? draw << 30 : .max - draw << 30
                let uniform = LazyUniform(numerator: Natural(digits), spread: 1, bits: 64)
                guard let first = coarse.rank(of: 3, next: nil, at: uniform) else { continue }
                decided += 1
                var exact = uniform
                for _ in 0..<8 { exact.refine(using: &generator) }
                let second = try #require(fine.rank(of: 3, next: nil, at: exact))
                #expect(first == second)
                guard let length = coarse.runLength(of: 3, rank: first, at: uniform) else { continue }
                #expect(fine.runLength(of: 3, rank: first, at: exact) == length)
            }
        }
        #expect(decided > 0)
    }

    @Test("Places of equal values: a value more adds one place and moves none")
    func places() throws {
        for bits in [0, 2, 5] {
            var previous: [UInt64] = []
            for count in 1...40 as ClosedRange<Int64> {
                let ranks = try RefinedRanks(indices: [3], counts: [count], points: 8, bits: bits)
                let gaps = ranks.gaps(0...Int(count))
                #expect(gaps.reduce(0) { $0 + $1.width } == 8 << UInt64(bits))
                let places = gaps.dropLast().map { $0.first + $0.width - 1 }
                #expect(places == places.sorted() && places.allSatisfy { $0 >> UInt64(bits) == 3 })
                var rest = places
                for place in previous { rest.remove(at: try #require(rest.firstIndex(of: place))) }
                #expect(rest.count == 1)
                previous = places
            }
        }
        let ranks = try RefinedRanks(indices: [0, 5, 9], counts: [3, 7, 2], points: 10, bits: 4)
        let all = ranks.gaps(0...12)
        for low in 0...12 {
            for high in low...12 {
                let part = ranks.gaps(low...high)
                #expect(zip(part, all[low...high]).allSatisfy { $0.first == $1.first && $0.width == $1.width })
            }
        }
    }

    @Test("Five quantiles of a million values, of equal ones, of few, and of none")
    func usefulness() throws {
        let quantiles = [0.1, 0.25, 0.5, 0.75, 0.9]
        let joint = try JointQuantiles(quantiles: quantiles, epsilon: 1)
        var generator = SeededGenerator(seed: 33)
        let grid = try ValueGrid(lower: 0, upper: 1)
        let values = (0..<1_000_000).map { _ in Double(generator.next() >> 40) * 0x1p-24 }
        let error = joint.rankError(points: Int(grid.width) + 1, confidence: 0.999) / 1e6
        #expect(error < 1e-3)
        for (found, quantile) in zip(try joint.release(values, grid: grid, using: &generator), quantiles) {
            #expect(abs(found - quantile) < error + 2e-3)
        }
        let equal = [Double](repeating: 0.25, count: 1000)
        #expect(try joint.release(equal, grid: grid, using: &generator) == [Double](repeating: 0.25, count: 5))
        for values in [[], [.nan], [0.5], [0.2, 0.8], [-3, 7]] as [[Double]] {
            for width in [
                grid, try ValueGrid(lower: 0, upper: 1, step: 1), try ValueGrid(lower: 0, upper: 0x1p39, step: 1),
            ] {
                let found = try joint.release(values, grid: width, using: &generator)
                #expect(found.count == 5 && found.allSatisfy { $0 >= width.lower && $0 <= width.upper })
                #expect(found == found.sorted())
            }
        }
    }

    @Test("A grid of one point, and one of 2^40")
    func grids() throws {
        var generator = SeededGenerator(seed: 34)
        let joint = try JointQuantiles(quantiles: [0.5, 0.9], epsilon: 1)
        #expect(try joint.select(indices: [0], counts: [5], points: 1, using: &generator) == [0, 0])
        let far = try joint.select(indices: [1 << 39], counts: [1 << 20], points: 1 << 40, using: &generator)
        #expect(far == [1 << 39, 1 << 39])
        #expect(throws: MechanismError.self) {
            try joint.select(indices: [0], counts: [5], points: 0, using: &generator)
        }
        #expect(throws: MechanismError.self) {
            try joint.select(indices: [7], counts: [5], points: 7, using: &generator)
        }
        #expect(throws: MechanismError.self) {
            try joint.select(indices: [0], counts: [0], points: 7, using: &generator)
        }
        #expect(throws: MechanismError.self) {
            try joint.select(indices: [1, 0], counts: [1, 1], points: 7, using: &generator)
        }
    }

    @Test("Costs epsilon, or epsilon squared over 8; parameters out of range are refused")
    func parameters() throws {
        let joint = try JointQuantiles(quantiles: [0.5], epsilon: 0.5)
        #expect(joint.event == .exponentialMechanism(epsilon: 0.5, times: 1))
        for loss in [try PrivacyLoss(roundingDownEpsilon: 0.7), try PrivacyLoss(roundingDownRho: 0.03)] {
            let bought = try JointQuantiles(quantiles: [0.1, 0.5], loss: loss).event.loss(kind: loss.kind)
            #expect(bought.amount <= loss.amount && bought.amount >= loss.amount - 2)
        }
        for quantiles in [
            [], [0.5, 0.5], [0.9, 0.1], [-0.1], [1.1], [.nan], [0.1234567891], (0..<13).map { Double($0) / 100 },
        ]
            as [[Double]]
        {
            #expect(throws: MechanismError.self) { try JointQuantiles(quantiles: quantiles, epsilon: 1) }
        }
        for epsilon in [0, -1, .nan, .infinity, 65] {
            #expect(throws: MechanismError.self) { try JointQuantiles(quantiles: [0.5], epsilon: epsilon) }
        }
        #expect(throws: MechanismError.self) { try JointQuantiles(quantiles: [0.5], epsilon: 1, rowsPerUnit: 0) }
    }
}
