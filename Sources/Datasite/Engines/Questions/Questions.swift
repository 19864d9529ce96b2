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

    /// What work of any kind would cost, whether it would be done, and what its engine says of it beforehand: nothing is spent and no row is
    /// read.
    public func preview(_ request: WorkRequest, as identity: Identity) async throws -> Preview {
        try requireSound()
        let engine = try engineTable.engine(EngineName(rawValue: request.engine))
        try Submission.checkRole(identity, for: engine)
        let body: [UInt8]
        do { body = try engine.body(of: request.request, purpose: request.purpose) } catch let error as JSONError {
            throw Problem.invalidRequest(error.description)
        }
        let catalogue = try catalogue()
        return try await engines.admitting(identity.name) {
            try await planners.run(for: identity.name) {
                try reportingProblems {
                    let planned = try self.planned(engine, body, in: catalogue, isLimited: true)
                    return try self.preview(
                        planned, purpose: request.purpose, words: planned.words,
                        review: try planned.work.review(at: self), as: identity)
                }
            }
        }
    }

    private func preview(
        _ planned: PlannedWork, purpose: String?, words: String, review: WorkReview, as identity: Identity
    ) throws -> Preview {
        let now = clock.now()
        let state = try read { db in
            try planned.entries.map { entry -> (Policy, Spending) in
                guard let policy = entry.policy, let population = try PopulationRow.named(entry.manifest.population, db)
                else { throw Problem.unavailable("the dataset has no ledger") }
                return (
                    policy,
                    try Ledger.spending(population, researcher: identity.name, policy: policy, now: now, db)
                )
            }
        }
        let researcher = Identity(name: identity.name, role: .researcher)
        let approvals = planned.approvals(isHeld: try mustWait(planned, researcher))
        let refusal =
            planned.refusal(researcher: identity.name, purpose: purpose)
            ?? state.lazy.compactMap { policy, spending -> Refusal? in
                let decision = policy.decide(
                    researcher: identity.name, charge: planned.charge, purpose: purpose,
                    approval: policy.approval(of: planned.engine.engine), spending: spending, isHeld: approvals > 0)
                if case .refuse(let refusal) = decision { return refusal }
                return nil
            }.first
        let available = state.flatMap { policy, spending in
            policy.limits(for: identity.name, spending: spending).map { $0.limit.limit.room(after: $0.spent) }
        }
        let room = available.dropFirst().reduce(available[0]) { $0.minimum($1) }
        let conversion = planned.conversionDelta
        return Preview(
            dataset: planned.asked.manifest.name, sql: words,
            charge: planned.charge.wire(conversionDelta: conversion),
            available: LossWords.wire(limit: room, conversionDelta: conversion),
            decision: Self.words(refusal, planned, room, approvals: approvals),
            columns: review.columns, groups: nil, notes: review.notes,
            left: RefusalWords.left(room, planned))
    }

    private static func words(
        _ refusal: Refusal?, _ planned: PlannedWork, _ room: PrivacyLoss, approvals: Int
    ) -> String {
        if let refusal {
            return "would be refused: \(RefusalWords.problem(refusal, planned, room: room).detail)"
        }
        return approvals == 0
            ? "would be answered" : "would wait for the approval of \(approvals) owner\(approvals == 1 ? "" : "s")"
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
