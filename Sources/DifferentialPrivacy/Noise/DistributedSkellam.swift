/// Skellam noise that parties make together: each adds a share of its own to what it gives a sum, and the sum of the shares
/// is Skellam noise, exactly, of the sum of their variances (Agarwal, Kairouz and Liu 2021, section 4).
///
/// Some parties may drop out, and some may tell their shares: with at least `leastSurvivors` shares in the sum and at most
/// `colluders` of them known, h = leastSurvivors - colluders shares at least are in it that nobody knows. A share has the
/// variance asked for, over h, so that these h alone have no less than that. The event that is charged is theirs. What else is
/// in the sum is independent of them: more noise, or a shift that is known, both post-processing.
///
/// Privacy: as for `Skellam` of the variance of h shares, for neighbours between which the *shares in the sum* are the same:
/// a unit that is removed leaves its party's share behind (a person at a datasite; a device whose vector counts as zero, but
/// which takes part). Where removing a unit removes a share too, the two sums' noise has different variances, and no bound
/// for a shift holds: then let shares come from parties whose taking part is public, the servers of a secure sum for example.
/// Whether so many shares did arrive must be checked before the sum is opened; with fewer there is less noise than was
/// charged for. Parties that add too little knowingly count among the colluders.
public struct DistributedSkellam: Sendable {
    /// What each party adds to its own vector.
    public let share: Skellam
    /// How many shares at least are in the sum, and nobody's but their parties'.
    public let honest: Int
    /// The variance of so many shares, rounded down: at least what was asked for.
    public let variance: Double

    /// - Parameters:
    ///   - variance: Of the noise that must be in the sum, whoever drops out and whoever colludes.
    ///   - leastSurvivors: With fewer shares the sum is not opened.
    ///   - colluders: How many of those whose shares are in the sum may tell them.
    /// - Throws: Unless fewer collude than survive, and a share's variance is from 2^-20 to 2^48.
    public init(variance: Double, leastSurvivors: Int, colluders: Int = 0) throws(MechanismError) {
        guard colluders >= 0, leastSurvivors > colluders, leastSurvivors <= 1 << 40 else {
            throw .parameter("colluders", expected: "fewer than the least survivors, and not negative")
        }
        guard variance > 0 && variance <= 0x1p88 else {
            throw .parameter("variance", expected: "a positive number whose share is at most 2^48")
        }
        let count = Double(leastSurvivors - colluders)
        var one = variance / count
        // The sign of a fused sum is exact.
        while (-variance).addingProduct(one, count) < 0 { one = one.nextUp }
        share = try Skellam(variance: one)
        honest = leastSurvivors - colluders
        let product = one * count
        self.variance = (-product).addingProduct(one, count) < 0 ? product.nextDown : product
    }

    /// The variance of the noise in a sum to which so many parties gave their shares, known ones included.
    public func variance(shares: Int) -> Double { share.variance * Double(shares) }

    /// What happens when the sum is opened once, of a vector of those sensitivities.
    public func event(l1Sensitivity: Double, sensitivitySquared: Double) -> PrivacyEvent {
        .skellam(l1Sensitivity: l1Sensitivity, sensitivitySquared: sensitivitySquared, variance: variance)
    }
}
