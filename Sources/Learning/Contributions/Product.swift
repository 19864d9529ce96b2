import Kernels

/// The gradient of a weight that is applied at each of a row's positions (the steps of a sequence; one, where rows are plain
/// vectors): the sum over positions of the output's gradient times the input.
///
/// Its norm needs no product (Goodfellow 2015 for one position, Li et al. 2022, "Large language models can be strong
/// differentially private learners", section 4, for several): with inputs a and output gradients g at the positions of a
/// unit, the squared norm is the sum over pairs s, t of <a_s, a_t> <g_s, g_t>.
struct Product: Contribution {
    /// [rows x positions, outputs].
    private var gradients: Tensor
    /// [rows x positions, inputs].
    private var inputs: Tensor
    private let positions: Int

    /// - Parameters:
    ///   - gradients: [rows x positions, outputs].
    ///   - inputs: [rows x positions, inputs].
    init(gradients: Tensor, inputs: Tensor, rows: Int) {
        self.gradients = gradients
        self.inputs = inputs
        positions = rows == 0 ? 1 : inputs.rows / rows
    }

    private var outputCount: Int { gradients.shape[1] }
    private var inputCount: Int { inputs.shape[1] }
    var size: Int { outputCount * inputCount }

    func addAll(to sum: inout [Float], scales: [Float]?) {
        let scales = scales.map { scales in
            positions == 1 ? scales : scales.flatMap { [Float](repeating: $0, count: positions) }
        }
        sum.withUnsafeMutableBufferPointer { sum in
            guard let target = sum.baseAddress else { return }
            add(positions: 0..<inputs.rows, scales: scales, to: target)
        }
    }

    func add(rows: Range<Int>, to target: UnsafeMutablePointer<Float>) {
        add(positions: range(rows), scales: nil, to: target)
    }

    private func range(_ rows: Range<Int>) -> Range<Int> { rows.lowerBound * positions..<rows.upperBound * positions }

    private func add(positions range: Range<Int>, scales: [Float]?, to target: UnsafeMutablePointer<Float>) {
        gradients.withValues { gradients in
            inputs.withValues { inputs in
                Dense.multiply(
                    Dense.Matrix(gradients + range.lowerBound * outputCount, range.count, outputCount).transposed,
                    Dense.Matrix(inputs + range.lowerBound * inputCount, range.count, inputCount),
                    scales: scales, addingTo: target)
            }
        }
    }

    func squaredNorm(rows: Range<Int>) -> Double {
        let range = range(rows)
        return gradients.withValues { gradients in
            inputs.withValues { inputs in
                GhostNorm.squared(
                    Dense.Matrix(gradients + range.lowerBound * outputCount, range.count, outputCount),
                    Dense.Matrix(inputs + range.lowerBound * inputCount, range.count, inputCount))
            }
        }
    }

    func normCost(rows: Int) -> Double {
        let positions = Double(rows * positions)
        let pairs = positions == 1 ? 1 : positions * (positions + 1) / 2
        return pairs * Double(inputCount + outputCount)
    }

    func gradientCost(rows: Int) -> Double { Double(rows * positions) * Double(size) }

    /// The inputs too: zero times what is no number is none.
    mutating func clear(rows: Range<Int>) {
        gradients.clear(rows: range(rows))
        inputs.clear(rows: range(rows))
    }
}
