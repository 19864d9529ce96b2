import Crypto
import Federation
import Foundation
import Learning

/// FedBuff (Nguyen et al. 2022) against synchronous FedAvg among devices some of which are slow: how many simulated seconds it takes until the model is good.
struct StudyAsynchronous {
    /// Who is waited for.
    enum Way: String, CaseIterable {
        /// FedAvg, for everybody.
        case everybody
        /// FedAvg, as long as three times what nine of ten took who were in time before: the slow are left out.
        case deadline
        /// FedBuff: each third of the devices' updates make a step.
        case buffer

        /// For people.
        var words: String {
            switch self {
            case .everybody: "FedAvg that waits for everybody"
            case .deadline: "FedAvg with deadlines"
            case .buffer: "FedBuff"
            }
        }
    }

    static let participants = 30
    /// On validation rows; FedAvg in one go ends at 0.994 there.
    static let target = 0.993
    private static let (batch, localSteps, rate): (Int, Int, Float) = (16, 10, 0.01)
    /// One in five takes ten times as long.
    private static var conditions: Conditions {
        var conditions = Conditions()
        (conditions.stragglers, conditions.stragglerFactor) = (0.2, 10)
        return conditions
    }

    let rows: StudyRows
    let seed: UInt64
    let threads: Int

    private func plan(_ way: Way) throws -> FederatedPlan {
        let count = Self.participants
        return FederatedPlan(
            name: "study", strategy: way == .buffer ? .fedBuff(rate: 1, buffer: count / 3, exponent: 0.5) : .fedAvg,
            aggregation: .plain, rounds: 2_000, spareRounds: 2_000, least: way == .deadline ? count / 2 : count,
            parameterCount: rows.model.trainableCount, grid: try UpdateGrid(range: 1),
            work: Data(repeating: 0, count: 32),
            // The slowest take 20 seconds, and the way to and fro.
            leastSeconds: way == .everybody ? 25 : 2)
    }

    /// Simulated seconds until the weights' area under the ROC curve on validation rows is ``target``.
    ///
    /// - Throws: Where it is not after 2,000 steps.
    func seconds(_ way: Way) throws -> Double {
        let plan = try plan(way)
        let begun = TrainingRun.initialParameters(rows.model, seed: seed)
        let local = try TrainingPlan(
            model: rows.model, loss: .crossEntropy, optimizer: .gradientDescent(), learningRate: Self.rate,
            steps: Self.localSteps, classWeights: StudyPlans.classWeights)
        let works = try rows.divided(among: Self.participants, seed: seed).enumerated().map { place, part in
            try LocalTraining(
                strategy: plan.strategy, plan: local, examples: part, batchRows: Self.batch,
                seed: seed &+ UInt64(place), parameters: begun, threads: threads)
        }
        var run = try Simulator(
            plan: plan, policy: FederationPolicy(ways: [.plain]),
            identities: works.map { _ in Curve25519.Signing.PrivateKey() }, works: works,
            weights: rows.model.trained(begun), conditions: Self.conditions, seed: seed)
        while !run.coordinator.isOver {
            run.run(everybody: false, rounds: run.coordinator.model.round + 1)
            let parameters = try rows.model.parameters(begun, trained: run.coordinator.model.weights)
            let area = try rows.area(parameters, on: .validation, threads: threads)
            if area >= Self.target { return run.now }
        }
        throw BenchmarkError(reason: "\(way.rawValue): an area of \(Self.target) was not reached")
    }
}
