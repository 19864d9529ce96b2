import DatasiteProtocol
import DifferentialPrivacy
import Federation
import Foundation
import Governance
import Learning
import Query
import Secrets
import Tables

/// This site's part in training with others: planned from plan, manifest and policy alone; what leaves in the middle are messages of the rounds, of which
/// the policy says what they may show (docs/privacy.md, rules 29 to 31).
struct FederatedWork: EngineWork {
    static let engine = FederationRule.engine
    static let noun = "training together"
    static let cheaper: String? = "more noise (a smaller `privacy.epsilon`), fewer rounds or smaller batches cost less"
    static let roles: Set<Role> = [.researcher]
    static let isAllowedUnlessSaid = false
    static let isLong = true
    static let isPaced = true

    let terms: FederatedTerms
    let charge: Charge
    let bounds: FederatedBounds

    var assets: [Catalogue.Entry] { [terms.task.entry] }
    var bound: PlanBound { PlanBound(work: bounds.work, memory: bounds.memory) }
    var steps: [WorkStep] { bounds.steps }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        let terms = try TrainingTask.asked {
            try FederatedTerms(try Self.request(body), site: knowledge.publicKey, in: knowledge.catalogue)
        }
        self.terms = terms
        charge = try TrainingTask.asked { try terms.charge() }
        let times = try knowledge.timings.measured(
            "federated training \(sha256Hex(Array(terms.request.plan.utf8))) \(terms.task.entry.version)"
        ) {
            let cost = try TrainingTask.asked { try terms.measuredCost(WorkCalibration.nanoseconds) }
            return [cost.step.row, cost.step.chunk, cost.step.step, cost.features]
        }
        bounds = FederatedBounds(
            terms,
            .init(step: PrivateStepCost(row: times[0], chunk: times[1], step: times[2]), features: times[3]))
    }

    // MARK: The request

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        try AnswerEncoding.bytes(FederatedRequest(request))
    }

    private static func request(_ body: [UInt8]) throws -> FederatedRequest {
        try JSONDecoder().decode(FederatedRequest.self, from: Data(body))
    }

    static func words(_ body: [UInt8]) -> String {
        (try? request(body)).map { request in
            TrainingTask.words(request.plan, verb: "TRAIN TOGETHER")
                + ", \(request.invitation.sites.count) sites, coordinated at \(request.invitation.coordinator)"
        } ?? ""
    }

    // MARK: The run

    func run(
        _ grant: borrowing Grant<FederatedWork>, using randomness: inout SecureRandom
    ) -> Measured<RoundsSession.Result, SecureRandom>? {
        guard case .table(let table) = grant.tables[0], let rows = terms.task.examples(table) else { return nil }
        let session = session(grant.outside, grant.workspace, grant.track)
        guard let result = result(of: session, rows) else { return nil }
        guard terms.plan.noise != nil else { return Measured(answer: result, events: []) }
        guard let event = try? terms.plan.event() else { return nil }
        return Measured(answer: result, events: [event])
    }

    func session(_ outside: Outside, _ workspace: Workspace, _ track: StepTrack) -> RoundsSession {
        RoundsSession(
            rounds: terms.rounds, plan: terms.plan, outside: outside, workspace: workspace, track: track,
            bounds: .init(
                reading: bounds.reading, round: bounds.round, largestReply: bounds.largestReply, blocks: terms.blocks))
    }

    func result(of session: RoundsSession, _ rows: Examples) -> RoundsSession.Result? {
        let parameters = FederatedTerms.shapes(of: terms.local.model)
        if terms.plan.noise == nil {
            return session.run { seed in
                features(rows).map { rows in
                    try? LocalTraining(
                        strategy: terms.plan.strategy, plan: terms.local, examples: rows,
                        batchRows: terms.task.document.batch, seed: seed, parameters: parameters)
                }
            }
        }
        return session.run { _ in
            features(rows).map { rows in
                try? PrivateLocalTraining(
                    terms.plan, training: terms.privatePlan, examples: rows, parameters: parameters)
            }
        }
    }

    /// What layers without weights make of the rows.
    private func features(_ rows: Examples) -> Examples? {
        guard terms.model.inputShape != terms.local.model.inputShape else { return rows }
        return try? terms.model.withoutFrozenLayers(rows, FederatedTerms.shapes(of: terms.model)).examples
    }

    // MARK: What leaves

    var inputPrivacy: String? {
        switch terms.plan.aggregation {
        case .plain: "the rows stayed on the datasite; its updates, which may show rows, were seen by the coordinator"
        case .masked(let threshold, let colluders):
            "the rows stayed on the datasite; of its updates the sum with others' alone was opened, of at least \(threshold) sites, to a coordinator "
                + "with at most \(colluders) of them in league"
        case .distributedNoise(let threshold, let colluders):
            "the rows stayed on the datasite; of its updates a noisy sum with others' alone was opened, of at least \(threshold) sites, to a "
                + "coordinator with at most \(colluders) of them in league"
        }
    }

    func document(_ release: Release<RoundsSession.Result>, _ terms: ReleaseTerms) throws -> [UInt8] {
        try AnswerEncoding.bytes(FederatedModelDocument(self.terms, release, terms).message())
    }

    func review(at site: Datasite) throws -> WorkReview {
        WorkReview(
            notes: terms.notes, document: String(decoding: try AnswerEncoding.bytes(terms.agreed), as: UTF8.self))
    }
}
