import Crypto
import DatasiteProtocol
public import Federation
public import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A coordinator with its folder: signed frames in, signed frames out, and everything durable before it is answered.
///
/// Its state follows from the messages that it took (``MessageLog``): one that is killed at any moment goes on where it was, and a participant that asks again is
/// told what it would have been told. A run begins when all sites are there, or enough of them for so long that the others are taken for absent.
public final class CoordinatorRun: CoordinatedRun {
    /// What people see of a run.
    public struct Progress: Sendable {
        /// How many rounds changed the model, and of how many.
        public var (round, rounds): (Int, Int)
        /// How many were begun, void ones too.
        public var attempts: Int
        /// What is waited for.
        public var phase: Coordinator.Phase
        /// The places of the sites that were heard of since this process began.
        public var heard: Set<Int>
        /// What people should know, the latest last.
        public var events: [Coordinator.Event]
        /// What has been learned so far.
        public var weights: [Float]
        /// The average of the rounds' weights, as the plan has it; without one the weights.
        public var average: [Float]
        /// Since the run began, in its own seconds.
        public var seconds: Double
    }

    private struct State {
        var coordinator: Coordinator
        var log: MessageLog
        /// Which state file the log goes on from.
        var generation: Int
        var heard: [Int: Double] = [:]
        var numbers: [Int: UInt64] = [:]
        var average: Average
        var seconds = 0.0
    }

    /// Of the weights of the rounds so far, exponentially, as `TrainingState` averages those of steps.
    private struct Average: Codable {
        let decay: Float?
        var round: Int
        var weights: [Float]

        mutating func take(_ model: RunModel) {
            guard model.round > round else { return }
            guard let decay else {
                (round, weights) = (model.round, model.weights)
                return
            }
            let stays = min(decay, Float(1 + model.round) / Float(10 + model.round))
            for index in weights.indices { weights[index] += (1 - stays) * (model.weights[index] - weights[index]) }
            round = model.round
        }
    }

    /// A state, and when it was so.
    private struct Stored: Codable {
        var time: Double
        var coordinator: Coordinator
        var average: Average?
    }

    /// Stores a run at its beginning.
    static func store(_ beginning: Coordinator, in folder: RunFolder) throws {
        try folder.write(Array(try JSONEncoder().encode(Stored(time: 0, coordinator: beginning))), to: .state(0))
    }

    /// The run's name, roster and plan.
    public let (run, roster, plan): (Data, [Data], FederatedPlan)
    private let state: Mutex<State>
    private let key: Curve25519.Signing.PrivateKey
    private let begun = ContinuousClock.now
    /// When this process began, in the run's own seconds, which never go back.
    private let base: Double
    private let folder: RunFolder
    private let threads = EngineThreads(threads: 1, queueLimit: 4_096, words: "the coordinator is")
    private let lock: ServerLock
    private let changed: @Sendable (Progress) -> Void
    private let patience: Double

    private let waiting = Waiting()

    /// For so many seconds an answer is held back that would say to wait.
    private let longestWait: Double
    /// Of a log that is longer, in bytes, a new state is stored when a round begins.
    private let longestLog: Int

    /// Goes on with the run in a folder.
    ///
    /// - Parameters:
    ///   - key: Signs replies.
    ///   - averaging: How much of an average stays at each round; nil: there is none.
    ///   - patience: In seconds: for so long those that are there wait for the others before the first round.
    ///   - changed: Told when a round, a phase or an event is new; it must not take long.
    /// - Throws: A `Problem`: another process holds the run, or its files cannot be used.
    init(
        folder path: String, key: Curve25519.Signing.PrivateKey, averaging: Float?, patience: Double,
        longestLog: Int = 16 << 20, longestWait: Double = 10, changed: @escaping @Sendable (Progress) -> Void
    ) throws {
        lock = try ServerLock(
            path: path + "/lock",
            busy: Problem.conflict("another process coordinates the run in \(path)", hint: "stop it first"))
        folder = RunFolder(path: path)
        let generation = folder.latestState
        let stored = try folder.decode(Stored.self, .state(generation))
        var (coordinator, time) = (stored.coordinator, stored.time)
        let model = coordinator.model
        var average = stored.average ?? Average(decay: averaging, round: model.round, weights: model.weights)
        let log = try MessageLog(path: folder.path(.messages(generation))) { record in
            time = max(time, record.time)
            guard record.sender != MessageLog.restart else { return coordinator.resume(at: record.time) }
            guard let message = try? JSONDecoder().decode(ParticipantMessage.self, from: record.message) else {
                throw Problem.unavailable("\(path) holds a message that this version does not know")
            }
            _ = coordinator.answer(message, from: record.sender, at: record.time)
            average.take(coordinator.model)
        }
        // Phases have their time anew, here and whenever this log is read.
        coordinator.resume(at: time)
        try log.append(.init(time: time, sender: MessageLog.restart, message: Data()))
        (run, roster, plan) = (coordinator.run, coordinator.roster, coordinator.plan)
        self.longestWait = longestWait
        (self.key, self.patience, self.changed, base, self.longestLog) = (key, patience, changed, time, longestLog)
        state = Mutex(
            State(coordinator: coordinator, log: log, generation: generation, average: average, seconds: time))
    }

    /// An update is eight bytes an entry, in base64; shares are some hundred bytes a site.
    public var largestMessage: Int { (64 << 10) + 11 * plan.length + 1_024 * roster.count }

    private var now: Double { base + (ContinuousClock.now - begun) / .seconds(1) }

    /// Where the run is.
    public var progress: Progress { state.withLock { Self.progress($0) } }

    private static func progress(_ state: State) -> Progress {
        let coordinator = state.coordinator
        return Progress(
            round: coordinator.model.round, rounds: coordinator.plan.rounds, attempts: coordinator.attempts,
            phase: coordinator.phase, heard: Set(state.heard.keys), events: coordinator.events,
            weights: coordinator.model.weights, average: state.average.weights, seconds: state.seconds)
    }

    /// Takes a participant's frame, and gives the reply's: on a thread of its own, since it writes to a disk and adds up sums. Whoever would be told to wait is
    /// answered when something is new, or after some seconds.
    ///
    /// - Throws: A ``Federation/FrameError``, or a `Problem` where the disk does not take it: nothing was taken then.
    public func answer(_ frame: [UInt8]) async throws -> [UInt8] {
        var version = waiting.version
        let (signed, message) = try await threads.run { try self.read(frame) }
        var reply = try await threads.run { try self.reply(to: message, signed, isNew: true) }
        if case .wait(let seconds) = reply {
            let end = ContinuousClock.now + .seconds(min(seconds, longestWait))
            while case .wait = reply, .now < end {
                await waiting.wait(after: version, atMost: end - .now)
                version = waiting.version
                // It changes nothing a second time.
                reply = try await threads.run { try self.reply(to: message, signed, isNew: false) }
            }
            if case .wait = reply { reply = .wait(seconds: 0) }
        }
        return Array(try SignedReply(reply, to: signed, key: key).bytes)
    }

    private func read(_ frame: [UInt8]) throws -> (SignedMessage, ParticipantMessage) {
        let signed = try SignedMessage(reading: Data(frame))
        guard signed.run == run else { throw FrameError.run }
        let message = try signed.verified(roster: roster)
        try state.withLock { state in
            guard signed.number > state.numbers[signed.sender] ?? 0 else { throw FrameError.replayed }
            state.numbers[signed.sender] = signed.number
        }
        return (signed, message)
    }

    /// - Parameter isNew: Whether it comes for the first time; a second time it is not kept.
    private func reply(
        to message: ParticipantMessage, _ signed: SignedMessage, isNew: Bool
    ) throws -> CoordinatorReply {
        let (reply, news) = try state.withLock { state -> (CoordinatorReply, Progress?) in
            let now = now
            var isNews = state.heard.updateValue(now, forKey: signed.sender) == nil
            guard state.coordinator.phase != .waiting || isGathered(state, now) else {
                return (.wait(seconds: longestWait), isNews ? Self.progress(state) : nil)
            }
            let reply = try take(message, signed, isNew: isNew, into: &state, at: now, isNews: &isNews)
            return (reply, isNews ? Self.progress(state) : nil)
        }
        if let news {
            changed(news)
            waiting.announce()
        }
        return reply
    }

    private func isGathered(_ state: State, _ now: Double) -> Bool {
        if state.heard.count == roster.count { return true }
        let first = state.heard.values.min() ?? now
        return state.heard.count >= plan.least && now - first > patience
    }

    /// What the coordinator says now; a message that changed it is durable before.
    private func take(
        _ message: ParticipantMessage, _ signed: SignedMessage, isNew: Bool, into state: inout State, at now: Double,
        isNews: inout Bool
    ) throws -> CoordinatorReply {
        let before = state.coordinator
        let reply = state.coordinator.answer(message, from: signed.sender, at: now)
        let hasMoved = Self.mark(before) != Self.mark(state.coordinator)
        let counts = isNew && message.attempt.map { before.awaits(signed.sender, attempt: $0) } == true
        guard hasMoved || counts else { return reply }
        isNews = isNews || hasMoved
        do {
            try state.log.append(.init(time: now, sender: signed.sender, message: signed.message))
            // Where there is no room for another state the log grows on.
            if before.attempts != state.coordinator.attempts { try? shorten(&state, now) }
        } catch {
            state.coordinator = before
            throw error
        }
        state.average.take(state.coordinator.model)
        state.seconds = now
        return reply
    }

    /// Begins a new log behind a stored state, where the old one is long.
    private func shorten(_ state: inout State, _ now: Double) throws {
        guard state.log.bytes > longestLog else { return }
        let next = state.generation + 1
        unlink(folder.path(.messages(next)))
        let log = try MessageLog(path: folder.path(.messages(next))) { _ in }
        let stored = Stored(time: now, coordinator: state.coordinator, average: state.average)
        try folder.write(Array(try JSONEncoder().encode(stored)), to: .state(next))
        for file in [RunFolder.File.messages(state.generation), .state(state.generation)] { unlink(folder.path(file)) }
        (state.log, state.generation) = (log, next)
    }

    /// What people are told of when it changes.
    private static func mark(_ coordinator: Coordinator) -> [Int] {
        [
            coordinator.phase.hashValue, coordinator.attempts, coordinator.model.round, coordinator.events.count,
            coordinator.events.last.hashValue,
        ]
    }
}

/// The files of a run's folder: each is whole or not there.
struct RunFolder: Sendable {
    let path: String

    enum File {
        /// What is done, and among whom.
        case run
        case key
        /// A coordinator's state, and the messages that came since.
        case state(Int)
        case messages(Int)
        /// Of an intersection: what a site sent for the other.
        case frame(IntersectionFrame, site: Int)

        var name: String {
            switch self {
            case .run: "run.json"
            case .key: "coordinator.key"
            case .state(let number): "state-\(number).json"
            case .messages(let number): "messages-\(number).log"
            case .frame(let kind, let site): "frame-\(site)-\(kind.rawValue).bin"
            }
        }
    }

    func path(_ file: File) -> String { path + "/" + file.name }

    func has(_ file: File) -> Bool { FileManager.default.fileExists(atPath: path(file)) }

    /// The number of the last stored state.
    var latestState: Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.compactMap { $0.wholeMatch(of: #/state-([0-9]{1,9})\.json/#).flatMap { Int($0.1) } }.max() ?? 0
    }

    func write(_ bytes: [UInt8], to file: File) throws {
        try TrainingFolder.replace(path(file), with: bytes, in: path)
    }

    func read(_ file: File) throws -> Data {
        guard let bytes = FileManager.default.contents(atPath: path(file)) else {
            throw Problem.absent("\(path(file)) is missing or cannot be read")
        }
        return bytes
    }

    /// What signs replies.
    func key() throws -> Curve25519.Signing.PrivateKey {
        guard let key = Curve25519.Signing.PrivateKey(fileContent: try read(.key)) else {
            throw Problem.unavailable("\(path(.key)) is no Ed25519 key")
        }
        return key
    }

    func decode<Value: Decodable>(_ type: Value.Type, _ file: File) throws -> Value {
        guard let value = try? JSONDecoder().decode(Value.self, from: try read(file)) else {
            throw Problem.unavailable("\(path(file)) is damaged, or of another version")
        }
        return value
    }
}

extension Curve25519.Signing.PrivateKey {
    /// As files hold it: a line of base64.
    var fileContent: [UInt8] { Array((rawRepresentation.base64EncodedString() + "\n").utf8) }

    /// nil: it is none.
    init?(fileContent: Data) {
        let text = String(decoding: fileContent, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let secret = Data(base64Encoded: text), let key = try? Self(rawRepresentation: secret) else { return nil }
        self = key
    }
}
