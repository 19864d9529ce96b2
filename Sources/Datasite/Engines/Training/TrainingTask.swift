import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Learning
import Tables

/// What a plan says of one dataset, before it says how private it is: what goes in, and what is learned. From plan and manifest alone.
struct TrainingTask: Sendable {
    let document: TrainingDocument
    let planText: String
    let entry: Catalogue.Entry
    let policy: Policy
    let features: TrainingFeatures
    let label: ColumnInput
    let target: TrainingDataSection.Target

    init(_ document: TrainingDocument, planText: String, in catalogue: Catalogue) throws {
        guard let dataset = document.dataset else {
            throw Problem.invalidManifest(
                "`data` names no dataset of this site", hint: "data: {dataset: NAME, features: [...], label: NAME}")
        }
        guard let entry = catalogue.datasets[dataset.dataset] else { throw catalogue.absent(dataset.dataset) }
        guard let policy = entry.policy, !entry.isLookup else {
            throw Problem.invalidRequest("\(dataset.dataset) is a public lookup table: nobody's privacy is in it")
        }
        guard document.selection == nil, document.metrics.isEmpty else {
            throw Problem.invalidManifest(
                "`metrics` and `select`: no row is held out here, and numbers on rows that were trained on would be charged",
                hint: "measure the model on rows of your own")
        }
        let columns = TrainingColumns(schema: entry.manifest.schema)
        features = try columns.features(dataset)
        (label, target) = try columns.label(dataset.label, document.loss)
        (self.document, self.planText, self.entry, self.policy) = (document, planText, entry, policy)
    }

    /// Refuses a plan that protects others than the manifest does.
    func checkUnit(_ section: TrainingPrivacySection) throws {
        guard section.unit == entry.unitWords else {
            throw Problem.invalidManifest(
                "`privacy.unit`: \(section.unit.map { "the plan protects \(DisplayedName.of($0))" } ?? "it is missing")",
                hint: "unit: \(entry.unitWords), as the owner declares it")
        }
        guard policy.regime.kind == .renyi else {
            throw Problem.forbidden(
                "\(entry.manifest.name) counts loss as \(policy.regime.kind.rawValue), in which training on samples has no price",
                hint: "its owner may declare `loss: renyi` for a population from which nothing was released yet")
        }
        // The least noise for it would not be found in a moment, and cost more than there is.
        let whole = RenyiOrders.epsilon(amounts: policy.total.amounts, delta: policy.regime.conversionDelta)
        if case .epsilon(let epsilon) = section.amount, epsilon > whole {
            throw Problem.forbidden(
                "`privacy.epsilon`: \(ShortNumber.text(epsilon)) is more than the whole budget of \(entry.manifest.population)",
                hint: "at most \(ShortNumber.text(whole)), for all requests together")
        }
    }

    /// The model and how it is trained, within what a datasite computes.
    func plan(stepsPerEpoch: Int) throws -> TrainingPlan {
        do throws(ModelError) {
            var plan = try document.plan(
                rowShape: features.rowShape, target: target, scaling: features.scaling, stepsPerEpoch: stepsPerEpoch)
            try TrainingBounds.check(plan, rowsPerUnit: entry.manifest.unit.rowsPerUnit)
            bound(&plan)
            return plan
        } catch { throw Problem.invalidManifest("\(error)") }
    }

    /// Bounds how many rows are computed together.
    func bound(_ plan: inout TrainingPlan) {
        plan.chunkRows = min(
            plan.chunkRows, max(1, TrainingBounds.gradientsTogether / max(1, plan.model.trainableCount)),
            max(1, Int(TrainingBounds.multiplicationsTogether / max(1, plan.model.multiplicationsPerRow))))
    }

    /// So many rows of the task's shape that nobody's data are in.
    func madeUp(rows: Int, _ inputShape: [Int]) throws(ModelError) -> Examples {
        let count = rows * inputShape.reduce(1, *)
        return try Examples(
            inputs: Tensor(shape: [rows] + inputShape, values: (0..<count).map { Float($0 % 251) / 251 }),
            targets: label.isLabel
                ? .labels([Int32](repeating: 0, count: rows)) : .values(Tensor(shape: [rows, 1])))
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
                inputs: Tensor(shape: [count] + features.rowShape, values: rows.inputs), targets: targets,
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

    /// What goes in and what is learned, a row of a table in Markdown each.
    var inputWords: [String] {
        let schema = entry.manifest.schema
        let columns = (features.columns + [label]).map { input in
            let column = schema.columns[input.column]
            let values =
                switch input.form {
                case .oneOf(let values): "\(values.count) values: one input each"
                case .number(let lower, let upper, _):
                    "a number from \(ShortNumber.text(lower)) to \(ShortNumber.text(upper)), scaled to 0 and 1"
                }
            let role = input == label ? "label" : "input"
            return "| \(column.name) | \(role) | \(values) | \(column.description) |"
        }
        let arrays = features.array.map { schema.arrays[$0] }.map { array in
            let shape = array.shape.map(String.init).joined(separator: "x")
            let bounds = [array.lowerBound, array.upperBound].map { ShortNumber.text($0) }.joined(separator: " to ")
            return "| \(array.name) | input | \(shape) numbers from \(bounds) | \(array.description) |"
        }
        return (arrays.map { [$0] } ?? []) + columns
    }

    /// What a plan asks for, in a line.
    ///
    /// - Parameter verb: In capitals.
    static func words(_ planText: String, verb: String) -> String {
        guard let document = try? TrainingDocument(planText), let dataset = document.dataset else { return verb }
        return "\(verb) \(document.name) ON \(dataset.dataset): \(dataset.label) from "
            + dataset.features.map(\.column).joined(separator: ", ")
    }
}

extension ColumnInput {
    var isLabel: Bool { if case .oneOf = form { true } else { false } }
}
