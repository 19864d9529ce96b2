/// The covariance matrix of several clipped columns, from their noisy moments.
///
/// Privacy: that of `PrivateMoments`; the rest is post-processing.
public struct PrivateCovariance: Sendable {
    /// What is released, and with which noise.
    public let moments: PrivateMoments

    /// Throws unless there are from 1 to 64 columns, `rowsPerUnit` is from 1 to 2^31, and noise for that loss exists.
    public init(grids: [ValueGrid], rowsPerUnit: Int = 1, loss: PrivacyLoss) throws(MechanismError) {
        moments = try PrivateMoments(grids: grids, rowsPerUnit: rowsPerUnit, loss: loss)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { moments.event }

    /// The noisy covariance matrix, by rows, positive semidefinite; see `NoisyMoments.covariance`. Throws unless each row
    /// has a value for every column.
    public func release<R: RandomNumberGenerator>(
        _ rows: some Sequence<[Double]>, using generator: inout R
    ) throws(MechanismError) -> [[Double]] {
        try moments.release(rows, using: &generator).covariance
    }

    /// About the standard deviation of an entry, in units of the two columns' half widths, for that many rows: the noise
    /// of the product's sum; exact to first order for columns with their means in the middle of their bounds.
    public func scaledDeviation(rows: Double) -> Double {
        moments.noise.variance.squareRoot() / Double(moments.largest) / rows
    }
}
