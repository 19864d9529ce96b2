import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Accountants")
struct AccountantTests {
    static let folder: Comment = "the folder of known answers is not beside the package"

    static func renyi(_ event: PrivacyEvent, orders: [Double]? = nil) throws -> RenyiAccountant {
        var accountant = try RenyiAccountant(orders: orders)
        try accountant.compose(event)
        return accountant
    }

    // MARK: Known answers

    struct GaussianRow: Decodable {
        var sigma: Double
        var k: Int
        var delta: Double
        var eps_exact: String
        var eps_rdp_dp_accounting: Double
        var rdp_order: Double
    }

    @Test(
        "Gaussian compositions: the exact value in between, and Rényi's above it",
        .enabled(if: KnownAnswers.areAvailable, folder))
    func gaussian() throws {
        for row in try KnownAnswers.rows("a1_gaussian_compositions", as: GaussianRow.self) {
            let event = PrivacyEvent.repeated(.gaussian(noiseMultiplier: row.sigma), times: row.k)
            var accountant = GaussianAccountant()
            try accountant.compose(event)
            let bounds = try accountant.epsilon(delta: row.delta)
            let exact = try #require(Double(row.eps_exact))
            #expect(bounds.lower <= exact && exact <= bounds.upper)
            #expect(bounds.upper <= exact * (1 + 1e-9) && bounds.lower >= exact * (1 - 1e-8), "\(bounds) \(exact)")
            let back = try accountant.delta(epsilon: exact)
            #expect(back.lower <= row.delta * (1 + 1e-9) && back.upper >= row.delta * (1 - 1e-9))

            let same = try Self.renyi(event, orders: RenyiAccountantTests.theirOrders).epsilon(delta: row.delta)
            #expect(abs(same.upper / row.eps_rdp_dp_accounting - 1) < 1e-9)
            let ours = try Self.renyi(event).epsilon(delta: row.delta)
            #expect(ours.upper <= same.upper * (1 + 1e-10) && ours.upper >= exact)
        }
    }

    struct PureRow: Decodable {
        var eps0: String
        var k: Int
        var exact: [String: String]

        private struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: Key.self)
            eps0 = ""
            k = 0
            exact = [:]
            for key in members.allKeys {
                if key.stringValue == "eps0" { eps0 = try members.decode(String.self, forKey: key) }
                if key.stringValue == "k" { k = try members.decode(Int.self, forKey: key) }
                guard key.stringValue.hasPrefix("eps_opt_delta_") else { continue }
                exact[String(key.stringValue.dropFirst(14))] = try members.decode(String.self, forKey: key)
            }
        }
    }

    @Test("The optimal composition of pure mechanisms, exactly", .enabled(if: KnownAnswers.areAvailable, folder))
    func pureComposition() throws {
        var checked = 0
        for row in try KnownAnswers.rows("a3_pure_composition_optimal", as: PureRow.self) {
            var accountant = PureAccountant()
            try accountant.compose(.pure(epsilon: try #require(Double(row.eps0))), times: row.k)
            for (text, value) in row.exact {
                let delta = try #require(Double(text))
                let exact = try #require(Double(value))
                let bounds = try accountant.epsilon(delta: delta)
                #expect(bounds.lower <= exact && exact <= bounds.upper, "\(row.eps0) \(row.k) \(delta)")
                #expect(bounds.upper - bounds.lower <= exact * 2e-9, "\(row.eps0) \(row.k) \(delta) \(bounds) \(exact)")
                let back = try accountant.delta(epsilon: exact)
                #expect(back.lower <= delta * (1 + 1e-9) && back.upper >= delta * (1 - 1e-9))
                checked += 1
            }
        }
        #expect(checked == 69)
    }

    struct LaplaceRow: Decodable {
        var scale_b: Double
        var k: Int
        var pld_optimistic: [String: Double]
        var rdp: [String: Double]
    }

    @Test(
        "Laplace compositions: at most another implementation's Rényi, at least the truth",
        .enabled(if: KnownAnswers.areAvailable, folder))
    func laplace() throws {
        for row in try KnownAnswers.rows("a3_laplace_compositions", as: LaplaceRow.self) {
            let event = PrivacyEvent.repeated(.laplace(noiseMultiplier: row.scale_b), times: row.k)
            let same = try Self.renyi(event, orders: RenyiAccountantTests.theirOrders)
            let ours = try Self.renyi(event)
            var pure = PureAccountant()
            try pure.compose(event)
            for (text, theirs) in row.rdp {
                let delta = try #require(Double(text))
                let truth = try #require(row.pld_optimistic[text])
                #expect(abs(try same.epsilon(delta: delta).upper / theirs - 1) < 1e-8)
                #expect(try ours.epsilon(delta: delta).upper <= theirs * (1 + 1e-9))
                #expect(try ours.epsilon(delta: delta).upper >= truth)
                #expect(try pure.epsilon(delta: delta).upper >= truth)
            }
        }
    }

    struct MixtureRow: Decodable {
        var laplace_count: Int
        var laplace_b: Double
        var gaussian_count: Int
        var gaussian_sigma: Double
        var gaussian_q: Double
        var pld_optimistic: [String: Double]
        var rdp: [String: Double]
    }

    @Test(
        "Mixtures: at most another implementation's Rényi, at least the truth",
        .enabled(if: KnownAnswers.areAvailable, folder))
    func mixtures() throws {
        for row in try KnownAnswers.rows("a4_mixtures_laplace_gaussian", as: MixtureRow.self) {
            let gaussian = PrivacyEvent.gaussian(noiseMultiplier: row.gaussian_sigma)
            let event = PrivacyEvent.composition([
                .repeated(.laplace(noiseMultiplier: row.laplace_b), times: row.laplace_count),
                .repeated(.poissonSampled(rate: row.gaussian_q, gaussian), times: row.gaussian_count),
            ])
            let same = try Self.renyi(event, orders: RenyiAccountantTests.theirOrders)
            let ours = try Self.renyi(event)
            for (text, theirs) in row.rdp {
                let delta = try #require(Double(text))
                // Theirs is too high at orders that are not whole.
                #expect(try same.epsilon(delta: delta).upper <= theirs * (1 + 1e-9))
                #expect(try same.epsilon(delta: delta).upper >= theirs * (1 - 1e-4))
                #expect(try ours.epsilon(delta: delta).upper <= theirs * (1 + 1e-9))
                #expect(try ours.epsilon(delta: delta).upper >= (try #require(row.pld_optimistic[text])))
            }
        }
    }

    struct CalibrationRow: Decodable {
        var eps: Double
        var delta: Double
        var q: Double
        var steps: Int
        var sigma_rdp: Double
        var sigma_pld: Double
    }

    @Test(
        "Calibrated noise: another implementation's by Rényi, at least what is needed in truth",
        .enabled(if: KnownAnswers.areAvailable, folder))
    func calibration() throws {
        for row in try KnownAnswers.rows("b_calibrations", as: CalibrationRow.self) {
            var evaluations = 0
            let event: (Double) -> PrivacyEvent = { sigma in
                evaluations += 1
                return .repeated(.poissonSampled(rate: row.q, .gaussian(noiseMultiplier: sigma)), times: row.steps)
            }
            let sigma = try Calibration.leastNoise(
                epsilon: row.eps, delta: row.delta, tolerance: 1e-7, by: try RenyiAccountant(), event: event
            )
            // Theirs searches to 1e-6 on a grid of orders, so that it is a little more.
            #expect(sigma <= row.sigma_rdp + 2e-6 && sigma >= row.sigma_rdp * (1 - 2e-2), "\(sigma) \(row)")
            #expect(sigma >= row.sigma_pld * (1 - 1e-3))
            #expect(evaluations <= 24)
            #expect(try Self.renyi(event(sigma)).epsilon(delta: row.delta).upper <= row.eps)
            #expect(try Self.renyi(event(sigma / (1 + 1e-7))).epsilon(delta: row.delta).upper > row.eps)
        }
    }

    @Test("Calibrated Gaussian noise is the analytic one, and what cannot be calibrated is refused")
    func calibrationOfOthers() throws {
        let exact = try Calibration.leastNoise(
            epsilon: 1, delta: 1e-6, tolerance: 1e-9, by: GaussianAccountant(),
            event: { .gaussian(noiseMultiplier: $0) })
        #expect(abs(exact / (1 / (2 * Conversion.gaussianRho(epsilon: 1, delta: 1e-6)).squareRoot()) - 1) < 1e-8)
        let laplace = try Calibration.leastNoise(
            epsilon: 0.5, delta: 1e-12, by: PureAccountant(), event: { .laplace(noiseMultiplier: $0) })
        #expect(abs(laplace - 2) < 1e-5)
        let zcdp = try Calibration.leastNoise(
            epsilon: 2, delta: 1e-5, by: ZeroConcentratedAccountant(),
            event: { .repeated(.gaussian(noiseMultiplier: $0), times: 7) })
        #expect(abs(zcdp / (3.5 / Conversion.rho(epsilon: 2, delta: 1e-5)).squareRoot() - 1) < 1e-5)
        #expect(throws: MechanismError.self) {
            try Calibration.leastNoise(
                epsilon: 1, delta: 1e-6, by: PureAccountant(), event: { .gaussian(noiseMultiplier: $0) })
        }
        for bad in [0, -1, .nan, .infinity] as [Double] {
            #expect(throws: MechanismError.self) {
                try Calibration.leastNoise(
                    epsilon: bad, delta: 1e-6, by: GaussianAccountant(),
                    event: { .gaussian(noiseMultiplier: $0) })
            }
        }
        // Noise makes no difference.
        #expect(throws: MechanismError.self) {
            try Calibration.leastNoise(
                epsilon: 1, delta: 1e-6, by: PureAccountant(), event: { _ in .pure(epsilon: 2) })
        }
    }

    // MARK: Relations

    /// What the events of a random sequence have in common: Gaussian noise on whole datasets.
    private func gaussians(_ generator: inout SeededGenerator) -> PrivacyEvent {
        let count = Int.random(in: 1...4, using: &generator)
        return .composition(
            (0..<count).map { _ in
                let multiplier = exp(Double.random(in: -1...4, using: &generator))
                let event = PrivacyEvent.gaussian(noiseMultiplier: multiplier)
                return .repeated(event, times: Int.random(in: 1...30, using: &generator))
            })
    }

    @Test("Rényi and zCDP are never below exact Gaussian, and Rényi is never above zCDP")
    func aboveExact() throws {
        var generator = SeededGenerator(seed: 61)
        for _ in 0..<300 {
            let event = gaussians(&generator)
            let delta = exp(Double.random(in: -30 ... -1, using: &generator))
            var exact = GaussianAccountant()
            var zcdp = ZeroConcentratedAccountant()
            try exact.compose(event)
            try zcdp.compose(event)
            let renyi = try Self.renyi(event)
            let truth = try exact.epsilon(delta: delta)
            #expect(truth.lower <= truth.upper)
            #expect(try renyi.epsilon(delta: delta).upper >= truth.lower)
            #expect(try zcdp.epsilon(delta: delta).upper >= truth.lower)
            #expect(try renyi.epsilon(delta: delta).upper <= zcdp.epsilon(delta: delta).upper * (1 + 1e-9) + 1e-12)
            let epsilon = Double.random(in: 0...10, using: &generator)
            let deltas = try (
                exact.delta(epsilon: epsilon), renyi.delta(epsilon: epsilon), zcdp.delta(epsilon: epsilon)
            )
            #expect(deltas.0.lower <= deltas.1.upper && deltas.0.lower <= deltas.2.upper)
            // The search leaves 1e-10 of ln(delta).
            #expect(deltas.1.upper <= deltas.2.upper * (1 + 1e-6))
        }
    }

    @Test("Pure mechanisms: no accountant is below the exact optimal composition")
    func pureRelations() throws {
        var generator = SeededGenerator(seed: 62)
        for _ in 0..<100 {
            let epsilon = exp(Double.random(in: -4...1, using: &generator))
            let event = PrivacyEvent.repeated(
                .pure(epsilon: epsilon), times: Int.random(in: 1...200, using: &generator))
            let delta = exp(Double.random(in: -25 ... -2, using: &generator))
            var pure = PureAccountant()
            var zcdp = ZeroConcentratedAccountant()
            try pure.compose(event)
            try zcdp.compose(event)
            let truth = try pure.epsilon(delta: delta).lower
            #expect(try zcdp.epsilon(delta: delta).upper >= truth)
            #expect(try Self.renyi(event).epsilon(delta: delta).upper >= truth)
            #expect(try Self.renyi(event).epsilon(delta: delta).upper <= zcdp.epsilon(delta: delta).upper * (1 + 1e-9))
        }
    }

    @Test("The worst composition is no less than any distribution of answers shows, by enumeration")
    func enumeratedComposition() {
        for (epsilon, count) in [(0.3, 1), (0.3, 4), (1.7, 3), (0.01, 12), (4, 6)] as [(Double, Int)] {
            let composition = PureComposition(epsilon: epsilon, count: count)
            for asked in [0, 0.1, 0.5, 1, 2, 5] as [Double] {
                var delta = 0.0
                for answers in 0..<(1 << count) {
                    let ones = Double(answers.nonzeroBitCount)
                    let zeros = Double(count) - ones
                    let p = exp(ones * epsilon) / pow(1 + exp(epsilon), Double(count))
                    let q = exp(zeros * epsilon) / pow(1 + exp(epsilon), Double(count))
                    delta += max(0, p - exp(asked) * q)
                }
                let ours = composition.delta(epsilon: asked)
                #expect(ours.lower <= delta + 1e-12 && ours.upper >= delta - 1e-12 && ours.upper - ours.lower < 1e-10)
            }
        }
    }

    @Test("An accountant that throws is as it was before; neighbours and unsupported events are told apart")
    func refusals() throws {
        var accountant = try RenyiAccountant()
        try accountant.compose(.gaussian(noiseMultiplier: 1))
        let before = try accountant.epsilon(delta: 1e-5)
        for event in [
            .composition([.gaussian(noiseMultiplier: 1), .gaussian(noiseMultiplier: -1)]),
            .fixedSizeSampled(sampleSize: 1, populationSize: 10, .gaussian(noiseMultiplier: 1)),
            .poissonSampled(rate: 0.1, .treeAggregation(noiseMultiplier: 1, steps: 3)),
        ] as [PrivacyEvent] {
            #expect(throws: MechanismError.self) { try accountant.compose(event) }
        }
        #expect(try accountant.epsilon(delta: 1e-5) == before)
        var replace = try RenyiAccountant(neighbours: .replaceOne)
        #expect(throws: MechanismError.self) {
            try replace.compose(.poissonSampled(rate: 0.1, .gaussian(noiseMultiplier: 1)))
        }
        try replace.compose(.shuffled(localEpsilon: 1, count: 100))
        var gaussian = GaussianAccountant()
        for event in [.discreteGaussian(sensitivitySquared: 1, sigma: 10), .laplace(noiseMultiplier: 1)]
            as [PrivacyEvent]
        {
            #expect(throws: MechanismError.self) { try gaussian.compose(event) }
        }
        #expect(throws: MechanismError.self) { try RenyiAccountant(orders: [1]) }
        #expect(throws: MechanismError.self) { try RenyiAccountant(orders: []) }
        #expect(throws: MechanismError.self) { try accountant.epsilon(delta: -1) }
        #expect(throws: MechanismError.self) { try accountant.delta(epsilon: .nan) }
    }
}
