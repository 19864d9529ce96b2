import DatasiteProtocol
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
    private let givesWay: Bool

    /// Evaluating a deep expression recurses: as much as a main thread has.
    private static let stackBytes = 8 << 20

    /// Enough that a request never waits for a time slice, and not so much that other programs starve scans.
    private static let niceness: Int32 = 5

    /// - Parameter givesWay: Whether what serves requests goes before them.
    init(threads: Int, queueLimit: Int, givesWay: Bool = false) {
        self.threads = max(1, threads)
        self.givesWay = givesWay
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
        guard startsThread else { return }
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
