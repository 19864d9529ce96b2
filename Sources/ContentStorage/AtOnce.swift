internal import ContentAddressing
internal import Foundation
internal import Synchronization

/// Runs what waits for the disk many times at once. A file system makes durable together what is asked for while it writes: a thousand small
/// files one after the other take a thousand rounds of it, and together a few.
enum AtOnce {
    /// The most that are asked for at once; each has a thread meanwhile.
    static let most = 32

    private final class Progress: Sendable {
        private let state = Mutex((next: 0, error: ContentError?.none))

        /// What is to be done next; nil at the end, and where something failed.
        func next(of count: Int) -> Int? {
            state.withLock { state in
                guard state.error == nil, state.next < count else { return nil }
                defer { state.next += 1 }
                return state.next
            }
        }

        func fail(_ error: ContentError) { state.withLock { $0.error = $0.error ?? error } }

        func finish() throws(ContentError) {
            if let error = state.withLock({ $0.error }) { throw error }
        }
    }

    /// Does it for 0 to `count` - 1, in no order, and returns when all is done.
    ///
    /// - Throws: The first error; what was not begun then is not.
    static func run(
        _ count: Int, _ body: @escaping @Sendable (Int) throws(ContentError) -> Void
    ) throws(ContentError) {
        let progress = Progress()
        let work: @Sendable () -> Void = {
            while let index = progress.next(of: count) {
                do throws(ContentError) { try body(index) } catch { progress.fail(error) }
            }
        }
        let others = DispatchGroup()
        for _ in 1..<max(1, min(count, most)) {
            others.enter()
            Thread.detachNewThread {
                work()
                others.leave()
            }
        }
        work()
        others.wait()
        try progress.finish()
    }
}
