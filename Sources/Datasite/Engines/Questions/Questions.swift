public import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Tables

/// A question with its plan, where more is asked of it than the pipeline does: a preview, a mock answer.
struct PlannedQuestion: Sendable {
    let planned: PlannedWork
    let work: QuestionWork
    let purpose: String?
}

extension Datasite {
    /// What a question would cost and how precise it would be: from its plan; nothing is spent and no row is read.
    public func preview(_ request: AskRequest, as identity: Identity) async throws -> Preview {
        try requireSound()
        let catalogue = try catalogue()
        return try await engines.admitting(identity.name) {
            try await planners.run(for: identity.name) {
                try reportingProblems { try self.preview(self.question(request, in: catalogue), as: identity) }
            }
        }
    }

    private func preview(_ question: PlannedQuestion, as identity: Identity) throws -> Preview {
        let plan = question.work.plan
        var preview = try preview(
            question.planned, purpose: question.purpose, words: question.work.request.sql,
            review: WorkReview(columns: plan.columns.map(\.message), notes: plan.notes), as: identity)
        preview.groups = plan.groups
        preview.notes += AnswerTime.note(slot(limits, question.planned.work.bound), question.planned.entries)
        return preview
    }

    /// Asks: plans, reserves durably, computes, stores, and gives the stored bytes at the end of their time slot.
    ///
    /// With an idempotency key a repeated call gives the stored answer, and completes at most once, under the same
    /// charge, what a crash cut short (docs/privacy.md, rule 8). A caller who goes away stops nothing.
    public func ask(
        _ request: AskRequest, as identity: Identity, idempotencyKey: String? = nil
    ) async throws -> AskResult {
        try await submit(
            Submission(
                engine: QuestionWork.self, body: try QuestionWork.body(request), purpose: request.purpose,
                key: idempotencyKey),
            as: identity)
    }

    /// Plans a question, and refuses what this site does not compute.
    func question(_ request: AskRequest, in catalogue: Catalogue) throws -> PlannedQuestion {
        let planned = try planned(
            QuestionWork.self, QuestionWork.body(request), in: catalogue, isLimited: true)
        guard let work = planned.work as? QuestionWork else { throw Problem.unavailable("the plan is no question's") }
        return PlannedQuestion(planned: planned, work: work, purpose: request.purpose)
    }
}

extension PlannedColumn {
    /// As previews and reviews have it.
    var message: Preview.Column {
        Preview.Column(
            name: name, type: type.rawValue, isKey: isKey, mechanism: mechanism, standardDeviation: standardDeviation,
            expectedError: expectedError)
    }
}
