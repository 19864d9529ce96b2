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

    let rowFormat: RowFormat
    let headerLines: Int
    private var source: Source
    private let quote: UInt8?
    private let blockBytes: Int
    private let fileBytes: Int
    /// What was read behind the last whole row.
    private var rest: [UInt8]
    private var isAtEnd = false

    init(file: String, schema: Schema, options: IngestOptions) throws {
        let reader = try FileHandleReader(path: file)
        fileBytes = max(reader.size, 1)
        blockBytes = max(options.blockBytes, 1 << 10)
        source = try reader.startsWith([0x1f, 0x8b]) ? .gzip(GzipReader(reader)) : .plain(reader)
        rest = []
        try Self.fill(&rest, to: Swift.min(blockBytes, 1 << 20), &source, &isAtEnd)
        guard !rest.isEmpty else { throw IngestError.emptyFile }
        switch Self.format(file, options.format) {
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

    /// The next whole rows; nil at the end. `line`: where they start, for an error.
    mutating func next(line: Int) throws -> ColumnBytes? {
        var wanted = blockBytes
        while true {
            try Self.fill(&rest, to: wanted, &source, &isAtEnd)
            guard !rest.isEmpty else { return nil }
            if isAtEnd, rest.count < wanted {
                let block = ColumnBytes(rest)
                rest = []
                return block
            }
            if let end = rest.withUnsafeBytes({ RowBoundary.last(in: $0, quote: quote) }) {
                let block = rest.withUnsafeBytes { ColumnBytes(copying: UnsafeRawBufferPointer(rebasing: $0[..<end])) }
                rest.removeFirst(end)
                return block
            }
            guard wanted < Self.longestRow else { throw IngestError.rowTooLong(line: line) }
            wanted *= 2
        }
    }

    private static func fill(
        _ buffer: inout [UInt8], to count: Int, _ source: inout Source, _ isAtEnd: inout Bool
    ) throws {
        while buffer.count < count, !isAtEnd {
            let missing = count - buffer.count
            switch source {
            case .plain(var reader):
                isAtEnd = try reader.read(missing, into: &buffer) == 0
                source = .plain(reader)
            case .gzip(let reader): isAtEnd = try reader.read(missing, into: &buffer) == 0
            }
        }
    }
}
