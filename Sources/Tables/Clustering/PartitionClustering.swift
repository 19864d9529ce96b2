import Secrets

/// What clustering needs to know of the whole file, once it is read: dictionaries are merged, encodings chosen.
struct ClusteringContext: Sendable {
    let plan: IngestPlan
    let encodings: [ColumnEncoding]
    /// By worker, text column and the number that the worker's interner gave a text: the text's place in the sorted
    /// dictionary.
    let textPlaces: [[[Int32]]]
    /// By text column and place: the text as a word of a row's contents.
    let textContents: [[UInt64]]
    /// By place, if the unit's column is text: the unit's name.
    let textUnits: [KeyedHash.Digest]
    /// Units to be dropped whole.
    let skippedUnits: Set<KeyedHash.Digest>

    /// What is stored of a unit that loses `rows` rows now: with those that it lost before, at most its bound, so that one
    /// unit changes the sum over all by no more (docs/privacy.md, rule 38).
    func dropped(_ rows: Int, of name: KeyedHash.Digest) -> Int32 {
        let before = plan.base?.dropped(of: name) ?? 0
        return Int32(clamping: Swift.min(rows + before, Swift.max(plan.rowsPerUnit, 0)))
    }
}

/// One partition's rows, sorted and encoded.
struct ClusteredPartition: Sendable {
    var columns: [[UInt8]] = []
    /// The number of rows of each unit, in order; empty where each row is a unit.
    var unitRows: [Int32] = []
    var unitHashes: [UInt64] = []
    /// The number of rows of each unit that were dropped, at most the bound on its rows.
    var unitDropped: [Int32] = []
    var rowsKept = 0
    var rowsBeyondBound = 0
    var rowsSkipped = 0
}

/// Sorts partitions' rows: by unit, and a unit's rows by a hash of their contents under that unit's own key.
///
/// That order is a shuffle from a canonical order of the unit's rows: each row is keyed by (contents, occurrence number
/// among the unit's identical rows), so neither the file's order, nor another unit, nor the number of threads has an
/// influence (docs/privacy.md, rule 11). Identical rows are interchangeable; their occurrence numbers only spread them.
final class PartitionClustering {
    private let context: ClusteringContext
    private let rows: DecodedRows
    private let grouping = UnitGrouping()
    private let shuffle = UnitShuffle()
    private let units = Scratch<Int64>()
    private let places = Scratch<Int32>()
    private let kept = Scratch<Int32>()

    init(_ context: ClusteringContext) {
        self.context = context
        rows = DecodedRows(context)
    }

    /// Sorts one partition: for each worker, its layouts and its records.
    func run(_ workers: [(layouts: [RecordLayout], records: [RecordSpan])]) -> ClusteredPartition {
        rows.take(workers)
        var result = ClusteredPartition()
        places.reserve(rows.count)
        kept.reserve(rows.count)
        if let unit = context.plan.unitColumn {
            group(unit)
            rows.decode(at: places.start)
            rows.letGo()
            keepRows(&result)
        } else if context.plan.rowsPerUnit > 0 {
            for row in 0..<rows.count { places.start[row] = Int32(truncatingIfNeeded: row) }
            rows.decode(at: places.start)
            let key = context.plan.key.wholeOrder
            rows.withContents { columns in
                shuffle.hash([Int64(rows.count)], keys: [key.first, key.second], columns)
                shuffle.order(0..<rows.count, key: key.hash, columns, into: kept.start)
            }
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
                encoding.encode(rows.values(column), order: order, into: UnsafeMutableRawPointer(base))
            }
            initialized = count * encoding.width
        }
    }

    private func group(_ unit: Int) {
        units.reserve(rows.count)
        rows.decodeInOrder(unit, into: units.start)
        let (key, texts) = (context.plan.key, context.textUnits)
        let isText = context.plan.schema.columns[unit].type == .text
        grouping.group(units.start, count: rows.count, into: places.start) { word in
            isText ? texts[Int(word)] : key.unit(word: word)
        }
    }

    /// Orders each unit's rows and keeps the first of them.
    private func keepRows(_ result: inout ClusteredPartition) {
        let bound = Swift.max(context.plan.rowsPerUnit, 0)
        let keys = grouping.names.map(context.plan.key.order(of:))
        let keyWords = keys.flatMap { [$0.first, $0.second] }
        rows.withContents { columns in
            shuffle.hash(grouping.ends, keys: keyWords, columns)
            var start = 0
            for (unit, (name, end)) in zip(grouping.names, grouping.ends).enumerated() {
                let unitRows = start..<Int(end)
                start = Int(end)
                if context.skippedUnits.contains(name) {
                    result.rowsSkipped += unitRows.count
                } else if bound > 0 {
                    // What is beyond the bound is overwritten by the next unit.
                    shuffle.order(unitRows, key: keys[unit].hash, columns, into: kept.start + result.rowsKept)
                    let taken = Swift.min(unitRows.count, bound)
                    result.rowsKept += taken
                    result.rowsBeyondBound += unitRows.count - taken
                    result.unitRows.append(Int32(truncatingIfNeeded: taken))
                    result.unitHashes.append(name.first)
                    result.unitHashes.append(name.second)
                    result.unitDropped.append(context.dropped(unitRows.count - taken, of: name))
                } else {
                    result.rowsBeyondBound += unitRows.count
                }
            }
        }
    }
}
