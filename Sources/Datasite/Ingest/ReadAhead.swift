import Synchronization
import Tables

/// Reads a file's blocks, a round for all workers at a time, into memory that is used again after two rounds: so one round
/// is parsed while the next is read.
final class ReadAhead: Sendable {
    struct Block: Sendable {
        var bytes: ColumnBytes
        var range: Range<Int>
    }

    /// Some blocks in order, none at the end of the file; an error comes behind them.
    struct Round: Sendable {
        var blocks: [Block] = []
        var error: IngestError?
        /// The part of the file that was read.
        var fraction = 0.0
    }

    let rowFormat: RowFormat
    let headerLines: Int
    private let state: Mutex<State>

    private struct State {
        var reader: BlockReader
        var buffers: [[BlockBuffer]]
        var turn = 0
    }

    init(file: String, schema: Schema, options: IngestOptions, blocks: Int) throws {
        let reader = try BlockReader(file: file, schema: schema, options: options)
        rowFormat = reader.rowFormat
        headerLines = reader.headerLines
        state = Mutex(State(reader: reader, buffers: (0..<2).map { _ in (0..<blocks).map { _ in BlockBuffer() } }))
    }

    /// Reads the next round; that before the last is not to be looked at any more.
    func next() -> Round {
        state.withLock { state in
            var round = Round()
            do {
                for buffer in state.buffers[state.turn] {
                    guard let range = try state.reader.next(into: buffer) else { break }
                    round.blocks.append(Block(bytes: buffer.bytes, range: range))
                }
            } catch {
                round.error = error as? IngestError ?? .unreadable(path: "the file", reason: "\(error)")
            }
            round.fraction = state.reader.fraction
            state.turn = 1 - state.turn
            return round
        }
    }
}
