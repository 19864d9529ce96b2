public import DifferentialPrivacy

/// The noise that each of a vector's integers got, as far as estimators need it: independent draws of one law.
///
/// Estimators take it with the noisy integers, so that whoever computes the exact ones elsewhere may add the noise too,
/// and nothing but noisy integers meets an estimator.
public struct AddedNoise: Sendable, Hashable {
    /// The family: normal, or double exponential.
    public let law: ErrorLaw
    /// The variance of one draw, in integers squared.
    public let variance: Double

    /// The noise of a mechanism.
    public init(_ noise: IntegerNoise) {
        law = noise.law
        variance = noise.variance
    }

    /// Any other noise of that family, for instance a sum of several owners' discrete Gaussian draws. Throws unless the
    /// variance is a number from 0 to 2^100.
    public init(law: ErrorLaw, variance: Double) throws(MechanismError) {
        guard variance >= 0 && variance <= 0x1p100 else {
            throw .parameter("variance", expected: "a number from 0 to 2^100")
        }
        self.law = law
        self.variance = variance
    }

    /// The standard deviation of one draw.
    var deviation: Double { variance.squareRoot() }

    /// How far a weighted sum of draws is from zero at most, with that confidence, in its standard deviations.
    func criticalValue(confidence: Double) -> Double { law.criticalValue(confidence: confidence) }
}
