/// Transfer learning: layers that begin as another model's ended, and layers that stay so.
extension Model {
    /// The layers that have parameters, by the parameters' names, in order.
    var layersWithParameters: [String] { Self.layers(of: declarations.map(\.name)) }

    /// The layers of whose parameters training changes none.
    public var frozenLayerNames: [String] {
        let learning = Set(Self.layers(of: declarations.filter(\.isTrainable).map(\.name)))
        return layersWithParameters.filter { !learning.contains($0) }
    }

    private static func layers(of parameters: [String]) -> [String] {
        var seen: Set<String> = []
        return parameters.map { $0.split(separator: ".").dropLast().joined(separator: ".") }.filter {
            seen.insert($0).inserted
        }
    }

    /// Whether a parameter is of a layer of that name, or of one within it: "layer1" has "layer1.0.conv1.weight", and not "layer10.weight".
    private static func holds(_ layer: String, _ parameter: String) -> Bool { parameter.hasPrefix(layer + ".") }

    /// The same model, of which only these layers are trained, each with those within it.
    ///
    /// - Throws: A name that is no layer's, with the names there are.
    public func training(onlyLayers layers: [String]) throws(ModelError) -> Model {
        for layer in layers where !declarations.contains(where: { Self.holds(layer, $0.name) }) {
            throw absent(layer, layersWithParameters)
        }
        let model = try training(only: layers.map { $0 + "." })
        guard model.trainableCount > 0 else {
            throw .data("the layers \(layers.joined(separator: ", "))", expected: "at least one that learns")
        }
        return model
    }

    private func absent(_ layer: String, _ layers: [String]) -> ModelError {
        .data(
            "no layer '\(layer.prefix(200))' has parameters",
            expected: "one of " + layers.map { String($0.prefix(200)) }.joined(separator: ", "))
    }

    /// Parameters as a file has them, and as they begin in layers that begin anew.
    ///
    /// - Parameters:
    ///   - begun: Of this model, as they begin.
    ///   - file: Of this model or of one that differs from it in these layers.
    ///   - fresh: The layers that begin anew, each with those within it.
    /// - Throws: The first parameter that the file lacks, has in another shape or with a value that is no number, or that is of no layer.
    public func parameters(
        _ begun: Parameters, from file: Parameters, fresh: [String]
    ) throws(ModelError) -> Parameters {
        let names = declarations.map(\.name)
        for layer in fresh where !(names + file.names).contains(where: { Self.holds(layer, $0) }) {
            throw absent(layer, Self.layers(of: names + file.names))
        }
        func isFresh(_ name: String) -> Bool { fresh.contains { Self.holds($0, name) } }
        let frozen = frozenLayerNames
        if let layer = frozen.first(where: { isFresh($0 + ".") }) {
            throw .data("layer \(layer) begins anew and is not trained", expected: "it among those that are trained")
        }
        var result = begun
        for (position, declaration) in declarations.enumerated() {
            let name = declaration.name
            if isFresh(name) { continue }
            guard let tensor = file[name] else {
                throw .parameter(
                    name: name, expected: "is missing; the model's is \(declaration.shape.extents); \(Self.remedy)")
            }
            guard tensor.shape == declaration.shape else {
                throw .parameter(
                    name: name,
                    expected: "is \(tensor.shape.extents); the model's is \(declaration.shape.extents); \(Self.remedy)")
            }
            guard tensor.values.allSatisfy(\.isFinite) else {
                throw .parameter(name: name, expected: "has a value that is no finite number")
            }
            result.tensors[position] = tensor
        }
        if let stranger = file.names.first(where: { begun[$0] == nil && !isFresh($0) }) {
            throw .parameter(
                name: String(stranger.prefix(200)), expected: "is of no layer of the model; \(Self.remedy)")
        }
        return result
    }

    private static let remedy = "layers that begin anew are listed as such"
}
