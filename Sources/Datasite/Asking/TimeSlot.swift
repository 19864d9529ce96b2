import Synchronization

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

    /// How long a scan occupies an engine thread as far as others can tell: about what it really takes at most.
    var occupation: Duration { length / 5 }

    /// When the answer leaves whose scan counts as begun at `start` and was done at `end`.
    func departure(start: Duration, end: Duration) -> Duration { start + length * count(end - start) }
}

/// When scans count as begun: at their arrival, or when a thread would be free if every scan took its public
/// `occupation`. So an answer that waited for another's scan leaves at a time that follows from arrivals and plans, not
/// from how long that scan really took. Where real scans fall behind their occupation, the next slot is taken.
final class ScanSchedule: Sendable {
    /// For each engine thread, when its last scan counts as done.
    private let free: Mutex<[Duration]>

    init(threads: Int) {
        free = Mutex(Array(repeating: .zero, count: max(1, threads)))
    }

    /// The beginning of a scan that arrives now; its thread is taken until it counts as done.
    func begin(at arrival: Duration, _ slot: TimeSlot) -> Duration {
        free.withLock { free in
            let thread = free.indices.min { free[$0] < free[$1] } ?? 0
            let start = max(arrival, free[thread])
            free[thread] = start + slot.occupation
            return start
        }
    }
}
