/// Linear regression of one clipped column on others, with an intercept, from their noisy moments.
///
/// Privacy: that of `PrivateMoments`; the rest is post-processing.
public struct PrivateRegression: Sendable {
    /// What is released, and with which noise.
    public let moments: PrivateMoments

    /// `predictors` and `response`: the columns' bounds and grids. Throws unless there are from 1 to 63 predictors,
    /// `rowsPerUnit` is from 1 to 2^31, and noise for that loss exists.
    public init(
        predictors: [ValueGrid], response: ValueGrid, rowsPerUnit: Int = 1, loss: PrivacyLoss
    ) throws(MechanismError) {
        guard (1..<PrivateMoments.mostColumns).contains(predictors.count) else {
            throw .parameter("predictors", expected: "a number from 1 to 63")
        }
        moments = try PrivateMoments(grids: predictors + [response], rowsPerUnit: rowsPerUnit, loss: loss)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { moments.event }

    /// The noisy regression. Each row: the predictors in order, then the response; throws for another number of values.
    public func release<R: RandomNumberGenerator>(
        _ rows: some Sequence<[Double]>, using generator: inout R
    ) throws(MechanismError) -> NoisyRegression {
        NoisyRegression(try moments.release(rows, using: &generator))
    }
}

/// A linear regression of the last of several columns on the others, from noisy moments.
///
/// In units of the columns' half widths, with x_0 = 1: A = sum of x x', b = sum of x y, both with noise of known variance.
/// The coefficients solve `(A + ridge I) beta = b`, with the ridge nought if A is clearly positive definite, that is if its
/// least eigenvalue exceeds the norm of the noise in it (with probability 95 %, Wang 2018's choice in AdaSSP), and
/// otherwise what is lacking. The ridge depends on noisy values alone.
public struct NoisyRegression: Sendable {
    /// The noisy number of rows that took part.
    public let count: Double
    /// The ridge that was added, in sums of squares of scaled columns; 0 where none was needed.
    public let ridge: Double
    /// The predicted response where all predictors are 0.
    public let intercept: Double
    /// The change of the response by a unit of each predictor.
    public let slopes: [Double]

    private let moments: NoisyMoments
    /// The scaled solution, the intercept's first; and the inverse of A + ridge I.
    private let solution: [Double]
    private let inverse: SymmetricMatrix

    init(_ moments: NoisyMoments) {
        let predictors = moments.grids.count - 1
        let gram = SymmetricMatrix(size: predictors + 1) { i, j in
            moments.sums[Self.position(moments, i, j)]
        }
        let response = (0...predictors).map { moments.sums[Self.position(moments, $0, predictors + 1)] }
        // The norm of a symmetric matrix with independent entries is about 2 sqrt(d) deviations.
        let deviation = moments.deviations.max() ?? 0
        let noise = 2 * Double(predictors + 1).squareRoot() * deviation
        let least = gram.eigen().values.min() ?? 0
        let ridge = least > 2 * noise ? 0 : 2 * noise - least
        let regular = SymmetricMatrix(size: predictors + 1) { i, j in gram[i, j] + (i == j ? ridge : 0) }
        let identity = SymmetricMatrix(size: predictors + 1) { i, j in i == j ? 1 : 0 }
        let inverse = regular.inverse() ?? identity
        let solution = inverse.times(response)
        self.moments = moments
        self.ridge = ridge
        self.inverse = inverse
        self.solution = solution
        count = moments.count
        let scale = moments.radius(predictors)
        let slopes = (0..<predictors).map { scale * solution[$0 + 1] / moments.radius($0) }
        self.slopes = slopes
        let shift = zip(slopes, 0..<predictors).reduce(0.0) { $0 + $1.0 * moments.middle($1.1) }
        intercept = moments.middle(predictors) + scale * solution[0] - shift
    }

    /// Column 0 is the constant.
    private static func position(_ moments: NoisyMoments, _ i: Int, _ j: Int) -> Int {
        if i == 0 || j == 0 { return max(i, j) }
        return moments.position(i - 1, j - 1)
    }

    /// The predicted response at those predictors, not clipped; nil for another number of them.
    public func prediction(_ predictors: [Double]) -> Double? {
        guard predictors.count == slopes.count else { return nil }
        return zip(slopes, predictors).reduce(intercept) { $0 + $1.0 * $1.1 }
    }

    /// The slopes of least squares on the clipped and rounded rows themselves lie within these, all at once, with at least
    /// that confidence; unbounded where the noisy matrix does not determine them (always with a ridge). Privacy noise
    /// only, no sampling error.
    ///
    /// For the exact solution beta, the noisy A and b have `b - A beta = e - E beta`, e and E their noise: entry k has
    /// a standard deviation of at most `s sqrt(1 + |beta|^2)`, s the largest of a sum. With the union bound all of the d
    /// entries are within z times that. With K the norm of A^-1 times sqrt(d) z s, the distance of beta from its estimate
    /// is at most `K sqrt(1 + (|estimate| + distance)^2)`, so at most `K (1 + |estimate|) / (1 - K)` if K < 1; with this
    /// bound on |beta|, each coefficient is within `sum over k of |A^-1|_ik` times the entries' bound.
    public func slopeIntervals(confidence: Double) -> [ConfidenceInterval] {
        let size = solution.count
        let z = moments.noise.criticalValue(confidence: 1 - (1 - confidence) / Double(size))
        let deviation = moments.deviations.max() ?? 0
        let norm = inverse.eigen().values.reduce(0.0) { max($0, abs($1)) }
        let factor = norm * Double(size).squareRoot() * z * deviation
        let length = solution.reduce(0.0) { $0 + $1 * $1 }.squareRoot()
        guard ridge == 0 && factor < 1 else { return slopes.map { _ in .unbounded } }
        let largest = length + factor * (1 + length) / (1 - factor)
        let entry = z * deviation * (1 + largest * largest).squareRoot()
        let scale = moments.radius(size - 1)
        return slopes.enumerated().map { predictor, slope in
            let row = (0..<size).reduce(0.0) { $0 + abs(inverse[predictor + 1, $1]) }
            let half = scale / moments.radius(predictor) * row * entry
            return ConfidenceInterval(lower: slope - half, upper: slope + half)
        }
    }
}
