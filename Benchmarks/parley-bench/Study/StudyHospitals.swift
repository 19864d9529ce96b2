import Crypto
import Federation
import Foundation
import Learning
import Secrets

/// Hospitals that have the training rows between them, by one seed: it fixes who has which rows, in which order they are taken without privacy, and what
/// weights begin as.
struct StudyHospitals {
    let rows: StudyRows
    let seed: UInt64
    let parts: [Examples]
    let begun: Parameters
    let threads: Int
    /// Public weights of updates in proportion to rows; nil: all have as many.
    let weights: [Int]?

    init(_ rows: StudyRows, seed: UInt64, isSkewed: Bool, threads: Int) throws {
        (self.rows, self.seed, self.threads) = (rows, seed, threads)
        parts = try rows.divided(
            among: StudyPlans.hospitals, seed: seed, labelSkew: isSkewed ? StudyPlans.labelSkew : 0)
        weights = isSkewed ? parts.map(\.count) : nil
        begun = TrainingRun.initialParameters(rows.model, seed: seed)
    }

    /// Of one hospital's update in their mean.
    func share(_ place: Int) -> Double {
        guard let weights else { return 1 / Double(parts.count) }
        return Double(weights[place]) / Double(weights.reduce(0, +))
    }

    /// A model behind its last round.
    struct Trained {
        /// What the last round led to.
        var last: [Float]
        /// Averaged over rounds: what is measured.
        var averaged: [Float]
        /// How many entries of updates lay beyond the plan's range.
        var cutEntries = 0

        init(_ begun: [Float]) { (last, averaged) = (begun, begun) }

        /// As `TrainingState` averages steps.
        mutating func take(_ weights: [Float], round: Int, averaging: Float) {
            let stays = min(averaging, Float(1 + round) / Float(10 + round))
            averaged = zip(averaged, weights).map { $0 + (1 - stays) * ($1 - $0) }
            last = weights
        }
    }

    /// Runs all rounds of a plan, as messages of participants and a coordinator.
    func trained<Work: LocalWork>(_ plan: FederatedPlan, _ works: [Work], averaging: Float) throws -> Trained {
        let policy = FederationPolicy(ways: Set(Aggregation.allCases), leastHonest: 1, leastNoiseMultiplier: 0)
        let weights = rows.model.trained(begun)
        var run = try Simulator(
            plan: plan, policy: policy, identities: works.map { _ in Curve25519.Signing.PrivateKey() }, works: works,
            weights: weights, seed: seed)
        var trained = Trained(weights)
        while !run.coordinator.isOver, !run.isSilent {
            let before = run.coordinator.model.round
            run.run(everybody: false, rounds: before + 1)
            let round = run.coordinator.model.round
            if round > before { trained.take(run.coordinator.model.weights, round: round, averaging: averaging) }
        }
        guard run.coordinator.phase == .finished else {
            throw BenchmarkError(reason: "the run ended after \(run.coordinator.model.round) rounds")
        }
        trained.cutEntries = run.participants.reduce(0) { $0 + $1.state.cutEntries }
        return trained
    }

    func area(_ weights: [Float], on part: StudyRows.Part) throws -> Double {
        try rows.area(rows.model.parameters(begun, trained: weights), on: part, threads: threads)
    }
}
