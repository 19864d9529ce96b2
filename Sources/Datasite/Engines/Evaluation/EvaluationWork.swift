import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Secrets
import Tables

/// Measuring a model on one half of a table's units: two noisy counts, charged as any question's are (docs/privacy.md, rule 35). What is told of them is the part's own.
protocol EvaluationWork: EngineWork where Product == EvaluationScore {
    static var part: EvaluationRequest.Part { get }
    var task: EvaluationTask { get }

    init(_ task: EvaluationTask, bound: PlanBound)
}

extension EvaluationWork {
    static var roles: Set<Role> { [.researcher] }
    static var isAllowedUnlessSaid: Bool { false }

    var assets: [Catalogue.Entry] { [task.entry] }
    var charge: Charge { Charge(loss: task.rows.policy.regime.charge(planned: task.loss), uses: 1) }
    var unit: AskedUnit { task.request.budget.unit }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        let request = try JSONDecoder().decode(EvaluationRequest.self, from: Data(body))
        let task = try TrainingTask.asked { try EvaluationTask(request, in: knowledge.catalogue) }
        let name = "evaluation \(sha256Hex(Array(request.model.utf8))) \(task.entry.version)"
        let cost = try knowledge.timings.measured(name) { try TrainingTask.asked { try task.measuredCost() } }
        self.init(task, bound: task.bound(cost))
    }

    // MARK: The request

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        try body(EvaluationRequest(request))
    }

    static func body(_ request: EvaluationRequest) throws -> [UInt8] {
        for (text, what) in [(request.data, "'data'"), (request.model, "'model'")] {
            guard text.utf8.count <= EvaluationTask.largestText else {
                throw Problem.tooLarge("\(what) has at most \(EvaluationTask.largestText >> 10) KiB")
            }
            try Submission.checkStored(text, as: what)
        }
        guard request.metric == EvaluationRequest.accuracy else {
            throw Problem.invalidRequest(
                "'metric' is \(DisplayedName.of(request.metric))", hint: "accuracy is what is measured here")
        }
        guard request.weights.utf8.count <= EvaluationTask.largestWeightsText else {
            throw Problem.tooLarge(
                "a model that is measured has at most \(EvaluationRequest.largestWeights >> 10) KiB of weights")
        }
        try Submission.checkStored(request.weights, as: "'weights'")
        guard request.budget.isFinite else { throw Problem.invalidRequest("epsilon and rho are finite numbers") }
        return try AnswerEncoding.bytes(request)
    }

    static func words(_ body: [UInt8]) -> String {
        (try? JSONDecoder().decode(EvaluationRequest.self, from: Data(body))).map { EvaluationTask.words($0, part) }
            ?? ""
    }

    // MARK: The run

    func run(
        _ grant: borrowing Grant<Self>, using randomness: inout SecureRandom
    ) -> Measured<EvaluationScore, SecureRandom>? {
        guard case .table(let table) = grant.tables[0],
            let key = try? grant.clustering(task.entry.manifest.population),
            var counts = task.counts(table, key, Self.part)
        else { return nil }
        task.noise.add(to: &counts, using: &randomness)
        return Measured(answer: EvaluationScore(right: counts[0], wrong: counts[1]), events: [task.noise.event])
    }

    // MARK: What leaves

    func document(
        _ release: Release<EvaluationScore>, _ terms: ReleaseTerms, feedback: ReleasedEvaluation.Feedback? = nil,
        final counts: ReleasedEvaluation.Final? = nil
    ) throws -> [UInt8] {
        try AnswerEncoding.bytes(
            ReleasedEvaluation(
                request: release.request, dataset: task.entry.manifest.name, version: task.entry.version,
                label: task.label, metric: task.request.metric, weights: task.digest, feedback: feedback,
                final: counts, noiseDeviation: task.noise.variance.squareRoot(), charge: terms.charge,
                notes: notes + terms.timeNotes, guarantees: terms.guarantees, nonce: Nonce.new()))
    }

    private var notes: [String] {
        let other = Self.part == .final ? "feedback" : "the final counts"
        return [
            "Of one half of the \(task.entry.unitWords)s, which a key of the site chose; the other half is for \(other).",
            "Rows without a label were left out.",
        ]
    }

    func review(at site: Datasite) throws -> WorkReview {
        let deviation = ShortNumber.text((task.noise.variance.squareRoot() * 10).rounded() / 10)
        let half = Double(task.entry.manifest.capacityRows) / 2
        let share = ShortNumber.text((task.noise.variance.squareRoot() / half * 1e5).rounded(.up) / 1e5)
        return WorkReview(
            notes: notes + [
                "Noise of standard deviation \(deviation) on the number of right rows, and on that of the others: of the share at most \(share) where the table is as full as declared, and more "
                    + "where it holds fewer rows.",
                "The answer comes \(AnswerTime.words(site.slot(site.limits, bound).length)) after the computation begins: the time follows the declared capacity, not the rows.",
            ])
    }
}

/// Feedback on a model while one works on it: the Ladder's best so far.
struct FeedbackWork: EngineWork, EvaluationWork {
    static let engine = EvaluationRule.feedback
    static let noun = "the feedback"
    static let part = EvaluationRequest.Part.feedback
    // The best so far follows from what was told before.
    static let followsEarlier = true

    let task: EvaluationTask
    let bound: PlanBound

    init(_ task: EvaluationTask, bound: PlanBound) { (self.task, self.bound) = (task, bound) }

    private var step: Int64 {
        task.rows.policy.rule(for: Self.engine, isAllowedUnlessSaid: false)?.evaluation?.step
            ?? EvaluationRule.usualStep
    }

    func following(
        _ release: Release<EvaluationScore>, of asker: String, in db: Database
    ) throws -> Release<EvaluationScore> {
        let standing = try LadderStanding.find(asker, version: task.entry.version, label: task.label, db)
        var score = release.answer
        score.standing = standing.following(score, task.noise, step: step)
        return release.replacing(answer: score)
    }

    func document(_ release: Release<EvaluationScore>, _ terms: ReleaseTerms) throws -> [UInt8] {
        let standing = release.answer.standing
        let best = standing.map { Double($0.best) * EvaluationRule.unit } ?? 0
        return try document(
            release, terms,
            feedback: ReleasedEvaluation.Feedback(
                best: best > 0 ? best : nil, isImproved: standing?.isImproved ?? false,
                step: Double(step) * EvaluationRule.unit, number: standing?.evaluations ?? 1))
    }

    func record(_ release: Release<EvaluationScore>, in context: inout WriteContext) throws {
        try release.answer.standing?.store(version: task.entry.version, label: task.label, context.db)
    }
}

/// How good a model is at the end: noisy counts of the half that no feedback was given on, once a model.
struct FinalWork: EngineWork, EvaluationWork {
    static let engine = EvaluationRule.final
    static let noun = "the final evaluation"
    static let part = EvaluationRequest.Part.final

    let task: EvaluationTask
    let bound: PlanBound

    /// Of the model, whatever file it came in, of what goes in, and of the version.
    private let model: String

    init(_ task: EvaluationTask, bound: PlanBound) {
        (self.task, self.bound) = (task, bound)
        model = task.modelDigest
    }

    func refusal(to asker: String, in db: Database) throws -> Problem? {
        let isThere = try Bool.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT 1 FROM requests JOIN final_evaluations f ON f.request = requests.id
                    WHERE f.dataset = :dataset AND f.model = :model AND requests.researcher = :asker
                        AND (requests.state = 'pending' OR \(RequestRow.isSpent))
                    LIMIT 1
                    """), arguments: ["dataset": task.entry.manifest.name, "model": model, "asker": asker])
        guard isThere == true else { return nil }
        return .conflict(
            "this model has had its final evaluation on \(task.entry.manifest.name), and there is one a model",
            hint: "its answer is in `parley history`")
    }

    func note(_ request: String, in db: Database) throws {
        try db.cachedStatement(sql: "INSERT INTO final_evaluations VALUES (:request, :dataset, :model)").execute(
            arguments: ["request": request, "dataset": task.entry.manifest.name, "model": model])
    }

    func document(_ release: Release<EvaluationScore>, _ terms: ReleaseTerms) throws -> [UInt8] {
        let score = release.answer
        let noise = score.noiseError(task.noise)
        let sampling = score.samplingError(rowsPerUnit: task.entry.manifest.unit.rowsPerUnit)
        let both = noise.flatMap { noise in sampling.map { (noise * noise + $0 * $0).squareRoot() } }
        return try document(
            release, terms,
            final: ReleasedEvaluation.Final(
                right: score.right, rows: score.rows, share: score.share, standardError: both, noiseError: noise))
    }
}
