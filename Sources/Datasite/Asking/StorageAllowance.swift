import DatasiteProtocol
import Synchronization

/// How much one researcher's questions may write in a day.
///
/// Questions, answers and refusals are kept for good, and the smallest budget buys a million million questions: without
/// a bound one researcher could fill the owner's disk, and with that stop everyone. It is counted in memory: a server
/// that starts again counts from zero, which a researcher cannot make it do.
final class StorageAllowance: Sendable {
    /// A question of 1 KB with its answer, receipt and journal entries takes about 6 KB: 200,000 of them a day.
    static let bytesPerDay = 1 << 30
    /// What a question takes beside its own text, which is kept in request, answer and journal: rows, keys and receipt.
    private static let overhead = 4_096

    private struct Use {
        var day: Int64
        var bytes = 0
    }

    private let limit: Int
    private let used = Mutex<[String: Use]>([:])

    init(bytesPerDay: Int) { limit = bytesPerDay }

    /// Counts a question before anything is stored for it, or refuses it. A refusal stores nothing.
    func take(_ request: AskRequest, researcher: String, now: Int64) throws {
        let bytes = Self.overhead + 3 * request.sql.utf8.count
        let fits = used.withLock { used in
            let day = now / 86_400
            let before = used[researcher].flatMap { $0.day == day ? $0.bytes : nil } ?? 0
            guard before < limit else { return false }
            used[researcher] = Use(day: day, bytes: before + bytes)
            return true
        }
        guard fits else {
            throw Problem.of(
                "too-many-questions", "Too many questions", 429,
                "your questions of today have written as much as one researcher's may",
                hint: "nothing was charged; ask again tomorrow (UTC)")
        }
    }

    /// Counts an answer that was stored: its size is known only then.
    func add(_ bytes: Int, researcher: String) {
        used.withLock { $0[researcher]?.bytes += bytes }
    }
}
