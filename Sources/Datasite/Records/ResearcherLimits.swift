import DatasiteProtocol
import DifferentialPrivacy
import GRDB

/// What single researchers may spend of a population, by name, in the place of what each may: a value of the table `meta` for
/// each population, a line for each name. An earlier program does not read the policy that says them, and so serves nothing.
extension PopulationRow {
    private static func key(_ population: Int64) -> String { "researcher limits \(population)" }

    /// The limits as they are stored; empty where nobody has one of her own.
    static func researcherLimitsText(_ population: Int64, _ db: Database) throws -> String {
        try Meta.text(db, key(population)) ?? ""
    }

    /// Every limit that names a researcher.
    func researcherLimits(_ db: Database) throws -> [String: PrivacyLoss] {
        try Self.researcherLimitsText(id, db).split(separator: "\n").reduce(into: [:]) { limits, line in
            // The name, delta, and the amounts, of which Rényi has several.
            let parts = line.split(separator: " ")
            let numbers = parts.dropFirst().compactMap { Int64($0) }
            guard numbers.count == parts.count - 1, let delta = numbers.first,
                let limit = PrivacyLoss(kind: kind, amounts: Array(numbers.dropFirst()), delta: delta)
            else { throw Problem.unavailable("the ledger holds what is no limit of a researcher") }
            limits[String(parts[0])] = limit
        }
    }

    /// The most that this researcher may spend; nil: no limit of her own.
    func limit(of researcher: String, _ db: Database) throws -> PrivacyLoss? {
        try researcherLimits(db)[researcher] ?? researcherLimit
    }

    static func writeResearcherLimits(_ limits: [String: PrivacyLoss], population: Int64, _ db: Database) throws {
        let text = limits.sorted { $0.key < $1.key }.map { name, limit in
            ([name, "\(limit.delta)"] + limit.amounts.map { "\($0)" }).joined(separator: " ")
        }.joined(separator: "\n")
        guard try text != researcherLimitsText(population, db) else { return }
        try Meta.set(db, key(population), text)
    }
}
