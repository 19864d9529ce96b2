import DatasiteProtocol
import DifferentialPrivacy
import Foundation
public import Learning

/// Training with several drawn choices of a plan's numbers, one after the other, on one's own files.
///
/// With privacy every trial is charged: what is promised is the composition of all trials, whichever of their models are used, so that the choice among them
/// costs nothing more. It is made by validation rows that the plan declares public, or not at all.
public struct TrainingSearch: Sendable {
    /// How one trial went.
    public struct Outcome: Sendable {
        /// From 1 on.
        public let trial: Int
        /// What trials are compared by; nil: it has none, or they are not compared.
        public let value: Double?
        /// Why it ended early; nil: it did not.
        public let failure: String?
    }

    /// What the search gave.
    public struct Report: Sendable {
        /// In order.
        public let outcomes: [Outcome]
        /// The trial whose files are at the top, from 1 on; nil: none was chosen.
        public let chosen: Int?
    }

    /// The plan's name.
    public let name: String
    /// In order.
    public let trials: [Training]
    /// The keys of the plan with the values that each trial drew.
    public let values: [[(key: String, value: String)]]
    /// The metric by which the best trial is chosen; nil: none is.
    public let metric: Metric?
    /// Of all trials together; nil: without privacy.
    public let promise: (epsilon: Double, delta: Double)?
    private let isBetterHigher: Bool
    private let planText: String

    /// Whether a plan asks for a search.
    ///
    /// - Throws: A `Problem` that says what is wrong in the plan, and where.
    public static func isAsked(ofPlan text: String) throws -> Bool { try TrainingDocument(text).isSearch }

    /// Reads a plan and its files, and draws the trials: the same for the same plan and seed.
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
        let root = try YAMLValue.document(planText)
        var document = try TrainingDocument(root)
        if let seed { (document.seed, document.isSeeded) = (seed, true) }
        guard let value = try root.members("a plan").first(where: { $0.key == "search" })?.value else {
            throw root.problem("the key `search` is missing")
        }
        let section = try TrainingSearchSection(value)
        try section.check(root, document)
        try document.checkSelection(root)
        let inputs = try TrainingInputs(document, folder: dataFolder, check: check)
        try document.checkValidation(inputs)
        let draws = TrainingRun.searchDraws(
            section.choices.map(\.values.count), trials: section.trials, seed: document.seed)
        var plans = try section.plans(root, draws, isPrivate: document.privacy != nil)
        func read(_ plans: [YAMLValue]) throws -> [Training] {
            try plans.map { plan in
                try check()
                var trial = try TrainingDocument(plan)
                (trial.seed, trial.isSeeded) = (document.seed, document.isSeeded)
                if let metric = document.selection?.metric, !trial.metrics.contains(metric) {
                    trial.metrics.append(metric)
                }
                return try Training(trial, planText: plan.yaml(), inputs: inputs, threads: threads)
            }
        }
        if case .epsilon(let epsilon)? = document.privacy?.amount {
            // The noise is all trials' together: each says it in the place of the epsilon, which is no trial's.
            let noise = try Self.noise(epsilon, of: read(plans.map { try $0.withNoise(1) }))
            plans = try plans.map { try $0.withNoise(noise) }
        }
        var trials = try read(plans)
        promise = try Self.promise(trials)
        let values = try draws.map { draw in
            try zip(section.choices, draw).map { (key: $0.key, value: try $0.values[$1].json()) }
        }
        for index in trials.indices {
            trials[index].search = TrainingTrial(
                number: index + 1, trials: trials.count, values: values[index], together: promise)
        }
        (self.trials, self.values, name, self.planText) = (trials, values, document.name, planText)
        (metric, isBetterHigher) = (document.selection?.metric, document.selection?.isBetterHigher ?? true)
    }

    // MARK: What all trials together promise

    private static func noise(_ epsilon: Double, of trials: [Training]) throws -> Double {
        let promised = trials.compactMap(\.promised)
        guard let delta = promised.first?.promise.delta else { throw Problem.invalidManifest("`privacy` is missing") }
        do throws(MechanismError) {
            return try TrainingPrivacy.leastNoise(epsilon: epsilon, delta: delta, of: promised.map(\.privacy))
        } catch { throw Problem.invalidManifest("`privacy`: \(error)") }
    }

    private static func promise(_ trials: [Training]) throws -> (epsilon: Double, delta: Double)? {
        let promised = trials.compactMap(\.promised)
        guard let delta = promised.first?.promise.delta else { return nil }
        do throws(MechanismError) {
            var accountant = try PrivacyLossAccountant()
            for each in promised { try accountant.compose(each.privacy.event) }
            return (try accountant.epsilon(delta: delta).upper, delta)
        } catch { throw Problem.invalidManifest("`privacy`: \(error)") }
    }

    // MARK: Running

    /// Trains all trials, each into a folder of its own, and copies the files of the best, if one is chosen, beside them.
    ///
    /// - Parameters:
    ///   - path: New, or where a search of the same plan, seed and files was stopped: a trial that ended is not trained again.
    ///   - resumes: Whether to go on there.
    ///   - check: Throws where training shall end: the error is thrown on after a durable checkpoint.
    ///   - trial: Told before each.
    ///   - progress: Told after each step.
    ///   - epoch: Told after each epoch.
    /// - Throws: A `Problem`; or what `check` threw.
    public func run(
        into path: String, resumes: Bool = false, check: () throws -> Void = {}, trial: (Int) -> Void = { _ in },
        progress: (TrainingProgress) -> Void = { _ in }, epoch: (LearningCurve.Point) -> Void = { _ in }
    ) throws -> Report {
        let folder = TrainingFolder(path: path)
        if resumes {
            guard try folder.read(.plan) == Array(planText.utf8) else {
                throw Problem.conflict(
                    "\(folder.path(.plan)) is another plan", hint: "the same plan; or begin anew, into another folder")
            }
        } else {
            try folder.create()
            try folder.write(planText, to: .plan)
        }
        let lock = try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        var outcomes: [Outcome] = []
        for index in trials.indices {
            try check()
            trial(index + 1)
            outcomes.append(
                try run(index, in: place(index + 1, in: folder), check: check, progress: progress, epoch: epoch))
            try folder.write(lines(outcomes, chosen: nil), to: .trials)
        }
        let chosen = best(outcomes)
        try folder.write(lines(outcomes, chosen: chosen), to: .trials)
        if let chosen {
            let place = place(chosen, in: folder)
            for file in TrainingFolder.File.ofResults where place.has(file) {
                try folder.write(place.read(file), to: file)
            }
        }
        return Report(outcomes: outcomes, chosen: chosen)
    }

    private func place(_ trial: Int, in folder: TrainingFolder) -> TrainingFolder {
        TrainingFolder(path: folder.path + "/trial-\(trial)")
    }

    private func run(
        _ index: Int, in place: TrainingFolder, check: () throws -> Void, progress: (TrainingProgress) -> Void,
        epoch: (LearningCurve.Point) -> Void
    ) throws -> Outcome {
        // What was stopped before its first checkpoint begins anew: nothing of it was kept.
        let isBegun = place.has(.checkpoint)
        if !isBegun { place.remove(.plan) }
        do {
            let report = try trials[index].run(
                into: place.path, resumes: isBegun, check: check, progress: progress, epoch: epoch)
            let value = metric.flatMap { metric in
                report.metrics.first { $0.rows == "validation" && $0.metric == metric }?.value
            }
            return Outcome(trial: index + 1, value: value, failure: nil)
        } catch let problem as Problem where problem.kind == .invalidData {
            // A loss that is no number ends its trial alone.
            return Outcome(trial: index + 1, value: nil, failure: problem.detail)
        }
    }

    /// Of equal ones the first.
    private func best(_ outcomes: [Outcome]) -> Int? {
        var best: (trial: Int, value: Double)?
        for outcome in outcomes {
            guard let value = outcome.value, !value.isNaN else { continue }
            if let best, isBetterHigher ? value <= best.value : value >= best.value { continue }
            best = (outcome.trial, value)
        }
        return best?.trial
    }

    /// A line of JSON a trial.
    private func lines(_ outcomes: [Outcome], chosen: Int?) -> String {
        outcomes.map { outcome in
            let drawn = values[outcome.trial - 1].map { "\(YAMLValue.quoted($0.key)): \($0.value)" }
            var members = [
                "\"trial\": \(outcome.trial)", "\"folder\": \"trial-\(outcome.trial)\"",
                "\"values\": {\(drawn.joined(separator: ", "))}",
            ]
            if let metric { members.append("\"\(metric.rawValue)\": \(outcome.value.map { "\($0)" } ?? "null")") }
            if let failure = outcome.failure { members.append("\"failure\": \(YAMLValue.quoted(failure))") }
            if outcome.trial == chosen { members.append("\"chosen\": true") }
            return "{" + members.joined(separator: ", ") + "}\n"
        }.joined()
    }
}

/// A training's place in a search.
struct TrainingTrial: Sendable {
    /// From 1 on.
    let number: Int
    let trials: Int
    let values: [(key: String, value: String)]
    /// What all trials together promise; nil: without privacy.
    let together: (epsilon: Double, delta: Double)?
}

extension TrainingDocument {
    /// - Throws: That trials are compared by nothing, or by rows that a promise is for.
    fileprivate func checkSelection(_ root: YAMLValue) throws {
        guard privacy != nil else {
            guard selection != nil else {
                throw root.problem(
                    "`search` has nothing to choose the best trial by",
                    hint: "select: {metric: loss}, with `validation` in `data`")
            }
            return
        }
        guard selection == nil || data.isValidationPublic else {
            throw root.problem(
                "`select`: a trial that is chosen by rows that are not public would be charged for them",
                hint:
                    "declare the rows of `data.validation` with `public: true` if they are; without `select` all trials' models are given, and none is chosen"
            )
        }
    }

    /// - Throws: That the rows to choose by are those that are trained on.
    fileprivate func checkValidation(_ inputs: TrainingInputs) throws {
        guard case .part(let validation)? = data.validation else { return }
        func content(_ part: TrainingDataSection.Part) -> String? {
            let name = data.format == .png ? part.labels : part.inputs
            return data.format == .npz ? name : inputs.files.first { $0.name == name }?.digest
        }
        guard content(validation) != content(data.train) else {
            throw Problem.invalidData(
                "`data.validation`: the rows of `data.train`, by which no trial is chosen",
                hint: "rows that are not trained on")
        }
    }
}
