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
    private let input: BlockQueue
    private var examples: [RowError] = []
    /// Rows that did not fit into memory.
    private let spill: SpillFile

    init(file: String?, plan: IngestPlan, options: IngestOptions, spillingTo folder: String) throws {
        self.plan = plan
        self.options = options
        workers = (0..<max(1, options.threads)).map { _ in IngestWorker(plan) }
        input = try BlockQueue(file: file, plan: plan, options: options, workers: workers.count)
        spill = SpillFile(directory: folder)
    }

    /// Takes the rows of the table that the file's are added to.
    func take(_ table: Table) throws {
        let worker = workers[0]
        for start in stride(from: 0, to: table.rowCount, by: 1 << 16) {
            do throws(RowError) { try worker.append(rowsOf: table, start..<start + 1 << 16) } catch {
                throw IngestError.wrongRow(error)
            }
            guard worker.heldBytes.texts <= options.textBytes else { throw IngestError.tooManyTexts }
            if worker.heldBytes.rows > options.memoryBytes / workers.count { try spill.take(worker.takeRows(), of: 0) }
        }
    }

    /// Parses block after block, each worker for itself.
    mutating func read(_ progress: @Sendable (IngestProgress) throws -> Void) throws {
        let (input, workers, spill, options) = (input, workers, spill, options)
        let texts = Mutex([Int](repeating: 0, count: workers.count))
        let failures = concurrently(workers.count) { index -> (any Error)? in
            let worker = workers[index]
            while let block = input.next(for: index) {
                var isWhole = false
                while !isWhole {
                    do {
                        isWhole = try Self.read(block, worker, input)
                        let held = worker.heldBytes
                        let all = texts.withLock { texts in
                            texts[index] = held.texts
                            return texts.reduce(0, +)
                        }
                        // Dictionaries cannot be spilled.
                        guard all <= options.textBytes else { throw IngestError.tooManyTexts }
                        if held.rows > options.memoryBytes / workers.count {
                            try spill.take(worker.takeRows(), of: index)
                        }
                        try progress(input.progress)
                    } catch {
                        input.stop()
                        return error
                    }
                }
            }
            return nil
        }
        examples = try input.examples()
        if let failure = failures.compactMap({ $0 }).first { throw failure }
    }

    /// Reads a block, or a part of a row group; returns whether nothing of it is left.
    private static func read(_ block: BlockQueue.Block, _ worker: IngestWorker, _ input: BlockQueue) throws -> Bool {
        switch block.content {
        case .rows(let bytes, let range, let format):
            input.finish(block.number, worker.read(range, of: bytes, as: format))
            return true
        case .rowGroup(let number, let layout):
            do {
                let (result, isWhole) = try worker.read(rowGroup: number, of: layout)
                input.finish(block.number, result)
                return isWhole
            } catch let error as ParquetError {
                input.fail(block.number, .parquet(error))
                return true
            }
        }
    }

    /// Sorts partition after partition, while those before are written in order.
    mutating func assemble(
        _ writer: TableWriter, _ progress: @Sendable (IngestProgress) throws -> Void
    ) throws -> IngestReport {
        let assembler = TableAssembler(
            workers, plan: plan, pieceBytes: options.sortingBytes / workers.count, spilled: spill.reader())
        let output = TableOutput(assembler, writer, waiting: 4 * workers.count)
        let rows = input.progress.rows
        let failures = concurrently(workers.count) { _ -> (any Error)? in
            let sorter = assembler.sorter()
            do {
                while let next = output.claim() {
                    let step = IngestProgress(
                        stage: .sorting, fraction: Double(next) / Double(TableAssembler.partitionCount), rows: rows)
                    try output.put(next, try sorter.partition(next)) { try progress(step) }
                    try progress(step)
                }
                return nil
            } catch {
                output.stop()
                return error
            }
        }
        if let failure = failures.compactMap({ $0 }).first { throw failure }
        var report: IngestReport
        (description, report) = try output.finish()
        report.examples = examples
        return report
    }
}
