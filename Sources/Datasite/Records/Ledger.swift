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
/// The filter is the sum of losses against a fixed limit: valid under adaptive composition for pure differential privacy
/// (Rogers, Roth, Ullman and Vadhan 2016, Theorem 3.6 with delta = 0) and for zCDP (Whitehouse, Ramdas, Rogers and Wu
/// 2023, Theorem 1).
enum Ledger {
    /// A charge that does not fit.
    struct Exceeded: Error {
        /// Whose limit, of what: behind "more than is left to".
        var words: String
    }

    /// Windows are counted in so many parts; a part counts until it lies wholly outside, so a window is never shorter
    /// than declared, and longer by at most one part.
    static let partsPerWindow: Int64 = 128

    /// Charges a population by conditional updates: inside an immediate transaction nothing can come between, and a
    /// charge that does not fit changes nothing. Without a researcher (an owner's release) only the limits for all
    /// researchers together count.
    ///
    /// - Parameter isHeld: Whether it waits for approval: it then counts in the window in which it is approved
    ///   (``chargeWindows(_:population:in:)``), and is refused here only where no window could ever hold it.
    static func charge(
        _ loss: PrivacyLoss, population: Int64, researcher: String?, isHeld: Bool = false, in context: WriteContext
    ) throws {
        let db = context.db
        let total = try db.cachedStatement(
            sql: """
                UPDATE populations SET spent_amount = spent_amount + :amount, spent_delta = spent_delta + :delta
                WHERE id = :population AND kind = :kind
                    AND spent_amount <= limit_amount - :amount AND spent_delta <= limit_delta - :delta
                """)
        try total.execute(arguments: [
            "amount": loss.amount, "delta": loss.delta, "population": population, "kind": loss.kind.rawValue,
        ])
        guard db.changesCount == 1 else { throw try exceeded(.allResearchers, population, db) }
        if let researcher { try chargeResearcher(loss, population, researcher, db) }
        if isHeld {
            for window in try windows(population, loss.kind, db)
            where !loss.fits(within: window.limit, after: PrivacyLoss(kind: loss.kind, amount: 0)) {
                throw try exceeded(.window(seconds: window.seconds), population, db)
            }
        } else {
            try chargeWindows(loss, population: population, in: context)
        }
    }

    private static func chargeResearcher(
        _ loss: PrivacyLoss, _ population: Int64, _ researcher: String, _ db: Database
    ) throws {
        try db.cachedStatement(sql: "INSERT OR IGNORE INTO researcher_spending VALUES (?, ?, 0, 0)")
            .execute(arguments: [population, researcher])
        let update = try db.cachedStatement(
            sql: """
                UPDATE researcher_spending SET amount = amount + :amount, delta = delta + :delta
                WHERE population = :population AND researcher = :researcher AND EXISTS (
                    SELECT 1 FROM populations p WHERE p.id = :population AND (p.researcher_amount IS NULL OR (
                        researcher_spending.amount <= p.researcher_amount - :amount
                        AND researcher_spending.delta <= p.researcher_delta - :delta)))
                """)
        try update.execute(arguments: [
            "amount": loss.amount, "delta": loss.delta, "population": population, "researcher": researcher,
        ])
        guard db.changesCount == 1 else { throw try exceeded(.researcher(researcher), population, db) }
    }

    /// Charges the windows that end now: when a request is reserved, at once or by its approval.
    static func chargeWindows(_ loss: PrivacyLoss, population: Int64, in context: WriteContext) throws {
        let db = context.db
        let windows = try windows(population, loss.kind, db)
        for window in windows {
            let spent = try windowSpending(
                db, population, seconds: window.seconds, kind: loss.kind, now: context.now)
            guard loss.fits(within: window.limit, after: spent) else {
                throw try exceeded(.window(seconds: window.seconds), population, db)
            }
        }
        if !windows.isEmpty { try addWindowSpending(db, population, loss, time: context.now) }
    }

    private static func windows(_ population: Int64, _ kind: PrivacyLossKind, _ db: Database) throws -> [Policy.Window]
    {
        try Row.fetchAll(
            db.cachedStatement(sql: "SELECT seconds, limit_amount, limit_delta FROM windows WHERE population = ?"),
            arguments: [population]
        ).map { Policy.Window(seconds: $0[0], limit: PrivacyLoss(kind: kind, amount: $0[1], delta: $0[2])) }
    }

    private static func exceeded(_ scope: BudgetScope, _ population: Int64, _ db: Database) throws -> Exceeded {
        let name = try String.fetchOne(db, sql: "SELECT name FROM populations WHERE id = ?", arguments: [population])
        return Exceeded(words: "\(scope.words) of the budget of \(name ?? "")")
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
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT coalesce(sum(amount), 0), coalesce(sum(delta), 0) FROM window_spending
                    WHERE population = ? AND seconds = ? AND bucket >= ?
                    """), arguments: [population, seconds, first])
        return PrivacyLoss(kind: kind, amount: row?[0] ?? 0, delta: row?[1] ?? 0)
    }

    /// Counts a loss in every window of the population.
    static func addWindowSpending(_ db: Database, _ population: Int64, _ loss: PrivacyLoss, time: Int64) throws {
        let windows = try Int64.fetchAll(
            db.cachedStatement(sql: "SELECT seconds FROM windows WHERE population = ?"), arguments: [population])
        for seconds in windows {
            let length = partLength(seconds)
            let part = floorDivide(time, length)
            try db.cachedStatement(
                sql: """
                    INSERT INTO window_spending VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET amount = amount + excluded.amount, delta = delta + excluded.delta
                    """
            ).execute(arguments: [population, seconds, part, loss.amount, loss.delta])
        }
    }

    // MARK: - Giving back what no row was read for

    /// Takes a held charge back (docs/privacy.md, rule 8): only ever for a request that was pending, which no window counts yet.
    static func giveBack(
        _ loss: PrivacyLoss, population: Int64, researcher: String, in context: WriteContext
    ) throws {
        let db = context.db
        try db.execute(
            sql: "UPDATE populations SET spent_amount = spent_amount - ?, spent_delta = spent_delta - ? WHERE id = ?",
            arguments: [loss.amount, loss.delta, population])
        try addResearcherSpending(
            db, population, researcher, PrivacyLoss(kind: loss.kind, amount: -loss.amount, delta: -loss.delta))
    }

    static func addResearcherSpending(
        _ db: Database, _ population: Int64, _ researcher: String, _ loss: PrivacyLoss
    ) throws {
        try db.execute(
            sql: "INSERT OR IGNORE INTO researcher_spending VALUES (?, ?, 0, 0)", arguments: [population, researcher])
        try db.execute(
            sql: """
                UPDATE researcher_spending SET amount = amount + ?, delta = delta + ?
                WHERE population = ? AND researcher = ?
                """, arguments: [loss.amount, loss.delta, population, researcher])
    }

    // MARK: - Reading

    /// What decides a request of a researcher, as it stands now.
    static func spending(
        _ population: PopulationRow, researcher: String, policy: Policy, now: Int64, _ db: Database
    ) throws -> Spending {
        let own = try Row.fetchOne(
            db.cachedStatement(
                sql: "SELECT amount, delta FROM researcher_spending WHERE population = ? AND researcher = ?"),
            arguments: [population.id, researcher])
        let windows = try policy.windows.map {
            try windowSpending(db, population.id, seconds: $0.seconds, kind: population.kind, now: now)
        }
        return Spending(
            total: population.spent,
            researcher: PrivacyLoss(kind: population.kind, amount: own?[0] ?? 0, delta: own?[1] ?? 0), windows: windows)
    }

    /// The reservation of a request, from its row: nil unless it is reserved, unanswered and was not lost by a restore.
    static func reservation(of request: String, in db: Database) throws -> Reservation? {
        guard let row = try RequestRow.find(request, db), row.state == .reserved, !row.isLost, !row.charge.isNothing
        else { return nil }
        return Reservation(request: request, charge: row.charge)
    }
}
