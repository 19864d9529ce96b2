import DatasiteProtocol
import DifferentialPrivacy
import GRDB

/// What one asker's requests of one dataset were charged in one month: from the stored requests.
struct SpendingRow: Sendable {
    let researcher: String
    let dataset: String
    let month: String
    private(set) var requests: Int64 = 0
    private(set) var spent: PrivacyLoss
    private(set) var held: PrivacyLoss

    private struct Key: Hashable {
        let researcher, dataset, month: String
    }

    /// Who spent a population's budget on what, and when, the newest month first. A request counts once, at the dataset that
    /// was asked, in the month in which it was charged for good. Of a population whose measure of loss changed, which it may
    /// before anything was spent, what was held under the other is not told.
    ///
    /// - Parameter researcher: Hers alone; nil: everybody's.
    static func list(_ population: PopulationRow, by researcher: String?, _ db: Database) throws -> [SpendingRow] {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT researcher, state = 'pending' AS is_held, amount, delta,
                    coalesce((SELECT max(time) FROM approvals WHERE request = requests.id), created) AS time,
                    (SELECT dataset FROM request_assets WHERE request = requests.id ORDER BY position LIMIT 1) AS dataset
                FROM requests
                WHERE kind = :kind AND (state = 'pending' OR \(RequestRow.isSpent))
                    AND (:researcher IS NULL OR researcher = :researcher)
                    AND id IN (SELECT request FROM request_assets WHERE population = :population)
                """,
            arguments: ["kind": population.kind.rawValue, "researcher": researcher, "population": population.id])
        var found: [Key: SpendingRow] = [:]
        while let row = try rows.next() {
            let key = Key(
                researcher: row["researcher"], dataset: row["dataset"],
                month: String(Timestamp.text(row["time"]).prefix(7)))
            try found[
                key,
                default: SpendingRow(
                    researcher: key.researcher, dataset: key.dataset, month: key.month, spent: .zero(population.kind),
                    held: .zero(population.kind))
            ].add(row.loss(population.kind), isHeld: row["is_held"])
        }
        return found.values.sorted {
            ($1.month, $0.researcher, $0.dataset) < ($0.month, $1.researcher, $1.dataset)
        }
    }

    private mutating func add(_ loss: PrivacyLoss, isHeld: Bool) throws {
        requests += 1
        if isHeld { held = try held + loss } else { spent = try spent + loss }
    }

    /// What is held for each researcher's requests that wait.
    static func held(_ population: PopulationRow, _ db: Database) throws -> [String: PrivacyLoss] {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT researcher, amount, delta FROM requests WHERE kind = :kind AND state = 'pending'
                    AND id IN (SELECT request FROM request_assets WHERE population = :population)
                """, arguments: ["kind": population.kind.rawValue, "population": population.id])
        var held: [String: PrivacyLoss] = [:]
        while let row = try rows.next() {
            let name: String = row["researcher"]
            held[name] = try (held[name] ?? .zero(population.kind)) + row.loss(population.kind)
        }
        return held
    }

    /// As messages have it.
    func message(_ population: PopulationRow) -> BudgetReport.Spending {
        let delta = population.conversionDelta
        return BudgetReport.Spending(
            researcher: researcher, dataset: dataset, month: month, requests: requests,
            spent: LossWords.wire(spent, conversionDelta: delta),
            held: held.isZero ? nil : LossWords.wire(held, conversionDelta: delta))
    }
}
