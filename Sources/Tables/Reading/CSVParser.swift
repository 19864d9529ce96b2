/// Parses one block of rows of separated values into a worker's batch. Numbers are read in place; what is quoted or unusual
/// takes the slow way. It owns the memory of its table of fields, and so cannot be copied.
struct CSVParser: ~Copyable {
    private enum Kind {
        case skipped
        /// Integers and reals that need no more than to be numbers.
        case integer
        case real
        /// Integers that name units: never clipped.
        case key
        /// Texts that were seen before.
        case text
        case other
    }

    private struct Field {
        var kind: Kind
        var column: Int
        var texts: UnsafeMutablePointer<TextInterner.Table>?
        var range = -Int64.max...Int64.max
    }

    private let state: IngestState
    private let fields: UnsafeMutablePointer<Field>
    private let fieldCount: Int
    private let delimiter: UInt8
    private let quote: UInt8
    private let hasQuote: Bool
    /// In each byte of a word.
    private let delimiters: UInt64
    private let lineFeeds: UInt64
    private let quotes: UInt64
    private let nulls: [[UInt8]]
    private var unquoted: [UInt8] = []
    private var result = BlockResult()
    private var line = 0
    private var wrongCells: [Int] = []
    private var isRowWrong = false
    /// Where the batch's columns begin, and the row that is read into.
    private let words: UnsafeMutablePointer<Int64>
    private var row: Int
    /// Where the unit's column begins in the batch, -1 without one, and its null.
    private let unitOffset: Int
    private let unitNull: Int64
    private var rowsRead = 0
    private var rowsWithoutUnit = 0

    init(_ layout: CSVLayout, state: IngestState) {
        self.state = state
        delimiter = layout.format.delimiter
        quote = layout.format.quote ?? 0
        hasQuote = layout.format.quote != nil
        delimiters = Self.repeated(delimiter)
        lineFeeds = Self.repeated(0x0a)
        quotes = Self.repeated(hasQuote ? quote : delimiter)
        nulls = layout.format.nulls.filter { !$0.isEmpty }.map { Array($0.utf8) }
        fieldCount = layout.columns.count
        fields = .allocate(capacity: Swift.max(fieldCount, 1))
        for (index, column) in layout.columns.enumerated() {
            (fields + index).initialize(to: Self.field(column, state))
        }
        emptyIsNull = layout.format.nulls.contains("")
        hasNulls = !nulls.isEmpty
        words = state.batch.words
        row = state.batch.count
        unitOffset = state.plan.unitColumn.map { $0 * RowBatch.capacity } ?? -1
        unitNull =
            state.plan.unitColumn.map { state.intakes[$0].schema.type == .real } == true
            ? nullReal : ColumnEncoding.null
    }

    private let emptyIsNull: Bool
    private let hasNulls: Bool

    private static func repeated(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }

    private static func field(_ column: Int?, _ state: IngestState) -> Field {
        guard let column else { return Field(kind: .skipped, column: 0) }
        let intake = state.intakes[column]
        if state.plan.isSurvey { return Field(kind: .other, column: column) }
        if let interner = intake.interner {
            // What stands for null is no text, however often it was seen.
            return Field(
                kind: intake.schema.form.missing.isEmpty ? .text : .other, column: column, texts: interner.table)
        }
        guard intake.readsPlainNumbers, intake.schema.form.epochTicks == nil else {
            return Field(kind: .other, column: column)
        }
        if intake.isKey, intake.schema.type == .integer, intake.schema.domain == nil, !intake.hasMissingWords {
            return Field(kind: .key, column: column, range: intake.keyRange)
        }
        let kind: Kind =
            intake.schema.type == .integer && intake.takesEveryInteger
            ? .integer : intake.takesEveryReal ? .real : .other
        return Field(kind: kind, column: column)
    }

    deinit { fields.deallocate() }

    /// So many bytes behind a block are read, whatever they are, where its memory has them.
    static let slack = 16

    /// Reads rows to the end of the block; the last need not end with a line feed. `readable`: how many bytes of memory
    /// are behind the block.
    consuming func parse(_ block: UnsafeRawBufferPointer, readable: Int) -> BlockResult {
        guard let base = block.baseAddress, !block.isEmpty else { return result }
        let isEnded = block[block.count - 1] == 0x0a
        if isEnded, readable >= Self.slack {
            parse(base.assumingMemoryBound(to: UInt8.self), block.count)
        } else {
            // Every loop below ends at a line feed at the latest.
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: block.count + 1 + Self.slack) { copy in
                _ = copy.update(fromContentsOf: block)
                copy[block.count...].update(repeating: 0x0a)
                if let base = copy.baseAddress { parse(UnsafePointer(base), block.count + (isEnded ? 0 : 1)) }
            }
        }
        state.batch.count = row
        state.report.rowsRead += rowsRead
        state.report.rowsWithoutUnit += rowsWithoutUnit
        result.lines = line
        return result
    }

    private mutating func parse(_ text: UnsafePointer<UInt8>, _ end: Int) {
        let stopsAtFirst = state.plan.onError == .refuse
        var place = 0
        while place < end, !result.isBroken, !(stopsAtFirst && !result.wrong.isEmpty) {
            if text[place] == 0x0a {
                place += 1
                line += 1
            } else if text[place] == 0x0d, text[place + 1] == 0x0a {
                place += 2
                line += 1
            } else {
                place = parseRow(text, place, end)
            }
        }
    }

    /// Reads one row; returns where the next begins.
    private mutating func parseRow(_ text: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        var place = start
        let firstLine = line
        let words = words + row
        let last = fieldCount - 1
        var index = 0
        while index <= last {
            let field = fields[index]
            var next = -1
            switch field.kind {
            case .integer: next = number(text, place, words + field.column * RowBatch.capacity)
            case .real: next = real(text, place, words + field.column * RowBatch.capacity)
            case .key: next = key(text, at: place, of: field, into: words + field.column * RowBatch.capacity)
            case .text: next = known(text, at: place, of: field, into: words + field.column * RowBatch.capacity)
            default: break
            }
            if next < 0 || !isEnd(text, next) {
                next = other(text, from: place, to: end, of: field, into: words)
                if next < 0 { return end }
            }
            let byte = text[next]
            if index == last ? byte == delimiter : byte != delimiter {
                return endWrongShape(text, from: next, to: end, line: firstLine)
            }
            place = next + 1
            index += 1
        }
        rowsRead += 1
        // `place` is behind the last field's end: a line feed, or a carriage return before one.
        if text[place - 1] == 0x0d { place += 1 }
        line += 1
        if isRowWrong {
            endWrongRow(firstLine)
        } else if unitOffset >= 0, words[unitOffset] == unitNull {
            rowsWithoutUnit += 1
        } else {
            row += 1
            if row == RowBatch.capacity { flush() }
        }
        return place
    }

    private mutating func flush() {
        state.batch.count = row
        state.flush()
        row = 0
    }

    private mutating func endWrongRow(_ firstLine: Int) {
        let first = wrongCells[0]
        endWrongRow(line: firstLine, column: first, expected: state.intakes[first].expected)
    }

    private mutating func endWrongRow(line: Int, column: Int?, expected: String) {
        state.batch.count = row
        state.endWrongRow(line: line, column: column, expected: expected, wrongCells: wrongCells, &result)
        row = state.batch.count
        wrongCells.removeAll(keepingCapacity: true)
        isRowWrong = false
    }

    /// Too few or too many fields: skips the rest of the row.
    private mutating func endWrongShape(
        _ text: UnsafePointer<UInt8>, from: Int, to end: Int, line firstLine: Int
    ) -> Int {
        wrongCells.removeAll(keepingCapacity: true)
        var place = from
        while place < end, text[place] == delimiter {
            place = skipped(text, place + 1, end)
            if place < 0 { return end }
        }
        endWrongRow(line: firstLine, column: nil, expected: "\(fieldCount) fields")
        rowsRead += 1
        line += 1
        return text[place] == 0x0d ? place + 2 : place + 1
    }

    // MARK: Fields. Each returns the place of the delimiter or end of row behind it, or -1.

    /// A plain integer.
    @inline(__always)
    private func integer(_ text: UnsafePointer<UInt8>, _ start: Int, _ target: UnsafeMutablePointer<Int64>) -> Int {
        let word = DigitWord(text + start)
        guard !word.isAllDigits, word.digitBits > 0 else { return longInteger(text, start, target) }
        let bits = word.digitBits
        target.pointee = Int64(truncatingIfNeeded: word.value(bits))
        return start + Int(truncatingIfNeeded: bits &>> 3)
    }

    /// A plain integer without a leading zero: others are looked at closely, and counted.
    @inline(__always)
    private func number(_ text: UnsafePointer<UInt8>, _ start: Int, _ target: UnsafeMutablePointer<Int64>) -> Int {
        let first = text[start] == 0x2d ? start + 1 : start
        guard text[first] != 0x30 || text[first + 1] &- 0x30 > 9 else { return -1 }
        return integer(text, start, target)
    }

    /// The same within its range.
    @inline(__always)
    private func key(
        _ text: UnsafePointer<UInt8>, at start: Int, of field: Field, into target: UnsafeMutablePointer<Int64>
    ) -> Int {
        let next = number(text, start, target)
        return next >= 0 && field.range.contains(target.pointee) ? next : -1
    }

    /// An integer with a sign or of 8 to 15 digits.
    private func longInteger(
        _ text: UnsafePointer<UInt8>, _ start: Int, _ target: UnsafeMutablePointer<Int64>
    ) -> Int {
        let isNegative = text[start] == 0x2d
        let place = isNegative ? start + 1 : start
        guard let (magnitude, digits) = PlainNumber.digits(text + place) else { return -1 }
        let value = Int64(truncatingIfNeeded: magnitude)
        target.pointee = isNegative ? 0 &- value : value
        return place + digits
    }

    /// A plain decimal number.
    @inline(__always)
    private func real(_ text: UnsafePointer<UInt8>, _ start: Int, _ target: UnsafeMutablePointer<Int64>) -> Int {
        let word = DigitWord(text + start)
        guard !word.isAllDigits, word.digitBits > 0, let number = word.fraction(word.digitBits) else {
            return longReal(text, start, target)
        }
        let divisor = powersOfTen[Int(truncatingIfNeeded: number.fractionBits &>> 3)]
        let value = Double(Int64(truncatingIfNeeded: number.mantissa)) / divisor
        target.pointee = Int64(bitPattern: value.bitPattern)
        return start + Int(truncatingIfNeeded: number.lengthBits &>> 3)
    }

    /// A number with a sign, without a point, or of more than seven characters.
    private func longReal(_ text: UnsafePointer<UInt8>, _ start: Int, _ target: UnsafeMutablePointer<Int64>) -> Int {
        let isNegative = text[start] == 0x2d
        let place = isNegative ? start + 1 : start
        guard let number = PlainNumber(text + place) else { return scannedReal(text, start, target) }
        let value = (isNegative ? -number.value : number.value) + 0.0
        target.pointee = Int64(bitPattern: value.bitPattern)
        return place + number.length
    }

    private func scannedReal(_ text: UnsafePointer<UInt8>, _ start: Int, _ target: UnsafeMutablePointer<Int64>) -> Int {
        var scanner = DecimalScanner()
        // A line feed ends every number.
        let length = scanner.scan(text + start, end: Int.max)
        guard scanner.digits > 0, let value = scanner.value else { return -1 }
        target.pointee = Int64(bitPattern: (value + 0.0).bitPattern)
        return start + length
    }

    /// A plain text that was seen before.
    @inline(__always)
    private func known(
        _ text: UnsafePointer<UInt8>, at start: Int, of field: Field, into target: UnsafeMutablePointer<Int64>
    ) -> Int {
        guard let texts = field.texts, !hasQuote || text[start] != quote else { return -1 }
        let end = plainEnd(text, start)
        guard end > start else { return -1 }
        let bytes = UnsafeRawBufferPointer(start: text + start, count: end - start)
        guard let number = texts.pointee.find(bytes, TextInterner.hash(bytes)) else { return -1 }
        let entry = texts.pointee.entries[number]
        guard entry.isPlain, !hasNulls || !isNull(bytes) else { return -1 }
        target.pointee = Int64(entry.resolved)
        return end
    }

    @inline(__always)
    private func isEnd(_ text: UnsafePointer<UInt8>, _ place: Int) -> Bool {
        let byte = text[place]
        return byte == delimiter || byte == 0x0a || (byte == 0x0d && text[place + 1] == 0x0a)
    }

    /// Any field.
    private mutating func other(
        _ text: UnsafePointer<UInt8>, from start: Int, to end: Int, of field: Field,
        into words: UnsafeMutablePointer<Int64>
    ) -> Int {
        if hasQuote, text[start] == quote { return quoted(text, from: start, to: end, of: field, into: words) }
        let next = plainEnd(text, start)
        if next < 0 { return broken("a quote only around whole fields") }
        if field.kind != .skipped {
            let bytes = UnsafeRawBufferPointer(start: text + start, count: next - start)
            let intake = state.intakes[field.column]
            store(isNull(bytes) ? intake.null() : intake.accept(field: bytes, isQuoted: false), field, words)
        }
        return next
    }

    /// The end of an unquoted field; -1 where a quote is in it.
    @inline(__always)
    private func plainEnd(_ text: UnsafePointer<UInt8>, _ start: Int) -> Int {
        var place = start
        while true {
            let word = UInt64(littleEndian: UnsafeRawPointer(text + place).loadUnaligned(as: UInt64.self))
            let found = Self.zeros(word ^ delimiters) | Self.zeros(word ^ lineFeeds) | Self.zeros(word ^ quotes)
            if found != 0 {
                place += found.trailingZeroBitCount &>> 3
                break
            }
            place += 8
        }
        if hasQuote, text[place] == quote { return -1 }
        return text[place] == 0x0a && place > start && text[place - 1] == 0x0d ? place - 1 : place
    }

    /// The highest bit of each byte that is zero; the lowest bit of the result is right, those above it may not be.
    @inline(__always)
    private static func zeros(_ word: UInt64) -> UInt64 {
        (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
    }

    private mutating func quoted(
        _ text: UnsafePointer<UInt8>, from start: Int, to end: Int, of field: Field,
        into words: UnsafeMutablePointer<Int64>
    ) -> Int {
        unquoted.removeAll(keepingCapacity: true)
        var place = start + 1
        var runStart = place
        let firstLine = line
        while true {
            guard place < end else {
                line = firstLine
                return broken("a closing quote for the one that opens here")
            }
            let byte = text[place]
            if byte == 0x0a { line += 1 }
            if byte == quote {
                unquoted.append(contentsOf: UnsafeBufferPointer(start: text + runStart, count: place - runStart))
                guard place + 1 < end, text[place + 1] == quote else { break }
                unquoted.append(quote)
                place += 1
                runStart = place + 1
            }
            place += 1
        }
        place += 1
        guard place < end, isEnd(text, place) else { return broken("a delimiter or the end of the row behind a quote") }
        if field.kind != .skipped {
            let word = unquoted.withUnsafeBytes { state.intakes[field.column].accept(field: $0, isQuoted: true) }
            store(word, field, words)
        }
        return place
    }

    /// Goes over a field that has no place.
    private mutating func skipped(_ text: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        other(text, from: start, to: end, of: Field(kind: .skipped, column: 0), into: state.batch.words)
    }

    private mutating func store(_ word: Int64?, _ field: Field, _ words: UnsafeMutablePointer<Int64>) {
        if let word {
            words[field.column * RowBatch.capacity] = word
        } else {
            wrongCells.append(field.column)
            isRowWrong = true
        }
    }

    private func isNull(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if bytes.isEmpty { return emptyIsNull }
        return nulls.contains { $0.count == bytes.count && $0.elementsEqual(bytes) }
    }

    /// The file's structure is wrong: where rows begin is not known any more.
    private mutating func broken(_ expected: String) -> Int {
        result.isBroken = true
        wrongCells.removeAll(keepingCapacity: true)
        result.wrong.append(RowError(line: line, column: nil, expected: expected))
        return -1
    }
}
