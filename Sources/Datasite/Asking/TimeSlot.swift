import Query

/// The grid of times at which answers leave (PRIVACY.md, rule 2).
///
/// How long a scan takes depends on the rows. An answer leaves at a whole multiple of a slot after its scan began; the
/// slot follows from the declared capacity and the plan, which are public, and is ample for both. A scan that outlives
/// its slot takes the next: which one it takes is what remains visible, and is counted for the owner.
struct TimeSlot: Sendable, Hashable {
    let length: Duration

    init(length: Duration) { self.length = length }

    /// Ample for a scan of so many rows into so many cells: a scan takes about a fifth of it on a quiet machine.
    init(capacityRows: Int, aggregates: Int, groups: Int?) {
        let rows = min(capacityRows, 1 << 40)
        let columns = min(max(1, aggregates), 64)
        let perRow = 60 + 30 * columns
        let cells = min(groups ?? 0, 1 << 32) * columns
        length = .nanoseconds(Int64(6_000_000 + rows * perRow + cells * 2_000))
    }

    /// How many slots work that took `elapsed` uses: at least one.
    func count(_ elapsed: Duration) -> Int {
        guard elapsed > length else { return 1 }
        return Int((elapsed / length).rounded(.up))
    }

    /// When the answer leaves whose scan began at `start` and was done at `end`.
    func departure(start: Duration, end: Duration) -> Duration { start + length * count(end - start) }
}
