import Synchronization

/// Makes one table of what workers read: merges their dictionaries, chooses encodings, sorts the partitions.
///
/// Use: `partitions(_:)` for parts of `0 ..< partitionCount`, in any order and on any thread; their results, in order,
/// through `write(_:to:)`; then `finish(to:)`.
public struct TableAssembler: Sendable {
    public static var partitionCount: Int { RowPartitions.count }

    /// A part's next bytes. Called in order for each part.
    public typealias Sink = (TablePart, [UInt8]) throws -> Void

    private let context: ClusteringContext
    private let workers: [WorkerRows]
    private let spilled: @Sendable (Int) throws -> [[RecordSpan]]
    private let texts: [Int: SortedTexts]
    private var rowCount = 0
    private var unitCount = 0
    public private(set) var report: IngestReport

    /// Takes the workers' rows; all must have been made with one plan. `spilled`: a partition's rows that were taken from
    /// the workers before, of each worker; called from `partitions`, on its thread.
    public init(
        _ workers: [IngestWorker], plan: IngestPlan,
        spilled: @escaping @Sendable (Int) throws -> [[RecordSpan]] = { _ in [] }
    ) {
        self.spilled = spilled
        let parts = workers.map { worker in
            let partitions = worker.takeRows()
            return WorkerRows(layouts: worker.withState { $0.partitions.layouts }, partitions)
        }
        self.workers = parts
        var texts: [Int: SortedTexts] = [:]
        for (column, schema) in plan.schema.columns.enumerated() where schema.type == .text {
            texts[column] = SortedTexts(workers.map { $0.withState { $0.texts(column) } })
        }
        self.texts = texts
        context = Self.context(workers, plan, texts)
        report = IngestReport.merged(workers.map { $0.withState { $0.finalReport } })
        report.unitsSkipped = context.skippedUnits.count
    }

    private static func context(
        _ workers: [IngestWorker], _ plan: IngestPlan, _ texts: [Int: SortedTexts]
    ) -> ClusteringContext {
        let summaries = workers.map { worker in
            worker.withState { state in
                (
                    ranges: state.partitions.ranges.map { [$0.least, $0.largest] }, isSingle: state.partitions.isSingle,
                    skipped: state.skippedUnits
                )
            }
        }
        let encodings = plan.schema.columns.enumerated().map { column, schema -> ColumnEncoding in
            switch schema.type {
            case .real: return .reals(single: summaries.allSatisfy { $0.isSingle[column] })
            case .text: return .integers(least: 0, largest: Int64(texts[column]?.count ?? 0) - 1)
            default:
                return .integers(
                    least: summaries.map { $0.ranges[column][0] }.min() ?? 0,
                    largest: summaries.map { $0.ranges[column][1] }.max() ?? -1)
            }
        }
        let columns = plan.schema.columns.indices
        return ClusteringContext(
            plan: plan, encodings: encodings,
            textPlaces: workers.indices.map { worker in columns.map { texts[$0]?.places[worker] ?? [] } },
            textContents: columns.map { texts[$0]?.map(plan.key.content) ?? [] },
            textUnits: plan.unitColumn.flatMap { texts[$0]?.map(plan.key.unit(text:)) } ?? [],
            skippedUnits: summaries.reduce(into: []) { $0.formUnion($1.skipped) })
    }

    /// Sorts some partitions, one after the other; each once.
    public func partitions(_ range: Range<Int>) throws -> [AssembledPartition] {
        let sorter = sorter()
        return try range.map { try sorter.partition($0) }
    }

    /// What sorts partitions, for one thread: its memory is used again for the next.
    public func sorter() -> PartitionSorter {
        PartitionSorter(PartitionClustering(context), workers, spilled)
    }

    /// Writes the next partition.
    public mutating func write(_ partition: AssembledPartition, to sink: Sink) throws {
        let content = partition.content
        for (column, bytes) in content.columns.enumerated() where !bytes.isEmpty {
            try sink(.column(column), bytes)
        }
        if context.plan.unitColumn != nil {
            var starts: [Int64] = []
            starts.reserveCapacity(content.unitRows.count)
            var next = Int64(rowCount)
            for rows in content.unitRows {
                starts.append(next)
                next += Int64(rows)
            }
            if !starts.isEmpty {
                try sink(.unitStarts, starts.withUnsafeBytes(Array.init))
                try sink(.unitHashes, content.unitHashes.withUnsafeBytes(Array.init))
            }
            unitCount += content.unitRows.count
        } else {
            unitCount += content.rowsKept
        }
        rowCount += content.rowsKept
        report.rowsKept += content.rowsKept
        report.rowsBeyondBound += content.rowsBeyondBound
        report.rowsSkipped += content.rowsSkipped
        report.units = unitCount
    }

    /// Writes what follows the rows.
    public func finish(to sink: Sink) throws -> TableDescription {
        if context.plan.unitColumn != nil {
            try sink(.unitStarts, withUnsafeBytes(of: Int64(rowCount), Array.init))
        }
        for (column, sorted) in texts {
            try sink(.textOffsets(column), sorted.offsets.withUnsafeBytes(Array.init))
            if !sorted.bytes.isEmpty { try sink(.textBytes(column), sorted.bytes) }
        }
        let columns = context.encodings.enumerated().map { column, encoding in
            TableDescription.Column(
                encoding: encoding, texts: texts[column]?.count, bounds: context.plan.schema.columns[column].boundsPair)
        }
        return TableDescription(
            rowCount: rowCount, unitCount: unitCount, unitColumn: context.plan.unitColumn, columns: columns)
    }
}

/// Sorts partitions, one at a time. One thread's own.
public final class PartitionSorter {
    private let clustering: PartitionClustering
    private let workers: [WorkerRows]
    private let spilled: (Int) throws -> [[RecordSpan]]

    init(
        _ clustering: PartitionClustering, _ workers: [WorkerRows],
        _ spilled: @escaping (Int) throws -> [[RecordSpan]]
    ) {
        self.clustering = clustering
        self.workers = workers
        self.spilled = spilled
    }

    /// Sorts a partition and gives its rows' memory back: once for each.
    public func partition(_ index: Int) throws -> AssembledPartition {
        let before = try spilled(index)
        let rows = workers.enumerated().map { number, worker in
            let earlier = number < before.count ? before[number] : []
            return (layouts: worker.layouts, records: earlier + worker.take(index))
        }
        return AssembledPartition(clustering.run(rows))
    }
}

/// What one worker read, by partition, until it is sorted.
final class WorkerRows: Sendable {
    let layouts: [RecordLayout]
    private let partitions: Mutex<[[RecordSpan]]>

    init(layouts: [RecordLayout], _ partitions: [[RecordSpan]]) {
        self.layouts = layouts
        self.partitions = Mutex(partitions)
    }

    func take(_ partition: Int) -> [RecordSpan] {
        partitions.withLock { partitions in
            defer { partitions[partition] = [] }
            return partitions[partition]
        }
    }
}

/// One sorted partition, for `TableAssembler.write`.
public struct AssembledPartition: Sendable {
    let content: ClusteredPartition

    init(_ content: ClusteredPartition) {
        self.content = content
    }

    public var rowsKept: Int { content.rowsKept }
}

/// A text column's distinct texts of all workers, sorted by bytes.
struct SortedTexts: Sendable {
    private(set) var offsets: [UInt64] = [0]
    private(set) var bytes: [UInt8] = []
    /// Of each worker, by its interner's number: the text's place; -1 for what does not stay.
    private(set) var places: [[Int32]]

    var count: Int { offsets.count - 1 }

    init(_ workers: [[ArraySlice<UInt8>?]]) {
        var all: [(bytes: ArraySlice<UInt8>, worker: Int, number: Int)] = []
        for (worker, texts) in workers.enumerated() {
            for (number, text) in texts.enumerated() {
                if let text { all.append((text, worker, number)) }
            }
        }
        all.sort { Self.precedes($0.bytes, $1.bytes) }
        places = workers.map { Array(repeating: -1, count: $0.count) }
        var last: ArraySlice<UInt8>?
        for text in all {
            if last != text.bytes {
                bytes.append(contentsOf: text.bytes)
                offsets.append(UInt64(bytes.count))
                last = text.bytes
            }
            places[text.worker][text.number] = Int32(offsets.count - 2)
        }
    }

    func map<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> [Result] {
        bytes.withUnsafeBytes { bytes in
            (0..<count).map { place in
                body(UnsafeRawBufferPointer(rebasing: bytes[Int(offsets[place])..<Int(offsets[place + 1])]))
            }
        }
    }

    private static func precedes(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
        left.withUnsafeBytes { left in right.withUnsafeBytes { right in compareBytes(left, right) < 0 } }
    }
}

extension IngestState {
    /// The texts of a column by number; nil for those that became another text or null.
    func texts(_ column: Int) -> [ArraySlice<UInt8>?] {
        guard let interner = intakes[column].interner else { return [] }
        return (0..<interner.count).map { number in
            interner.entry(number).resolved == Int32(number) ? Array(interner.bytes(of: number))[...] : nil
        }
    }

    /// The counts with the columns' own.
    var finalReport: IngestReport {
        var report = report
        report.columns = intakes.map(\.report)
        return report
    }
}

extension IngestReport {
    /// The workers' counts together.
    static func merged(_ reports: [IngestReport]) -> IngestReport {
        guard var merged = reports.first else { return IngestReport() }
        for report in reports.dropFirst() {
            merged.rowsRead += report.rowsRead
            merged.rowsWithoutUnit += report.rowsWithoutUnit
            merged.rowsWrong += report.rowsWrong
            merged.rowsSkipped += report.rowsSkipped
            for column in merged.columns.indices {
                merged.columns[column].outsideDomain += report.columns[column].outsideDomain
                merged.columns[column].outsideBounds += report.columns[column].outsideBounds
                merged.columns[column].leadingZeros += report.columns[column].leadingZeros
                merged.columns[column].textsCut += report.columns[column].textsCut
                merged.columns[column].infinities += report.columns[column].infinities
                merged.columns[column].wrongBecameNull += report.columns[column].wrongBecameNull
            }
        }
        return merged
    }
}
