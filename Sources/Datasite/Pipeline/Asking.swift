public import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Synchronization
import Tables

/// What `ask` gives.
public enum AskResult: Sendable, Hashable {
    /// The answer's bytes as they are stored and hashed, and its receipt.
    case released(answer: [UInt8], receipt: [UInt8])
    /// The request waits for its owners.
    case pending(RequestSummary)
}

/// An answer as it is stored.
struct StoredAnswer: Sendable {
    var answer: [UInt8]
    var receipt: [UInt8]
}

extension Datasite {
    /// What a question would cost and how precise it would be: from its plan; nothing is spent and no row is read.
    public func preview(_ request: AskRequest, as identity: Identity) async throws -> Preview {
        try requireSound()
        let catalogue = try catalogue()
        return try await engines.admitting(identity.name) {
            try await planners.run {
                try reportingProblems { try self.preview(self.planned(request, in: catalogue), as: identity) }
            }
        }
    }

    private func preview(_ planned: PlannedRequest, as identity: Identity) throws -> Preview {
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
        let approvals = planned.approvals(isHeld: try mustWait(planned, identity.name))
        let decisions = state.map { policy, spending in
            policy.decide(
                researcher: identity.name, charge: planned.charge, spending: spending, isHeld: approvals > 0)
        }
        let available = state.flatMap { policy, spending in
            let spent = [spending.total] + (policy.perResearcher == nil ? [] : [spending.researcher]) + spending.windows
            return zip(policy.limits(for: identity.name), spent).map { $0.limit.left(after: $1) }
        }
        let conversion = planned.regime.conversionDelta
        return Preview(
            dataset: planned.request.dataset, sql: planned.request.sql,
            charge: LossWords.wire(planned.charge, conversionDelta: conversion),
            available: LossWords.wire(
                available.dropFirst().reduce(available[0]) { $0.minimum($1) }, conversionDelta: conversion),
            decision: Self.words(decisions, planned, approvals: approvals),
            columns: planned.plan.columns.map(Self.column),
            groups: planned.plan.groups, notes: planned.plan.notes + waitNote(planned))
    }

    private static func words(_ decisions: [Decision], _ planned: PlannedRequest, approvals: Int) -> String {
        for case .refuse(let refusal) in decisions {
            return "would be refused: \(RefusalWords.problem(refusal, planned).detail)"
        }
        return approvals == 0
            ? "would be answered" : "would wait for the approval of \(approvals) owner\(approvals == 1 ? "" : "s")"
    }

    /// How long a dear answer takes: the same for every table under these manifests.
    private func waitNote(_ planned: PlannedRequest) -> [String] {
        let length = slot(limits, planned.plan.bound).length
        guard length >= .seconds(1) else { return [] }
        return [
            "The answer leaves after \(LossWords.number((length / .milliseconds(100)).rounded() / 10)) s: 4 to 5 times the most "
                + "that the question can take on the declared capacity. Declared bounds and domains of keys, and shorter "
                + "texts, make it less."
        ]
    }

    private static func column(_ column: PlannedColumn) -> Preview.Column {
        Preview.Column(
            name: column.name, type: column.type.rawValue, isKey: column.isKey, mechanism: column.mechanism,
            standardDeviation: column.standardDeviation, expectedError: column.expectedError)
    }

    /// Asks: plans, reserves durably, computes, stores, and gives the stored bytes at the end of their time slot.
    ///
    /// With an idempotency key a repeated call gives the stored answer, and completes at most once, under the same
    /// charge, what a crash cut short (docs/privacy.md, rule 8). A caller who goes away stops nothing.
    public func ask(
        _ request: AskRequest, as identity: Identity, idempotencyKey: String? = nil
    ) async throws -> AskResult {
        try requireSound()
        guard identity.role == .researcher else {
            throw Problem.forbidden("only researchers ask", hint: "`parley user add NAME --role researcher`")
        }
        if let idempotencyKey { try Self.check(idempotencyKey) }
        // Without a key the name is the call's own: nobody joins it.
        let name = "\(identity.name) \(idempotencyKey.map { "key \($0)" } ?? "call \(ReserveAttempt.newID())")"
        return try await asking.joining(name, binding: request.digest(datasetVersion: "")) {
            do { return try await self.askOnce(request, identity.name, idempotencyKey) } catch {
                throw Problem.storage(error)
            }
        }
    }

    /// Plans a question, and refuses what this site does not compute; what was charged before is computed all the same.
    func planned(
        _ request: AskRequest, in catalogue: Catalogue, isCharged: Bool = false
    ) throws -> PlannedRequest {
        let planned = try PlannedRequest(request, in: catalogue) { try lookupTable($0).rowCount }
        if !isCharged { try limits.check(planned.plan.bound, threads: engines.threads) }
        return planned
    }

    private static func check(_ key: String) throws {
        guard (1...128).contains(key.utf8.count), key.utf8.allSatisfy({ (33...126).contains($0) }) else {
            throw Problem.invalidRequest("an idempotency key has 1 to 128 visible ASCII characters")
        }
    }

    private func askOnce(_ request: AskRequest, _ researcher: String, _ key: String?) async throws -> AskResult {
        // Each turn sees a newer catalogue, or the request that another process stored under the key.
        for _ in 0..<8 {
            if let key, let row = try read({ try RequestRow.find(researcher: researcher, key: key, $0) }) {
                return try await resume(row, request)
            }
            let catalogue = try catalogue()
            let result = try await engines.admitting(researcher) { () -> AskResult? in
                let planned = try await planners.run { try self.planned(request, in: catalogue) }
                try storage.take(request, researcher: researcher, now: clock.now())
                let attempt = try ReserveAttempt(
                    planned, researcher: researcher, key: key, waits: try mustWait(planned, researcher))
                switch try await commit.perform({ try attempt.run(in: &$0) }) {
                case .reserved(let id):
                    let stored = try await self.answer(id, planned)
                    storage.add(stored.answer.count, researcher: researcher)
                    return stored.result
                case .pending(let row): return .pending(row.summary(conversionDelta: planned.regime.conversionDelta))
                case .refused(let problem):
                    refusals.add(1, ordering: .relaxed)
                    storage.addRefusal(researcher: researcher)
                    throw problem
                case .stale, .duplicate: return nil
                }
            }
            if let result { return result }
        }
        throw Problem.conflict("the datasite is being changed", hint: "try again in a moment")
    }

    /// A request that is stored under the key already.
    private func resume(_ row: RequestRow, _ request: AskRequest) async throws -> AskResult {
        guard row.digest == request.digest(datasetVersion: row.version) else {
            throw Problem.conflict(
                "this idempotency key belongs to another request", hint: "use a new key for a new request")
        }
        switch row.state {
        case .released: return try storedAnswer(row.id).result
        case .pending: return .pending(summary(row, try catalogue()))
        case .denied, .lapsed:
            throw Problem.notAllowed(
                "the request was \(row.state == .denied ? "denied" : "not decided")"
                    + (row.reason.map { ": \($0)" } ?? ""), hint: "nothing was charged; ask again with a new key")
        case .reserved: return try await complete(row).result
        }
    }

    /// Computes the answer of a reserved request that has none: after a crash, or after its approval.
    func complete(_ row: RequestRow) async throws -> StoredAnswer {
        guard !row.isLost else {
            throw Problem.conflict(
                "a restore of the datasite lost what became of this request; its charge is kept",
                hint: "ask again with a new idempotency key")
        }
        let catalogue = try catalogue()
        return try await engines.admitting(row.researcher) {
            let planned = try await planners.run { try self.planned(row.body, in: catalogue, isCharged: true) }
            let second = planned.entries.first { $0.version != planned.asked.version }?.version
            guard planned.asked.version == row.version, second == row.secondVersion, planned.charge == row.loss else {
                throw Problem.conflict(
                    "the dataset changed since the request was charged; its charge is kept",
                    hint: "ask again with a new idempotency key")
            }
            return try await self.answer(row.id, planned)
        }
    }

    func storedAnswer(_ id: String) throws -> StoredAnswer {
        let stored = try read { db in
            try Row.fetchOne(
                db.cachedStatement(sql: "SELECT answer, receipt FROM answers WHERE request = ?"), arguments: [id]
            ).map { StoredAnswer(answer: Array($0[0] as Data), receipt: Array($0[1] as Data)) }
        }
        guard let stored else { throw Problem.absent("the request has no answer") }
        return stored
    }

    func summary(_ row: RequestRow, _ catalogue: Catalogue) -> RequestSummary {
        row.summary(conversionDelta: catalogue.datasets[row.body.dataset]?.policy?.regime.conversionDelta ?? 0)
    }
}

extension StoredAnswer {
    var result: AskResult { .released(answer: answer, receipt: receipt) }
}
