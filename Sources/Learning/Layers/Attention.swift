/// Attention of a row's steps to each other by several heads (Vaswani et al. 2017), with the parameters of
/// `torch.nn.MultiheadAttention`: [steps, width] becomes [steps, width].
public struct Attention: Layer {
    public static let kind = "attention"
    public private(set) var name: String?
    /// A divisor of the width.
    public let heads: Int
    /// Whether a step sees itself and those before alone.
    public let isCausal: Bool

    /// - Parameters:
    ///   - heads: A divisor of the width.
    ///   - isCausal: Whether a step sees itself and those before alone.
    public init(heads: Int, isCausal: Bool = false, name: String? = nil) {
        self.heads = heads
        self.isCausal = isCausal
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(
            heads: fields.integer("heads"), isCausal: fields.boolean("causal", false), name: fields.name)
    }

    public var fields: [LayerField] { [.init("heads", .integer(heads)), .init("causal", .boolean(isCausal))] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        try require(heads > 0, "heads", "at least 1")
        guard input.count == 2, input[1] % heads == 0 else {
            throw mismatch(input, "steps x values, where \(heads) divides the values")
        }
        try outline.limit([heads, input[0], input[0]], self)
        let width = input[1]
        // Uniform by fan-in and fan-out (Glorot and Bengio 2010), as PyTorch begins it.
        let projection = Initializer.uniform(bound: (6 / Float(4 * width)).squareRoot())
        try outline.declare(ParameterDeclaration(full("in_proj_weight"), [3 * width, width], projection), by: self)
        try outline.declare(ParameterDeclaration(full("in_proj_bias"), [3 * width], .constant(0)), by: self)
        try outline.declare(ParameterDeclaration(full("out_proj.weight"), [width, width], .inputs(width)), by: self)
        try outline.declare(ParameterDeclaration(full("out_proj.bias"), [width], .constant(0)), by: self)
        outline.costs(4 * width, input[0], width)
        // The weights of each step beside each, forward and back, and what is projected.
        outline.costs(
            2 * width, input[0], input[0], values: 3 * heads * input[0] * input[0] + 8 * input[0] * width)
        return input
    }

    private func attending(_ input: Tensor) -> Attending {
        Attending(rows: input.rows, steps: input.shape[1], width: input.shape[2], heads: heads, isCausal: isCausal)
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let projected = input.positions.timesTransposed(
            pass.parameter(full("in_proj_weight")), bias: pass.parameter(full("in_proj_bias")))
        let (mixed, weights) = attending(input).forward(projected)
        pass.save(.tensor(input))
        pass.save(.tensor(projected))
        pass.save(.tensor(weights))
        pass.save(.tensor(mixed))
        return mixed.positions.timesTransposed(
            pass.parameter(full("out_proj.weight")), bias: pass.parameter(full("out_proj.bias"))
        )
        .reshaped(input.shape)
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let mixed = pass.tensor()
        let weights = pass.tensor()
        let projected = pass.tensor()
        let input = pass.tensor()
        let rows = input.rows
        pass.contribute(to: full("out_proj.bias"), RowWise(gradient.summedPositions()))
        pass.contribute(
            to: full("out_proj.weight"), Product(gradients: gradient.positions, inputs: mixed.positions, rows: rows))
        let outside = gradient.positions.times(pass.parameter(full("out_proj.weight"))).reshaped(input.shape)
        let inside = attending(input).backward(outside, projected: projected, weights: weights)
        pass.contribute(to: full("in_proj_bias"), RowWise(inside.summedPositions()))
        pass.contribute(
            to: full("in_proj_weight"), Product(gradients: inside.positions, inputs: input.positions, rows: rows))
        guard pass.wantsInputGradient else { return nil }
        return inside.positions.times(pass.parameter(full("in_proj_weight"))).reshaped(input.shape)
    }
}
