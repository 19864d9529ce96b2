/// Sorts numbers by hashes that are uniform: a distribution by their first bits leaves little for an insertion sort.
final class HashSorter {
    struct Entry: BitwiseCopyable {
        var hash: UInt64
        var number: Int32
    }

    private let room = Scratch<Entry>()
    private let placed = Scratch<Entry>()
    private var ends: [Int32] = []

    /// Room for that many entries, to be filled before `sort`.
    func reserve(_ count: Int) {
        room.reserve(count)
        placed.reserve(count)
    }

    @inline(__always)
    var entries: UnsafeMutablePointer<Entry> { room.start }

    func sort(_ count: Int) {
        if count > 16 { distribute(count) }
        let entries = entries
        for i in stride(from: 1, to: count, by: 1) {
            let moved = entries[i]
            var place = i
            while place > 0, entries[place - 1].hash > moved.hash {
                entries[place] = entries[place - 1]
                place -= 1
            }
            entries[place] = moved
        }
    }

    private func distribute(_ count: Int) {
        let (entries, other) = (entries, placed.start)
        let bits = Int.bitWidth - (count - 1).leadingZeroBitCount
        let shift = UInt64(64 - bits)
        ends.removeAll(keepingCapacity: true)
        ends.append(contentsOf: repeatElement(0, count: 1 << bits))
        ends.withUnsafeMutableBufferPointer { ends in
            for i in 0..<count { ends[Int(truncatingIfNeeded: entries[i].hash >> shift)] &+= 1 }
            for place in 1..<ends.count { ends[place] &+= ends[place - 1] }
            for i in stride(from: count - 1, through: 0, by: -1) {
                let place = Int(truncatingIfNeeded: entries[i].hash >> shift)
                ends[place] &-= 1
                other[Int(ends[place])] = entries[i]
            }
        }
        entries.update(from: other, count: count)
    }

    /// Calls `body` with each run of two or more entries with equal hashes, among the first `count`, which are sorted.
    func forEachTie(_ count: Int, _ body: (Range<Int>) -> Void) {
        var start = 0
        while start < count {
            var end = start + 1
            while end < count, entries[end].hash == entries[start].hash { end += 1 }
            if end - start > 1 { body(start..<end) }
            start = end
        }
    }
}
