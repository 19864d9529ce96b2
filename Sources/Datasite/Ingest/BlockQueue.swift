import Synchronization
import Tables

/// Hands a file's blocks out in order, to whichever thread asks next, and takes what was found in them. So no thread waits
/// for another but to read its block, and yet the first error of the file is known, and its line.
final class BlockQueue: Sendable {
    let rowFormat: RowFormat
    private let headerLines: Int
    private let policy: ErrorPolicy
    private let state: Mutex<State>

    struct Block: Sendable {
        var number: Int
        var bytes: ColumnBytes
        /// Whole rows.
        var range: Range<Int>
    }

    private struct State {
        var reader: BlockReader
        /// Each worker's memory for its block.
        var buffers: [BlockBuffer]
        /// Of each block that was handed out, in order: what was found in it, once it is known.
        var results: [BlockResult?] = []
        /// Behind the blocks that were handed out.
        var failure: IngestError?
        var isStopped = false
    }

    init(file: String, plan: IngestPlan, options: IngestOptions, workers: Int) throws {
        let reader = try BlockReader(file: file, schema: plan.schema, options: options)
        rowFormat = reader.rowFormat
        headerLines = reader.headerLines
        policy = plan.onError
        state = Mutex(State(reader: reader, buffers: (0..<workers).map { _ in BlockBuffer() }))
    }

    /// Reads the next whole rows, into the memory of the block that the worker had before; nil when there is nothing more to
    /// do.
    func next(for worker: Int) -> Block? {
        state.withLock { state in
            guard !state.isStopped else { return nil }
            do {
                let buffer = state.buffers[worker]
                if let range = try state.reader.next(into: buffer) {
                    state.results.append(nil)
                    return Block(number: state.results.count - 1, bytes: buffer.bytes, range: range)
                }
            } catch {
                state.failure = error as? IngestError ?? .unreadable(path: "the file", reason: "\(error)")
            }
            state.isStopped = true
            return nil
        }
    }

    /// Takes what was found in a block; returns the part of the file that was read. An error that refuses the file ends it.
    func finish(_ number: Int, _ result: BlockResult) -> Double {
        state.withLock { state in
            state.results[number] = result
            if result.refusal(policy, linesBefore: 0) != nil { state.isStopped = true }
            return state.reader.fraction
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
            for case .some(let result) in state.results {
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
