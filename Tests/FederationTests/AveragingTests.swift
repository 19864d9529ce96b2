import Testing

@testable import Federation

@Suite("Averaging strategies agree with central training where theory says so")
struct AveragingTests {
    let problem = LeastSquares(participants: 5, dimensions: 4, heterogeneity: 0.7, seed: 1)

    @Test("FedSGD weighted by numbers of rows is central gradient descent")
    func fedSGD() throws {
        var central = [Float](repeating: 0, count: 4)
        central = try problem.central.train(central, steps: 40, rate: 0.1)
        let federated = try problem.run(.fedSGD(rate: 0.1), rounds: 40, steps: 1, rate: 0.1)
        #expect(distance(central, federated) < 1e-6)
        let unweighted = try unweightedSGD(rounds: 40)
        #expect(distance(central, unweighted) > 1e-3)
    }

    private func unweightedSGD(rounds: Int) throws -> [Float] {
        let strategy = Strategy.fedSGD(rate: 0.1)
        var (weights, state) = ([Float](repeating: 0, count: 4), try ServerState(strategy, parameters: 4))
        for _ in 0..<rounds {
            let mean = try strategy.combine(problem.participants.map { $0.gradient(weights) }).vector
            try state.apply(mean: mean, to: &weights, strategy: strategy)
        }
        return weights
    }

    @Test("FedAvg of one local step is FedSGD; of many it is not")
    func oneStep() throws {
        let sgd = try problem.run(.fedSGD(rate: 0.1), rounds: 25, steps: 1, rate: 0.1)
        #expect(distance(sgd, try problem.run(.fedAvg, rounds: 25, steps: 1, rate: 0.1)) < 1e-6)
        #expect(distance(sgd, try problem.run(.fedAvg, rounds: 25, steps: 2, rate: 0.1)) > 1e-3)
    }

    @Test("Where all have the same answer FedAvg finds it; where they differ, many local steps leave a bias")
    func bias() throws {
        let optimum = problem.optimum.map { Float($0) }
        #expect(distance(optimum, try problem.run(.fedAvg, rounds: 3000, steps: 1, rate: 0.1)) < 1e-5)
        #expect(distance(optimum, try problem.run(.fedAvg, rounds: 3000, steps: 20, rate: 0.1)) > 1e-2)
    }

    @Test("FedProx: mu 0 is FedAvg to the bit, and a larger mu keeps updates shorter")
    func fedProx() throws {
        let average = try problem.run(.fedAvg, rounds: 10, steps: 5, rate: 0.05)
        #expect(try problem.run(.fedProx(mu: 0), rounds: 10, steps: 5, rate: 0.05) == average)
        let zeros = [Float](repeating: 0, count: 4)
        let lengths = try [0, 1, 5].map {
            norm(try problem.run(.fedProx(mu: $0), rounds: 1, steps: 20, rate: 0.05), zeros)
        }
        #expect(lengths[0] > lengths[1] * 1.05 && lengths[1] > lengths[2] * 1.05)
    }

    @Test("FedProx's local optimum is the proximal one: gradient + mu (w - anchor) = 0")
    func proximalOptimum() throws {
        let (participant, anchor): (LeastSquares.Participant, [Float]) = (problem.participants[0], [1, -1, 0.5, 0])
        let correction = try LocalCorrection(.fedProx(mu: 2), anchor: anchor)
        let weights = try participant.train(anchor, steps: 4000, rate: 0.02, correction: correction)
        let gradient = participant.gradient(weights)
        for index in 0..<4 { #expect(abs(gradient[index] + 2 * (weights[index] - anchor[index])) < 1e-5) }
    }

    @Test("FedAvgM with momentum 0 and rate 1 is FedAvg to the bit")
    func fedAvgM() throws {
        let average = try problem.run(.fedAvg, rounds: 20, steps: 3, rate: 0.05)
        #expect(try problem.run(.fedAvgM(rate: 1, momentum: 0), rounds: 20, steps: 3, rate: 0.05) == average)
        #expect(try problem.run(.fedAvgM(rate: 1, momentum: 0.5), rounds: 20, steps: 3, rate: 0.05) != average)
    }

    @Test("FedAvgM: known answers")
    func momentum() throws {
        let strategy = Strategy.fedAvgM(rate: 0.5, momentum: 0.5)
        var (weights, state): ([Float], ServerState) = ([1, 0], try ServerState(strategy, parameters: 2))
        try state.apply(mean: [2, -4], to: &weights, strategy: strategy)
        #expect(weights == [2, -2] && state.momentum == [2, -4] && state.step == 1)
        try state.apply(mean: [1, 0], to: &weights, strategy: strategy)
        #expect(weights == [3, -3] && state.momentum == [2, -2] && state.step == 2)
    }

    @Test("A mean is weighted: known answers")
    func weightedMean() throws {
        let updates: [[Float]] = [[1, 0], [4, 8]]
        #expect(try Strategy.fedAvg.combine(updates).vector == [2.5, 4])
        #expect(try Strategy.fedAvg.combine(updates, weights: [2, 1]).vector == [2, 8 / 3])
        #expect(try Strategy.fedAvg.combine(updates, weights: [2, 1]).counted == [0, 1])
    }
}

@Suite("Adaptive servers")
struct AdaptiveTests {
    static let means: [[Float]] = [[0.5, -1, 0.001], [-0.25, 0.75, 0.002], [0.1, 0.1, -0.004]]
    static let step = AdaptiveStep(rate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-2)
    /// By numpy, in double precision, from weights 1, 2, 3: weights after each round, then both moments after the last.
    static let adam: [[Float]] = [
        [1.0819935742019278, 1.909497168814778, 3.000501243663792],
        [1.1120457370279404, 1.8983854025001388, 3.001958345587213],
        [1.1537439318452014, 1.8957883256650554, 3.001258481496295],
        [0.028, -0.0035, -0.000139], [0.0032660299, 0.0155667799, 9.7239301e-05],
    ]
    static let yogi: [[Float]] = [
        [1.0819803902718557, 1.909501243788791, 3.000500012500625],
        [1.1119254036849775, 1.898422905032966, 3.0019501937959516],
        [1.1533070707626183, 1.8958303124403733, 3.0012548285373293],
        [0.028, -0.0035, -0.000139], [0.003325, 0.015625, 9.979e-05],
    ]

    @Test("FedAdam and FedYogi: three rounds as numpy computes them", arguments: [false, true])
    func known(isYogi: Bool) throws {
        let strategy = isYogi ? Strategy.fedYogi(Self.step) : .fedAdam(Self.step)
        let wanted = isYogi ? Self.yogi : Self.adam
        var (weights, state): ([Float], ServerState) = ([1, 2, 3], try ServerState(strategy, parameters: 3))
        #expect(state.secondMoment == [1e-4, 1e-4, 1e-4])
        for (round, mean) in Self.means.enumerated() {
            try state.apply(mean: mean, to: &weights, strategy: strategy)
            #expect(distance(weights, wanted[round]) < 5e-7)
        }
        for (found, wanted) in [(state.momentum, wanted[3]), (state.secondMoment, wanted[4])] {
            for index in 0..<3 { #expect(abs(found[index] / wanted[index] - 1) < 1e-5) }
        }
    }

    @Test("By hand: the first round of tau 1, betas 1/2")
    func byHand() throws {
        // m = 1/2 x 4 = 2; Adam: v = 1/2 + 16/2 = 8.5; Yogi: v = 1 + 16/2 = 9, so that the step is 2 / (3 + 1).
        let step = AdaptiveStep(rate: 1, beta1: 0.5, beta2: 0.5, tau: 1)
        var (weights, state): ([Float], ServerState) = ([10], try ServerState(.fedYogi(step), parameters: 1))
        try state.apply(mean: [4], to: &weights, strategy: .fedYogi(step))
        #expect(weights == [10.5] && state.secondMoment == [9] && state.momentum == [2])
        // A squared update that is the second moment itself leaves it: the sign of 0 is 0.
        state = try ServerState(.fedYogi(step), parameters: 1)
        try state.apply(mean: [1], to: &weights, strategy: .fedYogi(step))
        #expect(state.secondMoment == [1])
        state = try ServerState(.fedAdam(step), parameters: 1)
        weights = [10]
        try state.apply(mean: [4], to: &weights, strategy: .fedAdam(step))
        #expect(state.secondMoment == [8.5])
        #expect(abs(Double(weights[0]) - (10 + 2 / (8.5.squareRoot() + 1))) < 1e-6)
    }

    @Test(
        "Yogi's second moment shrinks by at most (1 - beta2) of the squared update, where Adam's falls by a share of itself"
    )
    func yogiIsSlower() throws {
        let step = AdaptiveStep(rate: 0.1, beta2: 0.5)
        var moments: [Float] = []
        for strategy in [Strategy.fedAdam(step), .fedYogi(step)] {
            var (weights, state): ([Float], ServerState) = ([0], try ServerState(strategy, parameters: 1))
            for mean in [8, 0.01, 0.01] as [Float] { try state.apply(mean: [mean], to: &weights, strategy: strategy) }
            moments.append(state.secondMoment[0])
        }
        #expect(moments[0] < 9 && moments[1] > 31)
    }

    @Test("Both find the optimum of a problem whose participants agree")
    func converge() throws {
        let problem = LeastSquares(participants: 4, dimensions: 3, heterogeneity: 0.3, seed: 2)
        let optimum = problem.optimum.map { Float($0) }
        let step = AdaptiveStep(rate: 0.03, tau: 1e-2)
        for strategy in [Strategy.fedAdam(step), .fedYogi(step)] {
            let weights = try problem.run(strategy, rounds: 2000, steps: 1, rate: 0.1)
            #expect(distance(weights, optimum) < 1e-3)
        }
    }
}
