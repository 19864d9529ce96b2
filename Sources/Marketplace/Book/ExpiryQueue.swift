/// Names by the time at which they end: a binary heap, whose order of equal times is the names'. What has ended otherwise stays in it until its time; the
/// caller looks whether it still holds.
struct ExpiryQueue: Sendable {
    private var heap: [(time: Int64, name: Digest256)] = []

    mutating func insert(_ name: Digest256, at time: Int64) {
        heap.append((time, name))
        var child = heap.count - 1
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// The first one that ends at the time or before it.
    mutating func removeFirst(by time: Int64) -> Digest256? {
        guard let first = heap.first, first.time <= time else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            if least == parent { return first.name }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
