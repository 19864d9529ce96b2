internal import Crypto
public import Foundation

/// What several participants train together, and how: data, which each owner's policy decides on, and whose digest binds all messages.
public struct FederatedPlan: Sendable, Hashable, Codable {
    /// What a coordinator sees of the updates.
    public enum Aggregation: Sendable, Hashable, Codable {
        /// Each update.
        case plain
        /// The sum alone, by secure aggregation (`AggregationSession`).
        case masked(threshold: Int, colluders: Int)
        /// The sum alone, of rounded and bounded updates to which each participant adds a share of the noise (``SharedNoise``).
        case distributedNoise(threshold: Int, colluders: Int)
    }

    /// What comes of the rounds.
    public enum Outcome: String, Sendable, Hashable, Codable {
        /// The integers of one opened sum, to which each participant added a share of noise of its own making: an answer to a question. There is no model.
        case sum
    }

    /// A name for people.
    public var name: String
    /// nil: a model.
    public var outcome: Outcome?
    /// How updates change the weights.
    public var strategy: Strategy
    /// What a coordinator sees of the updates.
    public var aggregation: Aggregation
    /// How many rounds end with a changed model.
    public var rounds: Int
    /// How many more may be begun, for those that are void. Their loss of privacy is part of the charge.
    public var spareRounds: Int
    /// How many participants are asked in a round; nil: all. Those are drawn by the run's public seed, nobody twice before everybody was asked.
    public var perRound: Int?
    /// Below so many updates a round is void: nothing is opened.
    public var least: Int
    /// Entries of the model.
    public var parameterCount: Int
    /// How updates become integers. With distributed noise the step is the noise's own, and this is nil.
    public var grid: UpdateGrid?
    /// The noise that participants add together; nil: none.
    public var noise: SharedNoise?
    /// SHA-256 of what each participant does in a round (model, loss, batch, clipping, noise): the caller's.
    public var work: Data
    /// Public weights of the participants' updates, by their places; nil: the same.
    public var weights: [Int]?
    /// How long a phase waits at least, in seconds; longer, where earlier rounds took longer (``Deadlines``).
    public var leastSeconds: Double

    /// A question: one round, whose sum of so many integers is what is asked for. All participants must be in it.
    ///
    /// - Parameters:
    ///   - colluders: How many may be in league with the coordinator; the shares of the noise, which the work makes, are calibrated for as many.
    ///   - work: SHA-256 of what each participant computes.
    public init(question name: String, participants: Int, colluders: Int, length: Int, work: Data, leastSeconds: Double)
    {
        self.init(
            name: name, strategy: .fedSGD(rate: 1),
            aggregation: .distributedNoise(threshold: participants, colluders: colluders), rounds: 1,
            least: participants, parameterCount: length, work: work, leastSeconds: leastSeconds)
        outcome = .sum
    }

    /// A plan as it is said; ``check(participants:)`` says whether it is one.
    public init(
        name: String, strategy: Strategy, aggregation: Aggregation, rounds: Int, spareRounds: Int = 0,
        perRound: Int? = nil,
        least: Int, parameterCount: Int, grid: UpdateGrid? = nil, noise: SharedNoise? = nil, work: Data,
        weights: [Int]? = nil,
        leastSeconds: Double
    ) {
        (self.name, self.strategy, self.aggregation) = (name, strategy, aggregation)
        (self.rounds, self.spareRounds, self.perRound, self.least) = (rounds, spareRounds, perRound, least)
        (self.parameterCount, self.grid, self.noise) = (parameterCount, grid, noise)
        (self.work, self.weights, self.leastSeconds) = (work, weights, leastSeconds)
    }

    /// - Throws: `plan`: what is out of its bounds, and what would be right.
    public func check(participants: Int) throws(FederationError) {
        guard (1...1_000_000).contains(rounds) else { throw .plan("\(rounds) rounds", expected: "from 1 to 1,000,000") }
        guard (0...1_000_000).contains(spareRounds) else {
            throw .plan("spare rounds", expected: "from 0 to 1,000,000")
        }
        let asked = perRound ?? participants
        guard (1...participants).contains(asked) else {
            throw .plan("\(asked) participants a round", expected: "from 1 to the \(participants) of the roster")
        }
        guard (1...asked).contains(least) else {
            throw .plan("at least \(least) updates", expected: "from 1 to the \(asked) participants of a round")
        }
        guard (1...(1 << 32)).contains(parameterCount) else { throw .plan("parameters", expected: "from 1 to 2^32") }
        guard work.count == 32 else { throw .plan("the digest of the work", expected: "32 bytes, by SHA-256") }
        guard leastSeconds > 0, leastSeconds <= 1e7 else {
            throw .plan("the least seconds", expected: "above 0, at most 1e7")
        }
        if let weights {
            guard weights.count == participants, weights.allSatisfy({ (1...(1 << 16)).contains($0) }) else {
                throw .plan(
                    "the weights", expected: "one from 1 to 65,536 for each of the \(participants) participants")
            }
        }
        try checkAggregation(asked, participants)
    }

    private func checkAggregation(_ asked: Int, _ participants: Int) throws(FederationError) {
        do { try strategy.validate() } catch { throw .plan("the strategy", expected: "\(error)") }
        if case .refused(let reason) = strategy.admits(aggregation.way) {
            throw .plan(
                "the strategy \(strategy.kind.rawValue) with \(aggregation.way.words)",
                expected: "another: it \(reason.text)")
        }
        guard aggregation.way != .masked || asked > 2 else {
            throw .plan(
                "masks among \(asked) participants",
                expected:
                    "three at least, since each of two would know the other's update from their sum; or `privacy`, whose noise hides it "
                    + "(at datasites where the owners' policies say `least-honest: 1`)")
        }
        switch aggregation {
        case .plain: break
        case .masked(let threshold, let colluders), .distributedNoise(let threshold, let colluders):
            guard perRound == nil || aggregation.way != .distributedNoise else {
                throw .plan("a choice of participants with distributed noise", expected: "all of them in each round")
            }
            guard (1...asked).contains(threshold), (0..<asked).contains(colluders) else {
                throw .plan(
                    "a threshold of \(threshold) and \(colluders) colluders",
                    expected: "a threshold from 1 to \(asked), and 0 to \(asked - 1) colluders")
            }
            guard threshold <= least else {
                throw .plan(
                    "a threshold of \(threshold)", expected: "at most the \(least) updates of a round that is not void")
            }
            guard 2 * threshold > asked + colluders else {
                throw .plan(
                    "a threshold of \(threshold)",
                    expected: "more than half of \(asked) participants and \(colluders) colluders")
            }
        }
        if let grid {
            let largest = Double(1 << grid.bits) * Double(weights?.max() ?? 1) * Double(asked)
            guard largest < 0x1p62 else {
                throw .plan("the grid's bits", expected: "so few that \(asked) weighted updates fit into 62 bits")
            }
        }
        let isNoisy = aggregation.way == .distributedNoise
        if outcome == .sum {
            guard isNoisy, noise == nil, grid == nil, weights == nil, rounds == 1, spareRounds == 0,
                least == participants,
                strategy == .fedSGD(rate: 1)
            else {
                throw .plan(
                    "a sum that is asked for",
                    expected: "one round with noise of the participants' own, over all of them")
            }
            return
        }
        guard (grid == nil) == isNoisy, (noise != nil) == isNoisy else {
            throw .plan(
                "the grid or the noise",
                expected: "with distributed noise the noise, which has a grid of its own; else a grid")
        }
        try checkStrategy(asked)
        guard isNoisy else { return }
        guard weights == nil else {
            throw .plan("weights with distributed noise", expected: "none: units count, not participants")
        }
        _ = try event()
    }

    private func checkStrategy(_ asked: Int) throws(FederationError) {
        guard least >= strategy.leastParticipants else {
            throw .plan(
                "at least \(least) updates with \(strategy.kind.rawValue)",
                expected: "at least \(strategy.leastParticipants), which its numbers need")
        }
        // Each participant sends one update of a model: with fewer of them a buffer is never full.
        if case .fedBuff(_, let buffer, _) = strategy, buffer > asked {
            throw .plan("a buffer of \(buffer) updates", expected: "at most the \(asked) participants")
        }
        guard case .masked(let threshold, let colluders) = aggregation else { return }
        guard threshold >= max(colluders, 1) + 2 else {
            throw .plan(
                "a threshold of \(threshold) with \(colluders) colluders",
                expected:
                    "at least \(max(colluders, 1) + 2): a sum of fewer shows one participant's update to another, who knows its own"
            )
        }
    }

    /// The entries of the model's weights.
    public var weightCount: Int { outcome == .sum ? 0 : parameterCount }

    /// The entries of what a participant sends.
    public var length: Int { strategy.vectorLength(parameters: parameterCount) }

    /// The weight of a participant's update.
    public func weight(_ participant: Int) -> Int { weights?[participant] ?? 1 }

    /// The weights of several, together.
    func weight(of participants: some Collection<Int>) -> Int {
        weights == nil ? participants.count : participants.reduce(0) { $0 + weight($1) }
    }

    /// SHA-256 of all of it.
    public var digest: Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A value without numbers that JSON lacks: the check refuses them.
        return Data(SHA256.hash(data: (try? encoder.encode(self)) ?? Data()))
    }
}

extension FederatedPlan.Aggregation {
    /// What strategies are asked about.
    public var way: Federation.Aggregation {
        switch self {
        case .plain: .plain
        case .masked: .masked
        case .distributedNoise: .distributedNoise
        }
    }
}
