import DatasiteProtocol

/// A model as data: JSON that says which layers there are, without what they learned.
///
/// ```json
/// {"format": "parley-model", "version": 1, "input": [784],
///  "layers": [{"kind": "linear", "name": "0", "outputs": 10, "bias": true}]}
/// ```
public enum Architecture {
    /// The one that is written and read.
    public static let version = 1
    /// The longest text that is read, in bytes.
    public static let largestText = 1 << 20
    private static let format = "parley-model"
    /// Of layers within layers.
    private static let largestDepth = 32

    /// All kinds that files may name.
    static let kinds: [any Layer.Type] = [
        Linear.self, LowRankLinear.self, Convolution.self, MaxPool.self, AveragePool.self, GlobalAveragePool.self,
        Flatten.self, GroupNormalization.self, LayerNormalization.self, BatchNormalization.self, ReLU.self, Tanh.self,
        GELU.self, Sigmoid.self, SoftmaxLayer.self, Dropout.self, Residual.self, Embedding.self,
        PositionalEmbedding.self, GRU.self, Attention.self, MeanOverSteps.self, LastStep.self, Scattering.self,
    ]

    /// Reads a model.
    ///
    /// - Throws: What is wrong, in which layer, and what would be right.
    public static func model(json: [UInt8]) throws(ModelError) -> Model {
        guard json.count <= largestText else {
            throw .data("the model's text of \(json.count) bytes", expected: "at most \(largestText) bytes")
        }
        let value: StrictJSON
        do { value = try StrictJSON(parsing: json, largestDepth: largestDepth) } catch {
            throw .data("the model's text", expected: "JSON: \(error)")
        }
        guard case .object(let members) = value else { throw .data("the model's text", expected: "one JSON object") }
        let keys = ["format", "version", "input", "layers"]
        if let stranger = members.keys.filter({ !keys.contains($0) }).min() {
            throw .data(
                "the model's field '\(stranger.prefix(100))'", expected: "it has \(keys.joined(separator: ", ")) alone")
        }
        guard members["format"] == .string(format) else {
            throw .data("the model's field 'format'", expected: "\"\(format)\"")
        }
        guard members["version"] == .number(String(version)) else {
            throw .data("the model's field 'version'", expected: "\(version), the version that is read here")
        }
        guard case .array(let layers)? = members["layers"] else {
            throw .data("the model's field 'layers'", expected: "a list of layers")
        }
        return try Model(inputShape: shape(members["input"]), layers: self.layers(layers, in: "layers"))
    }

    private static func shape(_ value: StrictJSON?) throws(ModelError) -> [Int] {
        let expected = "a list of at most 8 whole numbers from 1 to 16777216"
        guard case .array(let extents)? = value, extents.count <= 8 else {
            throw .data("the model's field 'input'", expected: expected)
        }
        var shape: [Int] = []
        for extent in extents {
            guard case .number(let literal) = extent, let number = Int(literal), (1...1 << 24).contains(number) else {
                throw .data("the model's field 'input'", expected: expected)
            }
            shape.append(number)
        }
        return shape
    }

    static func layers(_ values: [StrictJSON], in place: String) throws(ModelError) -> [any Layer] {
        var layers: [any Layer] = []
        for (index, value) in values.enumerated() { layers.append(try layer(value, "\(place).\(index)")) }
        return layers
    }

    private static func layer(_ value: StrictJSON, _ place: String) throws(ModelError) -> any Layer {
        guard case .object(let members) = value else {
            throw .field(layer: place, field: "kind", expected: "in a JSON object: a layer is one")
        }
        guard case .string(let kind)? = members["kind"], let type = kinds.first(where: { $0.kind == kind }) else {
            throw .field(
                layer: place, field: "kind", expected: "one of \(kinds.map { $0.kind }.joined(separator: ", "))")
        }
        var fields = try LayerFields(kind: kind, place: place, members)
        let layer = try type.init(&fields)
        try fields.end()
        return layer
    }

    /// The JSON that ``model(json:)`` reads.
    public static func json(_ model: Model) -> [UInt8] {
        let extents = model.inputShape.map(String.init).joined(separator: ",")
        let layers = text(model.layers, indent: "  ")
        return Array(
            "{\"format\": \"\(format)\", \"version\": \(version), \"input\": [\(extents)],\n \"layers\": \(layers)}\n"
                .utf8)
    }

    private static func text(_ layers: [any Layer], indent: String) -> String {
        if layers.isEmpty { return "[]" }
        let lines = layers.map { layer in
            let kind = LayerField("kind", .text(type(of: layer).kind))
            let name = layer.name.map { [LayerField("name", .text($0))] } ?? []
            let fields = ([kind] + name + layer.fields).map {
                "\"\($0.key)\": \(text($0.value, indent: indent + "  "))"
            }
            return indent + "{\(fields.joined(separator: ", "))}"
        }
        return "[\n\(lines.joined(separator: ",\n"))]"
    }

    private static func text(_ value: LayerField.Value, indent: String) -> String {
        switch value {
        case .integer(let number): String(number)
        case .number(let number): "\(number)"
        case .boolean(let boolean): boolean ? "true" : "false"
        // A name needs no escapes: see LayerFields.isName.
        case .text(let text): "\"\(text)\""
        case .layers(let layers): text(layers, indent: indent)
        }
    }
}
