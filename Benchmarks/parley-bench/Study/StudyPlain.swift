import Federation
import Foundation
import Learning

/// Training without noise.
extension StudyHospitals {
    private typealias Numbers = StudyPlans.Plain

    private func plan(rate: Float = Numbers.rate, steps: Int, averaging: Float?) throws -> TrainingPlan {
        try TrainingPlan(
            model: rows.model, loss: .crossEntropy, optimizer: .gradientDescent(), learningRate: rate,
            steps: steps, classWeights: StudyPlans.classWeights, averaging: averaging)
    }

    /// As many steps as all rounds have, on some rows in one place.
    private func alone(_ examples: Examples, batch: Int, rate: Float = Numbers.rate) throws -> [Float] {
        let plan = try plan(rate: rate, steps: Numbers.rounds * Numbers.localSteps, averaging: Numbers.averaging)
        var run = try TrainingRun(
            plan: plan, examples: examples, batchRows: batch, seed: seed, threads: threads, parameters: begun)
        for _ in 0..<plan.steps { _ = try run.step() }
        return rows.model.trained(run.state.result)
    }

    /// All rows in one place, each step on as many rows as the hospitals' steps have together.
    func central(rate: Float = StudyPlans.Plain.rate) throws -> [Float] {
        try alone(rows.train, batch: Numbers.batch * parts.count, rate: rate)
    }

    /// Each hospital by itself.
    func alone() throws -> [[Float]] { try parts.map { try alone($0, batch: Numbers.batch) } }

    /// FedAvg among the hospitals; masked: the sums of updates alone are opened.
    func federated(isMasked: Bool, rate: Float = StudyPlans.Plain.rate) throws -> Trained {
        let local = try plan(rate: rate, steps: Numbers.localSteps, averaging: nil)
        let plan = FederatedPlan(
            name: "study", strategy: .fedAvg,
            aggregation: isMasked
                ? .masked(threshold: StudyPlans.threshold, colluders: StudyPlans.colluders) : .plain,
            rounds: Numbers.rounds, least: parts.count, parameterCount: rows.model.trainableCount,
            grid: try UpdateGrid(range: 1), work: Data(repeating: 0, count: 32), weights: weights, leastSeconds: 30)
        let works = try parts.enumerated().map { place, part in
            try LocalTraining(
                strategy: plan.strategy, plan: local, examples: part, batchRows: Numbers.batch,
                seed: seed &+ UInt64(place), parameters: begun, threads: threads)
        }
        return try trained(plan, works, averaging: Numbers.averaging)
    }

    /// The same in floating point, without messages, grids and masks: what fixed point is compared with.
    func federatedInFloatingPoint() throws -> Trained {
        let local = try plan(steps: Numbers.localSteps, averaging: nil)
        var trained = Trained(rows.model.trained(begun))
        for round in 0..<Numbers.rounds {
            let before = try rows.model.parameters(begun, trained: trained.last)
            var mean = [Double](repeating: 0, count: trained.last.count)
            for (place, part) in parts.enumerated() {
                // The order of a round's rows is that of `LocalTraining`.
                var run = try TrainingRun(
                    plan: local, examples: part, batchRows: Numbers.batch,
                    seed: seed &+ UInt64(place) &+ UInt64(round) &* 0x9E37_79B9_7F4A_7C15, threads: threads,
                    parameters: before)
                for _ in 0..<local.steps { _ = try run.step() }
                let after = rows.model.trained(run.state.result)
                for index in mean.indices {
                    mean[index] += share(place) * (Double(after[index]) - Double(trained.last[index]))
                }
            }
            let moved = zip(trained.last, mean).map { Float(Double($0) + $1) }
            trained.take(moved, round: round + 1, averaging: Numbers.averaging)
        }
        return trained
    }
}
