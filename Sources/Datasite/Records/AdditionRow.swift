import DatasiteProtocol
import GRDB

/// A table that is being added, or was: as it is stored. How far it is follows from rows, so that owners alone see it.
struct AdditionRow: Codable, FetchableRecord, PersistableRecord, Sendable {
    static let databaseTableName = "additions"

    /// The new version's name, whose lock tells whether the process that adds it still lives.
    var version: String
    var kind: JobSummary.Kind
    var dataset: String
    /// ``JobState``: running, done, failed or cancelled.
    var state: JobState
    /// Rows that were read.
    var rows = 0
    /// The part that is done, 0 to 1.
    var share = 0.0
    var begun: Int64
    var changed: Int64

    /// The newest first.
    static func list(onlyRunning: Bool, limit: Int, _ db: Database) throws -> [AdditionRow] {
        try AdditionRow.fetchAll(
            db,
            sql:
                "SELECT * FROM additions \(onlyRunning ? "WHERE state = 'running'" : "") ORDER BY number DESC LIMIT :limit",
            arguments: ["limit": limit])
    }

    static func find(_ version: String, _ db: Database) throws -> AdditionRow? {
        try AdditionRow.fetchOne(
            db, sql: "SELECT * FROM additions WHERE version = :version", arguments: ["version": version])
    }

    /// Ends one that still runs; whether it did.
    static func end(_ version: String, as state: JobState, in context: WriteContext) throws -> Bool {
        try context.db.execute(
            sql: "UPDATE additions SET state = :state, changed = :now WHERE version = :version AND state = 'running'",
            arguments: ["state": state.rawValue, "now": context.now, "version": version])
        return context.db.changesCount == 1
    }

    /// Says how far one is that still runs; whether it does.
    static func note(_ version: String, rows: Int, share: Double, in context: WriteContext) throws -> Bool {
        try context.db.execute(
            sql: """
                UPDATE additions SET rows = :rows, share = :share, changed = :now
                WHERE version = :version AND state = 'running'
                """, arguments: ["rows": rows, "share": share, "now": context.now, "version": version])
        return context.db.changesCount == 1
    }

    /// Cancels one that still runs, journaled: it then adds nothing.
    static func cancel(_ addition: AdditionRow, by actor: String, in context: inout WriteContext) throws -> Bool {
        guard try end(addition.version, as: .cancelled, in: context) else { return false }
        try context.journal(
            JournalEntry(
                action: .cancelled, actor: actor, time: context.now, dataset: addition.dataset,
                detail: "the addition of rows to \(addition.dataset)"))
        return true
    }

    func summary(isAlive: Bool) -> JobSummary {
        JobSummary(
            id: version, kind: kind, who: Datasite.localOwner.name, dataset: dataset, words: "",
            state: state == .running && !isAlive ? .interrupted : state, step: state == .done ? 1 : 0, steps: 1,
            rowsRead: rows, share: share, begun: Timestamp.text(begun), changed: Timestamp.text(changed))
    }
}
