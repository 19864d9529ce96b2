import Foundation
import Testing

@testable import DifferentialPrivacy

@Suite("Privacy loss distributions against known answers", .enabled(if: KnownAnswers.areAvailable))
struct PrivacyLossKnownAnswerTests {
    private func epsilon(
        _ events: [(PrivacyEvent, Int)], delta: Double, step: Double = 1e-4
    ) throws -> PrivacyBounds {
        var accountant = try PrivacyLossAccountant(gridStep: step)
        for (event, times) in events { try accountant.compose(event, times: times) }
        let bounds = try accountant.epsilon(delta: delta)
        #expect(bounds.lower <= bounds.upper)
        return bounds
    }

    /// What every pessimistic and optimistic pair of dp_accounting's says about ours.
    private func check(
        _ ours: PrivacyBounds, pessimistic: Double, optimistic: Double, _ comment: Comment
    ) {
        #expect(ours.upper <= pessimistic * 1.001, comment)
        #expect(ours.upper >= optimistic, comment)
        #expect(ours.lower <= pessimistic, comment)
    }

    struct GaussianRow: Decodable {
        var sigma: Double
        var k: Int
        var delta: Double
        var eps_exact: String
    }

    @Test("Gaussian noise k times: the exact epsilon lies in the interval, which is narrow")
    func gaussian() throws {
        for row in try KnownAnswers.rows("a1_gaussian_compositions", as: GaussianRow.self) {
            let exact = try #require(Double(row.eps_exact))
            let step = exact > 10 ? 1e-3 : 1e-4
            let ours = try epsilon([(.gaussian(noiseMultiplier: row.sigma), row.k)], delta: row.delta, step: step)
            #expect(ours.lower <= exact && exact <= ours.upper, "\(row)")
            #expect(ours.upper - ours.lower <= 0.002 * exact, "\(row)")
        }
    }

    struct SampledRow: Decodable {
        var q: Double
        var sigma: Double
        var steps: Int
        var pld_pessimistic: [String: Double]
        var pld_optimistic: [String: Double]
        var pld_interval: Double
        var prv_low_est_up: [String: [Double]]?
    }

    @Test("DP-SGD: within dp_accounting's bounds and beside prv_accountant's estimate")
    func sampled() throws {
        for row in try KnownAnswers.rows("a2_dpsgd", as: SampledRow.self) {
            let event = PrivacyEvent.poissonSampled(rate: row.q, .gaussian(noiseMultiplier: row.sigma))
            // Both deltas where they are quick.
            for (name, pessimistic) in row.pld_pessimistic where row.steps <= 100 || name == "1e-05" {
                let delta = try #require(Double(name))
                let ours = try epsilon([(event, row.steps)], delta: delta, step: row.pld_interval)
                let optimistic = try #require(row.pld_optimistic[name])
                check(ours, pessimistic: pessimistic, optimistic: optimistic, "\(row) \(ours)")
                // prv_accountant's interval is right with its own error of 0.01.
                guard let prv = row.prv_low_est_up?[name] else { continue }
                #expect(ours.lower <= prv[2] && ours.upper >= prv[0], "\(row) \(ours)")
                #expect(abs(ours.upper - prv[1]) <= prv[2] - prv[1], "\(row) \(ours)")
            }
        }
    }

    struct LaplaceRow: Decodable {
        var scale_b: Double
        var k: Int
        var interval: Double
        var pld_pessimistic: [String: Double]
        var pld_optimistic: [String: Double]
    }

    @Test("Laplace noise k times")
    func laplace() throws {
        for row in try KnownAnswers.rows("a3_laplace_compositions", as: LaplaceRow.self) {
            for (name, pessimistic) in row.pld_pessimistic {
                let delta = try #require(Double(name))
                let ours = try epsilon(
                    [(.laplace(noiseMultiplier: row.scale_b), row.k)], delta: delta, step: row.interval)
                let optimistic = try #require(row.pld_optimistic[name])
                check(ours, pessimistic: pessimistic, optimistic: optimistic, "\(row) \(ours)")
            }
        }
    }

    struct PureRow: Decodable {
        var eps0: String
        var k: Int
        var eps_opt_delta_1e5: String
        var eps_opt_delta_1e6: String
        var eps_opt_delta_1e9: String

        enum CodingKeys: String, CodingKey {
            case eps0, k
            case eps_opt_delta_1e5 = "eps_opt_delta_1e-5"
            case eps_opt_delta_1e6 = "eps_opt_delta_1e-6"
            case eps_opt_delta_1e9 = "eps_opt_delta_1e-9"
        }
    }

    @Test("Pure mechanisms: the exact optimum of Kairouz, Oh and Viswanath lies in the interval, to seven digits")
    func pure() throws {
        for row in try KnownAnswers.rows("a3_pure_composition_optimal", as: PureRow.self) {
            let event = PrivacyEvent.pure(epsilon: try #require(Double(row.eps0)))
            let exact = [(1e-5, row.eps_opt_delta_1e5), (1e-6, row.eps_opt_delta_1e6), (1e-9, row.eps_opt_delta_1e9)]
            for (delta, text) in exact {
                let ours = try epsilon([(event, row.k)], delta: delta)
                let value = try #require(Double(text))
                // The row's own number is rounded.
                #expect(ours.lower <= value * (1 + 1e-15) && value <= ours.upper * (1 + 1e-15), "\(row) \(ours)")
                #expect(ours.upper - ours.lower <= value * 1e-7, "\(row) \(ours)")
            }
        }
    }

    struct DiscreteRow: Decodable {
        var kind: String
        var k: Int
        var sigma: Double?
        var parameter_a: Double?
        var noise_parameter: Double?
        var buckets: Int?
        var eps: [String: Double]
    }

    @Test("Discrete Gaussian, discrete Laplace and randomised response")
    func discrete() throws {
        for row in try KnownAnswers.rows("a4_discrete_mechanisms", as: DiscreteRow.self) {
            let event: PrivacyEvent
            switch row.kind {
            case "discrete_gaussian": event = .discreteGaussian(sensitivitySquared: 1, sigma: try #require(row.sigma))
            case "discrete_laplace":
                event = .discreteLaplace(sensitivity: 1, scale: 1 / (try #require(row.parameter_a)))
            default:
                // The answer is kept but with that probability, which draws one of the buckets instead.
                let noise = try #require(row.noise_parameter)
                let other = noise / Double(try #require(row.buckets))
                event = .pure(epsilon: log((1 - noise + other) / other))
            }
            for (name, theirs) in row.eps {
                let ours = try epsilon([(event, row.k)], delta: try #require(Double(name)))
                #expect(ours.upper >= theirs - 2e-4 * Double(row.k), "\(row) \(ours)")
                // Of more than two buckets, it is less than the binary one, which bounds it.
                if row.buckets ?? 2 == 2 { #expect(ours.upper <= theirs * 1.001, "\(row) \(name) \(ours)") }
                #expect(ours.upper - ours.lower <= 1e-6 * ours.upper, "\(row) \(name) \(ours)")
            }
        }
    }

    struct MixtureRow: Decodable {
        var laplace_count: Int
        var laplace_b: Double
        var gaussian_count: Int
        var gaussian_sigma: Double
        var gaussian_q: Double
        var pld_pessimistic: [String: Double]
        var pld_optimistic: [String: Double]
    }

    @Test("Laplace and sampled Gaussian noise together")
    func mixtures() throws {
        for row in try KnownAnswers.rows("a4_mixtures_laplace_gaussian", as: MixtureRow.self) {
            let gaussian = PrivacyEvent.poissonSampled(
                rate: row.gaussian_q, .gaussian(noiseMultiplier: row.gaussian_sigma))
            for (name, pessimistic) in row.pld_pessimistic {
                let ours = try epsilon(
                    [(.laplace(noiseMultiplier: row.laplace_b), row.laplace_count), (gaussian, row.gaussian_count)],
                    delta: try #require(Double(name)))
                let optimistic = try #require(row.pld_optimistic[name])
                check(ours, pessimistic: pessimistic, optimistic: optimistic, "\(row) \(ours)")
            }
        }
    }

    struct CalibrationRow: Decodable {
        var eps: Double
        var delta: Double
        var q: Double
        var steps: Int
        var sigma_pld: Double
    }

    @Test("dp_accounting's calibrated noise meets its target, and 0.5 % less does not")
    func calibrations() throws {
        for row in try KnownAnswers.rows("b_calibrations", as: CalibrationRow.self) {
            func at(_ sigma: Double) throws -> PrivacyBounds {
                try epsilon(
                    [(.poissonSampled(rate: row.q, .gaussian(noiseMultiplier: sigma)), row.steps)], delta: row.delta)
            }
            #expect(try at(row.sigma_pld * 1.0001).upper <= row.eps, "\(row)")
            #expect(try at(row.sigma_pld * 0.995).lower > row.eps, "\(row)")
        }
    }

    /// Opacus reports the upper end of its PRV interval, whose error it sets to 0.01: the truth is that much below.
    @Test(
        "Published PRV epsilons are their interval's upper end",
        arguments: [
            (240.0, 0.7, 45, 5.442), (240, 1.1, 60, 2.306), (240, 1.3, 15, 0.844), (512, 1.23, 40, 2.373),
        ])
    func published(batch: Double, sigma: Double, epochs: Int, value: Double) throws {
        let rate = batch / 60_000
        let steps = Int((Double(epochs) / rate).rounded())
        let event = PrivacyEvent.poissonSampled(rate: rate, .gaussian(noiseMultiplier: sigma))
        let ours = try epsilon([(event, steps)], delta: 1e-5)
        #expect(ours.upper <= value && ours.lower >= value - 0.022)
        #expect(abs((ours.upper + ours.lower) / 2 + 0.01 - value) <= 0.002)
    }
}
