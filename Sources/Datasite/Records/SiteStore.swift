import DatasiteProtocol
import GRDB
import Governance

/// The datasite's database: one SQLite file in WAL mode with full synchronisation.
struct SiteStore: Sendable {
    let pool: DatabasePool
    let file: DatabaseFile

    init(path: String, maximumPages: Int? = nil) throws {
        var configuration = Configuration()
        // Writers of other processes hold the lock for milliseconds; waiting is right, failing is not.
        configuration.busyMode = .timeout(20)
        configuration.maximumReaderCount = 4
        configuration.label = "datasite"
        configuration.prepareDatabase { db in
            if let maximumPages { try db.execute(sql: "PRAGMA max_page_count = \(maximumPages)") }
        }
        var opened: DatabasePool?
        file = try DatabaseFile(path: path) { opened = try DatabasePool(path: path, configuration: configuration) }
        guard let opened else { throw DatabaseFile.problem }
        pool = opened
        try pool.writeWithoutTransaction { db in
            // The pool chooses NORMAL when it opens in WAL mode, which a power failure can undo: a reservation is a
            // promise, so it is synchronised at each commit.
            try db.execute(sql: "PRAGMA synchronous = FULL")
        }
        try Self.migrate(pool)
    }
}

/// Values of the table `meta`.
enum Meta {
    private static let reading = "SELECT value FROM meta WHERE key = :key"

    static func integer(_ db: Database, _ key: String) throws -> Int64 {
        try Int64.fetchOne(db.cachedStatement(sql: reading), arguments: ["key": key]) ?? 0
    }

    static func text(_ db: Database, _ key: String) throws -> String? {
        try String.fetchOne(db.cachedStatement(sql: reading), arguments: ["key": key])
    }

    static func set(_ db: Database, _ key: String, _ value: some DatabaseValueConvertible) throws {
        try db.cachedStatement(
            sql: "INSERT INTO meta VALUES (:key, :value) ON CONFLICT DO UPDATE SET value = excluded.value"
        ).execute(arguments: ["key": key, "value": value])
    }

    /// Makes every process read users, datasets and policies again at its next request.
    static func catalogueChanged(_ db: Database) throws {
        try db.cachedStatement(sql: "UPDATE meta SET value = value + 1 WHERE key = 'catalogue'").execute()
    }
}
