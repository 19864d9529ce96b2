import Testing

@testable import Federation

@Suite("Bad input is refused by name and place")
struct RefusalTests {
    @Test("Updates: none, empty, of different lengths, not finite, with wrong weights")
    func updates() throws {
        for strategy in [Strategy.fedAvg, .coordinateMedian, .multiKrum(byzantine: 0, kept: 1)] {
            #expect(throws: StrategyError.noUpdates) { try strategy.combine([]) }
            #expect(throws: StrategyError.updateLength(participant: 0, found: 0, expected: 1)) {
                try strategy.combine([[], [], []])
            }
            let length = StrategyError.updateLength(participant: 2, found: 3, expected: 2)
            #expect(throws: length) { try strategy.combine([[1, 2], [3, 4], [5, 6, 7], [1]]) }
            #expect(length.description == "the vector of participant 2 has 3 entries: expected 2")
            #expect(throws: StrategyError.weightCount(found: 2, expected: 3)) {
                try strategy.combine([[1], [2], [3]], weights: [1, 1])
            }
            #expect(throws: StrategyError.weight(participant: 1)) {
                try strategy.combine([[1], [2], [3]], weights: [1, -1, 1])
            }
        }
        #expect(throws: StrategyError.nonFiniteUpdate(participant: 1, position: 2)) {
            try Strategy.fedAvg.combine([[1, 2, 3], [1, 2, .nan]])
        }
        #expect(throws: StrategyError.unequalWeights(.coordinateMedian)) {
            try Strategy.coordinateMedian.combine([[1], [2]], weights: [1, 2])
        }
        #expect(try Strategy.coordinateMedian.combine([[1], [2]], weights: [3, 3]).vector == [1.5])
        #expect(throws: StrategyError.self) { try Strategy.fedBuff(rate: 1, buffer: 2, exponent: 1).combine([[1]]) }
    }

    @Test("Too few participants: trimmed mean needs 2 trim + 1, multi-Krum 2 f + 3 and f + kept + 2")
    func participants() throws {
        let updates = (0..<7).map { [Float($0)] }
        for (strategy, least) in [
            (Strategy.trimmedMean(trim: 2), 5), (.multiKrum(byzantine: 2, kept: 3), 7),
            (.multiKrum(byzantine: 1, kept: 4), 7), (.multiKrum(byzantine: 0, kept: 1), 3),
        ] {
            #expect(strategy.leastParticipants == least)
            #expect(throws: Never.self) { try strategy.combine(Array(updates[..<least])) }
            let few = StrategyError.tooFewParticipants(strategy.kind, found: least - 1, expected: least)
            #expect(throws: few) { try strategy.combine(Array(updates[..<(least - 1)])) }
        }
        #expect(try Strategy.coordinateMedian.combine([[4]]).vector == [4])
    }

    @Test("The server's step: lengths, means that are not finite, states of other strategies; nothing changes")
    func server() throws {
        var (weights, state): ([Float], ServerState) = ([1, 2], try ServerState(.fedAvg, parameters: 2))
        let before = state
        #expect(throws: StrategyError.length(of: "mean", found: 3, expected: 2)) {
            try state.apply(mean: [1, 2, 3], to: &weights, strategy: .fedAvg)
        }
        #expect(throws: StrategyError.nonFinite("mean", position: 1)) {
            try state.apply(mean: [1, .nan], to: &weights, strategy: .fedAvg)
        }
        let momentum = Strategy.fedAvgM(rate: 1, momentum: 0.5)
        #expect(throws: StrategyError.length(of: "state's momentum", found: 0, expected: 2)) {
            try state.apply(mean: [1, 1], to: &weights, strategy: momentum)
        }
        #expect(throws: StrategyError.length(of: "mean", found: 2, expected: 4)) {
            try state.apply(mean: [1, 1], to: &weights, strategy: .scaffold(rate: 1))
        }
        var full = try ServerState(momentum, parameters: 2)
        #expect(throws: StrategyError.length(of: "state's momentum", found: 2, expected: 0)) {
            try full.apply(mean: [1, 1], to: &weights, strategy: .fedAvg)
        }
        for share in [0, -1, 1.5, .nan] {
            #expect(throws: StrategyError.parameter("share", expected: "above 0, at most 1")) {
                try state.apply(mean: [1, 1], to: &weights, strategy: .fedAvg, share: share)
            }
        }
        #expect(weights == [1, 2] && state == before)
        weights = [3e38, 0]
        #expect(throws: StrategyError.nonFinite("new weights", position: 0)) {
            try state.apply(mean: [3e38, 0], to: &weights, strategy: .fedAvg)
        }
        #expect(weights == [3e38, 0] && state == before)
        var empty: [Float] = []
        #expect(throws: StrategyError.length(of: "weights", found: 0, expected: 1)) {
            try state.apply(mean: [], to: &empty, strategy: .fedAvg)
        }
        #expect(throws: StrategyError.self) { try ServerState(.fedAvg, parameters: 0) }
    }

    @Test("Parameters out of range are refused by name, wherever the strategy is used")
    func parameters() throws {
        let bad: [(Strategy, String)] = [
            (.fedSGD(rate: 0), "rate"), (.fedSGD(rate: .nan), "rate"), (.scaffold(rate: .infinity), "rate"),
            (.fedAvgM(rate: -1, momentum: 0), "rate"), (.fedAvgM(rate: 1, momentum: 1), "momentum"),
            (.fedProx(mu: -0.1), "mu"), (.fedAdam(AdaptiveStep(rate: 1, beta1: 1)), "beta1"),
            (.fedAdam(AdaptiveStep(rate: 1, beta2: -0.1)), "beta2"), (.fedYogi(AdaptiveStep(rate: 1, tau: 0)), "tau"),
            (.fedBuff(rate: 1, buffer: 0, exponent: 1), "buffer"),
            (.fedBuff(rate: 1, buffer: 1, exponent: -1), "exponent"),
            (.trimmedMean(trim: -1), "trim"), (.trimmedMean(trim: .max), "trim"),
            (.multiKrum(byzantine: .max, kept: 1), "byzantine"), (.multiKrum(byzantine: 1, kept: 0), "kept"),
            (.centredClipping(radius: 0, iterations: 1), "radius"),
            (.centredClipping(radius: 1, iterations: 0), "iterations"),
        ]
        for (strategy, name) in bad {
            for use in [
                { try strategy.validate() }, { _ = try strategy.combine([[1], [2], [3]]) },
                { _ = try ServerState(strategy, parameters: 1) }, { _ = try LocalCorrection(strategy, anchor: [1]) },
            ] as [() throws -> Void] {
                let error = #expect(throws: StrategyError.self) { try use() }
                guard case .parameter(name, _)? = error else {
                    Issue.record("\(strategy): \(String(describing: error))")
                    continue
                }
            }
        }
    }

    @Test("Centres and corrections of wrong lengths or without what they need")
    func local() throws {
        let clipping = Strategy.centredClipping(radius: 1, iterations: 1)
        #expect(throws: StrategyError.length(of: "centre", found: 1, expected: 2)) {
            try clipping.combine([[1, 2]], centre: [1])
        }
        #expect(throws: StrategyError.nonFinite("centre", position: 1)) {
            try clipping.combine([[1, 2]], centre: [1, .nan])
        }
        let scaffold = Strategy.scaffold(rate: 1)
        #expect(throws: StrategyError.strategy(.scaffold, expected: "the participant's own control variate")) {
            try LocalCorrection(scaffold, anchor: [1], server: [1])
        }
        #expect(throws: StrategyError.length(of: "server's control variate", found: 0, expected: 1)) {
            try LocalCorrection(scaffold, anchor: [1], own: ControlVariate(parameters: 1))
        }
        #expect(throws: StrategyError.length(of: "own control variate", found: 2, expected: 1)) {
            try LocalCorrection(scaffold, anchor: [1], server: [1], own: ControlVariate(parameters: 2))
        }
        var gradient: [Float] = [1, 2]
        #expect(throws: StrategyError.length(of: "anchor weights", found: 1, expected: 2)) {
            try LocalCorrection(.fedProx(mu: 1), anchor: [1]).adjust(gradient: &gradient, weights: [1, 2])
        }
        #expect(throws: StrategyError.length(of: "weights", found: 1, expected: 2)) {
            try LocalCorrection(.fedAvg, anchor: [1]).adjust(gradient: &gradient, weights: [1])
        }
        var own = ControlVariate(parameters: 1)
        #expect(throws: StrategyError.parameter("steps", expected: "at least 1")) {
            try own.renew(server: [0], before: [0], after: [1], steps: 0, rate: 1)
        }
        #expect(throws: StrategyError.parameter("rate", expected: "a number above 0")) {
            try own.renew(server: [0], before: [0], after: [1], steps: 1, rate: 0)
        }
        #expect(throws: StrategyError.nonFinite("weights after", position: 0)) {
            try own.renew(server: [0], before: [0], after: [.nan], steps: 1, rate: 1)
        }
        #expect(throws: StrategyError.nonFinite("new control variate", position: 0)) {
            try own.renew(server: [0], before: [0], after: [3e38], steps: 1, rate: 0.01)
        }
        #expect(own == ControlVariate(parameters: 1))
    }
}
