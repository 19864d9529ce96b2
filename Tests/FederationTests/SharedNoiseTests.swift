import DifferentialPrivacy
import Foundation
import Learning
import Testing

@testable import Federation

/// Distributed noise: what is opened is one private step on the union of all rows, with as much noise as is charged for, whoever colludes.
@Suite("Distributed noise")
struct SharedNoiseTests {
    private static let inputs = 40

    /// Keeps what each site gave.
    private final class Given {
        var integers: [[Int64]] = []
    }

    private struct Kept: LocalWork {
        var work: PrivateLocalTraining
        let given: Given

        mutating func update(
            of model: RunModel, in header: RoundHeader, carried: [Float]
        ) throws -> (update: LocalUpdate, carried: [Float]) {
            let result = try work.update(of: model, in: header, carried: carried)
            if case .integers(let integers) = result.update { given.integers.append(integers) }
            return result
        }
    }

    private func plan(
        sites: Int, rounds: Int, noise: Double, rate: Double = 1, threshold: Int, colluders: Int, least: Int? = nil
    ) -> FederatedPlan {
        FederatedPlan(
            name: "noisy", strategy: .fedSGD(rate: 1),
            aggregation: .distributedNoise(threshold: threshold, colluders: colluders),
            rounds: rounds, spareRounds: 1, least: least ?? sites, parameterCount: Self.inputs,
            noise: SharedNoise(clippingNorm: 1, noiseMultiplier: noise, samplingRate: rate, capacity: 12),
            work: Data(repeating: 3, count: 32), leastSeconds: 100)
    }

    private func examples(_ units: [(x: [Float], y: Float)]) throws -> Examples {
        try Examples(
            inputs: Tensor(shape: [units.count, Self.inputs], values: units.flatMap(\.x)),
            targets: .values(Tensor(shape: [units.count, 1], values: units.map(\.y))))
    }

    private func run(
        _ plan: FederatedPlan, _ sites: [[(x: [Float], y: Float)]], conditions: Conditions = Conditions()
    ) throws -> (run: Simulator<Kept>, given: [Given]) {
        let model = try Model(inputShape: [Self.inputs]) { Linear(1, hasBias: false) }
        let training = try TrainingPlan(
            model: model, loss: .meanSquared, optimizer: .gradientDescent(), learningRate: 1,
            steps: plan.rounds + plan.spareRounds)
        let zeros = Parameters(names: ["0.weight"], tensors: [Tensor(shape: [1, Self.inputs])])
        let given = sites.map { _ in Given() }
        let works = try zip(sites, given).map {
            Kept(
                work: try PrivateLocalTraining(plan, training: training, examples: examples($0), parameters: zeros),
                given: $1)
        }
        var run = try Simulator(
            plan: plan, policy: FederationPolicy(ways: [.distributedNoise], leastNoiseMultiplier: 0),
            identities: Runs.identities(sites.count),
            works: works, weights: [Float](repeating: 0, count: Self.inputs), conditions: conditions, seed: 3)
        run.run(until: 1e6)
        return (run, given)
    }

    private func unit(_ direction: Int, size: Float) -> (x: [Float], y: Float) {
        ((0..<Self.inputs).map { $0 == direction ? 1 : 0 }, -size / 2)
    }

    @Test("With hardly any noise the step is the clipped mean over the union, to the bit of the grid")
    func union() throws {
        let plan = plan(sites: 3, rounds: 1, noise: 0x1p-10, threshold: 3, colluders: 1)
        let (run, _) = try run(
            plan, [[unit(0, size: 0.5), unit(1, size: 100)], [unit(0, size: 0.25)], [unit(2, size: -50)]])
        #expect(run.coordinator.phase == .finished && run.errors.isEmpty)
        // Clipped at 0.99 of the norm; 12 units are declared; the gradient is the rows' size, and the step goes against it.
        let expected: [Float] = [-(0.5 + 0.25) / 12, -0.99 / 12, 0.99 / 12]
        for (weight, expected) in zip(run.coordinator.model.weights, expected) {
            #expect(abs(weight - expected) < 2e-3)
        }
    }

    @Test(
        "Without colluders' shares at least sigma squared is left, and no more than is needed (chi-square, false alarm 1e-9)"
    )
    func honestShares() throws {
        let rounds = 60
        let plan = plan(sites: 4, rounds: rounds, noise: 2, threshold: 3, colluders: 1, least: 3)
        let (run, given) = try run(plan, [[], [], [], []])
        #expect(run.coordinator.phase == .finished)
        let sigma = try plan.privacy().sigma
        // Four shares came, three at least had to, one is known: two honest ones are sigma squared, and three are here.
        let shares = try plan.shares()
        #expect(shares.honest == 2 && shares.variance >= sigma * sigma)
        var (square, count) = (0.0, 0.0)
        for round in 0..<rounds {
            for entry in 0..<Self.inputs {
                let left = given.dropFirst().reduce(0.0) { $0 + Double($1.integers[round][entry]) }
                (square, count) = (square + left * left / (sigma * sigma * 3 / 2), count + 1)
            }
        }
        // Six standard deviations of a chi-square.
        #expect(abs(square / count - 1) < 6 * (2 / count).squareRoot())
        // Two of them alone still hold it.
        square = 0
        for round in 0..<rounds {
            for entry in 0..<Self.inputs {
                let left = given.suffix(2).reduce(0.0) { $0 + Double($1.integers[round][entry]) }
                square += left * left / (sigma * sigma)
            }
        }
        #expect(abs(square / count - 1) < 6 * (2 / count).squareRoot())
    }

    @Test("A round of too few shares is void, its draw is never sent again, and spare rounds take over")
    func void() throws {
        let plan = plan(sites: 3, rounds: 3, noise: 1, threshold: 3, colluders: 1)
        var conditions = Conditions()
        conditions.participantCrash = 0.2
        let (run, given) = try run(plan, [[unit(0, size: 1)], [], []], conditions: conditions)
        #expect(run.coordinator.phase == .finished || run.coordinator.phase == .aborted)
        #expect(run.coordinator.attempts <= 4)
        // No two draws of a site are the same: each was drawn for itself.
        for site in given { #expect(Set(site.integers).count == site.integers.count) }
    }

    private struct Failing: LocalWork {
        var inner: PrivateLocalTraining
        var fails: Bool

        mutating func update(
            of model: RunModel, in header: RoundHeader, carried: [Float]
        ) throws -> (update: LocalUpdate, carried: [Float]) {
            if fails { throw CocoaError(.fileReadUnknown) }
            return try inner.update(of: model, in: header, carried: carried)
        }
    }

    @Test("A site whose work fails gives no share of the noise, and so leaves: nothing is opened over it")
    func failing() throws {
        let plan = plan(sites: 3, rounds: 1, noise: 1, threshold: 3, colluders: 1)
        let model = try Model(inputShape: [Self.inputs]) { Linear(1, hasBias: false) }
        let training = try TrainingPlan(
            model: model, loss: .meanSquared, optimizer: .gradientDescent(), learningRate: 1, steps: 2)
        let zeros = Parameters(names: ["0.weight"], tensors: [Tensor(shape: [1, Self.inputs])])
        let works = try (0..<3).map {
            Failing(
                inner: try PrivateLocalTraining(plan, training: training, examples: examples([]), parameters: zeros),
                fails: $0 == 2)
        }
        var run = try Simulator(
            plan: plan, policy: FederationPolicy(ways: [.distributedNoise], leastHonest: 1, leastNoiseMultiplier: 0),
            identities: Runs.identities(3), works: works, weights: [Float](repeating: 0, count: Self.inputs), seed: 1)
        run.run(until: 1e6)
        #expect(run.coordinator.phase == .aborted && run.coordinator.model.round == 0)
        #expect(run.coordinator.events.contains { $0.participant == 2 && $0.words.contains("its own work failed") })
    }

    @Test("The event is of the honest shares, of all rounds; epsilon is near the Gaussian's")
    func event() throws {
        let plan = plan(sites: 3, rounds: 99, noise: 1, rate: 0.1, threshold: 3, colluders: 1)
        guard
            case .repeated(.poissonSampled(let rate, .skellam(let l1, let squared, let variance)), let times) =
                try plan.event()
        else {
            Issue.record("another event")
            return
        }
        let privacy = try plan.privacy()
        #expect(
            rate == 0.1 && times == 100 && squared == privacy.sensitivitySquared
                && variance >= privacy.sigma * privacy.sigma)
        #expect(l1 <= squared && l1 >= squared.squareRoot())
        var (skellam, gaussian) = (try RenyiAccountant(), try RenyiAccountant())
        try skellam.compose(plan.event())
        try gaussian.compose(privacy.event)
        let (one, other) = (try skellam.epsilon(delta: 1e-5).upper, try gaussian.epsilon(delta: 1e-5).upper)
        #expect(one >= other && one < 1.01 * other)
    }

    @Test("A plan that the owner's policy does not allow is refused by name, before anything is sent")
    func policy() throws {
        let plan = plan(sites: 3, rounds: 10, noise: 0.4, threshold: 3, colluders: 1)
        func refusal(_ policy: FederationPolicy) -> String? {
            do throws(FederationError) {
                try policy.check(plan, participants: 3)
                return nil
            } catch { return "\(error)" }
        }
        #expect(refusal(FederationPolicy(ways: [.masked]))?.contains("distributed noise") == true)
        #expect(refusal(FederationPolicy(ways: [.distributedNoise]))?.contains("noise multiplier 0.4") == true)
        let least = 0.1
        #expect(
            refusal(FederationPolicy(ways: [.distributedNoise], leastHonest: 3, leastNoiseMultiplier: least))?.contains(
                "honest") == true)
        #expect(
            refusal(FederationPolicy(ways: [.distributedNoise], leastColluders: 2, leastNoiseMultiplier: least))?
                .contains("colluders") == true)
        #expect(
            refusal(FederationPolicy(ways: [.distributedNoise], leastNoiseMultiplier: least, clippingNorms: 2...3))?
                .contains("clipping norm 1")
                == true)
        #expect(
            refusal(FederationPolicy(ways: [.distributedNoise], leastNoiseMultiplier: least, mostRounds: 10))?.contains(
                "11 rounds") == true)
        #expect(refusal(FederationPolicy(ways: [.distributedNoise], leastNoiseMultiplier: least)) == nil)
    }
}
