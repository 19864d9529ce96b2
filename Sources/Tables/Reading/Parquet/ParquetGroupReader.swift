/// Reads the rows of one row group into a worker's state, a batch at a time.
final class ParquetGroupReader {
    let number: Int
    private(set) var result = BlockResult()
    private let columns: [ParquetColumnReader]
    private let memory = ParquetMemory()
    private let rows: Int
    private var wrongPlaces: [Int] = []

    /// So many rows, or bytes of texts, are read at once: far less than memory holds. Then it is decided what is
    /// spilled.
    private static let rowsAtOnce = 1 << 16
    private static let textsAtOnce = 1 << 26

    init(_ layout: ParquetLayout, group number: Int, _ state: IngestState) throws {
        self.number = number
        let group = layout.file.rowGroups[number]
        rows = group.rows
        // In a row group without rows, what is said of its pages differs between writers: it is not looked at.
        guard rows > 0 else {
            columns = []
            return
        }
        do {
            columns = try zip(layout.columns, state.intakes).map { [memory] column, intake in
                guard let kind = column.kind else { throw ParquetError("it is not read", column: column.name) }
                return try ParquetColumnReader(
                    column, kind: kind, chunk: group.chunks[column.leaf], file: layout.file, rows: group.rows,
                    intake: intake, memory: memory)
            }
        } catch { throw Self.placed(error, number) }
    }

    var isDone: Bool { result.lines == rows }

    /// Reads some rows.
    func read(into state: IngestState) throws {
        let stopsAtFirst = state.plan.onError == .refuse
        var (done, texts) = (0, 0)
        while !isDone, done < Self.rowsAtOnce, texts < Self.textsAtOnce, !(stopsAtFirst && !result.wrong.isEmpty) {
            let count = Swift.min(rows - result.lines, RowBatch.capacity - state.batch.count)
            memory.texts = 0
            do { try readRows(count, state) } catch { throw Self.placed(error, number) }
            done += count
            texts += memory.texts
        }
    }

    private static func placed(_ error: any Error, _ number: Int) -> any Error {
        guard var error = error as? ParquetError else { return error }
        error.rowGroup = number + 1
        return error
    }

    private func readRows(_ count: Int, _ state: IngestState) throws {
        let batch = state.batch
        let first = batch.count
        /// By row: wrong cells, in the order of columns.
        var wrong: [Int: [Int]] = [:]
        for (index, column) in columns.enumerated() {
            wrongPlaces.removeAll(keepingCapacity: true)
            try column.read(count, into: batch.column(index) + first, wrong: &wrongPlaces)
            for row in wrongPlaces { wrong[row, default: []].append(index) }
        }
        state.report.rowsRead += count
        if wrong.isEmpty, state.commitRows(count) {
            result.lines += count
            return
        }
        for row in 0..<count {
            // If rows before this one were dropped, it moves up.
            if batch.count != first + row {
                for index in columns.indices {
                    batch.column(index)[batch.count] = batch.column(index)[first + row]
                }
            }
            if let cells = wrong[row] {
                state.endWrongRow(
                    line: result.lines, column: cells[0], expected: state.intakes[cells[0]].expected,
                    wrongCells: cells, &result)
                result.countRows()
                if state.plan.onError == .refuse { return }
            } else {
                state.commitRow()
            }
            result.lines += 1
        }
    }
}
