/// The sum of clipped values on a public grid, with exact noise; or of their distances from the middle of the bounds.
///
/// Privacy: each of a unit's at most m rows adds an integer of at most the larger bound's magnitude, or where centred of
/// half the bounds' distance, to a sum of integers; see `IntegerNoise`. Centring pays where the number of rows is
/// released too, `sum = centred + middle * count` (docs/privacy.md, rule 21): without it the middle's share is unknown.
public struct PrivateSum: Sendable {
    /// The grid in use: the one given, coarsened where that helps the sensitivity of a row to stay within 2^24 steps.
    public let grid: ValueGrid
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int
    /// Whether distances from `middle` are added up.
    public let isCentred: Bool
    /// The noise on each released integer.
    public let noise: IntegerNoise

    /// Throws unless `rowsPerUnit` is from 1 to 2^31 and noise for that loss exists.
    public init(
        grid: ValueGrid, rowsPerUnit: Int = 1, isCentred: Bool = false, loss: PrivacyLoss
    ) throws(MechanismError) {
        let grid = try grid.coarsened(bits: ValueGrid.defaultBits, of: isCentred ? \.radius : \.magnitude)
        let largest = UInt128((isCentred ? grid.radius : grid.magnitude).magnitude)
        self.grid = grid
        self.rowsPerUnit = rowsPerUnit
        self.isCentred = isCentred
        noise = try IntegerNoise(
            rowsPerUnit: rowsPerUnit, rowL1: largest, rowL2Squared: largest * largest, loss: loss)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// What centred values are measured from: the grid point in the middle of the bounds.
    public var middle: Double { Double(grid.centre) * grid.step }

    /// The noisy sum of the values, clipped and rounded; NaN and infinities left out. An empty sum is zero, with noise.
    public func release<R: RandomNumberGenerator>(
        _ values: some Sequence<Double>, using generator: inout R
    ) -> Double {
        let origin = isCentred ? grid.centre : 0
        var sum = ExactSum()
        for value in values {
            if let index = grid.index(value) { sum.add(index - origin) }
        }
        return Double(noise.add(to: sum.clamped, using: &generator)) * grid.step
    }

    /// The variance of the noise. Rounding moves each value by at most half a step, which is not in it.
    public var variance: Double { noise.variance * grid.step * grid.step }

    /// The true sum of the clipped and rounded values lies within it with that confidence, by the noise's exact law.
    public func interval(around released: Double, confidence: Double) -> ConfidenceInterval {
        let half = Double(noise.halfWidth(confidence: confidence)) * grid.step
        return ConfidenceInterval(lower: released - half, upper: released + half)
    }
}
