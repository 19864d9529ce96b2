import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Process {
    /// Runs it, one process after the other, whichever module of the tests begins them: each has a copy of this, and the lock is a file's. Foundation sees that a process has ended by a
    /// socket, whose other end the process holds; one that is begun at the same moment by another thread would hold it too, and as long as that one lives, the end of this
    /// one is not seen.
    func begin() throws {
        let path = FileManager.default.temporaryDirectory.path + "/parley-tests-\(getpid()).lock"
        let lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0, errno == EINTR {}
        try run()
    }

    /// As a crash or the kernel does: no handler runs.
    func killAndWait() {
        kill(processIdentifier, SIGKILL)
        waitUntilExit()
    }
}
