import Foundation
import Synchronization

/// The grid of times at which answers leave (docs/privacy.md, rules 2 and 26).
///
/// How long a scan takes depends on the rows; how long it takes at most follows from the plan. An answer leaves a whole
/// slot after its scan began: 4 to 5 times that bound, on a coarse public grid. A scan that outlives its slot all the same,
/// on a machine that stalls, leaves at the next power of 8 of it, so that what it shows is little however long it took; it
/// is counted for the owner.
struct TimeSlot: Sendable, Hashable {
    private(set) var length: Duration
    /// How long the scan takes a thread as far as others can tell: its bound.
    let occupation: Duration

    /// What a machine's other work delays a scan by, however short it is.
    static let least: Duration = .microseconds(1_250)

    /// The slot of work that takes at most `bound`.
    init(bound: Duration) {
        occupation = bound
        // Steps of a quarter: 4 times the bound, rounded up.
        let milliseconds = max(bound, Self.least) / .milliseconds(1) * 4
        let step = (log(milliseconds) / log(1.25) - 1e-9).rounded(.up)
        length = .nanoseconds(Int64(min(pow(1.25, step) * 1e6, 1e18)))
    }

    /// The slot of the beginning of the work that is that share of it: the same share of its length, `least` at least.
    func part(_ share: Double, least: Duration) -> TimeSlot {
        var part = self
        part.length = max(length * min(max(share, 0), 1), least)
        return part
    }

    /// How many slots pass before work leaves that took `elapsed`: 1, 8, 64 and so on.
    func count(_ elapsed: Duration) -> Int {
        var count = 1
        while elapsed > length * count, count < 1 << 30 { count *= 8 }
        return count
    }

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
