import Learning

/// What a plan's `model` says of weights that were trained before: `{name: resnet-18, weights: FILE, fresh: [fc], train: [layer4, fc]}`.
struct TrainingTransferSection: Sendable, Equatable {
    static let keys: Set<String> = ["weights", "fresh", "train"]

    /// A file of tensors below the folder of the data; nil: all layers begin anew.
    var weights: String?
    /// The layers that begin anew beside it.
    var fresh: [String] = []
    /// The layers that are trained; nil: all.
    var train: [String]?

    /// nil: the section has none of the keys.
    init?(_ model: YAMLValue) throws {
        let members = try model.members("{layers: [...]}, or {name: NAME, ...}").filter { Self.keys.contains($0.key) }
        guard !members.isEmpty else { return nil }
        for (key, value) in members {
            switch key {
            case "weights": weights = try TrainingDataSection.path(value)
            case "fresh": fresh = try Self.layers(value)
            default: train = try Self.layers(value)
            }
        }
        if weights == nil, let fresh = members.first(where: { $0.key == "fresh" }) {
            throw fresh.value.problem(
                "without `weights` all layers begin anew", hint: "name the file of weights, or leave `fresh` out")
        }
    }

    private static func layers(_ value: YAMLValue) throws -> [String] {
        let layers = try value.sequence().map { try $0.text("a layer's name") }
        guard !layers.isEmpty else { throw value.problem("expected at least one layer's name") }
        return layers
    }
}
