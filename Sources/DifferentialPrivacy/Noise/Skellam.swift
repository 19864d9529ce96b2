/// Exact Skellam noise: the difference of two independent Poisson draws of mean `variance / 2`. Sums of independent
/// Skellam draws are Skellam: parties that add up can share the noise among them, which is what it is used for
/// (Agarwal, Kairouz and Liu 2021, "The Skellam Mechanism for Differentially Private Federated Learning").
///
/// Privacy: of a vector of integers that one unit changes by at most `l1Sensitivity` in L1 and `sensitivitySquared` in
/// squared L2 norm, by its Rényi divergence, close to Gaussian noise's of that variance from above (theorem 3.5 there).
/// The event holds the parameters, and a Rényi accountant bounds it. Draws follow the exact law: the variance is the
/// exact dyadic rational that a `Double` is, and Poisson draws are exact (`PoissonSampler`).
///
/// Means beyond 2^20 are split into equal parts whose draws are added up, so that a draw takes time, and words, in
/// proportion to `variance / 2^21` above that. Words do not depend on what the noise is added to.
public struct Skellam: Sendable {
    /// The variance of the noise, in the integers' unit squared.
    public let variance: Double
    private let part: PoissonSampler
    private let parts: Int

    private static let largestMean = 0x1p20

    /// Throws unless the variance is from 2^-20 to 2^30.
    public init(variance: Double) throws(MechanismError) {
        guard (0x1p-20...0x1p30).contains(variance) else {
            throw .parameter("variance", expected: "a number from 2^-20 to 2^30")
        }
        var (mean, parts) = (variance / 2, 1)
        while mean > Self.largestMean { (mean, parts) = (mean / 2, 2 * parts) }
        guard let exact = Dyadic(mean) else { throw .parameter("variance", expected: "a positive number") }
        part = PoissonSampler(mean: exact)
        self.parts = parts
        self.variance = variance
    }

    /// One draw.
    public func sample<R: RandomNumberGenerator>(using generator: inout R) -> Int64 {
        (0..<parts).reduce(0) { sum, _ in
            sum + part.sample(using: &generator) - part.sample(using: &generator)
        }
    }

    /// Adds an independent draw to each value. A sum beyond Int64 becomes its bound.
    public func add<R: RandomNumberGenerator>(to values: inout [Int64], using generator: inout R) {
        for index in values.indices {
            let noise = sample(using: &generator)
            let (sum, overflows) = values[index].addingReportingOverflow(noise)
            values[index] = overflows ? (noise > 0 ? .max : .min) : sum
        }
    }

    /// What happens when it is added to a vector of those sensitivities.
    public func event(l1Sensitivity: Double, sensitivitySquared: Double) -> PrivacyEvent {
        .skellam(l1Sensitivity: l1Sensitivity, sensitivitySquared: sensitivitySquared, variance: variance)
    }

    /// The least h with P(|X| <= h) >= confidence by the exact law, up to 2^-30 of the probability outside.
    public func halfWidth(confidence: Double) -> Int64 {
        let outside = 1 - confidence
        guard outside > 0 else { return .max }
        let probabilities = probabilities()
        var tail = 0.0
        for x in probabilities.indices.reversed() {
            tail += 2 * probabilities[x]
            if tail * (1 + 0x1p-30) > outside { return Int64(x) }
        }
        return 0
    }

    /// P(X = x) for x = 0, 1, ... until it is below 2^-1000 of P(X = 0): Bessel functions' ratios by backward recurrence,
    /// `I_(k-1) / I_k = 2 k / variance + I_(k+1) / I_k` (Amos 1974), all of positive terms.
    func probabilities() -> [Double] {
        let deviation = variance.squareRoot()
        let last = Int(40 * deviation) + 400
        var ratios = [Double](repeating: 0, count: last + 2)
        for k in stride(from: last, through: 1, by: -1) {
            ratios[k] = 1 / (2 * Double(k) / variance + ratios[k + 1])
        }
        var weights = [1.0]
        while let weight = weights.last, weight > 0x1p-1000, weights.count <= last {
            weights.append(weight * ratios[weights.count])
        }
        let total = 2 * weights.reversed().reduce(0, +) - 1
        return weights.map { $0 / total }
    }
}
