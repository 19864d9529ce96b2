import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A process that a test begins, used as Foundation's `Process` is. That one lists this process's open files to close
/// them, and reads up to 280 bytes beyond the list: with the thousands that hundreds of tests have open at once, it
/// crashes now and then. Here the system closes them.
final class BegunProcess: Sendable {
    enum TerminationReason: Sendable { case exit, uncaughtSignal }

    private struct State: Sendable {
        var executable: URL?
        var arguments: [String] = []
        var environment: [String: String]?
        var directory: URL?
        /// What becomes its standard input, output and error; nil: ours.
        var files: [FileHandle?] = [nil, nil, nil]
        /// Of pipes, the ends that are its alone once it runs.
        var itsOwn: [FileHandle] = []
        var process: pid_t = 0
        var status: Int32?
    }

    private let state = Mutex(State())

    var executableURL: URL? {
        get { state.withLock { $0.executable } }
        set { state.withLock { $0.executable = newValue } }
    }
    var arguments: [String]? {
        get { state.withLock { $0.arguments } }
        set { state.withLock { $0.arguments = newValue ?? [] } }
    }
    var environment: [String: String]? {
        get { state.withLock { $0.environment } }
        set { state.withLock { $0.environment = newValue } }
    }
    var currentDirectoryURL: URL? {
        get { state.withLock { $0.directory } }
        set { state.withLock { $0.directory = newValue } }
    }
    var standardInput: Any? {
        get { state.withLock { $0.files[0] } }
        set { set(0, newValue) }
    }
    var standardOutput: Any? {
        get { state.withLock { $0.files[1] } }
        set { set(1, newValue) }
    }
    var standardError: Any? {
        get { state.withLock { $0.files[2] } }
        set { set(2, newValue) }
    }
    var processIdentifier: pid_t { state.withLock { $0.process } }
    var isRunning: Bool { state.withLock { $0.process != 0 && Self.status(&$0) == nil } }
    var terminationReason: TerminationReason { ended & 0x7f == 0 ? .exit : .uncaughtSignal }
    var terminationStatus: Int32 { ended & 0x7f == 0 ? ended >> 8 & 0xff : ended & 0x7f }

    private var ended: Int32 {
        guard let status = state.withLock({ Self.status(&$0) }) else { preconditionFailure("still running") }
        return status
    }

    private func set(_ number: Int, _ value: Any?) {
        let pipe = value as? Pipe
        let end = number == 0 ? pipe?.fileHandleForReading : pipe?.fileHandleForWriting
        let file = end ?? value as? FileHandle
        precondition(file != nil || value == nil, "a pipe or an open file")
        state.withLock {
            $0.files[number] = file
            if let end { $0.itsOwn.append(end) }
        }
    }

    /// - Throws: A `POSIXError`, as where there is no such program.
    func begin() throws {
        try state.withLock { state in
            precondition(state.process == 0, "a process begins once")
            state.process = try Self.spawn(state)
            for end in state.itsOwn { try? end.close() }
            state.files = [nil, nil, nil]
            state.itsOwn = []
        }
        // Taken when it ends, whether a test waits for it or not: what waits for any child, as tests of crashes do, must not find it for ever.
        Thread.detachNewThread { self.waitUntilExit() }
    }

    func waitUntilExit() {
        let process = processIdentifier
        while state.withLock({ Self.status(&$0) }) == nil {
            // It stays a zombie, so that nobody else gets its number before its status is taken.
            var information = siginfo_t()
            waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT)
        }
    }

    func interrupt() { send(SIGINT) }

    /// As a crash or the kernel does: no handler runs.
    func killAndWait() {
        send(SIGKILL)
        waitUntilExit()
    }

    private func send(_ signal: Int32) {
        state.withLock { state in
            if state.process != 0, Self.status(&state) == nil { kill(state.process, signal) }
        }
    }

    private static func status(_ state: inout State) -> Int32? {
        var status: Int32 = 0
        if state.status == nil, waitpid(state.process, &status, WNOHANG) == state.process { state.status = status }
        return state.status
    }

    private static func spawn(_ state: State) throws -> pid_t {
        guard let executable = state.executable else { throw error(ENOENT) }
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
            let closing = Int32(POSIX_SPAWN_CLOEXEC_DEFAULT)
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
            let closing: Int32 = 0
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (number, file) in state.files.enumerated() {
            if let file, file !== FileHandle.nullDevice {
                posix_spawn_file_actions_adddup2(&actions, file.fileDescriptor, Int32(number))
            } else if file != nil {
                posix_spawn_file_actions_addopen(&actions, Int32(number), "/dev/null", O_RDWR, 0)
            } else {
                posix_spawn_file_actions_adddup2(&actions, Int32(number), Int32(number))
            }
        }
        let directory = state.directory?.path ?? FileManager.default.currentDirectoryPath
        #if canImport(Darwin)
            posix_spawn_file_actions_addchdir_np(&actions, directory)
        #else
            typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>
            typealias ChangingFolder = @convention(c) (Actions, UnsafePointer<CChar>) -> Int32
            typealias ClosingFrom = @convention(c) (Actions, Int32) -> Int32
            // Functions of glibc 2.34 that its headers do not show to Swift.
            guard let changing = dlsym(nil, "posix_spawn_file_actions_addchdir_np"),
                let closingFrom = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np")
            else { throw error(ENOSYS) }
            _ = unsafeBitCast(changing, to: ChangingFolder.self)(&actions, directory)
            _ = unsafeBitCast(closingFrom, to: ClosingFrom.self)(&actions, 3)
        #endif
        // It begins with no signal blocked or ignored, whatever the thread that begins it does with them.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags: Int32 =
            Int32(POSIX_SPAWN_SETPGROUP) | Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF) | closing
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var process: pid_t = 0
        let variables = state.environment ?? ProcessInfo.processInfo.environment
        let failure = withPointers([executable.path] + state.arguments) { arguments in
            withPointers(variables.map { "\($0)=\($1)" }) { environment in
                posix_spawn(&process, executable.path, &actions, &attributes, arguments, environment)
            }
        }
        guard failure == 0 else { throw error(failure) }
        return process
    }

    private static func withPointers<Result>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = texts.map { strdup($0) }
        defer { pointers.forEach { free($0) } }
        return body(pointers + [nil])
    }

    private static func error(_ number: Int32) -> POSIXError { POSIXError(POSIXErrorCode(rawValue: number) ?? .EINVAL) }
}
