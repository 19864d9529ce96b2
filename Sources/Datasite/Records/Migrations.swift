import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance

/// The database's schema as it grew: each version's folder opens in every later one (`StoredSiteTests`).
extension SiteStore {
    /// Whether the schema is this version's, complete.
    static func isPresent(_ db: Database) throws -> Bool {
        try migrator.hasCompletedMigrations(db) && !migrator.hasBeenSuperseded(db)
    }

    static func migrate(_ pool: DatabasePool) throws {
        let isPresent = try pool.writeWithoutTransaction { db in
            let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard try version <= latest && !migrator.hasBeenSuperseded(db) else { throw newer }
            return try self.isPresent(db)
        }
        guard !isPresent else { return }
        try pool.writeWithoutTransaction(adopt)
        do { try migrator.migrate(pool) } catch {
            // Another process may have migrated it at the same time.
            guard try pool.read(self.isPresent) else { throw error }
        }
    }

    private static let latest = 7

    private static let newer = Problem.unavailable(
        "the datasite was last used by a newer version", hint: "install the newer version")

    /// Schemas 1 to 4 counted themselves in `user_version`: the migrator is told of them.
    private static func adopt(_ db: Database) throws {
        try db.inTransaction(.immediate) {
            let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard (1...4).contains(version), try !db.tableExists("grdb_migrations") else { return .commit }
            try db.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
            for schema in 1...version {
                try db.execute(
                    sql: "INSERT INTO grdb_migrations VALUES (:schema)", arguments: ["schema": "schema \(schema)"])
            }
            return .commit
        }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for (index, schema) in [firstSchema, secondSchema, thirdSchema].enumerated() {
            migrator.registerMigration("schema \(index + 1)") { db in try db.execute(sql: schema) }
        }
        migrator.registerMigration("schema 4") { db in
            try db.execute(sql: fourthSchema)
            try nameUnits(db)
        }
        migrator.registerMigration("schema 5") { db in
            try db.execute(sql: fifthSchema)
            try nameSyntheticRequests(db)
        }
        // Amounts of losses are text where they are several (``PrivacyLoss/storedAmounts``): an earlier program must not read it.
        migrator.registerMigration("schema 6") { db in
            try addJobs(db)
            try db.execute(sql: "PRAGMA user_version = 6")
        }
        migrator.registerMigration("schema 7") { db in
            try db.execute(sql: seventhSchema)
            // What earlier programs look at, so that they do not open what they cannot read.
            try db.execute(sql: "PRAGMA user_version = \(latest)")
        }
        return migrator
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

    // A version's synthetic table: the request whose stored answer it is, and its first rows, for the catalogue.
    private static let secondSchema = """
        CREATE TABLE synthetic (
            version TEXT PRIMARY KEY, request TEXT NOT NULL REFERENCES requests (id), preview TEXT NOT NULL) WITHOUT ROWID;
        """

    // When a population's total was raised last, in words for researchers.
    private static let thirdSchema = "ALTER TABLE populations ADD COLUMN raised TEXT;"

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
                sql: "INSERT OR IGNORE INTO population_units VALUES (:population, :name)",
                arguments: ["population": row["population"] as Int64, "name": name])
        }
    }

    // Requests of any kind of work, on any number of datasets, charged by loss, uses or both.
    private static let fifthSchema = """
        CREATE TABLE request_assets (
            request TEXT NOT NULL REFERENCES requests (id), position INTEGER NOT NULL, dataset TEXT NOT NULL,
            version TEXT NOT NULL, population INTEGER REFERENCES populations, PRIMARY KEY (request, position)) WITHOUT ROWID;
        INSERT INTO request_assets SELECT id, 0, dataset, version, population FROM requests;
        INSERT INTO request_assets
            SELECT r.id, 1, v.dataset, v.id, coalesce(r.second_population, r.population)
            FROM requests r JOIN versions v ON v.id = r.second_version;
        CREATE INDEX request_assets_by_version ON request_assets (version);
        CREATE TABLE uses (
            dataset TEXT NOT NULL, engine TEXT NOT NULL, asker TEXT NOT NULL,
            uses INTEGER NOT NULL CHECK (uses >= 0), PRIMARY KEY (dataset, engine, asker)) WITHOUT ROWID;
        CREATE TABLE requests_5 (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, engine TEXT NOT NULL, researcher TEXT NOT NULL, key TEXT,
            digest TEXT NOT NULL, purpose TEXT, body TEXT NOT NULL, kind TEXT,
            amount INTEGER NOT NULL CHECK (amount >= 0), delta INTEGER NOT NULL CHECK (delta >= 0),
            uses INTEGER NOT NULL DEFAULT 0 CHECK (uses >= 0),
            state TEXT NOT NULL, approvals_needed INTEGER NOT NULL, reason TEXT, created INTEGER NOT NULL,
            lost INTEGER NOT NULL DEFAULT 0, UNIQUE (researcher, key));
        INSERT INTO requests_5
            SELECT number, id, 'questions', researcher, key, digest, NULL, body, kind, amount, delta, 0, state,
                approvals_needed, reason, created, lost
            FROM requests;
        DROP TABLE requests;
        ALTER TABLE requests_5 RENAME TO requests;
        CREATE INDEX requests_by_researcher ON requests (researcher, number);
        CREATE INDEX requests_pending ON requests (created) WHERE state = 'pending';
        """

    // Bodies that lists do not read; what was told of a label, by asker; which models had their final evaluation.
    private static let seventhSchema = """
        CREATE TABLE large_bodies (request TEXT PRIMARY KEY, body TEXT NOT NULL, words TEXT NOT NULL);
        CREATE TABLE ladders (
            version TEXT NOT NULL, label TEXT NOT NULL, asker TEXT NOT NULL, best INTEGER NOT NULL,
            evaluations INTEGER NOT NULL, PRIMARY KEY (version, label, asker)) WITHOUT ROWID;
        CREATE TABLE final_evaluations (request TEXT PRIMARY KEY, dataset TEXT NOT NULL, model TEXT NOT NULL);
        CREATE INDEX final_evaluations_by_model ON final_evaluations (dataset, model);
        """

    /// Synthetic tables were stored as made-up SQL of the owner's: they become requests of their own engine, so that one
    /// that was cut short is completed as what it is.
    private static func nameSyntheticRequests(_ db: Database) throws {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT r.id, r.body, r.state, a.version FROM requests r JOIN request_assets a ON a.request = r.id
                WHERE a.position = 0 AND r.researcher = :owner AND r.key IS NULL
                """, arguments: ["owner": Datasite.localOwner.name])
        for row in rows {
            let old = try JSONDecoder().decode(AskRequest.self, from: Data((row["body"] as String).utf8))
            guard let request = SynthesisRequest(wordsOf: old) else { continue }
            let body = try request.body
            try db.execute(
                sql: "UPDATE requests SET engine = :engine, body = :body WHERE id = :id",
                arguments: [
                    "engine": SynthesisWork.engine.rawValue, "body": String(decoding: body, as: UTF8.self),
                    "id": row["id"] as String,
                ])
            // What was released has its digest in its receipt.
            guard row["state"] == RequestState.reserved.rawValue else { continue }
            try db.execute(
                sql: "UPDATE requests SET digest = :digest WHERE id = :id",
                arguments: ["digest": SynthesisWork.digest(body, version: row["version"]), "id": row["id"] as String])
        }
    }
}

extension SynthesisRequest {
    /// From the made-up SQL of schemas 2 to 4: `SYNTHETIC TABLE OF name, 40 rows, 2 rows of a unit, columns a, b`.
    fileprivate init?(wordsOf request: AskRequest) {
        guard let match = request.sql.wholeMatch(of: Self.words) else { return nil }
        self.init(
            dataset: request.dataset, budget: request.budget,
            rows: match.1.flatMap { Int($0) }, rowsPerUnit: match.2.flatMap { Int($0) },
            columns: match.3.map { $0.split(separator: ", ").map(String.init) })
    }

    private static var words: Regex<(Substring, Substring?, Substring?, Substring?)> {
        #/SYNTHETIC TABLE OF [^,]*(?:, (\d+) rows)?(?:, (\d+) rows of a unit)?(?:, columns (.*))?/#
    }
}
