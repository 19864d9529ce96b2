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

    @inline(__always)
    private func parameter(_ row: Int, _ column: Int) -> Int { row % groups * (columns / plane) + column / plane }

    /// Writes the normalised rows, times `weight` plus `bias`; returns each row's mean and 1 / sqrt(variance + epsilon), in turn.
    func forward(
        _ input: UnsafePointer<Float>, weight: UnsafePointer<Float>?, bias: UnsafePointer<Float>?,
        into target: UnsafeMutablePointer<Float>
    ) -> [Float] {
        var moments = [Float](repeating: 0, count: 2 * rows)
        for row in 0..<rows {
            let (values, results) = (input + row * columns, target + row * columns)
            let (mean, variance) = Self.moments(values, columns)
            let reciprocal = 1 / (variance + Double(epsilon)).squareRoot()
            moments[2 * row] = Float(mean)
            moments[2 * row + 1] = Float(reciprocal)
            for column in 0..<columns {
                let parameter = parameter(row, column)
                let normal = Float((Double(values[column]) - mean) * reciprocal)
                results[column] = normal * (weight?[parameter] ?? 1) + (bias?[parameter] ?? 0)
            }
        }
        return moments
    }

    /// The mean and the variance (divided by the count).
    static func moments(_ values: UnsafePointer<Float>, _ count: Int) -> (mean: Double, variance: Double) {
        var (sum, squares) = (0.0, 0.0)
        for index in 0..<count { sum += Double(values[index]) }
        let mean = sum / Double(count)
        for index in 0..<count { squares += (Double(values[index]) - mean) * (Double(values[index]) - mean) }
        return (mean, squares / Double(count))
    }

    /// Writes the gradient of the input.
    func inputGradient(
        _ input: UnsafePointer<Float>, moments: [Float], weight: UnsafePointer<Float>?,
        gradients: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
    ) {
        for row in 0..<rows {
            let (mean, reciprocal) = (Double(moments[2 * row]), Double(moments[2 * row + 1]))
            let (values, slopes) = (input + row * columns, gradients + row * columns)
            var (sum, product) = (0.0, 0.0)
            for column in 0..<columns {
                let slope = Double(slopes[column] * (weight?[parameter(row, column)] ?? 1))
                sum += slope
                product += slope * (Double(values[column]) - mean) * reciprocal
            }
            let (shift, tilt) = (sum / Double(columns), product / Double(columns))
            for column in 0..<columns {
                let slope = Double(slopes[column] * (weight?[parameter(row, column)] ?? 1))
                let normal = (Double(values[column]) - mean) * reciprocal
                target[row * columns + column] = Float(reciprocal * (slope - shift - normal * tilt))
            }
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
                        for index in 0..<rows * columns {
                            let row = index / columns
                            let place = row / each * count + parameter(row, index % columns)
                            weight[place] += gradients[index] * (input[index] - moments[2 * row]) * moments[2 * row + 1]
                            bias[place] += gradients[index]
                        }
                    }
                }
            }
        }
        return (weight, bias)
    }
}
