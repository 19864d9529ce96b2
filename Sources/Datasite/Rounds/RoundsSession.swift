import Crypto
import Federation
import Foundation
import Secrets
import Tables

/// One site's part in the rounds of a run, from its stored state on, under one charge.
///
/// What is sent was durable before, and is sent again as it is: a new draw under the same masks would show the difference of both (docs/privacy.md, rules 29 and
/// 31). What was made from rows leaves at the end of its public slot (``Pace``); all else follows from what others sent.
struct RoundsSession {
    /// With whom, and what the site's policy allows.
    let rounds: AllowedRounds
    /// What is done.
    let plan: FederatedPlan
    let outside: Outside
    let workspace: Workspace
    let track: StepTrack
    let bounds: Bounds

    /// Public bounds of what a site's part takes.
    struct Bounds: Sendable {
        /// Of everything before the first message.
        let reading: Work
        /// Of what is made from rows in a round.
        let round: Work
        /// In bytes.
        let largestReply: Int
        /// After which rounds progress is told.
        let blocks: [Int]
        /// A coordinator that is silent for longer is taken for gone.
        var patience: Duration = .seconds(3_600)
    }

    /// Masks, encoding, and writing what is kept, of so many integers.
    static func sending(length: Int, sites: Int) -> Work {
        Work([.step: (200 + 8 * Double(min(sites, 500))) * Double(length), .scan: 500])
    }

    /// A model, or a sum: eight bytes an entry in base64, and as much again; shares of all sites.
    static func largestReply(length: Int, sites: Int) -> Int { (1 << 20) + 32 * length + 4_096 * sites }

    /// What is kept between messages: as private as the rows.
    private struct Saved: Codable {
        var state: Participant.State?
        /// The order of rows in local steps: what is computed again is the same.
        var seed: UInt64
        /// Of the last frame, or a later one.
        var number: UInt64
    }

    /// How a run ended.
    struct Result {
        let model: RunModel
        /// In how many of the rounds' sums its own update is.
        let contributions: Int
    }

    /// For so long a coordinator may say to wait.
    static let longestPause: Duration = .seconds(86_400)
    /// So many replies one after the other that cannot be taken end the run.
    static let mostRefused = 20

    /// - Parameter setUp: Makes what each round asks of the rows, from a seed that this run keeps; nil: what is needed for it is not there. What it makes is nil where it cannot
    /// be set up: then each round's work fails, as the participant handles it.
    /// - Returns: nil: it did not come to its end; the workspace says why, in public words.
    func run<Work: LocalWork>(_ setUp: (_ seed: UInt64) -> Work??) -> Result? {
        guard let lock = workspace.lock() else { return nil }
        defer { withExtendedLifetime(lock) {} }
        guard let connection = outside.connection else {
            workspace.note("this process connects to no coordinator: `parley serve` does")
            return nil
        }
        guard var saved = saved() else { return nil }
        // Some frames may have been sent since.
        saved.number += RoundsDesk.leap
        guard var participant = participant(saved), let made = setUp(saved.seed) else { return nil }
        outside.pace.leave(bounds.reading, since: outside.start)
        guard track.finish(1) else { return nil }
        var work = CountedWork(made) { [desk, rounds] header in
            desk.enter("round \(header.round) of the run \(rounds.invitation.run), attempt \(header.attempt)")
        }
        return take(part: &participant, saved, with: &work, over: connection)
    }

    private func saved() -> Saved? {
        guard workspace.folder.has(.participant) else {
            var random = SecureRandom()
            return Saved(state: nil, seed: random.next(), number: 0)
        }
        // Begun anew it would draw again what is paid for once.
        guard
            let saved = workspace.saved(.participant).flatMap({ try? JSONDecoder().decode(Saved.self, from: Data($0)) })
        else {
            workspace.note("what it kept of the run cannot be read, and it does not begin anew under one charge")
            return nil
        }
        return saved
    }

    private func participant(_ saved: Saved) -> Participant? {
        do throws(FederationError) {
            return try Participant(
                plan: plan, policy: rounds.policy, roster: rounds.roster, run: rounds.run,
                identity: outside.identity, state: saved.state)
        } catch {
            workspace.note(Self.publicWords(error))
            return nil
        }
    }

    // MARK: rounds

    private func take(
        part participant: inout Participant, _ before: Saved, with work: inout CountedWork<some LocalWork>,
        over connection: any CoordinatorConnection
    ) -> Result? {
        let pace = outside.pace
        var saved = before
        guard save(participant.state, in: &saved) else { return nil }
        var (heard, refused, told) = (pace.now, 0, 1)
        // The last step was taken here, from the sum: nobody needs to confirm it.
        var tookLast = false
        var (moved, attempt) = (pace.now, -1)
        var pause = 0.1
        while true {
            guard track.goesOn else { return nil }
            if let model = participant.state.model, model.round == plan.rounds,
                participant.state.end == .finished || tookLast
            {
                // What somebody sent is nothing that this site helped to make.
                guard participant.state.contributions > 0 else {
                    workspace.note("its part is in none of the sums, and it signs nothing that others made")
                    return nil
                }
                return Result(model: model, contributions: participant.state.contributions)
            }
            if case .aborted(let reason) = participant.state.end {
                workspace.note("the run ended without its last round: \(reason)")
                return nil
            }
            saved.number += 1
            let reply: CoordinatorReply
            do {
                let message = try SignedMessage(
                    participant.next(), run: rounds.run, sender: rounds.index, number: saved.number,
                    key: outside.identity
                )
                let bytes = try connection.exchange(
                    Array(message.bytes), with: rounds.invitation.coordinator, largestReply: bounds.largestReply)
                reply = try SignedReply.verified(Data(bytes), to: message, coordinator: rounds.coordinatorKey)
                (heard, pause) = (pace.now, 0.1)
            } catch let error as UnusableCoordinator {
                workspace.note(error.words)
                return nil
            } catch {
                if RoundsDesk.isAnswered(error) { heard = pace.now }
                guard pace.now - moved < Self.longestPause else {
                    workspace.note("no round was begun for a day")
                    return nil
                }
                guard pace.now - heard < bounds.patience else {
                    workspace.note("its coordinator has not answered for \(bounds.patience.components.seconds) seconds")
                    return nil
                }
                guard sleep(seconds: pause) else { return nil }
                pause = min(2 * pause, 5)
                continue
            }
            let (start, updates) = (pace.now, work.updates)
            var wait = 0.0
            do throws(FederationError) {
                wait = max(0.01, try participant.take(reply, work: &work))
                refused = 0
                if case .opened = reply { tookLast = true }
            } catch {
                refused += 1
                guard refused < Self.mostRefused else {
                    workspace.note(Self.publicWords(error))
                    return nil
                }
                wait = 1
            }
            let computed = pace.now
            if case .wait = reply {
            } else {
                guard save(participant.state, in: &saved) else { return nil }
            }
            if work.updates != updates { pace.leave(bounds.round, since: start, computedAt: computed) }
            if let now = Self.attempt(reply), now != attempt { (moved, attempt) = (pace.now, now) }
            guard pace.now - moved < Self.longestPause else {
                workspace.note("no round was begun for a day")
                return nil
            }
            told = tell(participant.state.model?.round ?? 0, after: told)
            guard sleep(seconds: wait) else { return nil }
        }
    }

    private static func attempt(_ reply: CoordinatorReply) -> Int? {
        switch reply {
        case .begin(let header), .advertisements(let header, _), .shares(let header, _), .survivors(let header, _),
            .confirmations(let header, _, _):
            header.attempt
        case .wait, .opened, .model, .finished, .aborted: nil
        }
    }

    private func tell(_ round: Int, after told: Int) -> Int {
        let done = 1 + bounds.blocks.count { $0 <= round }
        if done > told { _ = track.finish(done) }
        return max(done, told)
    }

    private var desk: RoundsDesk { RoundsDesk(outside: outside, workspace: workspace, track: track) }

    /// - Returns: Whether to go on.
    private func sleep(seconds: Double) -> Bool { desk.sleep(seconds: seconds) }

    private func save(_ state: Participant.State, in saved: inout Saved) -> Bool {
        saved.state = state
        guard let bytes = try? JSONEncoder().encode(saved) else { return false }
        return desk.save(Array(bytes), to: .participant, in: workspace)
    }

    /// Errors of the protocol name places and sizes alone; of the own work nothing is told.
    static func publicWords(_ error: FederationError) -> String {
        switch error {
        case .work, .notANumber: "its own work failed"
        default: "\(error)"
        }
    }
}

/// Work that is counted and entered into the journal: what it makes leaves at the end of a slot. Where it could not be set up each round's work fails, as the participant handles it.
private struct CountedWork<Work: LocalWork>: LocalWork {
    var work: Work?
    var updates = 0
    private let enters: (RoundHeader) -> Bool

    struct NotSetUp: Error {}

    init(_ work: Work?, entering enters: @escaping (RoundHeader) -> Bool) { (self.work, self.enters) = (work, enters) }

    mutating func update(
        of model: RunModel, in header: RoundHeader, carried: [Float]
    ) throws -> (update: LocalUpdate, carried: [Float]) {
        updates += 1
        guard work != nil, enters(header), let made = try work?.update(of: model, in: header, carried: carried) else {
            throw NotSetUp()
        }
        return made
    }
}
