import Crypto
import DatasiteProtocol
import Federation
public import Foundation
import Synchronization

/// Who stands between sites that compute together in sealed rounds. It is not trusted (``Federation/SealedRoundsRelay``), and holds frames in memory alone: with its process the run is over, and nothing comes of it.
public final class SealedRoundsRun: CoordinatedRun {
    private struct State {
        var relay: SealedRoundsRelay
        var heard: Set<Int> = []
        var numbers: [Int: UInt64] = [:]
    }

    /// The sites' keys.
    public let roster: [Data]
    /// Its name, 16 bytes.
    public let run: Data
    private let key: Curve25519.Signing.PrivateKey
    private let lock: ServerLock
    private let state: Mutex<State>
    private let threads = EngineThreads(threads: 1, queueLimit: 64, words: "the relay is")
    private let waiting = Waiting()
    private let changed: @Sendable (CoordinatorRun.Progress) -> Void
    /// For so many seconds an answer is held back that would bring nothing.
    private let longestWait: Double

    /// Begins the run.
    ///
    /// - Parameters:
    ///   - run: Its name, 16 bytes.
    ///   - relay: As it begins.
    /// - Throws: A `Problem`: another process holds the run.
    init(run: Data, roster: [Data], relay: SealedRoundsRelay, _ opening: RunOpening, longestWait: Double = 10) throws {
        (self.run, self.roster, key, changed) = (run, roster, opening.key, opening.changed)
        self.longestWait = longestWait
        lock = try ServerLock(
            path: opening.folder + "/lock",
            busy: Problem.conflict("another process coordinates the run in \(opening.folder)", hint: "stop it first"))
        state = Mutex(State(relay: relay))
    }

    /// The longest message that a site sends.
    public var largestMessage: Int { 256 + state.withLock { $0.relay.largestMessage } }

    /// Where the run is.
    public var progress: CoordinatorRun.Progress { state.withLock { progress($0) } }

    private func progress(_ state: State) -> CoordinatorRun.Progress {
        let relay = state.relay
        let phase: Coordinator.Phase =
            relay.left != nil ? .aborted : relay.isComplete ? .finished : relay.wholeRounds > 0 ? .collect : .waiting
        return CoordinatorRun.Progress(
            round: relay.wholeRounds, rounds: relay.rounds, attempts: 1, phase: phase, heard: state.heard, events: [],
            weights: Packed([]), average: Packed([]), seconds: 0)
    }

    /// Who left before the end, by place.
    var left: Int? { state.withLock { $0.relay.left } }

    /// Takes a site's frame, and gives the reply's. Whoever would be told to wait is answered when all of the round is here, or after some seconds.
    ///
    /// - Throws: A ``Federation/FrameError``.
    public func answer(_ frame: ArrivingFrame) async throws -> LeavingFrame {
        var version = waiting.version
        let bytes = try await frame.whole(atMost: largestMessage)
        let (signed, message) = try await threads.run { try self.read(bytes) }
        var reply = try await threads.run { try self.take(message, from: signed.sender) }
        let end = ContinuousClock.now + .seconds(longestWait)
        let again = SealedRoundsMessage(.asks, round: message.round)
        while message.act != .leaves, reply.frames == nil, reply.left == nil, .now < end {
            await waiting.wait(after: version, atMost: end - .now)
            version = waiting.version
            reply = try await threads.run { try self.take(again, from: signed.sender) }
        }
        let answer = reply
        return LeavingFrame(
            try await threads.run { try SignedReply(body: answer.bytes, to: signed, key: self.key).head })
    }

    private func read(_ frame: [UInt8]) throws -> (SignedMessage, SealedRoundsMessage) {
        let signed = try SignedMessage(reading: Data(frame))
        guard !signed.hasVectorsBehind else { throw FrameError.frame(expected: "a frame that begins with PRM1") }
        guard signed.run == run else { throw FrameError.run }
        let message = try SealedRoundsMessage(reading: try signed.verifiedBody(roster: roster))
        try state.withLock { state in
            guard signed.number > state.numbers[signed.sender] ?? 0 else { throw FrameError.replayed }
            state.numbers[signed.sender] = signed.number
        }
        return (signed, message)
    }

    private func take(_ message: SealedRoundsMessage, from place: Int) throws -> SealedRoundsReply {
        let (reply, news, isNew) = try state.withLock { state in
            let isFirst = state.heard.insert(place).inserted
            let (before, left) = (state.relay.wholeRounds, state.relay.left)
            let reply = try state.relay.answer(message, from: place)
            let isNew = state.relay.wholeRounds != before || state.relay.left != left
            return (reply, isFirst || isNew ? progress(state) : nil, isNew)
        }
        if let news { changed(news) }
        if isNew { waiting.announce() }
        return reply
    }
}
