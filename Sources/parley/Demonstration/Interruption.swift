import Dispatch
import Synchronization
import UnixSignals

/// Ctrl-C, or a polite request to end, taken as a value instead of a death: what was begun can be put away.
enum Interruption {
    static func wait() async {
        for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { return }
    }

    /// Runs long work, which asks between its steps whether it was interrupted: then `check` throws a
    /// `CancellationError`. The work has a thread of its own, so that the signal is heard on a machine with one processor.
    static func watching<Result: Sendable>(
        _ work: @escaping @Sendable (_ check: @Sendable () throws -> Void) throws -> Result
    ) async throws -> Result {
        let flag = Flag()
        // From here on a signal is no death: before the work begins.
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let listening = Task {
            for await _ in signals { return flag.raise() }
        }
        defer { listening.cancel() }
        return try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Swift.Result { try work { try flag.check() } })
            }
        }
    }

    private final class Flag: Sendable {
        private let isRaised = Mutex(false)

        func raise() { isRaised.withLock { $0 = true } }

        func check() throws {
            if isRaised.withLock({ $0 }) { throw CancellationError() }
        }
    }
}
