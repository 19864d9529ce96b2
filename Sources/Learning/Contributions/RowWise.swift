import Kernels

/// A gradient that each row has by itself: of biases and of scales behind a normalisation.
struct RowWise: Contribution {
    /// [rows, size].
    private var gradients: Tensor

    /// - Parameter gradients: [rows, size].
    init(_ gradients: Tensor) { self.gradients = gradients }

    var size: Int { gradients.rowShape.product }

    func addAll(to sum: inout [Float], scales: [Float]?) {
        let size = size
        gradients.withValues { values in
            sum.withUnsafeMutableBufferPointer { sum in
                guard let target = sum.baseAddress else { return }
                for row in 0..<gradients.rows {
                    Dense.addScaled(values + row * size, scales?[row] ?? 1, to: target, count: size)
                }
            }
        }
    }

    func add(rows: Range<Int>, to target: UnsafeMutablePointer<Float>) {
        let size = size
        gradients.withValues { values in
            for row in rows { Dense.addScaled(values + row * size, 1, to: target, count: size) }
        }
    }

    func squaredNorm(rows: Range<Int>) -> Double {
        let size = size
        return gradients.withValues { values in
            if rows.count == 1 { return Dense.squaredNorm(values + rows.lowerBound * size, count: size) }
            var (square, sizes) = (0.0, 0.0)
            for index in 0..<size {
                var (sum, terms) = (0.0, 0.0)
                for row in rows {
                    let value = Double(values[row * size + index])
                    sum += value
                    terms += abs(value)
                }
                square += sum * sum
                sizes += terms * terms
            }
            return Cancellation.squaredNorm(square, size: sizes.squareRoot(), terms: rows.count)
        }
    }

    func normCost(rows: Int) -> Double { Double(rows * size) }
    func gradientCost(rows: Int) -> Double { Double(rows * size) }

    mutating func clear(rows: Range<Int>) { gradients.clear(rows: rows) }
}

extension Tensor {
    /// Of one row's values, summed in float64.
    func squaredNorm(row: Int) -> Double {
        let size = rowShape.product
        return withValues { Dense.squaredNorm($0 + row * size, count: size) }
    }

    /// Makes some rows zero.
    mutating func clear(rows: Range<Int>) {
        let size = rowShape.product
        for index in rows.lowerBound * size..<rows.upperBound * size { values[index] = 0 }
    }
}
