import Synchronization

/// Makes one table of what workers read: merges their dictionaries, chooses encodings, sorts the partitions.
///
/// Use: `partitions(_:)` for parts of `0 ..< partitionCount`, in any order and on any thread; their results, in order,
/// through `write(_:to:)`; then `finish(to:)`.
public struct TableAssembler: Sendable {
    /// The number of partitions, for every table.
    public static var partitionCount: Int { RowPartitions.count }

    /// A part's next bytes. Called in order for each part.
    public typealias Sink = (TablePart, [UInt8]) throws -> Void

    private let context: ClusteringContext
    private let workers: [WorkerRows]
    private let spilled: @Sendable (Int) -> [SpilledSpan]
    /// The most rows of a partition that are decoded at once.
    private let largestPiece: Int
    private let texts: [Int: SortedTexts]
    private var rowCount = 0
    private var unitCount = 0
    /// What became of the rows: private, for the owner only.
    public private(set) var report: IngestReport

    /// Takes the workers' rows; all must have been made with one plan.
    ///
    /// - Parameters:
    ///   - pieceBytes: About the memory that sorting may take on one thread. The table does not depend on it.
    ///   - spilled: A partition's rows that were taken from the workers before.
    public init(
        _ workers: [IngestWorker], plan: IngestPlan, pieceBytes: Int = 1 << 28,
        spilled: @escaping @Sendable (Int) -> [SpilledSpan] = { _ in [] }
    ) {
        self.spilled = spilled
        // A row's words, their contents where they are texts, its encoded values, and what is sorted.
        largestPiece = Swift.max(pieceBytes / (24 * plan.schema.columns.count + 120), 2)
        let parts = workers.map { worker in
            let partitions = worker.takeRows()
            return WorkerRows(layouts: worker.withState { $0.partitions.layouts }, partitions)
        }
        self.workers = parts
        var texts: [Int: SortedTexts] = [:]
        for (column, schema) in plan.schema.columns.enumerated() where schema.type == .text {
            texts[column] = SortedTexts(workers.map { $0.withState { $0.takeTexts(column) } })
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
        PartitionSorter(PartitionClustering(context), workers, largestPiece: largestPiece, spilled)
    }

    /// Writes the next partition. One that is too large to be sorted at once is sorted now, piece by piece; `check` is then
    /// called now and then, and ends the work where it throws.
    public mutating func write(
        _ partition: AssembledPartition, to sink: Sink, check: () throws -> Void = {}
    ) throws {
        switch partition.content {
        case .sorted(let content): try write(content, to: sink)
        case .large(let records):
            try withoutActuallyEscaping(check) { check in
                let partition = LargePartition(context, records, limit: largestPiece, check: check)
                try partition.run { try write($0, to: sink) }
            }
        }
    }

    private mutating func write(_ content: ClusteredPartition, to sink: Sink) throws {
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
                if countsDropped { try sink(.unitDropped, content.unitDropped.withUnsafeBytes(Array.init)) }
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
            rowCount: rowCount, unitCount: unitCount, unitColumn: context.plan.unitColumn, columns: columns,
            countsDropped: countsDropped ? true : nil)
    }

    /// Rows added to those of a table that does not say what it dropped: it stays unknown.
    private var countsDropped: Bool {
        context.plan.unitColumn != nil && context.plan.base.map { $0.unitDropped != nil } ?? true
    }
}

/// Sorts partitions, one at a time. One thread's own.
public final class PartitionSorter {
    private let clustering: PartitionClustering
    private let workers: [WorkerRows]
    private let largestPiece: Int
    private let spilled: (Int) -> [SpilledSpan]

    init(
        _ clustering: PartitionClustering, _ workers: [WorkerRows], largestPiece: Int,
        _ spilled: @escaping (Int) -> [SpilledSpan]
    ) {
        self.clustering = clustering
        self.workers = workers
        self.largestPiece = largestPiece
        self.spilled = spilled
    }

    /// Sorts a partition and gives its rows' memory back: once for each. One that is too large is sorted when it is
    /// written.
    public func partition(_ index: Int) throws -> AssembledPartition {
        let records = PartitionRecords(
            layouts: workers.map(\.layouts), held: workers.map { $0.take(index) }, spilled: spilled(index))
        if records.count > largestPiece { return AssembledPartition(content: .large(records)) }
        return AssembledPartition(content: .sorted(clustering.run(try records.whole())))
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

/// One partition, for `TableAssembler.write`.
public struct AssembledPartition: Sendable {
    enum Content: Sendable {
        case sorted(ClusteredPartition)
        /// Too large to be sorted at once.
        case large(PartitionRecords)
    }

    let content: Content
}

/// A text column's distinct texts of all workers, sorted by bytes.
struct SortedTexts: Sendable {
    private(set) var offsets: [UInt64] = [0]
    private(set) var bytes: [UInt8] = []
    /// Of each worker, by its interner's number: the text's place; -1 for what does not stay.
    private(set) var places: [[Int32]]

    var count: Int { offsets.count - 1 }

    init(_ workers: [WorkerTexts]) {
        var all: [(worker: Int32, number: Int32)] = []
        for (worker, texts) in workers.enumerated() {
            for number in texts.ends.indices where texts.stays[number] { all.append((Int32(worker), Int32(number))) }
        }
        func text(_ place: (worker: Int32, number: Int32)) -> ArraySlice<UInt8> {
            workers[Int(place.worker)].text(Int(place.number))
        }
        all.sort { Self.precedes(text($0), text($1)) }
        places = workers.map { Array(repeating: -1, count: $0.ends.count) }
        var last: ArraySlice<UInt8>?
        for place in all {
            let text = text(place)
            if last != text {
                bytes.append(contentsOf: text)
                offsets.append(UInt64(bytes.count))
                last = text
            }
            places[Int(place.worker)][Int(place.number)] = Int32(offsets.count - 2)
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

/// One worker's texts of a column, by number, one behind the other: few bytes beside the texts themselves.
struct WorkerTexts: Sendable {
    fileprivate(set) var bytes: [UInt8] = []
    fileprivate(set) var ends: [Int] = []
    /// Whether a text is one of the column's: those that became another text or null are empty.
    fileprivate(set) var stays: [Bool] = []

    func text(_ number: Int) -> ArraySlice<UInt8> { bytes[(number > 0 ? ends[number - 1] : 0)..<ends[number]] }
}

extension IngestState {
    /// Gives up the texts of a column.
    func takeTexts(_ column: Int) -> WorkerTexts {
        var texts = WorkerTexts()
        guard let interner = intakes[column].interner else { return texts }
        for number in 0..<interner.count {
            let stays = interner.entry(number).resolved == Int32(number)
            if stays { texts.bytes.append(contentsOf: interner.bytes(of: number)) }
            texts.ends.append(texts.bytes.count)
            texts.stays.append(stays)
        }
        interner.removeAll()
        return texts
    }

    /// The counts, with those of each column.
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
