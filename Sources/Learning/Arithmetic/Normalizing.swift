import Kernels

/// Values that are brought to mean 0 and variance 1 together: rows of `columns` values.
///
/// For layers a row is one position; for groups of channels it is the planes of one group of one image. Row r belongs to group
/// r % groups, and `plane` neighbouring values share a parameter.
struct Normalizing: Sendable {
    let rows: Int
    let columns: Int
    let groups: Int
    let plane: Int
    let epsilon: Float

    /// Values of each parameter.
    var parameterCount: Int { groups * columns / plane }

    private func kernel(rows: Int) -> kernels_normalization {
        kernels_normalization(rows: rows, columns: columns, groups: groups, plane: plane, epsilon: epsilon)
    }

    /// Writes the normalised rows, times `weight` plus `bias`; returns the rows' means, and behind them 1 / sqrt(variance + epsilon) of each.
    func forward(
        _ input: UnsafePointer<Float>, weight: UnsafePointer<Float>?, bias: UnsafePointer<Float>?,
        into target: UnsafeMutablePointer<Float>
    ) -> [Float] {
        var moments = [Float](repeating: 0, count: 2 * rows)
        moments.withUnsafeMutableBufferPointer { moments in
            guard let means = moments.baseAddress else { return }
            kernels_normalization_forward(
                kernel(rows: rows), input, weight, bias, target, means, means + rows, Dense.instructions)
        }
        return moments
    }

    /// Writes the gradient of the input.
    func inputGradient(
        _ input: UnsafePointer<Float>, moments: [Float], weight: UnsafePointer<Float>?,
        gradients: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
    ) {
        moments.withUnsafeBufferPointer { moments in
            guard let means = moments.baseAddress else { return }
            kernels_normalization_backward(
                kernel(rows: rows), input, weight, means, means + rows, gradients, nil, target, nil, nil,
                Dense.instructions)
        }
    }

    /// The gradients of weight and bias that the rows of each example contribute: [examples, parameters] each.
    func parameterGradients(
        _ input: Tensor, moments: [Float], gradients: Tensor, examples: Int
    ) -> (weight: Tensor, bias: Tensor) {
        let count = parameterCount
        var weight = Tensor(shape: [examples, count])
        var bias = Tensor(shape: [examples, count])
        guard examples > 0 else { return (weight, bias) }
        let each = rows / examples
        input.withValues { input in
            gradients.withValues { gradients in
                weight.withMutableValues { weight in
                    bias.withMutableValues { bias in
                        moments.withUnsafeBufferPointer { moments in
                            guard let means = moments.baseAddress else { return }
                            for example in 0..<examples {
                                let (row, first) = (example * each, example * each * columns)
                                kernels_normalization_backward(
                                    kernel(rows: each), input + first, nil, means + row, means + rows + row,
                                    gradients + first, nil, nil, weight + example * count, bias + example * count,
                                    Dense.instructions)
                            }
                        }
                    }
                }
            }
        }
        return (weight, bias)
    }
}
