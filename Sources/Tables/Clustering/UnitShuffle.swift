import Secrets

/// Orders each unit's rows by the keyed hash of (contents, occurrence number among identical rows).
final class UnitShuffle {
    private let sorter = HashSorter()
    private let hashes = Scratch<UInt64>()

    /// Hashes all rows as the first of their contents: unit u's rows end at `ends[u]`, where the next unit's begin, and
    /// are hashed under the key `keys[2 * u], keys[2 * u + 1]`. `columns` have room for `MessageHashing.slack` words more.
    func hash(_ ends: [Int64], keys: [UInt64], _ columns: UnsafeBufferPointer<UnsafePointer<UInt64>>) {
        hashes.reserve(Int(ends.last ?? 0) + MessageHashing.slack)
        keys.withUnsafeBufferPointer { keys in
            ends.withUnsafeBufferPointer { ends in
                MessageHashing.best.hash(columns, keys: keys, ends: ends, tailBytes: 4, into: hashes.start)
            }
        }
    }

    /// Writes the numbers of one unit's rows, which were hashed, in their keyed order.
    func order(
        _ range: Range<Int>, key: KeyedHash, _ columns: UnsafeBufferPointer<UnsafePointer<UInt64>>,
        into target: UnsafeMutablePointer<Int32>
    ) {
        let count = range.count
        sorter.reserve(count)
        let (entries, hashes) = (sorter.entries, hashes.start)
        for i in 0..<count {
            let row = range.lowerBound + i
            entries[i] = HashSorter.Entry(hash: hashes[row], number: Int32(truncatingIfNeeded: row))
        }
        sorter.sort(count)
        var hasTies = false
        sorter.forEachTie(count) { tie in
            hasTies = true
            separate(tie, key, columns)
        }
        if hasTies { sorter.sort(count) }
        for i in 0..<count { target[i] = entries[i].number }
    }

    @inline(__always)
    private static func hash(
        _ row: Int, occurrence: UInt32, _ key: KeyedHash, _ columns: UnsafeBufferPointer<UnsafePointer<UInt64>>
    ) -> UInt64 {
        var stream = KeyedHash.Stream(key)
        for column in columns { stream.combine(column[row]) }
        return stream.finalize(tail: UInt64(occurrence), tailBytes: 4).first
    }

    /// Gives the second and later of identical rows hashes of their own. Rows with different contents and one hash
    /// (chance 2^-64 a pair) are put in the order of their contents.
    private func separate(
        _ tie: Range<Int>, _ key: KeyedHash, _ columns: UnsafeBufferPointer<UnsafePointer<UInt64>>
    ) {
        let entries = sorter.entries
        var tied = tie.map { entries[$0].number }
        tied.sort { Self.precedes(Int($0), Int($1), columns) }
        var occurrence: UInt32 = 0
        for (place, row) in tied.enumerated() {
            let repeats = place > 0 && !Self.precedes(Int(tied[place - 1]), Int(row), columns)
            occurrence = repeats ? occurrence + 1 : 0
            entries[tie.lowerBound + place] = HashSorter.Entry(
                hash: Self.hash(Int(row), occurrence: occurrence, key, columns), number: row)
        }
    }

    private static func precedes(
        _ left: Int, _ right: Int, _ columns: UnsafeBufferPointer<UnsafePointer<UInt64>>
    ) -> Bool {
        for column in columns where column[left] != column[right] { return column[left] < column[right] }
        return false
    }
}
