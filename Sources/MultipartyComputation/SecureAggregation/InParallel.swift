internal import Dispatch
internal import Synchronization

/// The results of the work for each place, in their order, done on up to so many threads; which does which is not determined.
func inParallel<Result: Sendable>(_ count: Int, threads: Int, _ work: @Sendable (Int) -> Result) -> [Result] {
    let threads = min(max(threads, 1), max(count, 1))
    guard threads > 1 else { return (0..<count).map(work) }
    let results = Mutex([Result?](repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: threads) { thread in
        for place in stride(from: thread, to: count, by: threads) {
            let result = work(place)
            results.withLock { $0[place] = result }
        }
    }
    return results.withLock { $0.compactMap { $0 } }
}
