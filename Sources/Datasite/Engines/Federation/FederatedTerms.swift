import DatasiteProtocol
import DifferentialPrivacy
import Federation
import Foundation
import Governance
import Learning
import Secrets
import Tables

/// What a plan of training together comes to at this site: from plan, manifest and policy alone.
struct FederatedTerms: Sendable {
    let request: FederatedRequest
    let task: TrainingTask
    let section: TrainingFederationSection
    /// With whom, and what this site's policy says of it.
    let rounds: AllowedRounds
    /// What all sites do.
    let plan: FederatedPlan
    /// The model whose weights come out.
    let model: Model
    /// What is trained: behind layers without weights, which are computed once.
    let local: TrainingPlan
    /// With noise: what the plan's noise comes to at the plan's delta.
    let epsilon: Double?

    /// - Parameter site: This site's public key.
    init(_ request: FederatedRequest, site: Data, in catalogue: Catalogue) throws {
        let document = try TrainingDocument(request.plan)
        guard let section = document.federation else {
            throw Problem.invalidManifest(
                "the key `federation` is missing",
                hint: "`parley train PLAN` asks one site; federation: {rounds: 20, local-steps: 10}")
        }
        guard section.local.isEmpty else {
            throw Problem.invalidManifest(
                "`federation.local`: layers that stay would be models of one site's rows alone, which no site lets out",
                hint: "leave it out; `parley simulate` and the library train so")
        }
        (self.request, self.section) = (request, section)
        task = try TrainingTask(document, planText: request.plan, in: catalogue)
        let rule = task.policy.rule(for: FederatedWork.engine, isAllowedUnlessSaid: FederatedWork.isAllowedUnlessSaid)
        rounds = try AllowedRounds(
            request.invitation, at: site, rule: rule?.federation, what: "\(task.entry.manifest.name) is not trained on",
            engine: FederatedWork.engine)
        let roster = rounds.roster
        let whole = try task.plan(stepsPerEpoch: 1)
        model = whole.model
        local = try Self.behind(whole, task, steps: section.localSteps)
        let parameters = local.model.trainableCount
        let noise = try Self.noise(task, section, participants: roster.count, parameters: parameters)
        epsilon = noise?.epsilon
        plan = try section.plan(
            name: document.name, participants: roster.count, parameters: parameters, noise: noise?.noise,
            work: Self.digest(task, model))
        try rounds.check(plan)
        try checkRun()
    }

    // MARK: What is trained

    /// Layers in front that have no weights make the same of a row at each step: they are left out of what is trained.
    private static func behind(_ whole: TrainingPlan, _ task: TrainingTask, steps: Int) throws -> TrainingPlan {
        do throws(ModelError) {
            var plan = whole
            if Self.keepsFeatures(whole) {
                let nobody = try task.madeUp(rows: 0, whole.model.inputShape)
                let behind = try whole.model.withoutFrozenLayers(nobody, Self.shapes(of: whole.model)).model
                plan = try task.document.plan(behind, stepsPerEpoch: 1)
                task.bound(&plan)
            }
            (plan.steps, plan.averaging) = (steps, nil)
            return plan
        } catch { throw Problem.invalidManifest("\(error)") }
    }

    static func keepsFeatures(_ plan: TrainingPlan) -> Bool {
        plan.model.layers.contains { $0 is Scattering } && plan.augmentations.isEmpty
    }

    /// Parameters that are there for their shapes.
    static func shapes(of model: Model) -> Parameters {
        var generator = SecureRandom()
        return model.initialParameters(using: &generator)
    }

    private static func noise(
        _ task: TrainingTask, _ section: TrainingFederationSection, participants: Int, parameters: Int
    ) throws -> (noise: SharedNoise, epsilon: Double)? {
        guard let privacy = task.document.privacy else { return nil }
        try task.checkUnit(privacy)
        let capacity = task.entry.manifest.capacityUnits
        guard let units = privacy.units, units >= capacity else {
            throw Problem.invalidManifest(
                "`privacy.units`: \(privacy.units.map { "\($0) is less than the \(capacity) that this site alone declares" } ?? "it is missing")",
                hint: "as many as all sites declare together")
        }
        if case .epsilon = privacy.amount, privacy.delta == nil {
            throw Problem.invalidManifest(
                "`privacy.delta` is missing", hint: "sites may have different ones: say at which `epsilon` is meant")
        }
        return try task.document.sharedNoise(
            section, units: units, participants: participants, parameters: parameters,
            delta: privacy.delta ?? task.policy.regime.conversionDelta)
    }

    /// What all must agree on beside the federated plan's own numbers: the plan's text, what goes in, and the layers.
    private static func digest(_ task: TrainingTask, _ model: Model) -> Data {
        let parts =
            [task.planText, String(decoding: Architecture.json(model), as: UTF8.self)] + task.agreement
            + ["rows of a unit: \(task.entry.manifest.unit.rowsPerUnit)"]
        return AllowedRounds.digest("parley federated training 1\n", of: parts)
    }

    /// What a run would refuse is refused now.
    private func checkRun() throws {
        do {
            // Without a row there is no order of rows.
            let nobody = try task.madeUp(rows: 1, local.model.inputShape)
            let parameters = Self.shapes(of: local.model)
            if plan.noise == nil {
                _ = try LocalTraining(
                    strategy: plan.strategy, plan: local, examples: nobody, batchRows: task.document.batch, seed: 0,
                    parameters: parameters)
            } else {
                _ = try PrivateLocalTraining(plan, training: privatePlan, examples: nobody, parameters: parameters)
            }
        } catch { throw Problem.invalidManifest("\(error)") }
    }

    /// A step a round, spare ones too.
    var privatePlan: TrainingPlan {
        var plan = local
        plan.steps = attempts
        return plan
    }

    /// How many rounds may be begun.
    var attempts: Int { plan.rounds + plan.spareRounds }

    // MARK: What it costs

    /// With noise the loss of all rounds that may be begun, and at no order less than a request is charged at least; without, a use for each of them.
    func charge() throws -> Charge {
        guard plan.noise != nil else { return Charge(loss: nil, uses: Int64(attempts)) }
        do {
            let loss = try plan.event().loss(kind: .renyi)
            return Charge(loss: loss.raised(to: task.policy.leastCharge))
        } catch { throw Problem.invalidManifest("`privacy`: \(error)") }
    }

    /// What so many begun rounds come to by the ledger's curve, at the policy's delta.
    func epsilon(after rounds: Int) -> Double? {
        guard rounds > 0, case .repeated(let step, _)? = try? plan.event(),
            let loss = try? PrivacyEvent.repeated(step, times: rounds).loss(kind: .renyi)
        else { return nil }
        return RenyiOrders.epsilon(amounts: loss.amounts, delta: task.policy.regime.conversionDelta)
    }

    // MARK: Steps

    /// After which rounds progress is told.
    var blocks: [Int] {
        let count = min(50, plan.rounds)
        return (1...count).map { plan.rounds * $0 / count }
    }
}

extension TrainingTask {
    /// What the sites' manifests must have in common.
    var agreement: [String] {
        let schema = entry.manifest.schema
        let columns = (features.columns + [label]).map { input in
            let form =
                switch input.form {
                case .oneOf(let values):
                    "one of " + values.map(CanonicalText.of).joined(separator: ", ")
                case .number(let lower, let upper, let missing):
                    "from \(lower) to \(upper) (as 0 to 1; a missing number counts as \(missing))"
                }
            return "\(schema.columns[input.column].name) is \(form)"
        }
        let array = features.array.map { schema.arrays[$0] }.map { array in
            "\(array.name) is \(array.element.rawValue) \(array.shape) from \(array.lowerBound) to \(array.upperBound)"
        }
        return (array.map { [$0] } ?? []) + columns
    }
}
