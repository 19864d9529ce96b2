import DatasiteProtocol
import Foundation
import GRDB

/// Where work of a kind is computed, and when it counts as begun there.
struct WorkPlace: Sendable {
    let threads: EngineThreads
    let schedule: ScanSchedule
}

/// Work that takes steps for minutes or hours.
enum LongWork {
    /// As many may wait for the one that runs.
    static let queue = 16
    /// So many runs take part in rounds with others at a time.
    static let rounds = 4
    /// Questions go before it: beside a scan on its core it gets about a sixth. Its slot follows from its bound all the same.
    static let niceness: Int32 = 10
}

extension Datasite {
    func place(of engine: any EngineWork.Type) -> WorkPlace {
        if engine.isPaced { return rounds }
        return engine.isLong ? long : WorkPlace(threads: engines, schedule: scans)
    }

    /// Begins to compute a charged request, and does not wait for it.
    ///
    /// - Parameter admission: Its place among the threads of its kind, which it keeps to its end.
    /// - Returns: The request as it stands.
    func begun(
        _ id: String, _ planned: PlannedWork, _ admission: EngineThreads.Admission, isAnnounced: Bool
    ) async throws -> RequestSummary {
        let (row, summary) = try await reading { site in
            guard let row = try site.read({ try RequestRow.find(id, $0) }) else {
                throw Problem.absent("the request is not there any more")
            }
            return (row, try site.summary(row, try site.catalogue()))
        }
        Task {
            defer { withExtendedLifetime(admission) {} }
            do {
                let stored = try await answer(id, planned, isAnnounced: isAnnounced)
                storage.add(stored.answer.count, researcher: row.researcher)
            } catch {
                // Whoever asked is gone: the request's events say that nobody computes it.
                _ = try? await commit.perform { context in
                    for state in [JobState.running, .approved] {
                        if try RequestEventRow.appendFailure(
                            to: id, after: state, words: Problem.storage(error).detail, in: context)
                        {
                            return
                        }
                    }
                }
            }
        }
        return summary
    }

    /// Goes on with a charged request that nobody computes; one that is being computed is left to that.
    func resumeLong(_ row: RequestRow) async throws -> RequestSummary {
        if try await !isComputed(row.id) {
            let engine = try engineTable.engine(row.engine)
            let last = try await reading { site in try site.read { try RequestEventRow.last(of: row.id, $0) } }
            // What an owner approved has not begun.
            guard engine.goesOn || last?.event.state == .approved else {
                throw Problem.conflict(
                    "\(engine.noun) was cut short, and does not go on; its charge is kept",
                    hint: "ask anew, with a new idempotency key")
            }
            let admission = try place(of: engine).threads.admission(of: row.researcher)
            return try await begun(row.id, try await plannedAgain(row, engine), admission, isAnnounced: false)
        }
        return try await reading { site in try site.summary(row, try site.catalogue()) }
    }

    /// Goes on with all long work that was charged and cut short, so that whoever asked need not ask again after the server was stopped. What another process
    /// computes, which may be the last server on its way out, is looked at again every few seconds.
    public func resumeLongWork() async {
        var isElsewhere = await resumeAbandoned()
        Task { [weak self] in
            while let self {
                isElsewhere = await self.resumeAbandoned(onlyApproved: !isElsewhere)
                try? await Task.sleep(for: .seconds(3))
            }
        }
    }

    /// - Parameter onlyApproved: Only what an owner approved in a process that does not serve, and which nobody began.
    /// - Returns: Whether another process computes some.
    private func resumeAbandoned(onlyApproved: Bool = false) async -> Bool {
        guard suspension == nil else { return false }
        let rows = try? await reading { site in
            try site.read { db in
                // Every few seconds: of thousands that failed none is looked at.
                onlyApproved
                    ? try RequestRow.reserved(whoseLastIs: .approved, limit: 10_000, db)
                    : try RequestRow.list(researcher: nil, state: .reserved, before: nil, limit: 10_000, db)
            }
        }
        var isElsewhere = false
        // In the order in which they were asked for.
        for row in (rows ?? []).reversed() where !row.isLost {
            guard let engine = try? engineTable.engine(row.engine), engine.isLong else { continue }
            let last = try? await reading { site in try site.read { try RequestEventRow.last(of: row.id, $0) } }
            if onlyApproved, last?.event.state != .approved { continue }
            if let process = last?.process, let own = try? await reading({ try $0.lifeline() }), process == own {
                continue
            }
            if (try? await isComputed(row.id)) == true {
                isElsewhere = true
                continue
            }
            if !engine.goesOn, last?.event.state == .running {
                _ = try? await commit.perform { context in
                    try RequestEventRow.appendFailure(
                        to: row.id, words: "\(engine.noun) was cut short, and does not go on", in: context)
                }
                folder.workspace(of: row.id).remove()
                continue
            }
            if !engine.goesOn, last?.event.state.hasStopped == true { continue }
            // One that cannot go on (its table was replaced) stays where it is: `parley jobs` shows it. One for which there is no place now is tried again.
            do { _ = try await resumeLong(row) } catch let problem as Problem where problem.kind == .busy {
                isElsewhere = true
            } catch {}
        }
        return isElsewhere
    }

    /// Whether a process that lives computes it.
    func isComputed(_ request: String) async throws -> Bool {
        try await reading { site in
            guard let last = try site.read({ try RequestEventRow.last(of: request, $0) }), last.event.state == .running
            else { return false }
            return site.isAlive(last.process)
        }
    }

    /// - Throws: `conflict` where another process computes it: both would take its time.
    func checkIsNotComputed(_ row: RequestRow) async throws {
        guard try await isComputed(row.id) else { return }
        throw Problem.conflict("it is being computed", hint: "`parley jobs follow \(row.id)` says when it is done")
    }

    /// What is in the folders of requests that cannot go on, or whose rows are not there any more, goes.
    func removeRemains() {
        for parent in [folder.work, folder.kept] {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] { removeRemains(of: name) }
        }
    }

    /// Of work that was cancelled, say, or whose dataset was removed: what can still go on keeps its workspace, and what came of it stays while the dataset does.
    ///
    /// A dataset that was removed and added again is another one, whatever its name.
    func removeRemains(of request: String) {
        let found = try? read { db in
            let engine = try RequestRow.find(request, db).flatMap { try? engineTable.engine($0.engine) }
            let state = try RequestEventRow.last(of: request, db)?.event.state
            let hasEnded = engine?.goesOn == false && state?.hasStopped == true
            return (
                canGoOn: try !hasEnded
                    && RequestRow.holds(
                        request, condition: "state = 'reserved'", datasets: "d.version = a.version", db),
                isKept: try RequestRow.holds(
                    request, condition: "state IN ('reserved', 'released')",
                    datasets: "d.created <= requests.created", db)
            )
        }
        guard let found else { return }
        if !found.canGoOn { folder.workspace(of: request).remove() }
        if !found.isKept { folder.kept(of: request).remove() }
    }
}
