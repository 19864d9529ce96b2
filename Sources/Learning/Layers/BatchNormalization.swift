/// Channels brought to mean 0 and variance 1 over the rows of a batch (Ioffe and Szegedy 2015), as `torch.nn.BatchNorm2d` does; for
/// plain training only, since a row's output depends on the others of its batch.
///
/// The running mean and variance that predictions use are parameters that no gradient changes.
public struct BatchNormalization: Layer {
    public static let kind = "batch-normalization"
    public private(set) var name: String?
    /// How much of a batch's mean and variance the running ones take up.
    public let momentum: Float
    /// Added to the variance.
    public let epsilon: Float

    /// - Parameters:
    ///   - momentum: How much of a batch's mean and variance the running ones take up.
    ///   - epsilon: Added to the variance.
    public init(momentum: Float = 0.1, epsilon: Float = 1e-5, name: String? = nil) {
        self.momentum = momentum
        self.epsilon = epsilon
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(
            momentum: fields.number("momentum", 0.1), epsilon: fields.number("epsilon", 1e-5), name: fields.name)
    }

    public var fields: [LayerField] { [.init("momentum", .number(momentum)), .init("epsilon", .number(epsilon))] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        try require(momentum >= 0 && momentum <= 1, "momentum", "from 0 to 1")
        try require(epsilon > 0, "epsilon", "above 0")
        guard let channels = input.first else { throw mismatch(input, "rows of at least one extent") }
        outline.couples(self, instead: "group normalisation (\(GroupNormalization.kind))")
        for (parameter, begin, learns) in [
            ("weight", Float(1), true), ("bias", 0, true), ("running_mean", 0, false), ("running_var", 1, false),
        ] {
            try outline.declare(
                ParameterDeclaration(full(parameter), [channels], .constant(begin), isTrainable: learns), by: self)
        }
        return input
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let pixels = input.rowShape.dropFirst().product
        var mean = pass.parameter(full("running_mean")).values
        var variance = pass.parameter(full("running_var")).values
        let usesBatch = pass.measures(self)
        if usesBatch && input.count > 0 { measure(input, mean: &mean, variance: &variance, &pass) }
        let reciprocal = variance.map { 1 / ($0 + epsilon).squareRoot() }
        let (weight, bias) = (pass.parameter(full("weight")).values, pass.parameter(full("bias")).values)
        pass.save(.tensor(input))
        pass.save(.floats(mean))
        pass.save(.floats(reciprocal))
        pass.save(.indices([usesBatch ? 1 : 0]))
        return Tensor(shape: input.shape) { target in
            input.withValues { values in
                for index in 0..<input.count {
                    let channel = index / pixels % mean.count
                    target[index] =
                        (values[index] - mean[channel]) * reciprocal[channel] * weight[channel] + bias[channel]
                }
            }
        }
    }

    /// Replaces mean and variance by the batch's, and tells what the running ones become behind it: the variance there is divided by
    /// one less than the count.
    private func measure(_ input: Tensor, mean: inout [Float], variance: inout [Float], _ pass: inout ForwardPass) {
        let pixels = input.rowShape.dropFirst().product
        let count = Double(input.rows * pixels)
        var (means, squares) = ([Double](repeating: 0, count: mean.count), [Double](repeating: 0, count: mean.count))
        input.withValues { values in
            for index in 0..<input.count { means[index / pixels % mean.count] += Double(values[index]) / count }
            for index in 0..<input.count {
                let channel = index / pixels % mean.count
                squares[channel] += (Double(values[index]) - means[channel]) * (Double(values[index]) - means[channel])
            }
        }
        let (oldMean, oldVariance) = (mean, variance)
        mean = means.map(Float.init)
        variance = squares.map { Float($0 / count) }
        let unbiased = squares.map { Float($0 / max(1, count - 1)) }
        report("running_mean", zip(oldMean, mean).map { (1 - momentum) * $0 + momentum * $1 }, &pass)
        report("running_var", zip(oldVariance, unbiased).map { (1 - momentum) * $0 + momentum * $1 }, &pass)
    }

    private func report(_ parameter: String, _ values: [Float], _ pass: inout ForwardPass) {
        guard let position = pass.parameters.position(full(parameter)) else { return }
        pass.statistics.append((position, values))
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let usesBatch = pass.indices() == [1]
        let (reciprocal, mean) = (pass.floats(), pass.floats())
        let input = pass.tensor()
        let (channels, pixels) = (mean.count, input.rowShape.dropFirst().product)
        let normal = Tensor(shape: input.shape) { target in
            input.withValues { values in
                for index in 0..<input.count {
                    let channel = index / pixels % channels
                    target[index] = (values[index] - mean[channel]) * reciprocal[channel]
                }
            }
        }
        let (slopes, shifts) = (gradient.times(each: normal).summedPlanes(), gradient.summedPlanes())
        pass.contribute(to: full("weight"), RowWise(slopes))
        pass.contribute(to: full("bias"), RowWise(shifts))
        guard pass.wantsInputGradient else { return nil }
        let weight = pass.parameter(full("weight")).values
        let count = Float(input.rows * pixels)
        let (tilt, shift) = (slopes.summedRows(), shifts.summedRows())
        return Tensor(shape: input.shape) { target in
            gradient.withValues { gradients in
                normal.withValues { normal in
                    for index in 0..<input.count {
                        let channel = index / pixels % channels
                        let common = usesBatch ? (shift[channel] + normal[index] * tilt[channel]) / count : 0
                        target[index] = weight[channel] * reciprocal[channel] * (gradients[index] - common)
                    }
                }
            }
        }
    }
}

extension Tensor {
    fileprivate func times(each other: Tensor) -> Tensor {
        Tensor(shape: shape) { target in
            withValues { values in
                other.withValues { others in for index in 0..<count { target[index] = values[index] * others[index] } }
            }
        }
    }

    fileprivate func summedRows() -> [Float] {
        let size = rowShape.product
        var sums = [Float](repeating: 0, count: size)
        for (index, value) in values.enumerated() { sums[index % size] += value }
        return sums
    }
}
