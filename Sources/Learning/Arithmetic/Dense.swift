import Kernels

/// Dense arithmetic on float32 in memory: kernels, chosen once by what the processor has.
enum Dense {
    /// The path of all kernels in this process: results are the same to the bit on one path.
    static let instructions: kernels_instructions =
        kernels_have(.avx512) ? .avx512 : kernels_have(.avx2) ? .avx2 : .portable

    /// Rows of values, one after the other; or, transposed, columns.
    struct Matrix {
        let values: UnsafePointer<Float>
        let rows: Int
        let columns: Int
        private(set) var isTransposed = false

        /// Rows without gaps.
        init(_ values: UnsafePointer<Float>, _ rows: Int, _ columns: Int) {
            self.values = values
            self.rows = rows
            self.columns = columns
        }

        /// The same values, read as columns.
        var transposed: Matrix {
            var copy = self
            copy.isTransposed.toggle()
            return copy
        }

        var height: Int { isTransposed ? columns : rows }
        var width: Int { isTransposed ? rows : columns }
    }

    /// target = left right; or target += left diag(scales) right.
    private static func multiply(
        _ left: Matrix, _ right: Matrix, scales: UnsafePointer<Float>?, accumulates: Bool,
        _ target: UnsafeMutablePointer<Float>
    ) {
        let product = kernels_product(
            m: left.height, n: right.width, k: left.width, a: left.values, lda: left.columns,
            a_transposed: left.isTransposed, b: right.values, ldb: right.columns, b_transposed: right.isTransposed,
            c: target, ldc: right.width, accumulates: accumulates, scale: scales)
        withWorkspace(kernels_gemm_workspace(product, instructions)) { kernels_gemm(product, $0, instructions) }
    }

    /// target += left right. `scales`: the terms' factors, one for each column of `left`.
    static func multiply(
        _ left: Matrix, _ right: Matrix, scales: [Float]? = nil, addingTo target: UnsafeMutablePointer<Float>
    ) {
        guard let scales else { return multiply(left, right, scales: nil, accumulates: true, target) }
        scales.withUnsafeBufferPointer { multiply(left, right, scales: $0.baseAddress, accumulates: true, target) }
    }

    /// target = left right.
    static func multiply(_ left: Matrix, _ right: Matrix, into target: UnsafeMutablePointer<Float>) {
        multiply(left, right, scales: nil, accumulates: false, target)
    }

    /// Calls `body` with room for so many floats, aligned to a line of the cache.
    static func withWorkspace<Result>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Result) -> Result {
        withUnsafeTemporaryAllocation(byteCount: max(64, count * MemoryLayout<Float>.stride), alignment: 64) { bytes in
            let floats = bytes.bindMemory(to: Float.self)
            guard let base = floats.baseAddress else { preconditionFailure("a workspace has at least a line") }
            return body(base)
        }
    }

    /// target += scale x values.
    static func addScaled(
        _ values: UnsafePointer<Float>, _ scale: Float, to target: UnsafeMutablePointer<Float>, count: Int
    ) {
        kernels_axpy(count, scale, values, target, instructions)
    }

    /// Summed in float64.
    static func squaredNorm(_ values: UnsafePointer<Float>, count: Int) -> Double {
        kernels_sum_of_squares(count, values, instructions)
    }
}

extension Tensor {
    /// All positions of all rows: [everything but the last extent, the last extent].
    var positions: Tensor {
        let last = shape.last ?? 1
        return reshaped([last == 0 ? 0 : count / last, last])
    }

    /// For a matrix: this times the transpose of `weight`, plus `bias` in each row.
    func timesTransposed(_ weight: Tensor, bias: Tensor?) -> Tensor {
        let (rows, outputs) = (shape[0], weight.shape[0])
        return Tensor(shape: [rows, outputs]) { target in
            withValues { values in
                weight.withValues { weights in
                    Dense.multiply(
                        Dense.Matrix(values, rows, shape[1]), Dense.Matrix(weights, outputs, shape[1]).transposed,
                        into: target)
                }
            }
            bias?.withValues { bias in
                for row in 0..<rows { Dense.addScaled(bias, 1, to: target + row * outputs, count: outputs) }
            }
        }
    }

    /// For a matrix: this times `weight`.
    func times(_ weight: Tensor) -> Tensor {
        Tensor(shape: [shape[0], weight.shape[1]]) { target in
            withValues { values in
                weight.withValues { weights in
                    Dense.multiply(
                        Dense.Matrix(values, shape[0], shape[1]),
                        Dense.Matrix(weights, weight.shape[0], weight.shape[1]),
                        into: target)
                }
            }
        }
    }

    /// Each row's sum over its positions: [rows, the last extent].
    func summedPositions() -> Tensor {
        let last = shape.last ?? 1
        if shape.count == 2 { return self }
        var sums = Tensor(shape: [rows, last])
        let positions = rowShape.dropLast().product
        withValues { values in
            sums.withMutableValues { target in
                for row in 0..<rows {
                    for position in 0..<positions {
                        Dense.addScaled(
                            values + (row * positions + position) * last, 1, to: target + row * last, count: last)
                    }
                }
            }
        }
        return sums
    }
}

extension Sequence<Int> {
    /// One for none.
    var product: Int { reduce(1, *) }
}
