import DatasiteProtocol
import GRDB

/// An event of a request, as it is stored: the last says where the request stands.
struct RequestEventRow: Sendable {
    let event: RequestEvent
    /// The lock of the process that computes it.
    let process: String?

    private init?(_ row: Row) {
        guard let state = JobState(rawValue: row["state"]) else { return nil }
        event = RequestEvent(
            request: row["request"], number: row["position"], state: state, step: row["step"], steps: row["steps"],
            words: row["words"], time: Timestamp.text(row["time"]))
        process = row["process"]
    }

    /// Those after that number, in order.
    static func list(of request: String, after number: Int, _ db: Database) throws -> [RequestEventRow] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT * FROM request_events WHERE request = :request AND position > :number ORDER BY position"),
            arguments: ["request": request, "number": number]
        ).compactMap(RequestEventRow.init)
    }

    static func last(of request: String, _ db: Database) throws -> RequestEventRow? {
        try Row.fetchOne(
            db.cachedStatement(
                sql: "SELECT * FROM request_events WHERE request = :request ORDER BY position DESC LIMIT 1"),
            arguments: ["request": request]
        ).flatMap(RequestEventRow.init)
    }

    /// Adds an event to a request that exists.
    ///
    /// - Parameter steps: nil: as many as its events said before.
    static func append(
        _ state: JobState, to request: String, step: Int = 0, of steps: Int? = nil, words: String? = nil,
        process: String? = nil, in context: WriteContext
    ) throws {
        try context.db.cachedStatement(
            sql: """
                INSERT INTO request_events
                SELECT :request, coalesce(max(position), 0) + 1, :state, :step, coalesce(:steps, max(steps), 1), :words, :process, :time
                FROM request_events WHERE request = :request
                """
        ).execute(arguments: [
            "request": request, "state": state.rawValue, "step": step, "steps": steps, "words": words,
            "process": process, "time": context.now,
        ])
    }

    /// Says that so many steps are done of a request that is still being computed.
    static func appendStep(
        _ step: Int, to request: String, steps: [WorkStep], process: String?, in context: WriteContext
    ) throws {
        guard try isReserved(request, context.db) else { return }
        try append(
            .running, to: request, step: step, of: steps.count, words: step < steps.count ? steps[step].words : nil,
            process: process, in: context)
    }

    /// Says that nobody computes a request that has no answer yet, if that state is the last that was told.
    ///
    /// - Returns: Whether it was.
    static func appendFailure(
        to request: String, after state: JobState = .running, words: String? = nil, in context: WriteContext
    ) throws -> Bool {
        guard try isReserved(request, context.db), let last = try last(of: request, context.db)?.event,
            last.state == state
        else { return false }
        try append(.failed, to: request, step: last.step, of: last.steps, words: words, in: context)
        return true
    }

    static func isReserved(_ request: String, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT 1 FROM requests WHERE id = :request AND state = 'reserved'"),
            arguments: ["request": request]) ?? false
    }
}
