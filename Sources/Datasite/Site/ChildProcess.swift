import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A command that is run to its end, or to the end of its time: without a shell, in a process group of its own, with
/// nothing of this process but what it is given.
struct ChildProcess {
    /// How it ended.
    enum Ending: Equatable {
        case exited(Int32)
        case signalled(Int32)
        /// Its time was over: it and what it had started in its group were killed.
        case killed
    }

    /// What is kept of what it prints; the rest is read and forgotten, so that it is never held up by us.
    static let keptOutput = 4 << 10

    /// How long it takes at most until an end of the process, or of its time, is noticed.
    private static let turn: Int32 = 20

    private let process: pid_t
    private let output: Int32
    private(set) var kept: [UInt8] = []
    private(set) var printed = 0
    private var isOpen = true

    /// Starts a command.
    ///
    /// - Parameters:
    ///   - command: The full path of the program, and its arguments.
    ///   - input: An open file, read from where it stands.
    ///   - environment: The whole of it, as `NAME=value`.
    /// - Throws: A `POSIXError`.
    init(_ command: [String], input: Int32, directory: String, environment: [String]) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Self.error(errno) }
        defer { close(ends[1]) }
        output = ends[0]
        var started = false
        defer { if !started { close(ends[0]) } }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        process = try Self.spawn(
            command, environment, files: [input, ends[1], ends[1]], directory: directory)
        started = true
    }

    /// Takes what it prints until it has ended, and leaves no zombie. Once `isOver` it is killed.
    mutating func wait(isOver: () -> Bool) -> Ending {
        var status: Int32 = 0
        while true {
            takeOutput(waiting: Self.turn)
            let ended = waitpid(process, &status, WNOHANG)
            if ended == process { break }
            // Nobody else waits for it; should the system know nothing of it any more, it has ended.
            if ended < 0, errno != EINTR { break }
            guard isOver() else { continue }
            kill(-process, SIGKILL)
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
            close(output)
            return .killed
        }
        // What it left running may print for ever: nothing but what is there already is taken.
        for _ in 0..<16 { takeOutput(waiting: 0) }
        close(output)
        return status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signalled(status & 0x7f)
    }

    private mutating func takeOutput(waiting milliseconds: Int32) {
        guard isOpen else {
            if milliseconds > 0 { usleep(useconds_t(milliseconds) * 1_000) }
            return
        }
        var ready = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, milliseconds) > 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        let count = read(output, &buffer, buffer.count)
        if count == 0 || (count < 0 && errno != EINTR) { isOpen = false }
        guard count > 0 else { return }
        printed += count
        kept += buffer.prefix(min(count, Self.keptOutput - kept.count))
    }

    /// - Parameter files: What becomes its standard input, output and error; every other file is closed to it.
    private static func spawn(
        _ command: [String], _ environment: [String], files: [Int32], directory: String
    ) throws -> pid_t {
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
        for (number, file) in files.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, file, Int32(number))
        }
        #if canImport(Darwin)
            posix_spawn_file_actions_addchdir_np(&actions, directory)
        #else
            let changeFolder = try function("posix_spawn_file_actions_addchdir_np", as: ChangingFolder.self)
            let closeFrom = try function("posix_spawn_file_actions_addclosefrom_np", as: ClosingFrom.self)
            guard changeFolder(&actions, directory) == 0, closeFrom(&actions, Int32(files.count)) == 0 else {
                throw error(ENOMEM)
            }
        #endif
        // A thread of ours blocks signals, and a server ignores some: the command begins with none of that.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = [
            Int32(POSIX_SPAWN_SETPGROUP), Int32(POSIX_SPAWN_SETSIGMASK), Int32(POSIX_SPAWN_SETSIGDEF), closing,
        ]
        posix_spawnattr_setflags(&attributes, Int16(flags.reduce(0, |)))
        var process: pid_t = 0
        let failure = withPointers(command) { arguments in
            withPointers(environment) { environment in
                posix_spawn(&process, command[0], &actions, &attributes, arguments, environment)
            }
        }
        guard failure == 0 else { throw error(failure) }
        return process
    }

    #if !canImport(Darwin)
        private typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>
        private typealias ChangingFolder = @convention(c) (Actions, UnsafePointer<CChar>) -> Int32
        private typealias ClosingFrom = @convention(c) (Actions, Int32) -> Int32

        /// A function of glibc 2.34 that its headers do not show to Swift, since they are read without `_GNU_SOURCE`.
        private static func function<Function>(_ name: String, as type: Function.Type) throws -> Function {
            guard let symbol = dlsym(nil, name) else { throw error(ENOSYS) }
            return unsafeBitCast(symbol, to: type)
        }
    #endif

    private static func withPointers<Result>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = texts.map { strdup($0) }
        defer { pointers.forEach { free($0) } }
        return body(pointers + [nil])
    }

    private static func error(_ number: Int32) -> POSIXError { POSIXError(POSIXErrorCode(rawValue: number) ?? .EINVAL) }
}
