import Synchronization

/// Tasks that wait until something is new, or for some time.
final class Waiting: Sendable {
    private struct State {
        /// Counts what was new.
        var version = 0
        var next = 0
        var tasks: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    var version: Int { state.withLock { $0.version } }

    /// Something is new: all that wait go on.
    func announce() {
        let tasks = state.withLock { state in
            state.version += 1
            defer { state.tasks = [:] }
            return state.tasks.values
        }
        for task in tasks { task.resume() }
    }

    /// Waits until something is newer than that version, at most so long.
    func wait(after version: Int, atMost time: Duration) async {
        let place = state.withLock { state in
            state.next += 1
            return state.next
        }
        let limit = Task {
            try? await Task.sleep(for: time)
            state.withLock { $0.tasks.removeValue(forKey: place) }?.resume()
        }
        await withCheckedContinuation { task in
            let isNew = state.withLock { state in
                guard state.version == version, !limit.isCancelled else { return true }
                state.tasks[place] = task
                return false
            }
            if isNew { task.resume() }
        }
        limit.cancel()
    }
}
