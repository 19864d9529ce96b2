import Crypto
import DatasiteProtocol
import Federation
public import Foundation
import MultipartyComputation
import Synchronization

/// Who stands between two sites that intersect their lists, with its folder: what a site sent for the other is on the disk before it is told so, so that one that is killed at any
/// moment goes on where it was. It is not trusted (``Federation/IntersectionRelay``).
public final class IntersectionRun: CoordinatedRun {
    private struct State {
        var relay: IntersectionRelay
        var heard: Set<Int> = []
        var numbers: [Int: UInt64] = [:]
    }

    /// The sites' keys.
    public let roster: [Data]
    /// Its name, 16 bytes.
    public let run: Data
    private let key: Curve25519.Signing.PrivateKey
    private let folder: RunFolder
    private let lock: ServerLock
    private let state: Mutex<State>
    private let threads = EngineThreads(threads: 1, queueLimit: 64, words: "the relay is")
    private let waiting = Waiting()
    private let changed: @Sendable (CoordinatorRun.Progress) -> Void
    /// For so many seconds an answer is held back that would bring nothing.
    private let longestWait: Double

    /// Goes on with the run in a folder.
    ///
    /// - Parameters:
    ///   - run: Its name, 16 bytes.
    ///   - relay: As it begins.
    /// - Throws: A `Problem`: another process holds the run, or its files cannot be used.
    init(run: Data, roster: [Data], relay: IntersectionRelay, _ opening: RunOpening, longestWait: Double = 10) throws {
        (self.run, self.roster, key, changed) = (run, roster, opening.key, opening.changed)
        self.longestWait = longestWait
        folder = RunFolder(path: opening.folder)
        lock = try ServerLock(
            path: opening.folder + "/lock",
            busy: Problem.conflict("another process coordinates the run in \(opening.folder)", hint: "stop it first"))
        var relay = relay
        for (place, kind) in roster.indices.flatMap({ place in IntersectionFrame.allCases.map { (place, $0) } })
        where folder.has(.frame(kind, site: place)) {
            let message = IntersectionMessage(
                frame: (kind, try folder.read(.frame(kind, site: place))), wants: nil)
            guard (try? relay.answer(message, from: place)) != nil else {
                throw Problem.unavailable("\(folder.path(.frame(kind, site: place))) is damaged, or of another run")
            }
        }
        state = Mutex(State(relay: relay))
    }

    /// The longest message that a site sends.
    public var largestMessage: Int { 256 + state.withLock { $0.relay.largestMessage } }

    /// Where the run is: it has one round.
    public var progress: CoordinatorRun.Progress { state.withLock { progress($0) } }

    private func progress(_ state: State) -> CoordinatorRun.Progress {
        let isComplete = state.relay.isComplete
        let all = Set(roster.indices)
        let isBegun = all.allSatisfy { state.relay.holds(.hello, of: $0) }
        return CoordinatorRun.Progress(
            round: isComplete ? 1 : 0, rounds: 1, attempts: 1,
            phase: isComplete ? .finished : isBegun ? .collect : .waiting, heard: state.heard, events: [],
            weights: Packed([]), average: Packed([]), seconds: 0)
    }

    /// Takes a site's frame, and gives the reply's. Whoever would be told to wait is answered when something is new, or after some seconds.
    ///
    /// - Throws: A ``Federation/FrameError``, or a `Problem` where the disk does not take it: nothing was taken then.
    public func answer(_ frame: ArrivingFrame) async throws -> LeavingFrame {
        var version = waiting.version
        let bytes = try await frame.whole(atMost: largestMessage)
        let (signed, message) = try await threads.run { try self.read(bytes) }
        var reply = try await threads.run { try self.take(message, from: signed.sender) }
        let end = ContinuousClock.now + .seconds(longestWait)
        let again = IntersectionMessage(frame: nil, wants: message.wants)
        // What a site has just sent is confirmed at once.
        while message.frame == nil, message.wants != nil, reply.kind == nil, .now < end {
            await waiting.wait(after: version, atMost: end - .now)
            version = waiting.version
            reply = try await threads.run { try self.take(again, from: signed.sender) }
        }
        let body = reply.bytes
        return LeavingFrame(
            try await threads.run { try SignedReply(body: body, to: signed, key: self.key).head })
    }

    private func read(_ frame: [UInt8]) throws -> (SignedMessage, IntersectionMessage) {
        let signed = try SignedMessage(reading: Data(frame))
        guard !signed.hasVectorsBehind else { throw FrameError.frame(expected: "a frame that begins with PRM1") }
        guard signed.run == run else { throw FrameError.run }
        let message = try IntersectionMessage(reading: try signed.verifiedBody(roster: roster))
        try state.withLock { state in
            guard signed.number > state.numbers[signed.sender] ?? 0 else { throw FrameError.replayed }
            state.numbers[signed.sender] = signed.number
        }
        return (signed, message)
    }

    private func take(_ message: IntersectionMessage, from place: Int) throws -> IntersectionReply {
        let (reply, news) = try state.withLock { state -> (IntersectionReply, CoordinatorRun.Progress?) in
            let isFirst = state.heard.insert(place).inserted
            var relay = state.relay
            let reply = try relay.answer(message, from: place)
            var isNew = isFirst
            if let (kind, bytes) = message.frame, !state.relay.holds(kind, of: place) {
                try folder.write(Array(bytes), to: .frame(kind, site: place))
                isNew = true
            }
            state.relay = relay
            return (reply, isNew ? progress(state) : nil)
        }
        if let news {
            changed(news)
            waiting.announce()
        }
        return reply
    }
}
