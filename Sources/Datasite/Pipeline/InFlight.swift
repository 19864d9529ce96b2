import DatasiteProtocol
import Synchronization

/// Work that is under way, by key: of concurrent calls with one key, one runs and the others wait for its result
/// (docs/privacy.md, rule 8).
///
/// The work is a task of its own: a caller who goes away (a closed connection) neither stops it nor hurries it off its
/// time slot.
final class InFlight<Result: Sendable>: Sendable {
    private struct Entry {
        var binding: String
        var task: Task<Result, any Error>
    }

    private let entries = Mutex<[String: Entry]>([:])

    /// `binding`: what the key stands for.
    ///
    /// - Throws: the problem `conflict` where work under this key is bound to something else.
    func joining(
        _ key: String, binding: String, _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let (entry, isMine) = entries.withLock { entries -> (Entry, Bool) in
            if let entry = entries[key] { return (entry, false) }
            let entry = Entry(binding: binding, task: Task { try await work() })
            entries[key] = entry
            return (entry, true)
        }
        guard entry.binding == binding else {
            throw Problem.conflict(
                "this idempotency key is in use for another request", hint: "use a new key for a new request")
        }
        defer { if isMine { entries.withLock { $0[key] = nil } } }
        return try await entry.task.value
    }
}
