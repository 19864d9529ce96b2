import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

/// Chi-square at a false-alarm rate of 1e-6 each, seeded.
@Suite("Local mechanisms")
struct LocalTests {
    private static let draws = 100_000

    @Test("Randomised response: exact odds, for two and for many categories")
    func response() throws {
        var generator = SeededGenerator(seed: 141)
        for (epsilon, categories) in [(1, 2), (0.1, 2), (3, 17), (8, 300), (0.5, 5)] as [(Double, Int)] {
            let mechanism = try RandomizedResponse(epsilon: epsilon, categories: categories)
            let total = exp(epsilon) + Double(categories - 1)
            for truth in Set([0, categories / 2, categories - 1]) {
                var counts = [Int](repeating: 0, count: categories)
                for _ in 0..<Self.draws { counts[try mechanism.report(truth, using: &generator)] += 1 }
                let expected = (0..<categories).map { ($0 == truth ? exp(epsilon) : 1) / total }
                #expect(ChiSquare.fits(counts: counts, probabilities: expected, draws: Self.draws))
            }
            let frequencies = mechanism.frequencies
            #expect(abs(frequencies.ofTruth - exp(epsilon) / total) < 1e-15)
            #expect(abs(frequencies.ofTruth / frequencies.ofOther / exp(epsilon) - 1) < 1e-14)
        }
        let coin = try RandomizedResponse(epsilon: 1)
        let yes = try (0..<Self.draws).count { _ in try coin.report(true, using: &generator) }
        let p = exp(1.0) / (1 + exp(1.0))
        #expect(
            ChiSquare.fits(counts: [yes, Self.draws - yes], probabilities: [p, 1 - p], draws: Self.draws))
    }

    /// Of a report of four bits, the first one highest.
    private static func probability(_ code: Int, own: Int, _ p: Double, _ q: Double) -> Double {
        (0..<4).reduce(1.0) { product, bit in
            let chance: Double = bit == own ? p : q
            return product * (code >> (3 - bit) & 1 == 1 ? chance : 1 - chance)
        }
    }

    @Test(
        "Unary encoding: each bit's odds, and bits that are independent",
        arguments: [UnaryEncoding.Form.symmetric, .optimized])
    func unary(form: UnaryEncoding.Form) throws {
        var generator = SeededGenerator(seed: 142)
        for epsilon in [0.5, 2, 5] {
            let mechanism = try UnaryEncoding(epsilon: epsilon, categories: 4, form: form)
            let q = form == .symmetric ? 1 / (1 + exp(epsilon / 2)) : 1 / (1 + exp(epsilon))
            let p = form == .symmetric ? 1 - q : 0.5
            var counts = [Int](repeating: 0, count: 16)
            for _ in 0..<Self.draws {
                let bits = try mechanism.report(2, using: &generator)
                counts[bits.reduce(0) { 2 * $0 + ($1 ? 1 : 0) }] += 1
            }
            let expected = (0..<16).map { Self.probability($0, own: 2, p, q) }
            #expect(ChiSquare.fits(counts: counts, probabilities: expected, draws: Self.draws))
            // The law itself: the worst ratio over all reports is exp(epsilon).
            let other = (0..<16).map { Self.probability($0, own: 0, p, q) }
            let worst = zip(expected, other).map { abs(log($0 / $1)) }.max() ?? 0
            #expect(abs(worst - epsilon) < 1e-12)
        }
    }

    /// Estimates of many reports: within 6 stated standard deviations (false alarm below 1e-6), and spread as stated.
    @Test("Estimates are unbiased and have the stated variance")
    func estimates() throws {
        let devices = [600, 300, 90, 10]
        let response = try RandomizedResponse(epsilon: 1.5, categories: 4)
        let unary = try UnaryEncoding(epsilon: 1.5, categories: 4)
        var generator = SeededGenerator(seed: 143)
        let trials = 400
        var sums = (response: [[Double]](), unary: [[Double]]())
        for _ in 0..<trials {
            var counts = (response: [0, 0, 0, 0], unary: [0, 0, 0, 0])
            for (category, number) in devices.enumerated() {
                for _ in 0..<number {
                    counts.response[try response.report(category, using: &generator)] += 1
                    for (bit, isSet) in try unary.report(category, using: &generator).enumerated() where isSet {
                        counts.unary[bit] += 1
                    }
                }
            }
            sums.response.append(try response.frequencies.estimate(counts: counts.response, reports: 1_000))
            sums.unary.append(try unary.frequencies.estimate(counts: counts.unary, reports: 1_000))
        }
        for (estimates, frequencies) in [
            (sums.response, response.frequencies), (sums.unary, unary.frequencies),
        ] {
            for (category, number) in devices.enumerated() {
                let stated = frequencies.variance(devices: Double(number), reports: 1_000)
                let values = estimates.map { $0[category] - Double(number) }
                let mean = values.reduce(0, +) / Double(trials)
                let variance = values.reduce(0) { $0 + $1 * $1 } / Double(trials)
                #expect(abs(mean) < 6 * (stated / Double(trials)).squareRoot())
                // The variance of a sample variance is 2 / trials of its square.
                #expect(abs(variance / stated - 1) < 6 * (2 / Double(trials)).squareRoot())
            }
        }
        #expect(sums.response.allSatisfy { abs($0.reduce(0, +) - 1_000) < 1e-6 })
    }

    @Test("The words of a report do not tell the category")
    func words() throws {
        let response = try RandomizedResponse(epsilon: 1, categories: 40)
        let unary = try UnaryEncoding(epsilon: 1, categories: 40)
        for category in [0, 1, 39] {
            var generator = CountingGenerator(seed: 144)
            for _ in 0..<100 { _ = try response.report(category, using: &generator) }
            #expect(generator.words == 200)
            for _ in 0..<100 { _ = try unary.report(category, using: &generator) }
            #expect(generator.words == 200 + 4_000)
        }
    }

    @Test("Impossible parameters are refused")
    func refused() throws {
        for epsilon in [0, -1, .nan, .infinity] {
            #expect(throws: MechanismError.self) { try RandomizedResponse(epsilon: epsilon) }
            #expect(throws: MechanismError.self) { try UnaryEncoding(epsilon: epsilon, categories: 2) }
        }
        #expect(throws: MechanismError.self) { try RandomizedResponse(epsilon: 1, categories: 1) }
        #expect(throws: MechanismError.self) { try UnaryEncoding(epsilon: 1, categories: 1) }
        let three = try RandomizedResponse(epsilon: 1, categories: 3)
        var generator = SeededGenerator(seed: 1)
        for category in [-1, 3] {
            #expect(throws: MechanismError.self) { try three.report(category, using: &generator) }
        }
        #expect(throws: MechanismError.self) { try three.report(true, using: &generator) }
        #expect(throws: MechanismError.self) { try three.frequencies.estimate(counts: [1, 2], reports: 3) }
        #expect(throws: MechanismError.self) { try three.frequencies.estimate(counts: [1, 2, 4], reports: 3) }
    }
}
