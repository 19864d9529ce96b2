import Crypto
import DatasiteProtocol
public import Federation
import Foundation
import Learning
import Secrets

/// A device that has its rows in files: what it sends, and what it does with what comes back. No network in it. What it must remember lies in a folder, for its owner alone: one key,
/// by which it is enrolled once, and what it did in each run.
public final class DevicePart {
    private var device: Device
    private var work: LocalTraining
    private let rows: Int
    private let key: Curve25519.Signing.PrivateKey
    private let certificate: Data?
    private let coordinator: Data
    private let run: String
    private let folder: TrainingFolder
    private let lock: TrainingFolder.Lock
    private var saved: Saved
    private var sent: SignedDeviceMessage?

    /// What a device is like, as its own file says it.
    private struct Saved: Codable {
        var key: Data
        var seed: UInt64
        /// What it agreed to and did, by the run's name.
        var runs: [String: Run] = [:]

        struct Run: Codable {
            /// SHA-256 of the description that the owner agreed to.
            var agreed: Data
            var state: Device.State?
        }

        /// What is there, or a new device.
        init(in folder: TrainingFolder) throws {
            var isFolder: ObjCBool = false
            let isThere = FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder)
            guard !isThere || isFolder.boolValue else {
                throw Problem.invalidRequest("\(folder.path) is a file", hint: "--state names a folder")
            }
            if !folder.has(.participant) {
                if !isThere { try folder.create() }
                // Of two commands that begin at once each would make a key.
                let lock = try DevicePart.lock(folder)
                defer { withExtendedLifetime(lock) {} }
                if !folder.has(.participant) {
                    var random = SecureRandom()
                    key = Curve25519.Signing.PrivateKey().rawRepresentation
                    seed = random.next()
                    try write(to: folder)
                    return
                }
            }
            guard let known = try? JSONDecoder().decode(Saved.self, from: Data(try folder.read(.participant))) else {
                throw Problem.unavailable("\(folder.path) holds no device's state", hint: "name another folder")
            }
            self = known
        }

        func write(to folder: TrainingFolder) throws {
            try folder.write(Array(try JSONEncoder().encode(self)), to: .participant)
        }
    }

    /// Held by the one command that writes into a device's folder.
    static func lock(_ folder: TrainingFolder) throws -> TrainingFolder.Lock {
        guard let lock = try? folder.lock() else {
            throw Problem.conflict(
                "another command uses \(folder.path), or it cannot be opened", hint: "wait until that has ended")
        }
        return lock
    }

    /// A device's public key, in base64: what an enroller signs. It is made where there is none.
    public static func publicKey(at path: String) throws -> String {
        try key(at: path).publicKey.rawRepresentation.base64EncodedString()
    }

    /// A device's key, by which it is known in all that it takes part in. It is made where there is none.
    static func key(at path: String) throws -> Curve25519.Signing.PrivateKey {
        let saved = try Saved(in: TrainingFolder(path: path))
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: saved.key) else {
            throw Problem.unavailable("\(path) holds no device's key")
        }
        return key
    }

    /// Whether the device's owner agreed to what a coordinator says is done: all of it, to the letter.
    public static func hasAgreed(to description: DeviceRun.Description, at path: String) throws -> Bool {
        try Saved(in: TrainingFolder(path: path)).runs[description.run]?.agreed == description.digest
    }

    /// Keeps that the owner agreed. Before that nothing of a coordinator's plan is done.
    public static func agree(to description: DeviceRun.Description, at path: String) throws {
        let folder = TrainingFolder(path: path)
        var saved = try Saved(in: folder)
        saved.runs[description.run] = Saved.Run(agreed: description.digest, state: saved.runs[description.run]?.state)
        try saved.write(to: folder)
    }

    /// - Parameters:
    ///   - description: What the coordinator says is done; the plan's text is followed, and its numbers must be those that follow from it.
    ///   - dataFolder: Where the plan's files are.
    ///   - path: Where the device keeps its key and what it has done.
    ///   - certificate: The enroller's signature on its key: base64; nil: none.
    /// - Throws: A `Problem`.
    public init(_ description: DeviceRun.Description, dataFolder: String, path: String, certificate: String?) throws {
        guard try Self.hasAgreed(to: description, at: path) else {
            throw Problem.conflict("the device's owner has not agreed to this plan")
        }
        let document = try TrainingDocument(description.plan)
        guard let section = document.devices, document.dataset == nil else {
            throw Problem.invalidManifest("the key `devices` is missing, or `data` names no files")
        }
        let inputs = try TrainingInputs(document, folder: dataFolder, check: {})
        guard !inputs.train.units.isEmpty else { throw Problem.invalidData("there is no row to train on") }
        let training = try Training(document, planText: description.plan, inputs: inputs, threads: nil)
            .behindScattering()
        var local = training.plan
        (local.steps, local.averaging) = (section.localSteps, nil)
        let plan = try section.plan(
            name: document.name, planText: description.plan, parameters: local.model.trainableCount)
        guard plan == description.cycles else {
            throw Problem.conflict(
                "the coordinator's numbers are not those of its plan, by the rows that are here",
                hint: "columns, domains and shapes are the plan's; versions of Parley may differ")
        }
        guard let run = Data(hexadecimal: description.run), run.count == 16,
            let coordinator = Data(base64Encoded: description.coordinatorKey), coordinator.count == 32
        else { throw Problem.unavailable("the coordinator's description is none") }
        folder = TrainingFolder(path: path)
        // What another process of this device does is not known before it let go.
        lock = try Self.lock(folder)
        saved = try Saved(in: folder)
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: saved.key),
            let own = DeviceKey(key.publicKey.rawRepresentation)
        else { throw Problem.unavailable("\(path) holds no device's key") }
        self.run = description.run
        do throws(FederationError) {
            device = try Device(plan: plan, run: run, key: own, state: saved.runs[description.run]?.state)
        } catch { throw Problem.conflict("\(error)", hint: "a run whose plan is another is another run") }
        (self.key, self.coordinator, rows) = (key, coordinator, training.inputs.train.units.count)
        self.certificate = try certificate.map { text in
            guard let bytes = Data(base64Encoded: text), bytes.count == 64 else {
                throw Problem.invalidRequest("the certificate: expected 64 bytes in base64")
            }
            return bytes
        }
        work = try LocalTraining(
            strategy: plan.strategy, plan: local, examples: training.inputs.train, batchRows: document.batch,
            seed: saved.seed, parameters: training.beginning(), threads: training.threads)
    }

    /// Its public key, in base64: what an enroller signs.
    public var publicKey: String { key.publicKey.rawRepresentation.base64EncodedString() }

    /// Whether the run is over.
    public var isOver: Bool { device.state.isOver }

    /// How many of its reports were counted, as far as it was told.
    public var thanked: Int { device.state.thanked }

    /// The frame to send now; nil: nothing, as it is.
    ///
    /// - Throws: A `Problem`: what it must remember cannot be written.
    public func next(_ conditions: DeviceConditions) throws -> [UInt8]? {
        guard let message = device.next(conditions) else { return nil }
        try save()
        var random = SecureRandom()
        let signed = try SignedDeviceMessage(
            message, run: device.run, number: random.next(), key: key, certificate: certificate)
        sent = signed
        return Array(signed.bytes)
    }

    /// Does what a reply says.
    ///
    /// - Returns: How many seconds to wait before the next message.
    /// - Throws: What is wrong with the reply; nothing was done then.
    public func take(_ frame: [UInt8]) throws -> Double {
        guard let sent else { throw Problem.conflict("nothing was sent") }
        let reply = try SignedDeviceReply.verified(Data(frame), to: sent, coordinator: coordinator)
        let seconds = try device.take(reply, rows: rows, work: &work)
        try save()
        return seconds
    }

    private func save() throws {
        saved.runs[run]?.state = device.state
        try saved.write(to: folder)
    }
}
