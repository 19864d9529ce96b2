#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What training makes small: a number for each row, from what the model says and what is true.
public enum Loss: String, Sendable, Codable, CaseIterable {
    /// -log softmax(output)[label]: one label of several; outputs are not normalised.
    case crossEntropy = "cross-entropy"
    /// Of yes-or-no labels, summed over the row's outputs; outputs are log odds.
    case binaryCrossEntropy = "binary-cross-entropy"
    /// The squared difference, summed over the row's outputs.
    case meanSquared = "mean-squared"
    /// exp(output) - target x output, summed over the row's outputs: for counts; outputs are logarithms of rates.
    case poisson

    /// - Throws: Targets that do not fit the loss or the outputs.
    public func check(outputs: [Int], _ targets: Targets) throws(ModelError) {
        switch (self, targets) {
        case (.crossEntropy, .labels(let labels)):
            guard outputs.count == 1, let classes = outputs.first else {
                throw .data("the loss cross-entropy", expected: "the model's rows are one value a class")
            }
            guard labels.allSatisfy({ $0 >= 0 && $0 < classes }) else {
                throw .data(
                    "the labels", expected: "each is from 0 to \(classes - 1), one for each of the model's outputs")
            }
        case (.crossEntropy, .values):
            throw .data("the loss cross-entropy", expected: "one label a row")
        case (.binaryCrossEntropy, .labels(let labels)):
            guard outputs.product == 1, labels.allSatisfy({ $0 == 0 || $0 == 1 }) else {
                throw .data(
                    "the loss binary-cross-entropy",
                    expected: "labels 0 and 1 beside one output, or a value for each output")
            }
        case (.meanSquared, .labels), (.poisson, .labels):
            guard outputs.product == 1 else {
                throw .data(
                    "the loss \(rawValue)", expected: "a target for each of the model's \(outputs.product) outputs")
            }
        case (_, .values(let values)):
            guard values.rowShape.product == outputs.product else {
                throw .data(
                    "the targets",
                    expected: "\(outputs.product) a row, as the model's outputs; there are \(values.rowShape.product)")
            }
        }
    }

    /// The loss of each row and its gradient by the row's outputs, each times the row's weight.
    ///
    /// - Parameters:
    ///   - output: [rows, outputs].
    ///   - targets: That ``check(outputs:_:)`` took.
    ///   - weights: One a row; nil: 1.
    func measure(_ output: Tensor, _ targets: Targets, weights: [Float]? = nil) -> (losses: [Double], gradient: Tensor)
    {
        let size = output.rowShape.product
        var losses = [Double](repeating: 0, count: output.rows)
        let gradient = Tensor(shape: output.shape) { gradient in
            output.withValues { output in
                for row in losses.indices {
                    let weight = weights?[row] ?? 1
                    losses[row] =
                        Double(weight)
                        * measure(row: row, output + row * size, targets, into: gradient + row * size, size)
                    if weight != 1 { for index in 0..<size { gradient[row * size + index] *= weight } }
                }
            }
        }
        return (losses, gradient)
    }

    private func measure(
        row: Int, _ output: UnsafePointer<Float>, _ targets: Targets, into gradient: UnsafeMutablePointer<Float>,
        _ size: Int
    ) -> Double {
        switch (self, targets) {
        case (.crossEntropy, .labels(let labels)):
            return Self.crossEntropy(output, Int(labels[row]), into: gradient, size)
        case (_, .labels(let labels)):
            return sum(output, { _ in Float(labels[row]) }, into: gradient, size)
        case (_, .values(let values)):
            return values.withValues { values in sum(output, { values[row * size + $0] }, into: gradient, size) }
        }
    }

    private static func crossEntropy(
        _ output: UnsafePointer<Float>, _ label: Int, into gradient: UnsafeMutablePointer<Float>, _ size: Int
    ) -> Double {
        var largest = -Float.infinity
        for index in 0..<size { largest = max(largest, output[index]) }
        var total: Float = 0
        for index in 0..<size {
            gradient[index] = exp(output[index] - largest)
            total += gradient[index]
        }
        for index in 0..<size { gradient[index] /= total }
        gradient[label] -= 1
        return Double(log(total) - (output[label] - largest))
    }

    private func sum(
        _ output: UnsafePointer<Float>, _ target: (Int) -> Float, into gradient: UnsafeMutablePointer<Float>,
        _ size: Int
    ) -> Double {
        var loss = 0.0
        for index in 0..<size {
            let (x, y) = (output[index], target(index))
            switch self {
            case .binaryCrossEntropy:
                // log(1 + exp(-|x|)) keeps its digits on either side.
                let decay = exp(-abs(x))
                loss += Double(max(x, 0) - x * y + log1p(decay))
                gradient[index] = (x >= 0 ? 1 / (1 + decay) : decay / (1 + decay)) - y
            case .meanSquared:
                loss += Double((x - y) * (x - y))
                gradient[index] = 2 * (x - y)
            case .poisson, .crossEntropy:
                loss += Double(exp(x) - y * x)
                gradient[index] = exp(x) - y
            }
        }
        return loss
    }
}
