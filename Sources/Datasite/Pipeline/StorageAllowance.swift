import DatasiteProtocol
import Synchronization

/// How much one researcher's questions may write in a day, and how many of them may be refused.
///
/// Questions, answers and refusals are kept for good, and a refusal costs no budget: without a bound one researcher could
/// fill the owner's disk, and with that stop everyone, or average for nothing what the time of a refusal might tell
/// (docs/privacy.md, rule 27). It is counted in memory: a server
/// that starts again counts from zero, which a researcher cannot make it do.
final class StorageAllowance: Sendable {
    /// A question of 1 KB with its answer, receipt and journal entries takes about 6 KB: 200,000 of them a day.
    static let bytesPerDay = 1 << 30
    /// As many as questions of the usual least charge fit in a whole budget.
    static let refusalsPerDay = 10_000
    /// What a question takes beside its own text, which is kept in request, answer and journal: rows, keys and receipt.
    private static let overhead = 4_096

    private struct Use {
        var day: Int64
        var bytes = 0
        var refusals = 0
    }

    private let limit: Int
    private let refusalLimit: Int
    private let used = Mutex<[String: Use]>([:])

    init(bytesPerDay: Int, refusalsPerDay: Int) {
        limit = bytesPerDay
        refusalLimit = refusalsPerDay
    }

    /// Counts a request before anything is stored for it, or refuses it. A refusal stores nothing.
    ///
    /// - Parameter body: The bytes of its text, which is kept in request, answer and journal.
    func take(_ body: Int, researcher: String, now: Int64) throws {
        let bytes = Self.overhead + 3 * body
        let refusal = used.withLock { used -> String? in
            let day = now / 86_400
            var use = used[researcher].flatMap { $0.day == day ? $0 : nil } ?? Use(day: day)
            guard use.bytes < limit else {
                return "your questions of today have written as much as one researcher's may"
            }
            guard use.refusals < refusalLimit else {
                return "\(refusalLimit) of your questions were refused today, as many as one researcher's may be"
            }
            use.bytes += bytes
            used[researcher] = use
            return nil
        }
        guard let refusal else { return }
        throw Problem(.tooManyQuestions, refusal, hint: "nothing was charged; ask again tomorrow (UTC)")
    }

    /// Counts a question that policy or ledger refused.
    func addRefusal(researcher: String) {
        used.withLock { $0[researcher]?.refusals += 1 }
    }

    /// Counts an answer that was stored: its size is known only then.
    func add(_ bytes: Int, researcher: String) {
        used.withLock { $0[researcher]?.bytes += bytes }
    }
}
