import Crypto
public import DatasiteProtocol
import Foundation
import Secrets
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The files of a datasite. Access to the folder is ownership: it must belong to the user who runs, with mode 0700.
struct SiteFolder: Sendable {
    let path: String

    var database: String { path + "/parley.sqlite" }
    /// The Ed25519 key that signs receipts, base64, mode 0600.
    var signingKey: String { path + "/site.key" }
    /// The secret under which units are named and rows are ordered (docs/privacy.md, rule 11), base64, mode 0600.
    var rowSecret: String { path + "/rows.secret" }
    var generation: String { path + "/generation" }
    /// The token that reads metrics, base64, mode 0600; made by the first server that shows them.
    var metricsToken: String { path + "/metrics.token" }
    var serverLock: String { path + "/server.lock" }
    /// What the owner sets for the site, in YAML; need not be there.
    var configuration: String { path + "/parley.yaml" }
    var data: String { path + "/data" }

    /// What long work keeps to go on after a crash: a folder for each request.
    var work: String { path + "/work" }

    /// The transparency log.
    var log: String { path + "/log" }
    /// A log that ended with a restore, from 1 on: kept, since others may hold proofs of it.
    func log(ended number: Int) -> String { log + ".\(number)" }
    /// Where nothing is yet: a folder that was put back may have ended a log of that number already.
    func freeLog(ended number: Int) -> String {
        var (path, more) = (log(ended: number), 1)
        while FileManager.default.fileExists(atPath: path) {
            more += 1
            path = log(ended: number) + ".\(more)"
        }
        return path
    }

    /// What stays of work for the owners, behind its end: a folder for each request.
    var kept: String { path + "/kept" }

    func kept(of request: String) -> Workspace { Workspace(parent: kept, name: request) }

    func workspace(of request: String) -> Workspace { Workspace(parent: work, name: request) }

    func directory(ofVersion version: String) -> String { data + "/" + version }

    /// Refuses a folder that others may look into.
    func check() throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw Problem.absent("there is no datasite at \(path)", hint: "`parley site init \(path)` makes one")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Problem.conflict("\(path) is not a folder") }
        guard status.st_uid == geteuid() else {
            throw Problem.forbidden("\(path) belongs to another user", hint: "run as its owner")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw Problem.forbidden(
                "others may enter \(path) (mode \(String(status.st_mode & 0o777, radix: 8)))", hint: "chmod 700 \(path)"
            )
        }
        guard access(database, F_OK) == 0 else {
            throw Problem.absent("\(path) is not a datasite", hint: "`parley site init \(path)` makes one")
        }
    }

    /// Makes the folder with its keys; `finish` puts the database into it. It appears complete or not at all.
    static func create(at path: String, finish: (SiteFolder) throws -> Void) throws {
        if let entries = try? FileManager.default.contentsOfDirectory(atPath: path), !entries.isEmpty {
            throw Problem.conflict("\(path) exists and is not empty")
        }
        let parent = URL(filePath: path).deletingLastPathComponent().path
        do { try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true) } catch {
            throw Problem.unavailable("\(parent) cannot be made")
        }
        let draft = SiteFolder(path: path + ".new-" + hexadecimal(SecureRandom.bytes(6)))
        guard mkdir(draft.path, 0o700) == 0 else { throw Problem.unavailable("\(path) cannot be made: \(reason())") }
        do {
            guard mkdir(draft.data, 0o700) == 0 else {
                throw Problem.unavailable("\(path) cannot be made: \(reason())")
            }
            let key = Curve25519.Signing.PrivateKey()
            try writeSecret(Array(key.rawRepresentation), to: draft.signingKey)
            try writeSecret(SecureRandom.bytes(32), to: draft.rowSecret)
            try finish(draft)
            try synchronize(draft.path)
            guard rename(draft.path, path) == 0 else {
                throw Problem.unavailable("\(path) cannot be made: \(reason())")
            }
            try synchronize(parent)
        } catch {
            try? FileManager.default.removeItem(atPath: draft.path)
            throw error
        }
    }

    func readSigningKey() throws -> Curve25519.Signing.PrivateKey {
        let bytes = try readSecret(signingKey)
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes) else {
            throw Problem.unavailable("\(signingKey) is not an Ed25519 key")
        }
        return key
    }

    func readRowSecret() throws -> [UInt8] { try readSecret(rowSecret) }

    func readMetricsToken() throws -> [UInt8] {
        if access(metricsToken, F_OK) != 0 { try Self.writeSecret(SecureRandom.bytes(32), to: metricsToken) }
        return try readSecret(metricsToken)
    }

    private func readSecret(_ path: String) throws -> [UInt8] {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Problem.unavailable("\(path) is missing") }
        guard status.st_mode & 0o077 == 0 else {
            throw Problem.forbidden(
                "others may read \(path) (mode \(String(status.st_mode & 0o777, radix: 8)))",
                hint: "chmod 600 \(path); if others have read it, it is not secret any more")
        }
        guard access(path, R_OK) == 0 else { throw Problem.unavailable("\(path) cannot be read: \(Self.reason())") }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8),
            let bytes = Data(base64Encoded: text.trimmingCharacters(in: .whitespacesAndNewlines)), bytes.count == 32
        else { throw Problem.unavailable("\(path) does not hold 32 bytes in base64") }
        return Array(bytes)
    }

    private static func writeSecret(_ bytes: [UInt8], to path: String) throws {
        let text = Array((Data(bytes).base64EncodedString() + "\n").utf8)
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Problem.unavailable("\(path) cannot be written: \(reason())") }
        defer { close(file) }
        guard write(file, text, text.count) == text.count, fsync(file) == 0 else {
            throw Problem.unavailable("\(path) cannot be written: \(reason())")
        }
    }

    /// Makes a folder's entries durable.
    static func synchronize(_ folder: String) throws {
        let file = open(folder, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw Problem.unavailable("\(folder) cannot be opened: \(reason())") }
        defer { close(file) }
        guard fsync(file) == 0 else { throw Problem.unavailable("\(folder) cannot be synchronised: \(reason())") }
    }

    static func reason() -> String { String(cString: strerror(errno)) }
}

/// Holds a datasite's server lock until released or gone: one server a site.
public final class ServerLock: Sendable {
    private let descriptor: Mutex<Int32?>

    /// - Parameters:
    ///   - path: Of the file that is locked; it is made where it is not there.
    ///   - busy: What is said where another process holds it.
    /// - Throws: `busy`; or that the file cannot be opened.
    public init(path: String, busy: Problem) throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Problem.unavailable("\(path) cannot be opened: \(SiteFolder.reason())") }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            throw busy
        }
        descriptor = Mutex(file)
    }

    /// Of the server of a datasite.
    convenience init(path: String) throws {
        try self.init(
            path: path,
            busy: .conflict("another server serves this datasite", hint: "stop it first: one server a datasite"))
    }

    /// Lets another server start; also happens when the lock goes out of use.
    public func release() {
        descriptor.withLock { descriptor in
            if let descriptor { close(descriptor) }
            descriptor = nil
        }
    }

    deinit { release() }
}
