import DifferentialPrivacy
import Testing

@testable import Learning

/// A whole run of three sites whose canaries are all at the first, seen by the third, which knows its own shares of the noise.
@Suite("Audits of a run with shared noise by canaries at one site")
struct SharedRunAudits {
    private static let canaries = 1000
    private static let steps = 20

    /// - Parameter part: Of the noise's variance.
    private func audit(part: Double, _ name: String) throws -> OneRunAudit {
        var random = AuditRandom(name)
        let wasIn = (0..<Self.canaries).map { _ in random.next() & 1 == 1 }
        var canaries = AuditedExamples(
            units: wasIn.indices.filter { wasIn[$0] }.map { AuditedExamples.unit($0, of: Self.canaries, size: 1e4) },
            inputs: Self.canaries, noiseMultiplier: 5, samplingRate: 0.8)
        canaries.chunkRows = 512
        var nobody = canaries
        nobody.units = []
        let run = try canaries.run(steps: Self.steps)
        let noise = try Self.noise(run.privacy, part: part)
        // The third site's integers are known to it: what is left is the sum of the others'.
        let sites = try [canaries, nobody].map {
            try TrainingShare(
                plan: run.plan, privacy: run.privacy, examples: $0.examples(), parameters: $0.zeros, share: noise.share)
        }
        var weights = [Float](repeating: 0, count: Self.canaries)
        var scores = [Double](repeating: 0, count: Self.canaries)
        for _ in 0..<Self.steps {
            var sum = [Int64](repeating: 0, count: Self.canaries)
            for site in sites {
                let own = try site.integers(weights: weights, using: &random)
                for index in sum.indices { sum[index] += own[index] }
            }
            let gradient = run.privacy.meanGradient(ofSum: sum)
            for index in sum.indices {
                weights[index] -= gradient[index]
                scores[index] += Double(gradient[index])
            }
        }
        // A canary's gradient is positive.
        return try OneRunAudit(scores: scores, wasIn: wasIn, guessing: 400)
    }

    private static func noise(_ privacy: TrainingPrivacy, part: Double = 1) throws -> DistributedSkellam {
        try DistributedSkellam(variance: privacy.sigma * privacy.sigma * part, leastSurvivors: 3, colluders: 1)
    }

    @Test("What one run shows of epsilon stays below what each site's ledger is charged, and exceeds it with far less noise")
    func claim() throws {
        let privacy = try TrainingPrivacy(
            clipping: .fixed(1), noiseMultiplier: 5, samplingRate: 0.8, steps: Self.steps, capacity: 8,
            dimension: Self.canaries)
        let step = try Self.noise(privacy).event(
            l1Sensitivity: Sensitivity.l1(l2Squared: privacy.sensitivitySquared, dimension: privacy.dimension),
            sensitivitySquared: privacy.sensitivitySquared)
        let event = PrivacyEvent.repeated(.poissonSampled(rate: privacy.samplingRate, step), times: Self.steps)
        let charged = try event.loss(kind: .renyi)
        let epsilon = RenyiOrders.epsilon(amounts: charged.amounts, delta: OneRunAudits.delta)
        let confidence = AuditRun.isDeep ? 1 - AuditRun.share() : 0.999
        let right = try audit(part: 1, "canaries at one site")
        #expect(
            right.epsilon(delta: OneRunAudits.delta, confidence: confidence) <= epsilon,
            "\(right.correct) of \(right.guesses) guesses are right, \(epsilon)")
        #expect(right.epsilon(delta: OneRunAudits.delta) > 0.05 * epsilon, "the auditor is no straw man")
        let off = try audit(part: 0x1p-16, "canaries at one site without noise")
        #expect(off.epsilon(delta: OneRunAudits.delta) > epsilon, "\(off.correct) of \(off.guesses), \(epsilon)")
    }
}
