import Dispatch
import Synchronization
import Tables

/// Where sorted partitions go: they are written in order, by the thread that finishes the next one, while others sort on.
final class TableOutput: Sendable {
    private struct State {
        /// The partitions handed out and written so far.
        var claimed = 0
        var written = 0
        var ready: [Int: AssembledPartition] = [:]
        var isWriting = false
        var isStopped = false
    }

    private let state = Mutex(State())
    private let writer: TableWriter
    private let assembler: Mutex<TableAssembler>
    /// Keeps threads from sorting far ahead of a slow disk: what is sorted and not written is in memory.
    private let room: DispatchSemaphore

    /// `waiting`: how many partitions may be sorted, or being sorted, and not written.
    init(_ assembler: TableAssembler, _ writer: TableWriter, waiting: Int) {
        self.assembler = Mutex(assembler)
        self.writer = writer
        room = DispatchSemaphore(value: waiting)
    }

    /// The next partition to sort; nil when there is none. Waits where too many are ready.
    func claim() -> Int? {
        room.wait()
        let next = state.withLock { state -> Int? in
            guard !state.isStopped, state.claimed < TableAssembler.partitionCount else { return nil }
            state.claimed += 1
            return state.claimed - 1
        }
        if next == nil { room.signal() }
        return next
    }

    /// Takes a sorted partition, and writes it and those behind it as far as they are ready, unless another thread does.
    ///
    /// `check` is called now and then while a large partition is written, and ends it where it throws.
    func put(_ number: Int, _ partition: AssembledPartition, check: () throws -> Void) throws {
        state.withLock { $0.ready[number] = partition }
        while let next = takeNext() {
            try assembler.withLock { try $0.write(next, to: writer.append, check: check) }
            let isOwed = state.withLock { state -> Bool in
                state.isWriting = false
                // Another thread may have ended all work meanwhile, and have given back the room of this one too.
                guard !state.isStopped else { return false }
                state.written += 1
                return true
            }
            if isOwed { room.signal() }
        }
    }

    private func takeNext() -> AssembledPartition? {
        state.withLock { state in
            guard !state.isWriting, !state.isStopped, let next = state.ready.removeValue(forKey: state.written) else {
                return nil
            }
            state.isWriting = true
            return next
        }
    }

    /// Ends all work: a thread could not go on. Several threads may find that at once.
    func stop() {
        let owed = state.withLock { state in
            guard !state.isStopped else { return 0 }
            state.isStopped = true
            // The room of all that is unwritten is given back, so that no thread waits for ever.
            return state.claimed - state.written
        }
        for _ in 0..<owed { room.signal() }
    }

    /// Writes what follows the rows.
    func finish() throws -> (TableDescription, IngestReport) {
        try assembler.withLock { assembler in (try assembler.finish(to: writer.append), assembler.report) }
    }
}
