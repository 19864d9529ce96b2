internal import DifferentialPrivacy

/// Sums over units of the products of a unit's scores: the variance of a sum of scores, whatever the rows of a unit have to do
/// with each other (Liang and Zeger 1986, "Longitudinal data analysis using generalized linear models").
///
/// A unit's score adds up its rows': with R rows of at most 1 it is at most R, and hardly ever above R^(3/4), to which it is held
/// by scaling all of it.
struct UnitSquares: Sendable {
    let pairs: ColumnPairs
    private let width: Int
    private let nonzero: Int
    private let bound: Double

    init(_ design: RegressionDesign, _ pairs: ColumnPairs, rowsPerUnit: Int) {
        // In the rows of one unit all pairs may occur.
        self.pairs = rowsPerUnit == 1 ? pairs : ColumnPairs([Int](repeating: -1, count: design.width))
        width = design.width
        nonzero = min(design.width, 1 + (design.nonzero - 1) * rowsPerUnit)
        let rows = Double(rowsPerUnit)
        bound = (rows * rows.squareRoot()).squareRoot()
    }

    /// - Parameter residual: the bound of a row's residual.
    func part(share: Double, residual: Double) -> IntegerLayout.Part {
        IntegerLayout.Part(
            entries: pairs.pairs.count, nonzero: ColumnPairs.products(nonzero), times: 1, share: share,
            bound: residual * residual * bound * bound)
    }

    /// Adds the products of a unit's scores, in units of a row's bound.
    func add(_ scores: [Double], to sums: inout [ExactSum], from start: Int, largest: Int64) {
        let most = scores.reduce(0.0) { max($0, abs($1)) }
        let factor = 1 / max(most, bound)
        let columns = scores.indices.filter { scores[$0] != 0 }
        for (place, i) in columns.enumerated() {
            for j in columns[0...place] {
                let part = (scores[i] * factor) * (scores[j] * factor)
                sums[start + pairs.numbers[i * width + j]].add(IntegerLayout.rounded(part, largest))
            }
        }
    }
}
