import Foundation
import Testing

@testable import DifferentialPrivacy

/// Curves that are bounds, against laws summed term by term.
@Suite("Rényi bounds")
struct RenyiBoundTests {
    static let orders: [Double] = [1.01, 1.3, 2, 2.5, 3, 4.2, 8, 20]

    private func curve(_ event: PrivacyEvent, _ order: Double) throws -> Double {
        try event.renyiCost().curve.divergence(order: order)
    }

    /// The divergence of two laws on finitely many outcomes.
    private func divergence(_ p: [Double], _ q: [Double], _ order: Double) -> Double {
        var sum = 0.0
        for (a, b) in zip(p, q) where a > 0 { sum += pow(a, order) * pow(b, 1 - order) }
        return log(sum) / (order - 1)
    }

    @Test("Skellam noise on one entry: the sum over its law is below the bound, at whole orders and between")
    func skellam() throws {
        for variance in [2.0, 10, 60] {
            // exp(-v) I_k(v) as a trigonometric integral, which equal steps give to all digits.
            let reach = 12 + Int(9 * variance.squareRoot())
            let nodes = 4096
            let law: [Double] = (0...(reach + 8)).map { k in
                var sum = 0.0
                for node in 0..<nodes {
                    let angle = 2 * Double.pi * Double(node) / Double(nodes)
                    sum += exp(variance * (cos(angle) - 1)) * cos(Double(k) * angle)
                }
                return sum / Double(nodes)
            }
            for shift in [1, 2] {
                let p = (-reach...reach).map { law[abs($0)] }
                let q = (-reach...reach).map { law[abs($0 - shift)] }
                let s = Double(shift)
                let event = PrivacyEvent.skellam(l1Sensitivity: s, sensitivitySquared: s * s, variance: variance)
                // Beyond, the tail is below what Doubles hold of the integral.
                let kept = p.indices.filter { p[$0] > 1e-13 && q[$0] > 1e-13 }
                for order in Self.orders where order <= 4.2 {
                    let truth = divergence(kept.map { p[$0] }, kept.map { q[$0] }, order)
                    let bound = try curve(event, order)
                    #expect(
                        bound >= truth && (order < 2 || bound <= 3 * truth), "\(variance) \(shift) \(order) \(truth)")
                }
            }
        }
    }

    @Test("Bounded range: no interval of losses does better than the formula's, and one does as well")
    func boundedRange() throws {
        for epsilon in [1e-4, 0.01, 0.3, 1, 4] {
            for order in Self.orders {
                let bound = try curve(.exponentialMechanism(epsilon: epsilon, times: 1), order)
                var worst = 0.0
                for step in 1..<4000 {
                    let t = epsilon * Double(step) / 4000
                    let q = (exp(-t) - exp(-epsilon)) / -expm1(-epsilon)
                    worst = max(worst, divergence([q * exp(t), (1 - q) * exp(t - epsilon)], [q, 1 - q], order))
                }
                // The sum beside it loses digits of what is small.
                #expect(bound >= worst * (1 - 1e-9) - 1e-13)
                // At small epsilons the bound is alpha epsilon^2 / 8, which is reached in the limit.
                #expect(bound <= worst * 1.01 + 1e-11, "\(epsilon) \(order) \(bound) \(worst)")
                #expect(bound <= order * epsilon * epsilon / 8 * (1 + 1e-12))
            }
        }
    }

    @Test(
        "Pure mechanisms: exactly randomised response; and rho, its divergence over the order, at most epsilon tanh(epsilon / 2)"
    )
    func pure() throws {
        for epsilon in [1e-6, 0.1, 1, 3, 20] {
            let event = PrivacyEvent.pure(epsilon: epsilon)
            let rho = try #require(event.zeroConcentratedCost).rho
            #expect(rho <= epsilon * epsilon / 2 * (1 + 1e-12))
            let p = 1 / (1 + exp(-epsilon))
            let rest = 1 / (1 + exp(epsilon))
            for order in Self.orders {
                let bound = try curve(event, order)
                if epsilon > 1e-3 {
                    let truth = divergence([p, rest], [rest, p], order)
                    #expect(bound >= truth * (1 - 1e-9) && bound <= truth * (1 + 1e-9), "\(epsilon) \(order)")
                }
                #expect(bound <= rho * order * (1 + 1e-12))
            }
            let laplace = PrivacyEvent.laplace(noiseMultiplier: 1 / epsilon)
            let laplaceRho = try #require(laplace.zeroConcentratedCost).rho
            for order in Self.orders { #expect(try curve(laplace, order) <= laplaceRho * order * (1 + 1e-12)) }
            #expect(laplaceRho <= rho * (1 + 1e-12))
        }
    }

    @Test(
        "The bound for any mechanism on a Poisson sample is above the exact curve of a Gaussian one, and below no sampling"
    )
    func poissonBound() throws {
        for sigma in [0.8, 2, 10] {
            for rate in [1e-4, 0.01, 0.3, 1] {
                let any = PrivacyEvent.poissonSampled(rate: rate, .zeroConcentrated(rho: 1 / (2 * sigma * sigma)))
                let gaussian = PrivacyEvent.poissonSampled(rate: rate, .gaussian(noiseMultiplier: sigma))
                for order in Self.orders {
                    let bound = try curve(any, order)
                    #expect(bound >= (try curve(gaussian, order)) * (1 - 1e-11))
                    #expect(bound <= order / (2 * sigma * sigma) * (1 + 1e-12))
                }
            }
        }
    }

    @Test("Randomised response on samples: both bounds are above the mixture's own divergence, both ways")
    func sampledPure() throws {
        for epsilon in [0.1, 1, 3] {
            let p = 1 / (1 + exp(-epsilon))
            for rate in [0.01, 0.2, 0.7] {
                let mixed = [rate * p + (1 - rate) * (1 - p), rate * (1 - p) + (1 - rate) * p]
                let plain = [1 - p, p]
                let poisson = PrivacyEvent.poissonSampled(rate: rate, .pure(epsilon: epsilon))
                let fixed = PrivacyEvent.fixedSizeSampled(
                    sampleSize: Int((rate * 1000).rounded()), populationSize: 1000, .pure(epsilon: epsilon))
                for order in Self.orders {
                    let truth = max(divergence(mixed, plain, order), divergence(plain, mixed, order))
                    // At order 2 the first is exact; the sum beside it loses digits of what is small.
                    #expect(try curve(poisson, order) >= truth * (1 - 1e-9) - 1e-13)
                    #expect(try curve(fixed, order) >= truth * (1 - 1e-9) - 1e-13)
                }
            }
        }
    }

    @Test("Samplings of samplings multiply their rates, and Gaussians on one sample are one")
    func nested() throws {
        let once = PrivacyEvent.poissonSampled(rate: 0.02, .gaussian(noiseMultiplier: 1))
        let twice = PrivacyEvent.poissonSampled(
            rate: 0.1, .poissonSampled(rate: 0.2, .composition([.repeated(.gaussian(noiseMultiplier: 2), times: 4)])))
        for order in Self.orders {
            let (a, b) = try (curve(once, order), curve(twice, order))
            #expect(abs(a / b - 1) < 1e-9)
        }
    }

    @Test(
        "Sampled Gaussian noise at parameters from tiny to huge: never above no sampling, rising with order, rate and 1/sigma"
    )
    func extremes() {
        let orders: [Double] = [1 + 1e-7, 1.001, 1.5, 2, 7.3, 100, 3e3, 1e6, 1e9]
        for sigma in [1e-12, 1e-3, 0.05, 0.7, 30, 1e4, 1e12] {
            var lastRate = [Double](repeating: 0, count: orders.count)
            for rate in [1e-300, 1e-9, 1e-3, 0.5, 1 - 0x1p-53, 1] {
                var last = 0.0
                for (index, order) in orders.enumerated() {
                    let value = SampledGaussian(rate: rate, sigma: sigma).divergence(order: order)
                    #expect(value >= 0 && value <= order / (2 * sigma * sigma) * (1 + 1e-12))
                    #expect(value >= last * (1 - 1e-9), "order \(order) rate \(rate) sigma \(sigma)")
                    #expect(value >= lastRate[index] * (1 - 1e-9), "order \(order) rate \(rate) sigma \(sigma)")
                    last = value
                    lastRate[index] = value
                }
            }
        }
    }

    @Test("The binomial sum and the integral agree where both apply")
    func binomial() {
        for sigma in [0.3, 0.9, 4] {
            for rate in [1e-5, 0.01, 0.4] {
                for order in [2, 3, 17, 150] {
                    let gaussian = SampledGaussian(rate: rate, sigma: sigma)
                    let ratio = gaussian.divergence(order: Double(order)) / gaussian.binomial(order: order)
                    #expect(abs(ratio - 1) < 1e-10)
                }
            }
        }
    }
}
