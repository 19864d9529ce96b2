import DatasiteProtocol
import DifferentialPrivacy
import Federation
import Foundation
import Governance
import Query
import Secrets
import Tables

/// This site's part in a question to several: planned from question, manifest and policy alone. Its own numbers, with its share of the noise, go into a sum
/// that is opened over all sites or not at all; the answer follows from the sum (docs/privacy.md, rules 31 and 32).
struct FederatedAnswerWork: EngineWork {
    static let engine = FederationRule.questions
    static let noun = "the question to several sites"
    static let roles: Set<Role> = [.researcher]
    static let isAllowedUnlessSaid = false
    // It waits for others, and their owners.
    static let isLong = true
    static let isPaced = true

    let terms: FederatedQuestionTerms
    private let reading: Work
    private let round: Work

    var assets: [Catalogue.Entry] { [terms.entry] }
    var charge: Charge { Charge(loss: terms.joint.charge) }
    var unit: AskedUnit { terms.request.question.budget.unit }
    var askedError: Double? {
        if case .error(let relative, _) = terms.request.question.budget { relative } else { nil }
    }
    var bound: PlanBound { PlanBound(work: reading + round, memory: memory) }
    var steps: [WorkStep] { [WorkStep("opening the table", reading), WorkStep("adding up with the others", round)] }

    private var memory: Double { terms.joint.bound.memory + 400 * Double(terms.joint.length) }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        let request = try JSONDecoder().decode(FederatedQuestion.self, from: Data(body))
        terms = try FederatedQuestionTerms(request, site: knowledge.publicKey, in: knowledge.catalogue)
        // A table is opened, and a folder made: a tenth of what a round's storing is reckoned with.
        reading = Work([.scan: 50])
        // Of the noise a share as well.
        round =
            terms.joint.bound.work
            + RoundsSession.sending(length: terms.joint.length, sites: terms.rounds.roster.count)
    }

    // MARK: The request

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        try AnswerEncoding.bytes(FederatedQuestion(request))
    }

    static func words(_ body: [UInt8]) -> String {
        (try? JSONDecoder().decode(FederatedQuestion.self, from: Data(body))).map { request in
            "\(request.question.sql) -- with \(request.invitation.sites.count - 1) other sites, at \(request.invitation.coordinator)"
        } ?? ""
    }

    // MARK: The run

    func run(
        _ grant: borrowing Grant<FederatedAnswerWork>, using randomness: inout SecureRandom
    ) -> Measured<NoisyAnswer, SecureRandom>? {
        guard case .table(let table) = grant.tables[0] else { return nil }
        let session = RoundsSession(
            rounds: terms.rounds, plan: terms.plan, outside: grant.outside, workspace: grant.workspace,
            track: grant.track,
            bounds: .init(
                reading: reading, round: round,
                largestReply: RoundsSession.largestReply(
                    length: terms.joint.length, sites: terms.rounds.roster.count), blocks: [1],
                // Whoever asks waits for it: when she is gone, others may have the thread.
                patience: .seconds(60)))
        let result = session.run { _ in QuestionShare(plan: terms.joint, source: .table(table)) }
        guard let sum = result?.model.sum, let answer = terms.joint.answer(ofSum: sum.values) else { return nil }
        return Measured(answer: answer, events: terms.joint.events)
    }

    // MARK: What leaves

    var inputPrivacy: String? {
        "the rows stayed on the datasite; of its numbers a noisy sum with those of \(terms.rounds.roster.count - 1) other sites alone was opened"
    }

    func document(_ release: Release<NoisyAnswer>, _ terms: ReleaseTerms) throws -> [UInt8] {
        let (request, invitation) = (self.terms.request, self.terms.request.invitation)
        return try AnswerEncoding.bytes(
            Answer(
                request: release.request, dataset: request.question.dataset, version: self.terms.entry.version,
                sql: request.question.sql, charge: terms.charge, columns: AnswerEncoding.columns(release.answer),
                rows: AnswerEncoding.rows(release.answer), bounding: AnswerEncoding.bounding(release.answer),
                notes: [self.terms.promise] + release.answer.notes + terms.timeNotes, guarantees: terms.guarantees,
                mock: false,
                federation: Answer.Federation(
                    run: invitation.run, sites: invitation.sites, place: self.terms.rounds.index,
                    coordinator: invitation.coordinator, coordinatorKey: invitation.coordinatorKey,
                    planDigest: hexadecimal(self.terms.plan.digest), colluders: max(1, request.colluders)),
                nonce: Nonce.new()))
    }

    func review(at site: Datasite) throws -> WorkReview {
        let slot = site.slot(site.limits, PlanBound(work: round, memory: 0))
        let agreed = terms.agreed(slot: slot)
        guard terms.request.phaseSeconds > agreed.seconds else {
            throw Problem.invalidRequest(
                "'phaseSeconds' is \(ShortNumber.text(terms.request.phaseSeconds)), and this site's numbers leave after \(ShortNumber.text(agreed.seconds)) seconds, which follows from its "
                    + "declared capacity", hint: "twice that, for the network and the others")
        }
        return WorkReview(
            columns: terms.joint.columns.map(\.message),
            notes: [terms.rounds.words, terms.promise] + terms.joint.notes,
            document: String(decoding: try AnswerEncoding.bytes(agreed), as: UTF8.self))
    }
}

/// What a site's rows give a question: its numbers with its share of the noise. A round that is computed again is drawn anew, which is sound as long as what was
/// drawn before was not sent (`Participant`).
struct QuestionShare: LocalWork {
    let plan: JointPlan
    let source: RowSource

    mutating func update(
        of model: RunModel, in header: RoundHeader, carried: [Float]
    ) throws -> (update: LocalUpdate, carried: [Float]) {
        var random = SecureRandom()
        return (.integers(plan.share(source, using: &random)), carried)
    }
}
