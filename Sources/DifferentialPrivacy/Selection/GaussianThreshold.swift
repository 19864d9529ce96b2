/// Private selection of group keys: the keys whose noisy number of units reaches a threshold (docs/privacy.md, rule 18).
///
/// Each key that occurs gets its number of units plus a discrete Gaussian draw of parameter sigma; it is kept if the
/// sum is at least `threshold`. Keys that do not occur are never considered, and that is what delta pays for.
///
/// Privacy ((rho, delta): delta-approximate rho-zCDP, Bun and Steinke 2016, definition 8.1). Add one unit; it occurs in
/// at most k groups. On keys that occur without it, the counts change by at most 1 in at most k places: sensitivity
/// squared k, rho = k / (2 sigma^2), and thresholding is post-processing. A key that occurs only with it has one unit,
/// and is kept with probability P(X >= threshold - 1); that none of at most k such keys is kept fails with probability
/// at most k P(X >= threshold - 1) <= delta, by the exact law's tail rounded upwards. Given that none is kept, the
/// output is distributed as without them. The noisy counts of kept keys may be output: they are part of the same
/// vector.
public struct GaussianThreshold: Sendable {
    /// The most groups in which one privacy unit occurs.
    public let groupsPerUnit: Int
    /// The noise on each number of units.
    public let noise: DiscreteGaussian
    /// A key is kept from this noisy number of units on.
    public let threshold: Int64
    /// An upper bound on the probability of failure: at most the delta that was asked for.
    public let delta: Double

    /// The noise's parameter, in units of privacy.
    public var sigma: Double { noise.sigma }

    /// The least noise that costs at most rho, and then the least threshold that costs at most delta. Throws unless
    /// `groupsPerUnit` is positive, rho is positive and delta is from 2^-60 (just below its unit of charge) to 1.
    public init(groupsPerUnit: Int, rho: Double, delta: Double) throws(MechanismError) {
        guard groupsPerUnit > 0 else { throw .parameter("groups per unit", expected: "a positive number") }
        // Tails are rounded upwards, never to zero, so that a threshold for every smaller delta need not exist.
        guard delta >= 0x1p-60 && delta < 1 else { throw .parameter("delta", expected: "a number from 2^-60 to 1") }
        let noise = try DiscreteGaussian(
            sensitivitySquared: Double(groupsPerUnit), loss: try PrivacyLoss(roundingDownRho: rho))
        let law = DiscreteGaussianLaw(sigma: noise.sigma)
        threshold = law.least(from: 1) { Self.delta(groupsPerUnit, law, $0) <= delta }
        self.groupsPerUnit = groupsPerUnit
        self.noise = noise
        self.delta = Self.delta(groupsPerUnit, law, threshold)
    }

    /// As above, for a zCDP loss with a delta.
    public init(groupsPerUnit: Int, loss: PrivacyLoss) throws(MechanismError) {
        guard loss.kind == .zeroConcentrated else { throw .unsupported("key selection", kind: loss.kind) }
        try self.init(groupsPerUnit: groupsPerUnit, rho: loss.value, delta: loss.deltaValue.nextDown)
    }

    /// Whether a key of that noisy number of units is kept.
    @inlinable
    public func keep(_ noisy: Int64) -> Bool {
        noisy >= threshold
    }

    /// What happens: the whole selection, once.
    public var event: PrivacyEvent {
        .thresholdSelection(groupsPerUnit: groupsPerUnit, sigma: sigma, threshold: threshold, delta: delta)
    }

    /// The delta that a selection needs, rounded upwards.
    static func delta(groupsPerUnit: Int, sigma: Double, threshold: Int64) throws(MechanismError) -> Double {
        guard groupsPerUnit > 0 else { throw .parameter("groups per unit", expected: "a positive number") }
        _ = try NoiseScale.check(sigma, "sigma")
        return delta(groupsPerUnit, DiscreteGaussianLaw(sigma: sigma), threshold)
    }

    private static func delta(_ groupsPerUnit: Int, _ law: DiscreteGaussianLaw, _ threshold: Int64) -> Double {
        guard threshold > .min else { return 1 }
        return min(1, OutwardRounding.up(Double(groupsPerUnit) * law.upperTail(threshold - 1)))
    }
}
