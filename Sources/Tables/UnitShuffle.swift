import Secrets

/// Orders one unit's rows by the keyed hash of (contents, occurrence number among identical rows).
final class UnitShuffle {
    private struct Keyed: BitwiseCopyable {
        var hash: UInt64
        var row: Int32
    }

    private let keyed = Scratch<Keyed>()
    private let placed = Scratch<Keyed>()
    private var ends: [Int32] = []

    /// Writes the rows in their keyed order.
    func order(
        _ numbers: UnsafePointer<Int32>, count: Int, key: KeyedHash, _ rows: DecodedRows,
        into target: UnsafeMutablePointer<Int32>
    ) {
        keyed.reserve(count)
        placed.reserve(count)
        let keys = keyed.start
        rows.withContents { columns in
            for i in 0..<count {
                keys[i] = Keyed(hash: Self.hash(Int(numbers[i]), occurrence: 0, key, columns), row: numbers[i])
            }
        }
        sort(count)
        if separateIdenticalRows(count, key, rows) { sort(count) }
        for i in 0..<count { target[i] = keys[i].row }
    }

    @inline(__always)
    private static func hash(
        _ row: Int, occurrence: UInt32, _ key: KeyedHash, _ columns: UnsafeBufferPointer<UnsafePointer<UInt64>>
    ) -> UInt64 {
        var stream = KeyedHash.Stream(key)
        for column in columns { stream.combine(column[row]) }
        return stream.finalize(tail: UInt64(occurrence), tailBytes: 4).first
    }

    /// Sorts by hash. Hashes are uniform: a distribution by their first bits leaves little for the insertion sort.
    private func sort(_ count: Int) {
        let (keys, other) = (keyed.start, placed.start)
        if count > 16 {
            let bits = Int.bitWidth - (count - 1).leadingZeroBitCount
            let shift = UInt64(64 - bits)
            ends.removeAll(keepingCapacity: true)
            ends.append(contentsOf: repeatElement(0, count: 1 << bits))
            ends.withUnsafeMutableBufferPointer { ends in
                for i in 0..<count { ends[Int(truncatingIfNeeded: keys[i].hash >> shift)] &+= 1 }
                for place in 1..<ends.count { ends[place] &+= ends[place - 1] }
                for i in stride(from: count - 1, through: 0, by: -1) {
                    let place = Int(truncatingIfNeeded: keys[i].hash >> shift)
                    ends[place] &-= 1
                    other[Int(ends[place])] = keys[i]
                }
            }
            keys.update(from: other, count: count)
        }
        for i in stride(from: 1, to: count, by: 1) {
            let moved = keys[i]
            var place = i
            while place > 0, keys[place - 1].hash > moved.hash {
                keys[place] = keys[place - 1]
                place -= 1
            }
            keys[place] = moved
        }
    }

    /// Gives the second and later of identical rows hashes of their own. Rows with different contents and one hash
    /// (chance 2^-64 a pair) are put in the order of their contents.
    private func separateIdenticalRows(_ count: Int, _ key: KeyedHash, _ rows: DecodedRows) -> Bool {
        let keys = keyed.start
        var start = 0
        var found = false
        while start < count {
            var end = start + 1
            while end < count, keys[end].hash == keys[start].hash { end += 1 }
            if end - start > 1 {
                found = true
                rows.withContents { separate(start..<end, key, $0) }
            }
            start = end
        }
        return found
    }

    private func separate(
        _ run: Range<Int>, _ key: KeyedHash, _ columns: UnsafeBufferPointer<UnsafePointer<UInt64>>
    ) {
        let keys = keyed.start
        var tied = run.map { keys[$0].row }
        tied.sort { Self.precedes(Int($0), Int($1), columns) }
        var occurrence: UInt32 = 0
        for (place, row) in tied.enumerated() {
            let repeats = place > 0 && !Self.precedes(Int(tied[place - 1]), Int(row), columns)
            occurrence = repeats ? occurrence + 1 : 0
            keys[run.lowerBound + place] = Keyed(
                hash: Self.hash(Int(row), occurrence: occurrence, key, columns), row: row)
        }
    }

    private static func precedes(
        _ left: Int, _ right: Int, _ columns: UnsafeBufferPointer<UnsafePointer<UInt64>>
    ) -> Bool {
        for column in columns where column[left] != column[right] { return column[left] < column[right] }
        return false
    }
}
