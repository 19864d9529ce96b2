import DatasiteProtocol
import Foundation
import Learning

/// A run and the folder that it leaves.
struct TrainingSession {
    private let training: Training
    private let folder: TrainingFolder
    private let threads: Int
    private var run: TrainingRun
    private var selection: Selection?
    private var curve = LearningCurve()
    /// The sum of the epoch's rows' losses, and how many rows.
    private var losses = (sum: 0.0, rows: 0)
    private var lastCheckpoint = ContinuousClock.now

    /// A stopped process loses at most about so many seconds of work.
    private static let secondsBetweenCheckpoints = 60.0

    init(_ training: Training, _ folder: TrainingFolder, resumes: Bool, threads: Int) throws {
        self.training = training
        self.folder = folder
        self.threads = threads
        let checkpoint = resumes ? try folder.checkpoint(of: training) : nil
        let begun = try training.beginning()
        do throws(ModelError) {
            run = try TrainingRun(
                plan: training.plan, examples: training.inputs.train, batchRows: training.document.batch,
                seed: training.document.seed, threads: threads, parameters: begun, state: checkpoint?.state)
        } catch { throw Problem.invalidManifest("\(error)") }
        selection = training.document.selection.map {
            Selection($0.metric, isBetterHigher: $0.isBetterHigher, best: checkpoint?.best)
        }
        if let checkpoint {
            (curve, losses) = (checkpoint.curve, (checkpoint.lossSum, checkpoint.lossRows))
        } else {
            try folder.create()
            try folder.write(training.planText, to: .plan)
        }
    }

    private func saveCheckpoint() throws {
        let checkpoint = Checkpoint(
            state: run.state, best: selection?.best, curve: curve, lossSum: losses.sum, lossRows: losses.rows)
        try folder.write(checkpoint.bytes(digest: training.digest), to: .checkpoint)
    }

    // MARK: Steps

    mutating func train(
        check: () throws -> Void, progress: (TrainingProgress) -> Void, epoch: (LearningCurve.Point) -> Void
    ) throws {
        let began = ContinuousClock.now
        var rowsTrained = 0
        while run.state.step < training.plan.steps {
            do { try check() } catch {
                try saveCheckpoint()
                throw error
            }
            let rows = rowsOfNextStep
            try step(rows)
            rowsTrained += rows
            progress(self.progress(rowsTrained, seconds: began.duration(to: .now) / .seconds(1)))
            if run.state.step % run.stepsPerEpoch == 0 {
                epoch(try endEpoch())
                try checkpointNow()
            } else if lastCheckpoint.duration(to: .now) / .seconds(1) > Self.secondsBetweenCheckpoints {
                try checkpointNow()
            }
        }
    }

    private mutating func checkpointNow() throws {
        try saveCheckpoint()
        lastCheckpoint = .now
    }

    private var rowsOfNextStep: Int {
        let batch = min(training.document.batch, training.inputs.train.count)
        return min(batch, training.inputs.train.count - run.state.step % run.stepsPerEpoch * batch)
    }

    private mutating func step(_ rows: Int) throws {
        do throws(ModelError) {
            let loss = try run.step()
            losses = (losses.sum + loss * Double(rows), losses.rows + rows)
        } catch {
            try saveCheckpoint()
            throw Problem.invalidData(
                "\(error)", hint: "the weights before that step are in \(folder.path(.checkpoint))")
        }
    }

    private func progress(_ rows: Int, seconds: Double) -> TrainingProgress {
        let (step, steps) = (run.state.step, training.plan.steps)
        let speed = seconds > 0 ? Double(rows) / seconds : 0
        let left = Double(steps - step) / Double(run.stepsPerEpoch) * Double(training.inputs.train.count)
        return TrainingProgress(
            epoch: (step - 1) / run.stepsPerEpoch + 1, epochs: training.document.epochs, step: step, steps: steps,
            loss: losses.rows == 0 ? 0 : losses.sum / Double(losses.rows), rowsPerSecond: speed,
            secondsLeft: speed > 0 ? left / speed : 0)
    }

    // MARK: Epochs

    private mutating func endEpoch() throws -> LearningCurve.Point {
        var point = LearningCurve.Point(
            epoch: run.state.step / run.stepsPerEpoch, step: run.state.step,
            trainingLoss: losses.sum / Double(losses.rows), validation: [])
        losses = (0, 0)
        if let validation = training.inputs.validation {
            let values: [Training.Score]
            if var selection {
                let metric = selection.metric
                values = try selection.consider(run.state) { parameters in
                    let values = try training.measure(parameters, on: validation, threads: threads)
                    return (values, values.first { $0.metric == metric }?.value)
                }.measured
                self.selection = selection
            } else {
                values = try training.measure(run.state.result, on: validation, threads: threads)
            }
            point.validation = values.map { ($0.metric, $0.value) }
        }
        curve.points.append(point)
        try folder.write(curve.jsonLines, to: .curves)
        return point
    }

    // MARK: The end

    func finish() throws -> TrainingReport {
        let best = selection?.best
        let chosen = best?.parameters ?? run.state.result
        try folder.write(Architecture.json(training.model), to: .architecture)
        try folder.write(SafeTensors.write(run.state.result), to: .weights)
        if let best { try folder.write(SafeTensors.write(best.parameters), to: .best) }
        try folder.write(curve.jsonLines, to: .curves)
        try folder.write(curve.svg(title: training.document.name), to: .plot)
        var report = TrainingReport(
            steps: run.state.step, chosen: (best == nil ? "last" : "best", best?.step ?? run.state.step), metrics: [],
            files: TrainingFolder.File.ofRuns.filter { $0 != .best || best != nil }.map(\.rawValue))
        for (name, examples) in [("validation", training.inputs.validation), ("test", training.inputs.test)] {
            guard let examples else { continue }
            report.metrics += try training.measure(chosen, on: examples, threads: threads).map {
                (name, $0.metric, $0.value, $0.reason)
            }
        }
        try folder.write(card(report, chosen), to: .card)
        return report
    }

    /// The model card (Mitchell et al. 2019), of what is known here.
    private func card(_ report: TrainingReport, _ chosen: Parameters) throws -> String {
        var card = ModelCard(training, report, try training.facts())
        if let test = training.inputs.test ?? training.inputs.validation, training.document.isOfLabels {
            card.labels = try? Evaluation(training.plan, chosen, on: test, threads: threads).labels
        }
        return card.markdown
    }
}

extension Training {
    struct Score {
        var metric: Metric
        var value: Double?
        var reason: String?
    }

    /// A metric that rows have none of is told with its reason: it does not end the training.
    func measure(_ parameters: Parameters, on examples: Examples, threads: Int) throws -> [Score] {
        let evaluation: Evaluation
        do {
            evaluation = try Evaluation(plan, parameters, on: examples, threads: threads)
        } catch let error as MetricError {
            return document.measured.map { Score(metric: $0, reason: "\(error)") }
        } catch let error as ModelError { throw Problem.invalidData("\(error)") }
        return document.measured.map { metric in
            do throws(MetricError) {
                return Score(metric: metric, value: try evaluation.value(metric))
            } catch { return Score(metric: metric, reason: "\(error)") }
        }
    }
}

extension TrainingFolder {
    /// Where a run of the same plan and files stood.
    func checkpoint(of training: Training) throws -> Checkpoint {
        let bytes = try read(.checkpoint)
        do throws(ModelError) {
            return try Checkpoint(bytes, plan: training.plan, digest: training.digest)
        } catch { throw Problem.conflict("\(path(.checkpoint)): \(error)") }
    }
}
