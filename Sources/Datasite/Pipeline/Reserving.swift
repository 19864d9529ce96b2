import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Secrets

/// What became of an attempt to reserve.
enum ReserveResult: Sendable {
    case reserved(String)
    case pending(RequestRow)
    case refused(Problem)
    /// The catalogue changed since the question was planned.
    case stale
    /// Another call, or another process, stored a request under this key.
    case duplicate
}

/// One attempt to reserve, as the writer sees it: every authoritative check is here, inside the transaction.
struct ReserveAttempt: Sendable {
    let planned: PlannedRequest
    let researcher: String
    let key: String?
    let body: String
    let id = Self.newID()
    /// Whether it waits for an owner whatever the policies say.
    let waits: Bool

    static func newID() -> String { hexadecimal(SecureRandom.bytes(16)) }

    init(_ planned: PlannedRequest, researcher: String, key: String?, waits: Bool) throws {
        self.waits = waits
        self.planned = planned
        self.researcher = researcher
        self.key = key
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        body = String(decoding: try encoder.encode(planned.request), as: UTF8.self)
    }

    func run(in context: inout WriteContext) throws -> ReserveResult {
        try RequestRow.lapseOld(in: &context)
        let db = context.db
        guard try isResearcher(db) else {
            return .refused(.forbidden("\(researcher) is not a researcher of this datasite any more"))
        }
        guard try isCurrent(db) else { return .stale }
        if let key, try RequestRow.find(researcher: researcher, key: key, db) != nil { return .duplicate }
        // The catalogue is the one that the question was planned on, so the policies' totals are the present ones.
        for policy in planned.policies {
            if let refusal = policy.refuses(researcher: researcher, charge: planned.charge) {
                return try refuse(RefusalWords.problem(refusal, planned), in: &context)
            }
        }
        do {
            try db.inSavepoint {
                for population in planned.populations {
                    try Ledger.charge(
                        planned.charge, population: population, researcher: researcher,
                        isHeld: planned.approvals(isHeld: waits) > 0, in: context)
                }
                return .commit
            }
        } catch let exceeded as Ledger.Exceeded {
            return try refuse(RefusalWords.overBudget(exceeded, charge: planned.charge), in: &context)
        }
        return try store(in: &context)
    }

    private func isResearcher(_ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(
                sql: "SELECT 1 FROM users WHERE name = ? AND role = 'researcher' AND revoked IS NULL"),
            arguments: [researcher]) ?? false
    }

    private func isCurrent(_ db: Database) throws -> Bool {
        try Meta.integer(db, "catalogue") == planned.catalogueVersion
    }

    private func refuse(_ problem: Problem, in context: inout WriteContext) throws -> ReserveResult {
        try context.journal(
            JournalEntry(
                action: .refused, actor: researcher, time: context.now, dataset: planned.request.dataset,
                loss: planned.charge, detail: "\(problem.detail): \(planned.request.sql.prefix(2_000))"))
        return .refused(problem)
    }

    private func store(in context: inout WriteContext) throws -> ReserveResult {
        let db = context.db
        let needed = planned.approvals(isHeld: waits)
        let state: RequestState = needed > 0 ? .pending : .reserved
        let populations = planned.populations
        try db.cachedStatement(
            sql: """
                INSERT INTO requests (id, researcher, key, digest, dataset, version, second_version, body, kind, amount,
                    delta, population, second_population, state, approvals_needed, created)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            id, researcher, key, planned.digest, planned.request.dataset, planned.asked.version,
            planned.entries.first { $0.version != planned.asked.version }?.version, body, planned.charge.kind.rawValue,
            planned.charge.amount,
            planned.charge.delta, populations[0], populations.dropFirst().first, state.rawValue, needed, context.now,
        ])
        try context.journal(
            JournalEntry(
                action: state == .pending ? .pending : .reserved, actor: researcher, time: context.now,
                dataset: planned.request.dataset, request: id, populations: populations, loss: planned.charge,
                detail: String(planned.request.sql.prefix(2_000))))
        guard state == .pending, let row = try RequestRow.find(id, db) else { return .reserved(id) }
        return .pending(row)
    }
}

extension PlannedRequest {
    /// The largest number of owners that a dataset of the question asks for; one where it waits whatever they say.
    func approvals(isHeld: Bool) -> Int {
        policies.map { policy in
            if case .owners(let count) = policy.approval { count } else { 0 }
        }.reduce(isHeld ? 1 : 0, max)
    }
}

/// Refusals in words: from plan, policy and ledger.
enum RefusalWords {
    static func problem(_ refusal: Refusal, _ planned: PlannedRequest) -> Problem {
        let charge = planned.charge
        switch refusal {
        case .researcherNotAllowed: return .notAllowed("the dataset's policy names who may ask, and you are not named")
        case .otherKindOfLoss: return .notAllowed("the charge is in another unit of loss than the policy's")
        case .questionTooExpensive(let limit):
            return .overBudget(
                "the question costs \(LossWords.text(charge)), and one question may cost \(LossWords.text(limit))",
                hint: "ask for less precision")
        case .questionTooCheap(let least):
            return .notAllowed(
                "the question costs \(LossWords.text(charge)), and a question costs at least "
                    + LossWords.least(least, planned.regime),
                hint: "ask for more precision, or for several things in one question")
        case .overBudget(let scope, let limit, let spent):
            return .overBudget(
                "the question costs \(LossWords.text(charge)), and \(LossWords.text(limit.left(after: spent))) is left "
                    + "to \(scope.words)",
                hint: "ask for less precision, or ask the owner")
        }
    }

    /// An approval that a window has no room for.
    static func windowIsFull(_ exceeded: Ledger.Exceeded, charge: PrivacyLoss) -> Problem {
        .overBudget(
            "the request costs \(LossWords.text(charge)), more than is left at present to \(exceeded.scope.words) of the "
                + "budget of \(exceeded.population); it still waits",
            hint: "approve it later, when the window has room again, or deny it")
    }

    static func overBudget(_ exceeded: Ledger.Exceeded, charge: PrivacyLoss) -> Problem {
        .overBudget(
            "the question costs \(LossWords.text(charge)), more than is left to \(exceeded.scope.words) of the budget of "
                + exceeded.population,
            hint: "`parley budget` says what is left; ask for less precision, or ask the owner")
    }
}
