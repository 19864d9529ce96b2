import DatasiteProtocol
import Dispatch
import Synchronization

/// Threads of the datasite's own, for scans or for planning: one job a core, and a bounded number of requests in all.
/// Nothing that reads private rows runs on the threads that serve requests, so the catalogue never waits for a scan.
final class EngineThreads: Sendable {
    private struct State {
        var admitted = 0
        var admittedByName: [String: Int] = [:]
        var running = 0
        var waiting: [@Sendable () -> Void] = []
        var next = 0

        mutating func dequeue() -> (@Sendable () -> Void)? {
            guard next < waiting.count else {
                waiting.removeAll(keepingCapacity: true)
                next = 0
                return nil
            }
            defer { next += 1 }
            return waiting[next]
        }
    }

    let threads: Int
    /// The most requests that may be at work or waiting.
    let capacity: Int
    private let state = Mutex(State())
    private let refused = Atomic<Int64>(0)
    private let queue = DispatchQueue(label: "datasite.engines", attributes: .concurrent)

    init(threads: Int, queueLimit: Int) {
        self.threads = max(1, threads)
        capacity = self.threads + max(0, queueLimit)
    }

    var admitted: Int { state.withLock { $0.admitted } }
    var running: Int { state.withLock { $0.running } }
    var refusals: Int64 { refused.load(ordering: .relaxed) }

    /// Runs `body` while it counts as one of the requests at work, in all and of `name`, who may have half of the places:
    /// nobody alone keeps the others out. It is asked for before anything is charged.
    ///
    /// - Throws: the problem `busy` where no place is left, and what `body` throws.
    func admitting<Result>(_ name: String, _ body: () async throws -> Result) async throws -> Result {
        let isAdmitted = state.withLock { state in
            let own = state.admittedByName[name, default: 0]
            guard state.admitted < capacity, own < (capacity + 1) / 2 else { return false }
            state.admitted += 1
            state.admittedByName[name] = own + 1
            return true
        }
        guard isAdmitted else {
            refused.add(1, ordering: .relaxed)
            throw Problem.busy()
        }
        defer {
            state.withLock { state in
                state.admitted -= 1
                let own = state.admittedByName[name, default: 1] - 1
                state.admittedByName[name] = own > 0 ? own : nil
            }
        }
        return try await body()
    }

    /// Runs `work` on an engine thread, in the order of arrival.
    func run<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            enqueue { continuation.resume(with: Swift.Result { try work() }) }
        }
    }

    private func enqueue(_ job: @escaping @Sendable () -> Void) {
        let startsThread = state.withLock { state in
            state.waiting.append(job)
            guard state.running < threads else { return false }
            state.running += 1
            return true
        }
        if startsThread { queue.async { self.work() } }
    }

    private func work() {
        while true {
            let job = state.withLock { state -> (@Sendable () -> Void)? in
                let job = state.dequeue()
                if job == nil { state.running -= 1 }
                return job
            }
            guard let job else { return }
            job()
        }
    }
}
