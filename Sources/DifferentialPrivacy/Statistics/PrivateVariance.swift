/// The variance of clipped values, with their number and mean, from three noisy sums.
///
/// With u the distance of a value from the lower bound in steps and W the width of the bounds, the sums of the
/// Bernstein polynomials (W - u)^2, 2 u (W - u) and u^2 are released. They are not negative and add up to W^2 for every
/// row, so that a row's L1 norm is W^2 exactly and its squared L2 norm at most W^4. Count, first and second moment are
/// linear in them: with x = (2 u - W) / W in [-1, 1], `1 = (a + b + c) / W^2`, `x = (c - a) / W^2`,
/// `x^2 = (a - b + c) / W^2`. Under pure epsilon their variances are a third and less of those when the budget is split
/// in three.
///
/// Privacy: exact noise on those three integers (`IntegerNoise`); the rest is post-processing.
public struct PrivateVariance: Sendable {
    /// The grid in use: the one given, coarsened until the bounds are at most 2^16 steps apart, further where the noise
    /// for so small a loss would exceed 2^40 steps.
    public let grid: ValueGrid
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int
    /// The noise on each released integer.
    public let noise: IntegerNoise

    /// Throws unless `rowsPerUnit` is from 1 to 2^31 and noise for that loss exists.
    public init(grid: ValueGrid, rowsPerUnit: Int = 1, loss: PrivacyLoss) throws(MechanismError) {
        var bits = 16
        var (finest, noise) = try Self.noise(grid, bits: bits, rowsPerUnit, loss)
        while noise == nil && bits > 6 {
            bits -= 1
            (finest, noise) = try Self.noise(grid, bits: bits, rowsPerUnit, loss)
        }
        guard let noise else {
            throw .parameter("loss", expected: "a loss that noise of scale 2^40 can give")
        }
        self.grid = finest
        self.rowsPerUnit = rowsPerUnit
        self.noise = noise
    }

    /// The grid of at most 2^bits steps, and its noise, where that exists.
    private static func noise(
        _ grid: ValueGrid, bits: Int, _ rowsPerUnit: Int, _ loss: PrivacyLoss
    ) throws(MechanismError) -> (ValueGrid, IntegerNoise?) {
        _ = try IntegerNoise.check(rowsPerUnit: rowsPerUnit)
        let grid = try grid.coarsened(bits: bits, of: \.width)
        let square = UInt128(grid.width.magnitude) * UInt128(grid.width.magnitude)
        let noise = try? IntegerNoise(
            rowsPerUnit: rowsPerUnit, rowL1: square, rowL2Squared: square * square, loss: loss)
        return (grid, noise)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// Count, mean and variance of the values, clipped and rounded; NaN and infinities left out.
    public func release<R: RandomNumberGenerator>(
        _ values: some Sequence<Double>, using generator: inout R
    ) -> NoisyVariance {
        var sums = (ExactSum(), ExactSum(), ExactSum())
        for value in values {
            guard let index = grid.index(value) else { continue }
            let u = index - grid.lowest
            let rest = grid.highest - index
            sums.0.add(rest * rest)
            sums.1.add(2 * u * rest)
            sums.2.add(u * u)
        }
        var totals = [sums.0.clamped, sums.1.clamped, sums.2.clamped]
        noise.add(to: &totals, using: &generator)
        let square = Double(grid.width) * Double(grid.width)
        return NoisyVariance(
            bernstein: totals.map { Double($0) / square }, unit: 1 / square,
            lower: Double(grid.lowest) * grid.step, halfWidth: Double(grid.width) * grid.step / 2, noise: noise)
    }
}

/// Count, mean and variance from noisy sums of Bernstein polynomials.
public struct NoisyVariance: Sendable {
    /// The sums of the polynomials (1 - s)^2, 2 s (1 - s) and s^2, s in [0, 1], with independent noise.
    let bernstein: [Double]
    /// What one step of the noisy integers is worth in them.
    private let unit: Double
    private let lower: Double
    private let halfWidth: Double
    private let noise: IntegerNoise

    init(bernstein: [Double], unit: Double, lower: Double, halfWidth: Double, noise: IntegerNoise) {
        self.bernstein = bernstein
        self.unit = unit
        self.lower = lower
        self.halfWidth = halfWidth
        self.noise = noise
    }

    /// The noisy number of values that took part.
    public var count: Double { bernstein[0] + bernstein[1] + bernstein[2] }

    private var first: Double { bernstein[2] - bernstein[0] }
    private var second: Double { bernstein[0] - bernstein[1] + bernstein[2] }

    /// The mean, within the bounds; their middle where the noisy count is not positive.
    public var mean: Double {
        let scaled = count > 0 ? min(max(first / count, -1), 1) : 0
        return lower + halfWidth * (1 + scaled)
    }

    /// The variance, `E[x^2] - E[x]^2` (of the values as they are: divided by their number), from 0 to the square of half
    /// the bounds' distance; 0 where the noisy count is not positive.
    public var variance: Double {
        guard count > 0 else { return 0 }
        let mean = min(max(first / count, -1), 1)
        return halfWidth * halfWidth * min(max(second / count - mean * mean, 0), 1)
    }

    /// The true variance of the clipped and rounded values lies within it with that confidence.
    ///
    /// As of any variance (`ErrorModel`), from the forms that count and moments are of the three sums; all that a variance
    /// can be where the count may be zero.
    public func interval(confidence: Double) -> ConfidenceInterval {
        let model = ErrorModel(Array(repeating: noise.error(confidence: confidence), count: 3))
        func estimate(_ signs: [Double]) -> LinearEstimate {
            zip(signs, bernstein).enumerated().reduce(LinearEstimate(form: LinearForm(), value: 0)) { total, term in
                let (sign, sum) = term.element
                return LinearEstimate(
                    form: total.form + LinearForm(number: term.offset, coefficient: sign * unit),
                    value: total.value + sign * sum)
            }
        }
        let scaled = model.variance(
            sum: estimate([-1, 0, 1]), squares: estimate([1, -1, 1]), count: estimate([1, 1, 1]), largest: 1
        ).within(0, 1)
        let square = halfWidth * halfWidth
        return ConfidenceInterval(lower: square * scaled.lower, upper: square * scaled.upper)
    }
}
