/// All values of a row in one extent.
public struct Flatten: Layer {
    public static let kind = "flatten"
    public private(set) var name: String?

    /// - Parameter name: nil: its place in the model.
    public init(name: String? = nil) { self.name = name }
    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }
    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] { [input.product] }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        pass.save(.indices(input.rowShape.map(Int32.init)))
        return input.reshaped([input.rows, input.rowShape.product])
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let shape = pass.indices().map(Int.init)
        return pass.wantsInputGradient ? gradient.reshaped([gradient.rows] + shape) : nil
    }
}

/// The mean over a row's first extent, its steps: [steps, values] becomes [values].
public struct MeanOverSteps: Layer {
    public static let kind = "mean-over-steps"
    public private(set) var name: String?

    /// - Parameter name: nil: its place in the model.
    public init(name: String? = nil) { self.name = name }
    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        guard input.count >= 2 else { throw mismatch(input, "steps and at least one more extent") }
        return Array(input.dropFirst())
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let (steps, size) = (input.shape[1], input.rowShape.dropFirst().product)
        pass.save(.indices([Int32(steps)]))
        return Tensor(shape: [input.rows] + input.shape.dropFirst(2)) { target in
            input.withValues { values in
                for row in 0..<input.rows {
                    for index in 0..<size {
                        var sum: Float = 0
                        for step in 0..<steps { sum += values[(row * steps + step) * size + index] }
                        target[row * size + index] = sum / Float(steps)
                    }
                }
            }
        }
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let steps = Int(pass.indices()[0])
        guard pass.wantsInputGradient else { return nil }
        let size = gradient.rowShape.product
        return Tensor(shape: [gradient.rows, steps] + gradient.rowShape) { target in
            gradient.withValues { gradients in
                for index in 0..<gradient.count * steps {
                    target[index] = gradients[index / (steps * size) * size + index % size] / Float(steps)
                }
            }
        }
    }
}

/// The last of a row's steps: [steps, values] becomes [values].
public struct LastStep: Layer {
    public static let kind = "last-step"
    public private(set) var name: String?

    /// - Parameter name: nil: its place in the model.
    public init(name: String? = nil) { self.name = name }
    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        guard input.count >= 2 else { throw mismatch(input, "steps and at least one more extent") }
        return Array(input.dropFirst())
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let (steps, size) = (input.shape[1], input.rowShape.dropFirst().product)
        pass.save(.indices([Int32(steps)]))
        return Tensor(shape: [input.rows] + input.shape.dropFirst(2)) { target in
            input.withValues { values in
                for index in 0..<input.rows * size {
                    target[index] = values[(index / size * steps + steps - 1) * size + index % size]
                }
            }
        }
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let steps = Int(pass.indices()[0])
        guard pass.wantsInputGradient else { return nil }
        let size = gradient.rowShape.product
        return Tensor(shape: [gradient.rows, steps] + gradient.rowShape) { target in
            gradient.withValues { gradients in
                for index in 0..<gradient.count * steps {
                    let isLast = index / size % steps == steps - 1
                    target[index] = isLast ? gradients[index / (steps * size) * size + index % size] : 0
                }
            }
        }
    }
}
