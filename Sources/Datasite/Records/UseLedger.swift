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
            let (total, own) = try spent(of: dataset, engine: engine, by: asker, in: db)
            guard fits(uses, within: rule.uses ?? 0, after: total) else {
                throw Ledger.Exceeded(words: "all researchers of the uses of \(dataset)")
            }
            guard fits(uses, within: rule.usesPerResearcher ?? .max, after: own) else {
                throw Ledger.Exceeded(words: "researcher \(asker) of the uses of \(dataset)")
            }
        }
        try add(uses, of: dataset, engine: engine, by: asker, in: db)
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

    private static func fits(_ uses: Int64, within limit: Int64, after spent: Int64) -> Bool {
        let (sum, overflow) = spent.addingReportingOverflow(uses)
        return !overflow && sum <= limit
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
