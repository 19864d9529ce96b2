import Secrets

/// One partition's records of all workers, in memory or moved elsewhere: gone over as often as needed, a part at a time.
struct PartitionRecords: Sendable {
    /// Of each worker.
    let layouts: [[RecordLayout]]
    let held: [[RecordSpan]]
    let spilled: [SpilledSpan]
    let count: Int

    private static let blockBytes = 1 << 18

    init(layouts: [[RecordLayout]], held: [[RecordSpan]], spilled: [SpilledSpan]) {
        (self.layouts, self.held, self.spilled) = (layouts, held, spilled)
        var count = 0
        for (worker, spans) in held.enumerated() {
            for span in spans { count += span.bytes.count / Swift.max(layouts[worker][span.layout].stride, 1) }
        }
        for span in spilled { count += span.byteCount / Swift.max(layouts[span.worker][span.layout].stride, 1) }
        self.count = count
    }

    /// Calls `body` with the records, a part at a time, and with the number of the worker that read them.
    func forEachBlock(_ body: (_ worker: Int, RecordSpan) throws -> Void) throws {
        for (worker, spans) in held.enumerated() {
            for span in spans where span.bytes.count > 0 { try body(worker, span) }
        }
        for span in spilled {
            let stride = Swift.max(layouts[span.worker][span.layout].stride, 1)
            let step = Swift.max(Self.blockBytes / stride, 1) * stride
            for start in Swift.stride(from: 0, to: span.byteCount, by: step) {
                let bytes = try span.read(start..<Swift.min(start + step, span.byteCount))
                try body(span.worker, RecordSpan(layout: span.layout, bytes: bytes))
            }
        }
    }

    /// All records at once.
    func whole() throws -> [(layouts: [RecordLayout], records: [RecordSpan])] {
        var records = held
        for span in spilled {
            let bytes = try span.read(0..<span.byteCount)
            records[span.worker].append(RecordSpan(layout: span.layout, bytes: bytes))
        }
        return zip(layouts, records).map { (layouts: $0, records: $1) }
    }
}

/// Sorts a partition that is too large to be decoded at once: by several passes over its records, each of which takes
/// what memory holds. What it gives, piece by piece, is what `PartitionClustering` gives of the whole.
///
/// A partition is divided by its units' names, which are in the order of the pieces. A unit that is too large alone is
/// divided by its rows' contents, so that a piece holds all that are identical, of which it keeps one and the number;
/// of the hashes of (contents, occurrence) the smallest stay.
final class LargePartition {
    private let context: ClusteringContext
    private let clustering: PartitionClustering
    private let records: PartitionRecords
    /// The most rows that are decoded at once.
    private let limit: Int
    /// The most rows whose words and hashes are held at once. With their copies for sorting they take as much memory as
    /// `limit` decoded rows.
    private var room: Int {
        Swift.max(limit / (2 * (context.encodings.count + 2)) * (3 * context.encodings.count + 15), limit)
    }
    private let block: DecodedRows
    private let places = Scratch<Int32>()
    private let hashes = Scratch<UInt64>()
    private let check: () throws -> Void

    /// `check` is called now and then; where it throws, the work ends.
    init(
        _ context: ClusteringContext, _ records: PartitionRecords, limit: Int, check: @escaping () throws -> Void
    ) {
        self.context = context
        self.records = records
        self.limit = Swift.max(limit, 2)
        self.check = check
        clustering = PartitionClustering(context)
        block = DecodedRows(context)
    }

    /// Calls `emit` with one sorted piece after the other.
    func run(_ emit: (ClusteredPartition) throws -> Void) throws {
        guard let unit = context.plan.unitColumn else {
            let count = context.plan.rowsPerUnit > 0 ? records.count : 0
            return try keepSmallest(count, of: records.count, UnitRows(key: context.plan.key.wholeOrder), emit)
        }
        let sizes = try bucketSizes(unit)
        var start = 0
        while start < sizes.count {
            var (end, total) = (start + 1, sizes[start])
            while end < sizes.count, total + sizes[end] <= limit {
                total += sizes[end]
                end += 1
            }
            let range = start..<end
            if total > limit {
                try runCrowded(bucket: start, unit, emit)
            } else if total > 0 {
                let names = hashes
                let piece = try gather(unit) { range.contains(Self.bucket(names.start[$0])) }
                try emit(clustering.run(piece))
            }
            start = end
        }
    }

    // MARK: Units

    private static let bucketBits = 12

    /// The bits of a name's hash behind those that are the partition's.
    @inline(__always)
    private static func bucket(_ name: UInt64) -> Int {
        Int(truncatingIfNeeded: (name << UInt64(RowPartitions.bits)) >> UInt64(64 - bucketBits))
    }

    private func bucketSizes(_ unit: Int) throws -> [Int] {
        var sizes = [Int](repeating: 0, count: 1 << Self.bucketBits)
        try forEachBlock(naming: unit) { _, _ in
            for row in 0..<block.count { sizes[Self.bucket(hashes.start[row])] += 1 }
        }
        return sizes
    }

    /// Sorts a bucket with more rows than fit: its units one after the other, small ones together.
    private func runCrowded(bucket: Int, _ unit: Int, _ emit: (ClusteredPartition) throws -> Void) throws {
        var sizes: [Int64: Int] = [:]
        try forEachBlock(naming: unit) { _, _ in
            let words = block.values(unit)
            for row in 0..<block.count where Self.bucket(hashes.start[row]) == bucket {
                sizes[words[row], default: 0] += 1
            }
        }
        let isText = context.plan.schema.columns[unit].type == .text
        let units = sizes.map { word, count in
            (word, count, name: isText ? context.textUnits[Int(word)] : context.plan.key.unit(word: word))
        }.sorted { $0.name < $1.name }
        var small: Set<Int64> = []
        var smallCount = 0
        func runSmall() throws {
            guard !small.isEmpty else { return }
            let words = block
            let piece = try gather(unit) { small.contains(words.values(unit)[$0]) }
            try emit(clustering.run(piece))
            (small, smallCount) = ([], 0)
        }
        for (word, count, name) in units {
            if smallCount + count > limit { try runSmall() }
            if count > limit {
                try runLarge(word: word, unit: unit, count: count, name: name, emit)
            } else {
                small.insert(word)
                smallCount += count
            }
        }
        try runSmall()
    }

    private func runLarge(
        word: Int64, unit: Int, count: Int, name: KeyedHash.Digest, _ emit: (ClusteredPartition) throws -> Void
    ) throws {
        var first = ClusteredPartition()
        let bound = Swift.max(context.plan.rowsPerUnit, 0)
        if context.skippedUnits.contains(name) {
            first.rowsSkipped = count
        } else if bound == 0 {
            first.rowsBeyondBound = count
        } else {
            let taken = Swift.min(count, bound)
            first.rowsBeyondBound = count - taken
            first.unitRows = [Int32(truncatingIfNeeded: taken)]
            first.unitHashes = [name.first, name.second]
            first.unitDropped = [context.dropped(count - taken, of: name)]
        }
        first.columns = context.encodings.map { _ in [] }
        // The unit's start is written before its rows.
        try emit(first)
        guard !first.unitRows.isEmpty else { return }
        let rows = UnitRows(key: context.plan.key.order(of: name), column: unit, word: word)
        try keepSmallest(Swift.min(count, bound), of: count, rows, emit)
    }

    /// The records of the rows that `selects` takes of each block.
    private func gather(
        _ unit: Int, _ selects: (Int) -> Bool
    ) throws -> [(layouts: [RecordLayout], records: [RecordSpan])] {
        var chosen = records.layouts.map { $0.map { _ in [UInt8]() } }
        try forEachBlock(naming: unit) { worker, span in
            let stride = records.layouts[worker][span.layout].stride
            span.bytes.withBytes { bytes in
                for row in 0..<block.count where selects(row) {
                    let record = UnsafeRawBufferPointer(rebasing: bytes[row * stride..<(row + 1) * stride])
                    chosen[worker][span.layout].append(contentsOf: record)
                }
            }
        }
        return chosen.indices.map { worker in
            let spans = chosen[worker].indices.map { layout in
                defer { chosen[worker][layout] = [] }
                return RecordSpan(layout: layout, bytes: ColumnBytes(chosen[worker][layout]))
            }
            return (layouts: records.layouts[worker], records: spans.filter { $0.bytes.count > 0 })
        }
    }

    // MARK: Blocks

    /// Decodes block after block into `block`.
    private func forEachBlock(_ body: (_ worker: Int, RecordSpan) throws -> Void) throws {
        try records.forEachBlock { worker, span in
            try check()
            let layouts = records.layouts
            block.take(layouts.indices.map { (layouts: layouts[$0], records: $0 == worker ? [span] : []) })
            places.reserve(block.count)
            for row in 0..<block.count { places.start[row] = Int32(truncatingIfNeeded: row) }
            block.decode(at: places.start)
            hashes.reserve(block.count + MessageHashing.slack)
            try body(worker, span)
        }
        block.letGo()
    }

    /// The same, with the first halves of the units' names in `hashes`.
    private func forEachBlock(naming unit: Int, _ body: (_ worker: Int, RecordSpan) throws -> Void) throws {
        let isText = context.plan.schema.columns[unit].type == .text
        try forEachBlock { worker, span in
            let words = block.values(unit)
            if isText {
                for row in 0..<block.count { hashes.start[row] = context.textUnits[Int(words[row])].first }
            } else {
                context.plan.key.units(words: words, count: block.count, into: hashes.start)
            }
            try body(worker, span)
        }
    }

    // MARK: One unit's rows

    /// Rows that are ordered under one key: a unit's, or all where each row is one.
    private struct UnitRows {
        var key: ClusteringKey.Key
        var column: Int?
        var word: Int64 = 0
    }

    /// Emits the `count` rows of `total` with the smallest hashes of (contents, occurrence), in their order. Where they
    /// are too many for memory, hash window after hash window: hashes are uniform.
    private func keepSmallest(
        _ count: Int, of total: Int, _ rows: UnitRows, _ emit: (ClusteredPartition) throws -> Void
    ) throws {
        let fits = count <= room / 2
        let width = fits ? UInt64.max : UInt64.max / UInt64(total) * UInt64(Swift.max(room / 2, 1))
        var start: UInt64 = 0
        var left = count
        while left > 0 {
            let (end, isLast) = start.addingReportingOverflow(width)
            let window = start...(isLast ? UInt64.max : end)
            let kept = SmallestRows(columns: context.encodings.count, count: fits ? left : nil)
            try collect(rows, in: window, kept)
            let piece = kept.piece(atMost: left, context.encodings)
            left -= piece.rowsKept
            try emit(piece)
            guard window.upperBound < UInt64.max else { return }
            start = window.upperBound + 1
        }
    }

    /// Offers all rows whose hash lies in the window, by parts of their contents.
    private func collect(_ rows: UnitRows, in window: ClosedRange<UInt64>, _ kept: SmallestRows) throws {
        var (first, width) = (UInt64(0), UInt64.max)
        while true {
            let (end, isLast) = first.addingReportingOverflow(width)
            let distinct = DistinctRows(columns: context.encodings.count, contents: first...(isLast ? UInt64.max : end))
            try forEachBlock { _, _ in
                hashBlock(rows.key)
                let words = rows.column.map { block.values($0) }
                for row in 0..<block.count {
                    if let words, words[row] != rows.word { continue }
                    distinct.add(hashes.start[row], row, block)
                    if distinct.count > limit { distinct.halve() }
                }
            }
            distinct.forEach { hash, repeats, number in
                if window.contains(hash) { kept.offer(hash, distinct, number) }
                guard repeats > 1 else { return }
                var stream = KeyedHash.Stream(rows.key.hash)
                for column in context.encodings.indices {
                    stream.combine(content(distinct.values[column][number], column))
                }
                for occurrence in 1..<repeats {
                    var stream = stream
                    let hash = stream.finalize(tail: UInt64(UInt32(truncatingIfNeeded: occurrence)), tailBytes: 4).first
                    if window.contains(hash) { kept.offer(hash, distinct, number) }
                }
            }
            guard distinct.contents.upperBound < UInt64.max else { return }
            width = distinct.contents.upperBound - distinct.contents.lowerBound
            first = distinct.contents.upperBound + 1
        }
    }

    /// Hashes the block's rows as if each were the first with its contents.
    private func hashBlock(_ key: ClusteringKey.Key) {
        guard block.count > 0 else { return }
        block.withContents { columns in
            [key.first, key.second].withUnsafeBufferPointer { keys in
                [Int64(block.count)].withUnsafeBufferPointer { ends in
                    MessageHashing.best.hash(columns, keys: keys, ends: ends, tailBytes: 4, into: hashes.start)
                }
            }
        }
    }

    private func content(_ word: Int64, _ column: Int) -> UInt64 {
        context.plan.schema.columns[column].type == .text && word != ColumnEncoding.null
            ? context.textContents[column][Int(word)] : UInt64(bitPattern: word)
    }
}

/// Rows by what their contents hash to, each once with how often it occurred. Rows of one hash count as identical: the
/// chance that two others have it is 2^-64.
private final class DistinctRows {
    /// The hashes that are looked at.
    private(set) var contents: ClosedRange<UInt64>
    private(set) var values: [[Int64]]
    private var hashes: [UInt64] = []
    private var repeats: [Int] = []
    private var numbers: [UInt64: Int32] = [:]

    init(columns: Int, contents: ClosedRange<UInt64>) {
        self.contents = contents
        values = Array(repeating: [], count: columns)
    }

    var count: Int { hashes.count }

    @inline(__always)
    func add(_ hash: UInt64, _ row: Int, _ rows: DecodedRows) {
        guard contents.contains(hash) else { return }
        if let number = numbers[hash] {
            repeats[Int(number)] += 1
            return
        }
        numbers[hash] = Int32(truncatingIfNeeded: hashes.count)
        hashes.append(hash)
        repeats.append(1)
        for column in values.indices { values[column].append(rows.values(column)[row]) }
    }

    /// From here on takes only the lower half of the hashes: about half of the rows are left for a later pass.
    func halve() {
        let middle = contents.lowerBound + (contents.upperBound - contents.lowerBound) / 2
        contents = contents.lowerBound...middle
        let stay = hashes.indices.filter { hashes[$0] <= middle }
        for column in values.indices { values[column] = stay.map { values[column][$0] } }
        repeats = stay.map { repeats[$0] }
        hashes = stay.map { hashes[$0] }
        numbers.removeAll(keepingCapacity: true)
        for (number, hash) in hashes.enumerated() { numbers[hash] = Int32(truncatingIfNeeded: number) }
    }

    func forEach(_ body: (_ hash: UInt64, _ repeats: Int, _ number: Int) -> Void) {
        for number in hashes.indices { body(hashes[number], repeats[number], number) }
    }
}

/// The rows with the smallest hashes of those that were offered.
private final class SmallestRows {
    private let wanted: Int?
    private var hashes: [UInt64] = []
    private var values: [[Int64]]
    private var largest = UInt64.max

    /// `count`: how many are wanted; nil: all.
    init(columns: Int, count: Int?) {
        wanted = count
        values = Array(repeating: [], count: columns)
    }

    @inline(__always)
    func offer(_ hash: UInt64, _ rows: DistinctRows, _ number: Int) {
        guard hash <= largest else { return }
        hashes.append(hash)
        for column in values.indices { values[column].append(rows.values[column][number]) }
        if let wanted, hashes.count >= 2 * wanted + 1024 { keep(wanted) }
    }

    private var order: [Int32] {
        hashes.indices.map { Int32(truncatingIfNeeded: $0) }.sorted { hashes[Int($0)] < hashes[Int($1)] }
    }

    private func keep(_ count: Int) {
        let stay = order.prefix(count)
        for column in values.indices { values[column] = stay.map { values[column][Int($0)] } }
        hashes = stay.map { hashes[Int($0)] }
        largest = hashes.last ?? UInt64.max
    }

    /// The first `count` of them, in their order, encoded.
    func piece(atMost count: Int, _ encodings: [ColumnEncoding]) -> ClusteredPartition {
        let order = Array(order.prefix(count))
        var piece = ClusteredPartition()
        piece.rowsKept = order.count
        piece.columns = encodings.enumerated().map { column, encoding in
            [UInt8](unsafeUninitializedCapacity: order.count * encoding.width) { target, initialized in
                values[column].withUnsafeBufferPointer { values in
                    order.withUnsafeBufferPointer { order in
                        if let base = target.baseAddress, let words = values.baseAddress {
                            encoding.encode(words, order: order, into: UnsafeMutableRawPointer(base))
                        }
                    }
                }
                initialized = order.count * encoding.width
            }
        }
        return piece
    }
}
