public import DatasiteProtocol
import DifferentialPrivacy
import GRDB
import Governance
import Query

extension Datasite {
    /// The newest requests: her own for a researcher, all for owners and auditors.
    ///
    /// - Parameters:
    ///   - state: Only those in that state (a `RequestSummary.state`).
    ///   - before: Only those older than this request: the last of one page begins the next.
    ///   - limit: At most that many, from 1 to 10,000.
    public func requests(
        as identity: Identity, state: String? = nil, before: String? = nil, limit: Int = 1_000
    ) throws -> [RequestSummary] {
        let catalogue = try catalogue()
        let state = try state.map { name in
            guard let state = RequestState(rawValue: name) else {
                let states = RequestState.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem.invalidRequest("there is no state \(DisplayedName.of(name)); there are \(states)")
            }
            return state
        }
        if let before { _ = try row(before, as: identity) }
        return try read { db in
            try RequestRow.list(
                researcher: identity.role == .researcher ? identity.name : nil, state: state, before: before,
                limit: max(1, min(limit, 10_000)), db)
        }.map { try summary($0, catalogue) }
    }

    /// A request and where it stands.
    ///
    /// - Throws: `not-found`, also for what she may not see.
    public func request(_ id: String, as identity: Identity) throws -> RequestSummary {
        try summary(try row(id, as: identity), try catalogue())
    }

    /// A request whole, for the owner who decides on it: with its expected error, and its answer on mock rows.
    ///
    /// - Throws: `forbidden` for others than owners, `not-found`.
    public func review(_ id: String, as identity: Identity) async throws -> RequestReview {
        try Self.requireOwner(identity)
        let catalogue = try catalogue()
        return try await engines.admitting(identity.name) {
            // With the mock answer, so where those are made.
            try await mocks.run(for: identity.name) {
                let site = self
                let row = try site.row(id, as: identity)
                var review = RequestReview(request: try site.summary(row, catalogue))
                do {
                    let engine = try site.engineTable.engine(row.engine)
                    let planned = try site.planned(engine, row.body, in: catalogue, isLimited: false)
                    let own = try planned.work.review(at: site)
                    (review.columns, review.notes, review.mock) = (own.columns, own.notes, own.mock)
                    if row.state == .pending,
                        let reason = try site.read({ try ApprovalAttempt.refusal(row, planned, $0) })
                    {
                        review.problem = "it would lapse in place of being approved: \(reason)"
                    }
                } catch let problem as Problem {
                    review.problem = problem.detail
                }
                return review
            }
        }
    }

    /// The stored bytes of a released answer. Completes, once and under its charge, a reserved request that a crash or a
    /// restart left without one.
    ///
    /// - Throws: `forbidden` for auditors, who never see answers' values.
    public func answer(_ id: String, as identity: Identity) async throws -> [UInt8] {
        guard identity.role != .auditor else { throw Problem.forbidden("auditors do not see answers") }
        let row = try await reading { try $0.row(id, as: identity) }
        switch row.state {
        case .released: return try await reading { try $0.storedAnswer(id).answer }
        case .pending: throw Problem.conflict("the request waits for approval", hint: "ask again later")
        case .denied, .lapsed:
            throw row.notDecided(hint: "nothing was charged")
        case .cancelled: throw row.cancelled
        case .reserved:
            try requireSound()
            if try engineTable.engine(row.engine).isLong, identity != Self.localOwner {
                _ = try await resumeLong(row)
                throw Problem.conflict("it is being computed", hint: "`parley jobs follow \(id)` says when it is done")
            }
            return try await complete(row).answer
        }
    }

    /// The receipt of a released answer.
    public func receipt(_ id: String, as identity: Identity) throws -> [UInt8] {
        _ = try row(id, as: identity)
        return try storedAnswer(id).receipt
    }

    /// What she may not see is not there.
    private func row(_ id: String, as identity: Identity) throws -> RequestRow {
        try read { try Self.row(id, as: identity, $0) }
    }

    static func row(_ id: String, as identity: Identity, _ db: Database) throws -> RequestRow {
        if let row = try RequestRow.find(id, db), identity.role != .researcher || row.researcher == identity.name {
            return row
        }
        if identity.role == .owner, try AdditionRow.find(id, db) != nil {
            throw Problem.absent(
                "\(id) is a table that is being added, not a request",
                hint: "`parley jobs` says how many rows were read")
        }
        throw Problem.absent("there is no request \(DisplayedName.of(id))")
    }

    /// Records an owner's approval; the last that is needed charges the request for good, in the windows that end now too,
    /// and answers it.
    ///
    /// The request is decided under the policies in force now: what they refuse, what would cost otherwise, and what cannot be
    /// computed on the same tables any more lapses in place of being approved, and what is held for it is given back. Where a
    /// limit is full, nothing is recorded and the request still waits.
    ///
    /// Whoever decides has seen the request and its plan, and no answer (docs/privacy.md, rule 3). Approving twice counts once.
    /// Where several must approve, each does so by a name: whoever has the folder may be any of them, so that the folder
    /// alone counts as none.
    public func approve(_ id: String, by identity: Identity) async throws -> RequestSummary {
        try requireSound()
        try Self.requireOwner(identity)
        // Each turn sees a newer catalogue.
        for _ in 0..<8 {
            let attempt = try await approvalAttempt(id, by: identity)
            switch try await reporting({ try await commit.perform { try attempt.run(in: &$0) } }) {
            case .approved(let row, let planned):
                if row.state == .reserved { try await completeApproved(row, planned) }
                return try await reading { try $0.request(id, as: identity) }
            case .lapsed(let reason):
                throw Problem.conflict(
                    "the request lapsed, and is not approved: \(reason)",
                    hint: "what was held for it is given back; whoever asked may ask again, with a new idempotency key")
            case .stale: continue
            }
        }
        throw Problem.conflict("the datasite is being changed", hint: "try again in a moment")
    }

    private func approvalAttempt(_ id: String, by identity: Identity) async throws -> ApprovalAttempt {
        try await reading(for: identity.name) { site in
            let row = try site.row(id, as: identity)
            let engine = try site.engineTable.engine(row.engine)
            let catalogue = try site.catalogue()
            let planned: Result<PlannedWork, Problem>
            do { planned = .success(try site.planned(engine, row.body, in: catalogue, isLimited: false)) } catch let
                problem as Problem where problem.status < 500
            {
                planned = .failure(problem)
            }
            return ApprovalAttempt(
                id: id, owner: identity, planned: planned, catalogueVersion: catalogue.version,
                process: try site.lifeline())
        }
    }

    /// Where the answer is refused before it is begun, nobody computes it until somebody asks: whoever follows it is told so.
    private func completeApproved(_ row: RequestRow, _ planned: PlannedWork) async throws {
        do {
            if planned.engine.isLong {
                // A command of the owner's ends long before such work does: whoever serves the site takes it up.
                guard !isServedElsewhere else { return }
                let admission = try place(of: planned.engine).threads.admission(of: row.researcher)
                _ = try await begun(row.id, planned, admission, isAnnounced: false)
                return
            }
            _ = try await engines.admitting(row.researcher) {
                try await self.answer(row.id, planned, isAnnounced: false)
            }
        } catch {
            var problem = Problem.storage(error)
            let isLeft = try? await commit.perform {
                try RequestEventRow.appendFailure(to: row.id, after: .approved, in: $0)
            }
            guard isLeft == true else { throw problem }
            problem.detail = "the request is approved and charged, but not computed: \(problem.detail)"
            problem.hint = "`parley jobs resume \(row.id)` computes it under its charge"
            throw problem
        }
    }

    /// Denies a pending request: its charge is given back, since no row was read.
    public func deny(_ id: String, by identity: Identity, reason: String) async throws -> RequestSummary {
        try requireSound()
        try Self.requireOwner(identity)
        guard reason.utf8.count <= 2_000 else { throw Problem.tooLarge("a reason has at most 2000 bytes") }
        try Submission.checkStored(reason, as: "a reason")
        try await reporting {
            try await commit.perform { context in
                try Self.checkOwner(identity, context.db)
                let row = try Self.pending(id, &context)
                _ = try row.giveBack(as: .denied, by: identity.name, reason: reason, in: &context)
            }
        }
        return try await reading { try $0.request(id, as: identity) }
    }

    static func pending(_ id: String, _ context: inout WriteContext) throws -> RequestRow {
        guard let row = try RequestRow.find(id, context.db) else {
            throw Problem.absent("there is no request \(DisplayedName.of(id))")
        }
        guard row.state == .pending, row.created >= context.now - RequestRow.pendingLifetime else {
            throw Problem.conflict("the request is \(row.state == .pending ? "lapsed" : row.state.rawValue)")
        }
        return row
    }

    static func requireOwner(_ identity: Identity) throws {
        guard identity.role == .owner else { throw Problem.forbidden("only owners decide") }
    }

    /// Whether she is still an owner, inside the transaction.
    static func checkOwner(_ identity: Identity, _ db: Database) throws {
        guard identity != localOwner else { return }
        guard try UserRow.has(identity, db) else {
            throw Problem.forbidden("\(identity.name) is not an owner of this datasite")
        }
    }

    func reporting<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        do { return try await body() } catch { throw Problem.storage(error) }
    }
}
