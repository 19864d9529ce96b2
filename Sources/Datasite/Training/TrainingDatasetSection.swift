import Learning

/// What is learned from at a datasite: `data: {dataset: visits, features: [age, ward], label: {column: ill}}`. Domains, bounds and shapes
/// are those that the manifest declares.
struct TrainingDatasetSection: Sendable, Equatable {
    /// A column that goes in.
    struct Feature: Sendable, Equatable {
        var column: String
        /// What a number that is missing counts as; nil: as the middle of its bounds.
        var missing: Double?
    }

    var dataset: String
    /// Of a table: its columns, in the order in which they go in.
    var features: [Feature] = []
    /// The column that is learned.
    var label: String
    /// How an array's numbers are scaled.
    var scaling = InputScaling.none

    init(_ value: YAMLValue) throws {
        let keys = try value.mapping(["dataset", "features", "label", "scale"])
        func required(_ key: String) throws -> YAMLValue {
            guard let found = keys[key] else { throw value.problem("the key `\(key)` is missing") }
            return found
        }
        dataset = try required("dataset").text("a dataset's name")
        label = try required("label").text("a column's name")
        scaling = try keys["scale"].map(TrainingDataSection.scaling) ?? .none
        features = try required("features").sequence().map { feature in
            guard feature.isMapping else { return Feature(column: try feature.text("a column's name")) }
            let keys = try feature.mapping(["column", "missing"])
            guard let column = keys["column"] else { throw feature.problem("the key `column` is missing") }
            return Feature(column: try column.text("a column's name"), missing: try keys["missing"]?.number())
        }
        guard !features.isEmpty else { throw value.problem("name at least one column under `features`") }
        guard Set(features.map(\.column)).count == features.count, !features.contains(where: { $0.column == label })
        else { throw value.problem("a column is named twice") }
    }
}
