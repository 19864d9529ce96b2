import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Synchronization
import Tables

extension Datasite {
    /// From a durable reservation to a stored answer: grant, run, gate, time slot, store. Of several calls for one
    /// request in this process one runs; of several processes one stores, and the others give what it stored.
    ///
    /// - Parameter isAnnounced: Whether its events say already that it is being computed.
    func answer(_ id: String, _ planned: PlannedWork, isAnnounced: Bool) async throws -> StoredAnswer {
        try await completing.joining(id, binding: id) {
            if !isAnnounced { try await self.announce(id, planned) }
            do {
                let stored = try await self.run(id, planned, planned.work)
                self.endVisit(id, isReleased: true)
                // Its dataset may have been removed behind its last step.
                if planned.engine.isLong { try? await self.reading { $0.removeRemains(of: id) } }
                return stored
            } catch {
                self.endVisit(id, isReleased: false)
                // Of long work nobody may be there to be told.
                let words = planned.engine.isLong ? Problem.storage(error).detail : nil
                _ = try? await self.commit.perform { try RequestEventRow.appendFailure(to: id, words: words, in: $0) }
                if planned.engine.isLong { try? await self.reading { $0.removeRemains(of: id) } }
                throw error
            }
        }
    }

    /// What became of a piece of work on an engine's thread.
    private enum Computed<Product: Sendable>: Sendable {
        case released(Release<Product>)
        /// Another process answered it, or a restore lost it.
        case answered
        case failed(Problem)
    }

    private func run<Kind: EngineWork>(_ id: String, _ planned: PlannedWork, _ work: Kind) async throws -> StoredAnswer
    {
        let slot = slot(limits, work.bound)
        let place = place(of: Kind.self)
        let start = place.schedule.begin(at: clock.instant(), slot)
        let researcher = try await reading { try $0.read { try RequestRow.find(id, $0)?.researcher } }
        let known = Mutex(planned.catalogueVersion)
        let track = StepTrack(work.steps, instant: clock.instant) {
            guard (try? self.read { try RequestEventRow.isReserved(id, $0) }) ?? true else { return false }
            // What goes on for hours, and tells others of rows, ends where its owner takes back that it may.
            return !Kind.isPaced || self.allowsStill(planned, researcher, known)
        }
        let telling = Task {
            if Kind.isPaced { return await self.tell(track, of: id) }
            if track.steps.count > 1 { await self.tell(track, of: id, slot, since: start) }
        }
        defer { telling.cancel() }
        let pace = Pace(clock: clock) { [limits] in self.slot(limits, PlanBound(work: $0, memory: 0)) }
        let outside = Outside(
            identity: signingKey, connection: outward.withLock { $0 }, pace: pace,
            enters: { self.enter($0, of: id, in: work.assets.first?.manifest.name) },
            receives: { self.visit(id, by: researcher, mostBytes: $0) },
            prepared: { session, fits in
                try self.takePrepared(session, of: researcher ?? "", fits: fits)
            })
        // Of scans the order is that of arrival, because their slots are.
        let (computed, end) = try await place.threads.run(for: Kind.isPaced ? researcher : nil) {
            (try self.compute(id, work, track, outside: outside), self.clock.instant())
        }
        if case .answered = computed { return try await reading { try $0.storedAnswer(id) } }
        let slots = Kind.isPaced ? pace.mostSlots : slot.count(end - start)
        track.end(at: end)
        if slots > 1 { try await countMissedSlot(planned, id, slots: slots) }
        let waiting = clock.instant()
        await telling.value
        if !Kind.isPaced { await clock.sleepUntil(slot.departure(start: start, end: end)) }
        slotWaits.add((clock.instant() - waiting).wholeNanoseconds, ordering: .relaxed)
        switch computed {
        case .released(let release): return try await store(release, planned, work)
        case .failed(let problem):
            try await reading { try $0.checkNotCancelled(id) }
            throw problem
        case .answered: return try await reading { try $0.storedAnswer(id) }
        }
    }

    /// Whether policies and users, as they are now, would let the work begin.
    ///
    /// - Parameter known: The catalogue's version that was looked at last.
    private func allowsStill(_ planned: PlannedWork, _ researcher: String?, _ known: borrowing Mutex<Int64>) -> Bool {
        guard let catalogue = try? catalogue() else { return true }
        if catalogue.version != known.withLock({ $0 }) {
            guard let now = try? self.planned(planned.engine, planned.body, in: catalogue, isLimited: false),
                now.refusal(researcher: researcher ?? "", purpose: "-") == nil, now.charge == planned.charge
            else { return false }
            known.withLock { $0 = catalogue.version }
        }
        guard let researcher else { return true }
        return (try? read { try UserRow.has(Identity(name: researcher, role: .researcher), $0) }) ?? true
    }

    /// On an engine thread. What it throws follows from no row.
    private func compute<Kind: EngineWork>(
        _ id: String, _ work: Kind, _ track: StepTrack, outside: Outside
    ) throws -> Computed<Kind.Product> {
        var outside = outside
        outside.start = clock.instant()
        let tables = try work.assets.map(openAsset)
        var reservation: Reservation?
        try read { (db: Database) -> Void in reservation = try Ledger.reservation(of: id, in: db) }
        guard let reservation else { return .answered }
        let workspace = folder.workspace(of: id)
        let grant = try grant(
            reservation, to: work, tables: tables, track: track, folders: (workspace, folder.kept(of: id)),
            outside: outside)
        guard let outcome = Grant.run(grant) else {
            let fault =
                track.goesOn
                ? "the machine failed" : "its dataset, policy or researcher has changed, and does not allow it any more"
            return .failed(
                .unavailable(
                    "\(Kind.noun) was not computed: \(workspace.fault ?? fault); its charge is kept",
                    hint: Kind.roles.contains(.researcher)
                        ? "whoever asked gets it by asking again with the same idempotency key, or by `parley jobs resume`"
                        : "`parley jobs resume` computes it under that charge"))
        }
        do { return .released(try ReleaseGate.open(outcome)) } catch {
            try withhold(id, of: work.assets.first?.manifest.name)
            return .failed(
                .unavailable(
                    "the answer was withheld: its events are not covered by its charge", hint: "tell the owner"))
        }
    }

    private func openAsset(_ entry: Catalogue.Entry) throws -> OpenTables.Opened {
        entry.isLookup ? .lookup(try lookupTable(entry)) : .table(try table(entry))
    }

    func withhold(_ id: String, of dataset: String?) throws {
        try write { context in
            try context.journal(
                JournalEntry(
                    action: .withheld, actor: "datasite", time: context.now, dataset: dataset, request: id,
                    detail: "events are not covered by the charge"))
        }
    }

    /// Enters a round of a request into the journal: its time follows from others' messages and public slots, as all that leaves does.
    private func enter(_ round: String, of id: String, in dataset: String?) -> Bool {
        let entered: Void? = try? write { context in
            try context.journal(
                JournalEntry(
                    action: .round, actor: "datasite", time: context.now, dataset: dataset, request: id, detail: round))
        }
        return entered != nil
    }

    /// Stores answer, receipt and journal entry in one transaction, before the first byte leaves (rule 8).
    private func store<Kind: EngineWork>(
        _ release: Release<Kind.Product>, _ planned: PlannedWork, _ work: Kind
    ) async throws -> StoredAnswer {
        let row = try await reading { site in try site.read { try RequestRow.find(release.request, $0) } }
        guard let row else { throw Problem.absent("the request is not there any more") }
        // Writing a large answer takes seconds: at whose charge it is, in her turn.
        let prepared: (terms: ReleaseTerms, entry: ReleaseEntry) = try await reading(for: row.researcher) { site in
            // Whoever asked as an owner decided by it.
            let approvals = Kind.roles.contains(.researcher) ? row.approvals : [row.researcher]
            let terms = ReleaseTerms(
                charge: release.charge.wire(conversionDelta: planned.conversionDelta),
                guarantees: .of(planned, approvals: approvals),
                timeNotes: Kind.isPaced ? [] : AnswerTime.note(site.slot(site.limits, work.bound), planned.entries))
            return (
                terms,
                ReleaseEntry(
                    row: row, charge: release.charge, guarantees: terms.guarantees,
                    answer: Kind.followsEarlier ? [] : try work.document(release, terms), key: site.signingKey,
                    site: site.name)
            )
        }
        let stored = try await commit.perform { context -> StoredAnswer? in
            var (release, entry) = (release, prepared.entry)
            if Kind.followsEarlier {
                release = try work.following(release, of: row.researcher, in: context.db)
                entry.answer = try work.document(release, prepared.terms)
            }
            guard let stored = try entry.store(in: &context) else { return nil }
            try work.record(release, in: &context)
            return stored
        }
        // Another process was faster: what it stored is the one answer.
        guard let stored else { return try await reading { try $0.storedAnswer(release.request) } }
        releases.add(1, ordering: .relaxed)
        if Kind.isLong { folder.workspace(of: release.request).remove() }
        return stored
    }
}

extension Duration {
    fileprivate var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000
    }
}

extension Catalogue.Entry {
    /// Whom an answer protects, and by which bounds.
    var boundsWords: String {
        let rows = manifest.unit.rowsPerUnit
        return "\(unitWords) of \(manifest.population), at most \(rows) row\(rows == 1 ? "" : "s")"
    }
}

extension Guarantees {
    /// What is done for each part of structured transparency, and by what parameters: from plan and policy alone.
    static func of(_ planned: PlannedWork, approvals: [String]) -> Guarantees {
        let flow =
            approvals.isEmpty
            ? "answered automatically within the owner's policy and budget"
            : "approved by \(approvals.joined(separator: ", "))"
        return Guarantees(
            inputPrivacy: planned.work.inputPrivacy
                ?? "the rows stayed on the datasite and were read by its own process only",
            outputPrivacy: planned.work.outputPrivacy ?? outputPrivacy(planned),
            inputVerification: planned.work.inputVerification
                ?? "contributions were bounded and values clipped; that the rows are true is not verified",
            outputVerification: "signed by the datasite, journaled in a hash chain; the computation is not proved",
            flowGovernance: flow)
    }

    private static func outputPrivacy(_ planned: PlannedWork) -> String {
        guard let loss = planned.charge.loss else {
            return "no privacy loss is bounded: \(planned.chargeWords) counted against the owner's limit"
        }
        let text = LossWords.text(loss, conversionDelta: planned.conversionDelta)
        let measure =
            switch loss.kind {
            case .pure: "\(text), pure differential privacy"
            case .zeroConcentrated:
                "\(text), zero-concentrated differential privacy"
            case .renyi: "\(text), Rényi differential privacy"
            }
        let units = planned.entries.map(\.boundsWords).joined(separator: "; ")
        return "\(measure), for one unit added or removed: \(units)"
    }
}

/// The transaction of a release.
struct ReleaseEntry: Sendable {
    let row: RequestRow
    let charge: Charge
    let guarantees: Guarantees
    var answer: [UInt8]
    let key: Curve25519.Signing.PrivateKey
    let site: String

    /// nil if the request is not reserved any more: answered by another process, cancelled, or lost by a restore.
    func store(in context: inout WriteContext) throws -> StoredAnswer? {
        let db = context.db
        guard try RequestRow.move(row.id, from: .reserved, to: .released, db) else { return nil }
        let previous = context.head.hash
        let answerDigest = sha256Hex(answer)
        try context.journal(
            JournalEntry(
                action: .released, actor: "datasite", time: context.now, dataset: row.asked.dataset, request: row.id,
                answer: answerDigest))
        let body = Receipt.Body(
            site: site, publicKey: "", request: row.id, requestDigest: row.digest, engine: row.engine.rawValue,
            assets: row.assets.map { Receipt.Asset(dataset: $0.dataset, version: $0.version) },
            charge: Receipt.Charge(charge), guarantees: guarantees, answerDigest: answerDigest,
            journalIndex: context.head.number, previousJournalHash: hexadecimal(previous),
            journalHash: hexadecimal(context.head.hash), time: Timestamp.text(context.now))
        let receipt = try Receipt.signed(body, by: key).encoded
        try AnswerRow(request: row.id, answer: Data(answer), receipt: Data(receipt)).insert(db)
        let steps = try RequestEventRow.last(of: row.id, db)?.event.steps ?? 1
        try RequestEventRow.append(.released, to: row.id, step: steps, of: steps, in: context)
        let mark = try db.cachedStatement(
            sql: "UPDATE populations SET released = 1 WHERE id = :population AND released = 0")
        for population in row.populations { try mark.execute(arguments: ["population": population]) }
        return StoredAnswer(answer: answer, receipt: receipt)
    }
}

extension Receipt.Charge {
    fileprivate init(_ charge: Charge) {
        self.init(
            kind: charge.loss?.kind.rawValue, amounts: charge.loss?.amounts ?? [], delta: charge.loss?.delta ?? 0,
            uses: charge.uses)
    }
}
