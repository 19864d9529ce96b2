import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Discrete Gaussian noise that parties share")
struct DistributedGaussianTests {
    /// The law of the sum of so many shares, on -100...100, by convolution.
    private func law(sigma: Double, shares: Int) -> [Double] {
        let reach = 100
        let one = (-reach...reach).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
        let total = one.reduce(0, +)
        let share = one.map { $0 / total }
        return (1..<shares).reduce(share) { sum, _ in
            (-reach...reach).map { x in
                (max(-reach, x - reach)...min(reach, x + reach)).reduce(0) {
                    $0 + sum[$1 + reach] * share[x - $1 + reach]
                }
            }
        }
    }

    @Test(
        "No Rényi divergence of the exact law of the sum is above the theorem's bound, and none is far below it",
        arguments: [(1.0, 2), (1.0, 3), (1.25, 2), (2.0, 4)])
    func divergence(sigma: Double, honest: Int) {
        let law = law(sigma: sigma, shares: honest)
        for shift in [1, 2, 5] {
            let squared = Double(shift * shift)
            let rho = DistributedGaussian.rho(sensitivitySquared: squared, dimension: 1, sigma: sigma, honest: honest)
            for order in [1.001, 1.5, 2, 4, 16] {
                let terms = (0..<law.count - shift).compactMap { place -> Double? in
                    let (p, q) = (law[place], law[place + shift])
                    return p > 1e-300 && q > 1e-300 ? order * log(p) - (order - 1) * log(q) : nil
                }
                let largest = terms.max() ?? 0
                let sum = terms.reduce(0) { $0 + exp($1 - largest) }
                let divergence = (largest + log(sum)) / (order - 1)
                // A sum that is cut, and rounding, lose a little at orders near 1.
                #expect(divergence <= order * rho + 1e-9)
                if order <= 4 {
                    #expect(divergence >= 0.97 * order * squared / (2 * Double(honest) * sigma * sigma) - 1e-6)
                }
            }
        }
    }

    @Test(
        "The loss is no more than is asked, shares are as small as it allows, and never smaller than the theorem is good for"
    )
    func calibration() throws {
        for (squared, dimension, rho, survivors, colluders) in [
            (1.0, 1, 0.1, 3, 1), (36, 1_000, 0.001, 5, 2), (1e12, 4, 0.02, 2, 1), (4, 1 << 18, 0.5, 10, 0),
            (1, 1, 100, 3, 1),
        ] {
            let loss = try PrivacyLoss(roundingDownRho: rho)
            let noise = try DistributedGaussian(
                sensitivitySquared: squared, dimension: dimension, loss: loss, leastSurvivors: survivors,
                colluders: colluders)
            #expect(noise.honest == survivors - colluders && noise.share.sigma >= DistributedGaussian.leastSigma)
            let spent = try noise.event.loss(kind: .zeroConcentrated).amount
            #expect(spent <= loss.amount)
            // The honest shares alone have the variance of one Gaussian at that loss; within what the theorem adds.
            let ideal = squared / (2 * rho)
            let honest = noise.share.sigma * noise.share.sigma * Double(noise.honest)
            #expect(honest >= ideal * (1 - 1e-9))
            if noise.share.sigma > 2 { #expect(honest <= ideal * 1.0001) }
            #expect(try noise.event.loss(kind: .renyi).isCovered(by: PrivacyLoss(renyiRho: loss.amount, delta: 0)))
        }
    }

    @Test("What is no noise is refused")
    func refused() {
        func make(_ squared: Double, _ rho: Double, survivors: Int, colluders: Int) -> Bool {
            guard let loss = try? PrivacyLoss(roundingDownRho: rho) else { return false }
            return
                (try? DistributedGaussian(
                    sensitivitySquared: squared, dimension: 1, loss: loss, leastSurvivors: survivors,
                    colluders: colluders)) != nil
        }
        #expect(make(1, 0.1, survivors: 2, colluders: 1))
        #expect(!make(1, 0.1, survivors: 2, colluders: 2))
        #expect(!make(1, 0.1, survivors: 2, colluders: -1))
        #expect(!make(1, 0, survivors: 2, colluders: 1))
        #expect(!make(0, 0.1, survivors: 2, colluders: 1))
        #expect(!make(.nan, 0.1, survivors: 2, colluders: 1))
        // Noise beyond what is drawn.
        #expect(!make(0x1p80, 1e-6, survivors: 2, colluders: 1))
    }

    /// 20,000 sums: the sample variance is within 4 % with a probability of 1 - 6e-5 (4 standard deviations).
    @Test("The sum of all shares is as wide as is said")
    func width() throws {
        let noise = try DistributedGaussian(
            sensitivitySquared: 1, dimension: 1, loss: PrivacyLoss(roundingDownRho: 0.01), leastSurvivors: 4,
            colluders: 1)
        var random = SeededGenerator(seed: 3)
        let draws = (0..<20_000).map { _ in
            (0..<4).reduce(0.0) { sum, _ in sum + Double(noise.share.sample(using: &random)) }
        }
        let variance = draws.reduce(0) { $0 + $1 * $1 } / Double(draws.count)
        let said = try noise.sum(shares: 4).variance
        #expect(abs(variance / said - 1) < 0.04)
        #expect(said > 1.3 * 50, "the colluder's share is on top of what is charged")
    }
}
