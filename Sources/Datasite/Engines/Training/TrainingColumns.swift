import DatasiteProtocol
import Learning
import Tables

/// What goes into a model: columns of a table, or an array of its rows.
struct TrainingFeatures {
    /// One behind the other; of an array none.
    var columns: [ColumnInput] = []
    /// The array's position in the schema.
    var array: Int?
    /// Of a row as the model takes it.
    var rowShape: [Int]
    /// What an array's numbers become.
    var scaling = InputScaling.none
    /// Bytes that a row's inputs take in memory.
    var rowBytes: Int
}

/// Columns and arrays of a table as inputs and label of a model: by what the manifest declares of them.
struct TrainingColumns {
    let schema: Schema

    func features(_ section: TrainingDatasetSection) throws -> TrainingFeatures {
        let arrays = section.features.compactMap { feature in
            schema.arrays.firstIndex { $0.name == feature.column }
        }
        guard let array = arrays.first else {
            guard section.scaling == .none else {
                throw Problem.invalidManifest(
                    "`data.scale`: columns are scaled by their declared bounds", hint: "leave it out: it is for arrays")
            }
            let columns = try section.features.map(input)
            let width = columns.reduce(0) { $0 + $1.width }
            return TrainingFeatures(columns: columns, rowShape: [width], rowBytes: 4 * width)
        }
        let declared = schema.arrays[array]
        guard section.features.count == 1, section.features[0].missing == nil else {
            throw Problem.invalidManifest(
                "`data.features`: the array \(declared.name) goes in alone, and has no `missing`",
                hint: "features: [\(declared.name)]")
        }
        let shape = declared.shape
        let bounds = InputScaling.bounds(lower: Float(declared.lowerBound), upper: Float(declared.upperBound))
        let scaling = section.scaling == .none ? bounds : section.scaling
        do throws(ModelError) { try scaling.check(rowShape: shape) } catch {
            throw Problem.invalidManifest("`data.scale`: \(error)")
        }
        return TrainingFeatures(
            array: array, rowShape: shape, scaling: scaling,
            rowBytes: declared.element == .uint8 && scaling.keepsBytes ? declared.count : 4 * declared.count)
    }

    private func input(_ feature: TrainingDatasetSection.Feature) throws -> ColumnInput {
        let (index, column) = try self.column(feature.column)
        if let values = Self.domain(column) {
            guard feature.missing == nil else {
                throw Problem.invalidManifest("`data.features`: \(column.name) has a domain, and no `missing`")
            }
            return ColumnInput(column: index, form: .oneOf(values))
        }
        let (lower, upper) = try Self.bounds(column)
        let missing = feature.missing.map { ($0 - lower) / (upper - lower) } ?? 0.5
        return ColumnInput(
            column: index, form: .number(lower: lower, upper: upper, missing: Float(min(max(missing, 0), 1))))
    }

    /// A label with a domain is one of its classes; a number is scaled so that its bounds become 0 and 1.
    func label(_ name: String, _ loss: Learning.Loss) throws -> (ColumnInput, TrainingDataSection.Target) {
        let (index, column) = try self.column(name)
        if let values = Self.domain(column) {
            guard values.count >= 2 else { throw Problem.invalidManifest("`data.label`: \(name) has one value alone") }
            return (ColumnInput(column: index, form: .oneOf(values)), .classes(values.count))
        }
        guard loss != .crossEntropy, column.lowerBound != nil else {
            throw Problem.invalidManifest(
                "`data.label`: \(name) has no declared domain, so that it has no classes",
                hint: column.lowerBound == nil
                    ? "the owner may declare the column's `domain`"
                    : "`loss: mean-squared`, which learns the number; or the owner may declare the column's `domain`")
        }
        let (lower, upper) = try Self.bounds(column)
        return (
            ColumnInput(column: index, form: .number(lower: lower, upper: upper, missing: .nan)),
            .bounds(lower: lower, upper: upper)
        )
    }

    private func column(_ name: String) throws -> (Int, ColumnSchema) {
        guard let index = schema.columns.firstIndex(where: { $0.name == name }) else {
            let names = schema.arrays.map(\.name) + schema.columns.map(\.name)
            throw Problem.invalidManifest(
                names.contains(name)
                    ? "`data.label`: \(name) is an array, and a label is a column"
                    : "`data`: there is no column \(DisplayedName.of(name))",
                hint: names.prefix(100).joined(separator: ", "))
        }
        return (index, schema.columns[index])
    }

    /// The values that it can have; nil: it has no declared domain.
    private static func domain(_ column: ColumnSchema) -> [Value]? {
        if column.type == .boolean { return [.boolean(false), .boolean(true)] }
        return column.domain.map { domain in
            guard let other = column.other, !domain.contains(other) else { return domain }
            return domain + [other]
        }
    }

    private static func bounds(_ column: ColumnSchema) throws -> (Double, Double) {
        guard let lower = column.lowerBound, let upper = column.upperBound, lower < upper else {
            throw Problem.invalidManifest(
                "`data`: \(column.name) has neither a domain nor bounds, so that nothing is known of its numbers",
                hint: "name columns with a domain or bounds")
        }
        return (lower, upper)
    }
}
