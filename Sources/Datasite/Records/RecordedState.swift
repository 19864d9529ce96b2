import DatasiteProtocol
import Foundation
import GRDB

/// What a change left behind, as its journal entry keeps it, so that `verify` finds what was changed without the journal:
/// texts by name. Entries of earlier versions have none, and what an entry does not name is not compared, so that later
/// versions may name more. It is shown to nobody: digests in it need no nonce.
enum RecordedState {
    /// A dataset: digests of its manifest and of the policy that the owner set in the manifest's place.
    static func dataset(_ name: String, _ db: Database) throws -> [String: String] {
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT manifest, policy FROM datasets WHERE name = :name", arguments: ["name": name])
        else { return [:] }
        return [
            "manifest": sha256Hex((row[0] as String).utf8),
            "policy": (row[1] as String?).map { sha256Hex($0.utf8) } ?? "",
        ]
    }

    /// A population's unit, measure of loss and limits: all that its row has but what is spent, and limits by name.
    static func limits(_ population: Int64, _ db: Database) throws -> [String: String] {
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT * FROM populations WHERE id = :population", arguments: ["population": population])
        else { return [:] }
        var limits: [String: String] = [:]
        for (column, value) in row where !["id", "name", "spent_amount", "spent_delta", "released"].contains(column) {
            limits["limits \(column)"] = text(value)
        }
        limits["limits windows"] = try Row.fetchAll(
            db,
            sql:
                "SELECT seconds, limit_amount, limit_delta FROM windows WHERE population = :population ORDER BY seconds",
            arguments: ["population": population]
        ).map { row in row.databaseValues.map(text).joined(separator: " ") }.joined(separator: ", ")
        limits["limits of researchers"] = try PopulationRow.researcherLimitsText(population, db)
        return limits
    }

    /// A user's token, by its hash.
    static func token(_ hash: Data) -> [String: String] { ["token": hexadecimal(hash)] }

    /// Whether what was recorded is still there.
    static func agrees(_ recorded: [String: String], with present: [String: String]) -> Bool {
        recorded.allSatisfy { present[$0] == $1 }
    }

    private static func text(_ value: DatabaseValue) -> String {
        switch value.storage {
        case .null: "none"
        case .int64(let number): "\(number)"
        case .double(let number): "\(number)"
        case .string(let text): text
        case .blob(let bytes): hexadecimal(bytes)
        }
    }
}

extension JournalEntry {
    /// The same with what the change left of a dataset and of its population's limits.
    func recording(dataset name: String, in db: Database) throws -> JournalEntry {
        var entry = self
        entry.state = try RecordedState.dataset(name, db)
        if let population = try Int64.fetchOne(
            db, sql: "SELECT population FROM datasets WHERE name = :name", arguments: ["name": name])
        {
            entry.populations = [population]
            try entry.state.merge(RecordedState.limits(population, db)) { own, _ in own }
        }
        return entry
    }
}
