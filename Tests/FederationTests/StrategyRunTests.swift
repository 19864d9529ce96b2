import Foundation
import Learning
import Secrets
import Testing

@testable import Federation

@Suite("Strategies in whole runs")
struct StrategyRunTests {
    /// Rows of a linear law with some noise, those of each participant shifted by its own.
    private static func rows(_ participant: Int, count: Int) throws -> Examples {
        var random = SeededGenerator(seed: UInt64(participant) + 100)
        func number() -> Float { Float(random.next() >> 40) * 0x1p-23 - 1 }
        let inputs = (0..<count * 3).map { _ in number() + Float(participant % 3) / 4 }
        let targets = (0..<count).map { row in
            2 * inputs[3 * row] - inputs[3 * row + 1] + Float(participant % 2) / 2 + number() / 10
        }
        return try Examples(
            inputs: Tensor(shape: [count, 3], values: inputs),
            targets: .values(Tensor(shape: [count, 1], values: targets)))
    }

    private static let model = try? Model(inputShape: [3]) { Linear(1) }

    private static func run(
        _ strategy: Strategy, participants: Int = 6, rounds: Int, steps: Int, batch: Int = 40,
        conditions: Conditions = Conditions()
    ) throws -> Simulator<LocalTraining> {
        let model = try #require(model)
        let plan = FederatedPlan(
            name: "rows", strategy: strategy, aggregation: .plain, rounds: rounds, least: participants,
            parameterCount: model.trainableCount, grid: try UpdateGrid(range: 16, bits: 36),
            work: Data(repeating: 2, count: 32),
            leastSeconds: 1_000)
        let local = try TrainingPlan(
            model: model, loss: .meanSquared, optimizer: .gradientDescent(), learningRate: 0.05, steps: steps)
        let parameters = TrainingRun.initialParameters(model, seed: 3)
        let works = try (0..<participants).map {
            try LocalTraining(
                strategy: strategy, plan: local, examples: rows($0, count: 40), batchRows: batch, seed: UInt64($0),
                parameters: parameters)
        }
        var run = try Simulator(
            plan: plan, policy: Runs.anything, identities: Runs.identities(participants), works: works,
            weights: model.trained(parameters), conditions: conditions, seed: 5)
        run.run()
        #expect(run.coordinator.phase == .finished && run.errors.isEmpty)
        return run
    }

    /// Gradient descent on all participants' rows together.
    private static func central(participants: Int = 6, steps: Int, rate: Float) throws -> [Float] {
        let model = try #require(model)
        let parts = try (0..<participants).map { try rows($0, count: 40) }
        let all = try Examples(
            inputs: Tensor(shape: [40 * participants, 3], values: parts.flatMap { $0.inputs(Array(0..<40)).values }),
            targets: .values(
                Tensor(
                    shape: [40 * participants, 1],
                    values: parts.flatMap { part -> [Float] in
                        guard case .values(let values) = part.targets else { return [] }
                        return values.values
                    })))
        let plan = try TrainingPlan(
            model: model, loss: .meanSquared, optimizer: .gradientDescent(), learningRate: rate, steps: steps)
        var run = try TrainingRun(
            plan: plan, examples: all, batchRows: 40 * participants, seed: 1,
            parameters: TrainingRun.initialParameters(model, seed: 3))
        for _ in 0..<steps { _ = try run.step() }
        return model.trained(run.state.parameters)
    }

    private func distance(_ one: [Float], _ other: [Float]) -> Float { zip(one, other).map { abs($0 - $1) }.max() ?? 0 }

    @Test("FedSGD is gradient descent on all rows; one local step of FedAvg, FedProx and SCAFFOLD is the same")
    func central() throws {
        let expected = try Self.central(steps: 12, rate: 0.05)
        #expect(
            distance(try Self.run(.fedSGD(rate: 0.05), rounds: 12, steps: 1).coordinator.model.weights, expected) < 1e-6
        )
        for strategy in [Strategy.fedAvg, .fedAvgM(rate: 1, momentum: 0), .fedProx(mu: 0.3), .scaffold(rate: 1)] {
            // The proximal term is nothing at the round's own weights, and control variates cancel in the mean.
            let weights = try Self.run(strategy, rounds: 12, steps: 1).coordinator.model.weights
            #expect(distance(weights, expected) < 2e-6)
        }
    }

    @Test("With many local steps SCAFFOLD comes nearer to the best of all rows than FedAvg does; FedProx drifts less")
    func drift() throws {
        let best = try Self.central(steps: 6_000, rate: 0.2)
        let average = distance(try Self.run(.fedAvg, rounds: 60, steps: 40).coordinator.model.weights, best)
        let scaffold = distance(try Self.run(.scaffold(rate: 1), rounds: 60, steps: 40).coordinator.model.weights, best)
        #expect(average > 0.01 && scaffold < average / 5)
    }

    @Test(
        "Every strategy brings the loss down",
        arguments: [
            Strategy.fedSGD(rate: 0.1), .fedAvg, .fedAvgM(rate: 1, momentum: 0.5), .fedProx(mu: 0.1),
            .fedAdam(AdaptiveStep(rate: 0.1)),
            .fedYogi(AdaptiveStep(rate: 0.1)), .scaffold(rate: 1), .fedBuff(rate: 1, buffer: 3, exponent: 0.5),
            .coordinateMedian,
            .trimmedMean(trim: 1), .multiKrum(byzantine: 1, kept: 3), .centredClipping(radius: 1, iterations: 3),
        ])
    func learns(strategy: Strategy) throws {
        let best = try Self.central(steps: 3_000, rate: 0.2)
        let start = distance(Self.model.map { $0.trained(TrainingRun.initialParameters($0, seed: 3)) } ?? [], best)
        let run = try Self.run(strategy, rounds: 60, steps: 4, batch: 20)
        #expect(distance(run.coordinator.model.weights, best) < start / 2)
    }

    @Test(
        "A run without cohorts takes slow participants' updates as late as they are, and is done long before a run with them"
    )
    func buffered() throws {
        var conditions = Conditions()
        (conditions.stragglers, conditions.stragglerFactor) = (0.3, 20)
        let buffered = try Self.run(
            .fedBuff(rate: 1, buffer: 3, exponent: 0.5), participants: 8, rounds: 16, steps: 4, conditions: conditions)
        let rounds = try Self.run(.fedAvg, participants: 8, rounds: 6, steps: 4, conditions: conditions)
        // As many updates in both: 16 times 3, 6 times 8.
        #expect(buffered.now < rounds.now / 2)
    }

    @Test("One site of seven that sends a million times its update: robust rules bear it, the mean of all does not")
    func byzantine() throws {
        func run(_ strategy: Strategy) throws -> Float {
            var plan = try Runs.plan(strategy, participants: 7, rounds: 30)
            plan.grid = try UpdateGrid(range: 0x1p22, bits: 40)
            var run = try Runs.simulator(plan, participants: 7)
            run.tampering = { message, place in
                guard place == 3, case .update(let attempt, let integers) = message else { return message }
                return .update(
                    attempt: attempt,
                    integers: Packed(integers.values.map { max(-1 << 40, min(1 << 40, $0 &* -1_000_000)) }))
            }
            run.run()
            return zip(run.coordinator.model.weights, Runs.expected(participants: 7, rounds: 30)).map {
                abs($0 - Float($1))
            }.max() ?? 0
        }
        for strategy in [
            Strategy.coordinateMedian, .trimmedMean(trim: 1), .multiKrum(byzantine: 1, kept: 4),
            .centredClipping(radius: 2, iterations: 5),
        ] {
            #expect(try run(strategy) < 1)
        }
        #expect(try run(.fedAvg) > 1_000)
    }

    @Test("What a strategy cannot do under masks or noise is refused by name before the run")
    func refused() throws {
        for strategy in [
            Strategy.coordinateMedian, .trimmedMean(trim: 1), .multiKrum(byzantine: 1, kept: 1),
            .centredClipping(radius: 1, iterations: 1),
            .fedBuff(rate: 1, buffer: 2, exponent: 0),
        ] {
            let plan = try Runs.plan(strategy, .masked(threshold: 4, colluders: 0), participants: 6)
            #expect {
                try plan.check(participants: 6)
            } throws: { "\($0)".contains(strategy.kind.rawValue) }
        }
    }
}
