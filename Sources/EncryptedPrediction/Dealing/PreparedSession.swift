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
        session: Data, dataset: String, version: String, rows: Int, other: String, key: Data, header: Data,
        places: [SpooledSteps.Place] = [], expires: UInt64
    ) {
        (self.session, self.dataset, self.version, self.rows) = (session, dataset, version, rows)
        (self.other, self.key, self.header, self.places, self.expires) = (other, key, header, places, expires)
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
    /// What was begun so long ago, and is not whole, is nobody's: in seconds.
    private static let abandoned: TimeInterval = 7_200

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
        var record = prepared
        record.places = steps.places
        try steps.synchronize()
        let (folder, file) = (draft(prepared.session), draft(prepared.session) + "/" + Self.recordFile)
        guard
            FileManager.default.createFile(
                atPath: file, contents: try JSONEncoder().encode(record), attributes: [.posixPermissions: 0o600])
        else { throw CocoaError(.fileWriteUnknown) }
        for path in [file, folder] { try Self.synchronize(path) }
        try FileManager.default.moveItem(atPath: folder, toPath: place(prepared.session))
        try Self.synchronize(path)
    }

    /// Gives up one that was begun.
    public func abandon(_ session: Data) { try? FileManager.default.removeItem(atPath: draft(session)) }

    /// What is there, in the order of their ends. What cannot be read is left out.
    public func all() -> [PreparedSession] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { !$0.hasPrefix(".") }.compactMap { try? record(path + "/" + $0) }
            .sorted { ($0.expires, $0.session.base64EncodedString()) < ($1.expires, $1.session.base64EncodedString()) }
    }

    private func record(_ folder: String) throws -> PreparedSession {
        try JSONDecoder().decode(
            PreparedSession.self, from: Data(contentsOf: URL(filePath: folder + "/" + Self.recordFile)))
    }

    /// Takes a session, which serves once: when this returns nothing of it has a name on the disk.
    ///
    /// - Returns: nil: it is not there, or somebody else takes it.
    /// - Throws: That it cannot be read, or not be removed.
    public func take(_ session: Data) throws -> (PreparedSession, SpooledSteps)? {
        // Of two who take it one renames it.
        let taken = path + "/\(Self.takenPrefix)\(UInt64(max(0, Date().timeIntervalSince1970)))-\(UUID().uuidString)"
        guard rename(place(session), taken) == 0 else { return nil }
        defer { try? FileManager.default.removeItem(atPath: taken) }
        let record = try record(taken)
        let steps = try SpooledSteps(opening: taken + "/" + Self.stepsFile, places: record.places)
        try FileManager.default.removeItem(atPath: taken)
        try Self.synchronize(path)
        return (record, steps)
    }

    /// Removes one.
    ///
    /// - Returns: Whether it was there.
    @discardableResult public func remove(_ session: Data) -> Bool {
        (try? FileManager.default.removeItem(atPath: place(session))) != nil
    }

    /// Removes what serves no more: what ended, and what nobody goes on to make whole or to take.
    ///
    /// - Parameter now: In seconds since 1970, by the clock that their ends were said by.
    public func sweep(now: UInt64) {
        for prepared in all() where prepared.expires <= now { remove(prepared.session) }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] where name.hasPrefix(".") {
            let folder = path + "/" + name
            // By the clock that files have.
            if let changed = changed(folder, name), changed + Self.abandoned > Date().timeIntervalSince1970 { continue }
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    /// Removes what is not whole or is being taken: of a process that ended, where no other works on the shelf.
    public func removeRemains() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] where name.hasPrefix(".") {
            try? FileManager.default.removeItem(atPath: path + "/" + name)
        }
    }

    /// When something was last done in a folder that is not whole, or taken.
    private func changed(_ folder: String, _ name: String) -> TimeInterval? {
        if name.hasPrefix(Self.takenPrefix) {
            return name.dropFirst(Self.takenPrefix.count).split(separator: "-").first.flatMap { TimeInterval($0) }
        }
        return [folder, folder + "/" + Self.stepsFile].compactMap { path in
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            return (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970
        }.max()
    }

    private static func synchronize(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CocoaError(.fileReadUnknown) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }
}
