public import Crypto
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
/// told what it would have been told. Vectors of more bytes than `largestInMemory` lie in files beside the log, which names them (``VectorFolder``): updates go there as they arrive, sums
/// and weights as they are made, chunk by chunk; the process holds some chunks of them. A run begins when all sites are there, or enough of them for so long that the others are taken for absent.
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
        /// What has been learned so far, where it lies.
        public var weights: Packed<Float>
        /// The average of the rounds' weights, as the plan has it; without one the weights.
        public var average: Packed<Float>
        /// Since the run began, in its own seconds.
        public var seconds: Double
        /// Why nothing is taken at present, for whoever coordinates: of a full disk, say. nil: nothing is in the way.
        public var trouble: String?
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
        /// Why nothing is taken at present: the disk.
        var trouble: String?
        /// Whether nothing more may be taken by this process.
        var isUncertain = false
    }

    /// Of the weights of the rounds so far, exponentially, as `TrainingState` averages those of steps.
    private struct Average: Codable {
        let decay: Float?
        var round: Int
        var weights: Packed<Float>

        mutating func take(_ model: RunModel, in place: VectorPlace) throws {
            guard model.round > round else { return }
            if let decay {
                let stays = min(decay, Float(1 + model.round) / Float(10 + model.round))
                weights = try weights.moved(towards: model.packed, by: 1 - stays, in: place)
            } else {
                weights = model.packed
            }
            round = model.round
        }

        init(decay: Float?, _ model: RunModel) { (self.decay, round, weights) = (decay, model.round, model.packed) }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            decay = try container.decodeIfPresent(Float.self, forKey: .decay)
            round = try container.decode(Int.self, forKey: .round)
            // Of an earlier version: a list of numbers.
            weights =
                try (try? container.decode([Float].self, forKey: .weights)).map(Packed.init)
                ?? container.decode(Packed<Float>.self, forKey: .weights)
        }
    }

    /// A state, and when it was so.
    private struct Stored: Codable {
        var time: Double
        var coordinator: Coordinator
        var average: Average?
    }

    /// Larger vectors, in bytes, lie in files.
    public static let largestInMemory = 1 << 20

    /// Stores a run at its beginning.
    ///
    /// - Parameter vectors: The run's folder. Weights that lie in files already lie there.
    /// - Throws: A `Problem`: the disk does not take it.
    public static func store(_ beginning: Coordinator, in vectors: VectorFolder) throws {
        let folder = RunFolder(path: vectors.path)
        var coordinator = beginning
        try coordinator.keep(in: vectors.place(largestInMemory: largestInMemory))
        try write(Stored(time: 0, coordinator: coordinator), to: .state(0), in: folder, vectors)
    }

    /// Stores a state, and keeps what it names alone.
    private static func write(
        _ stored: Stored, to file: RunFolder.File, in folder: RunFolder, _ vectors: VectorFolder
    ) throws {
        let writing = VectorWriting()
        try folder.write(Array(try writing.encode(stored)), to: file)
        vectors.keep(writing.named, andNoOthers: true)
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
    /// Where what arrives and leaves meets the disk.
    private let diskThreads = EngineThreads(threads: 2, queueLimit: 4_096, words: "the coordinator's disk is")
    private let vectors: VectorFolder
    private let place: VectorPlace
    private let lock: ServerLock
    private let changed: @Sendable (Progress) -> Void
    private let patience: Double

    private let waiting = Waiting()
    /// Vectors on their way: of each site the newest.
    private let sending = Mutex<[Int: Arrival]>([:])

    /// For so many seconds an answer is held back that would say to wait.
    private let longestWait: Double
    private let largestInMemory: Int
    /// Of a log that is longer, in bytes, with the files that it names, a new state is stored when a round begins.
    private let longestLog: Int

    /// Goes on with the run in a folder.
    ///
    /// - Parameters:
    ///   - key: Signs replies.
    ///   - averaging: How much of an average stays at each round; nil: there is none.
    ///   - patience: In seconds: for so long those that are there wait for the others before the first round.
    ///   - longestLog: Of a log that is longer, in bytes, with the files that it names, a new state is stored when a round begins.
    ///   - largestInMemory: Larger vectors, in bytes, lie in files.
    ///   - longestWait: For so many seconds an answer is held back that would say to wait.
    ///   - changed: Told when a round, a phase or an event is new; it must not take long.
    /// - Throws: A `Problem`: another process holds the run, or its files cannot be used.
    public init(
        folder path: String, key: Curve25519.Signing.PrivateKey, averaging: Float?, patience: Double,
        longestLog: Int = 16 << 20, largestInMemory: Int = CoordinatorRun.largestInMemory, longestWait: Double = 10,
        changed: @escaping @Sendable (Progress) -> Void
    ) throws {
        lock = try ServerLock(
            path: path + "/lock",
            busy: Problem.conflict("another process coordinates the run in \(path)", hint: "stop it first"))
        folder = RunFolder(path: path)
        let vectors = VectorFolder(path: path)
        let place = vectors.place(largestInMemory: largestInMemory)
        let generation = folder.latestState
        folder.removeStates(before: generation)
        let stored = try folder.decode(Stored.self, .state(generation), vectors.reading)
        var (coordinator, time) = (stored.coordinator, stored.time)
        try coordinator.keep(in: place)
        var average = stored.average ?? Average(decay: averaging, coordinator.model)
        let log = try MessageLog(path: folder.path(.messages(generation))) { record in
            time = max(time, record.time)
            guard record.sender != MessageLog.restart else { return coordinator.resume(at: record.time) }
            guard
                let message = try? vectors.reading.decode(ParticipantMessage.self, from: record.message)
            else {
                throw vectors.takeFailure()
                    ?? Problem.unavailable(
                        "\(path) holds a message that this version does not know, or that is damaged")
            }
            _ = coordinator.answer(message, from: record.sender, at: record.time)
            if let failure = vectors.takeFailure() { throw failure }
            try average.take(coordinator.model, in: place)
        }
        vectors.removeStrangers()
        // Phases have their time anew, here and whenever this log is read.
        coordinator.resume(at: time)
        try log.append(.init(time: time, sender: MessageLog.restart, message: Data()))
        (run, roster, plan) = (coordinator.run, coordinator.roster, coordinator.plan)
        (self.vectors, self.place, self.largestInMemory, self.longestWait) = (
            vectors, place, largestInMemory, longestWait
        )
        (self.key, self.patience, self.changed, base, self.longestLog) = (key, patience, changed, time, longestLog)
        state = Mutex(
            State(coordinator: coordinator, log: log, generation: generation, average: average, seconds: time))
    }

    /// An update is eight bytes an entry, a short one in base64; shares are some hundred bytes a site.
    public var largestMessage: Int { (64 << 10) + 11 * plan.length + 1_024 * roster.count }

    /// Without vectors behind it: whoever sends it is known when it is whole.
    private var largestText: Int { min(largestMessage, 2 * SignedMessage.largestInText + 1_024 * roster.count) }

    private var now: Double { base + (ContinuousClock.now - begun) / .seconds(1) }

    /// Where the run is.
    public var progress: Progress { state.withLock { Self.progress($0) } }

    private static func progress(_ state: State) -> Progress {
        let coordinator = state.coordinator
        return Progress(
            round: coordinator.model.round, rounds: coordinator.plan.rounds, attempts: coordinator.attempts,
            phase: coordinator.phase, heard: Set(state.heard.keys), events: coordinator.events,
            weights: coordinator.model.packed, average: state.average.weights, seconds: state.seconds,
            trouble: state.trouble)
    }

    /// Takes a participant's frame, and gives the reply's: on threads of its own, since it writes to a disk and adds up sums. Whoever would be told to wait is
    /// answered when something is new, or after some seconds.
    ///
    /// - Throws: A ``Federation/FrameError``, or a `Problem` where the disk does not take it: nothing was taken then.
    public func answer(_ frame: ArrivingFrame) async throws -> LeavingFrame {
        do { return try await answered(frame) } catch let problem as Problem where problem.kind == .siteUnavailable {
            // What it is about (a path, a full disk) is for whoever coordinates.
            let news = state.withLock { state -> Progress? in
                let isKnown = state.trouble != nil
                state.trouble = problem.detail
                return isKnown ? nil : Self.progress(state)
            }
            if let news { changed(news) }
            throw Problem.unavailable(
                "the coordinator's disk does not take, or does not give, what it should",
                hint: "messages are taken when it does again")
        }
    }

    private func answered(_ frame: ArrivingFrame) async throws -> LeavingFrame {
        var version = waiting.version
        let taken = try await take(frame)
        var reply = try await threads.run { try self.reply(to: taken) }
        if case .wait(let seconds) = reply {
            let end = ContinuousClock.now + .seconds(min(seconds, longestWait))
            while case .wait = reply, .now < end {
                await waiting.wait(after: version, atMost: end - .now)
                version = waiting.version
                // Where it counted before, it changes nothing a second time.
                reply = try await threads.run { try self.reply(to: taken) }
            }
            if case .wait = reply { reply = .wait(seconds: 0) }
        }
        let signed = try SignedReply(reply, to: taken.signed, key: key)
        return LeavingFrame(signed.head, signed.vectors, threads: diskThreads)
    }

    // MARK: frames

    private struct Taken: Sendable {
        let signed: SignedMessage
        let message: ParticipantMessage
    }

    /// A frame with vectors on its way.
    private final class Arrival: Sendable {
        private let abandon: @Sendable () -> Void
        private let isOver = Mutex(false)

        init(_ abandon: @escaping @Sendable () -> Void) { self.abandon = abandon }

        /// Its sender has begun another one.
        func end() {
            isOver.withLock { $0 = true }
            abandon()
        }

        func requireNewest() throws {
            guard !isOver.withLock({ $0 }) else { throw Problem.conflict("a later message of this site came") }
        }
    }

    /// Takes a frame as it comes. Of one with vectors behind it the signature, the turn and the lengths are known before the first of their bytes is taken; a large update goes into a file,
    /// which counts when it is whole and what was signed. What would not count is read and thrown away: its sender is told what it does now.
    private func take(_ frame: ArrivingFrame) async throws -> Taken {
        var frame = frame
        let first = try await frame.first(SignedMessage.headLength)
        guard let length = SignedMessage.lengthBeforeVectors(first) else {
            let bytes = Data(try await frame.rest(atMost: largestText))
            return try await threads.run { try self.read(bytes, .init { _ in throw FrameError.message }) }
        }
        let text = try await frame.first(length)
        guard text.count == length else { throw FrameError.frame(expected: "a whole frame") }
        frame.skip(length)
        let announced = Announced()
        let named = try await threads.run { try self.read(text, announced.reading) }
        let (signed, message, sender) = (named.signed, named.message, named.signed.sender)
        let arrival = Arrival(frame.abandon)
        sending.withLock { $0.updateValue(arrival, forKey: sender) }?.end()
        defer { sending.withLock { if $0[sender] === arrival { $0[sender] = nil } } }
        let (isAwaited, held) = try await threads.run {
            self.state.withLock { ($0.coordinator.awaits(message, from: sender), $0.coordinator.held(by: message)) }
        }
        guard isAwaited, announced.total <= largestMessage else {
            try await frame.discard(arrival.requireNewest)
            return Taken(signed: signed, message: .heartbeat(holds: held))
        }
        guard case .update(let attempt, let named) = message, let vector = named.stored,
            vector.count > largestInMemory
        else {
            // Masked vectors are added up as they come, and short ones are not worth a file.
            let bytes = text + (try await frame.rest(atMost: announced.total))
            try arrival.requireNewest()
            let roster = roster
            return try await threads.run {
                Taken(signed: signed, message: try SignedMessage(reading: bytes).verified(roster: roster))
            }
        }
        guard named.count == plan.length else {
            try await frame.discard(arrival.requireNewest)
            return Taken(signed: signed, message: .update(attempt: attempt, integers: Packed([])))
        }
        let file = try vectors.newFile()
        var left = vector.count
        while let piece = try await frame.piece(atMost: 1 << 20) {
            try arrival.requireNewest()
            guard piece.count <= left else { throw FrameError.message }
            left -= piece.count
            try await diskThreads.run { try piece.withUnsafeBytes { try file.append($0) } }
        }
        try arrival.requireNewest()
        let whole = try await diskThreads.run { try file.finish() }
        guard whole.digest == vector.digest, whole.count == vector.count else { throw FrameError.message }
        guard let integers = Packed<Int64>(stored: whole) else { throw FrameError.message }
        return Taken(signed: signed, message: .update(attempt: attempt, integers: integers))
    }

    /// Vectors that were named, and did not come yet: one behind the other.
    private final class Announced: Sendable {
        private let count = Mutex(0)

        /// In bytes.
        var total: Int { count.withLock { $0 } }

        var reading: VectorReading {
            VectorReading { [self] name in
                try count.withLock { count in
                    guard name.number == count, name.bytes >= 0, name.bytes <= .max - count else {
                        throw FrameError.message
                    }
                    count += name.bytes
                }
                return .stored(
                    StoredVector(number: -1, count: name.bytes, digest: name.sha256) { _, _ in
                        throw FrameError.message
                    })
            }
        }
    }

    private func read(_ frame: Data, _ reading: VectorReading) throws -> Taken {
        let signed = try SignedMessage(reading: frame)
        guard signed.run == run else { throw FrameError.run }
        let message = try signed.verified(roster: roster, reading: reading)
        try state.withLock { state in
            guard signed.number > state.numbers[signed.sender] ?? 0 else { throw FrameError.replayed }
            state.numbers[signed.sender] = signed.number
        }
        return Taken(signed: signed, message: message)
    }

    private func reply(to taken: Taken) throws -> CoordinatorReply {
        let (reply, news) = try state.withLock { state -> (CoordinatorReply, Progress?) in
            let now = now
            var isNews = state.heard.updateValue(now, forKey: taken.signed.sender) == nil
            guard state.coordinator.phase != .waiting || isGathered(state, now) else {
                return (.wait(seconds: longestWait), isNews ? Self.progress(state) : nil)
            }
            let reply = try take(taken, into: &state, at: now, isNews: &isNews)
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
        _ taken: Taken, into state: inout State, at now: Double, isNews: inout Bool
    ) throws -> CoordinatorReply {
        guard !state.isUncertain else {
            throw Problem.unavailable(
                "\(folder.path): it is not known whether a state was stored", hint: "start the coordinator again")
        }
        let (before, sender) = (state.coordinator, taken.signed.sender)
        // Until the disk takes again what changes the run, phases have their time anew with each message.
        let stoodStill = state.trouble != nil
        if stoodStill { state.coordinator.resume(at: now) }
        // What went wrong with another's message is told to that one.
        _ = vectors.takeFailure()
        do {
            let reply = state.coordinator.answer(taken.message, from: sender, at: now)
            // Of what a disk did not take or give nothing follows.
            if let failure = vectors.takeFailure() { throw failure }
            // Whatever comes of it comes of the log again.
            guard before.position != state.coordinator.position else { return reply }
            var average = state.average
            try average.take(state.coordinator.model, in: place)
            let writing = VectorWriting()
            let text = taken.signed.hasVectorsBehind ? try writing.encode(taken.message) : taken.signed.message
            let restart = stoodStill ? [MessageLog.Record(time: now, sender: MessageLog.restart, message: Data())] : []
            try state.log.append(restart + [.init(time: now, sender: sender, message: text)])
            vectors.keep(writing.named)
            (state.average, state.seconds, state.trouble) = (average, now, nil)
            isNews = isNews || stoodStill || Self.mark(before) != Self.mark(state.coordinator)
            let (then, coordinator) = (before, state.coordinator)
            if then.attempts != coordinator.attempts || then.model.round != coordinator.model.round
                || coordinator.isOver
            {
                try shorten(&state, now)
            }
            return reply
        } catch {
            state.coordinator = before
            throw error
        }
    }

    /// Begins a new log behind a stored state, where the old one is long. Where there is no room for another state the log grows on.
    private func shorten(_ state: inout State, _ now: Double) throws {
        guard state.log.bytes + vectors.keptBytes > longestLog else { return }
        let next = state.generation + 1
        do {
            unlink(folder.path(.messages(next)))
            let log = try MessageLog(path: folder.path(.messages(next))) { _ in }
            let stored = Stored(time: now, coordinator: state.coordinator, average: state.average)
            try Self.write(stored, to: .state(next), in: folder, vectors)
            (state.log, state.generation) = (log, next)
        } catch {
            // Whether a state that is there is durable is not known: whoever opens the run next goes on from either, so that nothing more may be taken here.
            state.isUncertain = folder.has(.state(next))
            return
        }
        folder.removeStates(before: next)
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

    /// Takes earlier states away, and the messages behind them.
    func removeStates(before generation: Int) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        for name in names {
            guard let number = name.wholeMatch(of: #/(?:state|messages)-([0-9]{1,9})\.(?:json|log)/#)?.1,
                Int(number).map({ $0 < generation }) == true
            else { continue }
            unlink(path + "/" + name)
        }
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

    /// - Parameter reading: Gives the vectors that it names; nil: it names none.
    func decode<Value: Decodable>(_ type: Value.Type, _ file: File, _ reading: VectorReading? = nil) throws -> Value {
        let bytes = try read(file)
        guard let value = try? reading?.decode(Value.self, from: bytes) ?? JSONDecoder().decode(Value.self, from: bytes)
        else {
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
