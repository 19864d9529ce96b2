import Crypto
import DatasiteProtocol
import Dispatch
import EncryptedPrediction
import Foundation
import Synchronization
import Tables

/// Carries a message to a coordinator and its reply back: given to a datasite by the program that serves it, since a datasite opens no connection of its own.
public protocol CoordinatorConnection: Sendable {
    /// Sends a message, and waits for the reply; the caller's thread waits with it.
    ///
    /// - Parameters:
    ///   - coordinator: Where it is: scheme, host and port.
    ///   - largestReply: A longer one is not read.
    /// - Throws: ``UnusableCoordinator`` where no later try helps; the `Problem` that somebody answered with (of status 503: to come again, which is no silence); else that nobody
    ///   answered. In words that hold nothing of the message.
    func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8]
}

/// A coordinator with which this site cannot speak as it is set up, whose owner has to change something.
public struct UnusableCoordinator: Error, Sendable {
    /// Why, and what helps: public.
    public let words: String

    /// Why, and what helps.
    public init(_ words: String) { self.words = words }
}

/// What work that talks to others while it runs has of the world: the site's own key, the way out, and the time.
struct Outside: Sendable {
    /// The key that signs receipts; what it signs here has labels of its own.
    let identity: Curve25519.Signing.PrivateKey
    /// nil: this process serves nobody, and connects to nobody.
    let connection: (any CoordinatorConnection)?
    let pace: Pace
    /// Enters a round, in public words, into the journal before rows are read for it, so that it is in the log (docs/privacy.md, rule 36).
    ///
    /// - Returns: Whether the entry is durable.
    let enters: @Sendable (_ round: String) -> Bool
    /// Takes messages from whoever asked, of at most so many bytes, until the run ends.
    var receives: @Sendable (_ mostBytes: Int) -> Visit = { Visit(visitor: nil, mostBytes: $0) }
    /// Takes what was dealt beforehand to whoever asked, by its session, if it fits what she asks for: it serves once.
    var prepared:
        @Sendable (_ session: Data, _ fits: (PreparedSession) -> Bool) throws -> (PreparedSession, SpooledSteps) = {
            _, _ in throw Problem.absent("nothing is prepared here")
        }
    /// Before the first row was read, or a table opened.
    var start = Duration.zero
}

/// When what is made from private rows leaves in the middle of a run: at the end of a time slot that follows from the bound of the work, as answers do
/// (docs/privacy.md, rule 26).
final class Pace: Sendable {
    private let clock: SiteClock
    private let slot: @Sendable (Work) -> TimeSlot
    private let most = Atomic<Int>(1)
    private let late = Atomic<Int>(0)
    private let computed = Atomic<Int>(1)
    private static let mostLate = 3

    init(clock: SiteClock, slot: @escaping @Sendable (Work) -> TimeSlot) {
        (self.clock, self.slot) = (clock, slot)
    }

    /// The most slots that computing a piece of it took: what waits for a disk behind that says nothing of rows, nor of who asked.
    var mostSlots: Int { computed.load(ordering: .relaxed) }

    var now: Duration { clock.instant() }

    /// Waits until what was begun then, and takes at most that work, may be seen to be done. Three pieces of a run may outlive
    /// their slots, on a machine that stalls; behind these all leave no sooner than at the largest multiple so far, so that a run shows no more of how long they took.
    ///
    /// - Parameter end: When it was computed; nil: now.
    func leave(_ work: Work, since start: Duration, computedAt end: Duration? = nil) {
        let slot = slot(work)
        computed.max(slot.count((end ?? clock.instant()) - start), ordering: .relaxed)
        var count = slot.count(clock.instant() - start)
        if count > 1 { late.add(1, ordering: .relaxed) }
        most.max(count, ordering: .relaxed)
        if late.load(ordering: .relaxed) > Self.mostLate { count = max(count, most.load(ordering: .relaxed)) }
        sleep(until: start + slot.length * count)
    }

    /// Waits on a thread of the datasite's own, never on one of Swift's tasks.
    func sleep(until instant: Duration) {
        let isOver = DispatchSemaphore(value: 0)
        let clock = clock
        Task {
            await clock.sleepUntil(instant)
            isOver.signal()
        }
        isOver.wait()
    }
}

extension Datasite {
    /// Lets work of this process that takes part in rounds reach their coordinators.
    public func connect(by connection: any CoordinatorConnection) { outward.withLock { $0 = connection } }
}
