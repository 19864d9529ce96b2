import DatasiteProtocol
import Dispatch
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What became of the notify hook for one request, or of several that it was never started for: for the owner's log.
public struct HookReport: Sendable, Hashable {
    /// The request that waits; nil where the report is of several.
    public var request: String?
    /// What went wrong; nil: the command ended with status 0.
    public var problem: String?
    /// What the command printed, cut to 4 KiB.
    public var output: String
}

/// Starts the owner's command for each request that begins to wait: one at a time, on a thread of its own.
///
/// Whoever adds a notice never waits for the command, and nothing that it does, or fails to do, changes what becomes of the
/// request. What the researcher wrote reaches it as JSON on its standard input alone, never as an argument.
final class NotifyHook: Sendable {
    struct Limits: Sendable {
        /// How long one run may take.
        var time = Duration.seconds(30)
        /// The most notices that wait for the command.
        var waiting = 256
    }

    /// What the command is told of a request.
    struct Notice: Sendable {
        var request: String
        /// One JSON object and a line feed.
        var input: [UInt8]
    }

    private struct State {
        var waiting: [Notice] = []
        var isRunning = false
        /// Dropped and not reported yet.
        var dropped = 0
        /// When a run is killed because the server ends.
        var end: ContinuousClock.Instant?
    }

    private let command: [String]
    private let folder: SiteFolder
    private let limits: Limits
    private let report: @Sendable (HookReport) -> Void
    private let state = Mutex(State())
    private let allDropped = Atomic<Int>(0)
    private let queue = DispatchQueue(label: "datasite.notify", qos: .utility)

    init(
        command: [String], folder: SiteFolder, limits: Limits = Limits(),
        report: @escaping @Sendable (HookReport) -> Void
    ) {
        self.command = command
        self.folder = folder
        self.limits = limits
        self.report = report
    }

    /// Notices for which the command was never started, since too many waited or the server ended.
    var dropped: Int { allDropped.load(ordering: .relaxed) }

    func add(_ notice: Notice) {
        let starts = state.withLock { state -> Bool in
            guard state.end == nil, state.waiting.count < limits.waiting else {
                drop(1, &state)
                return false
            }
            state.waiting.append(notice)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if starts { queue.async { self.drain() } }
    }

    /// Starts nothing more, and gives what runs so long to end. Returns when it has.
    func stop(grace: Duration) async {
        beginToStop(grace)
        await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    }

    /// The same at once, on the caller's thread.
    func stopNow() {
        beginToStop(.zero)
        queue.sync {}
    }

    private func beginToStop(_ grace: Duration) {
        state.withLock { state in
            state.end = .now + grace
            drop(state.waiting.count, &state)
            state.waiting = []
        }
        queue.async { self.reportDropped() }
    }

    private func drop(_ count: Int, _ state: inout State) {
        state.dropped += count
        allDropped.add(count, ordering: .relaxed)
    }

    private func drain() {
        while let notice = next() {
            report(run(notice))
            reportDropped()
        }
    }

    private func next() -> Notice? {
        state.withLock { state in
            state.isRunning = !state.waiting.isEmpty
            return state.isRunning ? state.waiting.removeFirst() : nil
        }
    }

    private func reportDropped() {
        let dropped = state.withLock { state in
            defer { state.dropped = 0 }
            return state.dropped
        }
        guard dropped > 0 else { return }
        report(
            HookReport(
                problem:
                    "was not started for \(dropped) requests that wait: \(limits.waiting) others waited for it, or the "
                    + "server was ending; `parley requests --pending` lists all", output: ""))
    }

    private func run(_ notice: Notice) -> HookReport {
        let start = ContinuousClock.now
        var report = HookReport(request: notice.request, output: "")
        do {
            try SiteConfiguration.checkProgram(command[0])
            let input = try inputFile(notice.input)
            defer { close(input) }
            var child = try ChildProcess(command, input: input, directory: folder.path, environment: environment)
            let ending = child.wait {
                let now = ContinuousClock.now
                return now >= start + limits.time || state.withLock { $0.end.map { $0 <= now } ?? false }
            }
            report.output = String(decoding: child.kept, as: UTF8.self)
            if child.printed > child.kept.count {
                report.output += " (and \(child.printed - child.kept.count) bytes more)"
            }
            report.problem = words(ending)
        } catch let problem as Problem {
            report.problem = "was not started: \(problem.detail)"
        } catch let error as POSIXError {
            report.problem = "could not be started: \(String(cString: strerror(error.code.rawValue)))"
        } catch {
            report.problem = "could not be started"
        }
        return report
    }

    private func words(_ ending: ChildProcess.Ending) -> String? {
        switch ending {
        case .exited(0): nil
        case .exited(let status): "ended with status \(status)"
        case .signalled(let signal): "was ended by signal \(signal)"
        case .killed:
            state.withLock { $0.end } == nil
                ? "was killed: it took longer than \(limits.time)" : "was killed: the server was ending"
        }
    }

    /// A file without a name that holds the input: unlike a pipe it takes all of it at once, and a command that reads
    /// nothing, or ends early, holds up nobody.
    private func inputFile(_ bytes: [UInt8]) throws -> Int32 {
        let path = folder.path + "/notify.input"
        let file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        unlink(path)
        guard write(file, bytes, bytes.count) == bytes.count, lseek(file, 0, SEEK_SET) == 0 else {
            close(file)
            throw POSIXError(.ENOSPC)
        }
        return file
    }

    /// All that the command finds in its environment.
    private var environment: [String] {
        let home = ProcessInfo.processInfo.environment["HOME"] ?? "/"
        // Where this program is, so that a script finds it under its name.
        let own = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent().path
        let path = ["/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", own].compactMap(\.self)
        return [
            "PATH=\(path.joined(separator: ":"))", "LANG=C.UTF-8", "HOME=\(home)",
            "PARLEY_SITE=\(folder.path)",
        ]
    }
}

extension Datasite {
    /// What the hook is told: `request` has the form of `GET /v1/requests/{id}`.
    private struct PendingNotice: Encodable {
        var event = "pending"
        var site: String
        /// The private datasets that it reads.
        var datasets: [String]
        var request: RequestSummary
    }

    /// Reads `parley.yaml` in the site's folder, and from now on starts the command that it names, if any, when a request
    /// begins to wait for owners. Until then, and in a process that never calls this, nothing is started.
    ///
    /// - Parameter report: Told what became of each run, on a thread of its own.
    /// - Throws: A `Problem`: `forbidden` where others than the site's user may write the file or the command, `site-unavailable` where it
    ///   says something wrong.
    public func startNotifying(report: @escaping @Sendable (HookReport) -> Void) throws {
        try startNotifying(limits: NotifyHook.Limits(), report: report)
    }

    func startNotifying(limits: NotifyHook.Limits, report: @escaping @Sendable (HookReport) -> Void) throws {
        let configuration = try SiteConfiguration(path: folder.configuration)
        let hook = try configuration.notify.map {
            try SiteConfiguration.checkProgram($0[0])
            return NotifyHook(command: $0, folder: folder, limits: limits, report: report)
        }
        notifyHook.withLock { $0 = hook }
    }

    /// Starts no command any more; one that runs has so long to end, and is then killed.
    public func stopNotifying(grace: Duration) async {
        let hook = notifyHook.withLock { $0 }
        await hook?.stop(grace: grace)
    }

    /// Called once for each request that is stored as waiting, when it is durable.
    func notify(_ row: RequestRow, _ summary: RequestSummary) {
        guard let hook = notifyHook.withLock({ $0 }) else { return }
        let notice = PendingNotice(site: name, datasets: row.assets.map(\.dataset), request: summary)
        guard let input = try? AnswerEncoding.bytes(notice) else { return }
        hook.add(NotifyHook.Notice(request: row.id, input: input + [UInt8(ascii: "\n")]))
    }
}
