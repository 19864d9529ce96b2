/// max(0, x).
public struct ReLU: Layer {
    public static let kind = "relu"
    public private(set) var name: String?

    /// - Parameter name: nil: its place in the model.
    public init(name: String? = nil) { self.name = name }

    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }

    public mutating func place(_ name: String) { self.name = self.name ?? name }
    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] { input }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let output = Function.relu(input)
        pass.save(.tensor(output))
        return output
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let output = pass.tensor()
        guard pass.wantsInputGradient else { return nil }
        return Function.relu.gradient(gradient, saved: output)
    }
}
