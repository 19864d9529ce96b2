import GRDB
import Governance

/// Counts of uses, where work is bounded by their number: by dataset, engine and asker, for ever.
///
/// A use is counted before the work begins and stays counted, as a loss is; a number of uses bounds how often something is
/// answered, and says nothing of what the answers reveal.
enum UseLedger {
    /// Counts uses, if the rule has room for them.
    ///
    /// - Parameter rule: nil: counted without a limit (what an owner does herself).
    /// - Throws: `Ledger.Exceeded`.
    static func charge(
        _ uses: Int64, of dataset: String, engine: EngineName, by asker: String, rule: EngineRule?, in db: Database
    ) throws {
        if let rule {
            for limit in try limits(of: dataset, engine: engine, by: asker, rule: rule, in: db) {
                if let exceeded = limit.exceeded(by: uses) { throw exceeded }
            }
        }
        try add(uses, of: dataset, engine: engine, by: asker, in: db)
    }

    /// One limit of a dataset's uses, and what of it is counted.
    struct Limit: Sendable {
        let scope: BudgetScope
        let dataset: String
        /// nil: the policy allows none.
        let uses: Int64?
        let spent: Int64

        var left: Int64 { max(0, (uses ?? 0) - spent) }

        /// Why so many more have no room; nil: they have.
        func exceeded(by more: Int64) -> Ledger.Exceeded? {
            guard more > left else { return nil }
            let all = uses.map { "\(left) of \($0)" } ?? "its policy has no `uses`"
            return Ledger.Exceeded(words: "\(scope.words) of the uses of \(dataset) (\(all))")
        }
    }

    /// All that one asker's uses must fit in, that of all researchers first.
    static func limits(
        of dataset: String, engine: EngineName, by asker: String, rule: EngineRule, in db: Database
    ) throws -> [Limit] {
        let (total, own) = try spent(of: dataset, engine: engine, by: asker, in: db)
        let all = Limit(scope: .allResearchers, dataset: dataset, uses: rule.uses, spent: total)
        guard let perResearcher = rule.usesPerResearcher else { return [all] }
        return [all, Limit(scope: .researcher(asker), dataset: dataset, uses: perResearcher, spent: own)]
    }

    /// What is counted of a dataset by an engine, by asker: in all, and of that what is held for requests that wait.
    static func counts(
        of dataset: String, engine: EngineName, in db: Database
    ) throws -> (all: [String: Int64], held: [String: Int64]) {
        func counts(_ sql: String) throws -> [String: Int64] {
            let rows = try Row.fetchAll(
                db.cachedStatement(sql: sql), arguments: ["dataset": dataset, "engine": engine.rawValue])
            return Dictionary(rows.map { ($0[0], $0[1]) }, uniquingKeysWith: +)
        }
        return (
            try counts("SELECT asker, uses FROM uses WHERE dataset = :dataset AND engine = :engine AND uses <> 0"),
            try counts(
                """
                SELECT researcher, uses FROM requests WHERE state = 'pending' AND engine = :engine AND uses <> 0
                    AND id IN (SELECT request FROM request_assets WHERE dataset = :dataset AND population IS NOT NULL)
                """)
        )
    }

    /// Takes back what was held for a request for which nothing was computed.
    static func giveBack(
        _ uses: Int64, of dataset: String, engine: EngineName, by asker: String, in db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                UPDATE uses SET uses = uses - :uses WHERE dataset = :dataset AND engine = :engine AND asker = :asker
                """
        ).execute(arguments: ["dataset": dataset, "engine": engine.rawValue, "asker": asker, "uses": uses])
    }

    /// By all, and by one.
    static func spent(
        of dataset: String, engine: EngineName, by asker: String, in db: Database
    ) throws -> (total: Int64, own: Int64) {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT coalesce(sum(uses), 0) AS total, coalesce(sum(uses) FILTER (WHERE asker = :asker), 0) AS own
                    FROM uses WHERE dataset = :dataset AND engine = :engine
                    """), arguments: ["dataset": dataset, "engine": engine.rawValue, "asker": asker])
        return (row?["total"] ?? 0, row?["own"] ?? 0)
    }

    static func add(_ uses: Int64, of dataset: String, engine: EngineName, by asker: String, in db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO uses VALUES (:dataset, :engine, :asker, :uses)
                ON CONFLICT DO UPDATE SET uses = uses + excluded.uses
                """
        ).execute(arguments: ["dataset": dataset, "engine": engine.rawValue, "asker": asker, "uses": uses])
    }
}
