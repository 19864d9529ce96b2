#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The pairs that an event's privacy loss is between: one that dominates every mechanism which fits the event's
/// description, and one that such a mechanism attains, where known.
struct LossFactor {
    var upper: SampledLaw
    var lower: SampledLaw?
    /// How many copies of the pairs an event amounts to.
    var copies = 1

    init(_ law: LossLaw) {
        upper = SampledLaw(law: law)
        lower = upper
    }

    init(upper: SampledLaw, lower: SampledLaw?) {
        self.upper = upper
        self.lower = lower
    }
}

extension PrivacyEvent {
    /// A single mechanism's losses may reach that far: exponentials of losses and their masses stay normal numbers.
    static let largestLoss = 600.0

    /// The factors of an event without composition at its top, whose parameters were checked.
    ///
    /// - Gaussian noise on a vector: by rotation, one entry that changes by the L2 sensitivity (Dong, Roth and Su 2022, theorem
    ///   2.7). A tree: the same, in all nodes that hold a step.
    /// - Threshold selection: keys are independent of each other. On keys that others have too, discrete Gaussian noise
    ///   on counts that change by 1; every other key shows nothing but with a probability, whose sum is at most delta.
    func lossFactors(cut: Double) throws(MechanismError) -> [LossFactor] {
        let factors = try uncheckedLossFactors(cut: cut)
        for factor in factors where !(factor.upper.law.reach(cut: cut) <= Self.largestLoss) {
            throw .unsupportedEvent(
                name, accountant: "privacy loss distribution", expected: "more noise: losses of at most 600 at once")
        }
        return factors
    }

    private func uncheckedLossFactors(cut: Double) throws(MechanismError) -> [LossFactor] {
        switch self {
        case .gaussian(let multiplier): return [LossFactor(.gaussian(mu: 1 / multiplier))]
        case .treeAggregation(let multiplier, let steps):
            return [LossFactor(.gaussian(mu: Self.treeNodes(steps: steps).squareRoot() / multiplier))]
        case .laplace(let multiplier): return [LossFactor(.laplace(epsilon: 1 / multiplier))]
        case .discreteLaplace(let sensitivity, let scale):
            return [LossFactor(.discreteLaplace(steps: sensitivity.rounded(.down), unit: 1 / scale))]
        case .discreteGaussian(let sensitivitySquared, let sigma):
            return try Self.discreteGaussian(sensitivitySquared.rounded(.down), sigma: sigma, cut: cut, mayRepeat: true)
        case .pure(let epsilon): return [LossFactor(.pure(epsilon: epsilon))]
        case .approximate(let epsilon, let delta): return [LossFactor(.pure(epsilon: epsilon, delta: delta))]
        case .exponentialMechanism(let epsilon, let times):
            // Two candidates whose utilities move in opposite directions have losses of plus and minus epsilon / 2.
            var factor = LossFactor(
                upper: SampledLaw(law: .boundedRange(epsilon: epsilon)),
                lower: SampledLaw(law: .pure(epsilon: epsilon / 2)))
            factor.copies = times
            return times > 0 ? [factor] : []
        case .thresholdSelection(let groups, let sigma, _, let delta):
            var factors = try Self.discreteGaussian(Double(groups), sigma: sigma, cut: cut, mayRepeat: true)
            for i in factors.indices { factors[i].lower = nil }
            let failure = SampledLaw(law: .pure(epsilon: 0, delta: delta))
            return factors + [LossFactor(upper: failure, lower: nil)]
        case .poissonSampled(let rate, let event):
            return try event.sampled(rate: rate, cut: cut)
        case .zeroConcentrated, .skellam, .fixedSizeSampled, .shuffled, .repeated, .composition:
            throw .unsupportedEvent(
                name, accountant: "privacy loss distribution",
                expected:
                    "Gaussian, Laplace or discrete noise, selection, pure or approximate mechanisms, or a Poisson "
                    + "sample of one")
        }
    }

    private func sampled(rate: Double, cut: Double) throws(MechanismError) -> [LossFactor] {
        if rate == 0 { return [] }
        if rate == 1, case .poissonSampled(let inner, let event) = self {
            return try event.sampled(rate: inner, cut: cut)
        }
        if rate == 1 { return try uncheckedLossFactors(cut: cut) }
        var factors: [LossFactor]
        switch self {
        case .discreteGaussian(let sensitivitySquared, let sigma):
            factors = try Self.discreteGaussian(
                sensitivitySquared.rounded(.down), sigma: sigma, cut: cut, mayRepeat: false)
        case .poissonSampled(let inner, let event):
            // A sample of a sample is one, at the product of the rates.
            return try event.sampled(rate: rate * inner, cut: cut)
        default: factors = try uncheckedLossFactors(cut: cut)
        }
        guard factors.count <= 1, factors.allSatisfy({ $0.copies == 1 }) else {
            throw .unsupportedEvent(
                "a sample of several mechanisms", accountant: "privacy loss distribution",
                expected: "a sample of a single one")
        }
        for i in factors.indices {
            factors[i].upper.rate = rate
            // A loss near 0 is rounded more coarsely than its own size: `SampledLaw.blur` covers what that does.
            factors[i].lower?.rate = rate
        }
        return factors
    }

    /// Discrete Gaussian noise of parameter sigma on an integer vector whose squared L2 change is at most `square`.
    ///
    /// A square of 1, 2 or 3 is that many entries that change by 1, so that the exact law, that often, dominates. It is not
    /// known that a vector is dominated by one entry in general. Beyond, and for large sigma, through the
    /// continuous law, both ways, with rho_s(x) = exp(-x^2 / (2 s^2)):
    /// - From above. Let X be N(d, sigma^2 - s^2) in each entry and round it to k with probability rho_s(k - X) over the sum of
    ///   rho_s(j - X) over all integers j. By Poisson's formula that sum is s sqrt(2 pi) (1 + x), |x| < 2.1 exp(-2 pi^2 s^2),
    ///   whatever X is; so k follows the discrete Gaussian about d but for such a factor. It is post-processing, alike for
    ///   all d: so the Gaussian pair of that smaller variance dominates, but for the factor in each changed entry.
    /// - From below. Discrete Gaussian noise plus N(0, s^2) has the density of N(d, sigma^2 + s^2) but for a factor 1 + x,
    ///   |x| < 4.2 exp(-2 pi^2 t^2), t^2 = sigma^2 s^2 / (sigma^2 + s^2). A square is attained in four entries (Lagrange).
    private static func discreteGaussian(
        _ square: Double, sigma: Double, cut: Double, mayRepeat: Bool
    ) throws(MechanismError) -> [LossFactor] {
        guard square >= 1 else { return [] }
        if sigma <= 1000 && (square == 1 || (square <= 3 && mayRepeat)) {
            guard 1 / (sigma * sigma) <= largestLoss else {
                throw .parameter("sigma", expected: "at least 0.05 for a privacy loss distribution")
            }
            var factor = LossFactor(.unitDiscreteGaussian(sigma: sigma, cut: cut))
            factor.copies = Int(square)
            return [factor]
        }
        guard sigma >= 2 else {
            throw .unsupportedEvent(
                "discrete-gaussian", accountant: "privacy loss distribution",
                expected: "sigma of at least 2 where the squared sensitivity exceeds 3, or 1 in a sample")
        }
        let width = sigma < 100 ? 2.0 : 8.0
        let variance = sigma * sigma
        let wave = 2 * Double.pi * Double.pi
        // Rounding error, normalizer and both laws of the pair: a factor 4.
        let above = square * 4 * 2.1 * exp(-wave * width)
        let below = 4 * 4 * 4.2 * exp(-wave * variance * width / (variance + width))
        return [
            LossFactor(
                upper: SampledLaw(law: .gaussian(mu: (square / (variance - width)).squareRoot()), blur: above),
                lower: SampledLaw(law: .gaussian(mu: (square / (variance + width)).squareRoot()), blur: below))
        ]
    }
}
