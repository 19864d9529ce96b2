public import DifferentialPrivacy

/// A generalised linear model of rows with declared bounds: least squares, logistic or Poisson regression, with intervals
/// that hold sampling and noise together.
public struct PrivateGLM: Sendable {
    public let steps: Int
    private let newton: NewtonSteps

    public init(
        _ design: RegressionDesign, family: RegressionFamily, variance: SamplingVariance = .model, rowsPerUnit: Int = 1,
        loss: PrivacyLoss
    ) throws(MechanismError) {
        newton = try NewtonSteps(
            design, family: family, rowsPerUnit: rowsPerUnit, isRobust: variance == .robust, loss: loss)
        steps = newton.count
    }

    public func release<R: RandomNumberGenerator>(_ units: [[RegressionRow]], using generator: inout R)
        throws(MechanismError) -> RegressionEstimate
    {
        var noisy: [[Int64]] = []
        var encoded = EncodedRow()
        for step in 0..<steps {
            let point = try newton.next(after: noisy)
            var sums = [ExactSum](repeating: ExactSum(), count: point.layout.length)
            for unit in units { try newton.add(unit, to: &sums, at: point, &encoded) }
            var totals = sums.map(\.clamped)
            try newton.noise(step, point.layout).add(to: &totals, using: &generator)
            noisy.append(totals)
        }
        return try newton.estimate(noisy)
    }
}
