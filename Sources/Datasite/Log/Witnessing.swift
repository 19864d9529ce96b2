import DatasiteProtocol
import Dispatch
import Foundation
import Synchronization
import TransparencyLog

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A witness that the owner has named in `parley.yaml`: who cosigns the log, and where it is asked.
public struct NamedWitness: Sendable, Hashable {
    /// Its key (c2sp.org/signed-note, type 0x04), as text.
    public let key: String
    /// Where it takes `add-checkpoint`.
    public let url: String

    init(_ value: YAMLValue) throws {
        let keys = try value.mapping(["key", "url"])
        guard let key = keys["key"], let url = keys["url"] else {
            throw value.problem("expected {key: NAME+ID+KEY, url: https://...}")
        }
        (self.key, self.url) = (try key.text("a witness's key"), try url.text("a URL"))
        do {
            guard try VerifierKey(self.key).kind == .ed25519Cosignature else {
                throw key.problem("the key is of a log, not of a witness: its type is 0x04")
            }
        } catch let error as NoteError { throw key.problem("\(error)") }
        guard self.url.hasPrefix("https://") || self.url.hasPrefix("http://") else {
            throw url.problem("expected https://...")
        }
    }
}

/// How a site's process reaches a witness.
///
/// - Returns: The HTTP status, and the body.
public typealias WitnessPost = @Sendable (_ url: String, _ body: [UInt8]) async throws -> (status: Int, body: [UInt8])

extension Datasite {
    /// Those that `parley.yaml` names.
    public func witnesses() throws -> [NamedWitness] {
        try reportingProblems { try SiteConfiguration(path: folder.configuration).witnesses }
    }

    /// Looks at what a witness cosigned last of this log, if anything: where the log does not lead to it, the site's folder was put back, and it answers no
    /// more.
    ///
    /// - Parameter fetch: Gets what is at a URL; nil: nothing.
    /// - Throws: A `Problem`: the site stops, for one; what `fetch` throws.
    public func compareLog(
        with witness: NamedWitness, fetching fetch: (_ url: String) async throws -> [UInt8]?
    ) async throws {
        let log = try await reading { try $0.openLog() }
        guard let checkpoint = try await fetch(log.monitoringPath(of: witness)) else { return }
        try await reading { try $0.compareLog(checkpoint) }
    }

    /// Asks one witness to cosign the log as it is signed now, where it has not yet: nobody waits for that.
    ///
    /// - Parameters:
    ///   - post: Sends a body there.
    ///   - fetch: Gets what is there; nil: nothing.
    /// - Returns: Whether a cosignature was added.
    /// - Throws: A `Problem`: the witness refused, or holds more of the log than the site does, which then answers no more; what `post` throws.
    @discardableResult
    public func askWitness(
        _ witness: NamedWitness, by post: WitnessPost, fetching fetch: (_ url: String) async throws -> [UInt8]?
    ) async throws -> Bool {
        let log = try await reading { site in
            let log = try site.openLog()
            let cosigners = try site.witnesses().compactMap { try? VerifierKey($0.key) }
            log.recent.withLock { $0.cosigners = cosigners }
            return log
        }
        // A witness whose size was not known is asked once more from the one that it tells.
        for _ in 0..<2 {
            let asked = try await reading { _ in try log.request(to: witness) }
            guard let asked else { return false }
            let answer = try await post(witness.url + "/add-checkpoint", asked.body)
            switch try await reading({ _ in try log.receive(answer, from: witness, asked) }) {
            case .cosigned: return true
            case .askAgain: continue
            // Its word is no evidence: a checkpoint under the site's own key is.
            case .ahead(let size):
                try await compareLog(with: witness, fetching: fetch)
                throw Problem.unavailable(
                    "the witness \(witness.url) says that it cosigned \(size) entries, more than the log has")
            case .refused(let reply):
                try await compareLog(with: witness, fetching: fetch)
                throw Problem.unavailable(
                    "the witness \(witness.url) refused the checkpoint: status \(reply.status)")
            }
        }
        return false
    }
}

/// What a witness is asked.
struct WitnessCall: Sendable {
    let body: [UInt8]
    let checkpoint: SignedCheckpoint
    let contact: WitnessContact
}

extension SiteLog {
    private func contacts() -> [String: WitnessContact] {
        guard let bytes = FileManager.default.contents(atPath: folder.witnesses) else { return [:] }
        // What is not known is asked for.
        return (try? JSONDecoder().decode([String: WitnessContact].self, from: bytes)) ?? [:]
    }

    /// Where a witness shows what it cosigned last of this log (c2sp.org/tlog-witness, monitor retrieval).
    func monitoringPath(of witness: NamedWitness) -> String {
        "\(witness.url)/\(sha256Hex(identity.origin.bytes))/checkpoint"
    }

    /// nil: it has cosigned what it was offered.
    func request(to witness: NamedWitness) throws -> WitnessCall? {
        do {
            let key = try VerifierKey(witness.key)
            let known = try latest()
            let offered = recent.withLock { recent in
                if let known { recent.add(known, at: .now) }
                return recent.offer(to: key, at: .now)
            }
            guard let checkpoint = offered, checkpoint.head.size > 0 else { return nil }
            var contact = try contacts()[witness.key] ?? WitnessContact(key: key)
            // A log that a restore began anew is smaller.
            if contact.size > checkpoint.head.size { contact = try WitnessContact(key: key) }
            var tiles = try VerifiedTiles(head: checkpoint.head, read: folder.read)
            return WitnessCall(
                body: try contact.request(for: checkpoint, tiles: &tiles).bytes, checkpoint: checkpoint,
                contact: contact)
        } catch let problem as Problem { throw problem } catch { throw Problem.unavailable("\(error)") }
    }

    func receive(
        _ answer: (status: Int, body: [UInt8]), from witness: NamedWitness, _ call: WitnessCall
    ) throws -> WitnessContact.Outcome {
        var contact = call.contact
        let outcome: WitnessContact.Outcome
        do {
            let now = UInt64(max(0, Timestamp.systemSeconds()))
            // Clocks may differ by some minutes.
            outcome = try contact.receive(
                WitnessReply(status: answer.status, body: answer.body), for: call.checkpoint, latestTime: now + 300)
        } catch { throw Problem.unavailable("the witness \(witness.url): \(error)") }
        let lock = try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        var known = contacts()
        known[witness.key] = contact
        try folder.replace(folder.witnesses, with: Array(JSONEncoder().encode(known)))
        guard case .cosigned(let line, _) = outcome else { return outcome }
        do {
            guard let cosigned = try recent.withLock({ try $0.add(line, to: call.checkpoint.head) }) else {
                return outcome
            }
            if try latest()?.head == cosigned.head { try folder.replace(folder.checkpoint, with: cosigned.bytes) }
            let before = try? checkpoint(folder.cosigned)
            if cosigned.note.signatures.count >= before?.note.signatures.count ?? 0 {
                try folder.replace(folder.cosigned, with: cosigned.bytes)
            }
        } catch let error as NoteError { throw Problem.unavailable("\(error)") }
        return outcome
    }
}

/// A witness's folder: its key, the logs that it knows, and what it cosigned of each last.
///
/// What it promises is said at `Witness`: of one log never two roots for one size, and never a smaller one behind a larger one, however often it is killed. The
/// record is durable before a cosignature leaves, and is compared with the one that the decision was made from, by one process at a time.
public final class WitnessFolder: Sendable {
    private let path: String
    private let witness: Witness
    private let lock: TrainingFolder.Lock
    private let turn = Mutex(())
    /// Where it waits for the disk.
    private let queue = DispatchQueue(label: "witness")

    /// Opens the folder, or makes it with a new key.
    ///
    /// - Parameter name: Of the key: a name of the witness, such as `witness.example.org`; nil: the folder has one.
    /// - Throws: A `Problem`.
    public init(path: String, name: String?) throws {
        self.path = path
        let file = path + "/witness.key"
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw Problem.unavailable("\(path) cannot be made: \(SiteFolder.reason())")
        }
        lock = try TrainingFolder(path: path).lock()
        do {
            if let bytes = FileManager.default.contents(atPath: file) {
                let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
                let key = try SigningKey(encoded: text)
                if let name, "\(key.verifierKey.name)" != name {
                    throw Problem.conflict(
                        "the witness in \(path) is \(key.verifierKey.name)", hint: "leave out the name")
                }
                witness = try Witness(cosigner: key.signer)
            } else {
                guard let name else {
                    throw Problem.invalidRequest(
                        "the witness in \(path) has no name yet", hint: "--name witness.example.org")
                }
                let key = try SigningKey.generate(name: KeyName(name), kind: .ed25519Cosignature)
                try TrainingFolder.replace(file, with: Array((key.encoded + "\n").utf8), in: path)
                witness = try Witness(cosigner: key.signer)
            }
        } catch let problem as Problem { throw problem } catch { throw Problem.invalidRequest("\(error)") }
    }

    /// By which logs and readers know it.
    public var key: String { "\(witness.key)" }

    private func file(_ origin: LogOrigin) -> String { path + "/" + sha256Hex(origin.bytes) + ".json" }

    private func record(_ origin: LogOrigin) throws -> WitnessedLog? {
        guard let bytes = FileManager.default.contents(atPath: file(origin)) else { return nil }
        guard let record = try? JSONDecoder().decode(WitnessedLog.self, from: bytes), record.log.origin == origin else {
            throw Problem.unavailable(
                "\(file(origin)) is damaged", hint: "a witness that forgets what it cosigned is none: put it back")
        }
        return record
    }

    /// Cosigns this log from now on; one that it knows already stays as it is.
    ///
    /// - Parameter key: The log's, `parley log key` shows it.
    /// - Throws: A `Problem`.
    public func add(_ key: String) throws {
        let log: LogIdentity
        do { log = LogIdentity(key: try VerifierKey(key)) } catch { throw Problem.invalidRequest("\(error)") }
        try turn.withLock { _ in
            if let known = try record(log.origin) {
                guard known.log == log else {
                    throw Problem.conflict("another key is known for the log \(log.origin)")
                }
                return
            }
            try write(WitnessedLog(log))
        }
    }

    private func write(_ record: WitnessedLog) throws {
        try TrainingFolder.replace(file(record.log.origin), with: Array(JSONEncoder().encode(record)), in: path)
    }

    /// What is answered to `add-checkpoint`, on a thread that waits for the disk.
    ///
    /// - Throws: A `Problem`: a full disk, say. Nothing was cosigned then.
    public func answer(_ body: [UInt8]) async throws -> (status: Int, type: String, body: [UInt8]) {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try self.decide(body) }) }
        }
    }

    private func decide(_ body: [UInt8]) throws -> (status: Int, type: String, body: [UInt8]) {
        try turn.withLock { _ in
            let time = UInt64(max(1, Timestamp.systemSeconds()))
            let reply: WitnessReply
            do {
                switch try witness.decide(body, at: time, record: record) {
                case .refuse(let refusal, let evidence):
                    if let evidence { try keep(evidence) }
                    reply = refusal
                case .cosign(let pending):
                    reply = try pending.reply { before, after in
                        guard try record(before.log.origin) == before else { return false }
                        try write(after)
                        return true
                    }
                }
            } catch let problem as Problem { throw problem } catch { throw Problem.unavailable("\(error)") }
            return (reply.status, reply.contentType, reply.body)
        }
    }

    /// The checkpoint that it cosigned last of a log, for monitors and the log itself.
    ///
    /// - Parameter origin: SHA-256 of the log's origin, in hexadecimal digits.
    /// - Returns: nil: it knows no such log, or has cosigned nothing of it.
    public func latest(_ origin: String) -> [UInt8]? {
        guard origin.utf8.count == 64, origin.utf8.allSatisfy({ $0 < 0x80 && Character(UnicodeScalar($0)).isHexDigit }),
            let bytes = FileManager.default.contents(atPath: path + "/\(origin).json"),
            let record = try? JSONDecoder().decode(WitnessedLog.self, from: bytes)
        else { return nil }
        return record.latest?.bytes
    }

    /// Two checkpoints that no one log can have signed: kept, to be shown. One such pair of a log is enough: with more its operator could fill the disk.
    private func keep(_ evidence: SplitView) throws {
        let file = path + "/evidence-\(sha256Hex(evidence.smaller.checkpoint.origin.bytes)).json"
        guard !FileManager.default.fileExists(atPath: file) else { return }
        try TrainingFolder.replace(file, with: Array(try JSONEncoder().encode(evidence)), in: path)
    }
}
