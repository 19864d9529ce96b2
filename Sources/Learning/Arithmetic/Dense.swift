import Kernels

/// Dense arithmetic on float32 in memory.
enum Dense {
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

        @inline(__always) func at(_ r: Int, _ c: Int) -> Float {
            isTransposed ? values[c * columns + r] : values[r * columns + c]
        }
        var height: Int { isTransposed ? columns : rows }
        var width: Int { isTransposed ? rows : columns }
    }

    /// target += left right, or target = left right. `scales`: the terms' factors, one for each column of `left`.
    static func multiply(
        _ left: Matrix, _ right: Matrix, scales: [Float]? = nil, addingTo target: UnsafeMutablePointer<Float>
    ) {
        for r in 0..<left.height {
            for k in 0..<left.width {
                let f = left.at(r, k) * (scales?[k] ?? 1)
                for c in 0..<right.width { target[r * right.width + c] += f * right.at(k, c) }
            }
        }
    }

    static func multiply(_ left: Matrix, _ right: Matrix, into target: UnsafeMutablePointer<Float>) {
        for i in 0..<left.height * right.width { target[i] = 0 }
        multiply(left, right, addingTo: target)
    }

    /// target += scale x values.
    static func addScaled(
        _ values: UnsafePointer<Float>, _ scale: Float, to target: UnsafeMutablePointer<Float>, count: Int
    ) {
        for index in 0..<count { target[index] += scale * values[index] }
    }

    /// Summed in float64.
    static func squaredNorm(_ values: UnsafePointer<Float>, count: Int) -> Double {
        var sum = 0.0
        for index in 0..<count { sum += Double(values[index]) * Double(values[index]) }
        return sum
    }

    /// The squared norm of gradients^T inputs, rounded up by the error of its computation.
    static func ghostNorm(_ gradients: Matrix, _ inputs: Matrix) -> Double {
        var (sum, sizes) = (0.0, 0.0)
        for s in 0..<gradients.rows {
            for t in 0..<gradients.rows {
                var (x, y) = (0.0, 0.0)
                for i in 0..<gradients.columns { x += Double(gradients.at(s, i)) * Double(gradients.at(t, i)) }
                for i in 0..<inputs.columns { y += Double(inputs.at(s, i)) * Double(inputs.at(t, i)) }
                sum += x * y
                sizes += abs(x * y)
            }
        }
        return max(0, sum) + sizes * 0x1p-20
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
