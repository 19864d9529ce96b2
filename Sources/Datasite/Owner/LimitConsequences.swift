import DifferentialPrivacy
import GRDB
import Governance

extension Datasite {
    /// Limits of single researchers that the population has, also from before, and that the manifest's policy does not name: they
    /// end with it, since limits are the population's, whichever policy set them last.
    func endingLimits(_ manifest: Manifest) throws -> [String] {
        guard let policy = manifest.policy else { return [] }
        return try read { db in
            guard let present = try PopulationRow.named(manifest.population, db) else { return [] }
            let ending = try present.researcherLimits(db).keys.filter { policy.researcherLimits[$0] == nil }.sorted()
            return ending.isEmpty
                ? []
                : [
                    "the population \(manifest.population) has `researcher-limits` that this policy does not name; these "
                        + "limits by name end: \(Self.list(ending))"
                ]
        }
    }
}

extension PopulationRow {
    /// The limits of a policy that lie below what is spent of them, or below that with what is held for requests that wait.
    func exceeded(by policy: Policy, _ db: Database) throws -> [String] {
        let size = QuestionSize(regime: policy.regime)
        func words(_ loss: PrivacyLoss) -> String { size.words(loss, in: .epsilon) }
        let held = try SpendingRow.held(self, db)
        var found: [String] = []
        let waiting = try held.values.reduce(PrivacyLoss.zero(kind)) { try $0 + $1 }
        let answered = try spent.removing(waiting)
        if answered.exceeds(policy.total) {
            found.append(
                "`policy.total`: lies below what is spent of it, \(words(answered)): no question is answered any more")
        } else if spent.exceeds(policy.total) {
            found.append(
                "`policy.total`: lies below what is spent of it and held for requests that wait, \(words(answered)) and "
                    + "\(words(waiting)): nothing is answered or approved until some of these are denied")
        }
        for row in try Row.fetchAll(
            db, sql: "SELECT researcher, amount, delta FROM researcher_spending WHERE population = :id",
            arguments: ["id": id])
        {
            let name: String = row["researcher"]
            guard let limit = policy.limit(of: name) else { continue }
            let charged = try row.loss(kind)
            let waiting = held[name] ?? .zero(kind)
            let own = try charged.removing(waiting)
            if own.exceeds(limit) {
                found.append(
                    "the limit of \(name): lies below what she has spent, \(words(own)): she is answered nothing more")
            } else if charged.exceeds(limit) {
                found.append(
                    "the limit of \(name): lies below what she has spent and what is held for her, \(words(own)) and "
                        + "\(words(waiting)): she is answered nothing until some of that is denied")
            }
        }
        return found
    }
}

extension PrivacyLoss {
    /// Whether more is spent than a limit allows: under Rényi at every order.
    fileprivate func exceeds(_ limit: PrivacyLoss) -> Bool {
        delta > limit.delta || zip(amounts, limit.amounts).allSatisfy { $0 > $1 }
    }
}
