/// How a file of separated values is written (RFC 4180, with any delimiter; rows end with LF or CRLF).
public struct CSVFormat: Sendable, Hashable {
    /// The byte between two fields.
    public var delimiter: UInt8
    /// nil: quotes are ordinary characters.
    public var quote: UInt8?
    /// Whether the first row holds the columns' names.
    public var hasHeader: Bool
    /// Texts that stand for null where they are a whole, unquoted field. A quoted field is never null.
    public var nulls: Set<String>

    /// A format; without arguments RFC 4180 with a header, in which an empty field is null.
    public init(
        delimiter: UInt8 = UInt8(ascii: ","), quote: UInt8? = UInt8(ascii: "\""), hasHeader: Bool = true,
        nulls: Set<String> = [""]
    ) {
        self.delimiter = delimiter
        self.quote = quote
        self.hasHeader = hasHeader
        self.nulls = nulls
    }
}

/// A format together with where a plan's columns are in each row.
public struct CSVLayout: Sendable, Hashable {
    /// How the file is written.
    public var format: CSVFormat
    /// For each field of a row, the schema's column that it fills, or nil for one that is not loaded.
    public var columns: [Int?]

    /// A format with the place of each field.
    public init(format: CSVFormat, columns: [Int?]) {
        self.format = format
        self.columns = columns
    }

    /// Reads the header, if the format has one, and finds the schema's columns by name (exactly, else regardless of ASCII
    /// case); without a header, fields are the schema's columns in order. Returns the bytes that the header took, with a
    /// byte order mark.
    ///
    /// - Parameter ignored: Names that are no column's, unless it is spelt just so.
    public static func reading(
        _ start: ColumnBytes, format: CSVFormat, schema: Schema, ignored: Set<String> = []
    ) throws(RowError) -> (layout: CSVLayout, headerBytes: Int, headerLines: Int) {
        try start.withBytes { bytes throws(RowError) in
            try reading(bytes, format: format, schema: schema, ignored: ignored)
        }
    }

    private static func reading(
        _ start: UnsafeRawBufferPointer, format: CSVFormat, schema: Schema, ignored: Set<String>
    ) throws(RowError) -> (layout: CSVLayout, headerBytes: Int, headerLines: Int) {
        let mark = start.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        guard format.hasHeader else {
            return (CSVLayout(format: format, columns: schema.columns.indices.map { $0 }), mark, 0)
        }
        let text = UnsafeRawBufferPointer(rebasing: start[mark...])
        guard let header = CSVHeader(text, format) else {
            throw RowError(line: 1, column: nil, expected: "a header with the columns' names")
        }
        let names = ignored.contains("") ? header.names(withRowNames: text, format) : header.names
        var columns = [Int?](repeating: nil, count: names.count)
        // A header may have any number of names.
        let exactly = Dictionary(grouping: names.indices) { names[$0] }
        let folded = Dictionary(grouping: names.indices.filter { !ignored.contains(names[$0]) }) {
            names[$0].lowercased()
        }
        for (index, column) in schema.columns.enumerated() {
            let exact = exactly[column.name] ?? []
            let places = exact.isEmpty ? folded[column.name.lowercased()] ?? [] : exact
            guard let place = places.first, columns[place] == nil else {
                throw RowError(line: 1, column: column.name, expected: "a header that names this column")
            }
            guard places.count == 1 else {
                let expected =
                    exact.isEmpty
                    ? "a header that names this column once; cells \(places.map { "\($0 + 1)" }.joined(separator: " and ")) "
                        + "do, but for capitals: spell the name as the file does, and list the others under `ignore`"
                    : "a header that names this column once"
                throw RowError(line: 1, column: column.name, expected: expected)
            }
            columns[place] = index
        }
        return (CSVLayout(format: format, columns: columns), mark + header.bytes, header.lines)
    }
}

/// The names in a file's first row.
public struct CSVHeader {
    /// The names, in order.
    public let names: [String]
    /// The bytes of the row with its end.
    public let bytes: Int
    /// The lines that it takes.
    public let lines: Int

    /// Reads the first row; nil where there is none.
    public init?(_ start: UnsafeRawBufferPointer, _ format: CSVFormat) {
        var names: [String] = []
        var field: [UInt8] = []
        var place = 0
        var lines = 0
        var isQuoted = false
        var isDone = false
        while place < start.count, !isDone {
            let byte = start[place]
            place += 1
            if byte == 0x0a { lines += 1 }
            if byte == format.quote {
                if isQuoted, place < start.count, start[place] == byte {
                    field.append(byte)
                    place += 1
                } else {
                    isQuoted.toggle()
                }
            } else if !isQuoted, byte == format.delimiter || byte == 0x0a {
                if byte == 0x0a, field.last == 0x0d { field.removeLast() }
                names.append(String(decoding: field, as: UTF8.self))
                field = []
                isDone = byte == 0x0a
            } else {
                field.append(byte)
            }
        }
        if !isDone { names.append(String(decoding: field, as: UTF8.self)) }
        guard names != [""] else { return nil }
        self.names = names
        bytes = place
        self.lines = max(lines, 1)
    }

    /// The names with an empty one before them, if the next row has one field more: R writes the names of a table's rows
    /// and no name for them. Not where that row only ends with a delimiter.
    public func names(withRowNames start: UnsafeRawBufferPointer, _ format: CSVFormat) -> [String] {
        var place = bytes
        while place < start.count, start[place] == 0x0a || start[place] == 0x0d { place += 1 }
        let row = CSVHeader(UnsafeRawBufferPointer(rebasing: start[place...]), format)
        guard let row, row.names.count == names.count + 1, row.names.last != "" else { return names }
        return [""] + names
    }
}

/// Where files can be cut without cutting a row.
public enum RowBoundary {
    /// The end of the last whole row in bytes that begin with a row; nil where there is none. A quote inside quotes is
    /// doubled, so that the parity of quotes tells what is inside.
    public static func last(in bytes: UnsafeRawBufferPointer, quote: UInt8?) -> Int? {
        var isInside = quote.map { parity(of: $0, in: bytes) } ?? false
        var place = bytes.count
        while place > 0 {
            let byte = bytes[place - 1]
            if byte == quote {
                isInside.toggle()
            } else if byte == 0x0a, !isInside {
                return place
            }
            place -= 1
        }
        return nil
    }

    /// Eight bytes at a time: each byte that equals `wanted` leaves one bit. Whether their number is odd is all that is
    /// asked, so words are added without carries.
    private static func parity(of wanted: UInt8, in bytes: UnsafeRawBufferPointer) -> Bool {
        let pattern = UInt64(wanted) &* 0x0101_0101_0101_0101
        let low: UInt64 = 0x7f7f_7f7f_7f7f_7f7f
        var bits: UInt64 = 0
        let words = bytes.count / 8
        if let base = bytes.baseAddress {
            for word in 0..<words {
                let difference = base.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self) ^ pattern
                bits ^= ~((difference & low) &+ low | difference | low)
            }
        }
        var isOdd = bits.nonzeroBitCount % 2 == 1
        for place in words * 8..<bytes.count where bytes[place] == wanted { isOdd.toggle() }
        return isOdd
    }
}
