#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Discrete Gaussian noise that parties make together, for losses that are counted in rho: each adds an independent discrete Gaussian to what it gives a
/// sum. The sum of such noise is no discrete Gaussian, but as near to one as makes no difference, and a theorem bounds its loss at every order (Kairouz, Liu and
/// Steinke 2021, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure Aggregation", theorem 1): with h shares of parameter
/// sigma >= 1/2, an integer vector of d entries that one unit changes by at most Delta in L2 norm is rho-zCDP with
///
///     rho = 1/2 (Delta / (sqrt(h) sigma) + tau sqrt(d))^2,   tau = 10 * sum over k from 1 to h - 1 of e^(-2 pi^2 sigma^2 k / (k + 1)),
///
/// of which at most 10 (h - 1) e^(-pi^2 sigma^2) is taken here. (`DistributedSkellam` adds up exactly, and has a bound at whole orders alone: no rho.)
///
/// Who may drop out, who may collude, and between which neighbours it holds is as for `DistributedSkellam`: h = least survivors - colluders, and the shares in
/// the sum are the same on neighbours. What is in the sum beside the h shares is independent of them.
public struct DistributedGaussian: Sendable {
    /// What each party adds to its own vector.
    public let share: DiscreteGaussian
    /// How many shares at least are in the sum, and nobody's but their parties'.
    public let honest: Int
    /// What happens when the sum is opened once.
    public let event: PrivacyEvent

    /// The least parameter of a share: there the sum's law is within a factor of e^0.0006 a party of a discrete Gaussian's.
    public static let leastSigma = 1.0

    /// The least noise for which a vector costs at most `loss`; it may cost less, since shares are of no less than ``leastSigma``.
    ///
    /// - Parameters:
    ///   - sensitivitySquared: The squared L2 norm of what one unit changes.
    ///   - dimension: Entries of the vector.
    ///   - leastSurvivors: With fewer shares the sum is not opened.
    ///   - colluders: How many of those whose shares are in the sum may tell them.
    /// - Throws: Unless the loss is a positive rho, and fewer collude than survive.
    public init(
        sensitivitySquared: Double, dimension: Int, loss: PrivacyLoss, leastSurvivors: Int, colluders: Int
    ) throws(MechanismError) {
        guard loss.kind == .zeroConcentrated, loss.amount > 0 else {
            throw .parameter("loss", expected: "a positive rho")
        }
        guard colluders >= 0, leastSurvivors > colluders, leastSurvivors <= 1 << 20 else {
            throw .parameter("colluders", expected: "fewer than the least survivors, and not negative")
        }
        guard sensitivitySquared > 0, sensitivitySquared <= 0x1p80, (1...1 << 40).contains(dimension) else {
            throw .parameter("sensitivity", expected: "a positive number of at most 2^80, of 1 to 2^40 entries")
        }
        let honest = leastSurvivors - colluders
        let estimate = (sensitivitySquared / (2 * loss.value * Double(honest))).squareRoot()
        var (sigma, widening) = (max(Self.leastSigma, estimate * (1 - 0x1p-40)), 0x1p-50)
        func cost(_ sigma: Double) throws(MechanismError) -> PrivacyEvent {
            .zeroConcentrated(
                rho: Self.rho(
                    sensitivitySquared: sensitivitySquared, dimension: dimension, sigma: sigma, honest: honest))
        }
        while try cost(sigma).loss(kind: .zeroConcentrated).amount > loss.amount {
            sigma *= 1 + widening
            widening *= 2
            guard sigma <= 0x1p40 else { throw .parameter("rho", expected: "a loss that noise of scale 2^40 can give") }
        }
        self.honest = honest
        share = try DiscreteGaussian(sigma: sigma)
        event = try cost(sigma)
    }

    /// The theorem's rho, rounded up.
    static func rho(sensitivitySquared: Double, dimension: Int, sigma: Double, honest: Int) -> Double {
        let tail = OutwardRounding.up(exp(-OutwardRounding.down(Double.pi * Double.pi * sigma * sigma)))
        let tau = OutwardRounding.up(10 * Double(honest - 1) * tail)
        let ratio = OutwardRounding.up(
            sensitivitySquared.squareRoot() / OutwardRounding.down(Double(honest).squareRoot() * sigma))
        let norm = ratio + OutwardRounding.up(tau * Double(dimension).squareRoot())
        return OutwardRounding.up(norm * norm / 2)
    }

    /// The law of the noise in a sum to which so many parties gave their shares, as near as a discrete Gaussian comes to it.
    ///
    /// - Throws: Where its parameter is above 2^40.
    public func sum(shares: Int) throws(MechanismError) -> DiscreteGaussian {
        try DiscreteGaussian(sigma: share.sigma * Double(shares).squareRoot())
    }
}
