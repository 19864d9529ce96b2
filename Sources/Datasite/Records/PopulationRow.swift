import DatasiteProtocol
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
        guard let kind = PrivacyLossKind(rawValue: row["kind"]) else {
            throw Problem.unavailable("the ledger has a kind of loss that this version does not know")
        }
        self.kind = kind
        conversionDelta = row["conversion_delta"]
        selectionDelta = row["selection_delta"]
        limit = try row.loss(kind, "limit")
        let hasOwnLimit = !(row["researcher_amount"] as DatabaseValue).isNull
        researcherLimit = hasOwnLimit ? try row.loss(kind, "researcher") : nil
        leastShare = row["least_share"]
        spent = try row.loss(kind, "spent")
        released = row["released"]
        raised = row["raised"]
    }

    /// The measure of loss, as plans have it.
    var regime: LossRegime {
        LossRegime(
            kind: kind, conversionDelta: conversionDelta, selectionDelta: selectionDelta,
            total: Double(limit.largestRho) * PrivacyLoss.amountUnit)
    }

    static func named(_ name: String, _ db: Database) throws -> PopulationRow? {
        try Row.fetchOne(db, sql: "SELECT * FROM populations WHERE name = :name", arguments: ["name": name])
            .map(PopulationRow.init)
    }

    static func find(_ id: Int64, _ db: Database) throws -> PopulationRow? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT * FROM populations WHERE id = :id"), arguments: ["id": id]
        ).map(PopulationRow.init)
    }

    static func all(_ db: Database) throws -> [PopulationRow] {
        try Row.fetchAll(db, sql: "SELECT * FROM populations ORDER BY name").map(PopulationRow.init)
    }

    func windows(_ db: Database) throws -> [Policy.Window] { try Self.windows(of: id, kind: kind, db) }

    static func windows(of id: Int64, kind: PrivacyLossKind, _ db: Database) throws -> [Policy.Window] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT seconds, limit_amount, limit_delta FROM windows WHERE population = :id ORDER BY seconds"),
            arguments: ["id": id]
        ).map { Policy.Window(seconds: $0["seconds"], limit: try $0.loss(kind, "limit")) }
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
        let researcherLimits = try present.researcherLimits(db)
        let sameLimits =
            sameLoss && present.limit == policy.total && present.researcherLimit == policy.perResearcher
            && researcherLimits == policy.researcherLimits
            && present.leastShare == policy.leastShare && Set(windows) == Set(policy.windows)
        guard !sameLimits else { return present.id }
        guard mayChange else {
            throw ManifestError.problem(
                "another dataset about the population \(name) has other limits: one population has one budget",
                hint:
                    "give both the same total, per-researcher, researcher-limits, least-share and windows, or change them with `parley data policy`"
            )
        }
        var old = policy
        try old.takeLimits(of: present, db)
        try present.write(policy, windowsChanged: Set(windows) != Set(policy.windows), in: context)
        let raised = !policy.total.isCovered(by: present.limit)
        if raised {
            // Every researcher reads it: of the total alone, not of others' limits.
            let conversion = policy.regime.conversionDelta
            let before = LossWords.limit(present.limit, conversionDelta: present.conversionDelta)
            var change = "total \(before) became \(LossWords.limit(policy.total, conversionDelta: conversion))"
            if present.leastShare != policy.leastShare {
                change += ", a question costs at least \(LossWords.least(policy.leastCharge, policy.regime))"
            }
            try db.execute(
                sql: "UPDATE populations SET raised = :raised WHERE id = :id",
                arguments: ["raised": "\(Timestamp.text(context.now)): \(change)", "id": present.id])
        }
        try context.journal(
            JournalEntry(
                action: raised ? .budgetRaised : .policyChanged, actor: actor, time: context.now,
                detail: "population \(name): \(PolicyChange(old: old, new: policy).limitWords)"))
        return present.id
    }

    /// From then on the units of privacy and of loss, and delta, are fixed.
    private var hasSpent: Bool { released || !spent.isZero }

    /// The columns that name its units, in whichever of its tables, belong to the population: under another name its people
    /// could come back as other units (visits instead of persons) on a ledger that counts the first.
    private func takeUnit(_ column: String, isAlone: Bool, _ db: Database) throws {
        let known = try String.fetchAll(
            db, sql: "SELECT name FROM population_units WHERE population = :id ORDER BY name", arguments: ["id": id])
        guard !known.contains(column) else { return }
        if hasSpent, !known.isEmpty {
            throw ManifestError.problem(
                "the population \(name) has spent budget, and its units are named by the column "
                    + "\(known.joined(separator: " or ")), not by \(column)",
                hint: "the same people keep the column's name; other units are another population")
        }
        if isAlone {
            try db.execute(sql: "DELETE FROM population_units WHERE population = :id", arguments: ["id": id])
        }
        try Self.addUnit(column, to: id, db)
    }

    private static func create(
        _ name: String, policy: Policy, unitColumn: String?, in context: inout WriteContext
    ) throws -> Int64 {
        let db = context.db
        try db.execute(
            sql: """
                INSERT INTO populations (name, unit_is_row, kind, conversion_delta, selection_delta, limit_amount, limit_delta,
                    researcher_amount, researcher_delta, least_share)
                VALUES (:name, :unitIsRow, :kind, :conversion, :selection, :limit, :limitDelta, :researcher,
                    :researcherDelta, :share)
                """,
            arguments: limits(policy) + ["name": name, "unitIsRow": unitColumn == nil])
        let id = db.lastInsertedRowID
        if let unitColumn {
            try addUnit(unitColumn, to: id, db)
        }
        try writeResearcherLimits(policy.researcherLimits, population: id, db)
        try writeWindows(policy, population: id, in: context)
        try chargeLostSpending(name, population: id, policy: policy, in: &context)
        return id
    }

    private static func addUnit(_ column: String, to population: Int64, _ db: Database) throws {
        try db.execute(
            sql: "INSERT INTO population_units (population, name) VALUES (:population, :name)",
            arguments: ["population": population, "name": column])
    }

    private static func limits(_ policy: Policy) -> StatementArguments {
        [
            "kind": policy.regime.kind.rawValue, "conversion": policy.regime.conversionDelta,
            "selection": policy.regime.selectionDelta, "limit": policy.total.storedAmounts,
            "limitDelta": policy.total.delta, "researcher": policy.perResearcher?.storedAmounts,
            "researcherDelta": policy.perResearcher?.delta, "share": policy.leastShare,
        ]
    }

    /// What a restore lost of a population that the restored database did not know.
    private static func chargeLostSpending(
        _ name: String, population: Int64, policy: Policy, in context: inout WriteContext
    ) throws {
        let db = context.db
        let tag = GenerationFile.Record.Spent.tag(name)
        let row = try Row.fetchOne(db, sql: "SELECT * FROM lost_spending WHERE tag = :tag", arguments: ["tag": tag])
        guard let row else { return }
        let sameKind = row["kind"] == policy.regime.kind.rawValue
        let lost =
            sameKind ? try row.loss(policy.regime.kind) : policy.total.everything(after: .zero(policy.regime.kind))
        try Restore.charge(lost, population: population, in: context)
        try db.execute(
            sql: "UPDATE populations SET released = 1 WHERE id = :population", arguments: ["population": population])
        try db.execute(sql: "DELETE FROM lost_spending WHERE tag = :tag", arguments: ["tag": tag])
        try context.journal(
            JournalEntry(
                action: .restoreAccepted, actor: "local owner", time: context.now, populations: [population],
                loss: lost,
                detail: "population \(name): charged what a restore had lost"))
    }

    private func write(_ policy: Policy, windowsChanged: Bool, in context: WriteContext) throws {
        try context.db.execute(
            sql: """
                UPDATE populations SET kind = :kind, conversion_delta = :conversion, selection_delta = :selection,
                    limit_amount = :limit, limit_delta = :limitDelta, researcher_amount = :researcher,
                    researcher_delta = :researcherDelta, least_share = :share WHERE id = :id
                """, arguments: Self.limits(policy) + ["id": id])
        try Self.writeResearcherLimits(policy.researcherLimits, population: id, context.db)
        if windowsChanged { try Self.writeWindows(policy, population: id, in: context) }
    }

    /// New windows count what was spent within them before: what was held, since it was approved.
    private static func writeWindows(_ policy: Policy, population: Int64, in context: WriteContext) throws {
        let db = context.db
        for table in ["windows", "window_spending"] {
            try db.execute(
                sql: "DELETE FROM \(table) WHERE population = :population", arguments: ["population": population])
        }
        for window in policy.windows {
            try db.execute(
                sql: """
                    INSERT INTO windows (population, seconds, limit_amount, limit_delta)
                    VALUES (:population, :seconds, :amount, :delta)
                    """,
                arguments: [
                    "population": population, "seconds": window.seconds, "amount": window.limit.storedAmounts,
                    "delta": window.limit.delta,
                ])
        }
        guard !policy.windows.isEmpty else { return }
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT coalesce((SELECT max(time) FROM approvals WHERE request = requests.id), created) AS time, amount,
                    delta
                FROM requests WHERE \(RequestRow.isSpent) AND kind = :kind
                    AND id IN (SELECT request FROM request_assets WHERE population = :population)
                """, arguments: ["population": population, "kind": policy.regime.kind.rawValue])
        while let row = try rows.next() {
            try Ledger.addWindowSpending(db, population, row.loss(policy.regime.kind), time: row["time"])
        }
        // What a restore charged belongs to no request.
        let entries = try Row.fetchCursor(
            db, sql: "SELECT entry FROM journal WHERE instr(entry, :action)",
            arguments: ["action": JournalAction.restoreAccepted.rawValue])
        while let row = try entries.next() {
            guard let entry = JournalEntry.decode(row[0])?.entry, entry.action == .restoreAccepted,
                entry.populations.contains(population), let loss = entry.loss, loss.kind == policy.regime.kind
            else { continue }
            try Ledger.addWindowSpending(db, population, loss, time: entry.time)
        }
    }
}
