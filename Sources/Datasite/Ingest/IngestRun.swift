import Foundation
import Synchronization
import Tables

/// One file on its way to a table.
struct IngestRun {
    let plan: IngestPlan
    let options: IngestOptions
    let workers: [IngestWorker]
    /// What was assembled.
    private(set) var description: TableDescription?
    private let input: ReadAhead
    private var lines: Int
    private var examples: [RowError] = []
    /// Rows that did not fit into memory.
    private var spill: SpillFile?

    init(file: String, plan: IngestPlan, options: IngestOptions) throws {
        self.plan = plan
        self.options = options
        workers = (0..<max(1, options.threads)).map { _ in IngestWorker(plan) }
        input = try ReadAhead(file: file, schema: plan.schema, options: options, blocks: workers.count)
        lines = input.headerLines
    }

    /// Parses round after round of one block for each worker, while the next round is read.
    mutating func read(spillingTo folder: String, _ progress: (IngestProgress) -> Void) throws {
        var round = input.next()
        while true {
            let (results, next) = parse(round.blocks, readingNext: round.error == nil && !round.blocks.isEmpty)
            for result in results {
                if let error = result.refusal(plan.onError, linesBefore: lines) { throw IngestError.wrongRow(error) }
                report(result)
                lines += result.lines
            }
            // What came before it was right: only now is it known that this is the first error, and its line.
            if let error = round.error { throw error == .rowTooLong(line: 0) ? .rowTooLong(line: lines + 1) : error }
            try relieve(folder)
            progress(IngestProgress(stage: .reading, fraction: round.fraction))
            guard let next else { break }
            round = next
        }
    }

    private func parse(
        _ blocks: [ReadAhead.Block], readingNext: Bool
    ) -> (results: [BlockResult], next: ReadAhead.Round?) {
        let (workers, input) = (workers, input)
        let next = Mutex<ReadAhead.Round?>(nil)
        let results = concurrently(blocks.count + (readingNext ? 1 : 0)) { index -> BlockResult? in
            guard index < blocks.count else {
                let round = input.next()
                next.withLock { $0 = round }
                return nil
            }
            return workers[index].read(blocks[index].range, of: blocks[index].bytes, as: input.rowFormat)
        }
        return (results.compactMap { $0 }, next.withLock { $0 })
    }

    /// Spills rows where they take too much memory. Dictionaries cannot be spilled.
    private mutating func relieve(_ folder: String) throws {
        let held = workers.map(\.heldBytes)
        guard held.reduce(0, { $0 + $1.texts }) <= options.textBytes else { throw IngestError.tooManyTexts }
        guard held.reduce(0, { $0 + $1.rows }) > options.memoryBytes else { return }
        let file = try spill ?? SpillFile(directory: folder)
        try file.take(from: workers)
        spill = file
    }

    private mutating func report(_ result: BlockResult) {
        for var error in result.wrong where examples.count < IngestReport.exampleLimit {
            error.line += lines + 1
            examples.append(error)
        }
    }

    /// Sorts partition after partition, some at a time, while those before are written in order.
    mutating func assemble(_ writer: TableWriter, _ progress: (IngestProgress) -> Void) throws -> IngestReport {
        let assembler =
            if let spill {
                TableAssembler(workers, plan: plan, spilled: spill.reader(workers: workers.count))
            } else {
                TableAssembler(workers, plan: plan)
            }
        let output = TableOutput(assembler, writer)
        let count = TableAssembler.partitionCount
        let share = 4
        let step = workers.count * share
        var sorted: [AssembledPartition] = []
        for start in stride(from: 0, to: count, by: step) {
            let end = min(start + step, count)
            let ready = sorted
            let results = concurrently(1 + (end - start + share - 1) / share) { index in
                Result { () throws -> [AssembledPartition] in
                    if index == 0 {
                        try output.write(ready)
                        return []
                    }
                    let first = start + (index - 1) * share
                    return try assembler.partitions(first..<min(first + share, end))
                }
            }
            sorted = []
            for result in results { sorted += try result.get() }
            progress(IngestProgress(stage: .sorting, fraction: Double(end) / Double(count)))
        }
        try output.write(sorted)
        var report: IngestReport
        (description, report) = try output.finish()
        report.examples = examples
        return report
    }
}

/// Where sorted partitions go, in order.
private final class TableOutput: Sendable {
    private let writer: TableWriter
    private let assembler: Mutex<TableAssembler>

    init(_ assembler: TableAssembler, _ writer: TableWriter) {
        self.assembler = Mutex(assembler)
        self.writer = writer
    }

    func write(_ partitions: [AssembledPartition]) throws {
        try assembler.withLock { assembler in
            for partition in partitions { try assembler.write(partition, to: writer.append) }
        }
    }

    func finish() throws -> (TableDescription, IngestReport) {
        try assembler.withLock { assembler in (try assembler.finish(to: writer.append), assembler.report) }
    }
}
