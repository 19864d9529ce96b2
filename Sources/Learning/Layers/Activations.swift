/// max(0, x).
public struct ReLU: Layer {
    public static let kind = "relu"
    public private(set) var name: String?

    public init(name: String? = nil) { self.name = name }

    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }

    public mutating func place(_ name: String) { self.name = self.name ?? name }
    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] { input }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let output = Tensor(shape: input.shape) { target in
            input.withValues { values in
                for index in 0..<input.count {
                    target[index] = values[index] > 0 || values[index].isNaN ? values[index] : 0
                }
            }
        }
        pass.save(.tensor(output))
        return output
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let output = pass.tensor()
        guard pass.wantsInputGradient else { return nil }
        return Tensor(shape: gradient.shape) { target in
            gradient.withValues { gradients in
                output.withValues { outputs in
                    for index in 0..<gradient.count { target[index] = outputs[index] > 0 ? gradients[index] : 0 }
                }
            }
        }
    }
}
