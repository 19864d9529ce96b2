import Crypto
import DatasiteProtocol
import Foundation
import GRDB
import Governance
import Secrets
import Tables

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A version that is being added, under a random name, with a lock that tells a living addition from an abandoned one. A
/// process that computes requests has such a name and lock too.
final class VersionLock: Sendable {
    let version: String
    let directory: String
    private let path: String
    private let descriptor: Int32

    var descriptionPath: String { directory + "/" + TableFiles.descriptionName }

    init(folder: SiteFolder) throws {
        while true {
            let version = hexadecimal(SecureRandom.bytes(16))
            let path = folder.directory(ofVersion: version) + ".lock"
            let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw Problem.unavailable("\(path) cannot be made: \(SiteFolder.reason())") }
            // Between making and locking it another process may have taken it for an abandoned one and removed it: then
            // nothing would protect this addition.
            if flock(file, LOCK_EX) == 0, access(path, F_OK) == 0 {
                (self.version, self.path, descriptor) = (version, path, file)
                directory = folder.directory(ofVersion: version)
                return
            }
            close(file)
        }
    }

    deinit {
        unlink(path)
        close(descriptor)
    }

    /// Runs `body` unless a living process adds this version, and lets none begin meanwhile.
    static func unlessHeld(_ path: String, _ body: () throws -> Void) rethrows {
        let file = open(path, O_RDWR | O_CLOEXEC)
        // Without a lock's file its addition has ended.
        guard file >= 0 else { return try body() }
        defer { close(file) }
        if flock(file, LOCK_EX | LOCK_NB) == 0 { try body() }
    }
}

extension Datasite {
    /// A dataset's table, mapped.
    func table(_ entry: Catalogue.Entry) throws -> Tables.Table {
        let opened = try tables.opened(entry.version) { .table(try openTable(entry)) }
        guard case .table(let table) = opened else { throw Problem.unavailable("the dataset is a lookup table") }
        return table
    }

    func lookupTable(_ entry: Catalogue.Entry) throws -> LookupTable {
        let opened = try tables.opened(entry.version) {
            do {
                return .lookup(
                    try LookupTable(
                        try openTable(entry), keyColumn: entry.manifest.lookupKey ?? 0,
                        rowsPerKey: entry.manifest.rowsPerKey))
            } catch let error as LookupTable.Failure {
                throw Problem.unavailable("the lookup table \(entry.manifest.name) cannot be opened: \(error)")
            }
        }
        guard case .lookup(let table) = opened else { throw Problem.unavailable("the dataset is no lookup table") }
        return table
    }

    private func openTable(_ entry: Catalogue.Entry) throws -> Tables.Table {
        do {
            return try TableFiles(directory: folder.directory(ofVersion: entry.version))
                .open(schema: entry.manifest.schema)
        } catch {
            throw Problem.unavailable(
                "the files of \(entry.manifest.name) cannot be opened", hint: "the owner must run `parley verify`")
        }
    }

    /// Deletes what additions that were cut short left behind.
    func removeAbandonedVersions() throws {
        try forEachAbandonedPath { try? FileManager.default.removeItem(atPath: $0) }
    }

    /// Goes through the files of versions that are not in the catalogue, and locks that nobody holds, unless a living
    /// process is adding them. None begins to meanwhile.
    func forEachAbandonedPath(_ body: (String) throws -> Void) throws {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.data)) ?? []
        for version in Set(names.map { String($0.prefix { $0 != "." }) }) {
            let directory = folder.directory(ofVersion: version)
            try VersionLock.unlessHeld(directory + ".lock") {
                // The catalogue after the lock: whoever let go of it has installed the version, or never will.
                let isPresent = try read { db in
                    try Bool.fetchOne(
                        db, sql: "SELECT 1 FROM datasets WHERE version = :version", arguments: ["version": version])
                        ?? false
                }
                for suffix in isPresent ? [".lock"] : ["", ".partial", ".lock"] {
                    let path = directory + suffix
                    if FileManager.default.fileExists(atPath: path) { try body(path) }
                }
            }
        }
    }
}
