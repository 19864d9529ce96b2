public import Marketplace

/// What cheating earns, as shares of the pot by ``ContributionReport`` and ``Earnings``: scores below zero, or not above so many standard errors, earn nothing.
public enum Cheating {
    /// By kind of cheating:
    /// - zero, random, stale, flipped: one owner in ten; what it earns over the mean honest share.
    /// - copy: the last of eleven sends what the first one sends; what it earns over what the first one earns without it.
    /// - copied: what both earn then over what the first one earns alone.
    /// - scaled: the first one sends its update times 5; what it earns over what it earns otherwise.
    /// - split rows: the first one's rows in ten accounts; what they earn over what it earns otherwise.
    /// - split weight: ten accounts, each of which trains on all rows and has a tenth of the weight.
    /// - alone: the first one's share without cheating, and split rows total: that of its ten accounts. Where the first is nearly nothing (on one of twenty seeds a two-hundredth of the pot), a ratio of one
    ///   run says little, since of ten noisy scores those below zero cost nothing: the ratio of sums over seeds is what splitting earns on average.
    ///
    /// - Throws: `ValuationError`.
    public static func outcomes(_ cast: Cast, seed: UInt64) throws(ValuationError) -> [String: Double] {
        var outcomes: [String: Double] = [:]
        func shares(_ participants: [Participant], significance: Double) throws(ValuationError) -> [Double] {
            let run = try InRun(participants, validation: cast.validation, seed: seed)
            return Shapley.shares(zip(run.scores, run.errors).map { $0 >= significance * $1 ? $0 : 0 })
        }
        let honest = cast.owners.prefix(10).map { Participant($0) }
        for significance in [0.0, 2] {
            let name = significance == 0 ? "" : " (significance \(Int(significance)))"
            for (kind, conduct) in [
                ("zero", Participant.Conduct.zero), ("random", .random), ("stale", .stale), ("flipped", .flipped),
            ] {
                let cheats = honest.prefix(9) + [Participant(cast.owners[9], conduct)]
                let earned = try shares(Array(cheats), significance: significance)
                outcomes[kind + name] = earned[9] * 9 / earned.prefix(9).reduce(0, +)
            }
            let alone = try shares(honest, significance: significance)[0]
            let copied = try shares(honest + [Participant(cast.owners[0], .copy(of: 0))], significance: significance)
            outcomes["alone" + name] = alone
            outcomes["copy" + name] = copied[10] / alone
            outcomes["copied" + name] = (copied[0] + copied[10]) / alone
            let scaled = [Participant(cast.owners[0], .scaled(5))] + honest.dropFirst()
            outcomes["scaled" + name] = try shares(scaled, significance: significance)[0] / alone
            let rows = cast.owners[0]
            let tenth = rows.count / 10
            let splitRows = (0..<10).map { Participant(rows.part($0 * tenth..<($0 + 1) * tenth)) }
            let splitWeight = (0..<10).map { _ in Participant(rows, weight: Double(rows.count) / 10) }
            for (kind, split) in [("split rows", splitRows), ("split weight", splitWeight)] {
                let earned = try shares(split + honest.dropFirst(), significance: significance)
                outcomes[kind + name] = earned.prefix(10).reduce(0, +) / alone
                outcomes[kind + " total" + name] = earned.prefix(10).reduce(0, +)
            }
        }
        return outcomes
    }
}
