import DatasiteProtocol
import Dispatch
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Threads of the datasite's own, for scans or for planning: one job a core, and a bounded number of requests in all.
///
/// They are the system's threads, not Dispatch's: those are few and shared with Swift's tasks, so that a request would
/// wait for a scan to end. And scans give way: on every core whatever serves a request goes first, so that how long it
/// takes says nothing of what is being computed.
final class EngineThreads: Sendable {
    private struct State {
        var admitted = 0
        var admittedByName: [String: Int] = [:]
    }

    let threads: Int
    /// The most requests that may be at work or waiting.
    let capacity: Int
    private let state = Mutex(State())
    private let refused = Atomic<Int64>(0)
    private let jobs: JobQueue

    /// - Parameter givesWay: Whether what serves requests goes before them.
    init(threads: Int, queueLimit: Int, givesWay: Bool = false) {
        self.threads = max(1, threads)
        jobs = JobQueue(threads: self.threads, givesWay: givesWay)
        capacity = self.threads + max(0, queueLimit)
    }

    deinit { jobs.stop() }

    var admitted: Int { state.withLock { $0.admitted } }
    var running: Int { jobs.running }
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
            jobs.add { continuation.resume(with: Swift.Result { try work() }) }
        }
    }
}

/// Jobs in the order of arrival, and the threads that wait for them: begun when first needed, and kept.
private final class JobQueue: Sendable {
    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var next = 0
        var running = 0
        var started = 0
        var isStopped = false

        mutating func dequeue() -> (@Sendable () -> Void)? {
            guard next < waiting.count else { return nil }
            defer {
                next += 1
                if next == waiting.count {
                    waiting.removeAll(keepingCapacity: true)
                    next = 0
                }
            }
            return waiting[next]
        }
    }

    private let threads: Int
    private let givesWay: Bool
    private let state = Mutex(State())
    /// One for each job that nobody has taken, and for each thread that is to end.
    private let available = DispatchSemaphore(value: 0)

    /// Evaluating a deep expression recurses: as much as a main thread has.
    private static let stackBytes = 8 << 20

    /// Enough that what serves a request goes first, and not so much that somebody who keeps the server busy could stretch a
    /// scan beyond its slot, 4 times its bound: beside a thread of niceness 0 on its core, 2 leaves it 39 % (5 would leave
    /// 25 %).
    private static let niceness: Int32 = 2

    init(threads: Int, givesWay: Bool) {
        self.threads = threads
        self.givesWay = givesWay
    }

    var running: Int { state.withLock { $0.running } }

    func add(_ job: @escaping @Sendable () -> Void) {
        let startsThread = state.withLock { state in
            state.waiting.append(job)
            guard state.started < threads, state.waiting.count - state.next > state.started - state.running else {
                return false
            }
            state.started += 1
            return true
        }
        available.signal()
        if startsThread { startThread() }
    }

    /// Ends the threads once they have nothing to do.
    func stop() {
        let started = state.withLock { state in
            state.isStopped = true
            return state.started
        }
        for _ in 0..<started { available.signal() }
    }

    private func startThread() {
        let thread = Thread { self.work() }
        thread.name = "datasite.engine"
        thread.stackSize = Self.stackBytes
        #if canImport(Darwin)
            if givesWay { thread.qualityOfService = .utility }
        #endif
        thread.start()
    }

    private func work() {
        // On Linux the niceness of the calling thread alone. It can only fail to be polite.
        #if canImport(Glibc)
            if givesWay { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness) }
        #elseif canImport(Musl)
            if givesWay { _ = setpriority(PRIO_PROCESS, 0, Self.niceness) }
        #endif
        while true {
            available.wait()
            let (job, isStopped) = state.withLock { state in
                let job = state.dequeue()
                if job != nil { state.running += 1 }
                return (job, state.isStopped)
            }
            if let job {
                job()
                state.withLock { $0.running -= 1 }
            } else if isStopped {
                return
            }
        }
    }
}
