import Crypto
import DatasiteProtocol
public import Federation
import Foundation
import Synchronization

/// An aggregator of a tally with its folder: frames in, frames out, and everything durable before it is answered.
///
/// Its state follows from what it took (``MessageLog``); behind a sum the whole state is stored before the sum leaves. One that is killed at any moment goes on where it was: no report is counted twice, and a batch has one sum, also where
/// its folder is put back: the noise follows from the key and the reports.
public final class TallyRun: Sendable {
    /// What people see of it.
    public struct Progress: Sendable, Hashable {
        /// Reports that were taken from devices; at a helper those that it was asked about.
        public var taken: Int
        /// Reports in the sum.
        public var counted: Int
        /// Reports that do not count.
        public var dropped: Int
        /// Whether reports are taken.
        public var isOpen: Bool
        /// Whether the sum was given.
        public var isCollected: Bool
        /// Why there is no sum, and will be none.
        public var void: TallyRefusal?

        /// Whether nothing more is to be done.
        public var isOver: Bool { isCollected || void != nil }
    }

    /// What is asked of the helper, and what is needed once it is answered.
    public struct Job: Sendable {
        /// To send to it.
        public let frame: [UInt8]
        fileprivate let aggregation: TallyAggregation
    }

    private struct Run: Codable {
        var plan: TallyPlan
        /// In seconds since 1970.
        var created: Double
    }

    private struct Stored: Codable {
        var time: Double
        var leader: TallyLeaderState?
        var helper: TallyHelperState?
    }

    private struct State {
        var leader: TallyLeaderState?
        var helper: TallyHelperState?
        var log: MessageLog
        var generation: Int
        /// In seconds since the task began; it never goes back.
        var time: Double
        var storedBytes = 0
    }

    /// What a record of the log holds.
    private enum Kind: Int { case report, outcomes, closing, job }

    /// A report that waits for the disk with others.
    private struct Upload: Sendable {
        let checked: TallyLeaderState.Checked
        let frame: Data
        let result: Outcome
    }

    private final class Outcome: Sendable {
        private let result = Mutex<Result<TallyReply, any Error>?>(nil)
        func give(_ given: Result<TallyReply, any Error>) { result.withLock { $0 = given } }
        func get() throws -> TallyReply { try result.withLock { $0 }?.get() ?? .refused(.none) }
    }

    /// What is counted.
    public let task: TallyTask
    /// Which aggregator it is.
    public let role: TallyRole
    private let aggregator: TallyAggregator
    private let state: Mutex<State>
    private let uploads = Mutex<[Upload]>([])
    private let begun = ContinuousClock.now
    /// When this process began, in the task's own seconds.
    private let base: Double
    private let folder: RunFolder
    private let lock: ServerLock
    private let readers = EngineThreads(
        threads: ProcessInfo.processInfo.activeProcessorCount, queueLimit: 4_096, words: "the aggregator is")
    private let writer = EngineThreads(threads: 1, queueLimit: 4_096, words: "the aggregator is")
    private let waiting = Waiting()
    private let longestLog: Int

    /// The most bytes of reports that wait for the helper.
    private static let mostWaiting = 128 << 20

    /// Of a time in which no process ran, what counts at most, as a share of the plan's: whether a clock that is far ahead was set, or that long has gone by, nobody can tell who was not there.
    static let mostAbsence = 0.1
    /// After such a share of the plan's time without a report the time is stored.
    static let timeStep = 0.01

    /// Goes on with the task in a folder, or begins it there.
    ///
    /// The time for which reports are taken is that of a clock that is never set. The wall clock says how long no process ran, and no more than a tenth of the plan's time a beginning: one that is far ahead takes that much, and one that is behind nothing.
    ///
    /// - Parameters:
    ///   - key: The leader's or the helper's.
    ///   - longestLog: In bytes: behind a longer one the whole state is stored.
    ///   - wallClock: In seconds since 1970; read when a process begins, and not again. nil: the system's.
    /// - Throws: A `Problem`: another process holds the folder, it holds another task, or its files cannot be used.
    public init(
        at path: String, plan: TallyPlan, key: TallyKey, longestLog: Int = 16 << 20,
        wallClock: (() -> Double)? = nil
    ) throws {
        do throws(FederationError) {
            task = try TallyTask(plan)
            aggregator = try TallyAggregator(task, key: key)
        } catch { throw Problem.invalidManifest("\(error)") }
        (role, self.longestLog, folder) = (aggregator.role, longestLog, RunFolder(path: path))
        let wallClock = wallClock ?? { Date().timeIntervalSince1970 }
        if !folder.has(.run) { try Self.create(folder, task, role, at: wallClock()) }
        lock = try ServerLock(
            path: path + "/lock",
            busy: Problem.conflict("another process serves the tally in \(path)", hint: "stop it first"))
        let run = try folder.decode(Run.self, .run)
        let generation = folder.latestState
        var stored = try folder.decode(Stored.self, .state(generation))
        guard run.plan == plan, (stored.leader != nil) == (role == .leader) else {
            throw Problem.conflict(
                "\(path) holds another plan's tally, or the other aggregator's", hint: "name another folder with --run")
        }
        let aggregator = aggregator
        let log = try MessageLog(path: folder.path(.messages(generation))) { record in
            stored.time = max(stored.time, record.time)
            do { try Self.take(record, into: &stored, aggregator) } catch {
                throw Problem.unavailable("\(path) holds a message that this version does not know")
            }
        }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        where name.wholeMatch(of: /(state|messages)-[0-9]+\.(json|log)/) != nil
            && ![RunFolder.File.state(generation).name, RunFolder.File.messages(generation).name].contains(name)
        { try? FileManager.default.removeItem(atPath: path + "/" + name) }
        let absence = max(0, wallClock() - run.created - stored.time)
        base = stored.time + min(absence, Self.mostAbsence * plan.seconds)
        stored.time = base
        // What counts of it counts once, though nobody says anything before the next beginning. A full disk keeps nobody from beginning.
        if stored.leader?.stage == .open {
            try? log.append(.init(time: base, sender: MessageLog.restart, message: Data()))
        }
        state = Mutex(
            State(
                leader: stored.leader, helper: stored.helper, log: log, generation: generation, time: stored.time))
    }

    private static func create(
        _ folder: RunFolder, _ task: TallyTask, _ role: TallyRole, at time: Double
    ) throws {
        // What a process left that was killed while it made the folder.
        for file in [RunFolder.File.state(0), .run] {
            for path in [folder.path(file), folder.path(file) + ".partial"] {
                try? FileManager.default.removeItem(atPath: path)
            }
        }
        try TrainingFolder(path: folder.path).create()
        var stored = Stored(time: 0)
        do throws(FederationError) {
            if role == .leader {
                stored.leader = try TallyLeaderState(task)
            } else {
                stored.helper = try TallyHelperState(task)
            }
        } catch { throw Problem.invalidManifest("\(error)") }
        try folder.write(Array(try JSONEncoder().encode(stored)), to: .state(0))
        // The last file: with it there is a task.
        let run = Run(plan: task.plan, created: time)
        try folder.write(Array(try JSONEncoder().encode(run)), to: .run)
    }

    private static func take(_ record: MessageLog.Record, into stored: inout Stored, _ aggregator: TallyAggregator)
        throws
    {
        guard record.sender != MessageLog.restart else { return }
        switch Kind(rawValue: record.sender) {
        case .report: _ = stored.leader?.take(try aggregator.checked(record.message), at: record.time)
        case .outcomes:
            let outcomes = try JSONDecoder().decode([TallyRefusal?].self, from: record.message)
            try stored.leader?.conclude(outcomes, by: aggregator)
        case .closing: stored.leader?.close(at: record.time)
        case .job:
            guard case .reports(let reports) = try aggregator.job(record.message) else { throw FrameError.message }
            _ = stored.helper?.take(reports)
        case nil: throw FrameError.message
        }
    }

    private func now(_ state: State) -> Double { max(state.time, base + (ContinuousClock.now - begun) / .seconds(1)) }

    /// Where it stands.
    public var progress: Progress {
        state.withLock { state in
            if let helper = state.helper {
                return Progress(
                    taken: helper.counted + helper.dropped, counted: helper.counted, dropped: helper.dropped,
                    isOpen: !helper.isCollected, isCollected: helper.isCollected)
            }
            guard let leader = state.leader else {
                return Progress(taken: 0, counted: 0, dropped: 0, isOpen: false, isCollected: false)
            }
            var progress = Progress(
                taken: leader.taken, counted: leader.counted, dropped: leader.dropped, isOpen: leader.stage == .open,
                isCollected: false)
            switch leader.stage {
            case .collected: progress.isCollected = true
            case .void(let refusal): progress.void = refusal
            case .open, .closed: break
            }
            return progress
        }
    }

    /// The most bytes of a frame that it reads.
    public var largestFrame: Int { role == .leader ? task.reportBytes + 1_024 : task.jobBytes }

    /// With what the frames begin that it is sent.
    public var frameStart: FrameStart { .tally(role, task: task.digest) }

    /// Takes a frame, and gives the reply's.
    ///
    /// - Throws: A ``Federation/FrameError``, or a `Problem` where the disk does not take it: nothing was taken then.
    public func answer(_ frame: [UInt8]) async throws -> [UInt8] {
        let frame = Data(frame)
        return Array(try await role == .leader ? answerAsLeader(frame) : answerAsHelper(frame))
    }
}

// MARK: - The leader

extension TallyRun {
    private func answerAsLeader(_ frame: Data) async throws -> Data {
        guard TallyAggregator.isReport(frame) else {
            return try await readers.run {
                try self.aggregator.readQuestion(frame)
                let reply = self.state.withLock { state in
                    state.leader?.reply(at: self.now(state)) ?? .refused(.none)
                }
                return try self.aggregator.frame(reply, to: frame)
            }
        }
        let checked = try await readers.run { try self.aggregator.checked(frame) }
        let outcome = Outcome()
        uploads.withLock { $0.append(Upload(checked: checked, frame: frame, result: outcome)) }
        // Whoever comes first writes for all that wait.
        let reply = try await writer.run {
            self.writeUploads()
            return try outcome.get()
        }
        return try await readers.run { try self.aggregator.frame(reply, to: frame) }
    }

    private func writeUploads() {
        let waiting = uploads.withLock { uploads in
            defer { uploads = [] }
            return uploads
        }
        guard !waiting.isEmpty else { return }
        state.withLock { state in
            let now = now(state)
            let most = max(task.reportsOfJob, Self.mostWaiting / task.reportBytes)
            var (new, places) = ([Upload](), most - (state.leader?.waiting ?? 0))
            for upload in waiting {
                // Nothing else holds the leader: what it holds is changed in place.
                if let reply = state.leader?.reply(to: upload.checked, at: now) {
                    upload.result.give(.success(reply))
                } else if places > 0 {
                    places -= 1
                    new.append(upload)
                } else {
                    upload.result.give(.failure(Problem.busy("the aggregators are")))
                }
            }
            guard !new.isEmpty else { return }
            do {
                try state.log.append(
                    new.map { MessageLog.Record(time: now, sender: Kind.report.rawValue, message: $0.frame) })
            } catch {
                for upload in new { upload.result.give(.failure(error)) }
                return
            }
            state.time = now
            for upload in new {
                // Of two reports of one device, or with one number, that came together the second is refused; so it is when the log is read.
                upload.result.give(.success(state.leader?.take(upload.checked, at: now) ?? .refused(.none)))
            }
        }
        shorten()
        self.waiting.announce()
    }

    /// Ends the batch, if its time is over, though no device says anything.
    public func tick() async throws {
        try await writer.run {
            let isClosed = try self.state.withLock { state in
                let now = self.now(state)
                guard state.leader?.stage == .open else { return false }
                guard state.leader?.isOpen(at: now) == false else {
                    // What has gone by counts after a restart too, though nobody said anything.
                    if now - state.time > Self.timeStep * self.task.plan.seconds {
                        try state.log.append(.init(time: now, sender: MessageLog.restart, message: Data()))
                        state.time = now
                    }
                    return false
                }
                try state.log.append(.init(time: now, sender: Kind.closing.rawValue, message: Data()))
                state.time = now
                state.leader?.close(at: now)
                return true
            }
            if isClosed { self.waiting.announce() }
        }
    }

    /// What is to be asked of the helper now; nil: nothing, as it is.
    public func nextJob() async throws -> Job? {
        let step = try await writer.run {
            try self.state.withLock { state -> TallyStep? in
                if state.leader?.isTooSmall == true {
                    var leader = state.leader
                    leader?.void(.few)
                    try self.store(leader, nil, in: &state)
                }
                return state.leader?.next(most: self.task.reportsOfJob)
            }
        }
        guard let step else { return nil }
        return try await readers.run {
            let aggregation = self.aggregator.aggregation(step)
            return Job(frame: Array(try self.aggregator.frame(aggregation)), aggregation: aggregation)
        }
    }

    /// Takes the helper's reply to a job.
    ///
    /// - Throws: What is wrong with the reply, or a `Problem` where the disk does not take it: the job is to be done again then.
    public func take(_ reply: [UInt8], to job: Job) async throws {
        let reply = try await readers.run { try self.aggregator.reply(Data(reply), to: Data(job.frame)) }
        try await writer.run {
            try self.state.withLock { state in
                switch (reply, job.aggregation.isLast) {
                case (.outcomes(let helpers), false):
                    guard let outcomes = job.aggregation.outcomes(helpers) else { throw FrameError.message }
                    let now = self.now(state)
                    let record = MessageLog.Record(
                        time: now, sender: Kind.outcomes.rawValue, message: try JSONEncoder().encode(outcomes))
                    try state.log.append(record)
                    state.time = now
                    try state.leader?.conclude(outcomes, of: job.aggregation, by: self.aggregator)
                case (.aggregate(let helper), true):
                    var leader = state.leader
                    try leader?.collect(helper, by: self.aggregator)
                    try self.store(leader, nil, in: &state)
                case (.refused(let refusal), true):
                    var leader = state.leader
                    leader?.void(refusal)
                    try self.store(leader, nil, in: &state)
                default: throw FrameError.message
                }
            }
            self.shorten()
            self.waiting.announce()
        }
    }

    /// Waits until something is new, at most so long.
    public func waitForNews(atMost time: Duration) async { await waiting.wait(after: waiting.version, atMost: time) }
}

// MARK: - The helper

extension TallyRun {
    private func answerAsHelper(_ frame: Data) async throws -> Data {
        let job = try await readers.run { try self.aggregator.job(frame) }
        let reply = try await writer.run {
            let reply = try self.reply(to: job, frame)
            self.shorten()
            return reply
        }
        return try await readers.run { try self.aggregator.frame(reply, to: frame) }
    }

    private func reply(to job: TallyAggregator.Job, _ frame: Data) throws -> TallyJobReply {
        try state.withLock { state in
            switch job {
            case .reports(let reports):
                if state.helper?.isNew(reports) == true {
                    let now = now(state)
                    try state.log.append(.init(time: now, sender: Kind.job.rawValue, message: frame))
                    state.time = now
                }
                return .outcomes(state.helper?.take(reports) ?? [])
            case .collect(let reports):
                guard var next = state.helper else { return .refused(.none) }
                let isFirst = !next.isCollected
                let aggregate: TallyAggregate
                do throws(TallyRefusal) {
                    aggregate = try next.collect(reports, by: aggregator)
                } catch { return .refused(error) }
                // Before it leaves.
                if isFirst { try store(nil, next, in: &state) }
                return .aggregate(aggregate)
            }
        }
    }
}

// MARK: - Storing

extension TallyRun {
    /// Stores the whole state, and begins a new log behind it.
    private func store(_ leader: TallyLeaderState?, _ helper: TallyHelperState?, in state: inout State) throws {
        let (next, now) = (state.generation + 1, now(state))
        try? FileManager.default.removeItem(atPath: folder.path(.messages(next)))
        let log = try MessageLog(path: folder.path(.messages(next))) { _ in }
        let bytes = Array(try JSONEncoder().encode(Stored(time: now, leader: leader, helper: helper)))
        try folder.write(bytes, to: .state(next))
        for file in [RunFolder.File.messages(state.generation), .state(state.generation)] {
            try? FileManager.default.removeItem(atPath: folder.path(file))
        }
        (state.leader, state.helper, state.log, state.generation) = (leader, helper, log, next)
        (state.time, state.storedBytes) = (now, bytes.count)
    }

    /// Stores the whole state where the log is long; where there is no room for it the log grows on.
    private func shorten() {
        state.withLock { state in
            guard state.log.bytes > max(longestLog, 2 * state.storedBytes) else { return }
            try? store(state.leader, state.helper, in: &state)
        }
    }
}
