import DifferentialPrivacy
import Testing

@testable import Learning

/// A step whose noise three sites share, one of which tells its own: what is left keeps what is accounted, and with far less variance does not.
@Suite("Audits of a step with shared noise")
struct SharedStepAudits {
    /// The first site has all units, the second none; the third's share is known, and so left out.
    private struct SharedStep: TrainingStep {
        let sites: [TrainingShare]
        let inputs: Int

        init(_ audited: AuditedExamples, part: Double = 1) throws {
            let run = try audited.run()
            let noise = try SharedStepAudits.noise(run.privacy, part: part)
            var nobody = audited
            nobody.units = []
            inputs = audited.inputs
            sites = try [audited, nobody].map {
                try TrainingShare(
                    plan: run.plan, privacy: run.privacy, examples: $0.examples(), parameters: $0.zeros,
                    share: noise.share)
            }
        }

        mutating func release(using random: inout AuditRandom) -> [Double] {
            var sum = [Double](repeating: 0, count: inputs)
            for site in sites {
                guard let integers = try? site.integers(weights: [Float](repeating: 0, count: inputs), using: &random)
                else {
                    return [.nan]
                }
                for index in sum.indices { sum[index] += Double(integers[index]) }
            }
            return sum
        }
    }

    private static func noise(_ privacy: TrainingPrivacy, part: Double = 1) throws -> DistributedSkellam {
        try DistributedSkellam(variance: privacy.sigma * privacy.sigma * part, leastSurvivors: 3, colluders: 1)
    }

    private func claim(_ audited: AuditedExamples) throws -> PrivacyClaim {
        let privacy = try audited.run().privacy
        let event = try Self.noise(privacy).event(
            l1Sensitivity: Sensitivity.l1(l2Squared: privacy.sensitivitySquared, dimension: privacy.dimension),
            sensitivitySquared: privacy.sensitivitySquared)
        var accountant = try RenyiAccountant()
        try accountant.compose(.poissonSampled(rate: privacy.samplingRate, event))
        return PrivacyClaim(
            points: try [0.1, 1e-2, 1e-3].map { .init(epsilon: try accountant.epsilon(delta: $0).upper, delta: $0) })
    }

    private func first(_ step: SharedStep) -> Audit.Draw<Double> {
        { random in
            var step = step
            return step.release(using: &random)[0]
        }
    }

    @Test("One adversarial unit pulls no more than is accounted, on samples and on everybody")
    func pull() throws {
        for rate in [1, 0.4] {
            let pair = StepAudits.pair(samplingRate: rate)
            try Audit("shared step at \(rate)", try claim(pair.with), runs: 10_000).holds(
                first(try SharedStep(pair.with)), first(try SharedStep(pair.without)))
        }
    }

    @Test("With a sixteenth of the variance it pulls more")
    func broken() throws {
        let pair = StepAudits.pair(samplingRate: 1)
        try Audit("shared step, too little noise", try claim(pair.with), runs: 10_000).catches(
            first(try SharedStep(pair.with, part: 1.0 / 16)), first(try SharedStep(pair.without, part: 1.0 / 16)))
    }
}
