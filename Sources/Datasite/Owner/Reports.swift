public import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance

extension Datasite {
    /// What each population's ledger has left: for a researcher the total, the windows and her own; for owners and
    /// auditors every researcher's.
    public func budget(as identity: Identity) throws -> [BudgetReport] {
        let catalogue = try catalogue()
        let now = clock.now()
        return try read { db in
            try PopulationRow.all(db).map { population in
                let entries = catalogue.datasets.values.filter { $0.population == population.id }
                    .sorted { $0.manifest.name < $1.manifest.name }
                return BudgetReport(
                    population: population.name, datasets: entries.map(\.manifest.name),
                    lines: try Self.lines(population, for: identity, now: now, db),
                    leastCharge: LossWords.wire(
                        least: Policy.leastCharge(population.limit, share: population.leastShare),
                        conversionDelta: population.conversionDelta),
                    raised: population.raised,
                    spending: try SpendingRow.list(
                        population, by: identity.role == .researcher ? identity.name : nil, db
                    )
                    .map { $0.message(population) },
                    uses: try Self.uses(entries, for: identity, db),
                    overlaps: identity.role == .owner
                        ? try overlaps(of: population.id, db) : nil)
            }
        }
    }

    /// Limits of uses, where policies have any.
    private static func uses(
        _ entries: [Catalogue.Entry], for identity: Identity, _ db: Database
    ) throws -> [BudgetReport.Uses]? {
        // What an owner does, and what a restore counts, is in the line of all.
        let users = try Row.fetchAll(
            db, sql: "SELECT name, revoked IS NULL FROM users WHERE role = 'researcher' ORDER BY name"
        )
        .map { (name: $0[0] as String, isPresent: $0[1] as Bool) }
        .filter { identity.role != .researcher || $0.name == identity.name }
        var found: [BudgetReport.Uses] = []
        for entry in entries {
            for (engine, rule) in (entry.policy?.engines ?? [:]).sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                guard let limit = rule.uses else { continue }
                let (all, held) = try UseLedger.counts(of: entry.manifest.name, engine: engine, in: db)
                func line(_ scope: BudgetScope, _ limit: Int64, _ counted: Int64, held: Int64) -> BudgetReport.Uses {
                    BudgetReport.Uses(
                        dataset: entry.manifest.name, engine: engine.rawValue, scope: scope.words, limit: limit,
                        spent: counted - held, held: held > 0 ? held : nil, remaining: max(0, limit - counted))
                }
                found.append(line(.allResearchers, limit, all.values.reduce(0, +), held: held.values.reduce(0, +)))
                for (name, isPresent) in users
                where all[name] != nil || isPresent && rule.usesPerResearcher != nil {
                    found.append(
                        line(.researcher(name), rule.usesPerResearcher ?? limit, all[name] ?? 0, held: held[name] ?? 0))
                }
            }
        }
        return found.isEmpty ? nil : found
    }

    private static func lines(
        _ population: PopulationRow, for identity: Identity, now: Int64, _ db: Database
    ) throws -> [BudgetReport.Line] {
        let size = QuestionSize(regime: population.regime)
        let held = try SpendingRow.held(population, db)
        func line(_ scope: BudgetScope, _ limit: PrivacyLoss, _ charged: PrivacyLoss) throws -> BudgetReport.Line {
            let conversion = population.conversionDelta
            // What is held counts in the ledger, and is not spent.
            let held =
                switch scope {
                case .allResearchers: try held.values.reduce(PrivacyLoss.zero(population.kind)) { try $0 + $1 }
                case .researcher(let name): held[name] ?? .zero(population.kind)
                case .window: PrivacyLoss.zero(population.kind)
                }
            let spent = try charged.removing(held)
            return BudgetReport.Line(
                scope: scope.words, limit: LossWords.wire(limit: limit, conversionDelta: conversion),
                spent: LossWords.wire(spent, conversionDelta: conversion),
                held: held.isZero ? nil : LossWords.wire(held, conversionDelta: conversion),
                remaining: LossWords.wire(limit: limit.room(after: charged), conversionDelta: conversion),
                meaning: try size.meaning(of: limit, in: population.limit, spent: spent, held: held))
        }
        var lines = [try line(.allResearchers, population.limit, population.spent)]
        let named = try population.researcherLimits(db)
        for row in try Row.fetchAll(
            db,
            sql: """
                SELECT researcher, amount, delta FROM researcher_spending WHERE population = :population
                UNION ALL SELECT name, 0, 0 FROM users WHERE role = 'researcher' AND revoked IS NULL
                    AND name NOT IN (SELECT researcher FROM researcher_spending WHERE population = :population)
                ORDER BY 1
                """, arguments: ["population": population.id])
        where identity.role != .researcher || row["researcher"] == identity.name {
            let name: String = row["researcher"]
            lines.append(
                try line(
                    .researcher(name), named[name] ?? population.researcherLimit ?? population.limit,
                    try row.loss(population.kind)))
        }
        for window in try population.windows(db) {
            let spent = try Ledger.windowSpending(
                db, population.id, seconds: window.seconds, kind: population.kind, now: now)
            lines.append(try line(.window(seconds: window.seconds), window.limit, spent))
        }
        return lines
    }

    /// The audit trail: who asked what, when, for how much; what was refused and why. For owners and auditors.
    ///
    /// - Parameters:
    ///   - index: The first entry; without one, the newest `limit` entries.
    ///   - limit: At most that many, from 1 to 10,000.
    public func audit(as identity: Identity, from index: Int64? = nil, limit: Int = 1_000) throws -> [AuditEntry] {
        guard identity.role != .researcher else {
            throw Problem.forbidden(
                "owners and auditors read the audit trail", hint: "`parley requests` shows your own")
        }
        let limit = max(1, min(limit, 10_000))
        let datasets = try catalogue().datasets
        return try read { db in
            let first =
                try index ?? (Int64.fetchOne(db, sql: "SELECT max(number) FROM journal") ?? 0) - Int64(limit) + 1
            let deltas = try Dictionary(
                PopulationRow.all(db).map { ($0.id, $0.conversionDelta) }, uniquingKeysWith: { first, _ in first })
            return try Row.fetchAll(
                db, sql: "SELECT number, entry, hash FROM journal WHERE number >= :first ORDER BY number LIMIT :limit",
                arguments: ["first": first, "limit": limit]
            ).compactMap { row in
                guard let entry = JournalEntry.decode(row[1])?.entry else { return nil }
                return AuditEntry(
                    index: row[0], time: Timestamp.text(entry.time), action: entry.action.rawValue, actor: entry.actor,
                    dataset: entry.dataset, detail: Self.detail(entry),
                    charge: Self.charge(entry) {
                        // A refusal names no population, and its loss is in nobody's ledger.
                        let ofDataset = entry.dataset.flatMap { datasets[$0]?.policy?.regime.conversionDelta }
                        return entry.populations.first.flatMap { deltas[$0] } ?? ofDataset ?? 0
                    },
                    hash: hexadecimal(row[2] as Data))
            }
        }
    }

    private static func charge(_ entry: JournalEntry, _ conversionDelta: () -> Double) -> Loss? {
        let charge = Charge(loss: entry.loss, uses: entry.uses)
        return charge.isNothing ? nil : charge.wire(conversionDelta: conversionDelta())
    }

    private static func detail(_ entry: JournalEntry) -> String {
        guard let request = entry.request else { return entry.words }
        return entry.words.isEmpty ? "request \(request)" : "request \(request): \(entry.words)"
    }
}
