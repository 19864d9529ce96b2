internal import DatasiteProtocol
public import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What one party was dealt for a session, ahead of time: whom it is for, and what is needed to compute with it. As secret as the party's inputs.
public struct PreparedSession: Sendable, Hashable, Codable, CustomStringConvertible, CustomReflectable {
    /// The session's name: the dealer's nonce, 16 bytes.
    public var session: Data
    /// The dataset whose policy the model has.
    public var dataset: String
    /// Sixteen bytes that name the model's weights, in hexadecimal digits.
    public var version: String
    /// How many predictions it is for.
    public var rows: Int
    /// Who asked for it: at a site the user's name, at whoever asks the site's key in hexadecimal digits.
    public var other: String
    /// The key of whoever dealt it.
    public var dealer: Data
    /// The Ed25519 key of whoever asks, 32 bytes: public at a site, private at whoever asks.
    public var key: Data
    /// With what the correlations begin.
    public var header: Data
    /// Where they lie.
    public var places: [SpooledSteps.Place]
    /// Until then it serves, in seconds since 1970.
    public var expires: UInt64

    /// A session, by its parts.
    public init(
        session: Data, dataset: String, version: String, rows: Int, other: String, dealer: Data, key: Data,
        header: Data, places: [SpooledSteps.Place] = [], expires: UInt64
    ) {
        (self.session, self.dataset, self.version, self.rows) = (session, dataset, version, rows)
        (self.other, self.dealer, self.key) = (other, dealer, key)
        (self.header, self.places, self.expires) = (header, places, expires)
    }

    /// How many bytes it takes on disk.
    public var bytes: Int { places.reduce(header.count) { $0 + $1.count } }

    /// How long one that was dealt serves, in seconds.
    public static let lifetime: UInt64 = 3 * 86_400

    /// How many rows, and of which version.
    public var description: String { "PreparedSession(\(rows) rows of \(version.prefix(8)))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Prepared sessions of one party, in a folder for it alone: one folder each, whole or not there, until it serves.
///
/// **Once.** ``take(_:)`` removes a session's name from the disk, durably, before it returns what was in it, so that neither a crash nor another process brings it back. A copy of the folder would: it belongs into no backup.
public struct PreparationShelf: Sendable {
    /// Where.
    public let path: String
    private static let recordFile = "session.json"
    private static let stepsFile = "correlations"
    private static let takenPrefix = ".taken-"
    /// What is being taken for so long, or was begun so long ago and has no file yet, is nobody's: in seconds.
    private static let abandoned: TimeInterval = 60

    /// A shelf; its folder is made when something is put there.
    public init(path: String) { self.path = path }

    private func place(_ session: Data) -> String { path + "/" + hexadecimal(session) }
    private func draft(_ session: Data) -> String { path + "/.new-" + hexadecimal(session) }

    /// Where a session's correlations are put while they are dealt.
    ///
    /// - Throws: That it cannot be made.
    public func begin(_ session: Data) throws -> SpooledSteps {
        try? FileManager.default.removeItem(atPath: draft(session))
        try FileManager.default.createDirectory(
            atPath: draft(session), withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        return try SpooledSteps(creating: draft(session) + "/" + Self.stepsFile)
    }

    /// Puts a session there, whole: it outlives this process.
    ///
    /// - Throws: That it cannot be written.
    public func keep(_ prepared: PreparedSession, _ steps: SpooledSteps) throws {
        try complete(prepared, steps)
        try publish(prepared.session)
    }

    /// Makes what was begun whole; it is not there before ``publish(_:)``.
    ///
    /// - Throws: That it cannot be written.
    public func complete(_ prepared: PreparedSession, _ steps: SpooledSteps) throws {
        var record = prepared
        record.places = steps.places
        try steps.synchronize()
        let (folder, file) = (draft(prepared.session), draft(prepared.session) + "/" + Self.recordFile)
        guard
            FileManager.default.createFile(
                atPath: file, contents: try JSONEncoder().encode(record), attributes: [.posixPermissions: 0o600])
        else { throw CocoaError(.fileWriteUnknown) }
        for path in [file, folder] { try Self.synchronize(path) }
    }

    /// Puts one there that was made whole.
    ///
    /// - Throws: That it cannot be moved.
    public func publish(_ session: Data) throws {
        try FileManager.default.moveItem(atPath: draft(session), toPath: place(session))
        try Self.synchronize(path)
    }

    /// Gives up one that was begun.
    public func abandon(_ session: Data) { try? FileManager.default.removeItem(atPath: draft(session)) }

    private var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }

    /// What is there, in the order of their ends. What cannot be read is left out.
    public func all() -> [PreparedSession] {
        names.filter { !$0.hasPrefix(".") }.compactMap { try? record(path + "/" + $0) }
            .sorted { ($0.expires, $0.session.base64EncodedString()) < ($1.expires, $1.session.base64EncodedString()) }
    }

    /// Whether nothing of one was lost on the disk.
    public func isWhole(_ prepared: PreparedSession) -> Bool {
        let path = place(prepared.session) + "/" + Self.stepsFile
        return (try? SpooledSteps(opening: path, places: prepared.places))?.isWhole() ?? false
    }

    /// Claims one for this process, so that no other on this machine chooses it, for as long as the claim lives. It is there still: only ``take(_:)`` takes it.
    ///
    /// - Returns: nil: another has claimed it, or it is gone.
    public func claim(_ session: Data) -> SessionClaim? {
        guard let lock = FileLock(place(session) + "/" + Self.stepsFile), (try? record(place(session))) != nil else {
            return nil
        }
        return SessionClaim(lock)
    }

    private func record(_ folder: String) throws -> PreparedSession {
        try JSONDecoder().decode(
            PreparedSession.self, from: Data(contentsOf: URL(filePath: folder + "/" + Self.recordFile)))
    }

    /// Takes a session, which serves once: when this returns nothing of it has a name on the disk.
    ///
    /// - Returns: nil: it is not there, or somebody else takes it.
    /// - Throws: That it cannot be read, is damaged, or cannot be removed.
    public func take(_ session: Data) throws -> (PreparedSession, SpooledSteps)? {
        guard let taken = renamed(place(session)) else { return nil }
        defer { try? FileManager.default.removeItem(atPath: taken) }
        let record = try record(taken)
        let steps = try SpooledSteps(opening: taken + "/" + Self.stepsFile, places: record.places)
        guard steps.isWhole() else { throw CocoaError(.fileReadCorruptFile) }
        try FileManager.default.removeItem(atPath: taken)
        try Self.synchronize(path)
        return (record, steps)
    }

    /// Under a name that nobody takes: of two who take it one renames it.
    private func renamed(_ folder: String) -> String? {
        let taken = path + "/\(Self.takenPrefix)\(UInt64(max(0, Date().timeIntervalSince1970)))-\(UUID().uuidString)"
        return rename(folder, taken) == 0 ? taken : nil
    }

    /// Removes one.
    ///
    /// - Returns: Whether it was there.
    @discardableResult public func remove(_ session: Data) -> Bool { removeWhole(place(session)) }

    /// First its name, so that what is half removed is nobody's.
    private func removeWhole(_ folder: String) -> Bool {
        guard let taken = renamed(folder) else { return false }
        return (try? FileManager.default.removeItem(atPath: taken)) != nil
    }

    /// Removes what serves no more: what ended, and what nobody goes on to make whole or to take.
    ///
    /// - Parameter now: In seconds since 1970, by the clock that their ends were said by.
    public func sweep(now: UInt64) {
        for name in names {
            let folder = path + "/" + name
            guard name.hasPrefix(".") else {
                if isOver(folder, now: now) { _ = removeWhole(folder) }
                continue
            }
            let steps = folder + "/" + Self.stepsFile
            if !name.hasPrefix(Self.takenPrefix), FileManager.default.fileExists(atPath: steps) {
                // Whoever makes it holds it.
                guard FileLock(steps) != nil else { continue }
            } else if let changed = changed(folder, name),
                // By the clock that files have.
                changed + Self.abandoned > Date().timeIntervalSince1970
            {
                continue
            }
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    /// Whether what is there serves nobody: it ended, or cannot be read.
    private func isOver(_ folder: String, now: UInt64) -> Bool {
        do { return try record(folder).expires <= now } catch is DecodingError { return true } catch {
            // Not where there are too many open files.
            return FileManager.default.fileExists(atPath: folder)
                && !FileManager.default.fileExists(atPath: folder + "/" + Self.recordFile)
        }
    }

    /// Removes what is not whole or is being taken: of a process that ended, where no other works on the shelf.
    public func removeRemains() {
        for name in names where name.hasPrefix(".") {
            try? FileManager.default.removeItem(atPath: path + "/" + name)
        }
    }

    /// When a folder was made or taken.
    private func changed(_ folder: String, _ name: String) -> TimeInterval? {
        if name.hasPrefix(Self.takenPrefix) {
            return name.dropFirst(Self.takenPrefix.count).split(separator: "-").first.flatMap { TimeInterval($0) }
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: folder)
        return (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970
    }

    private static func synchronize(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CocoaError(.fileReadUnknown) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }
}

/// A prepared session that this process has chosen: no other chooses it while this lives.
public final class SessionClaim: Sendable {
    private let lock: FileLock

    init(_ lock: FileLock) { self.lock = lock }
}

/// A lock on a file, which ends with whoever holds it, however that ends (`flock(2)`).
final class FileLock: Sendable {
    private let descriptor: Int32

    /// - Returns: nil: another holds it, or there is no such file.
    init?(_ path: String) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        self.descriptor = descriptor
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return nil }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
