import DatasiteProtocol
import DifferentialPrivacy
import GRDB
import Governance

/// A charge that is durable: the permission to compute one answer for one request.
///
/// Made only by ``Ledger/reservation(of:in:)`` from a stored row, used once: the compiler keeps it from being copied,
/// and the row's state keeps it from being used twice by two processes.
struct Reservation: ~Copyable {
    let request: String
    let charge: Charge

    fileprivate init(request: String, charge: Charge) {
        self.request = request
        self.charge = charge
    }
}

/// Spending, in integers, of populations: all researchers together, each, and within windows (docs/privacy.md, rule 9).
///
/// Each limit is a filter, the sum of losses against a fixed bound: valid under adaptive composition for pure differential
/// privacy (Rogers, Roth, Ullman and Vadhan 2016, Theorem 3.6 with delta = 0), for zCDP (Whitehouse, Ramdas, Rogers and Wu
/// 2023, Theorem 1) and for Rényi divergences at one order at least (`RenyiOrders`).
enum Ledger {
    /// A charge that does not fit.
    struct Exceeded: Error {
        /// Whose limit, of what: behind "is left to".
        var words: String
        /// The limit of loss that it exceeds; nil where uses are counted, or there is no ledger.
        var state: LimitState?

        init(words: String) { self.words = words }

        init(_ state: LimitState, of population: String) {
            words = "\(state.scope.words) of the budget of \(population)"
            self.state = state
        }
    }

    /// Windows are counted in so many parts; a part counts until it lies wholly outside, so a window is never shorter
    /// than declared, and longer by at most one part.
    static let partsPerWindow: Int64 = 128

    /// Charges a population: read, decided and written inside one immediate transaction, so that nothing comes between; a
    /// charge that does not fit changes nothing. Without a researcher (an owner's release) only the limits for all
    /// researchers together count.
    ///
    /// - Parameter isHeld: Whether it waits for approval: it then counts in the window in which it is approved
    ///   (``chargeWindows(_:population:in:)``), and is refused here only where no window could ever hold it.
    static func charge(
        _ loss: PrivacyLoss, population: Int64, researcher: String?, isHeld: Bool = false, in context: WriteContext
    ) throws {
        let db = context.db
        guard let ledger = try PopulationRow.find(population, db) else {
            throw Exceeded(words: "all researchers")
        }
        for state in try limits(ledger, researcher: researcher, isHeld: isHeld, now: context.now, db)
        where !loss.fits(in: state.limit, after: state.spent) {
            throw Exceeded(state, of: ledger.name)
        }
        try setSpending(ledger.spent + loss, population: population, db)
        if let researcher {
            let spent = try spending(of: researcher, population: population, kind: ledger.kind, db)
            try setSpending(spent + loss, of: researcher, population: population, db)
        }
        if !isHeld { try addWindowSpending(db, population, loss, time: context.now) }
    }

    /// A limit that bounds a charge, and what was spent of it.
    struct LimitState: Sendable {
        let scope: BudgetScope
        let limit: PrivacyLoss
        let spent: PrivacyLoss

        /// The largest loss of one question that fits.
        var room: PrivacyLoss { limit.room(after: spent) }
    }

    /// Every limit that bounds a charge now, the total first.
    ///
    /// - Parameters:
    ///   - researcher: nil for an owner's release.
    ///   - isHeld: Whether it waits for approval: windows count it later, and are as if they were empty.
    static func limits(
        _ ledger: PopulationRow, researcher: String?, isHeld: Bool, now: Int64, _ db: Database
    ) throws -> [LimitState] {
        var limits = [LimitState(scope: .allResearchers, limit: ledger.limit, spent: ledger.spent)]
        if let researcher, let limit = try ledger.limit(of: researcher, db) {
            let spent = try spending(of: researcher, population: ledger.id, kind: ledger.kind, db)
            limits.append(LimitState(scope: .researcher(researcher), limit: limit, spent: spent))
        }
        return try limits + windowLimits(ledger.id, kind: ledger.kind, isHeld: isHeld, now: now, db)
    }

    private static func windowLimits(
        _ population: Int64, kind: PrivacyLossKind, isHeld: Bool = false, now: Int64, _ db: Database
    ) throws -> [LimitState] {
        try PopulationRow.windows(of: population, kind: kind, db).map { window in
            let spent =
                isHeld
                ? .zero(kind) : try windowSpending(db, population, seconds: window.seconds, kind: kind, now: now)
            return LimitState(scope: .window(seconds: window.seconds), limit: window.limit, spent: spent)
        }
    }

    /// Whether the limits for all researchers and for this one, as they are now, hold a loss that they hold already: a limit may
    /// have been lowered since. Other requests that wait hold their part meanwhile.
    static func checkHeld(
        _ loss: PrivacyLoss, population: Int64, researcher: String, in context: WriteContext
    ) throws {
        guard let ledger = try PopulationRow.find(population, context.db) else {
            throw Exceeded(words: "all researchers")
        }
        for state in try limits(ledger, researcher: researcher, isHeld: true, now: context.now, context.db) {
            // Windows do not count what is held: chargeWindows decides of them.
            if case .window = state.scope { continue }
            let others = try state.spent.removing(loss)
            guard loss.fits(in: state.limit, after: others) else {
                throw Exceeded(LimitState(scope: state.scope, limit: state.limit, spent: others), of: ledger.name)
            }
        }
    }

    /// Charges the windows that end now: when a request is reserved, at once or by its approval.
    static func chargeWindows(_ loss: PrivacyLoss, population: Int64, in context: WriteContext) throws {
        let db = context.db
        for state in try windowLimits(population, kind: loss.kind, now: context.now, db)
        where !loss.fits(in: state.limit, after: state.spent) {
            throw Exceeded(state, of: try PopulationRow.find(population, db)?.name ?? "")
        }
        try addWindowSpending(db, population, loss, time: context.now)
    }

    private static func setSpending(_ spent: PrivacyLoss, population: Int64, _ db: Database) throws {
        try db.cachedStatement(
            sql: "UPDATE populations SET spent_amount = :amount, spent_delta = :delta WHERE id = :population"
        ).execute(arguments: ["amount": spent.storedAmounts, "delta": spent.delta, "population": population])
    }

    private static func setSpending(
        _ spent: PrivacyLoss, of researcher: String, population: Int64, _ db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO researcher_spending (population, researcher, amount, delta)
                VALUES (:population, :researcher, :amount, :delta)
                ON CONFLICT DO UPDATE SET amount = excluded.amount, delta = excluded.delta
                """
        ).execute(arguments: [
            "population": population, "researcher": researcher, "amount": spent.storedAmounts, "delta": spent.delta,
        ])
    }

    /// What a researcher spent of a population.
    static func spending(
        of researcher: String, population: Int64, kind: PrivacyLossKind, _ db: Database
    ) throws -> PrivacyLoss {
        let statement = try db.cachedStatement(
            sql: """
                SELECT amount, delta FROM researcher_spending WHERE population = :population AND researcher = :researcher
                """)
        let row = try Row.fetchOne(statement, arguments: ["population": population, "researcher": researcher])
        return try row?.loss(kind) ?? .zero(kind)
    }

    // MARK: - Windows

    private static func partLength(_ seconds: Int64) -> Int64 {
        max(1, (seconds + partsPerWindow - 1) / partsPerWindow)
    }

    private static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
        value >= 0 ? value / by : (value - by + 1) / by
    }

    /// What was spent in the window that ends now. Parts after now count too, so a clock that was set back gives nothing
    /// back.
    static func windowSpending(
        _ db: Database, _ population: Int64, seconds: Int64, kind: PrivacyLossKind, now: Int64
    ) throws -> PrivacyLoss {
        let first = floorDivide(now - seconds, partLength(seconds))
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT amount, delta FROM window_spending
                    WHERE population = :population AND seconds = :seconds AND bucket >= :first
                    """), arguments: ["population": population, "seconds": seconds, "first": first])
        return try rows.reduce(.zero(kind)) { try $0 + $1.loss(kind) }
    }

    /// Counts a loss in every window of the population.
    static func addWindowSpending(_ db: Database, _ population: Int64, _ loss: PrivacyLoss, time: Int64) throws {
        for window in try PopulationRow.windows(of: population, kind: loss.kind, db) {
            let key: StatementArguments = [
                "population": population, "seconds": window.seconds,
                "bucket": floorDivide(time, partLength(window.seconds)),
            ]
            let present = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT amount, delta FROM window_spending
                        WHERE population = :population AND seconds = :seconds AND bucket = :bucket
                        """), arguments: key)
            let sum = try (present?.loss(loss.kind) ?? .zero(loss.kind)) + loss
            try db.cachedStatement(
                sql: """
                    INSERT INTO window_spending (population, seconds, bucket, amount, delta)
                    VALUES (:population, :seconds, :bucket, :amount, :delta)
                    ON CONFLICT DO UPDATE SET amount = excluded.amount, delta = excluded.delta
                    """
            ).execute(arguments: key + ["amount": sum.storedAmounts, "delta": sum.delta])
        }
    }

    // MARK: - Giving back what no row was read for

    /// Takes a held charge back (docs/privacy.md, rule 8): only ever for a request that was pending, which no window counts
    /// yet.
    static func giveBack(
        _ loss: PrivacyLoss, population: Int64, researcher: String, in context: WriteContext
    ) throws {
        let db = context.db
        guard let ledger = try PopulationRow.find(population, db) else { return }
        try setSpending(ledger.spent.removing(loss), population: population, db)
        let own = try spending(of: researcher, population: population, kind: ledger.kind, db)
        try setSpending(own.removing(loss), of: researcher, population: population, db)
    }

    /// Counts a loss that no request charges: what a restore lost.
    static func add(_ loss: PrivacyLoss, population: Int64, researchers: [String], in context: WriteContext) throws {
        let db = context.db
        guard let ledger = try PopulationRow.find(population, db) else { return }
        try setSpending(ledger.spent + loss, population: population, db)
        for researcher in researchers {
            let own = try spending(of: researcher, population: population, kind: ledger.kind, db)
            try setSpending(own + loss, of: researcher, population: population, db)
        }
        try addWindowSpending(db, population, loss, time: context.now)
    }

    // MARK: - Reading

    /// What decides a request of a researcher, as it stands now.
    static func spending(
        _ population: PopulationRow, researcher: String, policy: Policy, now: Int64, _ db: Database
    ) throws -> Spending {
        let windows = try policy.windows.map {
            try windowSpending(db, population.id, seconds: $0.seconds, kind: population.kind, now: now)
        }
        return Spending(
            total: population.spent,
            researcher: try spending(of: researcher, population: population.id, kind: population.kind, db),
            windows: windows)
    }

    /// The reservation of a request, from its row: nil unless it is reserved, unanswered and was not lost by a restore.
    static func reservation(of request: String, in db: Database) throws -> Reservation? {
        guard let row = try RequestRow.find(request, db), row.state == .reserved, !row.isLost, !row.charge.isNothing
        else { return nil }
        return Reservation(request: request, charge: row.charge)
    }
}
