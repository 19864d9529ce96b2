import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Ctrl-C as a count, where something must be said first or a prompt must stay. Dispatch's signal sources, which commands that end
/// after one signal use, would leave the signal blocked for a prompt that comes later.
enum Interrupts {
    private static let received = Atomic<Int>(0)

    static var count: Int { received.load(ordering: .relaxed) }

    /// From here on Ctrl-C is counted, and ends nothing.
    static func beginCounting() {
        var action = sigaction()
        #if canImport(Darwin)
            action.__sigaction_u.__sa_handler = { _ in _ = Interrupts.received.wrappingAdd(1, ordering: .relaxed) }
        #else
            action.__sigaction_handler.sa_handler = { _ in _ = Interrupts.received.wrappingAdd(1, ordering: .relaxed) }
        #endif
        sigaction(SIGINT, &action, nil)
    }

    /// From here on Ctrl-C ends the process.
    static func endCounting() { signal(SIGINT, SIG_DFL) }

    /// Ends the process as Ctrl-C does, so that a shell's loop around it ends too.
    static func end() -> Never {
        endCounting()
        // To the process: this thread may be one that takes no signals.
        kill(getpid(), SIGINT)
        sleep(1)
        exit(130)
    }

    /// Runs work that Ctrl-C cancels.
    ///
    /// - Returns: What it gave; nil if it was cancelled before.
    static func cancelling<Result: Sendable>(_ work: @escaping @Sendable () async throws -> Result) async throws
        -> Result?
    {
        let before = count
        beginCounting()
        defer { endCounting() }
        let working = Task { try await work() }
        let watching = Task {
            while count == before { try await Task.sleep(for: .milliseconds(50)) }
            working.cancel()
        }
        defer { watching.cancel() }
        do { return try await working.value } catch {
            guard count > before else { throw error }
            return nil
        }
    }
}
