import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Intervals of combinations")
struct IntervalTests {
    @Test("Fieller's ratio, worked by hand")
    func hand() {
        // n = 10, v = 1, d = 5, w = 1, z = 1.95996: a = 21.158541..., roots (50 ± z sqrt(a + 100)) / a.
        let interval = ConfidenceInterval.ratio(
            numerator: 10, numeratorVariance: 1, denominator: 5, denominatorVariance: 1)
        #expect(abs(interval.lower - 1.3434894) < 1e-5)
        #expect(abs(interval.upper - 3.3827343) < 1e-5)
        let certain = ConfidenceInterval.ratio(
            numerator: -6, numeratorVariance: 4, denominator: -3, denominatorVariance: 0)
        #expect(
            abs(certain.lower - (2 - 1.959964 * 2 / 3)) < 1e-5 && abs(certain.upper - (2 + 1.959964 * 2 / 3)) < 1e-5)
    }

    @Test("A denominator that may be zero leaves the ratio unbounded", arguments: [0, 1, -1.9, .infinity, .nan])
    func unbounded(denominator: Double) {
        let interval = ConfidenceInterval.ratio(
            numerator: 10, numeratorVariance: 1, denominator: denominator, denominatorVariance: 1)
        #expect(interval == .unbounded && !interval.isBounded)
    }

    @Test(
        "A 95 % interval of a ratio covers it in 95 % of draws, small and zero groups included",
        arguments: [
            (1000.0, 250.0), (40, 30), (12, 8), (3, 5), (0, 5), (0, 0),
        ])
    func coverage(numerator: Double, denominator: Double) throws {
        let draws = 20_000
        var generator = SeededGenerator(seed: 81)
        let (gaussian, laplace) = (try DiscreteGaussian(sigma: 5), try DiscreteLaplace(scale: 4))
        for (law, variances, sample) in [
            (ErrorLaw.gaussian, gaussian.variance, { gaussian.sample(using: &$0) }),
            (.laplace, laplace.variance, { laplace.sample(using: &$0) }),
        ] as [(ErrorLaw, Double, (inout SeededGenerator) -> Int64)] {
            var covered = 0
            for _ in 0..<draws {
                let interval = ConfidenceInterval.ratio(
                    numerator: numerator + Double(sample(&generator)), numeratorVariance: variances,
                    denominator: denominator + Double(sample(&generator)), denominatorVariance: variances, law: law)
                let truth = numerator / denominator
                if truth.isNaN || (interval.lower <= truth && truth <= interval.upper) { covered += 1 }
            }
            // 4.75 standard deviations below 95 % (false alarm 1e-6), and 0.3 % for the grid of integers.
            #expect(Double(covered) / Double(draws) >= 0.95 - 4.75 * 0.00154 - 0.003)
        }
    }

    @Test("The critical value for Laplace noise holds for every weighting of two draws (false alarm 1e-6 each)")
    func laplaceCriticalValue() throws {
        let draws = 100_000
        let noise = try DiscreteLaplace(scale: 1e6)
        var generator = SeededGenerator(seed: 82)
        for confidence in [0.8, 0.9, 0.95, 0.99] {
            let z = ErrorLaw.laplace.criticalValue(confidence: confidence)
            for weight in [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] {
                let deviation = (noise.variance * (1 + weight * weight)).squareRoot()
                var inside = 0
                for _ in 0..<draws {
                    let sum = Double(noise.sample(using: &generator)) + weight * Double(noise.sample(using: &generator))
                    if abs(sum) <= z * deviation { inside += 1 }
                }
                let error = (confidence * (1 - confidence) / Double(draws)).squareRoot()
                #expect(Double(inside) / Double(draws) >= confidence - 4.75 * error)
            }
        }
        #expect(abs(ErrorLaw.gaussian.criticalValue(confidence: 0.95) - 1.959963984540054) < 1e-12)
    }
}
