import DatasiteProtocol
import DifferentialPrivacy
import GRDB
import Governance
import Learning

/// What measuring a model gives: private already.
struct EvaluationScore: Sendable {
    /// Noisy numbers of rows: those that the model is right about, and the others.
    let right, wrong: Int64
    /// What the Ladder says of it, in the release's own transaction.
    var standing: LadderStanding?

    var rows: Int64 {
        let (sum, overflows) = right.addingReportingOverflow(wrong)
        return overflows ? (right > 0 ? .max : .min) : sum
    }

    /// nil where noise leaves no rows.
    var share: Double? { rows >= 1 ? min(max(Double(right) / Double(rows), 0), 1) : nil }

    /// The share's standard error by the noise of both counts, by its slopes there.
    func noiseError(_ noise: IntegerNoise) -> Double? {
        share.map { (noise.variance * ($0 * $0 + (1 - $0) * (1 - $0))).squareRoot() / Double(rows) }
    }

    /// That of rows that were drawn by lot, of a unit at most so many, which may all be alike.
    func samplingError(rowsPerUnit: Int) -> Double? {
        share.map { ($0 * (1 - $0) * Double(rowsPerUnit) / Double(rows)).squareRoot() }
    }
}

/// Where somebody's Ladder stands: what she was told of a label of a version.
struct LadderStanding: Sendable, Hashable {
    var asker: String
    /// The best so far, in billionths; 0: nothing was told.
    var best: Int64
    /// Whether it is this model's.
    var isImproved = false
    /// How many evaluations there were, this one too.
    var evaluations: Int64

    /// As it stands behind the scores that were told before.
    static func find(_ asker: String, version: String, label: String, _ db: Database) throws -> LadderStanding {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT best, evaluations FROM ladders WHERE version = :version AND label = :label AND asker = :asker
                    """), arguments: ["version": version, "label": label, "asker": asker])
        return LadderStanding(asker: asker, best: row?["best"] ?? 0, evaluations: row?["evaluations"] ?? 0)
    }

    /// What the Ladder says to a score. All of it follows from noisy counts, and from what was told before.
    func following(_ score: EvaluationScore, _ noise: IntegerNoise, step: Int64) -> LadderStanding {
        var next = self
        (next.evaluations, next.isImproved) = (evaluations + 1, false)
        // A policy's step may have changed meanwhile.
        guard var ladder = try? Ladder(step: step, best: best) else { return next }
        if let share = score.share, let error = score.noiseError(noise) {
            func billionths(_ value: Double) -> Int64 { Int64((min(value, 1) / EvaluationRule.unit).rounded()) }
            next.isImproved = ladder.feedback(on: billionths(share), error: billionths(2 * error)) != nil
        }
        // A policy's new step rounds what is told from now on, and nothing that was.
        if next.isImproved { next.best = ladder.best }
        return next
    }

    func store(version: String, label: String, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO ladders VALUES (:version, :label, :asker, :best, :evaluations)
                ON CONFLICT DO UPDATE SET best = excluded.best, evaluations = excluded.evaluations
                """
        ).execute(arguments: [
            "version": version, "label": label, "asker": asker, "best": best, "evaluations": evaluations,
        ])
    }
}
