import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Learning
import Secrets
import Tables

/// What a plan comes to on a dataset: from plan, manifest and policy alone.
struct TrainingTerms: Sendable {
    let document: TrainingDocument
    let planText: String
    let entry: Catalogue.Entry
    let policy: Policy
    let plan: TrainingPlan
    let privacy: TrainingPrivacy
    let features: TrainingFeatures
    let label: ColumnInput
    let target: TrainingDataSection.Target

    init(planText: String, in catalogue: Catalogue) throws {
        let document = try TrainingDocument(planText)
        guard let dataset = document.dataset else {
            throw Problem.invalidManifest(
                "`data` names no dataset of this site", hint: "data: {dataset: NAME, features: [...], label: NAME}")
        }
        guard let section = document.privacy else {
            throw Problem.invalidManifest(
                "the key `privacy` is missing",
                hint: "privacy: {unit: NAME, clip: 1, noise: 1}, within the owner's policy")
        }
        guard let entry = catalogue.datasets[dataset.dataset] else { throw catalogue.absent(dataset.dataset) }
        guard let policy = entry.policy, !entry.isLookup else {
            throw Problem.invalidRequest("\(dataset.dataset) is a public lookup table: nobody's privacy is in it")
        }
        try Self.check(document, section, of: entry, under: policy)
        let columns = TrainingColumns(schema: entry.manifest.schema)
        features = try columns.features(dataset)
        (label, target) = try columns.label(dataset.label, document.loss)
        self.document = document
        self.planText = planText
        self.entry = entry
        self.policy = policy
        let units = section.units ?? entry.manifest.capacityUnits
        let batch = min(document.batch, units)
        do throws(ModelError) {
            var plan = try document.plan(
                rowShape: features.rowShape, target: target, scaling: features.scaling,
                stepsPerEpoch: document.stepsPerEpoch(units))
            try TrainingBounds.check(plan, rowsPerUnit: entry.manifest.unit.rowsPerUnit)
            plan.chunkRows = min(
                plan.chunkRows, max(1, TrainingBounds.gradientsTogether / max(1, plan.model.trainableCount)),
                max(1, Int(TrainingBounds.multiplicationsTogether / max(1, plan.model.multiplicationsPerRow))))
            self.plan = plan
        } catch { throw Problem.invalidManifest("\(error)") }
        do throws(MechanismError) {
            privacy = try section.promise(
                batch: batch, steps: plan.steps, units: units, delta: policy.regime.conversionDelta,
                dimension: plan.model.trainableCount)
        } catch { throw Problem.invalidManifest("`privacy`: \(error)") }
        try checkRanges()
        try checkRun()
    }

    // MARK: What the policy says

    private static func check(
        _ document: TrainingDocument, _ section: TrainingPrivacySection, of entry: Catalogue.Entry, under policy: Policy
    ) throws {
        guard policy.regime.kind == .renyi else {
            throw Problem.forbidden(
                "\(entry.manifest.name) counts loss as \(policy.regime.kind.rawValue), in which training on samples has no price",
                hint: "its owner may declare `loss: renyi` for a population from which nothing was released yet")
        }
        guard section.unit == entry.unitWords else {
            throw Problem.invalidManifest(
                "`privacy.unit`: \(section.unit.map { "the plan protects \(DisplayedName.of($0))" } ?? "it is missing")",
                hint: "unit: \(entry.unitWords), as the owner declares it")
        }
        // The least noise for it would not be found in a moment, and cost more than there is.
        let whole = RenyiOrders.epsilon(amounts: policy.total.amounts, delta: policy.regime.conversionDelta)
        if case .epsilon(let epsilon) = section.amount, epsilon > whole {
            throw Problem.forbidden(
                "`privacy.epsilon`: \(ShortNumber.text(epsilon)) is more than the whole budget of \(entry.manifest.population)",
                hint: "at most \(ShortNumber.text(whole)), for all requests together")
        }
        guard section.delta == nil else {
            throw Problem.invalidManifest("`privacy.delta`: it is the policy's here", hint: "leave it out")
        }
        guard document.selection == nil, document.metrics.isEmpty else {
            throw Problem.invalidManifest(
                "`metrics` and `select`: no row is held out here, and numbers on rows that were trained on would be charged",
                hint: "measure the model on rows of your own")
        }
    }

    /// Noise and clipping are the owner's to bound, whoever asks.
    private func checkRanges() throws {
        let rule = policy.rule(for: TrainingWork.engine, isAllowedUnlessSaid: TrainingWork.isAllowedUnlessSaid)
        guard let limits = rule?.training else { return }
        func check(_ value: Double, _ range: ClosedRange<Double>?, _ key: String) throws {
            guard let range, !range.contains(value) else { return }
            throw Problem.forbidden(
                "`privacy.\(key)`: \(ShortNumber.text(value)) is not what the owner's policy allows",
                hint: "from \(ShortNumber.text(range.lowerBound)) to \(ShortNumber.text(range.upperBound))")
        }
        try check(privacy.noiseMultiplier, limits.noise, "noise")
        try check(privacy.clipping.first, limits.clip, "clip")
    }

    /// What a run would refuse is refused now: layers that mix people, shapes that do not fit.
    private func checkRun() throws {
        do {
            var random = SecureRandom()
            let nobody = try Examples(
                inputs: Tensor(shape: [0] + plan.model.inputShape),
                targets: label.isLabel ? .labels([]) : .values(Tensor(shape: [0, 1])))
            _ = try PrivateTrainingRun(
                plan: plan, privacy: privacy, examples: nobody,
                parameters: plan.model.initialParameters(using: &random))
        } catch { throw Problem.invalidManifest("\(error)") }
    }

    // MARK: What it costs

    /// The steps' own curve, and at no order less than a request is charged at least (docs/privacy.md, rule 27).
    func loss() throws -> PrivacyLoss {
        do throws(MechanismError) {
            let loss = try PrivacyEvent.composition([privacy.event]).loss(kind: .renyi)
            return loss.raised(to: policy.leastCharge)
        } catch { throw Problem.invalidManifest("`privacy`: \(error)") }
    }

    /// By privacy loss distributions, which is what to report; the ledger's own curve is a little above it. nil where it is too large to be one.
    func reportedEpsilon() -> Double? {
        guard var accountant = try? PrivacyLossAccountant(), (try? accountant.compose(privacy.event)) != nil else {
            return nil
        }
        return (try? accountant.epsilon(delta: policy.regime.conversionDelta))?.upper
    }

    /// What the steps so far would come to by the ledger's curve.
    func epsilon(after steps: Int) -> Double? {
        guard steps > 0, let loss = try? PrivacyEvent.repeated(privacy.stepEvent, times: steps).loss(kind: .renyi)
        else {
            return nil
        }
        return RenyiOrders.epsilon(amounts: loss.amounts, delta: policy.regime.conversionDelta)
    }

    func measuredCost() throws -> PrivateStepCost {
        do throws(ModelError) {
            return try PrivateStepCost(
                measuring: plan, rowsPerUnit: entry.manifest.unit.rowsPerUnit, nanoseconds: WorkCalibration.nanoseconds)
        } catch { throw Problem.invalidManifest("\(error)") }
    }

    // MARK: Steps

    /// After which steps progress is told, and a checkpoint written.
    var blocks: [Int] {
        let count = min(50, plan.steps)
        return (1...count).map { plan.steps * $0 / count }
    }

    /// Made-up units that are trained on beside the table's, where the policy wants an audit with them.
    var canaries: Int {
        let rule = policy.rule(for: TrainingWork.engine, isAllowedUnlessSaid: TrainingWork.isAllowedUnlessSaid)
        return rule?.training?.audits == true ? 1_000 : 0
    }

    // MARK: Rows

    /// nil where they do not fit the plan, which none do that follow from the manifest.
    func examples(_ table: Table) -> Examples? {
        let rows = table.examples(
            inputs: features.columns, array: features.array, label: label, rowsPerUnit: entry.manifest.unit.rowsPerUnit)
        return examples(rows)
    }

    func examples(_ rows: TableExamples) -> Examples? {
        let count = rows.labels?.count ?? rows.values?.count ?? 0
        let targets: Targets =
            rows.labels.map { .labels($0) } ?? .values(Tensor(shape: [count, 1], values: rows.values ?? []))
        guard let array = features.array.map({ entry.manifest.schema.arrays[$0] }) else {
            return try? Examples(
                inputs: Tensor(shape: [count] + plan.model.inputShape, values: rows.inputs), targets: targets,
                units: rows.units)
        }
        let numbers = try? DataArray(
            shape: [count] + array.shape, type: array.element == .uint8 ? .unsigned8 : .float32, bytes: rows.bytes)
        return numbers.flatMap { numbers in
            try? Examples(
                numbers, rowShape: features.rowShape, scaling: features.scaling, targets: targets, units: rows.units)
        }
    }

    // MARK: Words

    static func words(_ planText: String) -> String {
        guard let document = try? TrainingDocument(planText), let dataset = document.dataset else { return "TRAIN" }
        return "TRAIN \(document.name) ON \(dataset.dataset): \(dataset.label) from "
            + dataset.features.map(\.column).joined(separator: ", ")
    }
}

extension ColumnInput {
    var isLabel: Bool { if case .oneOf = form { true } else { false } }
}
