import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Learning
import Query
import Secrets
import Tables

/// A model trained on a dataset, private to each of its units: planned from plan, manifest and policy alone (docs/privacy.md, rules 29
/// and 30).
struct TrainingWork: EngineWork {
    static let engine = TrainingRule.engine
    static let noun = "the training"
    static let cheaper: String? = "more noise (a smaller `privacy.epsilon`), fewer epochs or smaller batches cost less"
    static let roles: Set<Role> = [.researcher]
    static let isAllowedUnlessSaid = false
    static let isLong = true

    let terms: TrainingTerms
    let charge: Charge
    let bound: PlanBound
    let steps: [WorkStep]

    var assets: [Catalogue.Entry] { [terms.entry] }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        let terms = try TrainingTask.asked {
            try TrainingTerms(planText: try Self.request(body).plan, in: knowledge.catalogue)
        }
        self.terms = terms
        charge = Charge(loss: try TrainingTask.asked { try terms.loss() })
        let times = try knowledge.timings.measured("training \(sha256Hex(body)) \(terms.entry.version)") {
            let cost = try TrainingTask.asked { try terms.measuredCost() }
            return [cost.row, cost.chunk, cost.step]
        }
        let bounds = TrainingBounds(terms, PrivateStepCost(row: times[0], chunk: times[1], step: times[2]))
        bound = PlanBound(work: bounds.work, memory: bounds.memory)
        steps = bounds.steps
    }

    // MARK: The request

    /// What is asked: the plan's text as its file has it, so that what is wrong in it is told by line and column.
    struct Request: Codable, Sendable {
        var plan: String
    }

    static let largestPlan = 64 << 10

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        var request = request
        let plan = try request.string("plan")
        try request.finish()
        guard plan.utf8.count <= largestPlan else {
            throw Problem.tooLarge("a plan has at most \(largestPlan >> 10) KiB")
        }
        try Submission.checkStored(plan, as: "a plan")
        return try AnswerEncoding.bytes(Request(plan: plan))
    }

    private static func request(_ body: [UInt8]) throws -> Request {
        try JSONDecoder().decode(Request.self, from: Data(body))
    }

    static func words(_ body: [UInt8]) -> String {
        (try? request(body)).map { TrainingTask.words($0.plan, verb: "TRAIN") } ?? ""
    }

    // MARK: The run

    func run(
        _ grant: borrowing Grant<TrainingWork>, using randomness: inout SecureRandom
    ) -> Measured<TrainedModel, SecureRandom>? {
        guard case .table(let table) = grant.tables[0], let examples = terms.task.examples(table) else { return nil }
        let session = PrivateTrainingSession(
            terms: terms, digest: grant.reservation.request, workspace: grant.workspace)
        let blocks = terms.blocks
        let track = grant.track
        guard
            let model = session.train(
                examples, blocks: blocks, goesOn: { track.goesOn }, finish: { track.finish($0) }, using: &randomness)
        else { return nil }
        return Measured(answer: model, events: [terms.privacy.event])
    }

    // MARK: What leaves

    func document(_ release: Release<TrainedModel>, _ terms: ReleaseTerms) throws -> [UInt8] {
        try AnswerEncoding.bytes(TrainedModelDocument(self.terms, release, terms).message)
    }

    func review(at site: Datasite) throws -> WorkReview {
        WorkReview(notes: try terms.notes(slot: site.slot(site.limits, bound).length))
    }
}
