import DatasiteProtocol
import Dispatch
import GRDB
import Synchronization

/// What a change of the database has at hand, inside one immediate transaction that it shares with others.
struct WriteContext {
    let db: Database
    /// Seconds since 1970.
    let now: Int64
    var head: Journal.Head

    mutating func journal(_ entry: JournalEntry) throws {
        try Journal.append(entry, to: db, after: &head)
    }
}

/// The datasite's one writer: changes that arrive while it synchronises the disk are committed together.
///
/// Each change runs in its own savepoint, so that one that fails undoes itself alone; nobody is told of a result before
/// the transaction that holds it is on disk and the generation file knows of it.
final class GroupCommit: Sendable {
    /// Changes in one transaction: a bound on what a single failure of the disk takes with it.
    static let largestBatch = 256

    /// A change, and what to do when it is durable (nil) or failed.
    private struct Change: Sendable {
        var run: @Sendable (inout WriteContext) throws -> @Sendable ((any Error)?) -> Void
        var fail: @Sendable (any Error) -> Void
    }

    private let store: SiteStore
    private let generationFile: GenerationFile
    private let clock: SiteClock
    private let queue = DispatchQueue(label: "datasite.commit")
    private let waiting = Mutex<[Change]>([])
    private let lastGeneration: Mutex<Int64>
    private let commits = Mutex<Int64>(0)
    private let submitted = Mutex<Int64>(0)
    private let beforeCommit: @Sendable () -> Void

    /// - Parameter beforeCommit: Called on the writer's queue before each transaction.
    init(
        store: SiteStore, generationFile: GenerationFile, clock: SiteClock, generation: Int64,
        beforeCommit: @escaping @Sendable () -> Void = {}
    ) {
        self.beforeCommit = beforeCommit
        self.store = store
        self.generationFile = generationFile
        self.clock = clock
        lastGeneration = Mutex(generation)
    }

    /// The number of transactions so far: fewer than changes when they were grouped.
    var transactions: Int64 { commits.withLock { $0 } }

    /// The number of changes that were submitted so far.
    var changes: Int64 { submitted.withLock { $0 } }

    /// Runs a change and returns its result when it is durable.
    func perform<Result: Sendable>(
        _ body: @escaping @Sendable (inout WriteContext) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            submit(body) { continuation.resume(with: $0) }
        }
    }

    /// The same for callers that are not asynchronous: it blocks their thread.
    func performAndWait<Result: Sendable>(
        _ body: @escaping @Sendable (inout WriteContext) throws -> Result
    ) throws -> Result {
        let done = DispatchSemaphore(value: 0)
        let box = ResultBox<Result>()
        submit(body) { result in
            box.set(result)
            done.signal()
        }
        done.wait()
        return try box.take()
    }

    /// Waits until what was submitted is done.
    func finish() { queue.sync {} }

    private func submit<Result: Sendable>(
        _ body: @escaping @Sendable (inout WriteContext) throws -> Result,
        completion: @escaping @Sendable (Swift.Result<Result, any Error>) -> Void
    ) {
        let change = Change(
            run: { context in
                let result = try body(&context)
                return { failure in completion(failure.map { .failure($0) } ?? .success(result)) }
            },
            fail: { completion(.failure($0)) })
        waiting.withLock { $0.append(change) }
        submitted.withLock { $0 += 1 }
        queue.async { self.commitWaiting() }
    }

    private func commitWaiting() {
        let batch = waiting.withLock { waiting in
            let batch = Array(waiting.prefix(Self.largestBatch))
            waiting.removeFirst(batch.count)
            return batch
        }
        guard !batch.isEmpty else { return }
        var results: [@Sendable ((any Error)?) -> Void] = []
        do {
            try store.file.check()
            let record = try store.pool.writeWithoutTransaction { db in try run(batch, in: db, results: &results) }
            commits.withLock { $0 += 1 }
            // Nobody is told of what was committed into a file that is not there any more.
            try store.file.check()
            try generationFile.advance(to: record)
            results.forEach { $0(nil) }
        } catch {
            let problem = Problem.storage(error)
            results.forEach { $0(problem) }
            batch.dropFirst(results.count).forEach { $0.fail(problem) }
        }
    }

    private func run(
        _ batch: [Change], in db: Database, results: inout [@Sendable ((any Error)?) -> Void]
    ) throws -> GenerationFile.Record {
        var record = GenerationFile.Record(generation: 0, spent: nil)
        beforeCommit()
        try db.inTransaction(.immediate) {
            let generation = try Meta.integer(db, "generation")
            // The database was replaced by an older one while this process ran.
            guard generation >= lastGeneration.withLock({ $0 }) else { throw Restore.problem }
            var context = WriteContext(db: db, now: clock.now(), head: try Journal.head(db))
            for change in batch {
                let head = context.head
                do {
                    var result: (@Sendable ((any Error)?) -> Void)?
                    try db.inSavepoint {
                        result = try change.run(&context)
                        return .commit
                    }
                    results.append(result ?? { _ in })
                } catch let error as DatabaseError where error.isFatalToTransaction {
                    throw error
                } catch {
                    context.head = head
                    results.append { failure in change.fail(failure ?? error) }
                }
            }
            try Meta.set(db, "generation", generation + 1)
            record = try Restore.record(db)
            return .commit
        }
        lastGeneration.withLock { $0 = max($0, record.generation) }
        return record
    }
}

/// Where a result waits for the thread that asked for it.
private final class ResultBox<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)

    func set(_ value: Result<Value, any Error>) { result.withLock { $0 = value } }

    func take() throws -> Value {
        guard let result = result.withLock({ $0 }) else { throw Problem.unavailable("the writer gave no result") }
        return try result.get()
    }
}

extension DatabaseError {
    /// Whether SQLite may have rolled the whole transaction back, not only the savepoint.
    var isFatalToTransaction: Bool {
        switch resultCode {
        case .SQLITE_FULL, .SQLITE_IOERR, .SQLITE_NOMEM, .SQLITE_BUSY, .SQLITE_CORRUPT, .SQLITE_INTERRUPT,
            .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_NOTADB:
            true
        default: false
        }
    }
}
