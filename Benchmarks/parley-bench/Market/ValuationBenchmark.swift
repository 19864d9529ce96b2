import Foundation
import Marketplace
import ValuationStudy

/// How near values of contributions, read off a run, come to exact Shapley values by 1,024 trainings; what each kind of cheating earns; what the secret-shared inner products
/// cost. Digits of MNIST.
struct ValuationBenchmark {
    func run() throws {
        try innerProducts()
        guard let digits = Digits.find() else {
            return reportSkipped("valuation", "there is no shared/data/mnist above the package")
        }
        try cheating(digits, seeds: 20)
        try misallocation(digits, seeds: 5)
    }

    private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    /// The mean's standard error.
    private static func standardError(_ values: [Double]) -> Double {
        let mean = mean(values)
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (squares / Double(values.count - 1) / Double(values.count)).squareRoot()
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = processorSeconds()
        try body()
        return processorSeconds() - start
    }

    /// In-run values against exact Shapley by 1,024 trainings, by kind of heterogeneity.
    private func misallocation(_ digits: Digits, seeds: Int) throws {
        for kind in [Heterogeneity.noisyLabels, .sizes, .labelSkew] {
            var figures: [String: [Double]] = [:]
            for seed in 1...UInt64(seeds) {
                let cast = Cast(digits, kind, seed: seed)
                let exact = Shapley.exact(cast, .study)
                let equal = [Double](repeating: 1, count: cast.owners.count)
                figures["equal_shares", default: []].append(Shapley.misallocation(equal, exact.loss))
                for neutralised in [0, 1, 2] {
                    var valuation = InRun.Valuation()
                    valuation.neutralised = neutralised
                    let run = try InRun(
                        cast.owners.map { Participant($0) }, validation: cast.validation, valuation: valuation,
                        seed: seed)
                    let name = neutralised == 1 ? "" : neutralised == 0 ? "not_neutralised_" : "neutralised_twice_"
                    figures[name + "against_loss", default: []].append(Shapley.misallocation(run.scores, exact.loss))
                    figures[name + "against_accuracy", default: []].append(
                        Shapley.misallocation(run.scores, exact.accuracy))
                    if neutralised == 1 {
                        figures["accuracy", default: []].append(run.accuracy)
                        figures["clipped", default: []].append(run.clipped)
                    }
                }
            }
            report(
                "valuation-misallocation-\(kind.rawValue)",
                [("seeds", Double(seeds))]
                    + figures.sorted { $0.key < $1.key }.flatMap { name, values in
                        [(name, Self.mean(values)), (name + "_se", Self.standardError(values))]
                    })
        }
    }

    /// What each kind of cheating earns.
    private func cheating(_ digits: Digits, seeds: Int) throws {
        var figures: [String: [Double]] = [:]
        for seed in 1...UInt64(seeds) {
            let cast = Cast(digits, .none, seed: 1_000 + seed, owners: 11)
            for (name, value) in try Cheating.outcomes(cast, seed: seed) { figures[name, default: []].append(value) }
        }
        for kind in ["split rows", "split weight"] {
            guard let split = figures[kind + " total"], let alone = figures["alone"] else { continue }
            report(
                "valuation-cheating-\(kind.replacing(" ", with: "-"))-in-all",
                [
                    ("ratio_of_sums", split.reduce(0, +) / alone.reduce(0, +)),
                    ("largest_gain_in_honest_shares", zip(split, alone).map { 10 * ($0 - $1) }.max() ?? 0),
                    ("smallest_share_alone", alone.min() ?? 0), ("seeds", Double(seeds)),
                ])
        }
        for (name, values) in figures.sorted(by: { $0.key < $1.key }) {
            report(
                "valuation-cheating-\(name.replacing(" ", with: "-"))",
                [
                    ("share", Self.mean(values)), ("se", Self.standardError(values)), ("largest", values.max() ?? 0),
                    ("seeds", Double(seeds)),
                ])
        }
    }

    /// The protocol's own cost.
    private func innerProducts() throws {
        let (dimension, rounds, folds) = (1_000_000, 2, 5)
        let owner = MarketBenchmark.party("owner")
        let terms = try ValuationTerms(
            session: MarketBenchmark.name(0), dimension: dimension, folds: folds, rounds: rounds, updateNorm: 1,
            gradientNorm: 1)
        var dealt: (sponsor: SponsorCorrelation, owner: OwnerCorrelation)?
        let dealing = try Self.seconds { dealt = try CorrelationDealer(terms: terms).deal(to: owner) }
        guard let dealt else { return }
        var sponsor = try InnerProductSponsor(terms: terms, correlation: dealt.sponsor)
        var party = try InnerProductOwner(terms: terms, correlation: dealt.owner)
        let vector = (0..<dimension).map { Float($0 % 7 - 3) * 1e-4 }
        var times = (sponsor: 0.0, owner: 0.0)
        for round in 0..<rounds {
            var masked: MaskedGradients?
            times.sponsor += try Self.seconds {
                masked = try sponsor.begin(round: round, vectors: [[Float]](repeating: vector, count: folds))
            }
            guard let masked else { return }
            var answer: MaskedUpdate?
            times.owner += try Self.seconds { answer = try party.answer(masked, update: vector) }
            guard let answer else { return }
            times.sponsor += try Self.seconds { try sponsor.take(answer) }
        }
        let total = try sponsor.open(party.open())[0]
        let exact = Double(rounds) * vector.reduce(0) { $0 + Double($1) * Double($1) }
        report(
            "valuation-inner-products",
            [
                ("dimension", Double(dimension)), ("folds", Double(folds)),
                ("dealer_cpu_s_a_round", dealing / Double(rounds)),
                ("sponsor_cpu_s_a_round", times.sponsor / Double(rounds)),
                ("owner_cpu_s_a_round", times.owner / Double(rounds)), ("difference", abs(total - exact)),
                ("bytes_a_round", Double(8 * dimension * (folds + 1))),
            ])
    }
}
