/// A linear model of columns in their own units.
public struct LinearModel: Sendable, Hashable {
    /// The columns, to whose bounds rows are held.
    public let table: JointTable
    /// Of features that run from -1 to 1 within their bounds, and of the one behind them, for a response that does.
    public let weights: [Double]
    /// The noisy moments, where there is noise: sums of products of features, the one and the response, over the table's rows. The response's own is the last one, and the ones' says how many rows are present.
    public let moments: [[Double]]?
    /// What is added to the moments' diagonal.
    let ridge: Double
    /// The standard deviation of the noise in each of ``moments``.
    let momentDeviation: Double

    /// The prediction where all features are 0, within their bounds.
    public var intercept: Double {
        let centred = zip(table.features, weights).reduce(weights[table.features.count]) {
            $0 - $1.1 * $1.0.middle / $1.0.radius
        }
        return table.response.middle + table.response.radius * centred
    }

    /// The prediction's change by a unit of each feature, within its bounds.
    public var coefficients: [Double] { zip(table.features, weights).map { table.response.radius * $1 / $0.radius } }

    /// The prediction for a row; nil for another number of features.
    public func prediction(_ row: [Double]) -> Double? {
        guard row.count == table.features.count else { return nil }
        let scaled = zip(zip(table.features, row), weights).reduce(weights[table.features.count]) {
            $0 + $1.0.0.scaled($1.0.1) * $1.1
        }
        return table.response.middle + table.response.radius * scaled
    }

    /// The standard deviation that the noise in the moments gives the intercept and each coefficient, to first order; nil where there is no noise, or too much for that.
    ///
    /// With A the noisy moments with their ridge, w = A^(-1) b, and noise E in A, one draw a pair, and e in b, weights move by A^(-1) (e - E w), and by what is of higher order in A^(-1) E: a linear form c of them by v' (e - E w) with v = A^(-1) c, a sum of independent draws. E's norm is seldom beyond
    /// 2 sqrt(width) deviations; where that times the norm of A^(-1) is above 1/4, nothing is said. Which rows there were is not in it.
    public var deviations: (intercept: Double, coefficients: [Double])? {
        guard let moments, momentDeviation > 0 else { return nil }
        let width = weights.count
        let unit = (0..<width).map { place in (0..<width).map { $0 == place ? 1.0 : 0 } }
        guard let inverse = Self.solved(Self.matrix(moments, ridge: ridge), unit) else { return nil }
        let norm = inverse.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard norm * 2 * Double(width).squareRoot() * momentDeviation <= 0.25 else { return nil }
        func deviation(of form: [Double]) -> Double {
            let v = (0..<width).map { row in form.indices.reduce(0) { $0 + inverse[row][$1] * form[$1] } }
            var sum = 0.0
            for i in 0..<width {
                sum += v[i] * v[i] * (1 + weights[i] * weights[i])
                for j in i + 1..<width {
                    let both = v[i] * weights[j] + v[j] * weights[i]
                    sum += both * both
                }
            }
            return momentDeviation * sum.squareRoot()
        }
        let scale = table.response.radius
        let intercept = table.features.map { -scale * $0.middle / $0.radius } + [scale]
        return (
            deviation(of: intercept),
            table.features.enumerated().map { place, column in
                deviation(of: unit[place].map { $0 * scale / column.radius })
            }
        )
    }

    /// The features' moments and the ridge.
    static func matrix(_ moments: [[Double]], ridge: Double) -> [[Double]] {
        let width = moments.count - 1
        return (0..<width).map { i in (0..<width).map { moments[i][$0] + (i == $0 ? ridge : 0) } }
    }

    /// Solutions for right-hand sides, by elimination with the largest pivot of each column; nil where there is none.
    static func solved(_ matrix: [[Double]], _ sides: [[Double]]) -> [[Double]]? {
        let width = matrix.count
        var rows = matrix.enumerated().map { place, row in row + sides.map { $0[place] } }
        for column in 0..<width {
            guard let pivot = (column..<width).max(by: { abs(rows[$0][column]) < abs(rows[$1][column]) }),
                abs(rows[pivot][column]) > 1e-12
            else { return nil }
            rows.swapAt(column, pivot)
            for row in 0..<width where row != column {
                let factor = rows[row][column] / rows[column][column]
                for place in column..<rows[row].count { rows[row][place] -= factor * rows[column][place] }
            }
        }
        return sides.indices.map { side in (0..<width).map { rows[$0][width + side] / rows[$0][$0] } }
    }
}
