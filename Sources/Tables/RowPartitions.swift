/// How a row's values lie in a record: narrow where the values so far allow it.
struct RecordLayout: Sendable, Hashable {
    var widths: [Int]

    var stride: Int { widths.reduce(0, +) }

    /// Texts, dates and booleans are narrow for good; integers start narrow and widen when a value needs it.
    init(schema: Schema) {
        widths = schema.columns.map { column in
            switch column.type {
            case .boolean: 1
            case .text, .date, .integer: 4
            case .real, .timestamp: 8
            }
        }
    }
}

/// Records of one partition and layout.
final class RecordBlock {
    let layout: Int
    let bytes: UnsafeMutableRawBufferPointer
    var used = 0

    init(layout: Int, capacity: Int) {
        self.layout = layout
        bytes = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        bytes.deallocate()
    }
}

/// Rows as records, scattered by the first bits of their unit's hash: each partition is later sorted by itself, in
/// cache, and partitions follow each other in the order of the hashes. One worker's own.
final class RowPartitions {
    static let bits = 8
    static let count = 1 << bits
    private static let smallestBlock = 1 << 10
    private static let largestBlock = 1 << 16

    private(set) var layouts: [RecordLayout]
    private(set) var blocks: [[RecordBlock]]
    private(set) var heldBytes = 0
    private let types: [ValueType]
    private let targets: UnsafeMutablePointer<UnsafeMutableRawPointer>
    /// The least and largest word of each integer column, and whether each real column fits single precision.
    private(set) var ranges: [(least: Int64, largest: Int64)]
    private(set) var isSingle: [Bool]

    init(schema: Schema) {
        types = schema.columns.map(\.type)
        layouts = [RecordLayout(schema: schema)]
        blocks = Array(repeating: [], count: Self.count)
        ranges = Array(repeating: (Int64.max, Int64.min), count: types.count)
        isSingle = types.map { $0 == .real }
        targets = .allocate(capacity: RowBatch.capacity)
    }

    deinit {
        targets.deallocate()
    }

    /// Adds the batch's rows, row i to the partition that `hashes[i]`'s first bits name.
    func append(_ batch: RowBatch, hashes: UnsafePointer<UInt64>) {
        guard batch.count > 0 else { return }
        for column in 0..<types.count { measure(column, batch) }
        widenLayout()
        let layout = layouts[layouts.count - 1]
        claim(batch.count, stride: layout.stride, hashes)
        var offset = 0
        for (column, width) in layout.widths.enumerated() {
            let source = batch.column(column)
            switch width {
            case 1: store(source, batch.count, offset) { UInt8(truncatingIfNeeded: $0 < 0 ? 255 : $0) }
            case 4:
                store(source, batch.count, offset) {
                    $0 == ColumnEncoding.null ? Int32.min : Int32(truncatingIfNeeded: $0)
                }
            default: store(source, batch.count, offset) { $0 }
            }
            offset += width
        }
    }

    /// Gives up the blocks of all partitions, to be written elsewhere.
    func takeBlocks() -> [[RecordBlock]] {
        let taken = blocks
        blocks = Array(repeating: [], count: Self.count)
        heldBytes = 0
        return taken
    }

    @inline(__always)
    private func store<Word>(
        _ source: UnsafePointer<Int64>, _ count: Int, _ offset: Int, _ narrow: (Int64) -> Word
    ) {
        for i in 0..<count { (targets[i] + offset).storeBytes(of: narrow(source[i]), as: Word.self) }
    }

    private func measure(_ column: Int, _ batch: RowBatch) {
        let source = batch.column(column)
        guard types[column] != .real else {
            if isSingle[column] { isSingle[column] = fitsSingle(source, batch.count) }
            return
        }
        var least = Int64.max
        var largest = Int64.min
        for i in 0..<batch.count {
            let word = source[i]
            least = Swift.min(least, word == ColumnEncoding.null ? Int64.max : word)
            largest = Swift.max(largest, word)
        }
        ranges[column].least = Swift.min(ranges[column].least, least)
        ranges[column].largest = Swift.max(ranges[column].largest, largest)
    }

    private func fitsSingle(_ source: UnsafePointer<Int64>, _ count: Int) -> Bool {
        for i in 0..<count {
            let value = Double(bitPattern: UInt64(bitPattern: source[i]))
            if !value.isNaN, Double(Float(value)) != value { return false }
        }
        return true
    }

    private func widenLayout() {
        var next = layouts[layouts.count - 1]
        for column in next.widths.indices where next.widths[column] == 4 {
            let range = ranges[column]
            if range.least <= Int64(Int32.min) || range.largest > Int64(Int32.max), range.least <= range.largest {
                next.widths[column] = 8
            }
        }
        if next != layouts[layouts.count - 1] { layouts.append(next) }
    }

    /// Finds each row's place.
    private func claim(_ count: Int, stride: Int, _ hashes: UnsafePointer<UInt64>) {
        let layout = layouts.count - 1
        for i in 0..<count {
            let partition = Int(hashes[i] >> UInt64(64 - Self.bits))
            var block = blocks[partition].last
            if block.map({ $0.layout != layout || $0.used + stride > $0.bytes.count }) ?? true {
                let capacity = Swift.min(Self.largestBlock, Self.smallestBlock << blocks[partition].count)
                let new = RecordBlock(layout: layout, capacity: Swift.max(capacity, stride))
                heldBytes += new.bytes.count
                blocks[partition].append(new)
                block = new
            }
            guard let block, let base = block.bytes.baseAddress else { continue }
            targets[i] = base + block.used
            block.used += stride
        }
    }
}
