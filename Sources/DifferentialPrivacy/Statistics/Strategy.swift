/// An integer matrix of full column rank, whose noisy products with counts are what a matrix mechanism releases.
struct Strategy: Sendable {
    let rows: [[Int64]]
    /// (A'A)^-1.
    private let inverse: SymmetricMatrix

    var size: Int { inverse.size }

    /// nil unless the columns are clearly independent.
    init?(rows: [[Int64]], size: Int) {
        let gram = SymmetricMatrix(size: size) { i, j in
            rows.reduce(0.0) { $0 + Double($1[i]) * Double($1[j]) }
        }
        guard let inverse = gram.inverse() else { return nil }
        self.rows = rows
        self.inverse = inverse
    }

    /// The largest L1 norm of a column.
    var columnL1: UInt128 {
        columns { $0 + UInt128($1.magnitude) }
    }

    /// The largest squared L2 norm of a column.
    var columnL2Squared: UInt128 {
        columns { $0 + UInt128($1.magnitude) * UInt128($1.magnitude) }
    }

    private func columns(_ add: (UInt128, Int64) -> UInt128) -> UInt128 {
        (0..<size).map { column in rows.reduce(0) { add($0, $1[column]) } }.max() ?? 0
    }

    /// The counts that fit noisy products best.
    func leastSquares(_ noisy: [Int64]) -> [Double] {
        var right = [Double](repeating: 0, count: size)
        for (row, value) in zip(rows, noisy) {
            for column in 0..<size { right[column] += Double(row[column]) * Double(value) }
        }
        return inverse.times(right)
    }

    /// The variance of a query's answer, in variances of a draw.
    func variance(of query: [Double]) -> Double {
        let solution = inverse.times(query)
        return query.indices.reduce(0.0) { $0 + query[$1] * solution[$1] }
    }

    // MARK: - Choosing one

    /// The one of the least total variance of the workload, among those tried.
    static func best(for workload: [[Double]], kind: PrivacyLossKind) throws(MechanismError) -> Strategy {
        let size = workload[0].count
        var candidates = [identity(size)] + [2, 3, 4, 8, 16].filter { $0 < size }.map { tree(size, fanout: $0) }
        if kind == .zeroConcentrated { candidates.append(optimal(for: workload)) }
        var best: (strategy: Strategy, cost: Double)?
        for candidate in candidates {
            guard let strategy = Strategy(rows: candidate, size: size) else { continue }
            let total = workload.reduce(0.0) { $0 + strategy.variance(of: $1) }
            let norm = kind == .pure ? Double(strategy.columnL1) : Double(strategy.columnL2Squared).squareRoot()
            let cost = total * norm * norm
            if cost < best?.cost ?? .infinity { best = (strategy, cost) }
        }
        guard let best else { throw .parameter("workload", expected: "numbers of comparable size") }
        return best.strategy
    }

    private static func identity(_ size: Int) -> [[Int64]] {
        (0..<size).map { row in (0..<size).map { $0 == row ? 1 : 0 } }
    }

    /// All nodes below the root.
    private static func tree(_ size: Int, fanout: Int) -> [[Int64]] {
        var rows: [[Int64]] = []
        var width = 1
        while width < size {
            for start in stride(from: 0, to: size, by: width) {
                rows.append((0..<size).map { start <= $0 && $0 < start + width ? 1 : 0 })
            }
            width *= fanout
        }
        return rows
    }

    private static let bits = 20

    /// The optimal strategy for the L2 norm. With G = W'W, the Gram matrix X = A'A of the least `tr(G X^-1)` with ones on
    /// its diagonal is `V^-1/2 (V^1/2 G V^1/2)^1/2 V^-1/2`, for the diagonal V that is the fixed point of
    /// `v = diag((V^1/2 G V^1/2)^1/2)`.
    ///
    /// G is scaled, and raised by a billionth, so that workloads of less than full rank have a strategy too.
    private static func optimal(for workload: [[Double]]) -> [[Int64]] {
        let size = workload[0].count
        let largest = workload.reduce(0.0) { max($0, $1.reduce(0.0) { max($0, abs($1)) }) }
        let gram = SymmetricMatrix(size: size) { i, j in
            workload.reduce(i == j ? 1e-9 * Double(workload.count) : 0.0) { $0 + $1[i] / largest * ($1[j] / largest) }
        }
        var v = (0..<size).map { gram[$0, $0].squareRoot() }
        var root = gram
        for _ in 0..<100 {
            root = squareRoot(of: gram, scaledBy: v)
            let next = (0..<size).map { root[$0, $0] }
            let change = zip(v, next).reduce(0.0) { max($0, abs($1.1 / $1.0 - 1)) }
            v = next
            if change < 1e-3 { break }
        }
        // Columns are brought to norm one exactly enough: what rounding and the last step leave, the integers count.
        root = squareRoot(of: gram, scaledBy: v)
        let optimum = SymmetricMatrix(size: size) { i, j in
            root[i, j] / (root[i, i] * root[j, j]).squareRoot()
        }
        guard let lower = optimum.cholesky() else { return [] }
        let unit = Double(1 << bits)
        return (0..<size).map { row in
            (0..<size).map { Int64((lower[$0 * size + row] * unit).rounded()) }
        }
    }

    private static func squareRoot(of gram: SymmetricMatrix, scaledBy v: [Double]) -> SymmetricMatrix {
        let scaled = SymmetricMatrix(size: gram.size) { i, j in gram[i, j] * (v[i] * v[j]).squareRoot() }
        return scaled.mapEigenvalues { max(0, $0).squareRoot() }
    }
}
