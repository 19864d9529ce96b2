import Foundation
import Tables

/// A file's contents as blocks of whole rows.
struct BlockReader {
    /// A row longer than this is refused: it is an open quote.
    static let longestRow = 64 << 20
    /// A header longer than this is refused: it is an open quote, or no header.
    static let longestHeader = 1 << 20

    let rowFormat: RowFormat
    let headerLines: Int
    private var stream: TextStream
    private let quote: UInt8?
    private let blockBytes: Int
    /// What was read behind the last whole row.
    private var rest: [UInt8] = []

    /// - Parameter file: nil: what is appended is all there is.
    init(file: String?, schema: Schema, options: IngestOptions) throws {
        blockBytes = max(options.blockBytes, 1 << 10)
        var options = options
        if let file {
            stream = try TextStream(file: file, encoding: options.form.encoding, options: options)
        } else {
            stream = TextStream(options.appended?.table ?? [])
            options.format = .csv(CSVFormat())
        }
        let buffer = BlockBuffer()
        var wanted = Swift.min(blockBytes, Self.longestHeader)
        try stream.fill(buffer, to: wanted)
        guard buffer.count > 0 else { throw IngestError.emptyFile }
        let format = try Self.format(file ?? "", buffer, options)
        if case .csv(let csv) = format {
            while !stream.isAtEnd, Self.rowEnd(in: buffer, quote: csv.quote) == nil {
                guard wanted < Self.longestHeader else { throw IngestError.rowTooLong(line: 1) }
                wanted *= 2
                try stream.fill(buffer, to: wanted)
            }
        }
        rest = buffer.contents(0..<buffer.count)
        switch format {
        case .ndjson:
            rowFormat = .ndjson(NDJSONLayout(schema: schema, ignored: options.form.ignored))
            headerLines = 0
            quote = nil
            if rest.starts(with: [0xef, 0xbb, 0xbf]) { rest.removeFirst(3) }
        case .csv(let csv), .byName(let csv):
            let found = try Self.layout(rest, as: csv, schema: schema, ignored: options.form.ignored)
            rowFormat = .csv(found.layout)
            headerLines = found.headerLines
            rest.removeFirst(found.headerBytes)
            quote = csv.quote
        }
    }

    /// The first characters of a file, without a byte order mark, and its format.
    static func beginning(
        of file: String, bytes: Int, options: IngestOptions
    ) throws -> (text: [UInt8], format: IngestOptions.Format, isWhole: Bool) {
        var stream = try TextStream(file: file, encoding: options.form.encoding, options: options)
        let buffer = BlockBuffer()
        try stream.fill(buffer, to: bytes)
        let text = buffer.contents(0..<buffer.count)
        let format = try format(file, buffer, options)
        return (text.starts(with: [0xef, 0xbb, 0xbf]) ? Array(text.dropFirst(3)) : text, format, stream.isAtEnd)
    }

    private static func format(
        _ file: String, _ buffer: BlockBuffer, _ options: IngestOptions
    ) throws -> IngestOptions.Format {
        let start = buffer.contents(0..<Swift.min(buffer.count, 1 << 16))
        return try start.withUnsafeBytes { try FileForm.format(file, $0, options.format) }
    }

    private static func layout(
        _ start: [UInt8], as format: CSVFormat, schema: Schema, ignored: IgnoredColumns
    ) throws(IngestError) -> (layout: CSVLayout, headerBytes: Int, headerLines: Int) {
        do throws(RowError) {
            var names: Set<String> = []
            if case .named(let ignored) = ignored { names = ignored }
            return try CSVLayout.reading(ColumnBytes(start), format: format, schema: schema, ignored: names)
        } catch {
            throw .wrongRow(error)
        }
    }

    /// The part of the file that was read.
    var fraction: Double { stream.fraction }

    /// Reads the next whole rows into the buffer; nil at the end. A row that is too long is told without its line.
    mutating func next(into buffer: BlockBuffer) throws -> Range<Int>? {
        buffer.fill(with: rest)
        var wanted = blockBytes
        while true {
            try stream.fill(buffer, to: wanted)
            guard buffer.count > 0 else { return nil }
            if stream.isAtEnd {
                rest = []
                buffer.endLine()
                return 0..<buffer.count
            }
            if let end = Self.rowEnd(in: buffer, quote: quote) {
                rest = buffer.contents(end..<buffer.count)
                return 0..<end
            }
            guard wanted < Self.longestRow else { throw IngestError.rowTooLong(line: 0) }
            wanted *= 2
        }
    }

    /// Where the last whole row ends; nil if none does.
    private static func rowEnd(in buffer: BlockBuffer, quote: UInt8?) -> Int? {
        buffer.bytes.withBytes { bytes in
            RowBoundary.last(in: UnsafeRawBufferPointer(rebasing: bytes[..<buffer.count]), quote: quote)
        }
    }
}
