import Foundation

/// The numbers of `Examples/training/pneumoniamnist-together.yaml` and `Examples/training/pneumoniamnist-together-epsilon-3.yaml`. They, and those that stand
/// here alone, were chosen on validation rows.
enum StudyPlans {
    /// What a run without privacy goes by.
    enum Plain {
        static let (rate, averaging): (Float, Float) = (0.01, 0.9)
        static let (batch, rounds, localSteps) = (64, 40, 12)
        /// Of 0.003, 0.01, 0.03 and 0.1 the one with the largest AUC on validation rows, in one place and together (seeds 101 to 103).
        static let fasterRate: Float = 0.1
    }

    /// What a private run goes by: all rows are in each step.
    enum Private {
        static let (rate, averaging): (Float, Float) = (0.2, 0.99)
        static let (rounds, spareRounds, clip) = (100, 5, 20.0)
        static let delta = 1e-4
        static let epsilons = [8.0, 3.0]
        /// Of 0.025, 0.05, 0.1 and 0.2 the rates with the largest AUC on validation rows (seeds 101 to 103), where each hospital adds its own noise: averaged,
        /// and alone. More noise asks for smaller steps; the plan's own 0.2 would make these ways look worse.
        static let (localRates, aloneRates): ([Float], [Float]) = ([0.1, 0.05], [0.05, 0.025])
        /// Between averages, where each hospital adds its own noise: 1, 5 and 10 were alike on validation rows.
        static let localSteps = 5
    }

    static let (hospitals, threshold, colluders) = (3, 3, 1)
    static let classWeights: [Float] = [1.9, 0.67]
    /// Where rows are divided unevenly: half of each label's go to the hospital of its number.
    static let labelSkew = 0.5

    private static let common = [
        "    - {kind: scattering}", "    - {kind: group-normalization, groups: 27}", "    - {kind: linear, outputs: 2}",
        "loss: cross-entropy", "class-weights: [1.9, 0.67]", "  scale: {bounds: [0, 255]}",
    ]

    private static let lines = [
        "pneumoniamnist-together": common + [
            "optimizer: {kind: sgd, rate: 0.01}", "averaging: 0.9", "batch: 64",
            "federation: {rounds: 40, local-steps: 12, aggregation: masked, threshold: 3, colluders: 1, spare-rounds: 10}",
        ],
        "pneumoniamnist-together-epsilon-3": common + [
            "optimizer: {kind: sgd, rate: 0.2}", "averaging: 0.99", "batch: 4708",
            "privacy: {unit: row, clip: 20, epsilon: 3, delta: 1e-4}",
            "federation: {rounds: 100, spare-rounds: 5, least: 3, colluders: 1}",
        ],
    ]

    /// - Throws: Where a plan says something else than the study does.
    static func check() throws {
        for (name, lines) in lines {
            let file = Workplace.repository.appending(path: "Examples/training/\(name).yaml")
            let text = Set(try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init))
            for line in lines where !text.contains(line) {
                throw BenchmarkError(reason: "\(name).yaml has no line '\(line)', which the study goes by")
            }
        }
    }
}
