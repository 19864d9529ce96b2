import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Covariance and regression")
struct MomentTests {
    let grids: [ValueGrid]

    init() throws {
        grids = [
            try ValueGrid(lower: -2, upper: 2, step: 0.0625), try ValueGrid(lower: 0, upper: 10, step: 0.0625),
            try ValueGrid(lower: -40, upper: 40, step: 0.0625),
        ]
    }

    /// y = 3 x_1 - 2 x_2 + 5, with a little spread.
    private func rows(_ count: Int) -> [[Double]] {
        (0..<count).map { i in
            let (a, b) = (Double(i * 7 % 33) / 8 - 2, Double(i * 11 % 41) / 4)
            return [a, b, 3 * a - 2 * b + 5 + Double(i % 5 - 2) / 2]
        }
    }

    private func leastSquares(_ rows: [[Double]]) throws -> [Double] {
        let columns = rows.map { [1] + $0.dropLast() }
        let gram = SymmetricMatrix(size: 3) { i, j in columns.reduce(0.0) { $0 + $1[i] * $1[j] } }
        let right = (0..<3).map { i in zip(columns, rows).reduce(0.0) { $0 + $1.0[i] * $1.1[2] } }
        return try #require(gram.inverse()).times(right)
    }

    @Test("Eigenvalues, square roots, inverses of matrices with known ones")
    func matrices() throws {
        for size in [1, 2, 3, 8, 40] {
            // The second difference matrix: eigenvalues 2 - 2 cos(k pi / (n + 1)).
            let matrix = SymmetricMatrix(size: size) { i, j in i == j ? 2 : (abs(i - j) == 1 ? -1 : 0) }
            let expected = (1...size).map { 2 - 2 * cos(Double($0) * .pi / Double(size + 1)) }
            for (found, value) in zip(matrix.eigen().values.sorted(), expected) { #expect(abs(found - value) < 1e-12) }
            let root = matrix.mapEigenvalues { $0.squareRoot() }
            let inverse = try #require(matrix.inverse())
            for i in 0..<size {
                for j in 0..<size {
                    let square = (0..<size).reduce(0.0) { $0 + root[i, $1] * root[$1, j] }
                    #expect(abs(square - matrix[i, j]) < 1e-12)
                    let one = (0..<size).reduce(0.0) { $0 + inverse[i, $1] * matrix[$1, j] }
                    #expect(abs(one - (i == j ? 1 : 0)) < 1e-10)
                }
            }
        }
        let diagonal = SymmetricMatrix(size: 3) { i, j in i == j ? Double(i) - 1 : 0 }
        #expect(diagonal.eigen().values.sorted() == [-1, 0, 1] && diagonal.inverse() == nil)
    }

    @Test("Without noise: the covariance matrix and least squares of the rows; rows with a null are left out")
    func exact() throws {
        var generator = SeededGenerator(seed: 51)
        let rows = rows(500)
        let fitted = try leastSquares(rows)
        for loss in NoNoise.losses {
            let covariance = try PrivateCovariance(grids: grids, loss: loss)
            let nulls = [[Double.nan, 1, 1], [1, .infinity, 1], [1, 1, -.infinity]]
            let matrix = try covariance.release(rows + nulls, using: &generator)
            for i in 0..<3 {
                for j in 0..<3 {
                    let (a, b) = (rows.map { $0[i] }, rows.map { $0[j] })
                    let (ma, mb) = (a.reduce(0, +) / 500, b.reduce(0, +) / 500)
                    let truth = zip(a, b).reduce(0.0) { $0 + ($1.0 - ma) * ($1.1 - mb) } / 500
                    #expect(abs(matrix[i][j] - truth) < 1e-3)
                }
            }
            let regression = try PrivateRegression(predictors: Array(grids.prefix(2)), response: grids[2], loss: loss)
                .release(rows + nulls, using: &generator)
            #expect(regression.ridge == 0 && abs(regression.count - 500) < 0.05)
            #expect(abs(regression.intercept - fitted[0]) < 1e-3)
            #expect(abs(regression.slopes[0] - fitted[1]) < 1e-3 && abs(regression.slopes[1] - fitted[2]) < 1e-3)
            #expect(abs(try #require(regression.prediction([1, 2])) - (fitted[0] + fitted[1] + 2 * fitted[2])) < 1e-2)
            #expect(regression.prediction([1]) == nil)
        }
    }

    @Test("A row adds no more than the norms that the event states, at the corners of the bounds")
    func sensitivity() throws {
        var generator = SeededGenerator(seed: 52)
        for loss in NoNoise.losses {
            let moments = try PrivateMoments(grids: grids, rowsPerUnit: 1, loss: loss)
            let noiseBound = 0.02
            var largest = 0.0
            for corner in 0..<8 {
                let row = grids.indices.map { corner >> $0 & 1 == 1 ? 1e9 : -1e9 }
                let released = try moments.release([row], using: &generator)
                #expect(released.sums.allSatisfy { abs($0) <= 1 + noiseBound })
                largest = max(largest, released.sums.reduce(0) { $0 + abs($1) })
            }
            #expect(abs(largest - 10) < 0.05)
            let scale = Double(moments.largest)
            switch moments.event {
            case .discreteLaplace(let stated, _): #expect(stated == 10 * scale)
            case .discreteGaussian(let stated, _): #expect(stated == 10 * scale * scale)
            default: Issue.record("an additive event")
            }
        }
    }

    @Test("Noisy covariance matrices are positive semidefinite, for no rows and equal rows too")
    func semidefinite() throws {
        var generator = SeededGenerator(seed: 53)
        let covariance = try PrivateCovariance(grids: grids, loss: try PrivacyLoss(roundingDownRho: 0.01))
        for rows in [[], [[1, 1, 1]], [[Double]](repeating: [2, 10, 40], count: 50), rows(200)] {
            for _ in 0..<50 {
                let matrix = try covariance.release(rows, using: &generator)
                let values = SymmetricMatrix(size: 3) { i, j in matrix[i][j] }.eigen().values
                #expect(values.allSatisfy { $0 >= -1e-9 * (abs(values.max() ?? 0) + 1) })
            }
        }
    }

    @Test(
        "Slope intervals cover least squares at least as often as they say; hopeless data get a ridge and no interval")
    func intervals() throws {
        var generator = SeededGenerator(seed: 54)
        for loss in [try PrivacyLoss(roundingDownEpsilon: 20), try PrivacyLoss(roundingDownRho: 1)] {
            let regression = try PrivateRegression(predictors: Array(grids.prefix(2)), response: grids[2], loss: loss)
            let rows = rows(4000)
            let fitted = try leastSquares(rows)
            var (covered, bounded) = (0, 0)
            for _ in 0..<100 {
                let intervals = try regression.release(rows, using: &generator).slopeIntervals(confidence: 0.9)
                let isInside = zip(intervals, fitted.dropFirst()).allSatisfy { $0.lower <= $1 && $1 <= $0.upper }
                covered += isInside ? 1 : 0
                bounded += intervals.allSatisfy(\.isBounded) ? 1 : 0
            }
            #expect(covered >= 90 - 14 && bounded == 100)
            for hopeless in [[], [[1, 1, 1]], [[Double]](repeating: [1, 1, 1], count: 3)] {
                let released = try regression.release(hopeless, using: &generator)
                #expect(released.ridge > 0 && released.slopes.allSatisfy(\.isFinite))
                #expect(released.slopeIntervals(confidence: 0.9).allSatisfy { !$0.isBounded })
            }
        }
    }

    @Test("Parameters out of range and rows of another length are refused")
    func refused() throws {
        var generator = SeededGenerator(seed: 55)
        let loss = try PrivacyLoss(roundingDownRho: 1)
        #expect(throws: MechanismError.self) { try PrivateMoments(grids: [], loss: loss) }
        #expect(throws: MechanismError.self) { try PrivateMoments(grids: grids, rowsPerUnit: 0, loss: loss) }
        #expect(throws: MechanismError.self) { try PrivateMoments(grids: grids, loss: .zero(.pure)) }
        #expect(throws: MechanismError.self) { try PrivateRegression(predictors: [], response: grids[0], loss: loss) }
        let covariance = try PrivateCovariance(grids: grids, loss: loss)
        #expect(throws: MechanismError.self) { try covariance.release([[1, 2]], using: &generator) }
    }
}
