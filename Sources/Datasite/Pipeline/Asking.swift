import Crypto
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

    var result: AskResult { .released(answer: answer, receipt: receipt) }
}

/// A request for work as it reaches the pipeline.
struct Submission: Sendable {
    let engine: any EngineWork.Type
    /// The engine's own form of the request.
    let body: [UInt8]
    /// What the answer is for, in the asker's words.
    var purpose: String?
    /// Names the request, so that repeating it after a failure is charged once.
    var key: String?
    /// Whether the same request that was charged and then cut short is completed in place of a new one.
    var resumesSame = false
    /// Told, before the first row is read, what is charged for good from here on, and whether it was already.
    var onCharge: @Sendable (_ request: String, _ charge: Loss, _ isResumed: Bool) -> Void = { _, _, _ in }

    /// A purpose has at most so many bytes.
    static let largestPurpose = 2_000

    static func checkRole(_ identity: Identity, for engine: any EngineWork.Type) throws {
        guard engine.roles.contains(identity.role) else {
            let roles = engine.roles.map(\.rawValue).sorted()
            throw Problem.forbidden(
                "only \(roles.map { $0 + "s" }.joined(separator: " and ")) ask for \(engine.noun)",
                hint: engine.roles == [.owner]
                    ? "in the site's folder" : "`parley user add NAME --role \(roles[0])`")
        }
    }

    /// Text that is stored as it is would end at a zero byte: what people decide on would not be what was said.
    static func checkStored(_ text: String?, as what: String) throws {
        guard text?.utf8.contains(0) != true else { throw Problem.invalidRequest("\(what) holds a zero byte") }
    }

    func check(_ identity: Identity) throws {
        try Self.checkRole(identity, for: engine)
        if let key {
            guard (1...128).contains(key.utf8.count), key.utf8.allSatisfy({ (33...126).contains($0) }) else {
                throw Problem.invalidRequest("an idempotency key has 1 to 128 visible ASCII characters")
            }
        }
        if let purpose, purpose.utf8.count > Self.largestPurpose {
            throw Problem.invalidRequest("a purpose has at most \(Self.largestPurpose) bytes")
        }
        try Self.checkStored(purpose, as: "a purpose")
    }
}

extension Datasite {
    /// Takes a request for work of any kind that researchers may ask for through the pipeline; a question that is asked so is
    /// the same request as by `ask`.
    ///
    /// - Parameter idempotencyKey: Names the request, so that repeating it after a failure is charged once.
    /// - Throws: A `Problem`: `invalid-request` for an engine that the site does not have, or a request that its engine does
    ///   not read; `forbidden` for work that only owners ask for.
    public func submit(
        _ request: WorkRequest, as identity: Identity, idempotencyKey: String? = nil
    ) async throws -> AskResult {
        try await submit(submission(request, key: idempotencyKey, as: identity), as: identity)
    }

    /// A request for work of any kind, read by its engine.
    func submission(_ request: WorkRequest, key: String?, as identity: Identity) throws -> Submission {
        let engine = try engineTable.engine(EngineName(rawValue: request.engine))
        try Submission.checkRole(identity, for: engine)
        do {
            let body = try engine.body(of: request.request, purpose: request.purpose)
            return Submission(engine: engine, body: body, purpose: request.purpose, key: key)
        } catch let error as JSONError {
            throw Problem.invalidRequest(error.description)
        }
    }

    /// Takes a request through the pipeline: plans, reserves durably, computes, stores, and gives the stored bytes at the
    /// end of their time slot.
    ///
    /// With an idempotency key a repeated call gives the stored answer, and completes at most once, under the same
    /// charge, what a crash cut short (docs/privacy.md, rule 8). A caller who goes away stops nothing.
    func submit(_ submission: Submission, as identity: Identity) async throws -> AskResult {
        try requireSound()
        try submission.check(identity)
        // Without a key the name is the call's own: nobody joins it.
        let name = "\(identity.name) \(submission.key.map { "key \($0)" } ?? "call \(ReserveAttempt.newID())")"
        let binding = submission.engine.engine.rawValue + submission.engine.digest(submission.body, version: "")
        return try await asking.joining(name, binding: binding) {
            do { return try await self.submitOnce(submission, identity) } catch {
                throw Problem.storage(error)
            }
        }
    }

    /// Plans work. What a researcher asks for is refused where this site does not compute so much; what was charged before
    /// is computed all the same.
    func planned(
        _ engine: any EngineWork.Type, _ body: [UInt8], in catalogue: Catalogue, isLimited: Bool
    ) throws -> PlannedWork {
        let knowledge = PublicKnowledge(
            catalogue: catalogue, lookup: { try self.lookupTable($0) }, timings: timings,
            publicKey: signingKey.publicKey.rawRepresentation,
            model: { try self.predictionModel($0, in: catalogue) })
        let planned = try PlannedWork(engine, body: body, in: knowledge)
        if isLimited { try limits.check(planned.work.bound, of: engine, threads: engines.threads) }
        return planned
    }

    private func submitOnce(_ submission: Submission, _ identity: Identity) async throws -> AskResult {
        // Each turn sees a newer catalogue, or the request that another process stored under the key.
        for _ in 0..<8 {
            if let key = submission.key,
                let row = try await planners.run(
                    for: identity.name,
                    {
                        try self.read { try RequestRow.find(researcher: identity.name, key: key, $0) }
                    })
            {
                return try await resume(row, submission)
            }
            let catalogue = try catalogue()
            // What goes on behind this call keeps its place: nobody is charged for what there is no place for.
            let admission = try place(of: submission.engine).threads.admission(of: identity.name)
            if let result = try await submitted(submission, identity, in: catalogue, admission) { return result }
        }
        throw Problem.conflict("the datasite is being changed", hint: "try again in a moment")
    }

    /// - Returns: nil: the catalogue is newer, or another process stored the request.
    private func submitted(
        _ submission: Submission, _ identity: Identity, in catalogue: Catalogue, _ admission: EngineThreads.Admission
    ) async throws -> AskResult? {
        defer { withExtendedLifetime(admission) {} }
        let isResearcher = identity.role == .researcher
        let (planned, waits, process) = try await planners.run(for: identity.name) {
            let planned = try self.planned(
                submission.engine, submission.body, in: catalogue, isLimited: isResearcher)
            if !isResearcher { try self.limits.checkMemory(of: planned) }
            return (planned, try self.mustWait(planned, identity), try self.lifeline())
        }
        if isResearcher {
            try storage.take(submission.body.count, researcher: identity.name, now: clock.now())
        }
        var attempt = ReserveAttempt(planned, submission, asker: identity, waits: waits)
        attempt.process = process
        switch try await commit.perform({ [attempt] in try attempt.run(in: &$0) }) {
        case .reserved(let id, let isResumed):
            submission.onCharge(id, planned.charge.wire(conversionDelta: planned.conversionDelta), isResumed)
            if submission.engine.isLong {
                return .pending(try await self.begun(id, planned, admission, isAnnounced: true))
            }
            let stored = try await self.answer(id, planned, isAnnounced: true)
            if isResearcher { storage.add(stored.answer.count, researcher: identity.name) }
            return stored.result
        case .pending(let row):
            let summary = try summary(row, catalogue)
            notify(row, summary)
            return .pending(summary)
        case .refused(let problem):
            refusals.add(1, ordering: .relaxed)
            if isResearcher { storage.addRefusal(researcher: identity.name) }
            throw problem
        case .stale, .duplicate: return nil
        }
    }

    /// A request that is stored under the key already.
    private func resume(_ row: RequestRow, _ submission: Submission) async throws -> AskResult {
        guard row.engine == submission.engine.engine,
            row.digest == submission.engine.digest(submission.body, version: row.asked.version)
        else {
            throw Problem.conflict(
                "this idempotency key belongs to another request", hint: "use a new key for a new request")
        }
        switch row.state {
        case .released: return try await reading { try $0.storedAnswer(row.id).result }
        case .pending: return .pending(try summary(row, try catalogue()))
        case .denied, .lapsed: throw row.notDecided(hint: "nothing was charged; ask again with a new key")
        case .cancelled: throw row.cancelled
        case .reserved where submission.engine.isLong: return .pending(try await resumeLong(row))
        case .reserved: return try await complete(row).result
        }
    }

    /// Computes the answer of a reserved request that has none: after a crash, or after its approval.
    func complete(_ row: RequestRow) async throws -> StoredAnswer {
        let engine = try engineTable.engine(row.engine)
        guard !row.isLost else {
            throw Problem.conflict(
                "a restore of the datasite lost what became of this request; its charge is kept", hint: engine.askAgain)
        }
        if engine.isLong { try await checkIsNotComputed(row) }
        return try await place(of: engine).threads.admitting(row.researcher) {
            try await self.answer(row.id, try await self.plannedAgain(row, engine), isAnnounced: false)
        }
    }

    /// A request that is charged, planned as it was.
    func plannedAgain(_ row: RequestRow, _ engine: any EngineWork.Type) async throws -> PlannedWork {
        let catalogue = try catalogue()
        let planned = try await planners.run(for: row.researcher) {
            try self.planned(engine, row.body, in: catalogue, isLimited: false)
        }
        let changed = try await reading { site in try site.read { try planned.changedAsset(since: row, $0) } }
        guard changed == nil, planned.charge == row.charge else {
            throw Problem.conflict(
                "\(changed ?? "the plan") changed since the request was charged; its charge is kept",
                hint: engine.askAgain)
        }
        return planned
    }

    func storedAnswer(_ id: String) throws -> StoredAnswer {
        guard let stored = try read({ try AnswerRow.find(id, $0) }) else {
            try checkNotCancelled(id)
            throw Problem.absent("the request has no answer")
        }
        return StoredAnswer(answer: Array(stored.answer), receipt: Array(stored.receipt))
    }

    func checkNotCancelled(_ id: String) throws {
        if let row = try read({ try RequestRow.find(id, $0) }), row.state == .cancelled { throw row.cancelled }
    }

    func summary(_ row: RequestRow, _ catalogue: Catalogue) throws -> RequestSummary {
        row.summary(
            words: words(row),
            conversionDelta: catalogue.datasets[row.asked.dataset]?.policy?.regime.conversionDelta ?? 0)
    }
}
