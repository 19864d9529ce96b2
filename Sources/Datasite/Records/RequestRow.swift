import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance

/// A stored request.
struct RequestRow: Sendable {
    var id: String
    var researcher: String
    var digest: String
    var body: AskRequest
    var version: String
    var secondVersion: String?
    var loss: PrivacyLoss
    var populations: [Int64]
    var state: RequestState
    var approvalsNeeded: Int
    var reason: String?
    var created: Int64
    /// A restore lost what became of it: it stays charged and cannot be completed.
    var isLost: Bool
    var approvals: [String]

    /// Pending requests lapse after so many seconds.
    static let pendingLifetime: Int64 = 30 * 86_400

    private init?(_ row: Row, _ db: Database) throws {
        guard let kind = PrivacyLossKind(rawValue: row["kind"]), let state = RequestState(rawValue: row["state"]),
            let body = try? JSONDecoder().decode(AskRequest.self, from: Data((row["body"] as String).utf8))
        else { return nil }
        id = row["id"]
        researcher = row["researcher"]
        digest = row["digest"]
        self.body = body
        version = row["version"]
        secondVersion = row["second_version"]
        loss = PrivacyLoss(kind: kind, amount: row["amount"], delta: row["delta"])
        populations = [row["population"] as Int64?, row["second_population"] as Int64?].compactMap { $0 }
        self.state = state
        approvalsNeeded = row["approvals_needed"]
        reason = row["reason"]
        created = row["created"]
        isLost = row["lost"]
        approvals =
            approvalsNeeded == 0
            ? []
            : try String.fetchAll(
                db.cachedStatement(sql: "SELECT owner FROM approvals WHERE request = ? ORDER BY time, owner"),
                arguments: [id])
    }

    static func find(_ id: String, _ db: Database) throws -> RequestRow? {
        try Row.fetchOne(db.cachedStatement(sql: "SELECT * FROM requests WHERE id = ?"), arguments: [id])
            .flatMap { try RequestRow($0, db) }
    }

    static func find(researcher: String, key: String, _ db: Database) throws -> RequestRow? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT * FROM requests WHERE researcher = ? AND key = ?"),
            arguments: [researcher, key]
        ).flatMap { try RequestRow($0, db) }
    }

    /// The newest requests first: of one researcher or of all, in one state or in any, older than one or from now on.
    static func list(
        researcher: String?, state: RequestState?, before: String?, limit: Int, _ db: Database
    ) throws -> [RequestRow] {
        let conditions = [
            researcher.map { _ in "researcher = :researcher" }, state.map { _ in "state = :state" },
            before.map { _ in "number < (SELECT number FROM requests WHERE id = :before)" },
        ].compactMap(\.self)
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let values: [String: (any DatabaseValueConvertible)?] = [
            "researcher": researcher, "state": state?.rawValue, "before": before, "limit": limit,
        ]
        let rows = try Row.fetchAll(
            db, sql: "SELECT * FROM requests \(filter) ORDER BY number DESC LIMIT :limit",
            arguments: StatementArguments(values.compactMapValues(\.self)))
        return try rows.compactMap { try RequestRow($0, db) }
    }

    func summary(conversionDelta: Double) -> RequestSummary {
        RequestSummary(
            id: id, researcher: researcher, dataset: body.dataset, sql: body.sql,
            charge: LossWords.wire(loss, conversionDelta: conversionDelta), state: state.rawValue, approvals: approvals,
            approvalsNeeded: approvalsNeeded, reason: reason, created: Timestamp.text(created))
    }

    // MARK: - Changes of state

    /// Moves a request from one state to another, if it is still there and a restore did not lose what became of it.
    ///
    /// - Returns: whether it was.
    static func move(
        _ id: String, from: RequestState, to: RequestState, reason: String? = nil, _ db: Database
    ) throws -> Bool {
        guard from.successors.contains(to) else { return false }
        try db.cachedStatement(
            sql: "UPDATE requests SET state = ?, reason = coalesce(?, reason) WHERE id = ? AND state = ? AND lost = 0"
        ).execute(arguments: [to.rawValue, reason, id, from.rawValue])
        return db.changesCount == 1
    }

    /// Gives a pending request's charge back, journaled: no row was read for it.
    func giveBack(as state: RequestState, by actor: String, reason: String, in context: inout WriteContext) throws
        -> Bool
    {
        guard try Self.move(id, from: .pending, to: state, reason: reason, context.db) else { return false }
        for population in populations {
            try Ledger.giveBack(loss, population: population, researcher: researcher, in: context)
        }
        try context.journal(
            JournalEntry(
                action: state == .denied ? .denied : .lapsed, actor: actor, time: context.now, dataset: body.dataset,
                request: id, populations: populations, loss: loss, detail: reason))
        return true
    }

    /// Lapses what waited too long.
    static func lapseOld(in context: inout WriteContext) throws {
        let old = try String.fetchAll(
            context.db.cachedStatement(sql: "SELECT id FROM requests WHERE state = 'pending' AND created < ?"),
            arguments: [context.now - pendingLifetime])
        for id in old {
            _ = try find(id, context.db)?.giveBack(
                as: .lapsed, by: "datasite", reason: "nobody decided within 30 days", in: &context)
        }
    }

    /// Lapses everything that waits.
    static func lapseAll(reason: String, in context: inout WriteContext) throws {
        for id in try String.fetchAll(context.db, sql: "SELECT id FROM requests WHERE state = 'pending'") {
            _ = try find(id, context.db)?.giveBack(as: .lapsed, by: "datasite", reason: reason, in: &context)
        }
    }

    /// Lapses what was asked of a version that is gone.
    static func lapse(version: String, in context: inout WriteContext) throws {
        let ids = try String.fetchAll(
            context.db,
            sql: "SELECT id FROM requests WHERE state = 'pending' AND (version = ? OR second_version = ?)",
            arguments: [version, version])
        for id in ids {
            _ = try find(id, context.db)?.giveBack(
                as: .lapsed, by: "datasite", reason: "the dataset changed", in: &context)
        }
    }
}
