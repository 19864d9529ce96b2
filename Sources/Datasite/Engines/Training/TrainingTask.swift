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
    let rows: LearnedRows

    var entry: Catalogue.Entry { rows.entry }
    var policy: Policy { rows.policy }
    var features: TrainingFeatures { rows.features }
    var label: ColumnInput { rows.label }
    var target: TrainingDataSection.Target { rows.target }

    init(_ document: TrainingDocument, planText: String, in catalogue: Catalogue) throws {
        guard let dataset = document.dataset else {
            throw Problem.invalidManifest(
                "`data` names no dataset of this site", hint: "data: {dataset: NAME, features: [...], label: NAME}")
        }
        let rows = try LearnedRows(dataset, document.loss, in: catalogue)
        guard document.selection == nil, document.metrics.isEmpty else {
            throw Problem.invalidManifest(
                "`metrics` and `select`: no row is held out here, and numbers on rows that were trained on would be charged",
                hint: "measure the model on rows of your own")
        }
        (self.document, self.planText, self.rows) = (document, planText, rows)
    }

    /// What is wrong in a text that was sent is wrong in the request: its reader is the one of files.
    static func asked<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let problem as Problem where problem.kind == .invalidManifest {
            throw Problem(.invalidRequest, problem.detail, hint: problem.hint)
        }
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
            try TrainingBounds.check(plan.steps)
            try TrainingBounds.check(plan.model, rowsPerUnit: entry.manifest.unit.rowsPerUnit)
            bound(&plan)
            return plan
        } catch { throw Problem.invalidManifest("\(error)") }
    }

    /// Bounds how many rows are computed together.
    func bound(_ plan: inout TrainingPlan) {
        plan.chunkRows = min(
            plan.chunkRows, max(1, TrainingBounds.gradientsTogether / max(1, plan.model.trainableCount)),
            TrainingBounds.rowsTogether(plan.model))
    }

    /// So many rows of the task's shape that nobody's data are in.
    func madeUp(rows count: Int, _ inputShape: [Int]) throws(ModelError) -> Examples {
        try rows.madeUp(rows: count, inputShape)
    }

    /// nil where they do not fit the plan, which none do that follow from the manifest.
    func examples(_ table: Table) -> Examples? { rows.examples(table) }

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
