/// Exact noise on a vector of integers, of the law that the kind of loss calls for: discrete Laplace by the L1
/// sensitivity under pure epsilon, discrete Gaussian by the L2 sensitivity under zCDP.
///
/// Privacy: see `DiscreteLaplace` and `DiscreteGaussian`. The scale is the least that costs at most the loss, exactly as
/// the event's own loss is computed.
public struct IntegerNoise: Sendable {
    private enum Law: Sendable {
        case laplace(DiscreteLaplace)
        case gaussian(DiscreteGaussian)
    }

    private let draws: Law
    /// What happens when it is added to one vector of the sensitivities that it was made for.
    public let event: PrivacyEvent

    /// Throws unless the loss is positive and calls for a scale from 2^-20 to 2^40.
    ///
    /// - Parameters:
    ///   - l1Sensitivity: the largest L1 change of the vector by one privacy unit, in its integers.
    ///   - l2SensitivitySquared: the largest squared L2 change.
    ///   - loss: what the whole vector may cost.
    public init(
        l1Sensitivity: UInt128, l2SensitivitySquared: UInt128, loss: PrivacyLoss
    ) throws(MechanismError) {
        guard l1Sensitivity > 0 && l2SensitivitySquared > 0 else {
            throw .parameter("sensitivity", expected: "a positive number")
        }
        switch loss.kind {
        case .pure:
            let sensitivity = Self.roundedUp(l1Sensitivity)
            let noise = try DiscreteLaplace(sensitivity: sensitivity, loss: loss)
            draws = .laplace(noise)
            event = noise.event(sensitivity: sensitivity)
        case .renyi: throw .parameter("loss", expected: "a positive epsilon or rho")
        case .zeroConcentrated:
            let square = Self.roundedUp(l2SensitivitySquared)
            let noise = try DiscreteGaussian(sensitivitySquared: square, loss: loss)
            draws = .gaussian(noise)
            event = noise.event(sensitivitySquared: square)
        }
    }

    /// For a vector that a unit changes by several rows, each of which adds a vector of at most these norms: the
    /// triangle inequality.
    init(
        rowsPerUnit: Int, rowL1: UInt128, rowL2Squared: UInt128, loss: PrivacyLoss
    ) throws(MechanismError) {
        let rows = UInt128(try Self.check(rowsPerUnit: rowsPerUnit))
        let (l1, overflow1) = rowL1.multipliedReportingOverflow(by: rows)
        let (square, overflow2) = rowL2Squared.multipliedReportingOverflow(by: rows * rows)
        guard !overflow1 && !overflow2 else {
            throw .parameter("rows per unit", expected: "a sensitivity that noise of scale 2^40 can cover")
        }
        try self.init(l1Sensitivity: l1, l2SensitivitySquared: square, loss: loss)
    }

    /// Throws unless it is from 1 to 2^31.
    static func check(rowsPerUnit: Int) throws(MechanismError) -> Int {
        guard (1...(1 << 31)).contains(rowsPerUnit) else {
            throw .parameter("rows per unit", expected: "a number from 1 to 2^31")
        }
        return rowsPerUnit
    }

    /// The least `Double` that is not below the number.
    private static func roundedUp(_ value: UInt128) -> Double {
        let nearest = Double(value)
        guard let back = UInt128(exactly: nearest), back < value else { return nearest }
        return nearest.nextUp
    }

    /// One draw.
    public func sample<R: RandomNumberGenerator>(using generator: inout R) -> Int64 {
        switch draws {
        case .laplace(let noise): return noise.sample(using: &generator)
        case .gaussian(let noise): return noise.sample(using: &generator)
        }
    }

    /// Adds an independent draw to each value. A sum beyond Int64 becomes its bound.
    public func add<R: RandomNumberGenerator>(to values: inout [Int64], using generator: inout R) {
        switch draws {
        case .laplace(let noise): noise.add(to: &values, using: &generator)
        case .gaussian(let noise): noise.add(to: &values, using: &generator)
        }
    }

    /// The value and an independent draw. A sum beyond Int64 becomes its bound.
    public func add<R: RandomNumberGenerator>(to value: Int64, using generator: inout R) -> Int64 {
        let noise = sample(using: &generator)
        let (sum, overflows) = value.addingReportingOverflow(noise)
        return overflows ? (noise > 0 ? .max : .min) : sum
    }

    /// The variance of one draw.
    public var variance: Double {
        switch draws {
        case .laplace(let noise): return noise.variance
        case .gaussian(let noise): return noise.variance
        }
    }

    /// The least h with P(|X| <= h) >= confidence by the exact law.
    public func halfWidth(confidence: Double) -> Int64 {
        switch draws {
        case .laplace(let noise): return noise.halfWidth(confidence: confidence)
        case .gaussian(let noise): return noise.halfWidth(confidence: confidence)
        }
    }

    /// P(X >= t) by the exact law, rounded upwards.
    public func upperTail(_ t: Int64) -> Double {
        switch draws {
        case .laplace(let noise): return noise.upperTail(t)
        case .gaussian(let noise): return noise.upperTail(t)
        }
    }

    /// A number z for which a weighted sum of independent draws is, with that confidence, within z of its standard
    /// deviation: the law's own, and half a unit of the draw of the largest weight, which is at most the root of the sum
    /// of squares. Without it, noise of a few units would be covered too rarely, being whole numbers.
    public func criticalValue(confidence: Double) -> Double {
        let variance = variance
        return law.criticalValue(confidence: confidence) + (variance > 0 ? 1 / (2 * variance.squareRoot()) : 0)
    }

    /// The law, for intervals of combinations of several draws.
    public var law: ErrorLaw {
        switch draws {
        case .laplace: return .laplace
        case .gaussian: return .gaussian
        }
    }
    /// How wide it is, for intervals of combinations of several draws; none where a draw is never but zero.
    func error(confidence: Double) -> IntegerError {
        guard variance > 0 else { return .none }
        switch draws {
        case .laplace(let noise): return IntegerError(noise, confidence: confidence)
        case .gaussian(let noise): return IntegerError(noise, confidence: confidence)
        }
    }
}
