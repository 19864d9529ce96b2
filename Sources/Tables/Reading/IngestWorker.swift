import Secrets
import Synchronization

/// What a reader found in one block of a file.
public struct BlockResult: Sendable {
    /// Lines that ended in the block, or rows in a file that has no lines.
    public var lines = 0
    /// Wrong rows, lines counted from the block's first (0): the first `IngestReport.exampleLimit` of them.
    public var wrong: [RowError] = []
    /// The file cannot be read on from here, whatever the policy.
    public var isBroken = false

    /// The error that refuses the file under that policy, in absolute lines.
    public func refusal(_ policy: ErrorPolicy, linesBefore: Int) -> RowError? {
        guard policy == .refuse || isBroken, var error = isBroken ? wrong.last : wrong.first else { return nil }
        error.line += linesBefore + 1
        return error
    }

    /// Says of the wrong rows that their lines are row numbers.
    mutating func countRows() {
        for index in wrong.indices { wrong[index].countsRows = true }
    }
}

/// Reads blocks of rows, one at a time, and holds what it read. Several workers may read a file's blocks in any order and
/// at the same time: the table does not depend on it.
public final class IngestWorker: Sendable {
    let plan: IngestPlan
    private let state: Mutex<IngestState>

    /// A worker that holds nothing yet.
    public init(_ plan: IngestPlan) {
        self.plan = plan
        state = Mutex(IngestState(plan))
    }

    /// Reads whole rows: those bytes of a file.
    public func read(_ range: Range<Int>, of bytes: ColumnBytes, as format: RowFormat) -> BlockResult {
        state.withLock { state in
            bytes.withBytes { bytes in
                let range = range.clamped(to: 0..<bytes.count)
                let block = UnsafeRawBufferPointer(rebasing: bytes[range])
                switch format {
                case .csv(let layout):
                    let parser = CSVParser(layout, state: state)
                    return parser.parse(block, readable: bytes.count - range.upperBound)
                case .ndjson(let layout):
                    var parser = NDJSONParser(layout, state: state)
                    return parser.parse(block)
                }
            }
        }
    }

    /// Reads some rows of a Parquet file's row group, or some more of the one that was begun: what is held can then be spilled.
    /// The result, once it is whole, is of the whole row group.
    public func read(rowGroup number: Int, of layout: ParquetLayout) throws -> (result: BlockResult, isWhole: Bool) {
        try state.withLock { state in
            let group =
                try state.rowGroup.flatMap { $0.number == number ? $0 : nil }
                ?? ParquetGroupReader(layout, group: number, state)
            state.rowGroup = group
            try group.read(into: state)
            let isWhole = group.isDone || group.result.refusal(state.plan.onError, linesBefore: 0) != nil
            if isWhole { state.rowGroup = nil }
            return (group.result, isWhole)
        }
    }

    /// Adds rows given as values; their numbers from 1 are their lines.
    public func append(_ rows: [[Value]], from first: Int = 1) throws(RowError) {
        let policy = plan.onError
        let refusal: RowError? = state.withLock { state in
            var result = BlockResult()
            for (number, row) in rows.enumerated() {
                state.append(row, line: first + number - 1, &result)
                if let error = result.refusal(policy, linesBefore: 0) { return error }
            }
            state.flush()
            return nil
        }
        if let refusal { throw refusal }
    }

    /// Adds rows of a table that has the plan's columns, to be bounded again with those of a file (docs/privacy.md, rule 11).
    public func append(rowsOf table: Table, _ range: Range<Int>) throws(RowError) {
        let range = range.clamped(to: 0..<table.rowCount)
        guard table.columns.count == plan.schema.columns.count else {
            throw RowError(line: 0, column: nil, expected: "the same columns as before")
        }
        try append(range.map { row in table.columns.indices.map { table.value($0, row) } }, from: range.lowerBound + 1)
    }

    /// What a survey has seen, by column.
    public var surveys: [ColumnSurvey] {
        state.withLock { state in
            state.intakes.map { intake in
                var survey = intake.survey ?? ColumnSurvey()
                survey.wrong = intake.report.wrongBecameNull
                survey.hasName = intake.interner?.has(intake.schema.name) ?? false
                return survey
            }
        }
    }

    /// Memory held in rows that could be spilled, and in texts that could not.
    public var heldBytes: (rows: Int, texts: Int) {
        state.withLock { state in
            (state.partitions.heldBytes, state.intakes.reduce(0) { $0 + ($1.interner?.heldBytes ?? 0) })
        }
    }

    /// Gives up the rows read so far, by partition, to be kept elsewhere until the table is assembled.
    public func takeRows() -> [[RecordSpan]] {
        state.withLock { state in
            state.flush()
            return state.partitions.takeSpans()
        }
    }

    func withState<Result: Sendable>(_ body: (IngestState) -> Result) -> Result {
        state.withLock { body($0) }
    }
}

/// One worker's rows, dictionaries and counts.
final class IngestState {
    let plan: IngestPlan
    let intakes: [ColumnIntake]
    let batch: RowBatch
    let partitions: RowPartitions
    var report = IngestReport()
    var skippedUnits: Set<KeyedHash.Digest> = []
    /// The row group that is being read.
    var rowGroup: ParquetGroupReader?
    private let hashes: UnsafeMutablePointer<UInt64>
    /// The unit's hash of each text of the unit's column, by its interner's number.
    private var textUnits: [KeyedHash.Digest] = []
    /// Where each row is a unit: by text column and number, the texts as words of a row's contents; and by text column,
    /// those words for the batch's rows.
    private var contentsOfTexts: [[UInt64]]
    private let rowContents: [Scratch<UInt64>]

    init(_ plan: IngestPlan) {
        self.plan = plan
        intakes = plan.schema.columns.enumerated().map { index, column in
            ColumnIntake(
                schema: column, isKey: index == plan.unitColumn || index == plan.lookupKey, isSurveyed: plan.isSurvey)
        }
        batch = RowBatch(columnCount: plan.schema.columns.count)
        partitions = RowPartitions(schema: plan.schema)
        hashes = .allocate(capacity: RowBatch.capacity)
        contentsOfTexts = Array(repeating: [], count: plan.schema.columns.count)
        rowContents = plan.schema.columns.map { _ in Scratch() }
    }

    deinit {
        hashes.deallocate()
    }

    /// Ends a row whose cells are all in the batch and right. The reader counts the rows that it reads.
    func commitRow() {
        if let unit = plan.unitColumn, isNullUnit(unit) {
            report.rowsWithoutUnit += 1
            return
        }
        batch.count += 1
        if batch.isFull { flush() }
    }

    /// Ends rows whose cells are all in the batch and right, unless some have no unit: then nothing is done.
    func commitRows(_ count: Int) -> Bool {
        if let unit = plan.unitColumn {
            let words = batch.column(unit) + batch.count
            let null = intakes[unit].schema.type == .real ? nullReal : ColumnEncoding.null
            for row in 0..<count where words[row] == null { return false }
        }
        batch.count += count
        if batch.isFull { flush() }
        return true
    }

    @inline(__always)
    private func isNullUnit(_ unit: Int) -> Bool {
        let word = batch.column(unit)[batch.count]
        return word == ColumnEncoding.null || (intakes[unit].schema.type == .real && word == nullReal)
    }

    /// Ends a row with something wrong in it. `column`: the position of the first wrong cell; nil where the row's shape
    /// is wrong and none of its cells can be trusted. Cells that the policy makes null are in the batch.
    func endWrongRow(line: Int, column: Int?, expected: String, wrongCells: [Int], _ result: inout BlockResult) {
        report.rowsWrong += 1
        if result.wrong.count < IngestReport.exampleLimit {
            let name = column.map { plan.schema.columns[$0].name }
            result.wrong.append(RowError(line: line, column: name, expected: expected))
        }
        switch plan.onError {
        case .refuse: break
        case .null: nullWrongCells(column, wrongCells)
        case .skipUnit:
            report.rowsSkipped += 1
            guard column != nil, let unit = plan.unitColumn, !wrongCells.contains(unit), !isNullUnit(unit) else {
                return
            }
            skippedUnits.insert(unitHash(unit, row: batch.count))
        }
    }

    private func nullWrongCells(_ column: Int?, _ wrongCells: [Int]) {
        guard column != nil, wrongCells.allSatisfy({ plan.schema.columns[$0].isNullable }) else {
            report.rowsSkipped += 1
            return
        }
        for cell in wrongCells {
            batch.column(cell)[batch.count] = intakes[cell].null() ?? ColumnEncoding.null
            intakes[cell].report.wrongBecameNull += 1
        }
        commitRow()
    }

    /// Adds a row of values.
    func append(_ row: [Value], line: Int, _ result: inout BlockResult) {
        report.rowsRead += 1
        guard row.count == intakes.count else {
            return endWrongRow(
                line: line, column: nil, expected: "\(intakes.count) values", wrongCells: [], &result)
        }
        var wrong: [Int] = []
        for (column, value) in row.enumerated() {
            if let word = intakes[column].accept(value) {
                batch.column(column)[batch.count] = word
            } else {
                wrong.append(column)
            }
        }
        guard let first = wrong.first else { return commitRow() }
        endWrongRow(
            line: line, column: first, expected: intakes[first].expected, wrongCells: wrong, &result)
    }

    /// Moves the batch's rows to their partitions.
    func flush() {
        guard batch.count > 0 else { return }
        if plan.isSurvey {
            batch.count = 0
            return
        }
        for (column, intake) in intakes.enumerated() { intake.bound(batch.column(column), count: batch.count) }
        if let unit = plan.unitColumn {
            hashUnits(unit)
        } else {
            hashRows()
        }
        partitions.append(batch, hashes: hashes)
        batch.count = 0
    }

    private func hashUnits(_ unit: Int) {
        let (source, target, key) = (batch.column(unit), hashes, plan.key)
        if intakes[unit].interner == nil {
            key.units(words: source, count: batch.count, into: target)
        } else {
            for i in 0..<batch.count { target[i] = textUnit(unit, Int(source[i])).first }
        }
    }

    /// The first bits of the rows' own hashes, where each row is a unit.
    private func hashRows() {
        let columns = intakes.indices.map { column in
            let words = UnsafeRawPointer(batch.column(column)).assumingMemoryBound(to: UInt64.self)
            return intakes[column].interner == nil ? words : textContents(column)
        }
        let key = plan.key.wholeOrder
        columns.withUnsafeBufferPointer { columns in
            [key.first, key.second].withUnsafeBufferPointer { key in
                [Int64(batch.count)].withUnsafeBufferPointer { ends in
                    MessageHashing.best.hash(columns, keys: key, ends: ends, into: hashes)
                }
            }
        }
    }

    private func unitHash(_ unit: Int, row: Int) -> KeyedHash.Digest {
        let word = batch.column(unit)[row]
        return intakes[unit].interner == nil ? plan.key.unit(word: word) : textUnit(unit, Int(word))
    }

    private func textUnit(_ column: Int, _ number: Int) -> KeyedHash.Digest {
        if let interner = intakes[column].interner {
            while textUnits.count <= number {
                textUnits.append(plan.key.unit(text: interner.bytes(of: textUnits.count)))
            }
        }
        return textUnits[number]
    }

    /// The contents of the batch's texts in that column, by row.
    private func textContents(_ column: Int) -> UnsafePointer<UInt64> {
        if let interner = intakes[column].interner {
            for number in contentsOfTexts[column].count..<interner.count {
                contentsOfTexts[column].append(plan.key.content(text: interner.bytes(of: number)))
            }
        }
        let (words, target) = (batch.column(column), rowContents[column])
        target.reserve(RowBatch.capacity)
        for row in 0..<batch.count {
            let word = words[row]
            target.start[row] =
                word == ColumnEncoding.null ? UInt64(bitPattern: word) : contentsOfTexts[column][Int(word)]
        }
        return UnsafePointer(target.start)
    }
}
