import Learning
import Secrets

/// What training gives: weights that are private already.
struct TrainedModel: Sendable {
    let parameters: Parameters
    let curve: [Point]

    /// What a step's noisy sum shows: nothing of it is charged again.
    struct Point: Sendable {
        var step: Int
        var clippingNorm: Double
        var gradientNorm: Double
    }
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
        guard var run = begin(examples, using: &randomness), finish(1) else { return nil }
        var asked = ContinuousClock.now
        for (index, end) in blocks.enumerated() {
            while run.state.step < end {
                run.step(using: &randomness)
                if asked.duration(to: .now) > .seconds(1) {
                    guard goesOn() else { return nil }
                    asked = .now
                }
            }
            let checkpoint = Checkpoint(
                state: run.state, best: nil, curve: LearningCurve(), lossSum: 0, lossRows: 0,
                clippingNorm: run.clippingNorm)
            guard workspace.save(checkpoint.bytes(digest: digest)), finish(index + 2) else { return nil }
        }
        return TrainedModel(parameters: run.state.result, curve: [])
    }

    private func begin(_ examples: Examples, using randomness: inout SecureRandom) -> PrivateTrainingRun? {
        let (plan, privacy) = (terms.plan, terms.privacy)
        let stored = workspace.checkpoint().flatMap { try? Checkpoint($0, plan: plan, digest: digest) }
        return try? PrivateTrainingRun(
            plan: plan, privacy: privacy, examples: examples,
            parameters: plan.model.initialParameters(using: &randomness), state: stored?.state,
            clippingNorm: stored?.clippingNorm)
    }
}
