import DifferentialPrivacy
import Testing

@testable import Learning

/// A whole training, audited by itself with canaries.
@Suite("Audits of a training run by canaries")
struct OneRunAudits {
    static let canaries = 1000
    static let delta = 1e-5

    /// Trains on canaries that are in by the toss of a coin, each with a direction of its own, and guesses 400 each way. The auditor sees
    /// all that leaves: the weights behind the steps.
    private func audit(noiseMultiplier: Double, _ name: String) throws -> OneRunAudit {
        var random = AuditRandom(name)
        let wasIn = (0..<Self.canaries).map { _ in random.next() & 1 == 1 }
        var examples = AuditedExamples(
            units: wasIn.indices.filter { wasIn[$0] }.map { AuditedExamples.unit($0, of: Self.canaries, size: 1e4) },
            inputs: Self.canaries, noiseMultiplier: noiseMultiplier, samplingRate: 0.8)
        examples.chunkRows = 512
        var run = try examples.run(steps: 20)
        for _ in 0..<20 { run.step(using: &random) }
        // A canary's gradient is positive, and descent goes against it.
        let scores = run.state.parameters.tensors[0].values.map { -Double($0) }
        return try OneRunAudit(scores: scores, wasIn: wasIn, guessing: 400)
    }

    @Test("What one run shows of epsilon stays below the claim, and exceeds it when the noise is off")
    func claim() throws {
        let claimed = try TrainingPrivacy(
            clipping: .fixed(1), noiseMultiplier: 5, samplingRate: 0.8, steps: 20, capacity: 8,
            dimension: Self.canaries)
        var accountant = try PrivacyLossAccountant()
        try accountant.compose(claimed.event)
        let epsilon = try accountant.epsilon(delta: Self.delta).upper
        // 0.999 where the draws are the same each time; where they are not, the share of the false-alarm rate.
        let confidence = AuditRun.isDeep ? 1 - AuditRun.share() : 0.999
        var best = 0.0
        for repetition in 0..<(AuditRun.isDeep ? 20 : 1) {
            let right = try audit(noiseMultiplier: 5, "canaries \(repetition)")
            let shown = right.epsilon(delta: Self.delta, confidence: confidence)
            #expect(shown <= epsilon, "\(right.correct) of \(right.guesses) guesses are right")
            best = max(best, right.epsilon(delta: Self.delta))
            let off = try audit(noiseMultiplier: 0x1p-10, "canaries without noise \(repetition)")
            #expect(off.epsilon(delta: Self.delta) > epsilon, "\(off.correct) of \(off.guesses), \(epsilon)")
        }
        // The auditor is no straw man: with noise it shows something.
        #expect(best > 0.05 * epsilon)
    }
}
