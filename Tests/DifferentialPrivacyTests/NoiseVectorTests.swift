import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Draws against 60-digit laws")
struct NoiseVectorTests {
    struct Row: Decodable {
        var sigma: String?
        var scale: String?
        var pmf_nonneg: [String]
    }

    @Test(
        "Chi-square of 500,000 draws each (false alarm 1e-6 each, seeded)",
        .enabled(if: KnownAnswers.areAvailable, "the folder of known answers is not beside the package"))
    func vectors() throws {
        let gaussian = try KnownAnswers.rows("e_discrete_gaussian_pmf", as: Row.self)
        let laplace = try KnownAnswers.rows("e_discrete_laplace_pmf", as: Row.self)
        for row in gaussian + laplace {
            let half = row.pmf_nonneg.compactMap(Double.init)
            let probabilities = half.dropFirst().reversed() + half
            var generator = SeededGenerator(seed: 31)
            var draws = [Int64](repeating: 0, count: 500_000)
            if let sigma = row.sigma.flatMap(Double.init) {
                try DiscreteGaussian(sigma: sigma).add(to: &draws, using: &generator)
            } else {
                let scale = try #require(row.scale.flatMap(Double.init))
                try DiscreteLaplace(scale: scale).add(to: &draws, using: &generator)
            }
            var counts = [Int](repeating: 0, count: probabilities.count)
            for draw in draws where draw.magnitude < half.count { counts[Int(draw) + half.count - 1] += 1 }
            #expect(ChiSquare.fits(counts: counts, probabilities: Array(probabilities), draws: draws.count))
        }
    }
}
