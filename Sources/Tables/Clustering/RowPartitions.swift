/// How a row's values lie in a record: narrow where the values so far allow it.
struct RecordLayout: Sendable, Hashable {
    var widths: [Int]

    var stride: Int { widths.reduce(0, +) }

    func offset(of column: Int) -> Int { widths[..<column].reduce(0, +) }

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

/// Rows of one partition that a worker read, as records of one layout that lie one after the other: private, in a form
/// that only `TableAssembler` reads.
public struct RecordSpan: Sendable {
    /// Which of the worker's layouts the records have.
    public var layout: Int
    /// The records, one after the other.
    public var bytes: ColumnBytes

    /// Records of that layout.
    public init(layout: Int, bytes: ColumnBytes) {
        self.layout = layout
        self.bytes = bytes
    }
}

/// Records of one partition, worker and layout that were moved elsewhere until the table is assembled.
public struct SpilledSpan: Sendable {
    /// The number of the worker that read them.
    public var worker: Int
    /// Which of the worker's layouts the records have.
    public var layout: Int
    /// How many bytes they are.
    public var byteCount: Int
    /// Reads a part of its bytes back, on any thread.
    public var read: @Sendable (Range<Int>) throws -> ColumnBytes

    /// Records that `read` gives back.
    public init(
        worker: Int, layout: Int, byteCount: Int, read: @escaping @Sendable (Range<Int>) throws -> ColumnBytes
    ) {
        self.worker = worker
        self.layout = layout
        self.byteCount = byteCount
        self.read = read
    }
}

/// Rows as records, scattered by the first bits of their unit's hash: each partition is later sorted by itself, in
/// cache, and partitions follow each other in the order of the hashes. One worker's own.
final class RowPartitions {
    static let bits = 8
    static let count = 1 << bits
    private static let smallestBlock = 1 << 10
    private static let largestBlock = 1 << 17
    /// A block of so many bytes or more is mapped by itself. Its memory goes back to the system as soon as its rows are
    /// sorted, and is free for the table's files that are written meanwhile.
    private static let mappedBlock = 1 << 16

    /// Memory of one partition and layout.
    private struct Block {
        var layout: Int
        var memory: ColumnBytes
        var capacity: Int
        /// What it holds, once it is closed.
        var used: Int?

        var start: UnsafeMutableRawPointer { UnsafeMutableRawPointer(mutating: memory.start) }
    }

    private(set) var layouts: [RecordLayout]
    private(set) var heldBytes = 0
    private let types: [ValueType]
    private var blocks: [[Block]]
    /// Of each partition: the next record's place in its last block, and that block's end.
    private let cursors: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let limits: UnsafeMutablePointer<UnsafeMutableRawPointer?>
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
        cursors = .allocate(capacity: Self.count)
        limits = .allocate(capacity: Self.count)
        cursors.initialize(repeating: nil, count: Self.count)
        limits.initialize(repeating: nil, count: Self.count)
    }

    deinit {
        targets.deallocate()
        cursors.deallocate()
        limits.deallocate()
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
            case 1: store(source, count: batch.count, at: offset) { UInt8(truncatingIfNeeded: $0 < 0 ? 255 : $0) }
            case 4:
                store(source, count: batch.count, at: offset) {
                    $0 == ColumnEncoding.null ? Int32.min : Int32(truncatingIfNeeded: $0)
                }
            default: store(source, count: batch.count, at: offset) { $0 }
            }
            offset += width
        }
    }

    /// Gives up the rows of all partitions, without copying them.
    func takeSpans() -> [[RecordSpan]] {
        let taken = (0..<Self.count).map { partition in
            blocks[partition].enumerated().map { number, block in
                // Blocks are full but for the last, and those that a change of layout ended.
                let isLast = number == blocks[partition].count - 1
                let open = (isLast ? cursors[partition] : nil).map { $0 - block.start }
                let memory = block.memory
                let bytes = ColumnBytes(address: memory.start, count: block.used ?? open ?? block.capacity) {
                    withExtendedLifetime(memory) {}
                }
                return RecordSpan(layout: block.layout, bytes: bytes)
            }
        }
        blocks = Array(repeating: [], count: Self.count)
        cursors.update(repeating: nil, count: Self.count)
        limits.update(repeating: nil, count: Self.count)
        heldBytes = 0
        return taken
    }

    @inline(__always)
    private func store<Word>(
        _ source: UnsafePointer<Int64>, count: Int, at offset: Int, narrow: (Int64) -> Word
    ) {
        let targets = targets
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
        guard next != layouts[layouts.count - 1] else { return }
        layouts.append(next)
        for partition in 0..<Self.count { closeBlock(partition) }
    }

    /// Finds each row's place.
    private func claim(_ count: Int, stride: Int, _ hashes: UnsafePointer<UInt64>) {
        let (cursors, limits, targets) = (cursors, limits, targets)
        for i in 0..<count {
            let partition = Int(truncatingIfNeeded: hashes[i] >> UInt64(64 - Self.bits))
            if cursors[partition] == limits[partition] { openBlock(partition, stride: stride) }
            guard let place = cursors[partition] else { continue }
            targets[i] = place
            cursors[partition] = place + stride
        }
    }

    private func openBlock(_ partition: Int, stride: Int) {
        // The number of doublings is limited too: a shift by more than a word's bits gives 0, and blocks of one record.
        let size = Swift.min(Self.largestBlock, Self.smallestBlock << Swift.min(blocks[partition].count, 16))
        let capacity = Swift.max(size / stride, 1) * stride
        let memory =
            size >= Self.mappedBlock
            ? ColumnBytes(pages: capacity)
            : ColumnBytes(owning: .allocate(byteCount: capacity, alignment: 16), count: capacity)
        let block = Block(layout: layouts.count - 1, memory: memory, capacity: capacity)
        heldBytes += capacity
        blocks[partition].append(block)
        cursors[partition] = block.start
        limits[partition] = block.start + capacity
    }

    /// Ends the partition's last block where it is, so that the next record opens another.
    private func closeBlock(_ partition: Int) {
        guard let last = blocks[partition].indices.last, let cursor = cursors[partition] else { return }
        blocks[partition][last].used = cursor - blocks[partition][last].start
        cursors[partition] = nil
        limits[partition] = nil
    }
}
