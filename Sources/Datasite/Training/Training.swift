import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation
public import Learning
import Secrets

/// How far training is.
public struct TrainingProgress: Sendable {
    /// From 1 on.
    public var epoch: Int
    /// In all.
    public var epochs: Int
    /// Steps taken.
    public var step: Int
    /// In all.
    public var steps: Int
    /// The mean loss of the epoch's rows so far; nil in private training: it would tell of rows.
    public var loss: Double?
    /// Rows trained on in a second, since this process began to.
    public var rowsPerSecond: Double
    /// At that speed; validation not counted.
    public var secondsLeft: Double
}

/// What is known of training before its first step.
public struct TrainingFacts: Sendable {
    /// The plan's name.
    public var name: String
    /// Of a row that goes in.
    public var inputShape: [Int]
    /// Rows that are trained on, validated on and tested on.
    public var rows: (train: Int, validation: Int?, test: Int?)
    /// The layers in order.
    public var layers: [Model.LayerSummary]
    /// Values that are trained.
    public var parameters: Int
    /// The layers that stay as they begin.
    public var frozen: [String]
    /// The file that the model begins with; nil: anew.
    public var weights: String?
    /// Steps of an epoch, and in all.
    public var steps: (epoch: Int, all: Int)
    /// About how many bytes training takes beside the rows.
    public var memory: Int
    /// Threads that compute.
    public var threads: Int
    /// nil: without privacy.
    public var promise: TrainingPromise?
}

/// What training gave.
public struct TrainingReport: Sendable {
    /// The steps that were taken.
    public var steps: Int
    /// Of the chosen weights: the best where the plan selects, else the last.
    public var chosen: (name: String, step: Int)
    /// Of the chosen weights, of validation and test rows, each where the plan has them.
    public var metrics: [(rows: String, metric: Metric, value: Double?, reason: String?)]
    /// The folder's files.
    public var files: [String]
}

/// Training on one's own files: read, checked and ready to run.
///
/// It is for those who may see the rows. Without privacy what comes out (weights, curves, metrics) tells of them, and no epsilon is printed. With it, weights
/// and curves keep what the plan promises, and metrics of validation and test rows, which are exact, do not.
public struct Training: Sendable {
    let document: TrainingDocument
    let planText: String
    private(set) var plan: TrainingPlan
    private(set) var inputs: TrainingInputs
    /// As the plan has it, whose weights are the result; ``plan`` may train what is behind its first layers.
    let model: Model
    /// Of all that the result follows from: plan, seed and files.
    let digest: String
    let stepsPerEpoch: Int
    /// nil: training without privacy.
    let promised: (privacy: TrainingPrivacy, promise: TrainingPromise)?
    /// nil: it is no trial of a search.
    var search: TrainingTrial?
    let threads: Int

    /// Reads a plan and its files.
    ///
    /// - Parameters:
    ///   - planText: YAML.
    ///   - dataFolder: Where the plan's files are.
    ///   - seed: Instead of the plan's.
    ///   - threads: Instead of the plan's; no result depends on it.
    ///   - check: Throws where reading shall end.
    /// - Throws: A `Problem` that says what is wrong, where, and what would be right.
    public init(
        planText: String, dataFolder: String, seed: UInt64? = nil, threads: Int? = nil,
        check: @escaping () throws -> Void = {}
    ) throws {
        var document = try TrainingDocument(planText)
        guard document.dataset == nil else {
            throw Problem.invalidManifest(
                "`data` names a dataset of a datasite, not files",
                hint: "`parley train PLAN` without `--data` asks for it there")
        }
        guard !document.isSearch else {
            throw Problem.invalidManifest("`search` asks for several trainings", hint: "leave it out to train once")
        }
        guard document.federation == nil else {
            throw Problem.invalidManifest(
                "`federation` asks for several participants",
                hint:
                    "`parley simulate PLAN --data FOLDER` divides these rows among made-up ones; leave it out to train alone"
            )
        }
        if let seed { (document.seed, document.isSeeded) = (seed, true) }
        let inputs = try TrainingInputs(document, folder: dataFolder, check: check)
        try self.init(document, planText: planText, inputs: inputs, threads: threads)
    }

    /// - Parameter inputs: The rows of the document's files, which are read.
    init(_ document: TrainingDocument, planText: String, inputs: TrainingInputs, threads: Int?) throws {
        self.planText = planText
        self.inputs = inputs
        let count = document.privacy == nil ? inputs.train.count : inputs.train.units.count
        stepsPerEpoch = document.stepsPerEpoch(document.privacy?.units ?? count)
        self.threads = threads ?? document.threads
        self.document = document
        do throws(ModelError) {
            plan = try document.plan(inputs, stepsPerEpoch: stepsPerEpoch)
        } catch { throw Problem.invalidManifest("\(error)") }
        model = plan.model
        promised = try document.promise(units: inputs.train.units.count, plan: plan)
        var hasher = SHA256()
        hasher.update(data: Array(planText.utf8))
        hasher.update(data: Array("\(document.seed)".utf8))
        for file in inputs.files { hasher.update(data: Array((file.name + "\u{0}" + file.digest).utf8)) }
        digest = hexadecimal(hasher.finalize())
        let begun = try beginning()
        if let promised {
            // What a run refuses is refused before: layers that mix people.
            do {
                _ = try PrivateTrainingRun(
                    plan: plan, privacy: promised.privacy, examples: inputs.train, parameters: begun)
            } catch { throw Problem.invalidManifest("\(error)") }
        }
    }

    /// What the model begins as: public.
    func beginning() throws -> Parameters { try document.beginning(of: plan.model, inputs) }

    /// What is known before the first step.
    public func facts() throws -> TrainingFacts {
        let layers = try model.summary()
        let rows = [inputs.train, inputs.validation, inputs.test].reduce(0) { $0 + ($1?.count ?? 0) }
        let features = keepsFeatures ? layers.first { $0.kind == Scattering.kind }?.shape.reduce(4 * rows, *) : nil
        return TrainingFacts(
            name: document.name, inputShape: model.inputShape,
            rows: (inputs.train.count, inputs.validation?.count, inputs.test?.count), layers: layers,
            parameters: model.trainableCount, frozen: model.frozenLayerNames, weights: document.transfer?.weights,
            steps: (stepsPerEpoch, plan.steps),
            memory: plan.memory(batchRows: document.batch, threads: threads) + (features ?? 0), threads: threads,
            promise: promised?.promise)
    }

    /// Trains, and leaves a folder: weights, architecture, curves, a model card and a checkpoint.
    ///
    /// - Parameters:
    ///   - folder: New, or where a run of the same plan, seed and files was stopped.
    ///   - resumes: Whether to go on from the folder's checkpoint.
    ///   - check: Throws where training shall end: the error is thrown on after a durable checkpoint.
    ///   - progress: Told after each step.
    ///   - epoch: Told after each epoch.
    /// - Throws: A `Problem`; or what `check` threw.
    public func run(
        into folder: String, resumes: Bool = false, check: () throws -> Void = {},
        progress: (TrainingProgress) -> Void = { _ in }, epoch: (LearningCurve.Point) -> Void = { _ in }
    ) throws -> TrainingReport {
        let folder = TrainingFolder(path: folder)
        let lock = resumes ? try folder.lock() : nil
        defer { withExtendedLifetime(lock) {} }
        try check()
        let training = try behindScattering()
        if let promised {
            var session = try PrivateFileSession(training, promised, folder, resumes: resumes, threads: threads)
            let lock = try lock ?? folder.lock()
            defer { withExtendedLifetime(lock) {} }
            try session.train(check: check, progress: progress)
            return try session.finish()
        }
        var session = try TrainingSession(training, folder, resumes: resumes, threads: threads)
        let own = try lock ?? folder.lock()
        defer { withExtendedLifetime(own) {} }
        try session.train(check: check, progress: progress, epoch: epoch)
        return try session.finish()
    }

    /// Whether what a scattering transform makes of each row is computed once, and not at each step: where rows stay as they are, and no layer
    /// with weights is frozen.
    private var keepsFeatures: Bool {
        model.layers.contains { $0 is Scattering } && plan.augmentations.isEmpty && document.transfer == nil
    }

    /// The same training on these features, where they are kept.
    func behindScattering() throws -> Training {
        guard keepsFeatures else { return self }
        // What is in front has no weights: these are for their shapes.
        var generator = SecureRandom()
        let parameters = model.initialParameters(using: &generator)
        var training = self
        do throws(ModelError) {
            func features(_ examples: Examples?) throws(ModelError) -> Examples? {
                guard let examples else { return nil }
                return try model.withoutFrozenLayers(examples, parameters, threads: threads).examples
            }
            let behind = try model.withoutFrozenLayers(inputs.train, parameters, threads: threads)
            training.inputs.train = behind.examples
            training.inputs.validation = try features(inputs.validation)
            training.inputs.test = try features(inputs.test)
            training.plan = try document.plan(behind.model, stepsPerEpoch: stepsPerEpoch)
        } catch { throw Problem.invalidManifest("\(error)") }
        return training
    }
}

extension TrainingDocument {
    /// What the files are learned by.
    func plan(_ inputs: TrainingInputs, stepsPerEpoch: Int) throws(ModelError) -> TrainingPlan {
        let plan = try plan(
            rowShape: inputs.train.rowShape, target: data.target, scaling: data.scaling, stepsPerEpoch: stepsPerEpoch)
        for examples in [inputs.train, inputs.validation, inputs.test].compactMap(\.self) { try plan.check(examples) }
        for metric in metrics where !metric.isMeasured(onLabels: isOfLabels) {
            throw .data(
                "the metric \(metric.rawValue)",
                expected: "one of "
                    + Metric.allCases.filter { $0.isMeasured(onLabels: isOfLabels) }.map(\.rawValue).joined(
                        separator: ", "))
        }
        return plan
    }

    /// What the model begins as, before the first step.
    fileprivate func beginning(of model: Model, _ inputs: TrainingInputs) throws -> Parameters {
        var randomness = SecureRandom()
        let begun =
            privacy == nil
            ? TrainingRun.initialParameters(model, seed: seed) : model.initialParameters(using: &randomness)
        guard let weights = inputs.weights, let transfer else { return begun }
        do throws(ModelError) {
            return try model.parameters(begun, from: weights, fresh: transfer.fresh)
        } catch {
            throw Problem.invalidData(
                "\(transfer.weights ?? "weights"): \(error)",
                hint: "`model.fresh` lists the layers that begin anew, `model.train` those that are trained")
        }
    }

    /// How rows of that shape are learned.
    func plan(
        rowShape: [Int], target: TrainingDataSection.Target, scaling: InputScaling, stepsPerEpoch: Int
    ) throws(ModelError) -> TrainingPlan {
        var model = try self.model.model(input: rowShape, target: target, loss: loss)
        if let train = transfer?.train { model = try model.training(onlyLayers: train) }
        var plan = try plan(model, stepsPerEpoch: stepsPerEpoch)
        plan.augmentations = augment.map { change in
            switch change {
            case .flip: .flip
            // What comes in from outside is what zeros of the file are.
            case .shift(let pixels): .shift(pixels: pixels, fill: scaling.scaled(0))
            }
        }
        return plan
    }

    /// How a model is learned, of rows as they are.
    func plan(_ model: Model, stepsPerEpoch: Int) throws(ModelError) -> TrainingPlan {
        let (steps, overflows) = epochs.multipliedReportingOverflow(by: stepsPerEpoch)
        guard !overflows, steps <= 1 << 40 else { throw .data("\(epochs) epochs", expected: "fewer") }
        return try TrainingPlan(
            model: model, loss: loss, optimizer: optimizer, learningRate: rate,
            schedule: schedule.schedule(stepsPerEpoch: stepsPerEpoch), steps: steps, classWeights: classWeights,
            averaging: averaging)
    }

    /// Whether what is learned are labels: otherwise values.
    var isOfLabels: Bool {
        switch data.target {
        case .classes, .domain: loss == .crossEntropy || loss == .binaryCrossEntropy
        case .bounds, .values: false
        }
    }

    /// What the plan names, or what is usual.
    var measured: [Metric] {
        guard metrics.isEmpty else { return metrics }
        return isOfLabels ? [.loss, .accuracy] : [.loss, .meanSquaredError]
    }
}
