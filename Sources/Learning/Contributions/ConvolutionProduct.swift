/// The gradient of a convolution's weight: a row's output gradient, each pixel of it times what that pixel sees, summed.
///
/// Its norm needs no product: unfolded, a convolution is a matrix that is applied at each output pixel, so the norm follows as
/// ``Product``'s does, with the pixels of all of a unit's rows as positions (Bu et al. 2022, "Scalable and efficient training of
/// large convolutional neural networks with differential privacy", section 3), for each group of channels by itself.
struct ConvolutionProduct: Contribution {
    /// [rows, outputs, height, width].
    private var gradients: Tensor
    /// [rows, channels, height, width].
    private var inputs: Tensor
    private let convolving: Convolving

    init(gradients: Tensor, inputs: Tensor, _ convolving: Convolving) {
        self.gradients = gradients
        self.inputs = inputs
        self.convolving = convolving
    }

    var size: Int { convolving.weightCount }

    func addAll(to sum: inout [Float], scales: [Float]?) {
        sum.withUnsafeMutableBufferPointer { sum in
            guard let target = sum.baseAddress else { return }
            guard let scales else { return add(rows: 0..<inputs.rows, to: target) }
            scales.withUnsafeBufferPointer { add(rows: 0..<inputs.rows, scales: $0.baseAddress, to: target) }
        }
    }

    func add(rows: Range<Int>, to target: UnsafeMutablePointer<Float>) { add(rows: rows, scales: nil, to: target) }

    private func add(rows: Range<Int>, scales: UnsafePointer<Float>?, to target: UnsafeMutablePointer<Float>) {
        gradients.withValues { gradients in
            inputs.withValues { inputs in
                convolving.weightGradient(
                    images: rows.count, input: inputs + rows.lowerBound * convolving.inputCount,
                    gradients: gradients + rows.lowerBound * convolving.outputCount, scales: scales, addingTo: target)
            }
        }
    }

    func squaredNorm(rows: Range<Int>) -> Double {
        (0..<convolving.groups).reduce(0) { $0 + squaredNorm(rows: rows, group: $1) }
    }

    private func squaredNorm(rows: Range<Int>, group: Int) -> Double {
        let (positions, outputs) = (convolving.positions, convolving.groupOutputs)
        let seen = Tensor(shape: [rows.count * positions, convolving.windowCount]) { target in
            inputs.withValues { inputs in
                for (index, row) in rows.enumerated() {
                    convolving.unfold(
                        inputs + row * convolving.inputCount, group: group,
                        into: target + index * positions * convolving.windowCount)
                }
            }
        }
        // A row a pixel, as what it sees.
        let slopes = Tensor(shape: [rows.count * positions, outputs]) { target in
            gradients.withValues { gradients in
                for (index, row) in rows.enumerated() {
                    for output in 0..<outputs {
                        let plane = gradients + (row * convolving.outputs + group * outputs + output) * positions
                        for pixel in 0..<positions {
                            target[(index * positions + pixel) * outputs + output] = plane[pixel]
                        }
                    }
                }
            }
        }
        return slopes.withValues { slopes in
            seen.withValues { seen in
                GhostNorm.squared(
                    Dense.Matrix(slopes, rows.count * positions, outputs),
                    Dense.Matrix(seen, rows.count * positions, convolving.windowCount))
            }
        }
    }

    func normCost(rows: Int) -> Double {
        let pixels = Double(rows * convolving.positions)
        let pairs = rows * convolving.positions == 1 ? 1 : pixels * (pixels + 1) / 2
        return Double(convolving.groups) * pairs * Double(convolving.windowCount + convolving.groupOutputs)
    }

    func gradientCost(rows: Int) -> Double { Double(rows * convolving.positions) * Double(size) }

    /// The inputs too: zero times what is no number is none.
    mutating func clear(rows: Range<Int>) {
        gradients.clear(rows: rows)
        inputs.clear(rows: rows)
    }
}
