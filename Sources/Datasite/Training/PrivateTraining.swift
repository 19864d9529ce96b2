import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Learning
import Secrets

/// What private training on one's own files promises: known before the first step.
public struct TrainingPromise: Sendable {
    /// How many units the sampling rate goes by: taken for public.
    public var units: Int
    /// With which probability each unit is in a step's sample.
    public var samplingRate: Double
    /// The noise's standard deviation over the sensitivity.
    public var noiseMultiplier: Double
    /// At the first step.
    public var clippingNorm: Double
    /// How many units a step draws on average, and how often an epoch draws each.
    public var expectedUnits: Double
    /// How often an epoch draws each unit on average.
    public var coverage: Double
    /// Of all steps, at `delta`, by privacy loss distributions.
    public var epsilon: Double
    /// As the plan has it.
    public var delta: Double
}

extension TrainingDocument {
    /// What the plan promises on so many units.
    ///
    /// - Throws: A `Problem`: a seed, a selection or a split that no accountant counts.
    func promise(units: Int, plan: TrainingPlan) throws -> (privacy: TrainingPrivacy, promise: TrainingPromise)? {
        guard let section = privacy else { return nil }
        func refuse(_ key: String, _ reason: String, _ hint: String) -> Problem {
            Problem.invalidManifest("`\(key)`: \(reason)", hint: hint)
        }
        guard !isSeeded else {
            throw refuse(
                "seed", "noise that a seed repeats hides nothing, and a seeded run has no epsilon",
                "leave out `seed`, or `privacy`")
        }
        guard selection == nil else {
            throw refuse("select", "the best epoch by rows that are not public would be charged", "leave it out")
        }
        if case .share = data.validation {
            throw refuse(
                "data.validation", "one row more or less would change which others are trained on",
                "name files of their own")
        }
        guard section.unit != nil else {
            throw refuse(
                "privacy.unit", "it is missing", "row, or the column that names the person to whom a row belongs")
        }
        guard let delta = section.delta else {
            throw refuse("privacy.delta", "it is missing", "well below one over the number of units: 1e-5")
        }
        do throws(MechanismError) {
            let privacy = try section.promise(
                batch: batch, steps: plan.steps, units: section.units ?? units, delta: delta,
                dimension: plan.model.trainableCount)
            var accountant = try PrivacyLossAccountant()
            try accountant.compose(privacy.event)
            return (
                privacy,
                TrainingPromise(
                    units: privacy.capacity, samplingRate: privacy.samplingRate,
                    noiseMultiplier: privacy.noiseMultiplier, clippingNorm: privacy.clipping.first,
                    expectedUnits: privacy.expectedUnits,
                    coverage: privacy.samplingRate * Double(stepsPerEpoch(privacy.capacity)),
                    epsilon: try accountant.epsilon(delta: delta).upper, delta: delta)
            )
        } catch { throw Problem.invalidManifest("`privacy`: \(error)") }
    }
}

/// A private run on one's own files and the folder that it leaves.
///
/// Noise and samples are the system's; a checkpoint holds noisy weights and no generator's state. What is shown of a step before its
/// checkpoint is durable is its number alone, which is public (docs/privacy.md, rule 29).
struct PrivateFileSession {
    private let training: Training
    private let folder: TrainingFolder
    private let privacy: TrainingPrivacy
    private let promise: TrainingPromise
    private let threads: Int
    private var run: PrivateTrainingRun
    private var curve: PrivateCurve
    private var lastCheckpoint = ContinuousClock.now

    private static let secondsBetweenCheckpoints = 60.0

    init(
        _ training: Training, _ promised: (privacy: TrainingPrivacy, promise: TrainingPromise),
        _ folder: TrainingFolder,
        resumes: Bool, threads: Int
    ) throws {
        (self.training, self.folder, self.threads) = (training, folder, threads)
        (privacy, promise) = promised
        let checkpoint = resumes ? try folder.checkpoint(of: training) : nil
        let begun = try training.beginning()
        do {
            run = try PrivateTrainingRun(
                plan: training.plan, privacy: privacy, examples: training.inputs.train,
                parameters: begun, state: checkpoint?.state, clippingNorm: checkpoint?.clippingNorm,
                threads: threads)
        } catch { throw Problem.invalidManifest("\(error)") }
        curve = checkpoint?.privateCurve ?? PrivateCurve()
        if checkpoint == nil {
            try folder.create()
            try folder.write(training.planText, to: .plan)
        }
    }

    private mutating func save() throws {
        let checkpoint = Checkpoint(
            state: run.state, best: nil, curve: LearningCurve(), lossSum: 0, lossRows: 0,
            clippingNorm: run.clippingNorm,
            privateCurve: curve)
        try folder.write(checkpoint.bytes(digest: training.digest), to: .checkpoint)
        lastCheckpoint = .now
    }

    mutating func train(check: () throws -> Void, progress: (TrainingProgress) -> Void) throws {
        let began = ContinuousClock.now
        let (first, steps) = (run.state.step, privacy.steps)
        let perEpoch = training.stepsPerEpoch
        var randomness = SecureRandom()
        while run.state.step < steps {
            do { try check() } catch {
                try save()
                throw error
            }
            run.step(using: &randomness)
            let step = run.state.step
            let seconds = began.duration(to: .now) / .seconds(1)
            let speed = Double(step - first) / max(seconds, 1e-9)
            progress(
                TrainingProgress(
                    epoch: (step - 1) / perEpoch + 1, epochs: training.document.epochs, step: step, steps: steps,
                    loss: nil, rowsPerSecond: speed * promise.expectedUnits, secondsLeft: Double(steps - step) / speed))
            if step % perEpoch == 0 || step == steps {
                curve.points.append(
                    PrivateCurve.Point(step: step, clippingNorm: run.clippingNorm, gradientNorm: run.gradientNorm))
                try save()
            } else if lastCheckpoint.duration(to: .now) / .seconds(1) > Self.secondsBetweenCheckpoints {
                try save()
            }
        }
    }

    private func epsilon(after step: Int) throws -> Double {
        var accountant = try PrivacyLossAccountant()
        try accountant.compose(privacy.stepEvent, times: step)
        return try accountant.epsilon(delta: promise.delta).upper
    }

    func finish() throws -> TrainingReport {
        let chosen = run.state.result
        try folder.write(Architecture.json(training.model), to: .architecture)
        try folder.write(SafeTensors.write(chosen), to: .weights)
        var points = curve
        for index in points.points.indices {
            points.points[index].epsilon = try? epsilon(after: points.points[index].step)
        }
        try folder.write(points.jsonLines, to: .curves)
        try folder.write(points.svg(title: training.document.name), to: .plot)
        var report = TrainingReport(
            steps: run.state.step, chosen: ("last", run.state.step), metrics: [],
            files: TrainingFolder.File.ofRuns.filter { $0 != .best }.map(\.rawValue))
        for (name, examples) in [("validation", training.inputs.validation), ("test", training.inputs.test)] {
            guard let examples else { continue }
            report.metrics += try training.measure(chosen, on: examples, threads: threads).map {
                (name, $0.metric, $0.value, $0.reason)
            }
        }
        var card = ModelCard(training, report, try training.facts())
        card.promise = promise
        if let test = training.inputs.test ?? training.inputs.validation, training.document.isOfLabels {
            card.labels = try? Evaluation(training.plan, chosen, on: test, threads: threads).labels
        }
        try folder.write(card.markdown, to: .card)
        return report
    }
}
