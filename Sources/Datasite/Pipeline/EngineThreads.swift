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
    private let words: String

    /// - Parameters:
    ///   - givesWay: Whether what serves requests goes before them.
    ///   - words: What is busy where no place is left.
    ///   - niceness: Of threads that give way.
    init(
        threads: Int, queueLimit: Int, givesWay: Bool = false, niceness: Int32 = EngineThreads.niceness,
        words: String = "all engines are"
    ) {
        self.threads = max(1, threads)
        self.words = words
        jobs = JobQueue(threads: self.threads, givesWay: givesWay, niceness: niceness)
        capacity = self.threads + max(0, queueLimit)
    }

    deinit { jobs.stop() }

    /// Enough that what serves a request goes first, and not so much that somebody who keeps the server busy could stretch a
    /// scan beyond its slot, 4 times its bound: beside a thread of niceness 0 on its core, 2 leaves it 39 % (5 would leave
    /// 25 %).
    static let niceness: Int32 = 2

    var admitted: Int { state.withLock { $0.admitted } }
    var running: Int { jobs.running }
    var refusals: Int64 { refused.load(ordering: .relaxed) }

    /// Runs `body` while it counts as one of the requests at work, in all and of `name`, who may have half of the places:
    /// nobody alone keeps the others out. It is asked for before anything is charged.
    ///
    /// - Throws: the problem `busy` where no place is left, and what `body` throws.
    func admitting<Result>(_ name: String, _ body: () async throws -> Result) async throws -> Result {
        let admission = try admission(of: name)
        defer { withExtendedLifetime(admission) {} }
        return try await body()
    }

    /// A place among the requests at work, for as long as somebody has it.
    final class Admission: Sendable {
        private let threads: EngineThreads
        private let name: String

        fileprivate init(_ threads: EngineThreads, of name: String) { (self.threads, self.name) = (threads, name) }

        deinit { threads.leave(name) }
    }

    /// A place for a request that goes on when this call is over (``admitting(_:_:)``).
    ///
    /// - Throws: the problem `busy` where no place is left.
    func admission(of name: String) throws -> Admission {
        let isAdmitted = state.withLock { state in
            let own = state.admittedByName[name, default: 0]
            guard state.admitted < capacity, own < (capacity + 1) / 2 else { return false }
            state.admitted += 1
            state.admittedByName[name] = own + 1
            return true
        }
        guard isAdmitted else {
            refused.add(1, ordering: .relaxed)
            throw Problem.busy(words)
        }
        return Admission(self, of: name)
    }

    private func leave(_ name: String) {
        state.withLock { state in
            state.admitted -= 1
            let own = state.admittedByName[name, default: 1] - 1
            state.admittedByName[name] = own > 0 ? own : nil
        }
    }

    /// Runs `work` on one of the threads: what is of one user, or of none, in the order of arrival; of several, in turn. What is
    /// of one user never takes all threads, where there are two: another's work need not wait for it to end.
    ///
    /// - Parameter user: Whose work it is; nil: the datasite's own, which is short, and scans, which are in the order of arrival
    ///   because their time slots are (``ScanSchedule``).
    func run<Result: Sendable>(
        for user: String? = nil, _ work: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            jobs.add(of: user) { continuation.resume(with: Swift.Result { try work() }) }
        }
    }
}

/// Jobs of users in turn, each user's in the order of arrival.
struct FairQueue<Job> {
    private struct Line {
        var jobs: [Job] = []
        var next = 0
    }

    /// The most jobs of one user that run at a time.
    private let share: Int
    private var lines: [String?: Line] = [:]
    /// Users with jobs that wait: whose turn is next comes first.
    private var turns: [String?] = []
    private var runningByUser: [String: Int] = [:]
    /// Jobs that wait.
    private(set) var count = 0

    init(threads: Int) { share = max(1, threads - 1) }

    mutating func add(_ job: Job, of user: String?) {
        if lines[user] == nil { turns.append(user) }
        lines[user, default: Line()].jobs.append(job)
        count += 1
    }

    private func mayRun(_ user: String?) -> Bool { user.map { runningByUser[$0, default: 0] < share } ?? true }

    /// Whether a job waits that may run now.
    var isReady: Bool { turns.contains(where: mayRun) }

    /// The next job that may run; it counts as running until ``end(of:)``.
    mutating func next() -> (job: Job, user: String?)? {
        guard let turn = turns.firstIndex(where: mayRun) else { return nil }
        let user = turns.remove(at: turn)
        guard var line = lines.removeValue(forKey: user) else { return nil }
        let job = line.jobs[line.next]
        line.next += 1
        if line.next < line.jobs.count {
            // What was taken is let go of now and then, not each time.
            if line.next >= 64, line.next * 2 > line.jobs.count {
                line.jobs.removeFirst(line.next)
                line.next = 0
            }
            lines[user] = line
            turns.append(user)
        }
        count -= 1
        if let user { runningByUser[user, default: 0] += 1 }
        return (job, user)
    }

    mutating func end(of user: String?) {
        guard let user, let running = runningByUser[user] else { return }
        runningByUser[user] = running > 1 ? running - 1 : nil
    }
}

/// Jobs that wait, and the threads that wait for them: begun when first needed, and kept.
private final class JobQueue: Sendable {
    private struct State {
        var waiting: FairQueue<@Sendable () -> Void>
        var running = 0
        var started = 0
        var isStopped = false
    }

    private let threads: Int
    private let givesWay: Bool
    private let state: Mutex<State>
    /// Where a job waits that may run and a thread is idle, one at least; more wake a thread for nothing.
    private let available = DispatchSemaphore(value: 0)

    /// Evaluating a deep expression recurses: as much as a main thread has.
    private static let stackBytes = 8 << 20

    private let niceness: Int32

    init(threads: Int, givesWay: Bool, niceness: Int32) {
        self.threads = threads
        self.givesWay = givesWay
        self.niceness = niceness
        state = Mutex(State(waiting: FairQueue(threads: threads)))
    }

    var running: Int { state.withLock { $0.running } }

    func add(of user: String?, _ job: @escaping @Sendable () -> Void) {
        let startsThread = state.withLock { state in
            state.waiting.add(job, of: user)
            guard state.started < threads, state.waiting.count > state.started - state.running else { return false }
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
            if givesWay { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness) }
        #elseif canImport(Musl)
            if givesWay { _ = setpriority(PRIO_PROCESS, 0, niceness) }
        #endif
        while true {
            available.wait()
            // Until nothing may run: the end of a job may let another of its user's run.
            while let (job, user) = take() {
                job()
                state.withLock { state in
                    state.running -= 1
                    state.waiting.end(of: user)
                }
            }
            if state.withLock({ $0.isStopped }) { return }
        }
    }

    private func take() -> (job: @Sendable () -> Void, user: String?)? {
        let (taken, isReady) = state.withLock { state in
            let taken = state.waiting.next()
            if taken != nil { state.running += 1 }
            return (taken, taken != nil && state.waiting.isReady)
        }
        if isReady { available.signal() }
        return taken
    }
}
