import Synchronization

/// How many answers have arrived: on a busy machine a kill that waits for nothing comes before the first.
final class Arrivals: Sendable {
    private let count = Mutex(0)

    func note() { count.withLock { $0 += 1 } }

    /// Waits for the first, a minute at most.
    func first() async throws {
        let end = ContinuousClock.now + .seconds(60)
        while count.withLock({ $0 }) == 0, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(20)) }
    }
}
