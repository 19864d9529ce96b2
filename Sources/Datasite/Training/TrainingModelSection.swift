import Learning

/// Which model: one that ships, by its name, or a list of layers.
enum TrainingModelSection: Sendable, Equatable {
    case shipped(ShippedModel)
    /// JSON: the list of layers as in a file of an architecture.
    case layers(String)

    init(_ value: YAMLValue) throws {
        let members = try value.members("{layers: [...]}, or {name: NAME, ...}")
        guard let layers = members.first(where: { $0.key == "layers" }) else {
            self = .shipped(try ShippedModel(value))
            return
        }
        _ = try value.mapping(TrainingTransferSection.keys.union(["layers"]))
        _ = try layers.value.sequence()
        self = .layers(try layers.value.json())
    }

    /// The model for rows of a shape.
    func model(input: [Int], target: TrainingDataSection.Target, loss: Loss) throws(ModelError) -> Model {
        switch self {
        case .layers(let layers):
            let extents = input.map(String.init).joined(separator: ", ")
            let json = "{\"format\": \"parley-model\", \"version\": 1, \"input\": [\(extents)], \"layers\": \(layers)}"
            return try Architecture.model(json: Array(json.utf8))
        case .shipped(let shipped):
            // One output says yes or no.
            let isOneOutput = loss == .binaryCrossEntropy && target.width == 2
            return try shipped.model(input: input, outputs: isOneOutput ? 1 : target.width)
        }
    }
}

/// A model that ships, with what may be chosen of it.
struct ShippedModel: Sendable, Equatable {
    enum Name: String, CaseIterable, Sendable {
        case mlp
        case logistic = "logistic-regression"
        case mnistConvolutions = "mnist-cnn"
        case smallResNet = "small-resnet"
        case resNet18 = "resnet-18"

        var keys: Set<String> {
            switch self {
            case .mlp: ["name", "hidden"]
            case .logistic: ["name"]
            case .mnistConvolutions: ["name", "activation"]
            case .smallResNet, .resNet18: ["name", "normalization", "groups"]
            }
        }
    }

    var name: Name
    var hidden = [128]
    var activation = Models.Activation.tanh
    var normalization: Models.Normalization?

    init(_ value: YAMLValue) throws {
        let transfer = TrainingTransferSection.keys
        let all = Name.allCases.reduce(into: transfer) { $0.formUnion($1.keys) }
        let keys = try value.mapping(all.union(["layers"]))
        guard let named = keys["name"] else { throw value.problem("expected `layers`, or `name`: a model that ships") }
        name = try TrainingDocument.word(named, Name.allCases)
        _ = try value.mapping(name.keys.union(transfer))
        if let value = keys["hidden"] { hidden = try value.sequence().map { try $0.count(atMost: 1 << 20) } }
        if let value = keys["activation"] { activation = try TrainingDocument.word(value, Models.Activation.allCases) }
        guard let value = keys["normalization"] ?? keys["groups"] else { return }
        if try keys["normalization"].map({ try TrainingDocument.word($0, ["group", "batch"]) }) == "batch" {
            guard keys["groups"] == nil else { throw value.problem("batch normalisation has no groups") }
            normalization = .batch
        } else {
            normalization = .group(try keys["groups"]?.count(atMost: 1 << 16) ?? (name == .resNet18 ? 32 : 8))
        }
    }

    func model(input: [Int], outputs: Int) throws(ModelError) -> Model {
        switch name {
        case .mlp: try Models.multilayerPerceptron(inputShape: input, hidden: hidden, classes: outputs)
        case .logistic: try Models.logisticRegression(inputShape: input, classes: outputs)
        case .mnistConvolutions:
            try Models.mnistConvolutions(inputShape: input, activation: activation, classes: outputs)
        case .smallResNet:
            try Models.smallResNet(inputShape: input, classes: outputs, normalization: normalization ?? .group(8))
        case .resNet18:
            try Models.resNet18(inputShape: input, classes: outputs, normalization: normalization ?? .group(32))
        }
    }
}
