internal import Dispatch
internal import Synchronization

/// What makes entries durable and answers them, a batch at a time.
public protocol EntryStore: SendableMetatype {
    /// What is asked.
    associatedtype Entry: Sendable
    /// What it comes to.
    associatedtype Answer: Sendable
    /// Why nothing has an answer.
    associatedtype Failure: Error

    /// Stores entries and applies them in their order.
    ///
    /// - Returns: An answer to each, which is durable.
    func apply(_ entries: [Entry]) throws(Failure) -> [Answer]
}

extension DurableLedger: EntryStore {}
extension MarketFolder: EntryStore {}

/// Entries of many callers, made durable together: what comes while one batch is being stored is the next batch, so that a synchronisation is shared by all who wait for it
/// (group commit; DeWitt et al., "Implementation techniques for main memory database systems", 1984).
///
/// Storing blocks, and runs on a thread of its own queue, never on Swift's cooperative pool.
public final class GroupCommit<Store: EntryStore>: Sendable {
    private struct Waiting {
        let entry: Store.Entry
        let answer: CheckedContinuation<Result<Store.Answer, Store.Failure>, Never>
    }

    private struct Queue {
        var waiting: [Waiting] = []
        var isStoring = false
    }

    /// The most entries of a batch.
    public static var largestBatch: Int { 4_096 }
    private let store: Mutex<Store>
    private let queue = Mutex(Queue())
    private let thread = DispatchQueue(label: "parley.marketplace.store")

    /// Takes the store over.
    public init(_ store: sending Store) { self.store = Mutex(store) }

    /// Stores and applies an entry, in the order in which calls come.
    ///
    /// - Returns: Its answer, which is durable.
    /// - Throws: What the store throws: the entry has no answer then.
    public func submit(_ entry: Store.Entry) async throws(Store.Failure) -> Store.Answer {
        let result = await withCheckedContinuation { answer in
            let isFirst = queue.withLock { queue in
                queue.waiting.append(Waiting(entry: entry, answer: answer))
                defer { queue.isStoring = true }
                return !queue.isStoring
            }
            if isFirst { thread.async { self.storeAll() } }
        }
        return try result.get()
    }

    /// Looks at the store as of the last batch. It waits for the one that is being stored.
    public func read<Value: Sendable>(_ body: (Store) throws -> Value) rethrows -> Value {
        try store.withLock { try body($0) }
    }

    private func storeAll() {
        while true {
            let batch = queue.withLock { queue in
                let batch = Array(queue.waiting.prefix(Self.largestBatch))
                queue.waiting.removeFirst(batch.count)
                queue.isStoring = !batch.isEmpty
                return batch
            }
            if batch.isEmpty { return }
            let result = store.withLock { store in
                Result { () throws(Store.Failure) in try store.apply(batch.map(\.entry)) }
            }
            switch result {
            case .success(let answers):
                for (one, answer) in zip(batch, answers) { one.answer.resume(returning: .success(answer)) }
            case .failure(let error): for one in batch { one.answer.resume(returning: .failure(error)) }
            }
        }
    }
}
