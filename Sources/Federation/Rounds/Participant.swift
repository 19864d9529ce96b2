public import Crypto
public import Foundation
internal import MultipartyComputation

/// One participant's part in a run: replies in, messages out, no I/O and no clock. It dials out: it sends ``next()``, and gives ``take(_:work:)`` what comes back.
///
/// **The caller stores ``state`` durably before it sends what ``next()`` gives.** What was once made for a round is sent again as it is: a new draw of noise
/// under the same masks would show the difference of both. The state holds secrets and the participant's update: it is kept as private as the rows.
///
/// The participant trusts the coordinator with no more than its replies say: each round's header must be of the plan that its owner allowed, of participants
/// whose keys its owner approved, and of the model that it holds itself, whose digest enters the masks. It takes the steps itself.
public struct Participant: Sendable {
    /// What its owner allowed.
    public let plan: FederatedPlan
    /// The keys of all participants, as its owner approved them.
    public let roster: [Data]
    /// Its place.
    public let index: Int
    /// What must be durable.
    public private(set) var state: State
    private let run: Data
    private let planDigest: Data
    private let identity: Curve25519.Signing.PrivateKey

    /// What a participant has done so far.
    public struct State: Sendable, Codable {
        /// The model that it holds.
        public internal(set) var model: RunModel?
        /// Whether the run is over, and with which words where it did not end as planned.
        public internal(set) var end: End?
        /// In how many opened sums its update is.
        public internal(set) var contributions = 0
        /// How many entries of its updates lay beyond the plan's range, and were cut to it: for its owner alone.
        public internal(set) var cutEntries = 0
        /// What goes out next; nil: a heartbeat.
        var outgoing: ParticipantMessage?
        var header: RoundHeader?
        /// Whether the header's attempt is over: it is not entered again, since its keys and what was made under them are gone.
        var isOver = false
        /// Which run and plan it is of.
        var run = Data()
        var plan = Data()
        /// With masks and no noise: of which model a sum was opened last, and over whom. Another sum of the same updates would show the difference.
        var unmasked: Unmasked?
        var session: AggregationParticipant?
        /// What was made for the attempt of the header.
        var made: ParticipantMessage?
        /// Of the header's attempt: over whom it agreed to open the sum.
        var confirmed: [Int]?
        /// What its work alone keeps from round to round: a control variate, or the layers that stay with it. It is private.
        public internal(set) var carried: [Float] = []
        var carriedIfOpened: [Float]?
    }

    /// A sum that was opened.
    struct Unmasked: Sendable, Codable {
        let model: Data
        let participants: [Int]
    }

    /// How a run ended.
    public enum End: Sendable, Hashable, Codable {
        /// With its last round.
        case finished
        /// Without it: why.
        case aborted(reason: String)
    }

    /// - Parameters:
    ///   - policy: The owner's: a plan that it does not allow is refused here, before a byte leaves.
    ///   - state: Where to go on; nil: at the beginning.
    /// - Throws: `plan`, `policy`.
    public init(
        plan: FederatedPlan, policy: FederationPolicy, roster: [Data], run: Data,
        identity: Curve25519.Signing.PrivateKey,
        state: State? = nil
    ) throws(FederationError) {
        let key = identity.publicKey.rawRepresentation
        guard let index = roster.firstIndex(of: key) else {
            throw .plan("the roster", expected: "a roster with this participant's own key")
        }
        try self.init(
            plan: plan, policy: policy, roster: roster, index: index, run: run, identity: identity, state: state)
    }

    init(
        plan: FederatedPlan, policy: FederationPolicy, roster: [Data], index: Int, run: Data,
        identity: Curve25519.Signing.PrivateKey, state: State? = nil
    ) throws(FederationError) {
        try plan.check(participants: roster.count)
        try policy.check(plan, participants: roster.count)
        (self.plan, self.roster, self.run, self.index, self.identity) = (plan, roster, run, index, identity)
        planDigest = plan.digest
        var state = state ?? State()
        if state.run.isEmpty { (state.run, state.plan) = (run, planDigest) }
        guard state.run == run, state.plan == planDigest else {
            throw .plan("the stored state", expected: "that of this run and this plan")
        }
        self.state = state
    }

    /// The same participant, as its stored state says.
    func resumed(from state: State) -> Participant {
        var participant = self
        participant.state = state
        return participant
    }

    /// What to send now: the same until a reply came.
    public func next() -> ParticipantMessage { state.outgoing ?? .heartbeat(holds: state.model?.round) }

    /// Does what a reply says.
    ///
    /// - Returns: How many seconds to wait before the next message.
    /// - Throws: What is wrong with the reply or the own work. Where it was a round's, the participant leaves the round, with the next message.
    public mutating func take(_ reply: CoordinatorReply, work: inout some LocalWork) throws(FederationError) -> Double {
        state.outgoing = nil
        guard state.end == nil else {
            throw .coordinator(round: plan.rounds, expected: "nothing more: the run is over here")
        }
        switch reply {
        case .wait(let seconds): return max(0.01, min(seconds, 3_600))
        case .opened(let opened): try take(opened)
        case .model(let model): try take(model)
        case .finished(let round, let digest):
            guard let model = state.model, round == model.round, round == plan.rounds, digest == model.digest else {
                throw .coordinator(round: round, expected: "the model that all rounds led to")
            }
            state.end = .finished
            forget()
        case .aborted(let reason):
            state.end = .aborted(reason: reason.publicWords)
            forget()
        case .begin(let header), .advertisements(let header, _), .shares(let header, _), .survivors(let header, _),
            .confirmations(let header, _, _):
            try enter(header)
            do { try takePart(reply, header, work: &work) } catch let error as OwnFailure {
                // Under masks it stays, with nothing: who leaves would tell that it could not.
                throw .work(participant: index, round: header.round, reason: "\(error.error)")
            } catch {
                state.outgoing = .leaves(attempt: header.attempt, reason: Self.publicWords(error))
                throw error as? FederationError
                    ?? .work(participant: index, round: header.round, reason: Self.publicWords(error))
            }
        }
        return 0
    }

    /// Errors of the protocol name places and sizes alone; of others nothing is told.
    private static func publicWords(_ error: any Error) -> String {
        switch error {
        case FederationError.notANumber, FederationError.work: "its own work failed"
        case let error as FederationError: "\(error)"
        case let error as AggregationError: "\(error)"
        default: "its own work failed"
        }
    }

    /// Secrets of rounds that are over.
    private mutating func forget() {
        (state.session, state.made, state.carriedIfOpened, state.confirmed) = (nil, nil, nil, nil)
        state.isOver = true
    }

    /// What went wrong with the own work, where nobody else may know.
    private struct OwnFailure: Error { let error: any Error }

    // MARK: models

    private mutating func take(_ opened: OpenedRound) throws(FederationError) {
        guard var model = state.model else { throw .coordinator(round: opened.header.round, expected: "a model first") }
        try check(opened.header)
        if let header = state.header, header.attempt == opened.header.attempt, header != opened.header {
            throw .coordinator(round: model.round, expected: "the round as it was begun")
        }
        guard opened.participants.count >= plan.least, opened.participants.isAscending,
            opened.participants.isPart(of: opened.header.asked)
        else {
            throw .coordinator(
                round: model.round, expected: "a sum over at least \(plan.least) of those who were asked")
        }
        do { try model.take(opened, plan, participants: roster.count) } catch {
            throw .coordinator(round: model.round, expected: "a sum that fits the plan")
        }
        state.model = model
        if opened.holds(index), state.header?.attempt == opened.header.attempt, helpedOpen(opened) {
            state.contributions += 1
        }
        if opened.holds(index), state.header?.attempt == opened.header.attempt,
            let carried = state.carriedIfOpened
        {
            state.carried = carried
        }
        forget()
    }

    /// Whether it sent what an opened sum needs of it: without that nobody can have opened it, whatever a coordinator says.
    private func helpedOpen(_ opened: OpenedRound) -> Bool {
        guard plan.aggregation.way != .plain else { return state.made != nil }
        let unmasked =
            state.unmasked?.model == opened.header.model && state.unmasked?.participants == opened.participants
        // Of a sum over all that each of them opens; else others' shares may suffice, behind its signature on who is in it.
        return plan.outcome == .sum ? unmasked : unmasked || state.confirmed == opened.participants
    }

    private mutating func take(_ model: RunModel) throws(FederationError) {
        let weights = model.weights
        guard weights.count == plan.weightCount, weights.firstNonFinite == nil,
            model.sum?.count == (plan.outcome == .sum && model.round > 0 ? plan.length : nil),
            (0...plan.rounds).contains(model.round), model.round >= state.model?.round ?? 0
        else {
            throw .coordinator(
                round: state.model?.round ?? 0,
                expected: "\(plan.weightCount) finite weights, of no earlier round than the last")
        }
        if let own = state.model, own.round == model.round, own != model {
            throw .coordinator(round: own.round, expected: "the model that this participant holds already")
        }
        state.model = model
    }

    // MARK: rounds

    /// What each header must be, of a round that this participant is in or not.
    private func check(_ header: RoundHeader) throws(FederationError) {
        guard header.run == run, header.plan == planDigest else {
            throw .coordinator(
                round: header.round, expected: "the run and the plan that this participant's owner allowed")
        }
        guard (0..<plan.rounds + plan.spareRounds).contains(header.attempt) else {
            throw .coordinator(
                round: header.round, expected: "one of the \(plan.rounds + plan.spareRounds) attempts that are paid for"
            )
        }
        // Also within an attempt: an update of another model than the others' would stand out in their sum.
        guard let model = state.model, header.round == model.round, header.model == model.digest else {
            throw .coordinator(round: header.round, expected: "the model that this participant holds")
        }
        // A header that was checked is not derived again.
        guard header == state.header || header.asked == plan.asked(attempt: header.attempt, of: roster.count, run: run)
        else {
            throw .coordinator(round: header.round, expected: "the participants whose turn it is")
        }
    }

    private mutating func enter(_ header: RoundHeader) throws(FederationError) {
        try check(header)
        if let known = state.header, known.attempt == header.attempt {
            guard known == header, !state.isOver else {
                throw .coordinator(round: header.round, expected: "the round as it was begun, which is not over")
            }
            return
        }
        guard header.attempt > state.header?.attempt ?? -1 else {
            throw .coordinator(round: header.round, expected: "a later attempt than \(state.header?.attempt ?? 0)")
        }
        guard header.place(index) != nil else {
            throw .coordinator(round: header.round, expected: "a round in which this participant is asked")
        }
        forget()
        (state.header, state.isOver) = (header, false)
    }

    private mutating func takePart(
        _ reply: CoordinatorReply, _ header: RoundHeader, work: inout some LocalWork
    ) throws {
        switch reply {
        case .begin:
            if plan.aggregation.way == .plain {
                state.outgoing = try made { participant in
                    .update(attempt: header.attempt, integers: Packed(try participant.integers(header, work: &work)))
                }
            } else {
                if state.session == nil {
                    guard let session = try plan.session(header, roster: roster), let place = header.place(index)
                    else { return }
                    state.session = try AggregationParticipant(session: session, index: place, identity: identity)
                }
                state.outgoing = state.session.map {
                    .advertisement(attempt: header.attempt, advertisement: $0.advertisement)
                }
            }
        case .advertisements(_, let advertisements):
            state.outgoing = .shares(
                attempt: header.attempt, shares: try session(header) { try $0.share(advertisements) })
        case .shares(_, let shares):
            try session(header) { try $0.receive(shares) }
            var failure: OwnFailure?
            state.outgoing = try made { participant in
                let bits = participant.state.session?.session.modulusBits ?? 64
                let residues = try SignedSum(modulusBits: bits)
                var input = [UInt64](repeating: 0, count: participant.plan.length)
                do { input = try participant.integers(header, work: &work).map(residues.residue) } catch {
                    // With noise its share would be missing from what is opened: there it leaves.
                    guard participant.plan.aggregation.way == .masked else { throw error }
                    failure = OwnFailure(error: error)
                }
                return .masked(
                    attempt: header.attempt, vector: Packed(try participant.session(header) { try $0.mask(input) }))
            }
            if let failure { throw failure }
        case .survivors(_, let survivors):
            // The masks' threshold may be lower. What is charged is for as many shares of the noise.
            guard survivors.count >= plan.least else {
                throw FederationError.coordinator(
                    round: header.round,
                    expected: "a sum over at least \(plan.least) participants, not \(survivors.count)")
            }
            if plan.aggregation.way == .masked, let before = state.unmasked, before.model == header.model,
                before.participants != survivors
            {
                throw FederationError.coordinator(
                    round: header.round, expected: "the participants over whom a sum from this model was opened before")
            }
            state.confirmed = survivors
            state.outgoing = .confirmation(
                attempt: header.attempt,
                signature: try session(header) { [identity] in try $0.confirm(survivors: survivors, identity: identity)
                })
        case .confirmations(_, let survivors, let confirmations):
            state.unmasked = Unmasked(model: header.model, participants: survivors)
            state.outgoing = .unmask(
                attempt: header.attempt,
                shares: try session(header) { try $0.unmask(survivors: survivors, confirmations: confirmations) })
        case .wait, .opened, .model, .finished, .aborted: break
        }
    }

    private mutating func session<Result>(
        _ header: RoundHeader, _ body: (inout AggregationParticipant) throws -> Result
    ) throws -> Result {
        guard var session = state.session else {
            throw FederationError.work(
                participant: index, round: header.round,
                reason: "it has no keys of this round: they were lost, or it came late")
        }
        let result = try body(&session)
        state.session = session
        return result
    }

    /// What was made for this attempt, or makes it, once.
    private mutating func made(_ make: (inout Participant) throws -> ParticipantMessage) throws -> ParticipantMessage {
        if let made = state.made { return made }
        let message = try make(&self)
        state.made = message
        return message
    }

    private mutating func integers(_ header: RoundHeader, work: inout some LocalWork) throws -> [Int64] {
        guard let model = state.model else { return [] }
        let done = try work.update(of: model, in: header, carried: state.carried)
        let integers: [Int64]
        switch (done.update, plan.grid) {
        case (.numbers(let values), .some(let grid)):
            let (rounded, cut) = try grid.integers(values, weight: plan.weight(index))
            integers = rounded
            state.cutEntries += cut
        case (.integers(let values), .none): integers = values
        default:
            throw FederationError.work(
                participant: index, round: header.round, reason: "its work makes other updates than the plan has")
        }
        guard integers.count == plan.length else {
            throw FederationError.work(
                participant: index, round: header.round,
                reason: "an update of \(integers.count) entries, not \(plan.length)")
        }
        state.carriedIfOpened = done.carried
        return integers
    }
}

extension Participant: CustomStringConvertible, CustomReflectable {
    /// Its place alone: its state is private.
    public var description: String { "Participant(\(index))" }
    /// Its place alone.
    public var customMirror: Mirror { Mirror(self, children: ["index": index]) }
}

extension Participant.State: CustomStringConvertible, CustomReflectable {
    /// Its round alone: updates and keys are private.
    public var description: String { "Participant.State(round \(model?.round ?? 0))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension [Int] {
    /// Whether each is larger than the one before.
    fileprivate var isAscending: Bool { zip(self, dropFirst()).allSatisfy { $0 < $1 } }

    /// Whether each is among the others; both ascend.
    fileprivate func isPart(of others: [Int]) -> Bool {
        var next = 0
        return allSatisfy { number in
            while next < others.count, others[next] < number { next += 1 }
            return next < others.count && others[next] == number
        }
    }
}
