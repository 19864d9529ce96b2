import Synchronization
import Tables

/// Hands a file's blocks, or row groups, out in order, to whichever thread asks next, and takes what was found in them. So
/// no thread waits for another but to read its block, and yet the first error of the file is known, and its line.
final class BlockQueue: Sendable {
    private let headerLines: Int
    private let policy: ErrorPolicy
    private let state: Mutex<State>

    struct Block: Sendable {
        enum Content: Sendable {
            /// Whole rows.
            case rows(ColumnBytes, Range<Int>, RowFormat)
            case rowGroup(Int, ParquetLayout)
        }

        var number: Int
        var content: Content
    }

    private enum Source {
        case blocks(BlockReader)
        case parquet(ParquetLayout, rows: Int)
    }

    private struct State {
        var source: Source
        /// Each worker's memory for its block.
        var buffers: [BlockBuffer]
        /// Of each block that was handed out, in order: what was found in it, once it is known.
        var results: [BlockResult?] = []
        /// Lines, or rows, of these.
        var lines = 0
        /// What ended the reading of a block, by its number.
        var failures: [Int: IngestError] = [:]
        /// Behind the blocks that were handed out.
        var failure: IngestError?
        var isStopped = false
    }

    init(file: String?, plan: IngestPlan, options: IngestOptions, workers: Int) throws {
        let source: Source
        if let parquet = try file.flatMap(ParquetInput.open) {
            guard options.appended == nil else {
                throw IngestError.array(
                    "beside arrays in files of their own the table is CSV or NDJSON: rows of Parquet have no order to go by"
                )
            }
            source = .parquet(try ParquetInput.layout(parquet, plan.schema), rows: parquet.rowCount)
            headerLines = 0
        } else {
            let reader = try BlockReader(file: file, schema: plan.schema, options: options)
            headerLines = reader.headerLines
            source = .blocks(reader)
        }
        policy = plan.onError
        state = Mutex(State(source: source, buffers: (0..<workers).map { _ in BlockBuffer() }))
    }

    /// Reads the next whole rows, into the memory of the block that the worker had before; nil when there is nothing more to
    /// do.
    func next(for worker: Int) -> Block? {
        state.withLock { state in
            guard !state.isStopped else { return nil }
            do {
                if let content = try Self.next(&state.source, state.results.count, state.buffers[worker]) {
                    state.results.append(nil)
                    return Block(number: state.results.count - 1, content: content)
                }
            } catch {
                state.failure = error as? IngestError ?? .unreadable(path: "the file", reason: "\(error)")
            }
            state.isStopped = true
            return nil
        }
    }

    private static func next(_ source: inout Source, _ number: Int, _ buffer: BlockBuffer) throws -> Block.Content? {
        switch source {
        case .parquet(let layout, _): return number < layout.file.rowGroupCount ? .rowGroup(number, layout) : nil
        case .blocks(var reader):
            defer { source = .blocks(reader) }
            return try reader.next(into: buffer).map { .rows(buffer.bytes, $0, reader.rowFormat) }
        }
    }

    /// Takes what was found in a block, or in a row group so far. An error that refuses the file ends it.
    func finish(_ number: Int, _ result: BlockResult) {
        state.withLock { state in
            state.lines += result.lines - (state.results[number]?.lines ?? 0)
            state.results[number] = result
            if result.refusal(policy, linesBefore: 0) != nil { state.isStopped = true }
        }
    }

    /// A block cannot be read to its end: no more are handed out.
    func fail(_ number: Int, _ error: IngestError) {
        state.withLock { state in
            state.failures[number] = error
            state.isStopped = true
        }
    }

    /// How far reading is.
    var progress: IngestProgress {
        state.withLock { state in
            let fraction =
                switch state.source {
                case .blocks(let reader): reader.fraction
                case .parquet(_, let rows): Double(state.lines) / Double(max(rows, 1))
                }
            return IngestProgress(stage: .reading, fraction: fraction, rows: state.lines)
        }
    }

    /// Hands out no more blocks: a thread could not go on.
    func stop() {
        state.withLock { $0.isStopped = true }
    }

    /// When all blocks that were handed out are finished: throws the file's first error, or gives examples of wrong rows.
    func examples() throws -> [RowError] {
        try state.withLock { state throws in
            var examples: [RowError] = []
            var lines = headerLines
            for (number, result) in state.results.enumerated() {
                if let error = state.failures[number] { throw error }
                guard let result else { continue }
                if let error = result.refusal(policy, linesBefore: lines) {
                    throw result.isBroken ? IngestError.brokenRow(error) : .wrongRow(error)
                }
                for var error in result.wrong where examples.count < IngestReport.exampleLimit {
                    error.line += lines + 1
                    examples.append(error)
                }
                lines += result.lines
            }
            // What came before it was right: only now is it known that this is the first error, and its line.
            if let error = state.failure { throw error == .rowTooLong(line: 0) ? .rowTooLong(line: lines + 1) : error }
            return examples
        }
    }
}
