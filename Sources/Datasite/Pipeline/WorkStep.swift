import Synchronization
import Tables

/// A step of a piece of work: its name and its bound are public.
struct WorkStep: Sendable {
    /// What is done in it, in words for people: "counting the columns".
    let words: String
    /// The most that it takes, whatever the rows hold.
    let work: Work

    init(_ words: String, _ work: Work) {
        self.words = words
        self.work = work
    }
}

/// How far a run is: between the engine's thread, which knows when a step really ends, and the task that tells others, which
/// does so at the end of the step's own time slot (docs/privacy.md, rule 26).
///
/// The slot of a step begins with the run, and is as large a part of the answer's slot as the bound of the work up to the step's
/// end is of the whole bound. A step that outlives its slot is told
/// at the next power of 8 of it, and those that follow it in that run no sooner than at the same multiple of theirs: what
/// a run's steps show of how long they took is, for each power, the first one that was so late.
final class StepTrack: Sendable {
    /// A step that is done, and when.
    struct Ended: Sendable {
        var step: Int
        var at: Duration
    }

    /// Two events of one run are at least so far apart, the answer's among them: steps in between are passed over.
    static let leastPause: Duration = .milliseconds(250)

    let steps: [WorkStep]
    let ended: AsyncStream<Ended>
    private let continuation: AsyncStream<Ended>.Continuation
    private let done = Mutex(0)
    private let instant: @Sendable () -> Duration
    private let isWanted: @Sendable () -> Bool

    /// - Parameter isWanted: Whether nobody has cancelled the run.
    init(
        _ steps: [WorkStep], instant: @escaping @Sendable () -> Duration = { .zero },
        isWanted: @escaping @Sendable () -> Bool = { true }
    ) {
        self.steps = steps
        self.instant = instant
        self.isWanted = isWanted
        (ended, continuation) = AsyncStream.makeStream()
    }

    /// Called by the engine when so many steps are done.
    ///
    /// - Returns: Whether to go on; where not, the run ends with nothing.
    func finish(_ step: Int) -> Bool {
        note(upTo: step, at: instant())
        return isWanted()
    }

    /// Whether nobody has cancelled the run.
    var goesOn: Bool { isWanted() }

    /// Says that the run has ended, however it did: no step remains.
    func end(at end: Duration) {
        note(upTo: steps.count, at: end)
        continuation.finish()
    }

    private func note(upTo step: Int, at time: Duration) {
        done.withLock { done in
            while done < min(step, steps.count) {
                done += 1
                continuation.yield(Ended(step: done, at: time))
            }
        }
    }
}
