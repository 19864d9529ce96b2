/// Groups of channels brought to mean 0 and variance 1, each row by itself (Wu and He 2018), as `torch.nn.GroupNorm` does.
public struct GroupNormalization: Layer {
    public static let kind = "group-normalization"
    public private(set) var name: String?
    /// A divisor of the channels.
    public let groups: Int
    /// Added to the variance.
    public let epsilon: Float

    /// - Parameters:
    ///   - groups: A divisor of the channels.
    ///   - epsilon: Added to the variance.
    public init(groups: Int, epsilon: Float = 1e-5, name: String? = nil) {
        self.groups = groups
        self.epsilon = epsilon
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(
            groups: fields.integer("groups"), epsilon: fields.number("epsilon", 1e-5), name: fields.name)
    }

    public var fields: [LayerField] { [.init("groups", .integer(groups)), .init("epsilon", .number(epsilon))] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        try require(groups > 0, "groups", "at least 1")
        try require(epsilon > 0, "epsilon", "above 0")
        guard let channels = input.first, channels % groups == 0 else {
            throw mismatch(input, "channels that \(groups) divides")
        }
        try outline.declare(ParameterDeclaration(full("weight"), [channels], .constant(1)), by: self)
        try outline.declare(ParameterDeclaration(full("bias"), [channels], .constant(0)), by: self)
        return input
    }

    private func normalizing(_ input: Tensor) -> Normalizing {
        let plane = input.rowShape.dropFirst().product
        return Normalizing(
            rows: input.rows * groups, columns: input.shape[1] / groups * plane, groups: groups, plane: plane,
            epsilon: epsilon)
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        normalizing(input).forward(input, weight: full("weight"), bias: full("bias"), &pass)
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        normalizing(gradient).backward(gradient, weight: full("weight"), bias: full("bias"), &pass)
    }
}

/// The last extents of each row brought to mean 0 and variance 1 (Ba et al. 2016), as `torch.nn.LayerNorm` does.
public struct LayerNormalization: Layer {
    public static let kind = "layer-normalization"
    public private(set) var name: String?
    /// How many of the last extents are normalised together; those before are positions, each by itself.
    public let extents: Int
    /// Added to the variance.
    public let epsilon: Float

    /// - Parameters:
    ///   - extents: How many of the last extents are normalised together.
    ///   - epsilon: Added to the variance.
    public init(extents: Int = 1, epsilon: Float = 1e-5, name: String? = nil) {
        self.extents = extents
        self.epsilon = epsilon
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(
            extents: fields.integer("extents", 1), epsilon: fields.number("epsilon", 1e-5), name: fields.name)
    }

    public var fields: [LayerField] { [.init("extents", .integer(extents)), .init("epsilon", .number(epsilon))] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        try require(extents > 0, "extents", "at least 1")
        try require(epsilon > 0, "epsilon", "above 0")
        guard input.count >= extents else { throw mismatch(input, "rows of at least \(extents) extents") }
        let shape = Array(input.suffix(extents))
        try outline.declare(ParameterDeclaration(full("weight"), shape, .constant(1)), by: self)
        try outline.declare(ParameterDeclaration(full("bias"), shape, .constant(0)), by: self)
        return input
    }

    private func normalizing(_ input: Tensor) -> Normalizing {
        let columns = input.shape.suffix(extents).product
        return Normalizing(
            rows: input.shape.dropLast(extents).product, columns: columns, groups: 1, plane: 1, epsilon: epsilon)
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        normalizing(input).forward(input, weight: full("weight"), bias: full("bias"), &pass)
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        normalizing(gradient).backward(gradient, weight: full("weight"), bias: full("bias"), &pass)
    }
}

extension Normalizing {
    fileprivate func forward(
        _ input: Tensor, weight: String, bias: String, _ pass: inout ForwardPass
    ) -> Tensor {
        let (scale, shift) = (pass.parameter(weight), pass.parameter(bias))
        var moments: [Float] = []
        let output = Tensor(shape: input.shape) { target in
            input.withValues { input in
                scale.withValues { scale in
                    shift.withValues { moments = forward(input, weight: scale, bias: $0, into: target) }
                }
            }
        }
        pass.save(.tensor(input))
        pass.save(.floats(moments))
        return output
    }

    fileprivate func backward(
        _ gradient: Tensor, weight: String, bias: String, _ pass: inout BackwardPass
    ) -> Tensor? {
        let moments = pass.floats()
        let input = pass.tensor()
        let own = parameterGradients(input, moments: moments, gradients: gradient, examples: input.rows)
        pass.contribute(to: weight, RowWise(own.weight))
        pass.contribute(to: bias, RowWise(own.bias))
        guard pass.wantsInputGradient else { return nil }
        let scale = pass.parameter(weight)
        return Tensor(shape: input.shape) { target in
            input.withValues { input in
                gradient.withValues { gradients in
                    scale.withValues {
                        inputGradient(input, moments: moments, weight: $0, gradients: gradients, into: target)
                    }
                }
            }
        }
    }
}
