/// y = x W^T + b on the last extent of each row; the extents before it are positions that share the weights.
public struct Linear: Layer {
    public static let kind = "linear"
    public private(set) var name: String?
    /// How many values come out.
    public let outputs: Int
    /// Whether something is added.
    public let hasBias: Bool
    /// The full name of another layer's weight, [outputs, inputs], that this one uses too.
    public let sharedWeight: String?

    /// - Parameters:
    ///   - outputs: How many values come out for each position.
    ///   - hasBias: Whether a learned value is added to each.
    ///   - sharedWeight: The full name of another layer's weight that this one uses too ("0.weight").
    public init(_ outputs: Int, hasBias: Bool = true, sharedWeight: String? = nil, name: String? = nil) {
        self.outputs = outputs
        self.hasBias = hasBias
        self.sharedWeight = sharedWeight
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(
            fields.integer("outputs"), hasBias: fields.boolean("bias", true),
            sharedWeight: fields.text("shared-weight"), name: fields.name)
    }

    public var fields: [LayerField] {
        [.init("outputs", .integer(outputs)), .init("bias", .boolean(hasBias))]
            + (sharedWeight.map { [.init("shared-weight", .text($0))] } ?? [])
    }

    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        try require(outputs > 0, "outputs", "at least 1")
        guard let inputs = input.last, inputs > 0 else { throw mismatch(input, "rows of at least one value") }
        try outline.declare(ParameterDeclaration(weightName, [outputs, inputs], .inputs(inputs)), by: self)
        if hasBias { try outline.declare(ParameterDeclaration(full("bias"), [outputs], .inputs(inputs)), by: self) }
        outline.costs(input.product, outputs)
        return input.dropLast() + [outputs]
    }

    private var weightName: String { sharedWeight ?? full("weight") }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        pass.save(.tensor(input))
        let weight = pass.parameter(weightName)
        let output = input.positions.timesTransposed(weight, bias: hasBias ? pass.parameter(full("bias")) : nil)
        return output.reshaped(input.shape.dropLast() + [outputs])
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let input = pass.tensor()
        let rows = input.rows
        if hasBias {
            pass.contribute(to: full("bias"), RowWise(gradient.summedPositions()))
        }
        pass.contribute(
            to: weightName, Product(gradients: gradient.positions, inputs: input.positions, rows: rows))
        guard pass.wantsInputGradient else { return nil }
        return gradient.positions.times(pass.parameter(weightName)).reshaped(input.shape)
    }
}
