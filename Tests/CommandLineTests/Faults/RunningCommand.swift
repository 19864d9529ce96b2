import Foundation
import Synchronization

/// One command at a time, which another task may kill.
final class RunningCommand: Sendable {
    private struct State {
        var process: Int32?
        var isStopped = false
    }

    private let state = Mutex(State())

    /// Begins no further command, and kills the present one if so wished.
    func stop(kill isKilled: Bool) {
        state.withLock { state in
            state.isStopped = true
            if isKilled, let process = state.process { kill(process, SIGKILL) }
        }
    }

    /// The command's exit status, negative where a signal ended it; nil where it was not begun.
    func run(_ place: Workplace, _ arguments: [String]) async -> Int32? {
        await withCheckedContinuation { continuation in
            // Waiting for a process blocks a thread: not one of the few that tasks run on.
            DispatchQueue.global().async {
                let process = self.state.withLock { state -> BegunProcess? in
                    guard !state.isStopped, let process = try? place.start(arguments) else { return nil }
                    state.process = process.processIdentifier
                    return process
                }
                guard let process else { return continuation.resume(returning: nil) }
                process.waitUntilExit()
                self.state.withLock { $0.process = nil }
                let status = process.terminationStatus
                continuation.resume(returning: process.terminationReason == .exit ? status : -status)
            }
        }
    }
}
