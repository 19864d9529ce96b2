import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Learning
import Secrets
import Tables

/// What a plan comes to on a dataset: from plan, manifest and policy alone.
struct TrainingTerms: Sendable {
    let task: TrainingTask
    let plan: TrainingPlan
    let privacy: TrainingPrivacy

    var document: TrainingDocument { task.document }
    var planText: String { task.planText }
    var entry: Catalogue.Entry { task.entry }
    var policy: Policy { task.policy }
    var features: TrainingFeatures { task.features }
    var label: ColumnInput { task.label }

    init(planText: String, in catalogue: Catalogue) throws {
        let document = try TrainingDocument(planText)
        guard document.federation == nil else {
            throw Problem.invalidManifest(
                "`federation` asks several sites",
                hint: "`parley coordinate PLAN` asks them; leave it out to train here alone")
        }
        guard let section = document.privacy else {
            throw Problem.invalidManifest(
                "the key `privacy` is missing",
                hint: "privacy: {unit: NAME, clip: 1, noise: 1}, within the owner's policy")
        }
        task = try TrainingTask(document, planText: planText, in: catalogue)
        try task.checkUnit(section)
        guard section.delta == nil else {
            throw Problem.invalidManifest("`privacy.delta`: it is the policy's here", hint: "leave it out")
        }
        let units = section.units ?? task.entry.manifest.capacityUnits
        plan = try task.plan(stepsPerEpoch: document.stepsPerEpoch(units))
        do throws(MechanismError) {
            privacy = try section.promise(
                batch: min(document.batch, units), steps: plan.steps, units: units,
                delta: task.policy.regime.conversionDelta, dimension: plan.model.trainableCount)
        } catch { throw Problem.invalidManifest("`privacy`: \(error)") }
        try checkRanges()
        try checkRun()
    }

    // MARK: What the policy says

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
            _ = try PrivateTrainingRun(
                plan: plan, privacy: privacy, examples: task.madeUp(rows: 0, plan.model.inputShape),
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
}
