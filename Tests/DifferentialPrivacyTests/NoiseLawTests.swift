import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

/// Draws follow the exact law: chi-square at a false-alarm rate of 1e-6 each, seeded.
@Suite("Law of the noise")
struct NoiseLawTests {
    static let draws = 500_000

    static func gaussianProbabilities(_ sigma: Double, _ xs: ClosedRange<Int>) -> [Double] {
        let weights = (-2000...2000).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
        let total = weights.reduce(0, +)
        return xs.map { exp(-Double($0 * $0) / (2 * sigma * sigma)) / total }
    }

    static func laplaceProbabilities(_ scale: Double, _ xs: ClosedRange<Int>) -> [Double] {
        xs.map { tanh(1 / (2 * scale)) * exp(-abs(Double($0)) / scale) }
    }

    /// Counts of the draws in `xs`.
    private func counts(_ xs: ClosedRange<Int>, _ draw: () -> Int64, draws: Int = draws) -> [Int] {
        var counts = [Int](repeating: 0, count: xs.count)
        for _ in 0..<draws {
            let x = Int(draw())
            if xs.contains(x) { counts[x - xs.lowerBound] += 1 }
        }
        return counts
    }

    @Test("Discrete Gaussian, small and middle sigma", arguments: [0.1, 0.25, 0.5, 1, 1.7, 2, 3.3, 10, 31.25, 100])
    func gaussian(sigma: Double) throws {
        let noise = try DiscreteGaussian(sigma: sigma)
        var generator = SeededGenerator(seed: 21)
        let counts = counts(-600...600, { noise.sample(using: &generator) })
        #expect(
            ChiSquare.fits(
                counts: counts, probabilities: Self.gaussianProbabilities(sigma, -600...600), draws: Self.draws))
    }

    @Test("Discrete Laplace, small and middle scale", arguments: [0.1, 0.25, 0.5, 1, 1.7, 2, 3.3, 10, 31.25, 100])
    func laplace(scale: Double) throws {
        let noise = try DiscreteLaplace(scale: scale)
        var generator = SeededGenerator(seed: 22)
        let counts = counts(-600...600, { noise.sample(using: &generator) })
        #expect(
            ChiSquare.fits(
                counts: counts, probabilities: Self.laplaceProbabilities(scale, -600...600), draws: Self.draws))
    }

    @Test("The last way of deciding, with few digits at first, gives the same law", arguments: [0.25, 1, 12.5, 100])
    func exactOnly(scale: Double) throws {
        let draws = 20_000
        var generator = SeededGenerator(seed: 23)
        let gaussian = try DiscreteGaussian(sigma: scale, isExactOnly: true)
        let gaussianCounts = counts(-600...600, { gaussian.sample(using: &generator) }, draws: draws)
        #expect(
            ChiSquare.fits(
                counts: gaussianCounts, probabilities: Self.gaussianProbabilities(scale, -600...600), draws: draws))
        let laplace = try DiscreteLaplace(scale: scale, isExactOnly: true)
        let laplaceCounts = counts(-600...600, { laplace.sample(using: &generator) }, draws: draws)
        #expect(
            ChiSquare.fits(
                counts: laplaceCounts, probabilities: Self.laplaceProbabilities(scale, -600...600), draws: draws))
    }

    @Test(
        "Wide noise: 400 cells of equal probability, and the last four bits uniform",
        arguments: [1e3, 12345.678, 1e6, 1e9, 1e12])
    func wide(scale: Double) throws {
        var generator = SeededGenerator(seed: 24)
        let gaussian = try DiscreteGaussian(sigma: scale)
        let laplace = try DiscreteLaplace(scale: scale)
        // The continuous laws' distribution functions at half-integers: within 1e-7 of the discrete ones from 1e3 on.
        try checkWide({ gaussian.sample(using: &generator) }, { erfc(-$0 / (scale * 2.0.squareRoot())) / 2 })
        try checkWide(
            { laplace.sample(using: &generator) }, { $0 < 0 ? exp($0 / scale) / 2 : 1 - exp(-$0 / scale) / 2 })
    }

    private func checkWide(_ draw: () -> Int64, _ distribution: (Double) -> Double) throws {
        let cells = 400
        var spreading = SeededGenerator(seed: 30)
        var cellCounts = [Int](repeating: 0, count: cells)
        var lowBits = [Int](repeating: 0, count: 16)
        for _ in 0..<Self.draws {
            let x = draw()
            // Spread over the integer's own share of probability: the transform of a right draw is uniform.
            let (low, high) = (distribution(Double(x) - 0.5), distribution(Double(x) + 0.5))
            let place = low + (high - low) * Double(spreading.next() >> 11) * 0x1p-53
            cellCounts[min(cells - 1, Int(place * Double(cells)))] += 1
            lowBits[Int(x & 15)] += 1
        }
        let uniform = [Double](repeating: 1 / Double(cells), count: cells)
        #expect(ChiSquare.fits(counts: cellCounts, probabilities: uniform, draws: Self.draws))
        let sixteenth = [Double](repeating: 1.0 / 16, count: 16)
        #expect(ChiSquare.fits(counts: lowBits, probabilities: sixteenth, draws: Self.draws))
    }

    @Test("Tiny noise is zero, as its law says")
    func tiny() throws {
        var generator = SeededGenerator(seed: 25)
        for scale in [1e-6, 1e-3, 0.02] {
            let gaussian = try DiscreteGaussian(sigma: scale)
            let laplace = try DiscreteLaplace(scale: scale)
            var others = 0
            for _ in 0..<100_000 {
                // P(not 0) < exp(-50) each.
                if gaussian.sample(using: &generator) != 0 { others += 1 }
                if laplace.sample(using: &generator) != 0 { others += 1 }
            }
            #expect(others == 0)
        }
    }

    @Test("Far draws occur as often as they should: the tail's slot, beyond the last strip")
    func tail() throws {
        let draws = 2_000_000
        for (scale, seed) in [(1.0, 26), (50.0, 27), (1e5, 28)] as [(Double, UInt64)] {
            var generator = SeededGenerator(seed: seed)
            let gaussian = try DiscreteGaussian(sigma: scale)
            let laplace = try DiscreteLaplace(scale: scale)
            // Cells of half a scale from 2 scales outwards, on each side.
            let edges = (0...20).map { Int64(((2 + Double($0) / 2) * scale).rounded(.up)) }
            for (sample, tail) in [
                ({ gaussian.sample(using: &$0) }, { gaussian.upperTail($0) }),
                ({ laplace.sample(using: &$0) }, { laplace.upperTail($0) }),
            ] as [((inout SeededGenerator) -> Int64, (Int64) -> Double)] {
                var counts = [Int](repeating: 0, count: 2 * (edges.count - 1))
                for _ in 0..<draws {
                    let x = sample(&generator)
                    let magnitude = Int64(x.magnitude)
                    if magnitude < edges[0] || magnitude >= edges[edges.count - 1] { continue }
                    let cell = edges.lastIndex { $0 <= magnitude } ?? 0
                    counts[2 * cell + (x < 0 ? 1 : 0)] += 1
                }
                let probabilities = (0..<edges.count - 1).flatMap { cell in
                    let p = tail(edges[cell]) - tail(edges[cell + 1])
                    return [p, p]
                }
                #expect(ChiSquare.fits(counts: counts, probabilities: probabilities, draws: draws))
            }
        }
    }

    @Test("The sampler and Canonne, Kamath and Steinke's own algorithm, written out with rationals, agree")
    func reference() throws {
        let draws = 200_000
        var generator = SeededGenerator(seed: 29)
        for (numerator, denominator) in [(3, 4), (5, 2), (8, 1)] as [(Int, Int)] {
            let noise = try DiscreteGaussian(sigma: Double(numerator) / Double(denominator))
            let xs = -60...60
            let ours = counts(xs, { noise.sample(using: &generator) }, draws: draws)
            let theirs = counts(
                xs,
                {
                    CanonneKamathSteinke.discreteGaussian(
                        sigmaNumerator: numerator, sigmaDenominator: denominator, using: &generator)
                }, draws: draws)
            // Two samples of one law: in each cell with n draws in all, our share is binomial(n, 1/2).
            var statistic = 0.0
            var cells = 0
            for (a, b) in zip(ours, theirs) where a + b >= 20 {
                statistic += Double((a - b) * (a - b)) / Double(a + b)
                cells += 1
            }
            #expect(statistic <= ChiSquare.criticalValue(degreesOfFreedom: cells))
        }
    }
}

/// The reference algorithms as published (Canonne, Kamath and Steinke 2020, algorithms 1 to 3): slow and plain.
enum CanonneKamathSteinke {
    static func bernoulli(_ numerator: Int, _ denominator: Int, using generator: inout SeededGenerator) -> Bool {
        Int.random(in: 0..<denominator, using: &generator) < numerator
    }

    /// Bernoulli(exp(-numerator / denominator)).
    static func bernoulliExponential(
        _ numerator: Int, _ denominator: Int, using generator: inout SeededGenerator
    ) -> Bool {
        if numerator > denominator {
            for _ in 0..<(numerator / denominator) where !bernoulliExponential(1, 1, using: &generator) { return false }
            return bernoulliExponential(numerator % denominator, denominator, using: &generator)
        }
        var k = 1
        while bernoulli(numerator, denominator * k, using: &generator) { k += 1 }
        return k % 2 == 1
    }

    static func discreteLaplace(scale: Int, using generator: inout SeededGenerator) -> Int {
        while true {
            let u = Int.random(in: 0..<scale, using: &generator)
            guard bernoulliExponential(u, scale, using: &generator) else { continue }
            var v = 0
            while bernoulliExponential(1, 1, using: &generator) { v += 1 }
            let magnitude = u + scale * v
            let isNegative = bernoulli(1, 2, using: &generator)
            if isNegative && magnitude == 0 { continue }
            return isNegative ? -magnitude : magnitude
        }
    }

    static func discreteGaussian(
        sigmaNumerator a: Int, sigmaDenominator b: Int, using generator: inout SeededGenerator
    ) -> Int64 {
        let t = a / b + 1
        while true {
            let y = discreteLaplace(scale: t, using: &generator)
            // (|y| - sigma^2 / t)^2 / (2 sigma^2), as a rational.
            let difference = abs(y) * t * b * b - a * a
            let numerator = difference * difference
            let denominator = 2 * a * a * b * b * t * t
            if bernoulliExponential(numerator, denominator, using: &generator) { return Int64(y) }
        }
    }
}
