extension Model {
    /// The layers at the beginning whose output for a row is the same at each step: none of them is trained, drops or couples rows.
    var frozenLayers: Int {
        let learning = learning
        let coupled = Set(coupling.map(\.layer))
        return layers.firstIndex { layer in
            learning.contains(layer.name ?? "?") || layer is Dropout || coupled.contains(layer.title)
        } ?? layers.count
    }

    /// Computes once what the first layers make of each row, where nothing trains them: transfer learning, or a fixed transform.
    ///
    /// What is trained on it has the same gradients. A row's features follow from its own values alone, so that private training
    /// on them is as private as on the rows.
    ///
    /// - Parameters:
    ///   - examples: Rows of the model's shape.
    ///   - parameters: Of this model.
    ///   - threads: How many compute; no result depends on it.
    /// - Returns: The layers behind them, the features of each row, and the parameters of these layers, by the names that they have.
    /// - Throws: What does not fit.
    public func withoutFrozenLayers(
        _ examples: Examples, _ parameters: Parameters, threads: Int = 1
    ) throws(ModelError) -> (model: Model, examples: Examples, parameters: Parameters) {
        try check(parameters)
        let count = frozenLayers
        guard count > 0 else { return (self, examples, parameters) }
        guard examples.rowShape == inputShape else {
            throw .shape(layer: layers[0].title, arrived: examples.rowShape, expected: inputShape.extents)
        }
        let front = Array(layers[..<count])
        var outline = Outline()
        let shape = try outline.through(front, inputShape)
        var values: [Float] = []
        values.reserveCapacity(examples.count * shape.product)
        let chunks = Chunks.ranges(examples.count, size: 64)
        Chunks.compute(chunks.count, threads: threads) { index in
            var pass = ForwardPass(parameters, isTraining: false, saves: false)
            return pass.through(front, examples.inputs(Array(chunks[index]))).values
        } merge: {
            values += $0
        }
        var rest = try Model(inputShape: shape, layers: Array(layers[count...]))
        let trained = Set(declarations.filter(\.isTrainable).map(\.name))
        rest = try rest.training(only: rest.declarations.map(\.name).filter(trained.contains))
        let features = try Examples(
            inputs: Tensor(shape: [examples.count] + shape, values: values), targets: examples.targets,
            units: examples.units)
        let names = rest.declarations.map(\.name)
        return (rest, features, Parameters(names: names, tensors: names.compactMap { parameters[$0] }))
    }
}
