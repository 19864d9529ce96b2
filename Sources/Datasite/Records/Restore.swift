import DatasiteProtocol
import DifferentialPrivacy
import GRDB
import Governance

/// Detection and acceptance of a restored database (docs/privacy.md, rule 9).
enum Restore {
    static let problem = Problem.unavailable(
        "the database is older than what this datasite had promised: it seems restored from a backup",
        hint: "the owner goes on with `parley verify --accept-restore`, which charges what was lost")

    static let contradicted = Problem.unavailable(
        "others hold a checkpoint of this datasite's log that its journal does not lead to: the whole folder seems restored from a backup",
        hint:
            "the owner goes on with `parley verify --accept-restore`: since what was lost is not known, all budgets are charged, and a new log is begun"
    )

    /// The database's own generation, spending and journal's head.
    static func record(_ db: Database) throws -> GenerationFile.Record {
        let statement = try db.cachedStatement(
            sql: "SELECT name, kind, spent_amount, spent_delta FROM populations ORDER BY id")
        let spent = try Row.fetchAll(statement).map {
            GenerationFile.Record.Spent(
                population: GenerationFile.Record.Spent.tag($0["name"]),
                loss: try $0.loss(PrivacyLossKind(rawValue: $0["kind"]) ?? .zeroConcentrated, "spent"))
        }
        return GenerationFile.Record(
            generation: try Meta.integer(db, "generation"), spent: spent, head: try Journal.head(db))
    }

    /// Whether the database lost commits that the file remembers.
    static func isSuspected(_ database: GenerationFile.Record, file: GenerationFile.Record?) -> Bool {
        guard let file else { return true }
        return database.generation < file.generation
    }

    /// Charges what was lost and journals it; returns remarks for the owner.
    ///
    /// Where the file knows a population's spending, the difference is charged to all researchers together, to each
    /// researcher who may have spent it, and to every window; where it does not, everything is. Reserved requests
    /// without an answer can no longer be completed, since a draw may have left before the restore.
    ///
    /// What waited for approval lapses first. In the time that was lost it may have been approved and answered, and then
    /// its charge is among what the file knows and this database does not; decided now, it would give a second answer for
    /// that charge, or give back what was spent. With holds gone, what this database has spent is what it has released
    /// or reserved, all of which the file's spending covers, as it covers every answer of the time that was lost: the
    /// larger of the two bounds what was ever released.
    static func accept(_ file: GenerationFile.Record?, in context: inout WriteContext) throws -> [String] {
        let db = context.db
        var remarks: [String] = []
        try RequestRow.lapseAll(reason: "the datasite was restored from a backup: ask again", in: &context)
        var known = Dictionary(
            (file?.spent ?? []).map { ($0.population, $0) }, uniquingKeysWith: { first, _ in first })
        for row in try Row.fetchAll(db, sql: "SELECT * FROM populations ORDER BY id") {
            let population = try PopulationRow(row)
            let lost: PrivacyLoss
            let tag = GenerationFile.Record.Spent.tag(population.name)
            known[tag] = nil
            if let spent = remembered(file, population) {
                lost = spent.left(after: population.spent)
                remarks.append("population \(population.name): charged what was lost")
            } else {
                lost = population.limit.everything(after: population.spent)
                remarks.append(everything(population))
            }
            try charge(lost, population: population.id, in: context)
            try context.journal(
                JournalEntry(
                    action: .restoreAccepted, actor: "local owner", time: context.now, populations: [population.id],
                    loss: lost, detail: remarks.last ?? ""))
        }
        for spent in known.values where !spent.loss.isZero {
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO lost_spending (tag, kind, amount, delta) VALUES (:tag, :kind, :amount, :delta)
                    """,
                arguments: [
                    "tag": spent.population, "kind": spent.loss.kind.rawValue, "amount": spent.loss.storedAmounts,
                    "delta": spent.loss.delta,
                ])
            remarks.append("a population added since the backup is charged what was lost when it is added again")
        }
        try db.execute(sql: "UPDATE requests SET lost = 1 WHERE state = 'reserved'")
        if try Catalogue.read(db).exhaustUses(in: &context) {
            remarks.append("how often datasets were used since the backup is not known: all uses are counted as spent")
        }
        try db.execute(sql: "UPDATE populations SET released = 1")
        if let file { try Meta.set(db, "generation", max(file.generation, try Meta.integer(db, "generation"))) }
        return remarks
    }

    /// What the counter remembers to be spent of a population; nil: nothing is known, or it was spent by another measure of loss, for which there is no rate of
    /// exchange.
    static func remembered(_ file: GenerationFile.Record?, _ population: PopulationRow) -> PrivacyLoss? {
        guard let all = file?.spent else { return nil }
        let tag = GenerationFile.Record.Spent.tag(population.name)
        let spent = all.first { $0.population == tag }?.loss ?? .zero(population.kind)
        return spent.kind == population.kind || spent.isZero ? spent : nil
    }

    /// Says that a whole budget is charged.
    static func everything(_ population: PopulationRow) -> String {
        let forGood = population.kind == .renyi ? ", and whatever it is raised to" : ""
        return "population \(population.name): what was lost is not known; its whole budget is charged\(forGood)"
    }

    /// Charges a loss of which nobody knows who spent it, and when: to all, to each and to every window from now on.
    static func charge(_ loss: PrivacyLoss, population: Int64, in context: WriteContext) throws {
        let db = context.db
        let users = try String.fetchAll(
            db, sql: "SELECT name FROM users WHERE role = 'researcher' UNION SELECT researcher FROM researcher_spending"
        )
        try Ledger.add(loss, population: population, researchers: users, in: context)
    }
}

extension Catalogue {
    /// Counts every use that a policy still allows as spent; whether there was one.
    fileprivate func exhaustUses(in context: inout WriteContext) throws -> Bool {
        let db = context.db
        var isChanged = false
        for (name, entry) in datasets.sorted(by: { $0.key < $1.key }) {
            for (engine, rule) in entry.policy?.engines ?? [:] {
                guard let limit = rule.uses else { continue }
                let left = limit - (try UseLedger.spent(of: name, engine: engine, by: "", in: db).total)
                guard left > 0 else { continue }
                try UseLedger.add(left, of: name, engine: engine, by: Datasite.localOwner.name, in: db)
                try context.journal(
                    JournalEntry(
                        action: .restoreAccepted, actor: Datasite.localOwner.name, time: context.now, dataset: name,
                        uses: left, engine: engine.rawValue, assets: [name],
                        detail: "what was used since the backup is not known: all uses are counted"))
                isChanged = true
            }
        }
        return isChanged
    }
}
