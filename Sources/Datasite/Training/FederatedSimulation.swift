import Crypto
import DatasiteProtocol
import DifferentialPrivacy
public import Federation
import Foundation
public import Learning
import Secrets

/// A federated run among made-up participants, who have one's own rows between them: what a plan would come to, before anybody is asked.
///
/// The rounds are those of a run over a network, with the same messages, masks and noise. The data of all lie in one process, so nobody is protected from
/// anybody here: what is told of privacy is what the plan would promise.
public struct FederatedSimulation: Sendable {
    /// How rows are divided, and what happens on the way.
    public struct Circumstances: Sendable {
        /// How many participants.
        public var participants = 3
        /// The part of each label's units that go to one participant, the others' being divided evenly; 0: all of them are.
        public var labelSkew = 0.0
        /// Delays, losses and crashes.
        public var conditions = Conditions()
        /// Whether to train on all rows in one place too, and at each participant alone.
        public var compares = false

        /// Three participants, evenly divided rows, a network that works.
        public init() {}
    }

    /// A round's end.
    public struct Round: Sendable {
        /// From 1 on.
        public var number: Int
        /// Of how many.
        public var rounds: Int
        /// Begun so far, void ones too.
        public var attempts: Int
        /// In the simulated network.
        public var seconds: Double
        /// Of the weights behind it, on validation rows.
        public var validation: [(metric: Metric, value: Double?)]
    }

    /// How a model came out.
    public struct Outcome: Sendable {
        /// How it was trained.
        public var name: String
        /// On test rows, or without any on validation rows.
        public var metrics: [(metric: Metric, value: Double?)]
    }

    /// What a run came to.
    public struct Report: Sendable {
        /// What happened in the simulated network.
        public var network: Network
        /// The federated model first, then what it is compared with; where layers stay with participants, each participant's model on rows like its own.
        public var outcomes: [Outcome]
        /// How many entries of updates lay beyond the plan's `range`, and were cut.
        public var cutEntries: Int
        /// What was written; empty without a folder.
        public var files: [String]
    }

    /// What happened in a simulated network.
    public struct Network: Sendable {
        /// Rounds that were begun and changed nothing.
        public var void = 0
        /// Messages that arrived.
        public var messages = 0
        /// Messages and replies that did not arrive.
        public var lost = 0
        /// How often somebody was killed.
        public var killed = 0
        /// Participants.
        public var left = 0
        /// How long it took there.
        public var seconds = 0.0
    }

    /// What is known before the first round.
    public struct Facts: Sendable {
        /// As participants would be sent it.
        public var plan: FederatedPlan
        /// Each participant's rows.
        public var rows: [Int]
        /// Of the loss to a person at one of them, and the delta that it holds at; nil: without privacy.
        public var promise: Promise?
        /// Values that are trained.
        public var parameters: Int
    }

    /// What a plan with privacy would promise.
    public struct Promise: Sendable {
        /// Of the loss to a unit at one participant, over all rounds, at `delta`.
        public var (epsilon, delta): (Double, Double)
        /// Of what the honest participants' shares come to, and of what all of them come to.
        public var (noiseMultiplier, wholeMultiplier): (Double, Double)
        /// Whom it is for, how many of them the sampling rate goes by, and that rate.
        public var (unit, units, samplingRate): (String, Int, Double)
    }

    private let training: Training
    private let circumstances: Circumstances
    private let parts: [Examples]
    private let section: TrainingFederationSection
    private let begun: Parameters
    private let local: TrainingPlan
    /// nil: all of the model is shared.
    private let personal: PersonalModel?
    /// What is known before.
    public let facts: Facts

    /// Reads the plan and its files, and divides the rows.
    ///
    /// - Throws: A `Problem` that says what is wrong, where, and what would be right.
    public init(
        planText: String, dataFolder: String, circumstances: Circumstances = Circumstances(), seed: UInt64? = nil,
        threads: Int? = nil, check: @escaping () throws -> Void = {}
    ) throws {
        var document = try TrainingDocument(planText)
        guard document.dataset == nil else {
            throw Problem.invalidManifest(
                "`data` names a dataset of the sites, not files",
                hint:
                    "`parley coordinate PLAN --sites URL,URL,URL` takes this plan; to try it on files of your own, name some that are alike: "
                    + "data: {format: csv, train: {file: rows.csv}, columns: [...], label: {column: NAME, domain: [...]}}"
            )
        }
        guard let section = document.federation else {
            throw Problem.invalidManifest(
                "the key `federation` is missing",
                hint: "`parley train` trains alone; federation: {rounds: 20, local-steps: 10}")
        }
        if let seed { (document.seed, document.isSeeded) = (seed, true) }
        let inputs = try TrainingInputs(document, folder: dataFolder, check: check)
        // Rounds take the place of epochs: one is enough to make a plan of.
        let training = try Training(document, planText: planText, inputs: inputs, threads: threads).behindScattering()
        (self.training, self.circumstances, self.section) = (training, circumstances, section)
        parts = try Self.divided(training.inputs.train, circumstances, seed: document.seed)
        var local = training.plan
        local.steps = section.localSteps
        local.averaging = nil
        begun = try training.beginning()
        do throws(StrategyError) {
            personal =
                section.local.isEmpty
                ? nil : try PersonalModel(local.model, keeping: section.local, begun: begun)
        } catch { throw Problem.invalidManifest("`federation.local`: \(error)") }
        let parameters = personal?.sharedCount ?? local.model.trainableCount
        let delta = document.privacy?.delta ?? 0
        let noise = try document.sharedNoise(
            section, units: document.privacy?.units ?? training.inputs.train.units.count, participants: parts.count,
            parameters: parameters, delta: delta)
        let plan = try section.plan(
            name: document.name, participants: parts.count, parameters: parameters, noise: noise?.noise,
            work: Data(SHA256.hash(data: Data(planText.utf8))))
        if noise != nil { local.steps = plan.rounds + plan.spareRounds }
        self.local = local
        let count = parts.count
        facts = Facts(
            plan: plan, rows: parts.map(\.count),
            promise: try noise.map { noise in
                let shares = try Self.shares(of: plan)
                return Promise(
                    epsilon: noise.epsilon, delta: delta, noiseMultiplier: noise.noise.noiseMultiplier,
                    wholeMultiplier: noise.noise.noiseMultiplier
                        * (Double(count) / Double(shares.honest)).squareRoot(),
                    unit: document.privacy?.unit ?? "unit", units: noise.noise.capacity,
                    samplingRate: noise.noise.samplingRate)
            }, parameters: parameters)
    }

    private static func shares(of plan: FederatedPlan) throws -> DistributedSkellam {
        do { return try plan.shares() } catch { throw Problem.invalidManifest("`federation`: \(error)") }
    }

    /// Units to participants, in an order that follows from the seed.
    private static func divided(_ examples: Examples, _ circumstances: Circumstances, seed: UInt64) throws -> [Examples]
    {
        let count = circumstances.participants
        guard (2...65_535).contains(count), examples.units.count >= count else {
            throw Problem.invalidRequest(
                "\(count) participants for \(examples.units.count) units", hint: "from 2 to as many as there are units")
        }
        var places = [[Int]](repeating: [], count: count)
        var (next, kept) = (0, [Int32: Int]())
        for unit in TrainingRun.heldOutOrder(rows: examples.units.count, seed: seed) {
            if circumstances.labelSkew > 0 {
                guard case .labels(let labels) = examples.targets else {
                    throw Problem.invalidRequest(
                        "rows are not of labels, by which they could be divided", hint: "leave out the label skew")
                }
                let label = labels[examples.units[unit].lowerBound]
                let before = Double(kept[label, default: 0]) * circumstances.labelSkew
                kept[label, default: 0] += 1
                // So large a part of each label goes to the label's own participant.
                if (before + circumstances.labelSkew).rounded(.down) > before.rounded(.down) {
                    places[Int(label) % count].append(unit)
                    continue
                }
            }
            places[next % count].append(unit)
            next += 1
        }
        guard places.allSatisfy({ !$0.isEmpty }) else {
            throw Problem.invalidRequest(
                "a participant would have no row", hint: "a smaller skew, or fewer participants")
        }
        return try places.map { try examples.selecting(units: $0.sorted()) }
    }

    // MARK: running

    /// Runs all rounds, and what they are compared with.
    ///
    /// - Parameters:
    ///   - check: Throws where it shall end.
    ///   - round: Told after each round that changed the model.
    ///   - folder: Where the federated model, its curve and the plan go; new, or empty; nil: nowhere.
    /// - Throws: A `Problem`; or what `check` threw.
    public func run(
        into folder: String? = nil, check: () throws -> Void = {}, round: (Round) -> Void = { _ in }
    ) throws -> Report {
        let folder = folder.map { TrainingFolder(path: $0) }
        try folder?.create()
        let model =
            try facts.promise == nil
            ? together(try plainWorks(), check, round) : together(try privateWorks(), check, round)
        try folder.map { try write(model, to: $0) }
        let own = personal == nil ? nil : try likeOwnRows()
        var together: [Outcome] = []
        if let own {
            for (place, rows) in own.enumerated() {
                together.append(
                    Outcome(
                        name: "participant \(place + 1) together",
                        metrics: try scores(model.personal[place], on: rows)))
            }
        } else {
            together.append(Outcome(name: "together", metrics: try scores(model.parameters)))
        }
        return Report(
            network: model.network,
            outcomes: together + (circumstances.compares ? try compared(on: own, check) : []),
            cutEntries: model.cutEntries,
            files: folder == nil ? [] : Self.files.map(\.rawValue))
    }

    private static let files: [TrainingFolder.File] = [.plan, .weights, .architecture, .curves]

    private func write(_ model: Trained, to folder: TrainingFolder) throws {
        try folder.write(training.planText, to: .plan)
        let names = personal?.sharedNames ?? model.parameters.names
        try folder.write(
            SafeTensors.write(Parameters(names: names, tensors: names.compactMap { model.parameters[$0] })),
            to: .weights)
        try folder.write(Architecture.json(training.model), to: .architecture)
        let lines = model.curve.map { point in
            let values = point.validation.map { "\"\($0.metric.rawValue)\": \($0.value.map { "\($0)" } ?? "null")" }
            return "{\"round\": \(point.number), \"attempts\": \(point.attempts), \"seconds\": \(point.seconds), "
                + "\"validation\": {\(values.joined(separator: ", "))}}\n"
        }
        try folder.write(lines.joined(), to: .curves)
    }

    private func compared(on own: [Examples]?, _ check: () throws -> Void) throws -> [Outcome] {
        var outcomes: [Outcome] = []
        try check()
        outcomes.append(
            Outcome(name: "in one place", metrics: try scores(alone(training.inputs.train, as: parts.count))))
        for (place, part) in parts.enumerated() {
            try check()
            outcomes.append(
                Outcome(
                    name: "participant \(place + 1) alone",
                    metrics: try scores(alone(part, as: 1), on: own?[place])))
        }
        return outcomes
    }

    /// Rows that were not trained on, divided as those that were: what each participant would meet.
    private func likeOwnRows() throws -> [Examples] {
        guard let rows = training.inputs.test ?? training.inputs.validation else { return parts }
        return try Self.divided(rows, circumstances, seed: training.document.seed)
    }

    private func plainWorks() throws -> [LocalTraining] {
        try parts.enumerated().map { place, part in
            try LocalTraining(
                strategy: facts.plan.strategy, plan: local, examples: part, batchRows: training.document.batch,
                seed: training.document.seed &+ UInt64(place), parameters: begun, threads: training.threads,
                personal: personal)
        }
    }

    private func privateWorks() throws -> [PrivateLocalTraining] {
        try parts.map { part in
            try PrivateLocalTraining(
                facts.plan, training: local, examples: part, parameters: begun, threads: training.threads)
        }
    }

    /// The federated model, and how it came along.
    private struct Trained {
        var parameters: Parameters
        /// Each participant's, where layers stay with them.
        var personal: [Parameters] = []
        var curve: [Round] = []
        var cutEntries = 0
        var network = Network()
    }

    private func together<Work: LocalWork>(
        _ works: [Work], _ check: () throws -> Void, _ round: (Round) -> Void
    ) throws -> Trained {
        let policy = FederationPolicy(ways: Set(Aggregation.allCases), leastHonest: 1, leastNoiseMultiplier: 0)
        var random = SecureRandom()
        var run: Simulator<Work>
        do {
            run = try Simulator(
                plan: facts.plan, policy: policy, identities: works.map { _ in Curve25519.Signing.PrivateKey() },
                works: works,
                weights: personal.map { try $0.divided(local.model.trained(begun)).shared }
                    ?? local.model.trained(begun), conditions: circumstances.conditions,
                seed: facts.promise == nil ? training.document.seed : random.next())
        } catch { throw Problem.invalidManifest("\(error)") }
        var model = Trained(parameters: begun)
        while !run.coordinator.isOver, !run.isSilent, run.now < Self.mostSeconds {
            try check()
            let before = run.coordinator.model.round
            run.run(until: Self.mostSeconds, everybody: false, rounds: before + 1, turns: 256)
            guard run.coordinator.model.round > before else { continue }
            let parameters =
                try personal?.parameters(shared: run.coordinator.model.weights, own: [])
                ?? local.model.parameters(begun, trained: run.coordinator.model.weights)
            model.parameters = averaged(model.parameters, parameters, round: run.coordinator.model.round)
            model.curve.append(
                Round(
                    number: run.coordinator.model.round, rounds: facts.plan.rounds,
                    attempts: Self.ended(run.coordinator),
                    seconds: run.now,
                    // Without the layers that stay there is no model to measure.
                    validation: try (personal == nil ? training.inputs.validation : nil).map { rows in
                        try training.measure(model.parameters, on: rows, threads: training.threads).map {
                            ($0.metric, $0.value)
                        }
                    } ?? []))
            if let last = model.curve.last { round(last) }
        }
        guard run.coordinator.phase == .finished else {
            let why =
                run.errors.last.map { "\($0.error)" } ?? run.coordinator.events.dropLast().last?.words
                ?? "nobody was left"
            let left = run.gone.isEmpty ? "" : "; \(run.gone.count) of \(parts.count) participants had left for good"
            throw Problem.invalidData(
                "the run ended after \(run.coordinator.model.round) of \(facts.plan.rounds) rounds, with \(run.coordinator.attempts) begun: \(why)\(left)",
                hint: run.gone.count > parts.count - facts.plan.least
                    ? "fewer drop-outs (they are for each message), or a smaller `least`"
                    : "more `spare-rounds`, or a smaller `least`")
        }
        model.network = Network(
            void: Self.ended(run.coordinator) - run.coordinator.model.round, messages: run.messages, lost: run.lost,
            killed: run.killed, left: run.gone.count, seconds: run.now)
        if let personal {
            let shared = try personal.divided(local.model.trained(model.parameters)).shared
            model.personal = try run.participants.map { participant in
                try personal.parameters(shared: shared, own: participant.state.carried)
            }
        }
        model.cutEntries = run.participants.reduce(0) { $0 + $1.state.cutEntries }
        return model
    }

    /// Of a simulated network: three years.
    private static let mostSeconds = 1e8

    /// How many rounds were begun and have ended.
    private static func ended(_ coordinator: Coordinator) -> Int {
        guard case .fedBuff = coordinator.plan.strategy else {
            return coordinator.attempts - (coordinator.isOver ? 0 : 1)
        }
        return coordinator.model.round
    }

    /// As `TrainingState` averages.
    private func averaged(_ average: Parameters, _ parameters: Parameters, round: Int) -> Parameters {
        guard let averaging = training.plan.averaging else { return parameters }
        let stays = min(averaging, Float(1 + round) / Float(10 + round))
        let (old, new) = (local.model.trained(average), local.model.trained(parameters))
        let mixed = zip(old, new).map { $0 + (1 - stays) * ($1 - $0) }
        return (try? local.model.parameters(parameters, trained: mixed)) ?? parameters
    }

    /// - Parameter rows: nil: those of the plan that were not trained on.
    private func scores(
        _ parameters: Parameters, on rows: Examples? = nil
    ) throws -> [(metric: Metric, value: Double?)] {
        guard let rows = rows ?? training.inputs.test ?? training.inputs.validation else { return [] }
        return try training.measure(parameters, on: rows, threads: training.threads).map { ($0.metric, $0.value) }
    }

    /// The same number of steps on some rows in one place, each of `share` participants' batches; with the plan's noise where it has some.
    private func alone(_ examples: Examples, as share: Int) throws -> Parameters {
        var plan = local
        plan.averaging = training.plan.averaging
        plan.steps = facts.plan.rounds * (facts.promise == nil ? section.localSteps : 1)
        do {
            guard let noise = facts.plan.noise else {
                var run = try TrainingRun(
                    plan: plan, examples: examples, batchRows: training.document.batch * share,
                    seed: training.document.seed,
                    threads: training.threads, parameters: begun)
                for _ in 0..<plan.steps { _ = try run.step() }
                return run.state.result
            }
            plan.optimizer = .gradientDescent()
            var own = noise
            own.capacity = examples.units.count
            var random = SecureRandom()
            var run = try PrivateTrainingRun(
                plan: plan, privacy: own.privacy(steps: plan.steps, dimension: facts.parameters), examples: examples,
                parameters: begun, threads: training.threads)
            for _ in 0..<plan.steps { run.step(using: &random) }
            return run.state.result
        } catch { throw Problem.invalidData("\(error)") }
    }
}

extension TrainingDocument {
    /// The noise that participants share, the least that keeps the plan's epsilon over all rounds, spare ones too, and that epsilon; nil: without
    /// privacy.
    ///
    /// - Parameters:
    ///   - units: Of all participants, declared.
    ///   - parameters: How many values are trained.
    ///   - delta: At which an epsilon holds.
    /// - Throws: A `Problem`: what no noise reaches.
    func sharedNoise(
        _ section: TrainingFederationSection, units: Int, participants: Int, parameters: Int, delta: Double
    ) throws -> (noise: SharedNoise, epsilon: Double)? {
        guard let privacy else { return nil }
        guard case .fixed(let norm) = privacy.clipping else {
            throw Problem.invalidManifest(
                "`privacy.clip`: a norm that follows the rows needs noise of its own", hint: "a number")
        }
        var noise = SharedNoise(
            clippingNorm: norm, noiseMultiplier: 1, samplingRate: min(1, Double(batch) / Double(units)),
            capacity: units)
        func plan(_ multiplier: Double) throws -> FederatedPlan {
            noise.noiseMultiplier = multiplier
            return try section.plan(
                name: name, participants: participants, parameters: parameters, noise: noise,
                work: Data(repeating: 0, count: 32))
        }
        do {
            let event = try plan(1).event()
            switch privacy.amount {
            case .noise(let multiplier): noise.noiseMultiplier = multiplier
            case .epsilon(let epsilon):
                noise.noiseMultiplier = try Calibration.leastNoise(
                    epsilon: epsilon, delta: delta, tolerance: 1e-3, by: RenyiAccountant()
                ) { multiplier in event.scaled(by: multiplier) }
            }
            var accountant = try RenyiAccountant()
            try accountant.compose(plan(noise.noiseMultiplier).event())
            return (noise, try accountant.epsilon(delta: delta).upper)
        } catch let error as MechanismError { throw Problem.invalidManifest("`privacy`: \(error)") }
    }
}

extension PrivacyEvent {
    /// Steps of Skellam noise whose deviation is so many times as large.
    fileprivate func scaled(by multiplier: Double) -> PrivacyEvent {
        switch self {
        case .repeated(let event, let times): .repeated(event.scaled(by: multiplier), times: times)
        case .poissonSampled(let rate, let event): .poissonSampled(rate: rate, event.scaled(by: multiplier))
        case .skellam(let l1, let squared, let variance):
            // Rounded down: the plan with this multiplier has at least as much.
            .skellam(
                l1Sensitivity: l1, sensitivitySquared: squared, variance: (variance * multiplier * multiplier).nextDown)
        default: self
        }
    }
}
