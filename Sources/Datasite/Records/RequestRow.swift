import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance

/// A stored request.
struct RequestRow: Sendable {
    /// A dataset that it reads: the private ones in the order of its work's assets: the one that was asked is not always the first
    /// of a join, but the first of that name.
    struct Asset: Sendable, Equatable {
        var dataset: String
        var version: String
        var population: Int64?
    }

    var id: String
    var engine: EngineName
    /// Who asked: a researcher, or an owner for work of her own.
    var researcher: String
    var key: String?
    var digest: String
    var purpose: String?
    /// The engine's own form of the request.
    var body: [UInt8]
    var assets: [Asset]
    /// The public lookup tables that it joins, which have no population; none of what was stored before they were recorded.
    var lookups: [Asset] = []
    var charge: Charge
    var state: RequestState
    var approvalsNeeded: Int
    var reason: String?
    var created: Int64
    /// A restore lost what became of it: it stays charged and cannot be completed.
    var isLost = false
    /// Whether its charge is held or stays: not of what was denied, lapsed, or withdrawn before it was approved.
    var isCharged = true
    var approvals: [String] = []
    /// What was asked, where that is known without the body: of a large one always.
    var words: String?

    /// Bodies of more bytes are stored apart, so that lists of requests read none of them.
    static let largestBody = 64 << 10

    /// Pending requests lapse after so many seconds.
    static let pendingLifetime: Int64 = 30 * 86_400

    /// The dataset that was asked.
    var asked: Asset { assets.first ?? Asset(dataset: "", version: "", population: nil) }

    /// The populations whose ledgers it draws on, once each.
    var populations: [Int64] {
        assets.compactMap(\.population).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// What it costs, for people.
    func chargeWords(_ db: Database) throws -> String {
        let population = try populations.first.flatMap { try PopulationRow.find($0, db) }
        return charge.words(in: .epsilon, population.map { QuestionSize(regime: $0.regime) })
    }

    /// What a caller is told who wants the answer of a request that an owner, or time, decided against.
    func notDecided(hint: String) -> Problem {
        .notAllowed(
            "the request was \(state == .denied ? "denied" : "not decided")" + (reason.map { ": \($0)" } ?? ""),
            hint: hint)
    }

    /// What a caller is told who wants the answer of a request that was cancelled.
    var cancelled: Problem {
        .conflict(
            "the request was cancelled" + (reason.map { ": \($0)" } ?? ""),
            hint: key.map { _ in "whoever asked may ask again, with a new idempotency key" })
    }

    func summary(words: String, conversionDelta: Double) -> RequestSummary {
        RequestSummary(
            id: id, researcher: researcher, dataset: asked.dataset, sql: words,
            charge: charge.wire(conversionDelta: conversionDelta), state: state.rawValue, approvals: approvals,
            approvalsNeeded: approvalsNeeded, reason: reason, created: Timestamp.text(created),
            engine: engine.rawValue, purpose: purpose, isCharged: isCharged)
    }
}

// MARK: - Reading and writing

extension RequestRow {
    /// The condition, on a row of `requests`, that it is charged for good: one that was cancelled is where its events say
    /// that it was more than held.
    static let isSpent = """
        (state IN ('reserved', 'released') OR (state = 'cancelled' AND EXISTS (
            SELECT 1 FROM request_events
            WHERE request = requests.id AND request_events.state NOT IN ('pending', 'cancelled'))))
        """

    /// Whether a request is such, and each dataset that it reads is there, and such.
    ///
    /// - Parameters:
    ///   - condition: On a row of `requests`.
    ///   - datasets: On a row d of `datasets`, beside the row a of `request_assets` that names it.
    static func holds(_ id: String, condition: String, datasets: String, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT 1 FROM requests WHERE id = :id AND \(condition) AND NOT EXISTS (
                        SELECT 1 FROM request_assets a WHERE a.request = requests.id AND NOT EXISTS (
                            SELECT 1 FROM datasets d WHERE d.name = a.dataset AND \(datasets)))
                    """), arguments: ["id": id]) ?? false
    }

    /// - Parameter isWhole: Whether a large body is read too.
    private init?(_ row: Row, _ db: Database, isWhole: Bool) throws {
        guard let state = RequestState(rawValue: row["state"]) else { return nil }
        let kind = (row["kind"] as String?).flatMap(PrivacyLossKind.init(rawValue:))
        id = row["id"]
        engine = EngineName(rawValue: row["engine"])
        researcher = row["researcher"]
        key = row["key"]
        digest = row["digest"]
        purpose = row["purpose"]
        body = Array((row["body"] as String).utf8)
        if body.isEmpty {
            let column = isWhole ? "body" : "''"
            let large = try Row.fetchOne(
                db.cachedStatement(sql: "SELECT \(column), words FROM large_bodies WHERE request = :id"),
                arguments: ["id": id])
            if let large { (body, words) = (Array((large[0] as String).utf8), large[1]) }
        }
        charge = Charge(
            loss: try kind.map { try row.loss($0) }, uses: row["uses"])
        self.state = state
        approvalsNeeded = row["approvals_needed"]
        reason = row["reason"]
        created = row["created"]
        isLost = row["lost"]
        isCharged = [.pending, .reserved, .released].contains(state)
        if state == .cancelled {
            let spent = try db.cachedStatement(sql: "SELECT \(Self.isSpent) FROM requests WHERE id = :id")
            isCharged = try Bool.fetchOne(spent, arguments: ["id": id]) ?? false
        }
        let read = try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT dataset, version, population FROM request_assets WHERE request = :id ORDER BY position"),
            arguments: ["id": id]
        ).map { Asset(dataset: $0["dataset"], version: $0["version"], population: $0["population"]) }
        (assets, lookups) = (read.filter { $0.population != nil }, read.filter { $0.population == nil })
        approvals =
            approvalsNeeded == 0
            ? []
            : try String.fetchAll(
                db.cachedStatement(sql: "SELECT owner FROM approvals WHERE request = :id ORDER BY time, owner"),
                arguments: ["id": id])
    }

    func insert(_ db: Database) throws {
        let isLarge = body.count > Self.largestBody
        try db.cachedStatement(
            sql: """
                INSERT INTO requests (id, engine, researcher, key, digest, purpose, body, kind, amount, delta, uses, state,
                    approvals_needed, created)
                VALUES (:id, :engine, :researcher, :key, :digest, :purpose, :body, :kind, :amount, :delta, :uses, :state,
                    :approvals, :created)
                """
        ).execute(arguments: [
            "id": id, "engine": engine.rawValue, "researcher": researcher, "key": key, "digest": digest,
            "purpose": purpose, "body": isLarge ? "" : String(decoding: body, as: UTF8.self),
            "kind": charge.loss?.kind.rawValue,
            "amount": charge.loss?.storedAmounts ?? 0.databaseValue, "delta": charge.loss?.delta ?? 0,
            "uses": charge.uses,
            "state": state.rawValue, "approvals": approvalsNeeded, "created": created,
        ])
        if isLarge {
            try db.cachedStatement(sql: "INSERT INTO large_bodies VALUES (:request, :body, :words)").execute(
                arguments: [
                    "request": id, "body": String(decoding: body, as: UTF8.self),
                    "words": words ?? "",
                ])
        }
        let asset = try db.cachedStatement(
            sql: "INSERT INTO request_assets VALUES (:request, :position, :dataset, :version, :population)")
        for (position, used) in (assets + lookups).enumerated() {
            try asset.execute(arguments: [
                "request": id, "position": position, "dataset": used.dataset, "version": used.version,
                "population": used.population,
            ])
        }
    }

    private static func first(
        _ condition: String, _ arguments: StatementArguments, _ db: Database
    ) throws -> RequestRow? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT * FROM requests WHERE \(condition) ORDER BY number LIMIT 1"),
            arguments: arguments
        ).flatMap { try RequestRow($0, db, isWhole: true) }
    }

    static func find(_ id: String, _ db: Database) throws -> RequestRow? {
        try first("id = :id", ["id": id], db)
    }

    static func find(researcher: String, key: String, _ db: Database) throws -> RequestRow? {
        try first("researcher = :researcher AND key = :key", ["researcher": researcher, "key": key], db)
    }

    /// The id of the same request by the same asker that was charged, has no answer, and was not lost.
    static func findReserved(by asker: String, digest: String, version: String, _ db: Database) throws -> String? {
        let row = try first(
            "researcher = :asker AND digest = :digest AND state = 'reserved' AND lost = 0",
            ["asker": asker, "digest": digest], db)
        return row.flatMap { $0.asked.version == version ? $0.id : nil }
    }

    /// The newest requests first: of one researcher or of all, in one state or in any, older than one or from now on. Of those with a large body, the body is empty.
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
        return try rows.compactMap { try RequestRow($0, db, isWhole: false) }
    }
}

extension RequestRow {
    /// Reserved requests whose last event is of that state, the newest first.
    static func reserved(whoseLastIs last: JobState, limit: Int, _ db: Database) throws -> [RequestRow] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT * FROM requests WHERE state = 'reserved' AND (
                    SELECT e.state FROM request_events AS e WHERE e.request = requests.id ORDER BY e.position DESC LIMIT 1
                ) = :last ORDER BY number DESC LIMIT :limit
                """, arguments: ["last": last.rawValue, "limit": limit])
        return try rows.compactMap { try RequestRow($0, db, isWhole: false) }
    }
}

// MARK: - Changes of state

extension RequestRow {
    /// Moves a request from one state to another, if it is still there and a restore did not lose what became of it.
    ///
    /// - Returns: whether it was.
    static func move(
        _ id: String, from: RequestState, to: RequestState, reason: String? = nil, _ db: Database
    ) throws -> Bool {
        guard from.successors.contains(to) else { return false }
        try db.cachedStatement(
            sql: """
                UPDATE requests SET state = :to, reason = coalesce(:reason, reason)
                WHERE id = :id AND state = :from AND lost = 0
                """
        ).execute(arguments: ["to": to.rawValue, "reason": reason, "id": id, "from": from.rawValue])
        return db.changesCount == 1
    }

    /// Gives a pending request's charge back, journaled: no row was read for it.
    func giveBack(as state: RequestState, by actor: String, reason: String, in context: inout WriteContext) throws
        -> Bool
    {
        guard try Self.move(id, from: .pending, to: state, reason: reason, context.db) else { return false }
        if let loss = charge.loss {
            for population in populations {
                try Ledger.giveBack(loss, population: population, researcher: researcher, in: context)
            }
        }
        for asset in assets where charge.uses > 0 {
            try UseLedger.giveBack(charge.uses, of: asset.dataset, engine: engine, by: researcher, in: context.db)
        }
        try context.journal(
            JournalEntry(
                action: state == .denied ? .denied : state == .cancelled ? .cancelled : .lapsed, actor: actor,
                time: context.now, dataset: asked.dataset,
                request: id, populations: populations, loss: charge.loss, uses: charge.uses,
                engine: engine.rawValue, assets: assets.map(\.dataset), detail: reason))
        guard let told = JobState(rawValue: state.rawValue) else { return true }
        try RequestEventRow.append(told, to: id, words: reason, in: context)
        return true
    }

    /// Lapses what waited too long.
    static func lapseOld(in context: inout WriteContext) throws {
        let old = try String.fetchAll(
            context.db.cachedStatement(sql: "SELECT id FROM requests WHERE state = 'pending' AND created < :oldest"),
            arguments: ["oldest": context.now - pendingLifetime])
        try lapse(old, reason: "nobody decided within 30 days", in: &context)
    }

    /// Lapses everything that waits.
    static func lapseAll(reason: String, in context: inout WriteContext) throws {
        let ids = try String.fetchAll(context.db, sql: "SELECT id FROM requests WHERE state = 'pending'")
        try lapse(ids, reason: reason, in: &context)
    }

    /// Lapses what was asked of a version that is gone, of a lookup table too.
    static func lapse(version: String, of dataset: String, in context: inout WriteContext) throws {
        let ids = try String.fetchAll(
            context.db,
            sql: """
                SELECT id FROM requests WHERE state = 'pending'
                    AND id IN (SELECT request FROM request_assets WHERE version = :version)
                """,
            arguments: ["version": version])
        try lapse(ids, reason: "\(dataset), which it reads, changed", in: &context)
    }

    private static func lapse(_ ids: [String], reason: String, in context: inout WriteContext) throws {
        for id in ids {
            _ = try find(id, context.db)?.giveBack(as: .lapsed, by: "datasite", reason: reason, in: &context)
        }
    }
}

/// A released answer and its receipt, as they are stored.
struct AnswerRow: Codable, FetchableRecord, PersistableRecord, Sendable {
    static let databaseTableName = "answers"

    var request: String
    var answer: Data
    var receipt: Data

    static func find(_ request: String, _ db: Database) throws -> AnswerRow? {
        try AnswerRow.fetchOne(
            db.cachedStatement(sql: "SELECT * FROM answers WHERE request = :request"), arguments: ["request": request])
    }
}

/// A user as she is stored.
enum UserRow {
    /// Whether there is such a user, in that role and not revoked.
    static func has(_ identity: Identity, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(
                sql: "SELECT 1 FROM users WHERE name = :name AND role = :role AND revoked IS NULL"),
            arguments: ["name": identity.name, "role": identity.role.rawValue]) ?? false
    }
}
