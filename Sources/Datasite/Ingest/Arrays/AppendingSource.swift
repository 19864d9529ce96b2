import Synchronization
import Tables

/// Fields that each row of a file gets behind its own.
struct AppendedFields: Sendable {
    /// How many rows were given theirs.
    final class Given: Sendable {
        private let rows = Mutex(0)

        var count: Int { rows.withLock { $0 } }
        func set(_ count: Int) { rows.withLock { $0 = count } }
    }

    let names: [String]
    let rows: Int
    /// For each name one text a row.
    let texts: [[String]]
    let given = Given()

    /// A whole table of these alone, as CSV.
    var table: [UInt8] {
        var text = names.map(Self.quoted).joined(separator: ",") + "\n"
        for row in 0..<rows { text += texts.map { $0[row] }.joined(separator: ",") + "\n" }
        return Array(text.utf8)
    }

    /// Of CSV what stands behind a row's last field; of the header the names.
    func separated(row: Int?, by delimiter: UInt8) -> [UInt8] {
        let fields = row.map { row in texts.map { $0[row] } } ?? names.map(Self.quoted)
        return Array(fields.map { [delimiter] + Array($0.utf8) }.joined())
    }

    /// Of JSON what stands behind a row's opening brace.
    func members(row: Int) -> [UInt8] {
        Array(zip(names, texts).map { "\(Self.json($0)):\(Self.json($1[row]))," }.joined().utf8)
    }

    private static func quoted(_ text: String) -> String { "\"\(text.replacing("\"", with: "\"\""))\"" }

    private static func json(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar in
            if scalar == "\"" || scalar == "\\" { return "\\\(scalar)" }
            guard scalar.value < 0x20 else { return String(scalar) }
            return "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
        }
        return "\"\(escaped.joined())\""
    }
}

/// Bytes in memory.
final class BytesSource: ByteSource {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func read(into target: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(target.count, bytes.count - position)
        target.copyBytes(from: bytes[position..<position + count])
        position += count
        return count
    }
}

/// A text's rows, each with fields more.
final class AppendingSource: ByteSource {
    private let source: any ByteSource
    private let fields: AppendedFields
    private let format: IngestOptions.Format
    private var isAtEnd = false
    private var output: [UInt8] = []
    private var given = 0
    /// The next row; nil: the header.
    private var row: Int?
    private var isInsideQuotes = false
    private var isRowBegun = false
    /// Before what may be a byte order mark has ended.
    private var isAtStart = true
    /// A carriage return outside quotes, which may belong to the line's end.
    private var hasReturn = false

    /// - Parameters:
    ///   - start: What was read from the source before.
    ///   - format: CSV or NDJSON, as it is read.
    init(_ source: any ByteSource, start: [UInt8], format: IngestOptions.Format, _ fields: AppendedFields) throws {
        (self.source, self.format, self.fields) = (source, format, fields)
        if case .ndjson = format { row = 0 }
        try take(start[...])
    }

    var position: Int { source.position }

    func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        while given == output.count, !isAtEnd {
            output.removeAll(keepingCapacity: true)
            given = 0
            var block = [UInt8](repeating: 0, count: 1 << 16)
            let count = try block.withUnsafeMutableBytes { try source.read(into: $0) }
            if count == 0 {
                isAtEnd = true
                try endRow()
            } else {
                try take(block[..<count])
            }
        }
        let count = min(target.count, output.count - given)
        target.copyBytes(from: output[given..<given + count])
        given += count
        return count
    }

    private func take(_ bytes: ArraySlice<UInt8>) throws {
        switch format {
        case .ndjson: for byte in bytes { try takeObject(byte) }
        case .csv(let csv), .byName(let csv): for byte in bytes { try takeField(byte, csv.quote) }
        }
    }

    private func takeField(_ byte: UInt8, _ quote: UInt8?) throws {
        if byte == 0x0A, !isInsideQuotes {
            try endRow()
            output.append(byte)
            return
        }
        flushReturn()
        if byte == 0x0D, !isInsideQuotes {
            hasReturn = true
            return
        }
        if byte == quote { isInsideQuotes.toggle() }
        isRowBegun = true
        output.append(byte)
    }

    private func endRow() throws {
        if isRowBegun, case .csv(let csv) = format {
            let row = try next()
            fields.given.set((row ?? -1) + 1)
            output += fields.separated(row: row, by: csv.delimiter)
            isRowBegun = false
        }
        flushReturn()
    }

    private func flushReturn() {
        if hasReturn { output.append(0x0D) }
        hasReturn = false
    }

    /// Whatever stands in a line that is not empty, it is a row: one that is no object is wrong, and none behind it is another.
    private func takeObject(_ byte: UInt8) throws {
        output.append(byte)
        if byte == 0x0A { isRowBegun = false }
        let isMark = isAtStart && [0xEF, 0xBB, 0xBF].contains(byte)
        if !isMark { isAtStart = false }
        let isSpace = [0x20, 0x09, 0x0A, 0x0D].contains(byte) || isMark
        guard !isRowBegun, !isSpace else { return }
        isRowBegun = true
        guard let row = try next() else { return }
        fields.given.set(row + 1)
        if byte == UInt8(ascii: "{") { output += fields.members(row: row) }
    }

    /// The row that ends or begins; nil: the header.
    private func next() throws -> Int? {
        let ended = row
        row = (row ?? -1) + 1
        if let ended, ended >= fields.rows { throw IngestError.rowsDiffer(arrays: fields.rows, table: nil) }
        return ended
    }
}
