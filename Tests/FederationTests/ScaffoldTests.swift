import Testing

@testable import Federation

@Suite("SCAFFOLD")
struct ScaffoldTests {
    let problem = LeastSquares(participants: 6, dimensions: 4, heterogeneity: 0.8, seed: 3)

    /// Rounds in which those take part whom `present` names.
    private func run(
        rounds: Int, steps: Int, rate: Float, present: (Int) -> [Int]
    ) throws -> (weights: [Float], state: ServerState, controls: [ControlVariate]) {
        let strategy = Strategy.scaffold(rate: 1)
        var weights = [Float](repeating: 0, count: 4)
        var state = try ServerState(strategy, parameters: 4)
        var controls = problem.participants.map { _ in ControlVariate(parameters: 4) }
        let total = problem.weights.reduce(0, +)
        for round in 0..<rounds {
            let cohort = present(round)
            let vectors = try cohort.map { index in
                let correction = try LocalCorrection(
                    strategy, anchor: weights, server: state.control, own: controls[index])
                let after = try problem.participants[index].train(
                    weights, steps: steps, rate: rate, correction: correction)
                return try controls[index].renew(
                    server: state.control, before: weights, after: after, steps: steps, rate: Double(rate))
            }
            let shares = cohort.map { problem.weights[$0] }
            let mean = try strategy.combine(vectors, weights: shares).vector
            try state.apply(mean: mean, to: &weights, strategy: strategy, share: shares.reduce(0, +) / total)
        }
        return (weights, state, controls)
    }

    @Test("It finds the central optimum with many local steps of participants that differ, where FedAvg is biased")
    func optimum() throws {
        let optimum = problem.optimum.map { Float($0) }
        let weights = try run(rounds: 1500, steps: 10, rate: 0.05) { _ in Array(0..<6) }.weights
        #expect(distance(weights, optimum) < 1e-4)
        let average = try problem.run(.fedAvg, rounds: 1500, steps: 10, rate: 0.05)
        #expect(distance(average, optimum) > 2e-2)
    }

    @Test("It does so where half take part, and the server's control stays the mean of the participants'")
    func partial() throws {
        let optimum = problem.optimum.map { Float($0) }
        let (weights, state, controls) = try run(rounds: 4000, steps: 5, rate: 0.03) { round in
            round % 2 == 0 ? [0, 2, 4] : [1, 3, 5]
        }
        #expect(distance(weights, optimum) < 1e-3)
        let mean = try Strategy.fedAvg.combine(controls.map(\.values), weights: problem.weights).vector
        #expect(distance(mean, state.control) < 1e-3)
        #expect(controls.contains { norm($0.values, [0, 0, 0, 0]) > 0.1 })
    }

    @Test("The new control variate is option II: the mean corrected gradient of one local step is the gradient itself")
    func optionTwo() throws {
        // One step: y = x - eta (g - own + server), so that own - server + (x - y) / eta = g.
        var own = ControlVariate(parameters: 2)
        _ = try own.renew(server: [0, 0], before: [1, 1], after: [0, 2], steps: 1, rate: 0.5)
        #expect(own.values == [2, -2])
        let correction = try LocalCorrection(.scaffold(rate: 1), anchor: [3, 3], server: [0.5, 0.25], own: own)
        var gradient: [Float] = [1, -1]
        try correction.adjust(gradient: &gradient, weights: [3, 3])
        #expect(gradient == [-0.5, 1.25])
        let sent = try own.renew(
            server: [0.5, 0.25], before: [3, 3], after: [3.25, 2.375], steps: 1, rate: 0.5)
        #expect(own.values == [1, -1])
        #expect(sent == [0.25, -0.625, -1, 1])
    }

    @Test(
        "The server adds the update at its rate, and the control's change at the share of participants: known answers")
    func server() throws {
        let strategy = Strategy.scaffold(rate: 0.5)
        var (weights, state): ([Float], ServerState) = ([1, 1], try ServerState(strategy, parameters: 2))
        try state.apply(mean: [2, 4, 8, -8], to: &weights, strategy: strategy, share: 0.25)
        #expect(weights == [2, 3] && state.control == [2, -2])
    }

    @Test("Why noise refuses it: the change is the update / (steps x rate), and takes a joint bound")
    func jointBound() throws {
        let (steps, rate): (Int, Float) = (10, 0.01)
        let after = try problem.participants[0].train([0, 0, 0, 0], steps: steps, rate: rate)
        var own = ControlVariate(parameters: 4)
        let zeros = [Float](repeating: 0, count: 4)
        let sent = try own.renew(server: zeros, before: zeros, after: after, steps: steps, rate: Double(rate))
        let (update, change) = (norm(Array(sent[..<4]), zeros), norm(Array(sent[4...]), zeros))
        #expect(abs(change / update - 10) < 1e-3)
        #expect(Strategy.scaffold(rate: 1).admits(.distributedNoise) == .refused(.controlTakesTheBound))
    }

    @Test(
        "With noise in proportion to a joint bound it ends further from the optimum than FedAvg, each with its best bound"
    )
    func noise() throws {
        let crowd = LeastSquares(participants: 40, dimensions: 6, heterogeneity: 1, seed: 22)
        let bounds = [0.1, 0.3, 1, 3, 10]
        let average = try bounds.map { try Self.noisy(.fedAvg, crowd, bound: $0) }.min() ?? 0
        let scaffold = try bounds.map { try Self.noisy(.scaffold(rate: 1), crowd, bound: $0) }.min() ?? 0
        #expect(scaffold > 3 * average, "\(scaffold), \(average)")
        // Without noise it is the other way about.
        let exact = try Self.noisy(.scaffold(rate: 1), crowd, bound: 1000, multiplier: 0)
        #expect(exact < 0.1 * (try Self.noisy(.fedAvg, crowd, bound: 1000, multiplier: 0)), "\(exact)")
    }

    /// The mean distance from the unweighted optimum over the second half of 120 rounds.
    private static func noisy(
        _ strategy: Strategy, _ problem: LeastSquares, bound: Double, multiplier: Double = 1
    ) throws -> Double {
        let (count, dimensions) = (problem.participants.count, problem.dimensions)
        let optimum = problem.unweightedOptimum.map { Float($0) }
        var draws = Draws(seed: 23)
        var (weights, total) = ([Float](repeating: 0, count: dimensions), 0.0)
        var state = try ServerState(strategy, parameters: dimensions)
        var controls = problem.participants.map { _ in ControlVariate(parameters: dimensions) }
        for round in 0..<120 {
            let vectors = try problem.participants.indices.map { index in
                let correction = try LocalCorrection(
                    strategy, anchor: weights, server: state.control, own: controls[index])
                let after = try problem.participants[index].train(
                    weights, steps: 10, rate: 0.02, correction: correction)
                var vector = zip(after, weights).map { $0 - $1 }
                if strategy.kind == .scaffold {
                    vector = try controls[index].renew(
                        server: state.control, before: weights, after: after, steps: 10, rate: 0.02)
                }
                let length = norm(vector, [Float](repeating: 0, count: vector.count))
                return length > bound ? vector.map { $0 * Float(bound / length) } : vector
            }
            var mean = try strategy.combine(vectors).vector
            let deviation = multiplier * bound / Double(count)
            for index in mean.indices { mean[index] += Float(deviation * draws.normal()) }
            try state.apply(mean: mean, to: &weights, strategy: strategy)
            if round >= 60 { total += norm(weights, optimum) / 60 }
        }
        return total
    }
}
