import Secrets

/// What clustering needs to know of the whole file, once it is read: dictionaries are merged, encodings chosen.
struct ClusteringContext: Sendable {
    let plan: IngestPlan
    let encodings: [ColumnEncoding]
    /// Of each worker and text column, by its interner's number: the text's place in the sorted dictionary.
    let textPlaces: [[[Int32]]]
    /// Of each text column, by place: the text as a word of a row's contents.
    let textContents: [[UInt64]]
    /// If the unit's column is text, by place: the unit's hash.
    let textUnits: [UnitHash]
    /// Units to be dropped whole.
    let skippedUnits: Set<UnitHash>
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
    var unitsSkipped = 0
}

/// Sorts one partition's rows: by unit, and a unit's rows by a hash of their contents under that unit's own key.
///
/// That order is a shuffle from a canonical order of the unit's rows: each row is keyed by (contents, occurrence number
/// among the unit's identical rows), so neither the file's order, nor another unit, nor the number of threads has an
/// influence (PRIVACY.md, rule 11). Identical rows are interchangeable; their occurrence numbers only spread them.
struct PartitionClustering {
    private let context: ClusteringContext
    private let columnCount: Int
    private let columns: [[Int64]]
    private let count: Int

    /// Reads the blocks of each worker: (worker, its layouts, its blocks).
    init(
        _ context: ClusteringContext, workers: [(layouts: [RecordLayout], records: [RecordSpan])]
    ) {
        self.context = context
        columnCount = context.plan.schema.columns.count
        var reader = RecordReader(context)
        for (worker, part) in workers.enumerated() {
            for span in part.records { reader.read(span, layout: part.layouts[span.layout], worker: worker) }
        }
        columns = reader.columns
        count = reader.count
    }

    func run() -> ClusteredPartition {
        var result = ClusteredPartition()
        guard count > 0 else {
            result.columns = Array(repeating: [], count: columnCount)
            return result
        }
        var order = [Int32](repeating: 0, count: count)
        var kept = 0
        if let unit = context.plan.unitColumn {
            kept = clusterUnits(unit, into: &order, &result)
        } else {
            kept = orderRows(into: &order)
        }
        result.rowsKept = kept
        result.columns = columns.indices.map { encode($0, Array(order[..<kept])) }
        return result
    }

    private func encode(_ column: Int, _ order: [Int32]) -> [UInt8] {
        let encoding = context.encodings[column]
        let size = order.count * encoding.width
        return [UInt8](unsafeUninitializedCapacity: size) { target, initialized in
            columns[column].withUnsafeBufferPointer { values in
                order.withUnsafeBufferPointer { order in
                    if let values = values.baseAddress, let base = target.baseAddress {
                        encoding.encode(values, order: order, into: UnsafeMutableRawPointer(base))
                    }
                }
            }
            initialized = size
        }
    }

    // MARK: Rows of units

    private func clusterUnits(_ unit: Int, into order: inout [Int32], _ result: inout ClusteredPartition) -> Int {
        let hashes = unitHashes(unit)
        let sorted = sortedByUnit(hashes)
        var shuffle = UnitShuffle(columnCount: columnCount)
        var kept = 0
        var start = 0
        while start < count {
            let name = hashes[Int(sorted[start])]
            var end = start + 1
            while end < count, hashes[Int(sorted[end])] == name { end += 1 }
            if context.skippedUnits.contains(name) {
                result.rowsSkipped += end - start
                result.unitsSkipped += 1
            } else {
                let rows = shuffle.order(sorted[start..<end], key: context.plan.key.order(of: name), contents: contents)
                let bound = Swift.min(rows.count, Swift.max(context.plan.rowsPerUnit, 0))
                for row in rows.prefix(bound) {
                    order[kept] = row
                    kept += 1
                }
                result.rowsBeyondBound += rows.count - bound
                if bound > 0 {
                    result.unitRows.append(Int32(bound))
                    result.unitHashes.append(name.high)
                    result.unitHashes.append(name.low)
                }
            }
            start = end
        }
        return kept
    }

    private func unitHashes(_ unit: Int) -> [UnitHash] {
        let isText = context.plan.schema.columns[unit].type == .text
        let key = context.plan.key
        return columns[unit].withUnsafeBufferPointer { words in
            words.map { word in
                isText ? context.textUnits[Int(word)] : key.unit(word: UInt64(bitPattern: word))
            }
        }
    }

    /// Row numbers sorted by unit hash: a counting sort by the bits after the partition's, then by comparison inside the
    /// few places where two units meet.
    private func sortedByUnit(_ hashes: [UnitHash]) -> [Int32] {
        let bits = Swift.min(14, Swift.max(1, Int.bitWidth - count.leadingZeroBitCount))
        let shift = UInt64(64 - RowPartitions.bits - bits)
        let mask = UInt64(1) << UInt64(bits) - 1
        var starts = [Int32](repeating: 0, count: (1 << bits) + 1)
        for hash in hashes { starts[Int(hash.high >> shift & mask) + 1] += 1 }
        for place in 1..<starts.count { starts[place] += starts[place - 1] }
        var next = starts
        var sorted = [Int32](repeating: 0, count: count)
        for row in 0..<count {
            let place = Int(hashes[row].high >> shift & mask)
            sorted[Int(next[place])] = Int32(row)
            next[place] += 1
        }
        for place in 0..<(1 << bits) {
            let range = Int(starts[place])..<Int(starts[place + 1])
            guard range.count > 1 else { continue }
            let first = hashes[Int(sorted[range.lowerBound])]
            if sorted[range].allSatisfy({ hashes[Int($0)] == first }) { continue }
            sorted[range].sort { hashes[Int($0)] < hashes[Int($1)] }
        }
        return sorted
    }

    /// A row's contents as words that depend on values alone.
    private func contents(_ row: Int, _ target: UnsafeMutablePointer<UInt64>) {
        for column in 0..<columnCount {
            let word = columns[column][row]
            let texts = context.textContents[column]
            target[column] =
                texts.isEmpty || word == ColumnEncoding.null ? UInt64(bitPattern: word) : texts[Int(word)]
        }
    }

    // MARK: Rows that are units

    private func orderRows(into order: inout [Int32]) -> Int {
        guard context.plan.rowsPerUnit > 0 else { return 0 }
        let all = (0..<Int32(count)).map { $0 }
        var shuffle = UnitShuffle(columnCount: columnCount)
        let rows = shuffle.order(all[...], key: context.plan.key.wholeOrder, contents: contents)
        for (place, row) in rows.enumerated() { order[place] = row }
        return rows.count
    }
}

/// Records of one layout that lie one after the other.
struct RecordSpan: Sendable {
    var layout: Int
    var bytes: ColumnBytes
}

/// Turns records back into columns of words, with texts by their place in the sorted dictionary.
private struct RecordReader {
    let context: ClusteringContext
    var columns: [[Int64]]
    var count = 0

    init(_ context: ClusteringContext) {
        self.context = context
        columns = Array(repeating: [], count: context.plan.schema.columns.count)
    }

    mutating func read(_ span: RecordSpan, layout: RecordLayout, worker: Int) {
        let stride = layout.stride
        guard stride > 0 else { return }
        let rows = span.bytes.count / stride
        var offset = 0
        for (column, width) in layout.widths.enumerated() {
            let source = span.bytes.start + offset
            let isText = context.plan.schema.columns[column].type == .text
            switch width {
            case 1:
                append(column, rows) { i in
                    let code = source.load(fromByteOffset: i * stride, as: UInt8.self)
                    return code == 255 ? ColumnEncoding.null : Int64(code)
                }
            case 4 where isText:
                let places = context.textPlaces[worker][column]
                append(column, rows) { i in
                    let code = source.loadUnaligned(fromByteOffset: i * stride, as: Int32.self)
                    return code == Int32.min ? ColumnEncoding.null : Int64(places[Int(code)])
                }
            case 4:
                append(column, rows) { i in
                    let code = source.loadUnaligned(fromByteOffset: i * stride, as: Int32.self)
                    return code == Int32.min ? ColumnEncoding.null : Int64(code)
                }
            default:
                append(column, rows) { i in source.loadUnaligned(fromByteOffset: i * stride, as: Int64.self) }
            }
            offset += width
        }
        count += rows
    }

    @inline(__always)
    private mutating func append(_ column: Int, _ rows: Int, _ word: (Int) -> Int64) {
        columns[column].reserveCapacity(columns[column].count + rows)
        for i in 0..<rows { columns[column].append(word(i)) }
    }
}
