/// Layers in a row, checked: what a model computes, without what it has learned.
public struct Model: Sendable {
    /// The shape of one row that goes in.
    public let inputShape: [Int]
    /// The shape of one row that comes out.
    public let outputShape: [Int]
    /// In order, each with its name.
    public let layers: [any Layer]
    /// What the layers learn, in their order.
    public private(set) var declarations: [ParameterDeclaration]
    /// The layers that let one row's output depend on others.
    private(set) var coupling: [(name: String, layer: String, instead: String)]
    /// Layers that would couple rows if they learned, and are frozen: they train as they predict.
    private(set) var still: Set<String> = []
    private let uses: [String: [String]]
    /// How many values a row has on its way, in all layers together.
    public let valuesPerRow: Int
    /// How many multiplications a row takes on its way forward, about: from shapes alone.
    public let multiplicationsPerRow: Double

    /// - Parameter inputShape: Of one row.
    /// - Throws: What does not fit: which layer, what arrives there, what it takes.
    public init(inputShape: [Int], @ModelBuilder layers: () -> [any Layer]) throws(ModelError) {
        try self.init(inputShape: inputShape, layers: layers())
    }

    /// - Parameter inputShape: Of one row.
    /// - Throws: What does not fit: which layer, what arrives there, what it takes.
    public init(inputShape: [Int], layers: [any Layer]) throws(ModelError) {
        guard inputShape.allSatisfy({ $0 > 0 }) else {
            throw .data("the input's shape \(inputShape.extents)", expected: "each extent is at least 1")
        }
        var placed = layers
        for index in placed.indices { placed[index].place(String(index)) }
        var outline = Outline()
        if let first = placed.first { try outline.limit(inputShape, first) }
        self.inputShape = inputShape
        self.layers = placed
        outputShape = try outline.through(placed, inputShape)
        try outline.checkShared()
        declarations = outline.declarations
        coupling = outline.coupling
        uses = outline.uses
        valuesPerRow = inputShape.product + outline.values
        multiplicationsPerRow = Double(valuesPerRow) + outline.multiplications
    }

    /// The layers that learn, or hold one that does.
    var learning: Set<String> {
        let trainable = Set(declarations.filter(\.isTrainable).map(\.name))
        return Set(uses.filter { $0.value.contains(where: trainable.contains) }.keys)
    }

    /// The number of values that training changes.
    public var trainableCount: Int { declarations.filter(\.isTrainable).reduce(0) { $0 + $1.shape.product } }

    /// The same model, whose parameters stay as they are unless their name begins with one of these. What a layer itself keeps as it
    /// is stays so, and batch normalisation that does not learn uses the mean and variance that it has.
    ///
    /// - Throws: A prefix that is no parameter's.
    public func training(only prefixes: [String]) throws(ModelError) -> Model {
        for prefix in prefixes where !declarations.contains(where: { $0.name.hasPrefix(prefix) }) {
            throw .parameter(
                name: prefix,
                expected: "no parameter's name begins with it; there are "
                    + declarations.map(\.name).joined(separator: ", "))
        }
        var model = self
        for index in declarations.indices {
            let name = declarations[index].name
            model.declarations[index].isTrainable =
                declarations[index].isTrainable && prefixes.contains { name.hasPrefix($0) }
        }
        let learning = model.learning
        model.still.formUnion(coupling.map(\.name).filter { !learning.contains($0) })
        model.coupling.removeAll { !learning.contains($0.name) }
        return model
    }

    /// Parameters as they begin.
    public func initialParameters(using generator: inout some RandomNumberGenerator) -> Parameters {
        let tensors = declarations.map { declaration in
            Tensor(
                shape: declaration.shape,
                values: declaration.initializer.values(declaration.shape.product, using: &generator))
        }
        return Parameters(names: declarations.map(\.name), tensors: tensors)
    }

    /// What the model says of rows.
    ///
    /// - Parameters:
    ///   - input: Rows of the model's shape.
    ///   - parameters: Of this model.
    /// - Throws: Rows or parameters of another shape.
    public func predict(_ input: Tensor, _ parameters: Parameters) throws(ModelError) -> Tensor {
        try check(parameters)
        try check(input)
        var pass = ForwardPass(parameters, isTraining: false, saves: false)
        return pass.through(layers, input)
    }

    /// - Throws: Rows of another shape than the model's.
    func check(_ input: Tensor) throws(ModelError) {
        guard input.rowShape == inputShape else {
            throw .shape(layer: layers.first?.title ?? "input", arrived: input.rowShape, expected: inputShape.extents)
        }
    }

    /// - Throws: The first parameter that is missing, of another shape, or none of this model's.
    public func check(_ parameters: Parameters) throws(ModelError) {
        for declaration in declarations {
            guard let tensor = parameters[declaration.name] else {
                throw .parameter(
                    name: declaration.name, expected: "is missing; it has \(declaration.shape.extents) values")
            }
            guard tensor.shape == declaration.shape else {
                throw .parameter(
                    name: declaration.name,
                    expected: "is \(tensor.shape.extents); the model's is \(declaration.shape.extents)")
            }
        }
        let names = declarations.map(\.name)
        let known = Set(names)
        if let name = parameters.names.first(where: { !known.contains($0) }) {
            throw .parameter(name: name, expected: "is of no layer of the model")
        }
        guard parameters.names == names else {
            throw .data("the parameters", expected: "in the order of the model's layers")
        }
    }
}

/// Builds a model's layers from a list of them.
@resultBuilder
public enum ModelBuilder {
    /// A layer.
    public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
    /// Several layers, in order.
    public static func buildExpression(_ layers: [any Layer]) -> [any Layer] { layers }
    /// One after the other.
    public static func buildBlock(_ parts: [any Layer]...) -> [any Layer] { parts.flatMap { $0 } }
    /// As often as the loop says.
    public static func buildArray(_ parts: [[any Layer]]) -> [any Layer] { parts.flatMap { $0 } }
    /// Where a condition holds.
    public static func buildOptional(_ part: [any Layer]?) -> [any Layer] { part ?? [] }
    /// One way.
    public static func buildEither(first part: [any Layer]) -> [any Layer] { part }
    /// The other way.
    public static func buildEither(second part: [any Layer]) -> [any Layer] { part }
}
