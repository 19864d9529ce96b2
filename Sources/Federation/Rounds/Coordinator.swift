internal import Crypto
public import Foundation
internal import MultipartyComputation

/// Runs rounds among participants that dial out: each message has one reply, which says what to do now. No I/O and no clock of its own: the caller gives
/// seconds that do not go back, authenticates who a message is from, and stores the coordinator durably before it sends a reply.
///
/// **Lost messages, crashes.** A reply follows from the state alone, so that asking again gives the same again; a message that came before changes nothing.
/// A coordinator that begins again from its stored state, and participants that do, end in the same model, to the bit: sums are of integers.
///
/// **Memory.** An update in memory is added to the round's sum at once. One that lies elsewhere (``StoredVector``) stays there until the round closes; then all are added up in
/// one pass, and the weights follow in another. Where sums and weights lie elsewhere, too (``keep(in:)``), some chunks of a model are in memory, whatever its size, however many
/// participants there are: of a strategy without vectors of its own, on a grid. Robust rules, momentum, noise and buffers are computed in memory.
///
/// **Threat model.** With ``FederatedPlan/Aggregation-swift.enum/plain`` it sees each update, which may show rows. With secure aggregation it sees
/// what `AggregationSession` says. It is trusted with the sum being right, with asking whom it should, and with the run's end.
public struct Coordinator: Sendable, Codable {
    /// What is done.
    public let plan: FederatedPlan
    /// The participants' Ed25519 public keys. Each is named by its place.
    public let roster: [Data]
    /// 16 random bytes.
    public let run: Data
    /// What has been learned so far.
    public private(set) var model: RunModel
    /// What it waits for.
    public private(set) var phase = Phase.waiting
    /// How many rounds were begun.
    public private(set) var attempts = 0
    /// What went wrong, the latest last: at most 256.
    public private(set) var events: [Event] = []
    private(set) var header: RoundHeader?
    /// What the last round that was not void came to.
    public private(set) var last: OpenedRound?
    private var began = 0.0
    private var patience = 0.0
    private var expected: Set<Int> = []
    private var arrived: Set<Int> = []
    private var sum = Packed<Int64>([])
    private var single: [Int: Packed<Int64>] = [:]
    private var aggregation: AggregationCoordinator?
    private var masked: MaskedSum?
    private var advertisements: [Advertisement] = []
    private var survivors: [Int] = []
    private var confirmations: [SurvivorSignature] = []
    private var deadlines: Deadlines
    private var buffer: UpdateBuffer?
    /// Asynchronous runs: the last model that each participant's update was of.
    private var contributed: [Int: Int] = [:]
    /// Whose updates are in the buffer.
    private var inBuffer: Set<Int> = []
    /// Where large vectors lie that it makes; nil: in memory.
    private var place: VectorPlace?

    /// What a coordinator waits for.
    public enum Phase: String, Sendable, Codable {
        /// The first message.
        case waiting
        /// Updates in the clear.
        case collect
        /// The rounds of secure aggregation.
        case advertise, share, mask, confirm, unmask
        /// Nothing: all rounds ended; or no more may be begun.
        case finished, aborted
    }

    /// Something that people should know.
    public struct Event: Sendable, Hashable, Codable {
        /// The attempt.
        public let attempt: Int
        /// Whom it is about; nil: the round.
        public let participant: Int?
        /// What happened, in which phase.
        public let words: String
    }

    /// A run at its beginning.
    ///
    /// - Parameters:
    ///   - run: 16 random bytes that no other run has.
    ///   - weights: What the model begins as.
    /// - Throws: `plan`.
    public init(plan: FederatedPlan, roster: [Data], run: Data, weights: [Float]) throws(FederationError) {
        try self.init(plan: plan, roster: roster, run: run, weights: Packed(weights))
    }

    /// A run at its beginning, whose weights may lie elsewhere than in memory.
    ///
    /// - Throws: `plan`.
    public init(plan: FederatedPlan, roster: [Data], run: Data, weights: Packed<Float>) throws(FederationError) {
        guard (1...AggregationSession.Limit.participants).contains(roster.count), Set(roster).count == roster.count,
            roster.allSatisfy({ $0.count == 32 })
        else { throw .plan("the roster", expected: "1 to 65,535 different keys of 32 bytes") }
        try plan.check(participants: roster.count)
        guard run.count == 16 else { throw .plan("the run's name", expected: "16 random bytes") }
        guard weights.count == plan.weightCount, weights.isFinite else {
            throw .plan("the weights", expected: "\(plan.weightCount) finite numbers")
        }
        self.plan = plan
        self.roster = roster
        self.run = run
        do {
            model = RunModel(
                round: 0, weights: weights, server: try ServerState(plan.strategy, parameters: plan.parameterCount))
        } catch { throw .plan("the strategy", expected: "\(error)") }
        deadlines = Deadlines(least: plan.leastSeconds)
    }

    /// Puts large vectors that it makes from now on, and the weights, in a place. It is no part of the stored state: whoever reads that calls this again.
    ///
    /// - Throws: What the place throws.
    public mutating func keep(in place: VectorPlace) throws {
        model = try model.lying(in: place)
        self.place = place
    }

    /// Whether a vector from a participant may count: one that the phase is for, of an attempt whose vectors are still taken.
    public func awaits(_ message: ParticipantMessage, from participant: Int) -> Bool {
        let (isPhase, attempt) =
            switch message {
            case .update(let attempt, _): (phase == .collect, attempt)
            case .masked(let attempt, _): (phase == .mask, attempt)
            default: (false, 0)
            }
        if case .fedBuff = plan.strategy {
            guard case .update(let version, _) = message, !isOver else { return false }
            return (0...model.round).contains(version) && contributed[participant] ?? -1 < version
        }
        return isPhase && attempt == header?.attempt && expected.contains(participant) && !arrived.contains(participant)
    }

    /// After how many rounds the model is that the sender of a message holds; nil: it does not say.
    public func held(by message: ParticipantMessage) -> Int? {
        if case .heartbeat(let held) = message { return held }
        if case .fedBuff = plan.strategy { return message.attempt }
        return message.attempt == header?.attempt ? header?.round : nil
    }

    /// Where the run is: a message behind which this is the same changed nothing that a reply, a sum or a model follows from.
    public var position: [Int] {
        [
            phase.hashValue, attempts, model.round, events.count, events.last.hashValue, expected.count, arrived.count,
            contributed.count, contributed.values.reduce(0, &+), inBuffer.count,
        ]
    }

    /// Whether no more rounds are run.
    public var isOver: Bool { phase == .finished || phase == .aborted }

    /// Takes a message, and says what its sender does now.
    ///
    /// A message of another round, a repeated one, or one that does not belong to the phase changes nothing: its sender is told what does. What is wrong in it
    /// is an event.
    public mutating func answer(_ message: ParticipantMessage, from participant: Int, at now: Double)
        -> CoordinatorReply
    {
        guard roster.indices.contains(participant) else {
            return .aborted(reason: "this run has no participant \(participant)")
        }
        if case .fedBuff = plan.strategy { return buffered(message, from: participant, at: now) }
        if phase == .waiting { begin(at: now) }
        close(at: now)
        // Who takes part in a round holds the model before it.
        let held = held(by: message)
        if let attempt = message.attempt, attempt == header?.attempt, !isOver {
            if case .leaves(_, let reason) = message {
                // Whoever is done with the phase has its part in the round.
                if expected.contains(participant), !arrived.contains(participant) {
                    expected.remove(participant)
                    note(participant, "left the round: \(reason.publicWords)")
                }
            } else if expected.contains(participant), !arrived.contains(participant) {
                take(message, from: participant, at: now)
            }
            close(at: now)
        }
        if case .fetch = message { return .model(model: model) }
        return reply(to: participant, holding: held, at: now)
    }

    /// Gives the phase its time anew: for a coordinator that begins again from its stored state.
    public mutating func resume(at now: Double) { began = now }

    /// Closes a phase whose time is over: for a caller whose participants are all silent.
    public mutating func tick(at now: Double) { close(at: now) }

    /// When the phase ends at the latest.
    public var deadline: Double { began + patience }

    // MARK: replies

    private func reply(to participant: Int, holding held: Int?, at now: Double) -> CoordinatorReply {
        if held != model.round, isOver || header?.place(participant) != nil, phase != .aborted {
            if let last, held == last.header.round, model.round == last.header.round + 1 { return .opened(round: last) }
            return .model(model: model)
        }
        if phase == .finished { return .finished(round: model.round, model: model.digest) }
        if phase == .aborted { return .aborted(reason: events.last?.words ?? "no more rounds") }
        let wait = CoordinatorReply.wait(seconds: max(0.01, min(deadline - now, plan.leastSeconds / 4)))
        guard let header, expected.contains(participant), !arrived.contains(participant) else { return wait }
        switch phase {
        case .collect, .advertise: return .begin(header: header)
        case .share: return .advertisements(header: header, advertisements: advertisements)
        case .mask:
            guard let index = header.place(participant), let aggregation else { return wait }
            return .shares(header: header, shares: aggregation.shares(for: index))
        case .confirm: return .survivors(header: header, survivors: survivors)
        case .unmask: return .confirmations(header: header, survivors: survivors, signatures: confirmations)
        case .waiting, .finished, .aborted: return wait
        }
    }

    private mutating func note(_ participant: Int?, _ words: String) {
        events.append(Event(attempt: header?.attempt ?? 0, participant: participant, words: words))
        if events.count > 256 { events.removeFirst() }
    }

    // MARK: messages

    private mutating func take(_ message: ParticipantMessage, from participant: Int, at now: Double) {
        do {
            guard try takes(message, from: participant) else { return }
            arrived.insert(participant)
            deadlines.arrived(phase.rawValue, after: now - began)
        } catch {
            // It has no second try in this round: what it sent is not what the protocol has.
            expected.remove(participant)
            note(participant, "\(phase.rawValue): \(error)")
        }
    }

    /// Whether the message is one of the phase.
    private mutating func takes(_ message: ParticipantMessage, from participant: Int) throws -> Bool {
        let index = header?.place(participant) ?? 0
        func own(_ sender: Int) throws(FederationError) {
            guard sender == index else {
                throw .message(
                    participant: participant, round: model.round, expected: "a message that names its sender")
            }
        }
        switch (phase, message) {
        case (.collect, .update(_, let integers)):
            try take(integers, from: participant)
        case (.advertise, .advertisement(_, let advertisement)):
            try own(advertisement.sender)
            _ = try aggregation?.receive(advertisement)
        case (.share, .shares(_, let shares)):
            try own(shares.sender)
            _ = try aggregation?.receive(shares)
        case (.mask, .masked(_, let vector)):
            guard let session = aggregation?.session else { return false }
            try masked?.add(vector.values, from: index, session: session)
        case (.confirm, .confirmation(_, let confirmation)):
            try own(confirmation.sender)
            _ = try aggregation?.receive(confirmation)
        case (.unmask, .unmask(_, let reply)):
            try own(reply.sender)
            _ = try aggregation?.receive(reply)
        default: return false
        }
        return true
    }

    private mutating func take(_ integers: Packed<Int64>, from participant: Int) throws(FederationError) {
        try check(integers, from: participant)
        if plan.strategy.isRobust || integers.stored != nil {
            single[participant] = integers
        } else if sum.count == 0 {
            sum = integers
        } else {
            sum.add(integers)
        }
    }

    private func check(_ integers: Packed<Int64>, from participant: Int) throws(FederationError) {
        let largest = Int64(1 << (plan.grid?.bits ?? 0)) * Int64(plan.weight(participant))
        guard integers.count == plan.length, integers.isWithin(largest) else {
            throw .message(
                participant: participant, round: model.round,
                expected: "\(plan.length) integers from -\(largest) to \(largest)")
        }
    }

    // MARK: asynchronous runs

    /// Rounds without a cohort (``Strategy/fedBuff(rate:buffer:exponent:)``): each participant sends updates of the model that it had, as they come.
    private mutating func buffered(
        _ message: ParticipantMessage, from participant: Int, at now: Double
    ) -> CoordinatorReply {
        if phase == .waiting {
            phase = .collect
            attempts = 1
        }
        if !isOver, case .update(let version, let integers) = message, (0...model.round).contains(version),
            contributed[participant] ?? -1 < version
        {
            // One of a participant in each buffer: it is asked for the next one when that is full.
            guard inBuffer.insert(participant).inserted else { return .wait(seconds: plan.leastSeconds / 4) }
            contributed[participant] = version
            do { try add(integers, of: version, from: participant) } catch {
                inBuffer.remove(participant)
                note(participant, "collect: \(error)")
            }
        }
        if case .fetch = message { return .model(model: model) }
        if phase == .aborted { return .aborted(reason: events.last?.words ?? "no more rounds") }
        guard case .heartbeat(let held) = message, held == model.round else { return .model(model: model) }
        if phase == .finished { return .finished(round: model.round, model: model.digest) }
        guard contributed[participant] ?? -1 < model.round else { return .wait(seconds: plan.leastSeconds / 4) }
        return .begin(
            header: RoundHeader(
                run: run, plan: plan.digest, round: model.round, attempt: model.round, model: model.digest,
                asked: Array(roster.indices)))
    }

    private mutating func add(_ integers: Packed<Int64>, of version: Int, from participant: Int) throws {
        try check(integers, from: participant)
        guard let grid = plan.grid else { return }
        var buffer = try buffer ?? UpdateBuffer(plan.strategy, parameters: plan.parameterCount)
        let weight = plan.weight(participant)
        try buffer.add(grid.mean(integers, weight: weight), staleness: model.round - version, weight: Double(weight))
        if buffer.isFull {
            model = try model.moved(by: try buffer.take(), plan.strategy)
            inBuffer = []
            if model.round == plan.rounds { phase = .finished }
        }
        self.buffer = buffer
    }

    // MARK: phases

    private mutating func begin(at now: Double) {
        guard attempts < plan.rounds + plan.spareRounds else {
            return abort("\(attempts) rounds were begun, and \(model.round) of \(plan.rounds) ended")
        }
        let header = RoundHeader(
            run: run, plan: plan.digest, round: model.round, attempt: attempts, model: model.digest,
            asked: plan.asked(attempt: attempts, of: roster.count, run: run))
        attempts += 1
        self.header = header
        (single, sum, survivors, advertisements, confirmations) = ([:], Packed([]), [], [], [])
        do {
            if let session = try plan.session(header, roster: roster) {
                (aggregation, masked) = (AggregationCoordinator(session: session), MaskedSum(session))
                enter(.advertise, header.asked, at: now)
            } else {
                (aggregation, masked) = (nil, nil)
                enter(.collect, header.asked, at: now)
            }
        } catch { abort("\(error)") }
    }

    private mutating func enter(_ phase: Phase, _ expected: [Int], at now: Double) {
        self.phase = phase
        self.expected = Set(expected)
        arrived = []
        (began, patience) = (now, deadlines.seconds(phase.rawValue))
    }

    private var needed: Int {
        switch plan.aggregation {
        case .plain: plan.least
        case .masked(let threshold, _), .distributedNoise(let threshold, _):
            phase == .confirm || phase == .unmask ? threshold : plan.least
        }
    }

    private mutating func close(at now: Double) {
        if case .fedBuff = plan.strategy { return }
        // At most all phases of a round that nobody takes part in.
        for _ in 0..<8 {
            guard !isOver, phase != .waiting, arrived.count == expected.count || now >= deadline else { return }
            guard arrived.count >= needed else {
                deadlines.closed(phase.rawValue, enough: false)
                // Of many, the first few.
                for participant in expected.subtracting(arrived).sorted().prefix(16) {
                    note(participant, "was not in time in the phase \(phase.rawValue)")
                }
                note(
                    nil,
                    "void: \(arrived.count) of at least \(needed) participants were in time in the phase \(phase.rawValue)"
                )
                begin(at: now)
                return
            }
            deadlines.closed(phase.rawValue, enough: true)
            do { try proceed(at: now) } catch {
                note(nil, "void: \(error)")
                begin(at: now)
            }
        }
    }

    private mutating func proceed(at now: Double) throws {
        guard let header else { return }
        func places(_ indices: [Int]) -> [Int] { indices.map { header.asked[$0] } }
        switch phase {
        case .collect:
            try finish(plain(), at: now)
        case .advertise:
            advertisements = try aggregation?.closeAdvertising() ?? []
            enter(.share, places(advertisements.map(\.sender)), at: now)
        case .share:
            enter(.mask, places(try aggregation?.closeSharing() ?? []), at: now)
        case .mask:
            guard let masked else { return }
            survivors = try aggregation?.closeMasking(masked) ?? []
            enter(.confirm, places(survivors), at: now)
        case .confirm:
            confirmations = try aggregation?.closeConfirming() ?? []
            // Who did not sign opens nothing.
            enter(.unmask, arrived.sorted(), at: now)
        case .unmask:
            guard let masked, let opened = try aggregation?.open(masked) else { return }
            for wrong in opened.wrongShares {
                note(
                    header.asked[wrong.holder],
                    "sent a wrong share of participant \(header.asked[wrong.owner])'s secrets")
            }
            let signed = try SignedSum(modulusBits: opened.modulusBits(of: aggregation))
            try finish(
                OpenedRound(
                    header: header, participants: places(opened.participants),
                    result: .sum(integers: Packed(opened.sum.map { signed.value($0) }))), at: now)
        case .waiting, .finished, .aborted: break
        }
    }

    private func plain() throws -> OpenedRound {
        guard let header else {
            throw FederationError.coordinator(round: model.round, expected: "a round that was begun")
        }
        let participants = arrived.sorted()
        guard plan.strategy.isRobust, let grid = plan.grid else {
            var parts = participants.compactMap { single[$0] }
            if parts.isEmpty {
                return OpenedRound(header: header, participants: participants, result: .sum(integers: sum))
            }
            if sum.count > 0 { parts.append(sum) }
            return OpenedRound(
                header: header, participants: participants,
                result: .sum(integers: try Packed.sum(of: parts, in: place ?? .memory)))
        }
        let updates = participants.map { grid.mean(single[$0] ?? Packed([]), weight: plan.weight($0)) }
        let centre = model.server.momentum
        let combined = try plan.strategy.combine(updates, centre: centre.isEmpty ? nil : centre)
        return OpenedRound(
            header: header, participants: participants, result: .combined(vector: Packed(combined.vector)))
    }

    private mutating func finish(_ opened: OpenedRound, at now: Double) throws {
        try model.take(opened, plan, participants: roster.count, in: place ?? .memory)
        last = opened
        (single, sum, aggregation, masked) = ([:], Packed([]), nil, nil)
        if model.round == plan.rounds {
            phase = .finished
        } else {
            begin(at: now)
        }
    }

    private mutating func abort(_ words: String) {
        note(nil, words)
        phase = .aborted
    }
}

extension AggregationResult {
    fileprivate func modulusBits(of coordinator: AggregationCoordinator?) -> Int {
        coordinator?.session.modulusBits ?? 64
    }
}

extension RunModel {
    /// The model behind the server's step.
    func moved(
        by mean: [Float], _ strategy: Strategy, share: Double = 1, in place: VectorPlace = .memory
    ) throws -> RunModel {
        let expected = strategy.vectorLength(parameters: packed.count)
        guard mean.count == expected else {
            throw StrategyError.length(of: "mean", found: mean.count, expected: expected)
        }
        return try stepped(strategy, share: share, in: place) { $0.map { Array(mean[$0]) } ?? mean }
    }

    /// The model behind the server's step. Where the strategy carries nothing but the weights it is taken chunk by chunk: an entry's step follows from that entry alone.
    ///
    /// - Parameter mean: Gives the mean's entries in a range; nil: all of them.
    private func stepped(
        _ strategy: Strategy, share: Double, in place: VectorPlace, mean: (Range<Int>?) throws -> [Float]
    ) throws -> RunModel {
        var next = server
        guard !server.hasVectors else {
            var weights = weights
            try next.apply(mean: try mean(nil), to: &weights, strategy: strategy, share: share)
            return RunModel(round: round + 1, weights: try Packed(weights).lying(in: place), server: next)
        }
        var chunk: [Float] = []
        let moved: Packed<Float> = try place.vector(packed.count) { range, target in
            next = server
            var weights = try packed.withChunk(range, &chunk) { Array($0) }
            let mean = try mean(range)
            do {
                try next.apply(mean: mean, to: &weights, strategy: strategy, share: share)
            } catch StrategyError.nonFinite(let name, let position) {
                throw StrategyError.nonFinite(name, position: range.lowerBound + position)
            }
            weights.withUnsafeBufferPointer { _ = target.update(fromContentsOf: $0) }
        }
        return RunModel(round: round + 1, weights: moved, server: next)
    }

    /// What follows from an opened round, the same for all who hold the model before it.
    ///
    /// - Throws: What does not fit the plan, or what the place throws.
    mutating func take(
        _ opened: OpenedRound, _ plan: FederatedPlan, participants: Int, in place: VectorPlace = .memory
    ) throws {
        guard opened.header.round == round, !opened.participants.isEmpty else {
            throw FederationError.coordinator(round: round, expected: "the sum of round \(round)")
        }
        if plan.outcome == .sum {
            guard case .sum(let integers) = opened.result, integers.count == plan.length else {
                throw FederationError.coordinator(round: round, expected: "a sum of \(plan.length) integers")
            }
            self = RunModel(round: round + 1, weights: [], server: server, sum: integers)
            return
        }
        guard opened.result.count == plan.length else {
            throw FederationError.coordinator(round: round, expected: "\(plan.length) entries")
        }
        let weight = plan.weight(of: opened.participants)
        let share = Double(weight) / Double(plan.weight(of: 0..<participants))
        switch (opened.result, plan.grid) {
        case (.combined(let vector), _): self = try moved(by: vector.values, plan.strategy, share: share, in: place)
        case (.sum(let integers), .none):
            self = try moved(by: plan.mean(integers, weight: weight), plan.strategy, share: share, in: place)
        case (.sum(let integers), .some(let grid)):
            var chunk: [Int64] = []
            self = try stepped(plan.strategy, share: share, in: place) { range in
                try integers.withChunk(range ?? 0..<integers.count, &chunk) { grid.mean($0, weight: weight) }
            }
        }
    }
}
