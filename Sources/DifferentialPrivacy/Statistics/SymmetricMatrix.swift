/// A small symmetric matrix, for post-processing of noisy statistics.
package struct SymmetricMatrix: Sendable, Hashable {
    package let size: Int
    /// By rows.
    package private(set) var entries: [Double]

    package init(size: Int, _ entry: (Int, Int) -> Double) {
        self.size = size
        entries = [Double](repeating: 0, count: size * size)
        for row in 0..<size {
            for column in 0...row {
                let value = entry(row, column)
                entries[row * size + column] = value
                entries[column * size + row] = value
            }
        }
    }

    package subscript(row: Int, column: Int) -> Double { entries[row * size + column] }

    /// The lower triangular L with L L' = self, by rows; nil unless the matrix is clearly positive definite.
    package func cholesky() -> [Double]? {
        var lower = [Double](repeating: 0, count: size * size)
        for row in 0..<size {
            for column in 0...row {
                var rest = self[row, column]
                for k in 0..<column { rest -= lower[row * size + k] * lower[column * size + k] }
                if row == column {
                    guard rest > self[row, row] * 1e-13 else { return nil }
                    lower[row * size + row] = rest.squareRoot()
                } else {
                    lower[row * size + column] = rest / lower[column * size + column]
                }
            }
        }
        return lower
    }

    /// The inverse; nil unless the matrix is clearly positive definite.
    package func inverse() -> SymmetricMatrix? {
        guard let lower = cholesky() else { return nil }
        // Columns of the inverse of L, which is lower triangular.
        var inverse = [Double](repeating: 0, count: size * size)
        for column in 0..<size {
            inverse[column * size + column] = 1 / lower[column * size + column]
            for row in column + 1..<max(size, column + 1) {
                var rest = 0.0
                for k in column..<row { rest -= lower[row * size + k] * inverse[k * size + column] }
                inverse[row * size + column] = rest / lower[row * size + row]
            }
        }
        return SymmetricMatrix(size: size) { row, column in
            (row..<size).reduce(0.0) { $0 + inverse[$1 * size + row] * inverse[$1 * size + column] }
        }
    }

    /// The product with a vector.
    package func times(_ vector: [Double]) -> [Double] {
        (0..<size).map { row in vector.indices.reduce(0.0) { $0 + self[row, $1] * vector[$1] } }
    }

    /// Eigenvalues and, in the rows of `vectors`, their eigenvectors: Householder's reduction to tridiagonal form, then
    /// QR steps with Wilkinson's shift (Golub and Van Loan, algorithms 8.3.1 to 8.3.3).
    package func eigen() -> (values: [Double], vectors: [[Double]]) {
        var reduction = Tridiagonal(self)
        reduction.diagonalise()
        return (reduction.diagonal, reduction.rows)
    }

    /// The matrix with the function applied to its eigenvalues.
    package func mapEigenvalues(_ function: (Double) -> Double) -> SymmetricMatrix {
        let (values, vectors) = eigen()
        let mapped = values.map(function)
        return SymmetricMatrix(size: size) { row, column in
            (0..<size).reduce(0.0) { $0 + mapped[$1] * vectors[$1][row] * vectors[$1][column] }
        }
    }
}

/// A tridiagonal T and orthogonal rows Z with `Z' T Z` the given matrix.
private struct Tridiagonal {
    var diagonal: [Double]
    var beside: [Double]
    var rows: [[Double]]

    init(_ matrix: SymmetricMatrix) {
        let size = matrix.size
        var a = (0..<size).map { row in (0..<size).map { matrix[row, $0] } }
        var reflections: [(vector: [Double], factor: Double)] = []
        beside = []
        for k in 0..<max(0, size - 2) {
            var v = [Double](repeating: 0, count: size)
            for i in k + 1..<size { v[i] = a[i][k] }
            let norm = v.reduce(0.0) { $0 + $1 * $1 }.squareRoot()
            let target = v[k + 1] > 0 ? -norm : norm
            v[k + 1] -= target
            let square = v.reduce(0.0) { $0 + $1 * $1 }
            let factor = square > 0 ? 2 / square : 0
            Self.reflect(&a, v, factor, from: k + 1)
            reflections.append((v, factor))
            beside.append(target)
        }
        if size > 1 { beside.append(a[size - 1][size - 2]) }
        diagonal = a.indices.map { a[$0][$0] }
        rows = (0..<size).map { row in (0..<size).map { row == $0 ? 1.0 : 0.0 } }
        // Z is the product of the reflections, the last one leftmost: each acts on Z's columns from the right.
        for (v, factor) in reflections.reversed() {
            for row in rows.indices {
                let along = factor * v.indices.reduce(0.0) { $0 + rows[row][$1] * v[$1] }
                if along != 0 { for i in v.indices { rows[row][i] -= along * v[i] } }
            }
        }
    }

    /// `H a H` for `H = I - factor v v'`, on the rows and columns from `start` on.
    private static func reflect(_ a: inout [[Double]], _ v: [Double], _ factor: Double, from start: Int) {
        let size = v.count
        var p = [Double](repeating: 0, count: size)
        for i in start..<size {
            var sum = 0.0
            for j in start..<size { sum += a[i][j] * v[j] }
            p[i] = factor * sum
        }
        var along = 0.0
        for i in start..<size { along += p[i] * v[i] }
        for i in start..<size { p[i] -= factor / 2 * along * v[i] }
        for i in start..<size {
            for j in start..<size { a[i][j] -= v[i] * p[j] + p[i] * v[j] }
        }
    }

    mutating func diagonalise() {
        var high = diagonal.count - 1
        // Two or three steps an eigenvalue are usual; the bound only makes sure of an end.
        var steps = 60 * diagonal.count
        while high > 0 && steps > 0 {
            if isNegligible(high - 1) {
                high -= 1
                continue
            }
            var low = high - 1
            while low > 0 && !isNegligible(low - 1) { low -= 1 }
            step(low, high)
            steps -= 1
        }
    }

    private func isNegligible(_ k: Int) -> Bool {
        abs(beside[k]) <= 0x1p-53 * (abs(diagonal[k]) + abs(diagonal[k + 1]))
    }

    private mutating func step(_ low: Int, _ high: Int) {
        let delta = (diagonal[high - 1] - diagonal[high]) / 2
        let last = beside[high - 1]
        let root = (delta * delta + last * last).squareRoot()
        let shift = diagonal[high] - last * last / (delta + (delta < 0 ? -root : root))
        var (x, z) = (diagonal[low] - shift, beside[low])
        for k in low..<high {
            let r = (x * x + z * z).squareRoot()
            let (c, s) = r > 0 ? (x / r, z / r) : (1, 0)
            if k > low { beside[k - 1] = r }
            let (a, b, g) = (diagonal[k], beside[k], diagonal[k + 1])
            diagonal[k] = c * c * a + 2 * c * s * b + s * s * g
            diagonal[k + 1] = s * s * a - 2 * c * s * b + c * c * g
            beside[k] = c * s * (g - a) + (c * c - s * s) * b
            if k < high - 1 {
                z = s * beside[k + 1]
                beside[k + 1] *= c
                x = beside[k]
            }
            rotate(k, c, s)
        }
    }

    private mutating func rotate(_ k: Int, _ c: Double, _ s: Double) {
        for column in rows.indices {
            let (a, b) = (rows[k][column], rows[k + 1][column])
            rows[k][column] = c * a + s * b
            rows[k + 1][column] = c * b - s * a
        }
    }
}
