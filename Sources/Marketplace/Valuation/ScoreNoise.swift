/// What an owner's totals cost her people where a single update is not private by itself, and the noise that pays for it (rules 34 and 35 of the privacy rules).
///
/// With secure aggregation each site's vector has only its share of the noise, so that a total is no post-processing of something private. One privacy unit moves an update by at most its
/// clipping norm, and so a round's inner product by at most that times the norm of the sponsor's clipped vector (Cauchy and Schwarz), plus what rounding to fixed point can add; over the rounds in which the unit
/// takes part these add up, in each part of the rows. Parts are opened together: their sensitivity is that of one times the root of their number.
/// Discrete Gaussian noise of standard deviation s on a total of sensitivity D is D^2 / (2 s^2)-zCDP (Bun and Steinke 2016, proposition 1.6; discrete: Canonne, Kamath
/// and Steinke 2020, theorem 4), charged before the rounds begin, and never given back.
///
/// **Beside the sums.** A total holds the owner's share of the noise that protects the opened sums, so that both together are no plain composition. Where shares are Gaussian, with variance
/// v each of h and t of a total's noise over the squared norm of the sponsor's vector, all sums and totals together have (x + h) / (h (1 + x)) / v of Fisher information along
/// that vector, x = t / v, which is x / (1 + x) of what the two charges sum to: they may be added. For other shares that is not proved here: the other way is to charge updates as if all shares but an
/// owner's own were known. Each is private by itself then, totals need no noise, and are post-processing: `parley demo market` does so, at h times the charge of the sums.
///
/// **Who uses it.** Nothing of the program: no command and no engine of a datasite gives totals out whose updates are not private by themselves. A program that does
/// charges ``rho`` to each owner's people before the first round, never gives it back, and has the dealer add what neither side knows:
///
/// ```swift
/// import DifferentialPrivacy
/// import Marketplace
///
/// /// At the dealer, for each owner. It draws up to 2^40: norms are chosen for a deviation of at most 1.
/// func deal(
///     to owner: PartyName, _ terms: ValuationTerms, _ noise: ScoreNoise
/// ) throws -> (sponsor: SponsorCorrelation, owner: OwnerCorrelation) {
///     let gaussian = try DiscreteGaussian(sigma: Double(noise.standardDeviation))
///     var random = SystemRandomNumberGenerator()
///     let drawn = (0..<terms.folds).map { _ in gaussian.sample(using: &random) }
///     return try CorrelationDealer(terms: terms).deal(to: owner, noise: drawn)
/// }
///
/// /// At the sponsor, at settlement; `rounding` is what totals and steps may differ by without noise.
/// func report(
///     _ opened: [PartyName: (side: InnerProductSponsor, shares: OpenedTotals)], _ noise: ScoreNoise, steps: [Double],
///     rounding: Double
/// ) throws -> ContributionReport {
///     var totals: [PartyName: [Double]] = [:]
///     for (owner, one) in opened { totals[owner] = try one.side.open(one.shares, noiseBound: 12 * noise.deviation) }
///     return try ContributionReport(
///         totals: totals, steps: steps,
///         tolerance: rounding + 12 * noise.deviation * Double(opened.count).squareRoot(), noise: noise.deviation)
/// }
/// ```
public struct ScoreNoise: Sendable, Hashable {
    /// By how much one unit moves the totals, in units of 2^-40, rounded up: the Euclidean norm over parts.
    public let sensitivity: Int64
    /// The noise's standard deviation on each total, in units of 2^-40.
    public let standardDeviation: Int64

    /// Noise for a multiple of the sensitivity.
    ///
    /// - Parameters:
    ///   - unitNorm: By how much one unit moves an update at the most: the clipping norm by which a unit's contribution is bounded, over the number that the update divides by.
    ///   - unitRounds: In how many rounds a unit takes part at the most.
    ///   - multiplier: Standard deviations a unit of sensitivity, above 0.
    /// - Throws: ``ValuationError/terms(_:expected:)`` where a number is out of range, or the noise could leave no room for a total.
    public init(
        terms: ValuationTerms, unitNorm: Double, unitRounds: Int, multiplier: Double
    ) throws(ValuationError) {
        guard unitNorm > 0, unitNorm.isFinite else { throw .terms("the unit's norm", expected: "above 0 and finite") }
        guard (1...terms.rounds).contains(unitRounds) else {
            throw .terms("rounds of a unit", expected: "1 to \(terms.rounds)")
        }
        guard multiplier > 0, multiplier.isFinite else { throw .terms("multiplier", expected: "above 0 and finite") }
        let moved = min(unitNorm, 2 * terms.updateNorm)
        // Both neighbouring updates are rounded: half a unit an entry each.
        let unit = 1 / Double(1 << ValuationTerms.fractionBits)
        let rounded = moved * (1 + 1e-6) + unit * Double(terms.dimension).squareRoot()
        let gradient = terms.gradientNorm * (1 + 1e-6) + 0.5 * unit * Double(terms.dimension).squareRoot()
        let one = Double(unitRounds) * rounded * gradient
        let sensitivity = one * Double(terms.folds).squareRoot() * Double(1 << (2 * ValuationTerms.fractionBits))
        guard 40 * multiplier * sensitivity < Double(1 << 62) else {
            throw .terms("noise", expected: "40 standard deviations below 2^22")
        }
        self.sensitivity = Int64(sensitivity.rounded(.up))
        standardDeviation = Int64((multiplier * Double(self.sensitivity)).rounded(.up))
    }

    /// The charge in zCDP, for all parts together.
    public var rho: Double {
        let ratio = Double(sensitivity) / Double(standardDeviation)
        return ratio * ratio / 2
    }

    /// The standard deviation in the totals' unit.
    public var deviation: Double { Double(standardDeviation) / Double(1 << (2 * ValuationTerms.fractionBits)) }
}
