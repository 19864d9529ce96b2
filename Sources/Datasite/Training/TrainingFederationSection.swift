import DatasiteProtocol
import Federation
import Foundation

/// What a plan says of training together: `federation: {rounds: 20, local-steps: 10, strategy: {kind: fedAvg}, aggregation: masked}`.
struct TrainingFederationSection: Sendable, Equatable {
    var rounds: Int
    var spareRounds: Int
    /// Of a round, where participants train; 1 with distributed noise, where a round is a step.
    var localSteps: Int
    /// How many are asked in a round; nil: all.
    var perRound: Int?
    /// Below so many updates a round is void; nil: all that are asked.
    var least: Int?
    var strategy: Strategy
    var aggregation: Aggregation
    /// How many must stay to the end; nil: `least`.
    var threshold: Int?
    /// How many may be in league with the coordinator.
    var colluders: Int
    /// The largest magnitude of an update's entry.
    var range: Double

    /// Public weights of the participants' updates; nil: the same.
    var weights: [Int]?
    /// How long a phase of a round waits at least; longer, where earlier ones took longer.
    var phaseSeconds: Double
    /// Layers that stay with each participant.
    var local: [String]

    init(_ value: YAMLValue, rate: Float, isPrivate: Bool) throws {
        let keys = try value.mapping([
            "rounds", "spare-rounds", "local-steps", "per-round", "least", "strategy", "aggregation", "threshold",
            "colluders", "range", "weights", "phase-seconds", "local",
        ])
        guard let rounds = keys["rounds"] else { throw value.problem("the key `rounds` is missing") }
        self.rounds = try rounds.count(atMost: 1_000_000)
        spareRounds = try keys["spare-rounds"].map { try $0.wholeNumber(atMost: 1_000_000) } ?? 0
        localSteps = try keys["local-steps"]?.count(atMost: 1_000_000) ?? 1
        perRound = try keys["per-round"]?.count(atMost: 65_535)
        least = try keys["least"]?.count(atMost: 65_535)
        threshold = try keys["threshold"]?.count(atMost: 65_535)
        colluders = try keys["colluders"].map { try $0.wholeNumber(atMost: 65_535) } ?? 0
        range = try keys["range"]?.number(within: 0x1p-60...0x1p60) ?? 1
        phaseSeconds = try keys["phase-seconds"]?.number(within: 0.1...86_400) ?? 30
        weights = try keys["weights"]?.sequence().map { try $0.count(atMost: 1 << 16) }
        local = try keys["local"]?.sequence().map { try $0.text("a layer's name") } ?? []
        strategy = isPrivate ? .fedSGD(rate: Double(rate)) : .fedAvg
        if let said = keys["strategy"] {
            guard !isPrivate else {
                throw said.problem(
                    "with `privacy` each round is one private step",
                    hint: "leave out `strategy`; `optimizer.rate` is its rate")
            }
            strategy = try Self.strategy(said)
        }
        aggregation = isPrivate ? .distributedNoise : .plain
        if let said = keys["aggregation"] {
            let word = try TrainingDocument.word(said, ["plain", "masked", "distributed-noise"])
            aggregation = ["plain": .plain, "masked": .masked][word] ?? .distributedNoise
            guard isPrivate == (aggregation == .distributedNoise) else {
                throw said.problem(
                    isPrivate
                        ? "`privacy` asks for noise that participants share"
                        : "noise that participants share needs a section `privacy`",
                    hint: isPrivate ? "distributed-noise" : "plain or masked, or add `privacy`")
            }
        }
        if localSteps != 1, isPrivate || strategy.kind == .fedSGD {
            throw (keys["local-steps"] ?? value).problem(
                isPrivate ? "with `privacy` each round is one private step" : "with fedSGD each round is one step",
                hint: "leave it out")
        }
        if let said = keys["local"], strategy.kind == .fedSGD || strategy.kind == .scaffold, !isPrivate {
            throw said.problem(
                "with \(strategy.kind.rawValue) no layers stay with participants",
                hint: "another strategy: their own layers are trained by local steps, and are what they keep")
        }
        for key in aggregation == .plain ? ["threshold", "colluders"] : [] {
            if let said = keys[key] {
                throw said.problem(
                    "updates in the clear have no `\(key)`", hint: "leave it out, or ask for aggregation: masked")
            }
        }
        for key in isPrivate ? ["range", "weights", "per-round", "local"] : [] {
            if let said = keys[key] { throw said.problem("with `privacy` there is no `\(key)`", hint: "leave it out") }
        }
    }

    static func strategy(_ value: YAMLValue) throws -> Strategy {
        guard value.isMapping else {
            throw value.problem("expected the strategy and its numbers", hint: "{kind: fedAvg}")
        }
        do {
            return try JSONDecoder().decode(Strategy.self, from: Data(try value.json().utf8))
        } catch DecodingError.dataCorrupted(let why) {
            throw value.problem(why.debugDescription)
        } catch is DecodingError {
            throw value.problem("expected a kind and numbers", hint: "{kind: fedAvgM, rate: 1, momentum: 0.9}")
        }
    }

    /// The plan that participants are sent.
    ///
    /// - Parameters:
    ///   - noise: With distributed noise.
    ///   - work: The digest of the training plan.
    func plan(
        name: String, participants: Int, parameters: Int, noise: SharedNoise?, work: Data
    ) throws -> FederatedPlan {
        let least = least ?? perRound ?? participants
        let threshold = threshold ?? least
        let way: FederatedPlan.Aggregation =
            switch aggregation {
            case .plain: .plain
            case .masked: .masked(threshold: threshold, colluders: colluders)
            case .distributedNoise: .distributedNoise(threshold: threshold, colluders: colluders)
            }
        do throws(FederationError) {
            let plan = FederatedPlan(
                name: name, strategy: strategy, aggregation: way, rounds: rounds, spareRounds: spareRounds,
                perRound: perRound,
                least: least, parameterCount: parameters, grid: noise == nil ? try UpdateGrid(range: range) : nil,
                noise: noise,
                work: work, weights: weights, leastSeconds: phaseSeconds)
            try plan.check(participants: participants)
            return plan
        } catch { throw Problem.invalidManifest("`federation`: \(error)") }
    }
}
