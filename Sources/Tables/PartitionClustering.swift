import Secrets

/// What clustering needs to know of the whole file, once it is read: dictionaries are merged, encodings chosen.
struct ClusteringContext: Sendable {
    let plan: IngestPlan
    let encodings: [ColumnEncoding]
    /// Of each worker and text column, by its interner's number: the text's place in the sorted dictionary.
    let textPlaces: [[[Int32]]]
    /// Of each text column, by place: the text as a word of a row's contents.
    let textContents: [[UInt64]]
    /// If the unit's column is text, by place: the unit's name.
    let textUnits: [KeyedHash.Digest]
    /// Units to be dropped whole.
    let skippedUnits: Set<KeyedHash.Digest>
}

/// One partition's rows, sorted and encoded.
struct ClusteredPartition: Sendable {
    var columns: [[UInt8]] = []
    /// The number of rows of each unit, in order; empty where each row is a unit.
    var unitRows: [Int32] = []
    var unitHashes: [UInt64] = []
    var rowsKept = 0
    var rowsBeyondBound = 0
    var rowsSkipped = 0
}

/// Sorts partitions' rows: by unit, and a unit's rows by a hash of their contents under that unit's own key.
///
/// That order is a shuffle from a canonical order of the unit's rows: each row is keyed by (contents, occurrence number
/// among the unit's identical rows), so neither the file's order, nor another unit, nor the number of threads has an
/// influence (PRIVACY.md, rule 11). Identical rows are interchangeable; their occurrence numbers only spread them.
final class PartitionClustering {
    private let context: ClusteringContext
    private let rows: DecodedRows
    private let shuffle: UnitShuffle
    private let names = Scratch<KeyedHash.Digest>()
    private let sorted = Scratch<Int32>()
    private let kept = Scratch<Int32>()
    private var starts: [Int32] = []

    init(_ context: ClusteringContext) {
        self.context = context
        rows = DecodedRows(context)
        shuffle = UnitShuffle()
    }

    /// Sorts one partition, of each worker: its layouts and its records.
    func run(_ workers: [(layouts: [RecordLayout], records: [RecordSpan])]) -> ClusteredPartition {
        rows.decode(workers)
        var result = ClusteredPartition()
        guard rows.count > 0 else {
            result.columns = Array(repeating: [], count: context.encodings.count)
            return result
        }
        sorted.reserve(rows.count)
        kept.reserve(rows.count)
        if let unit = context.plan.unitColumn {
            nameUnits(unit)
            sortByUnit()
            keepRows(&result)
        } else if context.plan.rowsPerUnit > 0 {
            for row in 0..<rows.count { sorted.start[row] = Int32(truncatingIfNeeded: row) }
            shuffle.order(sorted.start, count: rows.count, key: context.plan.key.wholeOrder, rows, into: kept.start)
            result.rowsKept = rows.count
        }
        result.columns = context.encodings.indices.map { encode($0, result.rowsKept) }
        return result
    }

    private func encode(_ column: Int, _ count: Int) -> [UInt8] {
        let encoding = context.encodings[column]
        let order = UnsafeBufferPointer(start: kept.start, count: count)
        return [UInt8](unsafeUninitializedCapacity: count * encoding.width) { target, initialized in
            if let base = target.baseAddress {
                encoding.encode(rows.values[column], order: order, into: UnsafeMutableRawPointer(base))
            }
            initialized = count * encoding.width
        }
    }

    private func nameUnits(_ unit: Int) {
        names.reserve(rows.count)
        let (target, words, key) = (names.start, rows.values[unit], context.plan.key)
        if context.plan.schema.columns[unit].type == .text {
            context.textUnits.withUnsafeBufferPointer { units in
                for row in 0..<rows.count { target[row] = units[Int(words[row])] }
            }
        } else {
            for row in 0..<rows.count { target[row] = key.unit(word: words[row]) }
        }
    }

    /// A counting sort by the bits behind the partition's, then by comparison in the few places where two units meet.
    private func sortByUnit() {
        let bits = Swift.min(14, Swift.max(1, Int.bitWidth - rows.count.leadingZeroBitCount))
        let shift = UInt64(64 - RowPartitions.bits - bits)
        let mask = UInt64(1) << UInt64(bits) - 1
        let (names, sorted, count) = (names.start, sorted.start, rows.count)
        starts.removeAll(keepingCapacity: true)
        starts.append(contentsOf: repeatElement(0, count: 1 << bits + 2))
        starts.withUnsafeMutableBufferPointer { starts in
            // Shifted by two, so that after the distribution the starts are where they belong.
            for row in 0..<count { starts[Int(truncatingIfNeeded: names[row].first >> shift & mask) + 2] &+= 1 }
            for place in 1..<starts.count { starts[place] &+= starts[place - 1] }
            for row in 0..<count {
                let place = Int(truncatingIfNeeded: names[row].first >> shift & mask) + 1
                sorted[Int(starts[place])] = Int32(truncatingIfNeeded: row)
                starts[place] &+= 1
            }
            for place in 0..<(1 << bits) { separate(Int(starts[place])..<Int(starts[place + 1])) }
        }
    }

    private func separate(_ range: Range<Int>) {
        guard range.count > 1 else { return }
        let (names, sorted) = (names.start, sorted.start)
        let first = names[Int(sorted[range.lowerBound])]
        guard range.contains(where: { names[Int(sorted[$0])] != first }) else { return }
        var rows = UnsafeMutableBufferPointer(start: sorted + range.lowerBound, count: range.count)
        rows.sort { names[Int($0)] < names[Int($1)] }
    }

    /// Orders each unit's rows and keeps the first of them.
    private func keepRows(_ result: inout ClusteredPartition) {
        let (names, sorted, count) = (names.start, sorted.start, rows.count)
        let bound = Swift.max(context.plan.rowsPerUnit, 0)
        let skipsUnits = !context.skippedUnits.isEmpty
        var start = 0
        while start < count {
            let name = names[Int(sorted[start])]
            var end = start + 1
            while end < count, names[Int(sorted[end])] == name { end += 1 }
            let unitRows = end - start
            if skipsUnits, context.skippedUnits.contains(name) {
                result.rowsSkipped += unitRows
            } else if bound > 0 {
                // What is beyond the bound is overwritten by the next unit.
                shuffle.order(
                    sorted + start, count: unitRows, key: context.plan.key.order(of: name), rows,
                    into: kept.start + result.rowsKept)
                let taken = Swift.min(unitRows, bound)
                result.rowsKept += taken
                result.rowsBeyondBound += unitRows - taken
                result.unitRows.append(Int32(truncatingIfNeeded: taken))
                result.unitHashes.append(name.first)
                result.unitHashes.append(name.second)
            } else {
                result.rowsBeyondBound += unitRows
            }
            start = end
        }
    }
}
