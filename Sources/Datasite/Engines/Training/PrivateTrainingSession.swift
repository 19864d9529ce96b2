import DifferentialPrivacy
import Governance
import Learning
import Secrets

/// What training gives: weights that are private already.
struct TrainedModel: Sendable {
    let parameters: Parameters
    let curve: PrivateCurve
}

/// Steps from the last checkpoint on, under one charge.
///
/// A checkpoint holds noisy weights, and no generator's state: a step that is done again is drawn anew. Nothing of a step is told before the
/// checkpoint behind it is durable, so that of no step two draws are seen (docs/privacy.md, rule 29).
struct PrivateTrainingSession {
    let terms: TrainingTerms
    /// Of the request: a checkpoint of another is not taken.
    let digest: String
    let workspace: Workspace

    /// - Parameters:
    ///   - blocks: After which steps to save and to tell.
    ///   - goesOn: Whether nobody has cancelled it: asked about once a second.
    ///   - finish: Told how many of the work's steps are done; gives whether to go on.
    /// - Returns: nil: the machine failed, or it was cancelled.
    func train(
        _ examples: Examples, blocks: [Int], goesOn: () -> Bool, finish: (Int) -> Bool,
        using randomness: inout SecureRandom
    ) -> TrainedModel? {
        var all = examples
        var canaries: Canaries?
        if terms.canaries > 0 {
            guard let kept = keptCanaries(using: &randomness), let added = try? kept.added(to: examples) else {
                return nil
            }
            (canaries, all) = (kept, added)
        }
        guard let start = begin(all, using: &randomness), finish(1) else { return nil }
        var run = start.run
        var asked = ContinuousClock.now
        var curve = start.curve
        for (index, end) in blocks.enumerated() {
            let isNew = run.state.step < end
            while run.state.step < end {
                run.step(using: &randomness)
                if asked.duration(to: .now) > .seconds(1) {
                    guard goesOn() else { return nil }
                    asked = .now
                }
            }
            if isNew {
                curve.points.append(
                    PrivateCurve.Point(step: end, clippingNorm: run.clippingNorm, gradientNorm: run.gradientNorm))
                let checkpoint = Checkpoint(
                    state: run.state, best: nil, curve: LearningCurve(), lossSum: 0, lossRows: 0,
                    clippingNorm: run.clippingNorm, privateCurve: curve)
                guard workspace.save(checkpoint.bytes(digest: digest)) else { return nil }
            }
            guard finish(index + 2) else { return nil }
        }
        if let canaries, !passes(canaries, run.state.result) {
            workspace.note(
                "the model told of made-up people more than its epsilon allows, and is withheld: tell the owner")
            return nil
        }
        return TrainedModel(parameters: run.state.result, curve: curve)
    }

    /// Those of the run's beginning: which of them are in stays the same after a crash.
    private func keptCanaries(using randomness: inout SecureRandom) -> Canaries? {
        if let stored = workspace.saved(.canaries).flatMap({ try? Canaries($0, of: terms.plan) }) { return stored }
        let made = Canaries(terms.canaries, of: terms.plan, using: &randomness)
        return workspace.save(made.bytes, to: .canaries) ? made : nil
    }

    /// Whether the audit shows no more than is claimed: with a true claim it fails once in 1,000 runs. It looks at the weights, which are private
    /// already, and at canaries: nothing of it is charged.
    private func passes(_ canaries: Canaries, _ parameters: Parameters) -> Bool {
        guard let audit = try? canaries.audit(terms.plan, parameters),
            let claimed = terms.epsilon(after: terms.privacy.steps)
        else { return false }
        return audit.epsilon(delta: terms.policy.regime.conversionDelta) <= claimed
    }

    private func begin(
        _ examples: Examples, using randomness: inout SecureRandom
    ) -> (run: PrivateTrainingRun, curve: PrivateCurve)? {
        let (plan, privacy) = (terms.plan, terms.privacy)
        let stored = workspace.saved().flatMap { try? Checkpoint($0, plan: plan, digest: digest) }
        let run = try? PrivateTrainingRun(
            plan: plan, privacy: privacy, examples: examples,
            parameters: plan.model.initialParameters(using: &randomness), state: stored?.state,
            clippingNorm: stored?.clippingNorm)
        return run.map { ($0, stored?.privateCurve ?? PrivateCurve()) }
    }
}
