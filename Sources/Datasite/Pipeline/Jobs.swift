public import DatasiteProtocol
import GRDB
import Governance

/// What became of a request since an event, and whether nothing more follows by itself.
public struct EventPage: Sendable, Hashable {
    /// In order.
    public var events: [RequestEvent]
    /// Whether it has ended, or stopped until somebody asks for it again.
    public var hasStopped: Bool

    /// A page, by its parts.
    public init(events: [RequestEvent], hasStopped: Bool) {
        self.events = events
        self.hasStopped = hasStopped
    }
}

extension Datasite {
    /// Jobs, the newest first: her own for a researcher; for an owner all, with the tables that are being added.
    ///
    /// - Parameters:
    ///   - all: Those that have ended too.
    ///   - limit: At most that many of each kind, from 1 to 10,000.
    public func jobs(as identity: Identity, all: Bool = false, limit: Int = 1_000) throws -> [JobSummary] {
        let limit = max(1, min(limit, 10_000))
        return try standing { db in
            let states: [RequestState?] = all ? [nil] : [.pending, .reserved]
            let rows = try states.flatMap {
                try RequestRow.list(
                    researcher: identity.role == .researcher ? identity.name : nil, state: $0, before: nil,
                    limit: limit, db)
            }
            return (
                try rows.map { ($0, try RequestEventRow.last(of: $0.id, db)) },
                identity.role == .owner ? try AdditionRow.list(onlyRunning: !all, limit: limit, db) : []
            )
        }
    }

    /// One job.
    ///
    /// - Throws: `not-found`, also for what she may not see.
    public func job(_ id: String, as identity: Identity) throws -> JobSummary {
        let found = try standing { db in
            if identity.role == .owner, let addition = try AdditionRow.find(id, db) { return ([], [addition]) }
            return ([(try Self.row(id, as: identity, db), try RequestEventRow.last(of: id, db))], [])
        }
        return found[0]
    }

    private typealias Read = (requests: [(RequestRow, RequestEventRow?)], additions: [AdditionRow])

    /// Reads twice: whether a process lives is asked in between, so that what it ended before its own end is seen.
    private func standing(_ body: (Database) throws -> Read) throws -> [JobSummary] {
        let before = try read(body)
        let processes = before.requests.compactMap(\.1?.process) + before.additions.map(\.version)
        let dead = Set(processes).filter { !isAlive($0) }
        let after = try read(body)
        return after.additions.map { $0.summary(isAlive: !dead.contains($0.version)) }
            + after.requests.map { row, last in
                JobSummary(
                    id: row.id, kind: .request, who: row.researcher, dataset: row.asked.dataset, words: words(row),
                    state: Self.state(row, last, dead), step: last?.event.step ?? 0, steps: last?.event.steps ?? 1,
                    doing: last?.event.words, begun: Timestamp.text(row.created), changed: last?.event.time ?? "")
            }
    }

    /// What was asked, or by which engine where this version has it no more.
    func words(_ row: RequestRow) -> String {
        row.words ?? (try? engineTable.engine(row.engine))?.words(row.body) ?? row.engine.rawValue
    }

    /// Where a request stands: what was charged and has no living process that computes it was interrupted.
    private static func state(_ row: RequestRow, _ last: RequestEventRow?, _ dead: Set<String>) -> JobState {
        guard row.state == .reserved else { return JobState(rawValue: row.state.rawValue) ?? .interrupted }
        guard let last, last.event.state != .failed else { return .failed }
        guard let process = last.process, !dead.contains(process) else { return .interrupted }
        return last.event.state
    }

    /// What became of a request since the event of that number (0: all that there was).
    ///
    /// - Throws: `not-found`, also for what she may not see, `forbidden` for whom the owner has revoked meanwhile.
    public func events(of id: String, after number: Int, as identity: Identity) throws -> EventPage {
        let process = try read { try RequestEventRow.last(of: id, $0)?.process }
        let dead = Set([process].compactMap(\.self).filter { !isAlive($0) })
        return try read { db in
            let row = try Self.row(id, as: identity, db)
            guard try identity == Self.localOwner || UserRow.has(identity, db) else {
                throw Problem.forbidden("\(identity.name) is not a user of this datasite any more")
            }
            guard let last = try RequestEventRow.last(of: id, db) else {
                return EventPage(events: [], hasStopped: false)
            }
            let state = Self.state(row, last, dead)
            var events = try RequestEventRow.list(of: id, after: number, db).map(\.event)
            if state != last.event.state {
                // Nobody was there to store it: it stands in its last event's place.
                var event = last.event
                event.state = state
                events = events.dropLast() + [event]
            }
            return EventPage(events: events, hasStopped: state.hasStopped)
        }
    }

    /// Cancels a job: whoever asked, or an owner.
    ///
    /// A request that waits is withdrawn, and what was held for it is given back: no row was read. One that is being
    /// computed stops at its next step; its charge stays, and no answer of it is ever stored. Who waits for the answer is
    /// told when it would have come. A table that is being added is not added.
    ///
    /// - Throws: `conflict` for what has ended.
    public func cancelJob(_ id: String, by identity: Identity) async throws -> JobSummary {
        try requireSound()
        // Whoever computes it writes to its workspace until it stops, and removes that itself.
        let isComputed = try await isComputed(id)
        try await reporting {
            try await commit.perform { context in
                if identity.role == .owner, let addition = try AdditionRow.find(id, context.db) {
                    guard try AdditionRow.cancel(addition, by: identity.name, in: &context) else {
                        throw Self.hasEnded(addition.state.rawValue)
                    }
                    return
                }
                try Self.cancelRequest(id, by: identity, in: &context)
            }
        }
        return try await reading { site in
            if !isComputed { site.removeRemains(of: id) }
            return try site.job(id, as: identity)
        }
    }

    static func cancelRequest(_ id: String, by identity: Identity, in context: inout WriteContext) throws {
        let db = context.db
        guard let row = try RequestRow.find(id, db), identity.role != .researcher || row.researcher == identity.name
        else { throw Problem.absent("there is no job \(DisplayedName.of(id))") }
        guard try identity.role != .auditor && (identity == localOwner || UserRow.has(identity, db)) else {
            throw Problem.forbidden("only whoever asked, and owners, cancel a request")
        }
        let who = identity.name == row.researcher ? "by whoever asked" : "by an owner"
        switch row.state {
        case .pending:
            _ = try row.giveBack(
                as: .cancelled, by: identity.name, reason: "withdrawn \(who): nothing was charged", in: &context)
        case .reserved:
            let reason = "\(who); its charge is kept"
            guard try RequestRow.move(id, from: .reserved, to: .cancelled, reason: reason, db) else {
                throw hasEnded("lost in a restore")
            }
            let last = try RequestEventRow.last(of: id, db)?.event
            try RequestEventRow.append(.cancelled, to: id, step: last?.step ?? 0, words: reason, in: context)
            try context.journal(
                JournalEntry(
                    action: .cancelled, actor: identity.name, time: context.now, dataset: row.asked.dataset,
                    request: id,
                    detail: reason))
        case .released, .denied, .lapsed, .cancelled: throw hasEnded(row.state.rawValue)
        }
    }

    private static func hasEnded(_ state: String) -> Problem {
        .conflict("it cannot be cancelled: it is \(state)")
    }
}
