import Dispatch
import Synchronization

/// Divides a batch into chunks of public size and computes them on several threads.
///
/// What comes out depends on the chunks, not on the threads: each chunk is computed by itself, and results are added in the
/// chunks' order.
enum Chunks {
    /// Ranges of at most `size`, together `0..<count`.
    static func ranges(_ count: Int, size: Int) -> [Range<Int>] {
        stride(from: 0, to: count, by: max(1, size)).map { $0..<min(count, $0 + max(1, size)) }
    }

    /// Computes `part` for each index and gives the results to `merge` in order; at most `threads` results wait at a time.
    static func compute<Part: Sendable>(
        _ count: Int, threads: Int, part: @Sendable (Int) -> Part, merge: (Part) -> Void
    ) {
        for first in stride(from: 0, to: count, by: max(1, threads)) {
            let indices = first..<min(count, first + max(1, threads))
            if indices.count == 1 {
                merge(part(first))
                continue
            }
            let results = Mutex([Part?](repeating: nil, count: indices.count))
            DispatchQueue.concurrentPerform(iterations: indices.count) { offset in
                let result = part(first + offset)
                results.withLock { $0[offset] = result }
            }
            for case let result? in results.withLock({ $0 }) { merge(result) }
        }
    }
}
