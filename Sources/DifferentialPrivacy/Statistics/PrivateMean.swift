/// The mean of clipped values, with the number of rows and their sum, from two noisy sums.
///
/// With u the distance of a value from the lower bound in steps and W the width of the bounds, the sums of u and of
/// W - u are released: together they give the count (their sum over W), the centred sum (half their difference), and the
/// mean. A row adds a vector (u, W - u) of L1 norm W exactly and of squared L2 norm at most W^2. Under pure epsilon that
/// is half the variance, for count and sum alike, of splitting the budget between them: the region of (1, x) for x in
/// [-1, 1] has the L1 ball's corners once it is turned. Under zCDP the two ways are equal.
///
/// Privacy: exact noise on those two integers (`IntegerNoise`); the rest is post-processing, and never divides by the
/// true number of rows.
public struct PrivateMean: Sendable {
    /// The grid in use: the one given, coarsened until the bounds are at most 2^24 steps apart.
    public let grid: ValueGrid
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int
    /// The noise on each released integer.
    public let noise: IntegerNoise

    /// Throws unless `rowsPerUnit` is from 1 to 2^31 and noise for that loss exists.
    public init(grid: ValueGrid, rowsPerUnit: Int = 1, loss: PrivacyLoss) throws(MechanismError) {
        let grid = try grid.coarsened(bits: ValueGrid.defaultBits, of: \.width)
        let width = UInt128(grid.width.magnitude)
        self.grid = grid
        self.rowsPerUnit = rowsPerUnit
        noise = try IntegerNoise(rowsPerUnit: rowsPerUnit, rowL1: width, rowL2Squared: width * width, loss: loss)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// Count, sum and mean of the values, clipped and rounded; NaN and infinities left out.
    public func release<R: RandomNumberGenerator>(
        _ values: some Sequence<Double>, using generator: inout R
    ) -> NoisyMean {
        var (above, below) = (ExactSum(), ExactSum())
        for value in values {
            guard let index = grid.index(value) else { continue }
            above.add(index - grid.lowest)
            below.add(grid.highest - index)
        }
        let left = Double(noise.add(to: above.clamped, using: &generator))
        let right = Double(noise.add(to: below.clamped, using: &generator))
        let width = Double(grid.width)
        let middle = grid.step * (Double(grid.lowest) + width / 2)
        return NoisyMean(
            centredSum: grid.step * (left - right) / 2, sumVariance: grid.step * grid.step * noise.variance / 2,
            count: (left + right) / width, countVariance: 2 * noise.variance / (width * width), middle: middle,
            grid: grid, noises: [noise])
    }

    /// About the mean's variance for that many rows: the noise of the centred sum, and at a distance from the middle
    /// of the bounds that of the count. Exact for no distance, to first order.
    public func variance(rows: Double, distanceFromMiddle: Double = 0) -> Double {
        let width = Double(grid.width)
        let sum = grid.step * grid.step * noise.variance / 2
        let count = 2 * noise.variance / (width * width)
        return (sum + distanceFromMiddle * distanceFromMiddle * count) / (rows * rows)
    }
}

/// A mean from a noisy centred sum and a noisy count with uncorrelated errors.
public struct NoisyMean: Sendable {
    /// The noisy number of values that took part.
    public let count: Double
    /// The noisy sum of the values.
    public let sum: Double
    /// The mean, within the bounds; the middle of the bounds where the noisy count is not positive.
    public let mean: Double
    private let centredSum: Double
    private let middle: Double
    private let sumVariance: Double
    private let countVariance: Double
    private let noises: [IntegerNoise]

    init(
        centredSum: Double, sumVariance: Double, count: Double, countVariance: Double, middle: Double, grid: ValueGrid,
        noises: [IntegerNoise]
    ) {
        self.centredSum = centredSum
        self.sumVariance = sumVariance
        self.count = count
        self.countVariance = countVariance
        self.middle = middle
        self.noises = noises
        sum = centredSum + middle * count
        mean = count > 0 ? min(max(middle + centredSum / count, grid.lower), grid.upper) : middle
    }

    /// From a centred sum and a count that were released before, each with its mechanism: the count may serve several
    /// means. Throws unless the sum was centred and both have noise of one law.
    public init(
        centredSum: Double, of sum: PrivateSum, count: Int64, of counted: PrivateCount
    ) throws(MechanismError) {
        guard sum.isCentred else { throw .parameter("sum", expected: "one that is centred in its bounds") }
        guard sum.noise.law == counted.noise.law else { throw .mixedKinds }
        self.init(
            centredSum: centredSum, sumVariance: sum.variance, count: Double(count),
            countVariance: counted.variance, middle: sum.middle, grid: sum.grid,
            noises: [sum.noise, counted.noise])
    }

    /// The variance of the sum's noise, from both released numbers.
    public var varianceOfSum: Double { sumVariance + middle * middle * countVariance }

    /// The true mean of the clipped and rounded values lies within it with that confidence: Fieller's interval, which
    /// is unbounded where the count may be zero.
    public func interval(confidence: Double) -> ConfidenceInterval {
        let z = noises.reduce(0.0) { max($0, $1.criticalValue(confidence: confidence)) }
        let ratio = ConfidenceInterval.ratio(
            numerator: centredSum, denominator: count,
            squaredErrors: .init(numerator: z * z * sumVariance, denominator: z * z * countVariance, product: 0))
        return ConfidenceInterval(lower: middle + ratio.lower, upper: middle + ratio.upper)
    }
}
