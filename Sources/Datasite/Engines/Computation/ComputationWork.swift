import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import ModularArithmetic
import Query
import Secrets
import SecureComputation
import SecureStatistics
import Tables

/// This site's part in a computation on shares with two others: planned from request, manifest and policy alone. What goes to another site is a share, or masked; what is opened is the result (docs/privacy.md, rules 33 and 34).
struct ComputationWork: EngineWork {
    static let engine = ComputationRule.engine
    static let noun = "the computation"
    static let roles: Set<Role> = [.researcher]
    static let isAllowedUnlessSaid = false
    // It waits for the other sites, and their owners.
    static let isLong = true
    static let isPaced = true
    // What was drawn for it serves once.
    static let goesOn = false

    /// What was opened, and in which session.
    struct Computed: Sendable {
        let session: Data
        let outputs: [RingTensor]
    }

    let task: ComputationTask
    let bounds: ComputationBounds

    var assets: [Catalogue.Entry] { [task.entry] }
    let charge: Charge
    var bound: PlanBound { PlanBound(work: bounds.reading + bounds.computing, memory: bounds.memory) }
    var steps: [WorkStep] {
        [WorkStep("reading its rows", bounds.reading), WorkStep("computing with the others", bounds.computing)]
    }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        let task = try ComputationTask(try AskedComputation(body), site: knowledge.publicKey, in: knowledge.catalogue)
        let ofTables = task.plan.join != nil
        let times = knowledge.timings.measured(ofTables ? "three parties' tables" : "three parties") {
            ComputationBounds.measured(ofTables: ofTables)
        }
        self.task = task
        bounds = ComputationBounds(task, nanoseconds: times)
        charge = Charge(loss: try Self.loss(task), uses: 1)
    }

    /// A site without rows loses nothing.
    private static func loss(_ task: ComputationTask) throws -> PrivacyLoss? {
        guard let event = event(task), let policy = task.entry.policy else { return nil }
        do { return try event.loss(kind: policy.regime.kind) } catch { throw Problem.invalidRequest("\(error)") }
    }

    private static func event(_ task: ComputationTask) -> PrivacyEvent? {
        task.rows == 0 ? nil : task.plan.noise.map { .zeroConcentrated(rho: $0.rho) }
    }

    // MARK: The request

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        try AskedComputation(request).stored
    }

    static func words(_ body: [UInt8]) -> String {
        guard let asked = try? AskedComputation(body) else { return "" }
        let (rho, coordinator) = (asked.request.rho, asked.request.invitation.coordinator)
        return (rho == nil ? "WITHOUT NOISE, " : "") + asked.words + ", "
            + (rho.map { "with noise for rho \(ShortNumber.text($0)), " } ?? "") + "by way of \(coordinator)"
    }

    // MARK: The run

    func run(
        _ grant: borrowing Grant<ComputationWork>, using randomness: inout SecureRandom
    ) -> Measured<Computed, SecureRandom>? {
        guard case .table(let table) = grant.tables[0] else { return nil }
        let exchange = ComputationExchange(
            task: task, bounds: bounds,
            desk: RoundsDesk(outside: grant.outside, workspace: grant.workspace, track: grant.track))
        let events = Self.event(task).map { [$0] } ?? []
        return exchange.run(table).map { Measured(answer: $0, events: events) }
    }

    // MARK: What leaves

    var inputPrivacy: String? {
        task.rows == 0
            ? "no rows of this site went in; it has shares of the two others', of which it could read nothing, and with one of them everything"
            : "the rows stayed on the datasite; two other sites have shares of them, of which neither could read anything, and both together everything"
    }
    var outputPrivacy: String? { task.outputPrivacy }
    var inputVerification: String? { task.plan.inputVerification }

    private var notes: [String] { task.plan.notes + (task.noiseNote.map { [$0] } ?? []) }

    func document(_ release: Release<Computed>, _ terms: ReleaseTerms) throws -> [UInt8] {
        try task.plan.document(
            ComputationTerms(
                request: release.request, version: task.entry.version, place: task.rounds.index,
                session: release.answer.session, outputs: release.answer.outputs, notes: notes, release: terms))
    }

    func review(at site: Datasite) throws -> WorkReview {
        let most = task.plan.join == nil ? "" : "at most "
        return WorkReview(
            notes: [task.rounds.words] + notes + [
                "\(most)\(task.plan.cost.rounds) rounds, \(most)\(task.plan.cost.bytes) bytes among all three sites."
            ],
            document: String(decoding: try AnswerEncoding.bytes(task.agreement), as: UTF8.self))
    }
}
