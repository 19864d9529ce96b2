/// A linear layer whose weight stays as it was given, plus what is learned: y = x W^T + b + (alpha / rank) x A^T B^T (LoRA, Hu et al.
/// 2022). A has `rank` rows; B begins with zeros, so that training begins at the given layer.
public struct LowRankLinear: Layer {
    public static let kind = "lora-linear"
    public private(set) var name: String?
    /// How many values come out.
    public let outputs: Int
    /// The rank of what is learned.
    public let rank: Int
    /// What is learned counts alpha / rank.
    public let alpha: Float
    /// Whether the given layer adds something.
    public let hasBias: Bool

    /// - Parameters:
    ///   - outputs: How many values come out for each position.
    ///   - rank: The rank of what is learned.
    ///   - alpha: What is learned counts alpha / rank.
    ///   - hasBias: Whether the given layer adds something.
    public init(_ outputs: Int, rank: Int, alpha: Float, hasBias: Bool = true, name: String? = nil) {
        self.outputs = outputs
        self.rank = rank
        self.alpha = alpha
        self.hasBias = hasBias
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(
            fields.integer("outputs"), rank: fields.integer("rank"), alpha: fields.number("alpha"),
            hasBias: fields.boolean("bias", true), name: fields.name)
    }

    public var fields: [LayerField] {
        [
            .init("outputs", .integer(outputs)), .init("rank", .integer(rank)), .init("alpha", .number(alpha)),
            .init("bias", .boolean(hasBias)),
        ]
    }

    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        try require(outputs > 0, "outputs", "at least 1")
        try require(rank > 0, "rank", "at least 1")
        try require(alpha.isFinite, "alpha", "a finite number")
        guard let inputs = input.last else { throw mismatch(input, "rows of at least one extent") }
        let begin = Initializer.inputs(inputs)
        try outline.declare(
            ParameterDeclaration(full("weight"), [outputs, inputs], begin, isTrainable: false), by: self)
        if hasBias {
            try outline.declare(ParameterDeclaration(full("bias"), [outputs], begin, isTrainable: false), by: self)
        }
        try outline.declare(ParameterDeclaration(full("lora_A.weight"), [rank, inputs], begin), by: self)
        try outline.declare(ParameterDeclaration(full("lora_B.weight"), [outputs, rank], .constant(0)), by: self)
        outline.costs(input.product, outputs)
        outline.costs(rank, input.product + input.product / max(1, inputs) * outputs)
        return input.dropLast() + [outputs]
    }

    private var factor: Float { alpha / Float(rank) }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let positions = input.positions
        let inner = positions.timesTransposed(pass.parameter(full("lora_A.weight")), bias: nil).scaled(factor)
        pass.save(.tensor(input))
        pass.save(.tensor(inner))
        let given = positions.timesTransposed(
            pass.parameter(full("weight")), bias: hasBias ? pass.parameter(full("bias")) : nil)
        let learned = inner.timesTransposed(pass.parameter(full("lora_B.weight")), bias: nil)
        return given.plus(learned).reshaped(input.shape.dropLast() + [outputs])
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let inner = pass.tensor()
        let input = pass.tensor()
        let (positions, slopes) = (input.positions, gradient.positions)
        if hasBias { pass.contribute(to: full("bias"), RowWise(gradient.summedPositions())) }
        pass.contribute(to: full("weight"), Product(gradients: slopes, inputs: positions, rows: input.rows))
        pass.contribute(to: full("lora_B.weight"), Product(gradients: slopes, inputs: inner, rows: input.rows))
        let inside = slopes.times(pass.parameter(full("lora_B.weight"))).scaled(factor)
        pass.contribute(to: full("lora_A.weight"), Product(gradients: inside, inputs: positions, rows: input.rows))
        guard pass.wantsInputGradient else { return nil }
        let given = slopes.times(pass.parameter(full("weight")))
        return given.plus(inside.times(pass.parameter(full("lora_A.weight")))).reshaped(input.shape)
    }
}

extension Tensor {
    fileprivate func scaled(_ factor: Float) -> Tensor {
        Tensor(shape: shape) { target in
            withValues { values in for index in 0..<count { target[index] = values[index] * factor } }
        }
    }
}
