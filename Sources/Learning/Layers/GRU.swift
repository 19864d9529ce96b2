/// A gated recurrent unit over a row's steps (Cho et al. 2014), as `torch.nn.GRU` with `batch_first` has it: [steps, inputs] becomes
/// [steps, hidden], the state behind each step; the state before the first is zero.
public struct GRU: Layer {
    public static let kind = "gru"
    public private(set) var name: String?
    /// Values of the state.
    public let hidden: Int

    /// - Parameter hidden: Values of the state.
    public init(_ hidden: Int, name: String? = nil) {
        self.hidden = hidden
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(fields.integer("hidden"), name: fields.name)
    }

    public var fields: [LayerField] { [.init("hidden", .integer(hidden))] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        try require(hidden > 0, "hidden", "at least 1")
        guard input.count == 2 else { throw mismatch(input, "steps x values") }
        let begin = Initializer.inputs(hidden)
        try outline.declare(ParameterDeclaration(full("weight_ih_l0"), [3 * hidden, input[1]], begin), by: self)
        try outline.declare(ParameterDeclaration(full("weight_hh_l0"), [3 * hidden, hidden], begin), by: self)
        try outline.declare(ParameterDeclaration(full("bias_ih_l0"), [3 * hidden], begin), by: self)
        try outline.declare(ParameterDeclaration(full("bias_hh_l0"), [3 * hidden], begin), by: self)
        outline.costs(3 * hidden, input[0], input[1] + hidden, values: 4 * input[0] * hidden)
        return [input[0], hidden]
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let steps = GatedSteps(rows: input.rows, steps: input.shape[1], hidden: hidden)
        let inputs = input.positions.timesTransposed(
            pass.parameter(full("weight_ih_l0")), bias: pass.parameter(full("bias_ih_l0")))
        let (states, gates) = steps.forward(
            inputs, weight: pass.parameter(full("weight_hh_l0")), bias: pass.parameter(full("bias_hh_l0")))
        pass.save(.tensor(input))
        pass.save(.tensor(states))
        pass.save(.tensor(gates))
        return states
    }

    /// Both weights are applied at each step, so each is one ``Product`` over the steps.
    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let gates = pass.tensor()
        let states = pass.tensor()
        let input = pass.tensor()
        let rows = input.rows
        let steps = GatedSteps(rows: rows, steps: input.shape[1], hidden: hidden)
        let before = states.delayed()
        let (inputs, turned) = steps.backward(
            gradient, gates: gates, before: before.positions, weight: pass.parameter(full("weight_hh_l0")))
        let shape = [rows, input.shape[1], 3 * hidden]
        pass.contribute(to: full("bias_ih_l0"), RowWise(inputs.reshaped(shape).summedPositions()))
        pass.contribute(to: full("bias_hh_l0"), RowWise(turned.reshaped(shape).summedPositions()))
        pass.contribute(
            to: full("weight_ih_l0"), Product(gradients: inputs, inputs: input.positions, rows: rows))
        pass.contribute(
            to: full("weight_hh_l0"), Product(gradients: turned, inputs: before.positions, rows: rows))
        guard pass.wantsInputGradient else { return nil }
        return inputs.times(pass.parameter(full("weight_ih_l0"))).reshaped(input.shape)
    }
}

extension Tensor {
    /// Of [rows, steps, values]: each step has what the step before had, the first zeros.
    fileprivate func delayed() -> Tensor {
        let (steps, size) = (shape[1], shape[2])
        return Tensor(shape: shape) { target in
            withValues { values in
                for index in 0..<count { target[index] = index / size % steps == 0 ? 0 : values[index - size] }
            }
        }
    }
}
