public import DifferentialPrivacy

/// A noisy table by two keys.
public struct NoisyTable: Sendable, Hashable {
    /// What was counted.
    public let task: TableTask
    /// The released integers, the second key's values side by side; some may be negative.
    public let noisy: [Int64]
    /// The noise that is in them.
    public let noise: AddedNoise

    init(task: TableTask, noisy: [Int64], noise: AddedNoise) {
        self.task = task
        self.noisy = noisy
        self.noise = noise
    }

    /// The noisy number of rows in a cell: a heat map's. Traps for a cell that is not the task's.
    public func count(row: Int, column: Int) -> Int64 { noisy[row * task.columns + column] }

    /// Holds the true number of rows in a cell, by the noise alone: never below zero. With `simultaneous`, all cells'
    /// intervals hold together with that confidence (the union bound). Traps for a cell that is not the task's.
    public func interval(
        row: Int, column: Int, confidence: Double = 0.95, simultaneous: Bool = false
    ) -> ConfidenceInterval {
        let level = simultaneous ? 1 - (1 - confidence) / Double(task.length) : confidence
        let count = Double(count(row: row, column: column))
        // Integers: half a unit more than the continuous law's, of noise that is there.
        let half =
            noise.variance > 0 ? (noise.criticalValue(confidence: level) * noise.deviation + 0.5).rounded(.down) : 0
        return ConfidenceInterval(lower: count - half, upper: count + half).within(0, .infinity)
    }
}

extension NoisyTable {
    /// The most values of a key in the test of independence.
    public static let testedValues = 128
    /// A value takes part if its noisy number of rows is above so many standard deviations of its noise, and half a
    /// row. (Of rare values that are above for once, the test is one of a selected table; over all tries it refuses in
    /// fewer than 5 %.)
    static let leastMargin = 3.0

    /// The chi-square test whether the keys are independent, with noise in its null law; nil where fewer than two
    /// values of a key have rows that the noise does not hide, or a key has more than 128 values.
    ///
    /// Values with hardly any rows are left out: what is left of an independent table is independent. With r and c the
    /// noisy shares of rows and columns, the residual `D = (1 - r 1') H (1 - 1 c')` of the noisy table H has under the
    /// hypothesis the covariance `n S_r x S_c + v A_r x A_c`, x Kronecker's product: S_r = diag(r) - r r' of a
    /// multinomial table, and A_r = (1 - r 1')(1 - r 1')' of the noise. The statistic is D's square in that covariance,
    /// found in the axes in which both are diagonal; without noise it is Pearson's (as in Kifer and Rogers 2017, "A new
    /// class of private chi-square tests", whose law it has under Gaussian noise). Of Laplace noise, draws from the
    /// null law, which the released integers seed, give the probability.
    public func independence() -> HypothesisTest? {
        guard (2...Self.testedValues).contains(task.rows), (2...Self.testedValues).contains(task.columns) else {
            return nil
        }
        let kept = keptValues()
        guard kept.rows.count > 1, kept.columns.count > 1 else { return nil }
        let table = kept.rows.map { row in kept.columns.map { Double(count(row: row, column: $0)) } }
        let sums = table.map { $0.reduce(0, +) }
        let columnSums = kept.columns.indices.map { column in table.reduce(0.0) { $0 + $1[column] } }
        let total = sums.reduce(0, +)
        guard total >= 1, sums.allSatisfy({ $0 > 0 }), columnSums.allSatisfy({ $0 > 0 }),
            let rows = MarginAxes(shares: sums.map { $0 / total }),
            let columns = MarginAxes(shares: columnSums.map { $0 / total })
        else { return nil }
        let null = IndependenceNull(rows: rows, columns: columns, total: total, noise: noise)
        let statistic = null.statistic(null.residual(table))
        guard statistic.isFinite else { return nil }
        let freedom = Double((kept.rows.count - 1) * (kept.columns.count - 1))
        var pValue = ChiSquareLaw(degreesOfFreedom: freedom).upperTail(statistic)
        if noise.law == .laplace && null.largestNoiseShare > 0.01 {
            var draws = NullDraws(noisy)
            pValue = null.share(above: statistic, using: &draws)
        }
        return HypothesisTest(statistic: statistic, degreesOfFreedom: [freedom], pValue: pValue)
    }

    private func keptValues() -> (rows: [Int], columns: [Int]) {
        let rows = (0..<task.rows).filter { row in
            let sum = (0..<task.columns).reduce(0.0) { $0 + Double(count(row: row, column: $1)) }
            return sum > Self.leastMargin * (Double(task.columns) * noise.variance).squareRoot() + 0.5
        }
        let columns = (0..<task.columns).filter { column in
            let sum = rows.reduce(0.0) { $0 + Double(count(row: $1, column: column)) }
            return sum > Self.leastMargin * (Double(rows.count) * noise.variance).squareRoot() + 0.5
        }
        return (rows, columns)
    }
}

/// For one key's shares p, the axes in which S = diag(p) - p p' is 1 and A = (1 - p 1')(1 - p 1')' diagonal, without
/// the largest share's coordinate, which the others determine.
struct MarginAxes {
    let shares: [Double]
    /// A's diagonal there.
    let noise: [Double]
    /// Rows that take a table's side, all coordinates, to these axes; 1 - p 1' is in them.
    let transform: [[Double]]

    /// nil where a share is hardly above zero.
    init?(shares p: [Double]) {
        let last = p.indices.max { p[$0] < p[$1] } ?? 0
        let kept = p.indices.filter { $0 != last }
        let size = kept.count
        // (1 - p 1') without the last coordinate's row, and the two matrices.
        let projection = kept.map { i in p.indices.map { (i == $0 ? 1 : 0) - p[i] } }
        let sampled = SymmetricMatrix(size: size) { (i, j) in (i == j ? p[kept[i]] : 0) - p[kept[i]] * p[kept[j]] }
        guard let lower = sampled.cholesky() else { return nil }
        // L^-1 times the projection, by forward substitution: then S is 1.
        var whitened = projection
        for row in 0..<size {
            for k in 0..<row {
                for at in p.indices { whitened[row][at] -= lower[row * size + k] * whitened[k][at] }
            }
            for at in p.indices { whitened[row][at] /= lower[row * size + row] }
        }
        let added = SymmetricMatrix(size: size) { i, j in
            zip(whitened[i], whitened[j]).reduce(0.0) { $0 + $1.0 * $1.1 }
        }
        let (values, vectors) = added.eigen()
        shares = p
        noise = values.map { max(0, $0) }
        transform = vectors.map { vector in
            p.indices.map { at in vector.indices.reduce(0.0) { $0 + vector[$1] * whitened[$1][at] } }
        }
    }
}

/// The law of a table's residual where the keys are independent, in both keys' axes.
private struct IndependenceNull {
    let rows: MarginAxes
    let columns: MarginAxes
    let total: Double
    let noise: AddedNoise

    /// The variance of the noise in an axis of both keys.
    private func noiseVariance(_ i: Int, _ j: Int) -> Double { noise.variance * rows.noise[i] * columns.noise[j] }

    var largestNoiseShare: Double {
        let largest = noise.variance * (rows.noise.max() ?? 0) * (columns.noise.max() ?? 0)
        return largest / (total + largest)
    }

    /// A table's residual in both axes.
    func residual(_ table: [[Double]]) -> [[Double]] {
        let half = rows.transform.map { axis in
            columns.shares.indices.map { column in
                axis.indices.reduce(0.0) { $0 + axis[$1] * table[$1][column] }
            }
        }
        return half.map { row in
            columns.transform.map { axis in zip(axis, row).reduce(0.0) { $0 + $1.0 * $1.1 } }
        }
    }

    func statistic(_ residual: [[Double]]) -> Double {
        var sum = 0.0
        for (i, row) in residual.enumerated() {
            for (j, value) in row.enumerated() { sum += value * value / (total + noiseVariance(i, j)) }
        }
        return sum
    }

    /// As many as 2^24 steps allow, from 500 to 10,000.
    private var draws: Int {
        let cells = rows.shares.count * columns.shares.count
        return min(10_000, max(500, (1 << 24) / (cells * (rows.shares.count + columns.shares.count))))
    }

    /// The probability of a statistic at least as large as the observed one, by draws.
    func share(above observed: Double, using draws: inout NullDraws) -> Double {
        let (root, deviation) = (total.squareRoot(), noise.deviation)
        return draws.share(atMost: self.draws) { draws in
            let added = rows.shares.map { _ in columns.shares.map { _ in deviation * draws.draw(noise.law) } }
            var drawn = residual(added)
            for i in drawn.indices {
                for j in drawn[i].indices { drawn[i][j] += root * draws.normal() }
            }
            return statistic(drawn) >= observed
        }
    }
}
