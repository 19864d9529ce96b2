import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Probabilities of the noise")
struct NoiseProbabilityTests {
    struct Row: Decodable {
        var sigma: String?
        var scale: String?
        var pmf_nonneg: [String]
        var variance: String
    }

    @Test(
        "Tails and variances against 60-digit values, rounded upwards and hardly",
        .enabled(if: KnownAnswers.areAvailable, "the folder of known answers is not beside the package"))
    func knownAnswers() throws {
        let gaussian = try KnownAnswers.rows("e_discrete_gaussian_pmf", as: Row.self)
        let laplace = try KnownAnswers.rows("e_discrete_laplace_pmf", as: Row.self)
        #expect(gaussian.count + laplace.count == 10)
        for row in gaussian + laplace {
            let pmf = row.pmf_nonneg.compactMap(Double.init)
            let variance = try #require(Double(row.variance))
            let tail: (Int64) -> Double
            // Beyond sigma 64, tails are bounded by a series to 1e-8.
            let slack = row.sigma == "100" ? 1e-8 : 0
            if let sigma = row.sigma.flatMap(Double.init) {
                let noise = try DiscreteGaussian(sigma: sigma)
                tail = { noise.upperTail($0) }
                #expect(abs(noise.variance / variance - 1) < 1e-13)
            } else {
                let noise = try DiscreteLaplace(scale: try #require(row.scale.flatMap(Double.init)))
                tail = { noise.upperTail($0) }
                #expect(abs(noise.variance / variance - 1) < 1e-13)
            }
            for x in 0..<(pmf.count - 1) {
                let difference = tail(Int64(x)) - tail(Int64(x) + 1)
                // A difference of two roundings of 1e-12 of the larger tail.
                #expect(abs(difference - pmf[x]) < pmf[x] * 1e-9 + tail(Int64(x)) * 1e-11 + slack)
            }
        }
    }

    @Test("Tails of the Gaussian: values computed with 60 digits, never below, at most 1e-9 above")
    func gaussianTails() throws {
        // P(X >= 1) for sigma 1 is half of what the probability of 0, 0.39894227826686170558, leaves.
        let one = try DiscreteGaussian(sigma: 1)
        #expect(one.upperTail(1) >= 0.3005288608665691472 && one.upperTail(1) < 0.3005288608665691472 * (1 + 1e-9))
        #expect(one.upperTail(0) >= 1 - 0.3005288608665691472 && one.upperTail(0) < 0.6994711391334309 * (1 + 1e-9))
        #expect(one.upperTail(.min) == 1 && one.upperTail(-40) == 1)
        #expect(one.upperTail(60) > 0)
    }

    @Test("Summed and expanded tails agree where they meet, and bracket each other")
    func meeting() {
        for sigma in [64.5, 100, 300, 900] {
            for t in [0, 0.01, 0.5, 1, 1.7, 1.8, 2, 3, 4, 5, 6, 7].map({ Int64($0 * sigma) }) {
                let law = DiscreteGaussianLaw(sigma: sigma)
                let bounds = law.tailSum(t)
                // Plain summation from the smallest term on.
                let sum = (t...(t + Int64(12 * sigma))).reversed().reduce(0.0) { $0 + law.f(Double($1)) }
                #expect(bounds.lower <= sum && sum <= bounds.upper)
                #expect(bounds.upper / bounds.lower < 1 + 2e-5)
            }
        }
    }

    @Test("A half-width is the least that holds its confidence", arguments: [0.25, 1, 2, 10, 63, 65, 100, 1000])
    func halfWidths(scale: Double) throws {
        let bound = Int(12 * scale) + 12
        let gaussianWeights = (0...bound).map { exp(-Double($0 * $0) / (2 * scale * scale)) }
        let laplaceWeights = (0...40 * bound).map { exp(-Double($0) / scale) }
        for confidence in [0.5, 0.8, 0.95, 0.99, 0.999] {
            let gaussian = try DiscreteGaussian(sigma: scale).halfWidth(confidence: confidence)
            #expect(Int(gaussian) == least(gaussianWeights, confidence))
            let laplace = try DiscreteLaplace(scale: scale).halfWidth(confidence: confidence)
            #expect(Int(laplace) == least(laplaceWeights, confidence))
        }
    }

    private func least(_ weights: [Double], _ confidence: Double) -> Int {
        let total = 2 * weights.reversed().reduce(0, +) - weights[0]
        var inside = weights[0]
        var h = 0
        while inside < confidence * total {
            h += 1
            inside += 2 * weights[h]
        }
        return h
    }

    @Test("Half-widths of wide noise are the continuous laws'")
    func wideHalfWidths() throws {
        #expect(abs(Double(try DiscreteGaussian(sigma: 1e12).halfWidth(confidence: 0.95)) - 1.959963984540054e12) < 10)
        #expect(abs(Double(try DiscreteLaplace(scale: 1e12).halfWidth(confidence: 0.95)) - 2.995732273553991e12) < 10)
        #expect(try DiscreteGaussian(sigma: 1).halfWidth(confidence: 1) == .max)
    }
}
