/// The hyperbolic tangent.
public struct Tanh: Layer {
    public static let kind = "tanh"
    public private(set) var name: String?

    /// - Parameter name: nil: its place in the model.
    public init(name: String? = nil) { self.name = name }
    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }
    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] { input }
    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor { pass.apply(.tanh, to: input) }
    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? { pass.apply(.tanh, to: gradient) }
}

/// 1 / (1 + exp(-x)).
public struct Sigmoid: Layer {
    public static let kind = "sigmoid"
    public private(set) var name: String?

    /// - Parameter name: nil: its place in the model.
    public init(name: String? = nil) { self.name = name }
    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }
    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] { input }
    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor { pass.apply(.sigmoid, to: input) }
    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        pass.apply(.sigmoid, to: gradient)
    }
}

/// x Phi(x) (Hendrycks and Gimpel 2016): by the error function, or by the hyperbolic tangent that comes close to it.
public struct GELU: Layer {
    public static let kind = "gelu"
    public private(set) var name: String?
    /// Whether the hyperbolic tangent is used.
    public let byTanh: Bool

    /// - Parameter byTanh: Whether the hyperbolic tangent is used, as BERT and GPT-2 do.
    public init(byTanh: Bool = false, name: String? = nil) {
        self.byTanh = byTanh
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(byTanh: fields.boolean("tanh", false), name: fields.name)
    }

    public var fields: [LayerField] { [.init("tanh", .boolean(byTanh))] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }
    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] { input }
    private var function: Function { byTanh ? .geluTanh : .gelu }
    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor { pass.apply(function, to: input) }
    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        pass.apply(function, to: gradient)
    }
}

extension ForwardPass {
    mutating func apply(_ function: Function, to input: Tensor) -> Tensor {
        let output = function(input)
        save(.tensor(function.slopeFollowsFromValue ? output : input))
        return output
    }
}

extension BackwardPass {
    mutating func apply(_ function: Function, to gradient: Tensor) -> Tensor? {
        let saved = tensor()
        return wantsInputGradient ? function.gradient(gradient, saved: saved) : nil
    }
}

/// exp(x) / (sum of exp(x)) over the last extent of each row.
public struct SoftmaxLayer: Layer {
    public static let kind = "softmax"
    public private(set) var name: String?

    /// - Parameter name: nil: its place in the model.
    public init(name: String? = nil) { self.name = name }
    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        guard !input.isEmpty else { throw mismatch(input, "rows of at least one extent") }
        return input
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let last = input.shape.last ?? 1
        let output = Tensor(shape: input.shape) { target in
            input.withValues { values in
                for first in stride(from: 0, to: input.count, by: last) {
                    Softmax.forward(values + first, into: target + first, count: last)
                }
            }
        }
        pass.save(.tensor(output))
        return output
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let output = pass.tensor()
        guard pass.wantsInputGradient else { return nil }
        let last = output.shape.last ?? 1
        return Tensor(shape: gradient.shape) { target in
            gradient.withValues { gradients in
                output.withValues { outputs in
                    for first in stride(from: 0, to: gradient.count, by: last) {
                        Softmax.backward(outputs + first, gradients + first, into: target + first, count: last)
                    }
                }
            }
        }
    }
}
