import DifferentialPrivacy
import GRDB
import Governance
import Query

/// A population's limits and spending, as stored.
struct PopulationRow: Sendable {
    var id: Int64
    var name: String
    /// Whether its units are single rows.
    var unitIsRow: Bool
    var kind: PrivacyLossKind
    var conversionDelta: Double
    var selectionDelta: Double
    var limit: PrivacyLoss
    var researcherLimit: PrivacyLoss?
    /// What a question is charged at least, as a part of the limit.
    var leastShare: Int64
    var spent: PrivacyLoss
    /// Whether an answer was released: from then on kind and delta are fixed.
    var released: Bool
    /// When the limit was raised last, in words for researchers; nil if it never was.
    var raised: String?

    init(_ row: Row) throws {
        id = row["id"]
        name = row["name"]
        unitIsRow = row["unit_is_row"]
        kind = PrivacyLossKind(rawValue: row["kind"]) ?? .zeroConcentrated
        conversionDelta = row["conversion_delta"]
        selectionDelta = row["selection_delta"]
        limit = PrivacyLoss(kind: kind, amount: row["limit_amount"], delta: row["limit_delta"])
        if let amount = row["researcher_amount"] as Int64? {
            researcherLimit = PrivacyLoss(kind: kind, amount: amount, delta: row["researcher_delta"] ?? 0)
        }
        leastShare = row["least_share"]
        spent = PrivacyLoss(kind: kind, amount: row["spent_amount"], delta: row["spent_delta"])
        released = row["released"]
        raised = row["raised"]
    }

    static func named(_ name: String, _ db: Database) throws -> PopulationRow? {
        try Row.fetchOne(db, sql: "SELECT * FROM populations WHERE name = ?", arguments: [name]).map(PopulationRow.init)
    }

    static func find(_ id: Int64, _ db: Database) throws -> PopulationRow? {
        try Row.fetchOne(db, sql: "SELECT * FROM populations WHERE id = ?", arguments: [id]).map(PopulationRow.init)
    }

    static func all(_ db: Database) throws -> [PopulationRow] {
        try Row.fetchAll(db, sql: "SELECT * FROM populations ORDER BY name").map(PopulationRow.init)
    }

    func windows(_ db: Database) throws -> [Policy.Window] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT seconds, limit_amount, limit_delta FROM windows WHERE population = ? ORDER BY seconds"),
            arguments: [id]
        ).map { Policy.Window(seconds: $0[0], limit: PrivacyLoss(kind: kind, amount: $0[1], delta: $0[2])) }
    }
}

extension PopulationRow {
    /// Puts a policy's limits into a population's ledger, made if it is new; what was spent stays. Returns its id.
    ///
    /// - Parameter unitColumn: The column that names the unit; nil where each row is one.
    /// - Throws: A problem if the unit of privacy, the unit of loss or delta would change after the first release, or if
    ///   the limits differ from those of another dataset about the same people while `mayChange` is false.
    static func establish(
        _ name: String, policy: Policy, unitColumn: String?, mayChange: Bool, actor: String,
        in context: inout WriteContext
    ) throws -> Int64 {
        let db = context.db
        guard let present = try named(name, db) else {
            return try create(name, policy: policy, unitColumn: unitColumn, in: &context)
        }
        let sameLoss =
            present.kind == policy.regime.kind && present.conversionDelta == policy.regime.conversionDelta
            && present.selectionDelta == policy.regime.selectionDelta
        guard present.unitIsRow == (unitColumn == nil) else {
            throw ManifestError.problem(
                "the population \(name) is made of \(present.unitIsRow ? "rows" : "units that a column names")",
                hint: "give another population a name of its own")
        }
        if let unitColumn { try present.takeUnit(unitColumn, isAlone: mayChange, db) }
        guard sameLoss || !present.hasSpent else {
            throw ManifestError.problem(
                "the population \(name) has spent budget: its unit of loss and delta cannot change any more",
                hint: "keep `loss` and `delta` as they were")
        }
        let windows = try present.windows(db)
        let sameLimits =
            sameLoss && present.limit == policy.total && present.researcherLimit == policy.perResearcher
            && present.leastShare == policy.leastShare && Set(windows) == Set(policy.windows)
        guard !sameLimits else { return present.id }
        guard mayChange else {
            throw ManifestError.problem(
                "another dataset about the population \(name) has other limits: one population has one budget",
                hint:
                    "give both the same total, per-researcher, least-share and windows, or change them with `parley data policy`"
            )
        }
        try present.write(policy, windowsChanged: Set(windows) != Set(policy.windows), in: context)
        let raised = policy.total.amount > present.limit.amount || policy.total.delta > present.limit.delta
        var change = "total \(LossWords.text(present.limit)) became \(LossWords.text(policy.total))"
        if present.leastShare != policy.leastShare {
            change += ", a question costs at least \(LossWords.text(policy.leastCharge))"
        }
        if raised {
            try db.execute(
                sql: "UPDATE populations SET raised = ? WHERE id = ?",
                arguments: ["\(Timestamp.text(context.now)): \(change)", present.id])
        }
        try context.journal(
            JournalEntry(
                action: raised ? .budgetRaised : .policyChanged, actor: actor, time: context.now,
                detail: "population \(name): \(change)"))
        return present.id
    }

    /// From then on the units of privacy and of loss, and delta, are fixed.
    private var hasSpent: Bool { released || spent.amount > 0 }

    /// The columns that name its units, in whichever of its tables, belong to the population: under another name its people
    /// could come back as other units (visits instead of persons) on a ledger that counts the first.
    private func takeUnit(_ column: String, isAlone: Bool, _ db: Database) throws {
        let known = try String.fetchAll(
            db, sql: "SELECT name FROM population_units WHERE population = ? ORDER BY name", arguments: [id])
        guard !known.contains(column) else { return }
        if hasSpent, !known.isEmpty {
            throw ManifestError.problem(
                "the population \(name) has spent budget, and its units are named by the column "
                    + "\(known.joined(separator: " or ")), not by \(column)",
                hint: "the same people keep the column's name; other units are another population")
        }
        if isAlone { try db.execute(sql: "DELETE FROM population_units WHERE population = ?", arguments: [id]) }
        try db.execute(sql: "INSERT INTO population_units VALUES (?, ?)", arguments: [id, column])
    }

    private static func create(
        _ name: String, policy: Policy, unitColumn: String?, in context: inout WriteContext
    ) throws -> Int64 {
        let db = context.db
        try db.execute(
            sql: """
                INSERT INTO populations (name, unit_is_row, kind, conversion_delta, selection_delta, limit_amount, limit_delta,
                    researcher_amount, researcher_delta, least_share) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                name, unitColumn == nil, policy.regime.kind.rawValue, policy.regime.conversionDelta,
                policy.regime.selectionDelta,
                policy.total.amount, policy.total.delta, policy.perResearcher?.amount, policy.perResearcher?.delta,
                policy.leastShare,
            ])
        let id = db.lastInsertedRowID
        if let unitColumn {
            try db.execute(sql: "INSERT INTO population_units VALUES (?, ?)", arguments: [id, unitColumn])
        }
        try writeWindows(policy, population: id, in: context)
        try chargeLostSpending(name, population: id, policy: policy, in: &context)
        return id
    }

    /// What a restore lost of a population that the restored database did not know.
    private static func chargeLostSpending(
        _ name: String, population: Int64, policy: Policy, in context: inout WriteContext
    ) throws {
        let db = context.db
        let tag = GenerationFile.Record.Spent.tag(name)
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM lost_spending WHERE tag = ?", arguments: [tag]) else {
            return
        }
        let sameKind = row["kind"] == policy.regime.kind.rawValue
        let lost =
            sameKind ? PrivacyLoss(kind: policy.regime.kind, amount: row["amount"], delta: row["delta"]) : policy.total
        try Restore.charge(lost, population: population, in: context)
        try db.execute(sql: "UPDATE populations SET released = 1 WHERE id = ?", arguments: [population])
        try db.execute(sql: "DELETE FROM lost_spending WHERE tag = ?", arguments: [tag])
        try context.journal(
            JournalEntry(
                action: .restoreAccepted, actor: "local owner", time: context.now, populations: [population],
                loss: lost,
                detail: "population \(name): charged what a restore had lost"))
    }

    private func write(_ policy: Policy, windowsChanged: Bool, in context: WriteContext) throws {
        try context.db.execute(
            sql: """
                UPDATE populations SET kind = ?, conversion_delta = ?, selection_delta = ?, limit_amount = ?,
                    limit_delta = ?, researcher_amount = ?, researcher_delta = ?, least_share = ? WHERE id = ?
                """,
            arguments: [
                policy.regime.kind.rawValue, policy.regime.conversionDelta, policy.regime.selectionDelta,
                policy.total.amount, policy.total.delta, policy.perResearcher?.amount, policy.perResearcher?.delta,
                policy.leastShare, id,
            ])
        if windowsChanged { try Self.writeWindows(policy, population: id, in: context) }
    }

    /// New windows count what was spent within them before: what was held, since it was approved.
    private static func writeWindows(_ policy: Policy, population: Int64, in context: WriteContext) throws {
        let db = context.db
        try db.execute(sql: "DELETE FROM windows WHERE population = ?", arguments: [population])
        try db.execute(sql: "DELETE FROM window_spending WHERE population = ?", arguments: [population])
        for window in policy.windows {
            try db.execute(
                sql: "INSERT INTO windows VALUES (?, ?, ?, ?)",
                arguments: [population, window.seconds, window.limit.amount, window.limit.delta])
        }
        guard !policy.windows.isEmpty else { return }
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT coalesce((SELECT max(time) FROM approvals WHERE request = requests.id), created), amount, delta
                FROM requests WHERE state IN ('reserved', 'released') AND kind = :kind
                    AND id IN (SELECT request FROM request_assets WHERE population = :population)
                """, arguments: ["population": population, "kind": policy.regime.kind.rawValue])
        while let row = try rows.next() {
            let loss = PrivacyLoss(kind: policy.regime.kind, amount: row[1], delta: row[2])
            try Ledger.addWindowSpending(db, population, loss, time: row[0])
        }
        // What a restore charged belongs to no request.
        let entries = try Row.fetchCursor(
            db, sql: "SELECT entry FROM journal WHERE instr(entry, ?)",
            arguments: [JournalAction.restoreAccepted.rawValue])
        while let row = try entries.next() {
            guard let entry = JournalEntry.decode(row[0])?.entry, entry.action == .restoreAccepted,
                entry.populations.contains(population), let loss = entry.loss, loss.kind == policy.regime.kind
            else { continue }
            try Ledger.addWindowSpending(db, population, loss, time: entry.time)
        }
    }
}
