internal import Dispatch
public import Marketplace
internal import Synchronization

/// Entries of many callers, made durable together: what comes while one batch is being stored is the next batch, so that a synchronisation is shared by all who wait for it
/// (group commit; DeWitt et al., "Implementation techniques for main memory database systems", 1984).
///
/// Storing blocks, and runs on a thread of its own queue, never on Swift's cooperative pool.
public final class GroupCommit<State: Journaled>: Sendable {
    private struct Waiting {
        let entry: State.Entry
        let answer: CheckedContinuation<Result<State.Answer, StoreError>, Never>
    }

    private struct Queue {
        var waiting: [Waiting] = []
        var isStoring = false
    }

    /// The most entries of a batch.
    public static var largestBatch: Int { 4_096 }
    private let ledger: Mutex<DurableLedger<State>>
    private let queue = Mutex(Queue())
    private let thread = DispatchQueue(label: "parley.marketplace.store")

    /// Takes the ledger over.
    public init(_ ledger: sending DurableLedger<State>) { self.ledger = Mutex(ledger) }

    /// Stores and applies an entry, in the order in which calls come.
    ///
    /// - Returns: Its answer, which is durable.
    /// - Throws: ``StoreError``: it was not applied then.
    public func submit(_ entry: State.Entry) async throws(StoreError) -> State.Answer {
        let result = await withCheckedContinuation { answer in
            let isFirst = queue.withLock { queue in
                queue.waiting.append(Waiting(entry: entry, answer: answer))
                defer { queue.isStoring = true }
                return !queue.isStoring
            }
            if isFirst { thread.async { self.store() } }
        }
        return try result.get()
    }

    /// Reads the state as of the last batch. It waits for the one that is being stored.
    public func read<Value: Sendable>(_ body: (DurableLedger<State>) -> Value) -> Value {
        ledger.withLock { body($0) }
    }

    private func store() {
        while true {
            let batch = queue.withLock { queue in
                let batch = Array(queue.waiting.prefix(Self.largestBatch))
                queue.waiting.removeFirst(batch.count)
                queue.isStoring = !batch.isEmpty
                return batch
            }
            if batch.isEmpty { return }
            let result = ledger.withLock { ledger in
                Result { () throws(StoreError) in try ledger.apply(batch.map(\.entry)) }
            }
            switch result {
            case .success(let answers):
                for (one, answer) in zip(batch, answers) { one.answer.resume(returning: .success(answer)) }
            case .failure(let error): for one in batch { one.answer.resume(returning: .failure(error)) }
            }
        }
    }
}
