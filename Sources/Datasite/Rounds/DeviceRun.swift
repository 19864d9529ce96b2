import Crypto
import DatasiteProtocol
public import Federation
import Foundation
import Learning
import Secrets
import Synchronization

/// A coordinator of devices with its folder: signed frames in, signed frames out, and everything durable before it is answered.
///
/// Its state follows from the messages that changed it (``MessageLog``); behind a step, whose noise is drawn, the whole state is stored before anything else is answered. One that is
/// killed at any moment goes on where it was.
public final class DeviceRun: Sendable {
    /// What devices are told before they check in (`GET /v1/devices`).
    public struct Description: Sendable, Hashable, Codable {
        /// What is done: YAML.
        public var plan: String
        /// The numbers of the cycles, as each device checks them.
        public var cycles: DevicePlan
        /// The layers whose weights come out: JSON.
        public var architecture: String
        /// In hexadecimal digits.
        public var run: String
        /// What replies are signed by, in base64.
        public var coordinatorKey: String
        /// Who says which devices there are: an Ed25519 key, in base64; nil: any may take part.
        public var enroller: String?

        /// SHA-256 of all of it.
        var digest: Data {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return Data(SHA256.hash(data: (try? encoder.encode(self)) ?? Data()))
        }

        /// What a device's owner should know before it takes part: from the plan alone.
        public var words: [String] {
            let document = try? TrainingDocument(plan)
            let steps = document?.devices.map { " \($0.localSteps) steps of \(document?.batch ?? 0) rows each," } ?? ""
            let seen =
                switch cycles.aggregation {
                case .noisy(let privacy):
                    "The coordinator sees each update, clipped to a norm of \(ShortNumber.text(privacy.clippingNorm)), and adds noise of "
                        + "\(ShortNumber.text(privacy.noiseMultiplier)) times that: others see the models."
                default: "The coordinator sees each update, which may show rows, and adds no noise."
                }
            return [
                "The plan \(cycles.name) trains \(cycles.parameterCount) values here, in up to \(cycles.admissions) of \(cycles.attempts) cycles,\(steps) on files below --data.",
                seen,
            ]
        }
    }

    /// What people see of a run.
    public struct Progress: Sendable {
        /// How many cycles changed the model, of how many, and how many were begun.
        public var (cycle, cycles, attempts): (Int, Int, Int)
        /// What it does now.
        public var phase: DeviceCoordinator.Phase
        /// What became of the last cycle.
        public var last: CycleOutcome?
        /// How often things happened.
        public var counts: DeviceCounts
        /// What has been learned so far.
        public var weights: [Float]
    }

    private struct State {
        var coordinator: DeviceCoordinator
        var log: MessageLog
        /// Which state file the log goes on from.
        var generation: Int
    }

    private struct Stored: Codable {
        var time: Double
        var coordinator: DeviceCoordinator
    }

    /// What devices are told.
    public let description: Description
    private let runBytes: Data
    private let enroller: Data?
    private let key: Curve25519.Signing.PrivateKey
    private let state: Mutex<State>
    private let written = Mutex<(digest: Data, body: Data)?>(nil)
    private let begun = ContinuousClock.now
    private let base: Double
    private let folder: RunFolder
    private let lock: ServerLock
    private let threads = EngineThreads(threads: 1, queueLimit: 4_096, words: "the coordinator is")
    private let changed: @Sendable (Progress) -> Void

    /// Whether there is a run in a folder.
    public static func exists(at path: String) -> Bool { RunFolder(path: path).has(.run) }

    /// Makes a run's folder, for its owner alone.
    ///
    /// - Parameters:
    ///   - enroller: Who says which devices there are: 32 bytes in base64; nil: any may take part.
    /// - Throws: A `Problem`: the folder is there already, or the plan is none for devices.
    public static func create(at path: String, planText: String, rows: HeldOutRows, enroller: String?) throws {
        let document = try TrainingDocument(planText)
        guard let section = document.devices else {
            throw Problem.invalidManifest(
                "the key `devices` is missing", hint: "devices: {cycles: 20, local-steps: 10, reports: [10, 20]}")
        }
        if let enroller, Data(base64Encoded: enroller)?.count != 32 {
            throw Problem.invalidRequest("the enroller's key: expected 32 bytes in base64")
        }
        let plan = try section.plan(
            name: document.name, planText: planText, parameters: rows.model.trainableCount)
        let key = Curve25519.Signing.PrivateKey()
        let description = Description(
            plan: planText, cycles: plan, architecture: String(decoding: Architecture.json(rows.model), as: UTF8.self),
            run: hexadecimal(SecureRandom.bytes(16)),
            coordinatorKey: key.publicKey.rawRepresentation.base64EncodedString(), enroller: enroller)
        let beginning: DeviceCoordinator
        do throws(FederationError) {
            beginning = try DeviceCoordinator(
                plan: plan, run: Data(hexadecimal: description.run) ?? Data(), secret: Data(SecureRandom.bytes(32)),
                weights: rows.beginning)
        } catch { throw Problem.invalidManifest("`devices`: \(error)") }
        try TrainingFolder(path: path).create()
        let folder = RunFolder(path: path)
        try folder.write(key.fileContent, to: .key)
        try folder.write(Array(try JSONEncoder().encode(Stored(time: 0, coordinator: beginning))), to: .state(0))
        // The last file: with it there is a run.
        try folder.write(Array(try JSONEncoder().encode(description)), to: .run)
    }

    /// Goes on with the run in a folder.
    ///
    /// - Parameter changed: Told when a cycle or a phase is new; it must not take long.
    /// - Throws: A `Problem`: another process holds the run, or its files cannot be used.
    public init(at path: String, changed: @escaping @Sendable (Progress) -> Void) throws {
        lock = try ServerLock(
            path: path + "/lock",
            busy: Problem.conflict("another process coordinates the run in \(path)", hint: "stop it first"))
        folder = RunFolder(path: path)
        let key = try folder.key()
        let description = try folder.decode(Description.self, .run)
        (self.key, self.description, self.changed) = (key, description, changed)
        runBytes = Data(hexadecimal: description.run) ?? Data()
        enroller = description.enroller.flatMap { Data(base64Encoded: $0) }
        let generation = folder.latestState
        let stored = try folder.decode(Stored.self, .state(generation))
        var (coordinator, time) = (stored.coordinator, stored.time)
        let log = try MessageLog(path: folder.path(.messages(generation))) { record in
            time = max(time, record.time)
            guard record.sender != MessageLog.restart else { return coordinator.resume(at: record.time) }
            guard let signed = try? SignedDeviceMessage(reading: record.message),
                let message = try? JSONDecoder().decode(DeviceMessage.self, from: signed.message)
            else { throw Problem.unavailable("\(path) holds a message that this version does not know") }
            _ = coordinator.answer(message, from: signed.device, at: record.time)
        }
        coordinator.resume(at: time)
        // What a process that was killed left of earlier states.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        where name.wholeMatch(of: /(state|messages)-[0-9]+\.(json|log)/) != nil
            && ![RunFolder.File.state(generation).name, RunFolder.File.messages(generation).name].contains(name)
        { try? FileManager.default.removeItem(atPath: path + "/" + name) }
        try log.append(.init(time: time, sender: MessageLog.restart, message: Data()))
        base = time
        state = Mutex(State(coordinator: coordinator, log: log, generation: generation))
        // A cycle that was complete when the process ended takes its step now.
        try state.withLock { try step(&$0, at: time) }
    }

    /// With what its devices' frames begin.
    public var frameStart: FrameStart { .devices(run: runBytes) }

    private var now: Double { base + (ContinuousClock.now - begun) / .seconds(1) }

    /// Where the run is.
    public var progress: Progress { state.withLock { Self.progress($0.coordinator) } }

    private static func progress(_ coordinator: DeviceCoordinator) -> Progress {
        Progress(
            cycle: coordinator.model.round, cycles: coordinator.plan.cycles,
            attempts: coordinator.attempt + (coordinator.isOver ? 0 : 1),
            phase: coordinator.phase, last: coordinator.outcomes.last, counts: coordinator.counts,
            weights: coordinator.model.weights)
    }

    /// Takes a device's frame, and gives the reply's.
    ///
    /// - Throws: A ``Federation/FrameError``, or a `Problem` where the disk does not take it: nothing was taken then.
    public func answer(_ frame: [UInt8]) async throws -> [UInt8] {
        try await threads.run {
            let signed = try SignedDeviceMessage(reading: Data(frame))
            guard signed.run == self.runBytes else { throw FrameError.run }
            let message = try signed.verified(enroller: self.enroller)
            // All but reports are short, and are kept as they came.
            if case .report = message {} else if signed.message.count > 4_096 { throw FrameError.message }
            let (reply, news) = try self.state.withLock { state in
                try self.take(message, signed, into: &state)
            }
            if let news { self.changed(news) }
            return Array(try SignedDeviceReply(encoded: try self.encoded(reply), to: signed, key: self.key).bytes)
        }
    }

    /// A cycle's model is the same for all of its devices: it is written once.
    private func encoded(_ reply: DeviceReply) throws -> Data {
        guard case .model(let model) = reply else { return try SignedDeviceReply.encoded(reply) }
        if let known = written.withLock({ $0 }), known.digest == model.digest { return known.body }
        let body = try SignedDeviceReply.encoded(reply)
        written.withLock { $0 = (model.digest, body) }
        return body
    }

    /// Ends what is over by now, though no device says anything.
    public func tick() async throws {
        try await threads.run {
            let news = try self.state.withLock { state -> Progress? in
                let before = state.coordinator
                state.coordinator.tick(at: self.now)
                guard state.coordinator.revision != before.revision else { return nil }
                do { try self.store(&state, at: self.now) } catch {
                    state.coordinator = before
                    throw error
                }
                return Self.progress(state.coordinator)
            }
            if let news { self.changed(news) }
        }
    }

    /// What the coordinator says; a message that changed it is durable before.
    private func take(
        _ message: DeviceMessage, _ signed: SignedDeviceMessage, into state: inout State
    ) throws -> (DeviceReply, Progress?) {
        let (before, now) = (state.coordinator, now)
        let reply = state.coordinator.answer(message, from: signed.device, at: now)
        guard state.coordinator.revision != before.revision else { return (reply, nil) }
        let (log, length) = (state.log, state.log.bytes)
        do {
            try state.log.append(.init(time: now, sender: 0, message: signed.bytes))
            try step(&state, at: now)
        } catch {
            state.coordinator = before
            log.cut(to: length)
            throw error
        }
        let isNews = state.coordinator.attempt != before.attempt || state.coordinator.phase != before.phase
        return (reply, isNews ? Self.progress(state.coordinator) : nil)
    }

    /// Takes a cycle's step, where it is due, and stores what comes of it: its noise does not follow from messages, so that nothing is answered before.
    private func step(_ state: inout State, at now: Double) throws {
        if state.coordinator.phase == .closed { try store(&state, at: now) }
    }

    /// Stores the whole state, behind the step that is due, and begins a new log behind it.
    private func store(_ state: inout State, at now: Double) throws {
        if state.coordinator.phase == .closed {
            var random = SecureRandom()
            state.coordinator.step(using: &random)
        }
        let next = state.generation + 1
        try? FileManager.default.removeItem(atPath: folder.path(.messages(next)))
        let log = try MessageLog(path: folder.path(.messages(next))) { _ in }
        try folder.write(
            Array(try JSONEncoder().encode(Stored(time: now, coordinator: state.coordinator))), to: .state(next))
        for file in [RunFolder.File.messages(state.generation), .state(state.generation)] {
            try? FileManager.default.removeItem(atPath: folder.path(file))
        }
        (state.log, state.generation) = (log, next)
    }

    /// Writes the model as it is now.
    ///
    /// - Returns: The files' names.
    public func write() throws -> [String] {
        let parameters: Parameters
        do throws(ModelError) {
            let model = try Architecture.model(json: Array(description.architecture.utf8))
            parameters = try model.parameters(FederatedTerms.shapes(of: model), trained: progress.weights)
        } catch { throw Problem.invalidData("\(error)") }
        let training = TrainingFolder(path: folder.path)
        let files: [(TrainingFolder.File, [UInt8])] = [
            (.weights, SafeTensors.write(parameters)), (.architecture, Array(description.architecture.utf8)),
            (.plan, Array(description.plan.utf8)),
        ]
        for (file, content) in files { try training.write(content, to: file) }
        return files.map(\.0.rawValue)
    }
}

extension DeviceRun.Description {
    /// Reads what a coordinator says, of whom nothing is known.
    ///
    /// - Parameter bytes: As they came.
    /// - Throws: A `Problem`: it is none, or its numbers are out of their bounds.
    public init(reading bytes: [UInt8]) throws {
        guard let description = try? JSONDecoder().decode(Self.self, from: Data(bytes)) else {
            throw Problem.unavailable("what the coordinator says is no description of devices' work")
        }
        do throws(FederationError) { try description.cycles.check() } catch {
            throw Problem.unavailable("what the coordinator says cannot be followed: \(error)")
        }
        self = description
    }
}
