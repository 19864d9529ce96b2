/// What happened, apart from how to bound it: one mechanism with its parameters. An accountant that does not know an
/// event refuses it.
///
/// Sensitivities and multipliers are about the accountant's neighbour relation. On a datasite that is add/remove:
/// datasets that differ in one privacy unit with all its rows. The two samplings state theirs.
public indirect enum PrivacyEvent: Sendable, Hashable {
    // MARK: Noise

    /// Exact discrete Gaussian noise on an integer vector (Canonne, Kamath and Steinke 2020).
    /// `sensitivitySquared`: the largest squared L2 change by one unit; `sigma`: the noise parameter, in the same grid.
    case discreteGaussian(sensitivitySquared: Double, sigma: Double)
    /// Exact discrete Laplace noise on an integer vector; `sensitivity`: the largest L1 change; `scale`: of the noise.
    case discreteLaplace(sensitivity: Double, scale: Double)
    /// Gaussian noise on a real vector, for planning and comparing: `noiseMultiplier` is its standard deviation over
    /// the L2 sensitivity.
    case gaussian(noiseMultiplier: Double)
    /// Laplace noise on a real vector, for planning and comparing: `noiseMultiplier` is its scale over the L1
    /// sensitivity.
    case laplace(noiseMultiplier: Double)
    /// Symmetric Skellam noise of that variance in each entry of an integer vector (Agarwal, Kairouz and Liu 2021): whole, or
    /// the sum of parties' shares. Rényi accountants and ledgers know it, on a Poisson sample too; others refuse it.
    case skellam(l1Sensitivity: Double, sensitivitySquared: Double, variance: Double)

    // MARK: Selection, and what is known by its loss alone

    /// An exponential mechanism of parameter epsilon (bounded range epsilon), run `times` times that one unit affects.
    case exponentialMechanism(epsilon: Double, times: Int)
    /// Keys selected by discrete Gaussian thresholding of unit counts: (rho, delta) of the whole selection.
    case thresholdSelection(groupsPerUnit: Int, sigma: Double, threshold: Int64, delta: Double)
    /// Any epsilon-differentially private mechanism: randomised response, report noisy max, sparse vector, staircase
    /// noise, ...
    case pure(epsilon: Double)
    /// Any (epsilon, delta)-differentially private mechanism: stability-based selection, ...
    case approximate(epsilon: Double, delta: Double)
    /// Any rho-zCDP mechanism.
    case zeroConcentrated(rho: Double)

    // MARK: Sampling and composition

    /// The event on a Poisson sample: every unit is in it independently, with probability `rate`. Add/remove.
    case poissonSampled(rate: Double, PrivacyEvent)
    /// The event on a sample of fixed size without replacement, from a public number of units. Replace-one, hence
    /// refused on a datasite (docs/privacy.md, rule 1).
    case fixedSizeSampled(sampleSize: Int, populationSize: Int, PrivacyEvent)
    /// Reports of `count` devices, each by an epsilon-locally private mechanism, put in random order (Feldman, McMillan
    /// and Talwar 2021). Replace-one.
    case shuffled(localEpsilon: Double, count: Int)
    /// Continual counting by a binary tree over `steps` steps, one unit in one step: Gaussian noise in every node, of
    /// `noiseMultiplier` times the L2 sensitivity (Kairouz et al. 2021).
    case treeAggregation(noiseMultiplier: Double, steps: Int)
    /// The same event, `times` times, on the same units.
    case repeated(PrivacyEvent, times: Int)
    /// Several events on the same units, in any order.
    case composition([PrivacyEvent])
}
