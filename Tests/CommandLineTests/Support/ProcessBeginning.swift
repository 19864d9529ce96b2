import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Process {
    private static let beginning = Mutex(())

    /// Runs it, one process after the other. Foundation sees that a process has ended by a socket, whose other end the process
    /// holds; one that is begun at the same moment by another thread would hold it too, and as long as that one lives, the
    /// end of this one is not seen.
    func begin() throws {
        try Self.beginning.withLock { _ in try run() }
    }

    /// As a crash or the kernel does: no handler runs.
    func killAndWait() {
        kill(processIdentifier, SIGKILL)
        waitUntilExit()
    }
}
