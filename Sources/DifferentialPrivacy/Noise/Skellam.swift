/// Exact Skellam noise: the difference of two independent Poisson draws of mean `variance / 2`. Sums of independent
/// Skellam draws are Skellam: parties that add up can share the noise among them, which is what it is used for
/// (Agarwal, Kairouz and Liu 2021, "The Skellam Mechanism for Differentially Private Federated Learning").
///
/// Privacy: of a vector of integers that one unit changes by at most `l1Sensitivity` in L1 and `sensitivitySquared` in
/// squared L2 norm, by its Rényi divergence, close to Gaussian noise's of that variance from above (theorem 3.5 there).
/// The event holds the parameters, and a Rényi accountant bounds it.
///
/// The variance is the exact dyadic rational that a `Double` is, and all arithmetic of a draw is on integers. Poisson draws
/// of a mean below 2^12 come from a table and follow the law exactly (`PoissonSampler`); those of larger means from an
/// envelope (`EnvelopeSampler`), within 2^-167 of the law in total variation (`PoissonExponent` says why), so that noise is
/// within 2^-166 of Skellam noise: n draws add n 2^-166 (1 + e^epsilon) to delta, which nothing counts. A draw takes the same
/// time, about two words, at any variance; words do not depend on what the noise is added to.
public struct Skellam: Sendable {
    /// The variance of the noise, in the integers' unit squared.
    public let variance: Double
    @usableFromInline let part: Part

    /// A Poisson law; the envelope's about its mode, which a difference does not see.
    @usableFromInline
    enum Part: Sendable {
        case table(PoissonSampler)
        case envelope(EnvelopeSampler)
    }

    /// From 2^-20, below which a draw is zero for all practical purposes, to 2^48.
    static let range = 0x1p-20...0x1p48

    /// Throws unless the variance is from 2^-20 to 2^48.
    public init(variance: Double) throws(MechanismError) {
        try self.init(variance: variance, isExactOnly: false)
    }

    init(variance: Double, isExactOnly: Bool) throws(MechanismError) {
        guard Self.range.contains(variance), let mean = Dyadic(variance / 2) else {
            throw .parameter("variance", expected: "a number from 2^-20 to 2^48")
        }
        if let law = PoissonExponent(mean: mean) {
            part = .envelope(EnvelopeSampler(poisson: law, mean: variance / 2, isExactOnly: isExactOnly))
        } else {
            part = .table(PoissonSampler(mean: mean))
        }
        self.variance = variance
    }

    /// One draw.
    @inlinable
    public func sample<R: RandomNumberGenerator>(using generator: inout R) -> Int64 {
        switch part {
        case .table(let poisson): poisson.sample(using: &generator) - poisson.sample(using: &generator)
        case .envelope(let poisson): poisson.sample(using: &generator) - poisson.sample(using: &generator)
        }
    }

    /// Adds an independent draw to each value. A sum beyond Int64 becomes its bound.
    @inlinable
    public func add<R: RandomNumberGenerator>(to values: inout [Int64], using generator: inout R) {
        switch part {
        case .table(let poisson):
            Self.add(to: &values) { poisson.sample(using: &generator) - poisson.sample(using: &generator) }
        case .envelope(let poisson):
            Self.add(to: &values) { poisson.sample(using: &generator) - poisson.sample(using: &generator) }
        }
    }

    @inlinable @inline(__always)
    static func add(to values: inout [Int64], _ draw: () -> Int64) {
        for index in values.indices {
            let noise = draw()
            let (sum, overflows) = values[index].addingReportingOverflow(noise)
            values[index] = overflows ? (noise > 0 ? .max : .min) : sum
        }
    }

    /// What happens when it is added to a vector of those sensitivities.
    public func event(l1Sensitivity: Double, sensitivitySquared: Double) -> PrivacyEvent {
        .skellam(l1Sensitivity: l1Sensitivity, sensitivitySquared: sensitivitySquared, variance: variance)
    }
}
