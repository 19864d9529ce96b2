import DatasiteProtocol
import GRDB
import Query
import Synchronization

/// Answers that outlived their slots, by researcher: told to the owner, and after a few of one researcher her dear
/// questions wait for the owner. Whoever finds a way to make scans slow where somebody's row is there gets few tries.
extension Datasite {
    /// So many of one researcher are a stalled machine's.
    static let missedSlotsAllowed: Int64 = 3
    /// What computes for longer than this is dear.
    static let dearScan: Duration = .milliseconds(100)

    private static func key(_ researcher: String) -> String { "missed-slots \(researcher)" }

    func isDear(_ planned: PlannedWork) -> Bool { limits.time(planned.work.bound) >= Self.dearScan }

    /// Whether the question waits for an owner's approval, although its policies let it pass.
    func mustWait(_ planned: PlannedWork, _ asker: Identity) throws -> Bool {
        guard asker.role == .researcher, isDear(planned) else { return false }
        return try read { try Meta.integer($0, Self.key(asker.name)) } >= Self.missedSlotsAllowed
    }

    /// Counts an answer that took so many slots. A short scan's slot is outlived by many a delay of a machine that is busy: such
    /// a one is her doing only if it took longer than eight.
    func countMissedSlot(_ planned: PlannedWork, _ id: String, slots: Int) async throws {
        missedSlots.add(1, ordering: .relaxed)
        guard isDear(planned) || slots > 8 else { return }
        try await commit.perform { context in
            guard let researcher = try RequestRow.find(id, context.db)?.researcher else { return }
            let key = Self.key(researcher)
            try Meta.set(context.db, key, try Meta.integer(context.db, key) + 1)
        }
    }

    /// An owner who approved one of her questions has seen them: the count begins anew.
    static func forgiveMissedSlots(_ researcher: String, _ db: Database) throws {
        try db.execute(sql: "DELETE FROM meta WHERE key = :key", arguments: ["key": key(researcher)])
    }

    /// How many answers of each researcher outlived their slots since an owner last approved a question of hers.
    public func missedSlotsByResearcher() throws -> [String: Int64] {
        try read { db in
            let rows = try Row.fetchAll(
                db, sql: "SELECT substr(key, 14), value FROM meta WHERE key GLOB 'missed-slots *'")
            return Dictionary(rows.map { ($0[0] as String, $0[1] as Int64) }, uniquingKeysWith: max)
        }
    }
}
