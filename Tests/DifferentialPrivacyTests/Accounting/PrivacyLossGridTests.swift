import Foundation
import Testing

@testable import DifferentialPrivacy

@Suite("The grid of a privacy loss distribution where none is asked for")
struct PrivacyLossGridTests {
    private func bounds(
        _ event: PrivacyEvent, _ times: Int, delta: Double, step: Double? = nil
    ) throws -> PrivacyBounds {
        try PrivacyLossDistribution(gridStep: step).composed(with: event, times: times).epsilon(delta: delta)
    }

    @Test(
        "Many repetitions of much noise: close to the exact epsilon, where a step of 1e-4 is far from it",
        arguments: [(1000.0, 1_000_000), (10_000, 10_000_000), (100_000, 100_000_000), (37_307, 100_000_000)])
    func narrowGaussian(sigma: Double, times: Int) throws {
        let exact = Conversion.gaussianEpsilon(rho: Double(times) / 2 / sigma / sigma, delta: 1e-5)
        let found = try bounds(.gaussian(noiseMultiplier: sigma), times, delta: 1e-5)
        #expect(found.lower <= exact && exact <= found.upper && found.upper < 1.02 * exact, "\(found) \(exact)")
        let coarse = try bounds(.gaussian(noiseMultiplier: sigma), times, delta: 1e-5, step: 1e-4)
        #expect(coarse.upper > found.upper && coarse.upper >= exact && coarse.lower <= exact)
    }

    @Test("Narrow losses of other kinds: below what Rényi divergences prove")
    func narrow() throws {
        for (event, times) in [
            (PrivacyEvent.poissonSampled(rate: 0.01, .gaussian(noiseMultiplier: 100)), 10_000_000),
            (.poissonSampled(rate: 0.5, .gaussian(noiseMultiplier: 700_000)), 100_000),
            (.laplace(noiseMultiplier: 1e5), 1_000_000), (.pure(epsilon: 1e-5), 1_000_000),
        ] as [(PrivacyEvent, Int)] {
            var renyi = try RenyiAccountant()
            try renyi.compose(event, times: times)
            let looser = try renyi.epsilon(delta: 1e-6).upper
            let found = try bounds(event, times, delta: 1e-6)
            #expect(found.upper < looser && found.lower > looser / 2, "\(event) \(found) \(looser)")
        }
    }

    @Test("Losses that are wide beside 1e-4 are put on that grid, to the bit")
    func wide() throws {
        for (event, times) in [
            (PrivacyEvent.poissonSampled(rate: 0.004, .gaussian(noiseMultiplier: 1)), 1000),
            (.gaussian(noiseMultiplier: 16), 100), (.laplace(noiseMultiplier: 2), 10),
        ] as [(PrivacyEvent, Int)] {
            #expect(try bounds(event, times, delta: 1e-5) == bounds(event, times, delta: 1e-5, step: 1e-4))
        }
    }

    @Test("One wide loss among narrow ones, and none at all")
    func mixture() throws {
        let both = try PrivacyLossDistribution().composed(with: .gaussian(noiseMultiplier: 1)).composed(
            with: .gaussian(noiseMultiplier: 1e4), times: 1_000_000)
        let exact = Conversion.gaussianEpsilon(rho: 0.5 + 0.005, delta: 1e-6)
        let found = try both.epsilon(delta: 1e-6)
        #expect(found.lower <= exact && exact <= found.upper && found.upper < 1.001 * exact, "\(found) \(exact)")
        let nothing = try bounds(.laplace(noiseMultiplier: 1e300), 5, delta: 1e-6)
        #expect(nothing.lower == 0 && nothing.upper < 1e-3)
    }

    @Test("Less noise than a loss distribution takes counts as too little, and delta 0 as what it is")
    func calibration() throws {
        let event: (Double) -> PrivacyEvent = { .poissonSampled(rate: 0.5, .gaussian(noiseMultiplier: $0)) }
        let noise = try Calibration.leastNoise(
            epsilon: 700, delta: 1e-5, tolerance: 1e-3, by: try PrivacyLossAccountant(gridStep: 0.01), event: event)
        var accountant = try PrivacyLossAccountant(gridStep: 0.01)
        try accountant.compose(event(noise))
        #expect(try accountant.epsilon(delta: 1e-5).upper <= 700)

        let laplace = try Calibration.leastNoise(
            epsilon: 2, delta: 0, by: PureAccountant(), event: { .repeated(.laplace(noiseMultiplier: $0), times: 10) })
        #expect(laplace >= 5 && laplace < 5 * (1 + 1e-6))
        #expect(
            throws: MechanismError.parameter(
                "delta", expected: "a value at which some noise is proved to have a finite epsilon")
        ) {
            try Calibration.leastNoise(
                epsilon: 1, delta: 0, by: GaussianAccountant(), event: { .gaussian(noiseMultiplier: $0) })
        }
    }
}
