import Crypto
import Foundation

@testable import Federation

/// A participant whose local loss is |weights - target|^2 / 2: its gradient is weights - target, and the best weights of all are the mean of the targets.
struct Quadratic: LocalWork {
    var target: [Float]
    var strategy: Strategy = .fedAvg
    var steps = 1
    var rate: Float = 0.5
    var calls = 0

    mutating func update(
        of model: RunModel, in header: RoundHeader, carried: [Float]
    ) throws -> (update: LocalUpdate, carried: [Float]) {
        calls += 1
        if case .fedSGD = strategy { return (.numbers(zip(model.weights, target).map { $0 - $1 }), carried) }
        var weights = model.weights
        for _ in 0..<steps {
            for index in weights.indices { weights[index] -= rate * (weights[index] - target[index]) }
        }
        return (.numbers(zip(weights, model.weights).map { $0 - $1 }), carried)
    }
}

enum Runs {
    static let length = 5

    static func identities(_ count: Int) -> [Curve25519.Signing.PrivateKey] { (0..<count).map { _ in .init() } }

    static func targets(_ count: Int) -> [[Float]] {
        (0..<count).map { place in (0..<length).map { Float(($0 + 1) * (place % 7 + 1)) / 8 - 1 } }
    }

    static func plan(
        _ strategy: Strategy = .fedAvg, _ aggregation: FederatedPlan.Aggregation = .plain, participants: Int,
        rounds: Int = 4,
        spare: Int = 4, perRound: Int? = nil, least: Int? = nil, seconds: Double = 20
    ) throws -> FederatedPlan {
        FederatedPlan(
            name: "a run", strategy: strategy, aggregation: aggregation, rounds: rounds, spareRounds: spare,
            perRound: perRound,
            least: least ?? perRound ?? participants, parameterCount: length, grid: try UpdateGrid(range: 16),
            work: Data(repeating: 1, count: 32),
            leastSeconds: seconds)
    }

    static let anything = FederationPolicy(ways: [.plain, .masked, .distributedNoise], leastHonest: 1)

    static func simulator(
        _ plan: FederatedPlan, participants: Int, conditions: Conditions = Conditions(), seed: UInt64 = 1,
        policy: FederationPolicy = anything
    ) throws -> Simulator<Quadratic> {
        try Simulator(
            plan: plan, policy: policy, identities: identities(participants),
            works: targets(participants).map { Quadratic(target: $0, strategy: plan.strategy) },
            weights: [Float](repeating: 0, count: length), conditions: conditions, seed: seed)
    }

    /// What the rounds lead to where all take part: computed by hand.
    static func expected(participants: Int, rounds: Int, rate: Double = 0.5) -> [Double] {
        let targets = targets(participants)
        var weights = [Double](repeating: 0, count: length)
        for _ in 0..<rounds {
            for index in weights.indices {
                let mean = targets.reduce(0.0) { $0 + Double($1[index]) } / Double(participants)
                weights[index] -= rate * (weights[index] - mean)
            }
        }
        return weights
    }
}
