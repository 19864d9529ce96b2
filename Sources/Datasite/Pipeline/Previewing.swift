public import DatasiteProtocol
import DifferentialPrivacy
import Governance

extension Datasite {
    /// What work of any kind would cost, whether it would be done, and what its engine says of it beforehand: nothing is spent and no row is
    /// read.
    public func preview(_ request: WorkRequest, as identity: Identity) async throws -> Preview {
        try requireSound()
        let submission = try submission(request, key: nil, as: identity)
        let catalogue = try catalogue()
        return try await engines.admitting(identity.name) {
            try await planners.run(for: identity.name) {
                try reportingProblems {
                    let planned = try self.planned(submission.engine, submission.body, in: catalogue, isLimited: true)
                    return try self.preview(
                        planned, purpose: submission.purpose, words: planned.words,
                        review: try planned.work.review(at: self), as: identity)
                }
            }
        }
    }

    /// - Parameter review: What the engine says of the work beforehand.
    func preview(
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
        let uses = try useLimits(planned, of: identity)
        let researcher = Identity(name: identity.name, role: .researcher)
        let isHeld = try mustWait(planned, researcher)
        let approvals = planned.approvals(isHeld: isHeld)
        let refusal =
            planned.refusal(researcher: identity.name, purpose: purpose)
            ?? state.lazy.compactMap { policy, spending -> Refusal? in
                let decision = policy.decide(
                    researcher: identity.name, charge: planned.charge, purpose: purpose,
                    approval: policy.approval(of: planned.engine.engine), spending: spending, isHeld: approvals > 0)
                if case .refuse(let refusal) = decision { return refusal }
                return nil
            }.first
        let earlier = try read { try planned.work.refusal(to: identity.name, in: $0) }
        let exceeded = uses.lazy.compactMap { $0.exceeded(by: planned.charge.uses) }.first
        let available = state.flatMap { policy, spending in
            policy.limits(for: identity.name, spending: spending).map { $0.limit.limit.room(after: $0.spent) }
        }
        let room = available.dropFirst().reduce(available[0]) { $0.minimum($1) }
        let problem =
            refusal.map { RefusalWords.problem($0, planned, room: room) }
            ?? exceeded.map { RefusalWords.overBudget($0, planned, room: room, isResearcher: true) } ?? earlier
        return Preview(
            dataset: planned.asked.manifest.name, sql: words,
            charge: planned.charge.wire(conversionDelta: planned.conversionDelta),
            available: Self.available(room, uses, planned),
            decision: Self.words(problem, approvals: approvals),
            columns: review.columns, groups: nil,
            notes: review.notes
                + (isHeld
                    ? [
                        "An owner decides whatever the policy says: \(Self.missedSlotsAllowed) answers to \(identity.name) left later than their time. One approval ends that."
                    ]
                    : []),
            left: planned.charge.loss.flatMap { _ in RefusalWords.left(room, planned) }, document: review.document,
            approvals: problem == nil ? approvals : nil)
    }

    /// Of each dataset that it reads, where uses are counted.
    private func useLimits(_ planned: PlannedWork, of identity: Identity) throws -> [UseLedger.Limit] {
        guard planned.charge.uses > 0 else { return [] }
        return try read { db in
            try planned.entries.flatMap { entry in
                try planned.rule(of: entry).map {
                    try UseLedger.limits(
                        of: entry.manifest.name, engine: planned.engine.engine, by: identity.name, rule: $0, in: db)
                } ?? []
            }
        }
    }

    /// In what the work is charged in: the loss, the uses, or both.
    private static func available(_ room: PrivacyLoss, _ uses: [UseLedger.Limit], _ planned: PlannedWork) -> Loss {
        var available =
            planned.charge.loss == nil
            ? Loss(kind: "uses") : LossWords.wire(limit: room, conversionDelta: planned.conversionDelta)
        if planned.charge.uses > 0 { available.uses = uses.map(\.left).min() ?? 0 }
        return available
    }

    private static func words(_ problem: Problem?, approvals: Int) -> String {
        if let problem { return "would be refused: \(problem.detail)" }
        return approvals == 0
            ? "would be answered" : "would wait for the approval of \(approvals) owner\(approvals == 1 ? "" : "s")"
    }
}
