import DatasiteProtocol
import Governance
import Learning
import Tables

/// What goes into a model of a dataset's rows, and what is true of them: from what was asked and the manifest alone. Training reads them, and measuring a model.
struct LearnedRows: Sendable {
    let entry: Catalogue.Entry
    let policy: Policy
    let features: TrainingFeatures
    let label: ColumnInput
    let target: TrainingDataSection.Target

    init(_ section: TrainingDatasetSection, _ loss: Learning.Loss, in catalogue: Catalogue) throws {
        guard let entry = catalogue.datasets[section.dataset] else { throw catalogue.absent(section.dataset) }
        guard let policy = entry.policy, !entry.isLookup else {
            throw Problem.invalidRequest("\(section.dataset) is a public lookup table: nobody's privacy is in it")
        }
        let columns = TrainingColumns(schema: entry.manifest.schema)
        features = try columns.features(section)
        (label, target) = try columns.label(section.label, loss)
        (self.entry, self.policy) = (entry, policy)
    }

    /// So many rows of that shape that nobody's data are in.
    func madeUp(rows: Int, _ inputShape: [Int]) throws(ModelError) -> Examples {
        let count = rows * inputShape.reduce(1, *)
        return try Examples(
            inputs: Tensor(shape: [rows] + inputShape, values: (0..<count).map { Float($0 % 251) / 251 }),
            targets: label.isLabel
                ? .labels([Int32](repeating: 0, count: rows)) : .values(Tensor(shape: [rows, 1])))
    }

    /// nil where they do not fit what was planned, which none do that follow from the manifest.
    ///
    /// - Parameter units: Of each unit whether its rows are wanted; nil: all are.
    func examples(_ table: Table, units: [Bool]? = nil) -> Examples? {
        examples(
            table.examples(
                inputs: features.columns, array: features.array, label: label,
                rowsPerUnit: entry.manifest.unit.rowsPerUnit, units: units))
    }

    private func examples(_ rows: TableExamples) -> Examples? {
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

    /// The most work that reading so many rows takes.
    func reading(rows: Double) -> Work {
        let width = Double(features.rowShape.reduce(1, *))
        return Work([.probe: rows * Double(features.columns.count + 1), .step: rows * (width + 8), .scan: 1])
    }
}
