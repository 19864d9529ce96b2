import GRDB

extension SiteStore {
    /// Schema 6: what becomes of requests while it happens, and tables that are being added.
    ///
    /// A request's last event says where it stands; of earlier ones the state is all that is known. `process` names the lock
    /// (``VersionLock``) of the process that computes it.
    static func addJobs(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE request_events (
                    request TEXT NOT NULL, position INTEGER NOT NULL, state TEXT NOT NULL,
                    step INTEGER NOT NULL, steps INTEGER NOT NULL, words TEXT, process TEXT, time INTEGER NOT NULL,
                    PRIMARY KEY (request, position)) WITHOUT ROWID;
                INSERT INTO request_events
                    SELECT id, 1, CASE state WHEN 'reserved' THEN 'running' ELSE state END, state = 'released', 1, reason,
                        NULL, created
                    FROM requests;
                CREATE TABLE additions (
                    number INTEGER PRIMARY KEY, version TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, dataset TEXT NOT NULL,
                    state TEXT NOT NULL, rows INTEGER NOT NULL, share REAL NOT NULL, begun INTEGER NOT NULL,
                    changed INTEGER NOT NULL);
                """)
    }
}
