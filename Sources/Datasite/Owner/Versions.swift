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

/// A version that is being added, under a random name, with a lock that tells a living addition from an abandoned one.
final class VersionLock: Sendable {
    let version: String
    let directory: String
    private let path: String
    private let descriptor: Int32

    var descriptionPath: String { directory + "/" + TableFiles.descriptionName }

    init(folder: SiteFolder) throws {
        version = hexadecimal(SecureRandom.bytes(16))
        directory = folder.directory(ofVersion: version)
        path = directory + ".lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Problem.unavailable("\(path) cannot be made: \(SiteFolder.reason())") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw Problem.unavailable("\(path) cannot be locked")
        }
    }

    deinit {
        unlink(path)
        close(descriptor)
    }

    /// Whether a living process adds this version.
    static func isHeld(_ path: String) -> Bool {
        let file = open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return flock(file, LOCK_EX | LOCK_NB) != 0
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
                return .lookup(try LookupTable(try openTable(entry), keyColumn: entry.manifest.lookupKey ?? 0))
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

    /// Deletes the files of versions that are not in the catalogue, unless a living process is adding them.
    func removeAbandonedVersions() throws {
        // Files first, catalogue after: what is installed in between is in the catalogue by then.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.data)) ?? []
        let held = Set(names.filter { $0.hasSuffix(".lock") && VersionLock.isHeld(folder.data + "/" + $0) })
        let present = Set(
            try read { db in try String.fetchAll(db, sql: "SELECT version FROM datasets") })
        for name in names {
            let version = String(name.prefix { $0 != "." })
            guard !present.contains(version), !held.contains(version + ".lock") else { continue }
            try? FileManager.default.removeItem(atPath: folder.data + "/" + name)
        }
    }
}
