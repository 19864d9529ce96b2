import Secrets

/// Orders one unit's rows by the keyed hash of (contents, occurrence number among identical rows).
struct UnitShuffle {
    private struct Keyed {
        var hash: UInt64
        var row: Int32
    }

    private let columnCount: Int
    private var keyed: [Keyed] = []
    private var words: [UInt64]
    private var others: [UInt64]

    init(columnCount: Int) {
        self.columnCount = columnCount
        words = [UInt64](repeating: 0, count: columnCount + 1)
        others = words
    }

    /// The rows in their keyed order. `contents` writes a row's words.
    mutating func order(
        _ rows: ArraySlice<Int32>, key: KeyedHash, contents: (Int, UnsafeMutablePointer<UInt64>) -> Void
    ) -> [Int32] {
        keyed.removeAll(keepingCapacity: true)
        for row in rows { keyed.append(Keyed(hash: hash(row, occurrence: 0, key, contents), row: row)) }
        keyed.sort { $0.hash < $1.hash }
        if separateIdenticalRows(key, contents) { keyed.sort { $0.hash < $1.hash } }
        return keyed.map(\.row)
    }

    private mutating func hash(
        _ row: Int32, occurrence: UInt64, _ key: KeyedHash, _ contents: (Int, UnsafeMutablePointer<UInt64>) -> Void
    ) -> UInt64 {
        words.withUnsafeMutableBufferPointer { words in
            guard let base = words.baseAddress else { return 0 }
            contents(Int(row), base)
            base[columnCount] = occurrence
            return key.hash(words: UnsafeBufferPointer(words)).0
        }
    }

    /// Gives the second and later of identical rows hashes of their own. Rows with different contents and one hash
    /// (chance 2^-64 a pair) are put in the order of their contents.
    private mutating func separateIdenticalRows(
        _ key: KeyedHash, _ contents: (Int, UnsafeMutablePointer<UInt64>) -> Void
    ) -> Bool {
        var start = 0
        var found = false
        while start < keyed.count {
            var end = start + 1
            while end < keyed.count, keyed[end].hash == keyed[start].hash { end += 1 }
            if end - start > 1 {
                found = true
                separate(start..<end, key, contents)
            }
            start = end
        }
        return found
    }

    private mutating func separate(
        _ run: Range<Int>, _ key: KeyedHash, _ contents: (Int, UnsafeMutablePointer<UInt64>) -> Void
    ) {
        var rows = run.map { place -> (row: Int32, words: [UInt64]) in
            words.withUnsafeMutableBufferPointer {
                if let base = $0.baseAddress { contents(Int(keyed[place].row), base) }
            }
            return (keyed[place].row, Array(words.prefix(columnCount)))
        }
        rows.sort { $0.words.lexicographicallyPrecedes($1.words) }
        var occurrence: UInt64 = 0
        for (place, entry) in zip(run, rows) {
            let repeats = place > run.lowerBound && rows[place - run.lowerBound - 1].words == entry.words
            occurrence = repeats ? occurrence + 1 : 0
            keyed[place] = Keyed(hash: hash(entry.row, occurrence: occurrence, key, contents), row: entry.row)
        }
    }
}
