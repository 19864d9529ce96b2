internal import DifferentialPrivacy

/// The error of a solution of `H (beta - solution) = score`, where the score at the population's coefficients is a sum of
/// independent units' scores and of noises with known factors: to first order `H^-1` times it (Huber 1967).
struct ScoreEquation {
    let design: RegressionDesign
    /// Of the scaled columns, as all that follows.
    let solution: [Double]
    let inverse: SymmetricMatrix
    private(set) var shapes: [ErrorShape]
    /// Of each coefficient the squared length of the row that maps scores to it.
    private let lengths: [Double]

    /// - Parameter meat: the variance of the sum of the units' scores.
    init(_ design: RegressionDesign, solution: [Double], inverse: SymmetricMatrix, meat: SymmetricMatrix) {
        self.design = design
        self.solution = solution
        self.inverse = inverse
        let width = design.width
        // Rows of the map that undoes the scaling, times the inverse.
        let rows = (0..<width).map { k in
            design.unscaled((0..<width).map { inverse[$0, k] })
        }
        lengths = (0..<width).map { k in rows.reduce(0.0) { $0 + $1[k] * $1[k] } }
        shapes = (0..<width).map { k in
            let row = (0..<width).map { rows[$0][k] }
            let image = meat.times(row)
            return ErrorShape(samplingVariance: max(0, zip(row, image).reduce(0.0) { $0 + $1.0 * $1.1 }))
        }
    }

    /// A noise of that variance that enters the score by these entries.
    mutating func add(_ entries: [(column: Int, factor: Double)], variance: Double, excess: Double) {
        let moved = (0..<design.width).map { row in
            entries.reduce(0.0) { $0 + inverse[row, $1.column] * $1.factor }
        }
        for (k, factor) in design.unscaled(moved).enumerated() {
            shapes[k].add(factor: factor, variance: variance, excess: excess)
        }
    }

    /// Noise of the symmetric matrix of pairs, which multiplies a vector.
    mutating func add(_ pairs: ColumnPairs, times vector: [Double], variance: Double, excess: Double) {
        for (i, j) in pairs.pairs {
            let entries =
                i == j
                ? [(column: i, factor: vector[i])]
                : [(column: i, factor: vector[j]), (column: j, factor: vector[i])]
            add(entries, variance: variance, excess: excess)
        }
    }

    /// Whether a sum that was cut from the residuals, as noise of that deviation lets it be seen, may move a coefficient by
    /// half its standard error or more: it may lie anywhere among the rows, so that of each column's score it is all.
    func isBiased(by sum: Double, deviation: Double) -> Bool {
        guard sum > 3 * deviation else { return false }
        return solution.indices.contains { k in
            let reach = solution.indices.reduce(0.0) { $0 + abs(inverse[$1, k]) }
            return reach * sum > 0.5 * shapes[k].deviation * design.scales[k].radius
        }
    }

    /// Whether noise of that deviation in each entry of the meat leaves every coefficient's variance known to a third.
    func knowsVariance(deviation: Double) -> Bool {
        zip(shapes, lengths).allSatisfy { deviation * $1 <= 0.35 * $0.variance }
    }

    /// The coefficients on the scale of the columns as they are.
    func coefficients(withheld: Bool) -> [Coefficient] {
        let estimates = design.unscaled(solution)
        return estimates.indices.map { k in
            let isKnown = !withheld && shapes[k].deviation.isFinite && shapes[k].deviation > 0
            return Coefficient(
                name: design.names[k], estimate: estimates[k].isFinite ? estimates[k] : 0,
                shape: isKnown ? shapes[k] : nil)
        }
    }
}

extension IntegerNoise {
    /// The excess kurtosis of a draw, of the continuous law.
    var excess: Double { law == .laplace ? 3 : 0 }
}

/// The least eigenvalue, of a noisy matrix.
extension SymmetricMatrix {
    var least: Double { eigen().values.min() ?? 0 }

    /// With a multiple of the identity added.
    func raised(_ ridge: Double) -> SymmetricMatrix {
        SymmetricMatrix(size: size) { i, j in self[i, j] + (i == j ? ridge : 0) }
    }
}
