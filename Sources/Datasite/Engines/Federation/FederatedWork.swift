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
        let terms = try Self.asked {
            try FederatedTerms(try Self.request(body), site: knowledge.publicKey, in: knowledge.catalogue)
        }
        self.terms = terms
        charge = try Self.asked { try terms.charge() }
        let times = try knowledge.timings.measured(
            "federated training \(sha256Hex(Array(terms.request.plan.utf8))) \(terms.task.entry.version)"
        ) {
            let cost = try Self.asked { try terms.measuredCost(WorkCalibration.nanoseconds) }
            return [cost.step.row, cost.step.chunk, cost.step.step, cost.features]
        }
        bounds = FederatedBounds(
            terms,
            .init(step: PrivateStepCost(row: times[0], chunk: times[1], step: times[2]), features: times[3]))
    }

    /// What is wrong in a plan that was sent is wrong in the request: its reader is the one of files.
    private static func asked<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let problem as Problem where problem.kind == .invalidManifest {
            throw Problem(.invalidRequest, problem.detail, hint: problem.hint)
        }
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
                + ", \(request.sites.count) sites, coordinated at \(request.coordinator)"
        } ?? ""
    }

    // MARK: The run

    func run(
        _ grant: borrowing Grant<FederatedWork>, using randomness: inout SecureRandom
    ) -> Measured<FederatedSession.Result, SecureRandom>? {
        guard case .table(let table) = grant.tables[0], let rows = terms.task.examples(table) else { return nil }
        let session = FederatedSession(
            terms: terms, outside: grant.outside, workspace: grant.workspace, track: grant.track, bounds: bounds)
        guard let result = session.run(rows) else { return nil }
        guard terms.plan.noise != nil else { return Measured(answer: result, events: []) }
        guard let event = try? terms.plan.event() else { return nil }
        return Measured(answer: result, events: [event])
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

    func document(_ release: Release<FederatedSession.Result>, _ terms: ReleaseTerms) throws -> [UInt8] {
        try AnswerEncoding.bytes(FederatedModelDocument(self.terms, release, terms).message())
    }

    func review(at site: Datasite) throws -> WorkReview {
        WorkReview(
            notes: terms.notes, document: String(decoding: try AnswerEncoding.bytes(terms.agreed), as: UTF8.self))
    }
}
