import DatasiteProtocol
import Tables

/// How a file is read, as its manifest says or as it shows.
struct FileForm: Sendable, Hashable {
    var encoding: TextEncoding?
    /// Which of the file's columns may be left out of the manifest.
    var ignored = IgnoredColumns.named([])

    /// Whether the column of row names that R writes, without a name of its own, is left out.
    var ignoresRowNames: Bool { if case .named(let names) = ignored { names.contains("") } else { false } }

    /// What a file's name and beginning (as UTF-8) tell of its format. One rule for drafting and for loading, so that
    /// both read alike.
    ///
    /// - Throws: `IngestError.isArray` for a JSON document, which is no table of lines.
    static func format(
        _ file: String, _ beginning: UnsafeRawBufferPointer, _ declared: IngestOptions.Format
    ) throws(IngestError) -> IngestOptions.Format {
        guard case .byName(var csv) = declared else { return declared }
        let text = beginning.starts(with: [0xef, 0xbb, 0xbf]) ? beginning.dropFirst(3) : beginning[...]
        let first = text.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
        var name = file.lowercased()
        if name.hasSuffix(".gz") { name.removeLast(3) }
        if first == UInt8(ascii: "["), [".json", ".ndjson", ".jsonl"].contains(where: name.hasSuffix) {
            throw .isArray
        }
        // Lines of JSON under another name: read as values that commas separate, they would put a row into a header.
        if [".ndjson", ".jsonl", ".json"].contains(where: name.hasSuffix) || first == UInt8(ascii: "{") {
            return .ndjson
        }
        if name.hasSuffix(".tsv") || name.hasSuffix(".tab") {
            csv.delimiter = 0x09
        } else if csv == CSVFormat() {
            csv.delimiter = delimiter(of: UnsafeRawBufferPointer(rebasing: text), csv)
        }
        return .csv(csv)
    }

    /// Which of comma, semicolon, tab and bar separates values: the one by which most of the first rows have as many
    /// fields as the header, and more than one field; of equally good ones the first.
    private static func delimiter(of text: UnsafeRawBufferPointer, _ format: CSVFormat) -> UInt8 {
        var best = (delimiter: format.delimiter, agreeing: 0)
        for delimiter in [",", ";", "\t", "|"].compactMap({ $0.utf8.first }) {
            var format = format
            format.delimiter = delimiter
            guard let header = CSVHeader(text, format), header.names.count > 1 else { continue }
            var agreeing = 1
            var place = header.bytes
            for _ in 0..<20 {
                guard place < text.count,
                    let row = CSVHeader(UnsafeRawBufferPointer(rebasing: text[place...]), format)
                else { break }
                place += row.bytes
                // R leaves the first column's name out of the header.
                if row.names.count == header.names.count || row.names.count == header.names.count + 1 { agreeing += 1 }
            }
            if agreeing > best.agreeing { best = (delimiter, agreeing) }
        }
        return best.delimiter
    }
}
