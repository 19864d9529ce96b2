import DatasiteProtocol
import DifferentialPrivacy
import GRDB
import Governance

/// What became of an attempt to approve.
enum ApprovalResult: Sendable {
    /// Recorded; of the last that was needed, with the charge for good, the plan that was approved.
    case approved(RequestRow, PlannedWork)
    /// The request is not any more what was asked, or the policy in force refuses it: it lapsed, and is not approved.
    case lapsed(reason: String)
    /// The catalogue changed since it was planned.
    case stale
}

/// One attempt to approve a request, as the writer sees it: the request is planned again, and decided under the policies that
/// are in force now, before what is held for it becomes spending.
struct ApprovalAttempt: Sendable {
    let id: String
    let owner: Identity
    /// The request on the catalogue as it is now, or why it cannot be planned on that any more.
    let planned: Result<PlannedWork, Problem>
    let catalogueVersion: Int64
    /// The lock of the process that computes it.
    let process: String?

    func run(in context: inout WriteContext) throws -> ApprovalResult {
        try Datasite.checkOwner(owner, context.db)
        var row = try Datasite.pending(id, &context)
        guard try Meta.integer(context.db, "catalogue") == catalogueVersion else { return .stale }
        let planned: PlannedWork
        switch self.planned {
        case .success(let work): planned = work
        case .failure(let problem): return try lapse(row, "it cannot be computed any more: \(problem.detail)", &context)
        }
        if let reason = try Self.refusal(row, planned, context.db) { return try lapse(row, reason, &context) }
        row.approvalsNeeded = max(row.approvalsNeeded, planned.approvals(isHeld: false))
        guard owner != Datasite.localOwner || row.approvalsNeeded == 1 else { throw Self.nameless }
        try record(row, in: &context)
        let approved = try RequestRow.find(id, context.db) ?? row
        guard approved.approvals.count >= approved.approvalsNeeded else { return .approved(approved, planned) }
        try charge(row, in: &context)
        return .approved(try RequestRow.find(id, context.db) ?? row, planned)
    }

    /// Why the request may not be approved, whoever approves it; nil: it is what was asked, and the policies allow it.
    static func refusal(_ row: RequestRow, _ planned: PlannedWork, _ db: Database) throws -> String? {
        if let name = try planned.changedAsset(since: row, db) { return "\(name), which it reads, changed" }
        guard planned.charge == row.charge else {
            return "it would cost \(planned.chargeWords) now, and \(try row.chargeWords(db)) is held for it"
        }
        switch planned.refusal(researcher: row.researcher, purpose: row.purpose) {
        case nil: return nil
        case .researcherNotAllowed: return "the policy now names who may ask, and \(row.researcher) is not named"
        case .some(let refusal):
            return "under the policy as it is now, " + RefusalWords.problem(refusal, planned).detail
        }
    }

    private func lapse(_ row: RequestRow, _ reason: String, _ context: inout WriteContext) throws -> ApprovalResult {
        _ = try row.giveBack(as: .lapsed, by: "datasite", reason: reason, in: &context)
        return .lapsed(reason: reason)
    }

    private func record(_ row: RequestRow, in context: inout WriteContext) throws {
        try context.db.execute(
            sql: "UPDATE requests SET approvals_needed = :needed WHERE id = :id AND approvals_needed < :needed",
            arguments: ["needed": row.approvalsNeeded, "id": id])
        try context.db.execute(
            sql: "INSERT OR IGNORE INTO approvals VALUES (:request, :owner, :time)",
            arguments: ["request": id, "owner": owner.name, "time": context.now])
        guard context.db.changesCount == 1 else { return }
        try context.journal(
            JournalEntry(
                action: .approved, actor: owner.name, time: context.now, dataset: row.asked.dataset, request: id))
    }

    /// What is held becomes spending, if every limit that is in force now holds it: then nothing gives it back.
    private func charge(_ row: RequestRow, in context: inout WriteContext) throws {
        guard try RequestRow.move(id, from: .pending, to: .reserved, context.db) else { return }
        do {
            for population in row.populations {
                guard let loss = row.charge.loss else { continue }
                try Ledger.checkHeld(loss, population: population, researcher: row.researcher, in: context)
                try Ledger.chargeWindows(loss, population: population, in: context)
            }
        } catch let exceeded as Ledger.Exceeded {
            throw RefusalWords.limitIsFull(exceeded, charge: try row.chargeWords(context.db))
        }
        // The charge was journaled when it was held, so this entry has none.
        try context.journal(
            JournalEntry(
                action: .reserved, actor: row.researcher, time: context.now, dataset: row.asked.dataset, request: id,
                detail: "approved"))
        try RequestEventRow.append(.approved, to: id, process: process, in: context)
        try Datasite.forgiveMissedSlots(row.researcher, context.db)
    }

    private static let nameless = Problem.forbidden(
        "several owners must approve this request, each by name: access to the folder is nobody's name",
        hint: "approve as an owner with an account: `parley approve ID --url URL --token-file FILE`; "
            + "`parley user add NAME --role owner` makes one")
}

extension PlannedWork {
    /// The first dataset or lookup table whose rows are not those for which the request was charged or held; nil: all are.
    ///
    /// What was stored before lookup tables stood beside requests is held to the time: such a table must be older.
    func changedAsset(since row: RequestRow, _ db: Database) throws -> String? {
        for (index, entry) in entries.enumerated() {
            guard index < row.assets.count, entry.version == row.assets[index].version else {
                return entry.manifest.name
            }
        }
        if row.assets.count > entries.count { return row.assets[entries.count].dataset }
        for entry in work.assets where entry.isLookup {
            if let known = row.lookups.first(where: { $0.dataset == entry.manifest.name }) {
                guard known.version == entry.version else { return known.dataset }
            } else {
                let created = try Int64.fetchOne(
                    db, sql: "SELECT created FROM versions WHERE id = :version", arguments: ["version": entry.version])
                guard row.lookups.isEmpty, let created, created <= row.created else { return entry.manifest.name }
            }
        }
        return nil
    }
}
