import Testing

@testable import Federation

@Suite("FedBuff")
struct UpdateBufferTests {
    @Test("Staleness weights: known answers")
    func factors() {
        #expect(UpdateBuffer.factor(staleness: 0, exponent: 0.5) == 1)
        for (staleness, wanted) in [(1, 0.7071067811865476), (3, 0.5), (8, 1.0 / 3)] {
            #expect(abs(UpdateBuffer.factor(staleness: staleness, exponent: 0.5) - wanted) < 1e-15)
        }
        #expect(abs(UpdateBuffer.factor(staleness: 4, exponent: 0.3) - 0.6170338627200096) < 1e-15)
        #expect(UpdateBuffer.factor(staleness: 7, exponent: 0) == 1)
    }

    @Test("A buffer of all participants without staleness is FedAvg to the bit, weighted or not")
    func fedAvg() throws {
        let problem = LeastSquares(participants: 5, dimensions: 4, heterogeneity: 0.5, seed: 4)
        let strategy = Strategy.fedBuff(rate: 1, buffer: 5, exponent: 0.5)
        var buffer = try UpdateBuffer(strategy, parameters: 4)
        var (weights, state) = ([Float](repeating: 0, count: 4), try ServerState(strategy, parameters: 4))
        for _ in 0..<10 {
            for (participant, weight) in zip(problem.participants, problem.weights) {
                let after = try participant.train(weights, steps: 3, rate: 0.05)
                try buffer.add(zip(after, weights).map { $0 - $1 }, staleness: 0, weight: weight)
            }
            let mean = try buffer.take()
            try state.apply(mean: mean, to: &weights, strategy: strategy)
        }
        #expect(try problem.run(.fedAvg, rounds: 10, steps: 3, rate: 0.05) == weights)
    }

    @Test("Stale updates count less, over the weights alone: known answers")
    func stale() throws {
        var buffer = try UpdateBuffer(.fedBuff(rate: 1, buffer: 2, exponent: 0.5), parameters: 2)
        try buffer.add([4, 0], staleness: 3)
        #expect(!buffer.isFull)
        try buffer.add([2, 8], staleness: 0, weight: 3)
        #expect(buffer.isFull)
        #expect(try buffer.take() == [2, 6])
        #expect(buffer.held == 0)
        try buffer.add([1, 1], staleness: 0)
        try buffer.add([1, 1], staleness: 0)
        #expect(try buffer.take() == [1, 1])
    }

    @Test("With delays of up to six steps it comes near the optimum, and the weights lessen what staleness does")
    func delays() throws {
        let problem = LeastSquares(participants: 6, dimensions: 3, heterogeneity: 0.3, seed: 5)
        let strategy = Strategy.fedBuff(rate: 1, buffer: 3, exponent: 0.5)
        var buffer = try UpdateBuffer(strategy, parameters: 3)
        var (weights, state) = ([Float](repeating: 0, count: 3), try ServerState(strategy, parameters: 3))
        var draws = Draws(seed: 6)
        // Each participant holds the model it was given, and sends when its turn comes.
        var given = problem.participants.map { _ in (step: 0, weights: weights) }
        var oldest = 0
        for turn in 0..<6000 {
            let index = turn % 12 < 6 ? turn % 6 : draws.below(6)
            let after = try problem.participants[index].train(given[index].weights, steps: 2, rate: 0.02)
            let staleness = state.step - given[index].step
            oldest = max(oldest, staleness)
            try buffer.add(
                zip(after, given[index].weights).map { $0 - $1 }, staleness: staleness,
                weight: problem.weights[index])
            if buffer.isFull { try state.apply(mean: try buffer.take(), to: &weights, strategy: strategy) }
            given[index] = (state.step, weights)
        }
        #expect(oldest >= 4)
        #expect(distance(weights, problem.optimum.map { Float($0) }) < 0.1)
    }

    @Test("A full buffer takes nothing, and one that is not full gives nothing; neither changes it")
    func bounds() throws {
        var buffer = try UpdateBuffer(.fedBuff(rate: 1, buffer: 2, exponent: 1), parameters: 1)
        #expect(throws: StrategyError.buffer(held: 0, capacity: 2)) { try buffer.take() }
        try buffer.add([1], staleness: 0)
        #expect(throws: StrategyError.parameter("staleness", expected: "a number of steps, 0 or more")) {
            try buffer.add([1], staleness: -1)
        }
        #expect(throws: StrategyError.nonFiniteUpdate(participant: 1, position: 0)) {
            try buffer.add([.nan], staleness: 0)
        }
        #expect(throws: StrategyError.updateLength(participant: 1, found: 2, expected: 1)) {
            try buffer.add([1, 2], staleness: 0)
        }
        #expect(throws: StrategyError.weight(participant: 1)) { try buffer.add([1], staleness: 0, weight: 0) }
        try buffer.add([3], staleness: 0)
        #expect(throws: StrategyError.buffer(held: 2, capacity: 2)) { try buffer.add([1], staleness: 0) }
        #expect(try buffer.take() == [2])
        #expect(throws: StrategyError.self) { try UpdateBuffer(.fedAvg, parameters: 1) }
    }
}
