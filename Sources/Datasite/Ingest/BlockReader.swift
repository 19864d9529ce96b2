import Foundation
import Tables

/// A file's contents as blocks of whole rows, inflated where they are gzip (RFC 1952; told by its first bytes).
struct BlockReader {
    private enum Source {
        case plain(FileHandleReader)
        case gzip(GzipReader)
    }

    /// A row longer than this is refused: it is an open quote.
    static let longestRow = 64 << 20
    /// A header longer than this is refused: it is an open quote, or no header.
    static let longestHeader = 1 << 20

    let rowFormat: RowFormat
    let headerLines: Int
    private var source: Source
    private let quote: UInt8?
    private let blockBytes: Int
    private let fileBytes: Int
    /// What was read behind the last whole row.
    private var rest: [UInt8] = []
    private var isAtEnd = false

    init(file: String, schema: Schema, options: IngestOptions) throws {
        let reader = try FileHandleReader(path: file)
        fileBytes = max(reader.size, 1)
        blockBytes = max(options.blockBytes, 1 << 10)
        source = try Self.open(reader, options)
        let buffer = BlockBuffer()
        var wanted = Swift.min(blockBytes, Self.longestHeader)
        try Self.fill(buffer, to: wanted, &source, &isAtEnd)
        guard buffer.count > 0 else { throw IngestError.emptyFile }
        let format = Self.format(file, options.format)
        if case .csv(let csv) = format {
            while !isAtEnd, Self.rowEnd(in: buffer, quote: csv.quote) == nil {
                guard wanted < Self.longestHeader else { throw IngestError.rowTooLong(line: 1) }
                wanted *= 2
                try Self.fill(buffer, to: wanted, &source, &isAtEnd)
            }
        }
        rest = buffer.contents(0..<buffer.count)
        switch format {
        case .ndjson:
            rowFormat = .ndjson(NDJSONLayout(schema: schema))
            headerLines = 0
            quote = nil
            if rest.starts(with: [0xef, 0xbb, 0xbf]) { rest.removeFirst(3) }
        case .csv(let csv), .byName(let csv):
            let found = try Self.layout(rest, csv, schema)
            rowFormat = .csv(found.layout)
            headerLines = found.headerLines
            rest.removeFirst(found.headerBytes)
            quote = csv.quote
        }
    }

    /// The first bytes of a file, inflated where they are gzip.
    static func beginning(of file: String, bytes: Int) throws -> [UInt8] {
        var source = try open(FileHandleReader(path: file), IngestOptions())
        let buffer = BlockBuffer()
        var isAtEnd = false
        try fill(buffer, to: bytes, &source, &isAtEnd)
        return buffer.contents(0..<buffer.count)
    }

    private static func open(_ reader: FileHandleReader, _ options: IngestOptions) throws -> Source {
        try reader.startsWith([0x1f, 0x8b])
            ? .gzip(GzipReader(reader, harmlessBytes: options.inflatedBytes)) : .plain(reader)
    }

    private static func layout(
        _ start: [UInt8], _ format: CSVFormat, _ schema: Schema
    ) throws(IngestError) -> (layout: CSVLayout, headerBytes: Int, headerLines: Int) {
        do throws(RowError) {
            return try CSVLayout.reading(ColumnBytes(start), format: format, schema: schema)
        } catch {
            throw .wrongRow(error)
        }
    }

    /// The format that a file's name tells.
    static func format(_ file: String, _ declared: IngestOptions.Format) -> IngestOptions.Format {
        guard case .byName(var csv) = declared else { return declared }
        var name = file.lowercased()
        if name.hasSuffix(".gz") { name.removeLast(3) }
        if name.hasSuffix(".ndjson") || name.hasSuffix(".jsonl") { return .ndjson }
        if name.hasSuffix(".tsv") || name.hasSuffix(".tab") { csv.delimiter = 0x09 }
        return .csv(csv)
    }

    /// The part of the file that was read.
    var fraction: Double {
        switch source {
        case .plain(let reader): Double(reader.position) / Double(fileBytes)
        case .gzip(let reader): Double(reader.position) / Double(fileBytes)
        }
    }

    /// Reads the next whole rows into the buffer; nil at the end. A row that is too long is told without its line.
    mutating func next(into buffer: BlockBuffer) throws -> Range<Int>? {
        buffer.fill(with: rest)
        var wanted = blockBytes
        while true {
            try Self.fill(buffer, to: wanted, &source, &isAtEnd)
            guard buffer.count > 0 else { return nil }
            if isAtEnd {
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

    private static func fill(
        _ buffer: BlockBuffer, to count: Int, _ source: inout Source, _ isAtEnd: inout Bool
    ) throws {
        while buffer.count < count, !isAtEnd {
            let got: Int
            switch source {
            case .plain(var reader):
                got = try buffer.append(count - buffer.count) { try reader.read(into: $0) }
                source = .plain(reader)
            case .gzip(let reader): got = try buffer.append(count - buffer.count) { try reader.read(into: $0) }
            }
            isAtEnd = got == 0
        }
    }
}
