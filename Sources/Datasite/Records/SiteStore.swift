import DatasiteProtocol
import GRDB
import Governance

/// The datasite's database: one SQLite file in WAL mode with full synchronisation.
struct SiteStore: Sendable {
    static let schemaVersion = 4

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
            try Self.migrate(db)
        }
    }

    private static func migrate(_ db: Database) throws {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard version <= schemaVersion else {
            throw Problem.unavailable(
                "the datasite was last used by a newer version (schema \(version), this one knows \(schemaVersion))",
                hint: "install the newer version")
        }
        guard version < schemaVersion else { return }
        try db.inTransaction(.immediate) {
            // Another process may have migrated while this one waited for the lock.
            let present = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            for schema in [firstSchema, secondSchema, thirdSchema, fourthSchema].dropFirst(present) {
                try db.execute(sql: schema)
            }
            if present < 4 { try nameUnits(db) }
            try db.execute(sql: "PRAGMA user_version = \(max(present, schemaVersion))")
            return .commit
        }
    }

    // Losses are integers in the units of `PrivacyLoss`. Spending lives in `populations`, `researcher_spending` and
    // `window_spending`; `requests` says by whom; `journal` says in which order, and `verify` compares the three.
    private static let firstSchema = """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
        CREATE TABLE users (
            name TEXT PRIMARY KEY, role TEXT NOT NULL, token BLOB NOT NULL UNIQUE, created INTEGER NOT NULL,
            revoked INTEGER) WITHOUT ROWID;
        CREATE TABLE populations (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit_is_row INTEGER NOT NULL,
            kind TEXT NOT NULL,
            conversion_delta REAL NOT NULL, selection_delta REAL NOT NULL,
            limit_amount INTEGER NOT NULL CHECK (limit_amount >= 0),
            limit_delta INTEGER NOT NULL CHECK (limit_delta >= 0),
            researcher_amount INTEGER, researcher_delta INTEGER,
            spent_amount INTEGER NOT NULL DEFAULT 0 CHECK (spent_amount >= 0),
            spent_delta INTEGER NOT NULL DEFAULT 0 CHECK (spent_delta >= 0),
            released INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE windows (
            population INTEGER NOT NULL REFERENCES populations, seconds INTEGER NOT NULL,
            limit_amount INTEGER NOT NULL, limit_delta INTEGER NOT NULL,
            PRIMARY KEY (population, seconds)) WITHOUT ROWID;
        CREATE TABLE window_spending (
            population INTEGER NOT NULL REFERENCES populations, seconds INTEGER NOT NULL, bucket INTEGER NOT NULL,
            amount INTEGER NOT NULL, delta INTEGER NOT NULL,
            PRIMARY KEY (population, seconds, bucket)) WITHOUT ROWID;
        CREATE TABLE researcher_spending (
            population INTEGER NOT NULL REFERENCES populations, researcher TEXT NOT NULL,
            amount INTEGER NOT NULL CHECK (amount >= 0), delta INTEGER NOT NULL CHECK (delta >= 0),
            PRIMARY KEY (population, researcher)) WITHOUT ROWID;
        CREATE TABLE lost_spending (
            tag INTEGER PRIMARY KEY, kind TEXT NOT NULL, amount INTEGER NOT NULL, delta INTEGER NOT NULL);
        CREATE TABLE datasets (
            name TEXT PRIMARY KEY, version TEXT NOT NULL, population INTEGER REFERENCES populations,
            manifest TEXT NOT NULL, policy TEXT, created INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE versions (
            id TEXT PRIMARY KEY, dataset TEXT NOT NULL, created INTEGER NOT NULL, removed INTEGER,
            description BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE requests (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, researcher TEXT NOT NULL, key TEXT, digest TEXT NOT NULL,
            dataset TEXT NOT NULL, version TEXT NOT NULL, second_version TEXT, body TEXT NOT NULL, kind TEXT NOT NULL,
            amount INTEGER NOT NULL CHECK (amount >= 0), delta INTEGER NOT NULL CHECK (delta >= 0),
            population INTEGER NOT NULL REFERENCES populations, second_population INTEGER REFERENCES populations,
            state TEXT NOT NULL, approvals_needed INTEGER NOT NULL, reason TEXT, created INTEGER NOT NULL,
            lost INTEGER NOT NULL DEFAULT 0, UNIQUE (researcher, key));
        CREATE INDEX requests_by_researcher ON requests (researcher, number);
        CREATE INDEX requests_pending ON requests (created) WHERE state = 'pending';
        CREATE TABLE approvals (
            request TEXT NOT NULL REFERENCES requests (id), owner TEXT NOT NULL, time INTEGER NOT NULL,
            PRIMARY KEY (request, owner)) WITHOUT ROWID;
        CREATE TABLE answers (
            request TEXT PRIMARY KEY REFERENCES requests (id), answer BLOB NOT NULL, receipt BLOB NOT NULL);
        CREATE TABLE journal (number INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash BLOB NOT NULL);
        INSERT INTO meta VALUES ('generation', 0), ('catalogue', 1);
        """
}

extension SiteStore {
    // A version's synthetic table: the request whose stored answer it is, and its first rows, for the catalogue.
    private static let secondSchema = """
        CREATE TABLE synthetic (
            version TEXT PRIMARY KEY, request TEXT NOT NULL REFERENCES requests (id), preview TEXT NOT NULL) WITHOUT ROWID;
        """
}

extension SiteStore {
    // When a population's total was raised last, in words for researchers.
    private static let thirdSchema = "ALTER TABLE populations ADD COLUMN raised TEXT;"
}

extension SiteStore {
    // The least charge, as a part of a population's total in units of 1e-12; the columns that name a population's units;
    // and windows without what is held, which counts in the window in which it is approved.
    private static let fourthSchema = """
        ALTER TABLE populations ADD COLUMN least_share INTEGER NOT NULL DEFAULT 100000000;
        CREATE TABLE population_units (
            population INTEGER NOT NULL REFERENCES populations, name TEXT NOT NULL,
            PRIMARY KEY (population, name)) WITHOUT ROWID;
        WITH held AS (
            SELECT w.population, w.seconds, w.bucket, sum(r.amount) AS amount, sum(r.delta) AS delta
            FROM window_spending w JOIN requests r ON w.population IN (r.population, r.second_population)
                AND r.created / ((w.seconds + 127) / 128) = w.bucket
            WHERE r.state = 'pending' GROUP BY 1, 2, 3)
        UPDATE window_spending SET amount = window_spending.amount - held.amount,
            delta = window_spending.delta - held.delta
        FROM held WHERE held.population = window_spending.population AND held.seconds = window_spending.seconds
            AND held.bucket = window_spending.bucket;
        """

    /// The names of the units of the datasets that there are: manifests hold them.
    private static func nameUnits(_ db: Database) throws {
        let rows = try Row.fetchAll(
            db, sql: "SELECT population, manifest FROM datasets WHERE population IS NOT NULL")
        for row in rows {
            guard let name = try ManifestDocument(row["manifest"], isStored: true).manifest.unitColumnName else {
                continue
            }
            try db.execute(
                sql: "INSERT OR IGNORE INTO population_units VALUES (?, ?)",
                arguments: [row["population"] as Int64, name])
        }
    }
}

/// Values of the table `meta`.
enum Meta {
    static func integer(_ db: Database, _ key: String) throws -> Int64 {
        try Int64.fetchOne(db.cachedStatement(sql: "SELECT value FROM meta WHERE key = ?"), arguments: [key]) ?? 0
    }

    static func text(_ db: Database, _ key: String) throws -> String? {
        try String.fetchOne(db.cachedStatement(sql: "SELECT value FROM meta WHERE key = ?"), arguments: [key])
    }

    static func set(_ db: Database, _ key: String, _ value: some DatabaseValueConvertible) throws {
        try db.cachedStatement(sql: "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value")
            .execute(arguments: [key, value])
    }

    /// Makes every process read users, datasets and policies again at its next request.
    static func catalogueChanged(_ db: Database) throws {
        try db.cachedStatement(sql: "UPDATE meta SET value = value + 1 WHERE key = 'catalogue'").execute()
    }
}
