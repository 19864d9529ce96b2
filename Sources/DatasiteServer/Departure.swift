import ServiceLifecycle
import Synchronization

/// Lets a server end although some of its work does not: an answer that waits for its time slot, a scan that nothing
/// interrupts. Their charges are stored before they begin, so that leaving them behind loses nothing.
final class Departure: Sendable {
    private let grace: Duration
    /// What still waits for the server's end; nil before `first`, and when it has ended.
    private let waiting = Mutex<CheckedContinuation<Void, any Error>?>(nil)

    init(grace: Duration) { self.grace = grace }

    /// From now on work has its grace. Then it is cancelled, by the service group; what does not heed that is left.
    func begin() { end(after: grace + Self.heeding) }

    private static let heeding: Duration = .milliseconds(500)

    private func end(after time: Duration) {
        Task {
            try? await Task.sleep(for: time)
            end(.success(()))
        }
    }

    /// Runs `body` until it returns, or has been cancelled or told to shut down and does not return in time.
    ///
    /// - Throws: What `body` throws.
    func first(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let running = Task { try await body() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                waiting.withLock { $0 = continuation }
                Task { end(await running.result) }
            }
        } onCancel: {
            running.cancel()
            end(after: Self.heeding)
        }
    }

    private func end(_ result: Result<Void, any Error>) {
        let continuation = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
        continuation?.resume(with: result)
    }
}

/// A service whose shutdown begins a departure.
struct LeavingService<Base: Service>: Service {
    let base: Base
    let departure: Departure

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await base.run()
        } onGracefulShutdown: {
            departure.begin()
        }
    }
}
