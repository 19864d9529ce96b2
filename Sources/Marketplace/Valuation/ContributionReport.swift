/// Who contributed what to the winning model, with error bars: made of the totals that were opened at settlement, and of nothing else.
///
/// A score is the mean of an owner's totals over the parts of the sponsor's rows, and its standard error that mean's: it says how far the score would be from that of endlessly many rows
/// of the same kind, and holds the noise that was added to the totals: where few parts happen to lie near each other it is that noise's at the least. It does not say how far it is from a Shapley value by retraining: the module's benchmark measures that.
public struct ContributionReport: Sendable, Hashable, Codable {
    /// By owner.
    public let contributions: [Contribution]

    /// The report of these totals.
    ///
    /// - Parameters:
    ///   - totals: By owner and part, as ``InnerProductSponsor/open(_:noiseBound:)`` gives them, each weight included.
    ///   - steps: By part: what the model's own steps did, the sum over rounds of the inner product of the sponsor's vector with the global step, which she can compute alone.
    ///   - tolerance: By how much both may differ: rounding of every owner's rounds (``ValuationTerms/roundingError``), the aggregation's own, and noise of both at a stated
    ///     false-alarm rate.
    ///   - noise: The standard deviation of the noise that was added to each total (``ScoreNoise/deviation``): 0 where every update is private by itself, as `parley demo market` has it.
    /// - Throws: ``ValuationError/totals(expected:)``, ``ValuationError/sum(fold:)``.
    public init(
        totals: [PartyName: [Double]], steps: [Double], tolerance: Double, noise: Double = 0
    ) throws(ValuationError) {
        guard steps.count >= 2, !totals.isEmpty, totals.values.allSatisfy({ $0.count == steps.count }) else {
            throw .totals(expected: "at least one owner, with one total for each of at least two parts")
        }
        let owners = totals.keys.sorted()
        for fold in steps.indices {
            let sum = owners.reduce(0.0) { $0 + (totals[$1]?[fold] ?? 0) }
            guard abs(sum - steps[fold]) <= tolerance else { throw .sum(fold: fold) }
        }
        var contributions: [Contribution] = []
        for owner in owners {
            let parts = totals[owner] ?? []
            let count = Double(parts.count)
            let mean = parts.reduce(0, +) / count
            let variance = parts.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
            let error = (max(variance, noise * noise) / count).squareRoot()
            guard let score = Score(mean), let error = Score(error) else {
                throw .totals(expected: "finite numbers of at most a million")
            }
            contributions.append(Contribution(owner: owner, score: score, error: error))
        }
        self.contributions = contributions
    }
}
