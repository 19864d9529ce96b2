/// The number of rows, with exact noise.
///
/// Privacy: one unit with at most m rows changes the number by at most m, its L1 and L2 sensitivity; see `IntegerNoise`.
public struct PrivateCount: Sendable {
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int
    /// The noise on each released integer.
    public let noise: IntegerNoise

    /// Throws unless `rowsPerUnit`, the bound to which the caller has cut each unit's rows, is from 1 to 2^31, and noise
    /// for that loss exists.
    public init(rowsPerUnit: Int = 1, loss: PrivacyLoss) throws(MechanismError) {
        self.rowsPerUnit = rowsPerUnit
        noise = try IntegerNoise(rowsPerUnit: rowsPerUnit, rowL1: 1, rowL2Squared: 1, loss: loss)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// The noisy number of rows; negative where the noise is.
    public func release<R: RandomNumberGenerator>(_ count: Int, using generator: inout R) -> Int64 {
        noise.add(to: ExactSum.clamp(Int128(count)), using: &generator)
    }

    /// The variance of the released number, in rows squared.
    public var variance: Double { noise.variance }

    /// The true number lies within it with that confidence, by the exact law of the noise.
    public func interval(around released: Int64, confidence: Double) -> ConfidenceInterval {
        let half = Double(noise.halfWidth(confidence: confidence))
        return ConfidenceInterval(lower: Double(released) - half, upper: Double(released) + half)
    }
}
