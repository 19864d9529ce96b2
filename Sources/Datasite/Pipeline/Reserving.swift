import DatasiteProtocol
import DifferentialPrivacy
import GRDB
import Governance
import Secrets

/// What became of an attempt to reserve.
enum ReserveResult: Sendable {
    case reserved(String, isResumed: Bool)
    case pending(RequestRow)
    case refused(Problem)
    /// The catalogue changed since the request was planned.
    case stale
    /// Another call, or another process, stored a request under this key.
    case duplicate
}

/// One attempt to reserve, as the writer sees it: every authoritative check is here, inside the transaction.
struct ReserveAttempt: Sendable {
    let planned: PlannedWork
    let submission: Submission
    let asker: Identity
    let id = Self.newID()
    /// Whether it waits for an owner whatever the policies say.
    let waits: Bool
    /// The lock of the process that computes it.
    var process: String?

    static func newID() -> String { hexadecimal(SecureRandom.bytes(16)) }

    init(_ planned: PlannedWork, _ submission: Submission, asker: Identity, waits: Bool) {
        self.planned = planned
        self.submission = submission
        self.asker = asker
        self.waits = waits
    }

    /// Limits of one researcher bind researchers; an owner is bounded by the total alone, and decides herself.
    private var isResearcher: Bool { asker.role == .researcher }
    private var approvalsNeeded: Int { isResearcher ? planned.approvals(isHeld: waits) : 0 }

    func run(in context: inout WriteContext) throws -> ReserveResult {
        try RequestRow.lapseOld(in: &context)
        let db = context.db
        guard try asker == Datasite.localOwner || UserRow.has(asker, db) else {
            return .refused(.forbidden("\(asker.name) is not \(asker.role.withArticle) of this datasite any more"))
        }
        guard try Meta.integer(db, "catalogue") == planned.catalogueVersion else { return .stale }
        if let key = submission.key, try RequestRow.find(researcher: asker.name, key: key, db) != nil {
            return .duplicate
        }
        if submission.resumesSame,
            let same = try RequestRow.findReserved(
                by: asker.name, digest: planned.digest, version: planned.asked.version, db)
        {
            try announce(same, in: context)
            return .reserved(same, isResumed: true)
        }
        // The catalogue is the one that the work was planned on, so the policies' limits are the present ones.
        if isResearcher, let refusal = planned.refusal(researcher: asker.name, purpose: submission.purpose) {
            return try refuse(RefusalWords.problem(refusal, planned, room: room(in: context)), in: &context)
        }
        if isResearcher, let problem = try planned.work.refusal(to: asker.name, in: db) {
            return try refuse(problem, in: &context)
        }
        do {
            try db.inSavepoint {
                try charge(in: context)
                return .commit
            }
        } catch let exceeded as Ledger.Exceeded {
            let problem = RefusalWords.overBudget(
                exceeded, planned, room: try room(in: context), isResearcher: isResearcher)
            return try refuse(problem, in: &context)
        }
        return try store(in: &context)
    }

    /// Every population's loss and every dataset's uses, or nothing.
    private func charge(in context: WriteContext) throws {
        let researcher = isResearcher ? asker.name : nil
        if let loss = planned.charge.loss {
            for population in planned.populations {
                try Ledger.charge(
                    loss, population: population, researcher: researcher, isHeld: approvalsNeeded > 0, in: context)
            }
        }
        guard planned.charge.uses > 0 else { return }
        for entry in planned.entries {
            try UseLedger.charge(
                planned.charge.uses, of: entry.manifest.name, engine: planned.engine.engine,
                by: asker.name, rule: isResearcher ? planned.rule(of: entry) : nil, in: context.db)
        }
    }

    /// What one question may cost by every limit of every population that it reads.
    private func room(in context: WriteContext) throws -> PrivacyLoss? {
        let rooms = try planned.populations.flatMap { id -> [PrivacyLoss] in
            guard let ledger = try PopulationRow.find(id, context.db) else { return [] }
            return try Ledger.limits(
                ledger, researcher: isResearcher ? asker.name : nil, isHeld: approvalsNeeded > 0, now: context.now,
                context.db
            ).map(\.room)
        }
        return rooms.first.map { rooms.dropFirst().reduce($0) { $0.minimum($1) } }
    }

    private func refuse(_ problem: Problem, in context: inout WriteContext) throws -> ReserveResult {
        // An owner's own attempts are hers to know.
        guard isResearcher else { return .refused(problem) }
        try context.journal(
            JournalEntry(
                action: .refused, actor: asker.name, time: context.now, dataset: planned.asked.manifest.name,
                loss: planned.charge.loss, uses: planned.charge.uses,
                detail: "\(problem.detail): \(planned.words.prefix(2_000))"))
        return .refused(problem)
    }

    private func store(in context: inout WriteContext) throws -> ReserveResult {
        let needed = approvalsNeeded
        let row = RequestRow(
            id: id, engine: planned.engine.engine, researcher: asker.name, key: submission.key, digest: planned.digest,
            purpose: submission.purpose, body: planned.body,
            assets: planned.entries.map {
                RequestRow.Asset(dataset: $0.manifest.name, version: $0.version, population: $0.population)
            },
            lookups: planned.work.assets.filter(\.isLookup).map {
                RequestRow.Asset(dataset: $0.manifest.name, version: $0.version, population: nil)
            },
            charge: planned.charge, state: needed > 0 ? .pending : .reserved, approvalsNeeded: needed,
            created: context.now, words: planned.words)
        try row.insert(context.db)
        try planned.work.note(id, in: context.db)
        try context.journal(
            JournalEntry(
                action: needed > 0 ? .pending : .reserved, actor: asker.name, time: context.now,
                dataset: planned.asked.manifest.name, request: id, populations: planned.populations,
                loss: planned.charge.loss, uses: planned.charge.uses, engine: row.engine.rawValue,
                assets: row.assets.map(\.dataset),
                detail: String(planned.words.prefix(2_000))))
        guard needed == 0 else {
            try RequestEventRow.append(.pending, to: id, of: planned.work.steps.count, in: context)
            return .pending(row)
        }
        try announce(id, in: context)
        return .reserved(id, isResumed: false)
    }

    /// In the transaction that charges it, since that is synchronised anyway.
    private func announce(_ id: String, in context: WriteContext) throws {
        try RequestEventRow.appendStep(0, to: id, steps: planned.work.steps, process: process, in: context)
    }
}

extension PlannedWork {
    /// What the policy of a dataset says of this kind of work.
    func rule(of entry: Catalogue.Entry) -> EngineRule? {
        entry.policy?.rule(for: engine.engine, isAllowedUnlessSaid: engine.isAllowedUnlessSaid)
    }

    /// The first reason for which a policy refuses it, before any ledger is asked.
    func refusal(researcher: String, purpose: String?) -> Refusal? {
        for entry in entries {
            guard let rule = rule(of: entry) else { return .engineNotAllowed }
            guard rule.names(researcher) else { return .researcherNotAllowed }
            if let refusal = entry.policy?.refuses(researcher: researcher, charge: charge, purpose: purpose) {
                return refusal
            }
        }
        return nil
    }
}

extension Role {
    fileprivate var withArticle: String { self == .researcher ? "a researcher" : "an \(rawValue)" }
}
