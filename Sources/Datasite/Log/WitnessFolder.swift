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

/// A witness's folder: its key, the logs that it knows, and what it cosigned of each last.
///
/// What it promises is said at `Witness`: of one log never two roots for one size, and never a smaller one behind a larger one, however often it is killed. The
/// record is durable before a cosignature leaves, and is compared with the one that the decision was made from, by one process at a time.
public final class WitnessFolder: Sendable {
    private let path: String
    private let witness: Witness
    private let lock: TrainingFolder.Lock
    private let turn = Mutex(())
    /// The logs that it was told of.
    private let logs = Mutex<[LogOrigin: LogIdentity]>([:])
    private let told = Mutex<Set<LogOrigin>>([])
    private let now: @Sendable () -> Double
    private let tell: @Sendable (String) -> Void
    /// Where it waits for the disk.
    private let queue = DispatchQueue(label: "witness")

    /// Opens the folder, or makes it with a new key.
    ///
    /// - Parameters:
    ///   - name: Of the key: a name of the witness, such as `witness.example.org`; nil: the folder has one.
    ///   - now: The time in seconds since 1970; nil: the system's.
    ///   - tell: Is told what its operator is to know, in words.
    /// - Throws: A `Problem`.
    public init(
        path: String, name: String?, now: (@Sendable () -> Double)? = nil,
        tell: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        self.path = path
        (self.now, self.tell) = (now ?? Timestamp.systemSeconds, tell)
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw Problem.unavailable("\(path) cannot be made: \(SiteFolder.reason())")
        }
        do { lock = try TrainingFolder(path: path).lock() } catch let problem as Problem where problem.kind == .conflict
        {
            throw Problem.conflict(
                "a witness runs in \(path)", hint: "stop it first: it learns of logs when it is started, by --log")
        }
        do {
            if let key = try Self.signingKey(in: path) {
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
                try TrainingFolder.replace(Self.keyFile(path), with: Array((key.encoded + "\n").utf8), in: path)
                witness = try Witness(cosigner: key.signer)
            }
        } catch let problem as Problem { throw problem } catch { throw Problem.invalidRequest("\(error)") }
        try readLogs()
    }

    private static func keyFile(_ path: String) -> String { path + "/witness.key" }

    private static func signingKey(in path: String) throws -> SigningKey? {
        guard let bytes = FileManager.default.contents(atPath: keyFile(path)) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        do { return try SigningKey(encoded: text) } catch {
            throw Problem.unavailable("\(keyFile(path)) is damaged: \(error)")
        }
    }

    /// By which logs and readers know the witness of a folder, which may run meanwhile; nil: it has no key yet.
    ///
    /// - Throws: A `Problem`: the key's file is damaged.
    public static func key(in path: String) throws -> String? { try signingKey(in: path).map { "\($0.verifierKey)" } }

    private func readLogs() throws {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            guard name.hasSuffix(".json"), Self.isDigest(name.dropLast(5)),
                let bytes = FileManager.default.contents(atPath: path + "/" + name)
            else { continue }
            guard let record = try? JSONDecoder().decode(WitnessedLog.self, from: bytes) else {
                tell("\(path)/\(name) is damaged: that log is not cosigned until it is put back")
                continue
            }
            logs.withLock { $0[record.log.origin] = record.log }
        }
    }

    /// Whether it was told of no log, and so cosigns nothing.
    public var knowsNoLog: Bool { logs.withLock { $0.isEmpty } }

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

    /// Cosigns this log from now on; one that it knows already stays as it is. Of a site whose earlier log it knows that one has ended: it is cosigned no more.
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
            if let name = SiteLogName("\(log.origin)"), let known = known(of: name), known.number < name.number {
                tell(
                    "WARNING: \(log.origin) is a later log of a site whose log \(known.number) this witness knows: the site was put back, and its owner accepted that entries were lost. \(known) is cosigned no more"
                )
            }
            try write(WitnessedLog(log))
            logs.withLock { $0[log.origin] = log }
        }
    }

    /// The latest log of the same site that it was told of.
    private func known(of name: SiteLogName) -> SiteLogName? {
        logs.withLock { $0.keys.compactMap { SiteLogName("\($0)") } }.filter { $0.site == name.site }
            .max { $0.number < $1.number }
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
            let time = UInt64(max(1, now()))
            let reply: WitnessReply
            var why = ""
            do {
                let decision = try witness.decide(body, at: time) { origin in
                    if let name = SiteLogName("\(origin)"), let known = known(of: name), known.number > name.number {
                        why =
                            "the log \(origin) has ended: this witness was told of \(known), which its site began behind it\n"
                        return nil
                    }
                    let found = try record(origin)
                    if found == nil { why = Self.unknown(origin) }
                    return found
                }
                switch decision {
                case .refuse(let refusal, let evidence):
                    if let evidence { try keep(evidence) }
                    reply = refusal
                case .repeatReply(let stored): reply = stored
                case .cosign(let pending):
                    reply = try pending.reply { before, after in
                        guard try record(before.log.origin) == before else { return false }
                        try write(after)
                        return true
                    }
                }
            } catch let problem as Problem { throw problem } catch { throw Problem.unavailable("\(error)") }
            guard reply == .notFound else { return (reply.status, reply.contentType, reply.body) }
            tellOfLaterLog(body)
            return (reply.status, reply.contentType, Array(why.utf8))
        }
    }

    private static func unknown(_ origin: LogOrigin) -> String {
        "this witness was not told of the log \(origin): its operator adds its key (`parley log key` at the site) with --log\n"
    }

    /// A site whose log it knows has begun another one: its operator is told once of each, and decides. Strangers, who cannot sign it, have nothing told.
    private func tellOfLaterLog(_ body: [UInt8]) {
        guard let checkpoint = try? AddCheckpointRequest(parsing: body).checkpoint,
            let name = SiteLogName(of: checkpoint),
            let known = known(of: name), known.number < name.number,
            let key = logs.withLock({ $0.first { "\($0.key)" == "\(known)" }?.value.keys.first }),
            let later = try? VerifierKey(
                name: KeyName(checkpoint.checkpoint.origin.bytes), kind: .ed25519, publicKey: key.publicKey),
            (try? checkpoint.verify(LogIdentity(key: later))) != nil,
            told.withLock({ $0.count < Self.mostTold && $0.insert(checkpoint.checkpoint.origin).inserted })
        else { return }
        tell(
            "WARNING: the site of \(known) has begun another log, \(name): it was put back, and its owner accepted that entries were lost. Ask her; it is cosigned once this witness is started with --log \(later)"
        )
    }

    private static let mostTold = 64

    /// The checkpoint that it cosigned last of a log, for monitors and the log itself.
    ///
    /// - Parameter origin: SHA-256 of the log's origin, in hexadecimal digits.
    /// - Returns: nil: it knows no such log, or has cosigned nothing of it.
    public func latest(_ origin: String) -> [UInt8]? {
        guard Self.isDigest(origin),
            let bytes = FileManager.default.contents(atPath: path + "/\(origin).json"),
            let record = try? JSONDecoder().decode(WitnessedLog.self, from: bytes)
        else { return nil }
        return record.latest?.bytes
    }

    /// What it keeps as evidence that a log split (`SplitView`, JSON), for everybody: the log's site, which may have been put back since, stops by it.
    ///
    /// - Parameter origin: SHA-256 of the log's origin, in hexadecimal digits.
    /// - Returns: nil: there is none.
    public func evidence(_ origin: String) -> [UInt8]? {
        guard Self.isDigest(origin) else { return nil }
        return FileManager.default.contents(atPath: path + "/evidence-\(origin).json").map(Array.init)
    }

    private static func isDigest(_ text: some StringProtocol) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy(Array("0123456789abcdef".utf8).contains)
    }

    /// Two checkpoints that no one log can have signed: kept, to be shown. One such pair of a log is enough: with more its operator could fill the disk.
    private func keep(_ evidence: SplitView) throws {
        let file = path + "/evidence-\(sha256Hex(evidence.smaller.checkpoint.origin.bytes)).json"
        guard !FileManager.default.fileExists(atPath: file) else { return }
        try TrainingFolder.replace(file, with: Array(try JSONEncoder().encode(evidence)), in: path)
        tell(
            "WARNING: the log \(evidence.smaller.checkpoint.origin) showed two histories: the proof is kept in \(file)")
    }
}
