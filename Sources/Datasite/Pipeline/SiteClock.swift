/// The times that a datasite reads, injected so that tests can set them.
struct SiteClock: Sendable {
    /// Seconds since 1970-01-01T00:00:00Z: for windows, journal and receipts.
    var now: @Sendable () -> Int64
    /// A clock that never goes back: for answer time slots.
    var instant: @Sendable () -> Duration
    /// Suspends until that instant.
    var sleepUntil: @Sendable (Duration) async -> Void

    static let system: SiteClock = {
        let start = ContinuousClock.now
        return SiteClock(
            now: { Int64(Timestamp.systemSeconds()) },
            instant: { ContinuousClock.now - start },
            sleepUntil: { try? await Task.sleep(until: start + $0, tolerance: .zero, clock: .continuous) })
    }()
}
