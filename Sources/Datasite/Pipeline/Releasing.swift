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
    /// From a durable reservation to a stored answer: grant, scan, gate, time slot, store. Of several calls for one
    /// request in this process one runs; of several processes one stores, and the others give what it stored.
    func answer(_ id: String, _ planned: PlannedRequest) async throws -> StoredAnswer {
        try await completing.joining(id, binding: id) {
            let slot = self.slot(self.limits, planned.plan.bound)
            let start = self.scans.begin(at: self.clock.instant(), slot)
            let (release, end) = try await self.engines.run { try self.compute(id, planned) }
            guard let release else { return try self.storedAnswer(id) }
            let slots = slot.count(end - start)
            if slots > 1 { try await self.countMissedSlot(planned, id, slots: slots) }
            let waiting = self.clock.instant()
            await self.clock.sleepUntil(slot.departure(start: start, end: end))
            self.slotWaits.add((self.clock.instant() - waiting).wholeNanoseconds, ordering: .relaxed)
            return try await self.store(release, planned)
        }
    }

    /// On an engine thread. nil: the request is answered already.
    private func compute(_ id: String, _ planned: PlannedRequest) throws -> (Release<NoisyAnswer>?, end: Duration) {
        let source = try rowSource(planned)
        let lookups = try planned.lookups.map(lookupTable)
        var reservation: Reservation?
        try read { (db: Database) -> Void in reservation = try Ledger.reservation(of: id, in: db) }
        guard let reservation else { return (nil, .zero) }
        let grant = try grant(reservation, plan: planned.plan, source: source, lookups: lookups)
        let outcome = QueryEngine.run(grant)
        let release: Release<NoisyAnswer>
        do { release = try ReleaseGate.open(outcome) } catch {
            try withhold(id, of: planned.request.dataset)
            throw Problem.unavailable(
                "the answer was withheld: its events are not covered by its charge", hint: "tell the owner")
        }
        return (release, clock.instant())
    }

    /// The private rows of a plan; for a join, each side bounded as the plan says.
    private func rowSource(_ planned: PlannedRequest) throws -> RowSource {
        let tables = try planned.entries.map(table)
        guard tables.count == 2 else { return .table(tables[0]) }
        let rows = planned.plan.rowsPerUnit
        return .join(tables[0], tables[1], leftRows: rows[0], rightRows: rows[1])
    }

    func withhold(_ id: String, of dataset: String) throws {
        try write { context in
            try context.journal(
                JournalEntry(
                    action: .withheld, actor: "datasite", time: context.now, dataset: dataset, request: id,
                    detail: "events are not covered by the charge"))
        }
    }

    /// Stores answer, receipt and journal entry in one transaction, before the first byte leaves (rule 8).
    private func store(_ release: Release<NoisyAnswer>, _ planned: PlannedRequest) async throws -> StoredAnswer {
        let approvals =
            planned.approvals(isHeld: false) == 0 && !isDear(planned)
            ? [] : try read { try RequestRow.find(release.request, $0)?.approvals } ?? []
        let guarantees = AnswerEncoding.guarantees(
            release.loss, regime: planned.regime, unit: planned.entries.map(\.boundsWords), approvals: approvals)
        let answer = Answer(
            request: release.request, dataset: planned.request.dataset, version: planned.asked.version,
            sql: planned.request.sql,
            charge: LossWords.wire(release.loss, conversionDelta: planned.regime.conversionDelta),
            columns: AnswerEncoding.columns(release.answer), rows: AnswerEncoding.rows(release.answer),
            notes: release.answer.notes, guarantees: guarantees, mock: false, nonce: Nonce.new())
        let bytes = try await planners.run { try AnswerEncoding.bytes(answer) }
        let entry = ReleaseEntry(
            request: release.request, loss: release.loss, digest: planned.digest, dataset: planned.request.dataset,
            version: planned.asked.version, populations: planned.populations, guarantees: guarantees, answer: bytes,
            key: signingKey, site: name)
        guard let stored = try await commit.perform({ try entry.store(in: &$0) }) else {
            // Another process was faster: what it stored is the one answer.
            return try storedAnswer(release.request)
        }
        releases.add(1, ordering: .relaxed)
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

/// The transaction of a release.
struct ReleaseEntry: Sendable {
    let request: String
    let loss: PrivacyLoss
    let digest: String
    let dataset: String
    let version: String
    let populations: [Int64]
    let guarantees: Guarantees
    let answer: [UInt8]
    let key: Curve25519.Signing.PrivateKey
    let site: String

    /// nil if the request is not reserved any more: answered by another process, or lost by a restore.
    func store(in context: inout WriteContext) throws -> StoredAnswer? {
        let db = context.db
        guard try RequestRow.move(request, from: .reserved, to: .released, db) else { return nil }
        let previous = context.head.hash
        let answerDigest = sha256Hex(answer)
        try context.journal(
            JournalEntry(
                action: .released, actor: "datasite", time: context.now, dataset: dataset, request: request,
                detail: "answer \(answerDigest)"))
        let body = Receipt.Body(
            site: site, publicKey: "", request: request, requestDigest: digest, dataset: dataset,
            datasetVersion: version,
            chargeKind: loss.kind.rawValue, chargeAmount: loss.amount, chargeDelta: loss.delta,
            guarantees: guarantees, answerDigest: answerDigest, journalIndex: context.head.number,
            previousJournalHash: hexadecimal(previous), journalHash: hexadecimal(context.head.hash),
            time: Timestamp.text(context.now))
        let receipt = try Receipt.signed(body, by: key).encoded
        try db.cachedStatement(sql: "INSERT INTO answers VALUES (?, ?, ?)")
            .execute(arguments: [request, Data(answer), Data(receipt)])
        let mark = try db.cachedStatement(sql: "UPDATE populations SET released = 1 WHERE id = ? AND released = 0")
        for population in populations { try mark.execute(arguments: [population]) }
        return StoredAnswer(answer: answer, receipt: receipt)
    }
}
