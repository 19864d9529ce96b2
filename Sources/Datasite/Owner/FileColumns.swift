import DatasiteProtocol
import Foundation
import Governance
import Tables

/// The columns of a file against those of a manifest: what is in the file and neither declared nor ignored is refused, so
/// that a misspelt name is noticed.
///
/// A first line that is no header is a person's record: nothing of it is shown, neither in a draft nor in an error.
enum FileColumns {
    static func check(_ file: String, against document: ManifestDocument) throws {
        if let parquet = try parquet(file) { return try check(parquet.columns.map(\.name), against: document) }
        guard let format = csvFormat(file) else { return }
        let names = try header(try beginning(of: file, bytes: 1 << 20), format)
        // An empty file has an error of its own.
        guard !names.isEmpty else { return }
        let declared = Set(document.manifest.schema.columns.map { $0.name.lowercased() })
        guard names.contains(where: { declared.contains($0.lowercased()) }) else {
            throw Problem.invalidData(
                "line 1 names none of the manifest's columns",
                hint: otherSeparator(names).map(separatorHint)
                    ?? "the first line must hold the columns' names, separated by commas (tabulators in .tsv)")
        }
        // What names every declared column is a header, whatever else it names. What does not may be a row.
        let named = Set(names.map { $0.lowercased() })
        let missing = document.manifest.schema.columns.map(\.name).filter { !named.contains($0.lowercased()) }
        guard missing.isEmpty else {
            try refuseValues(names)
            throw Problem.invalidData(
                "columns of the manifest are missing in line 1: \(missing.prefix(5).joined(separator: ", "))",
                hint: "is a name misspelt? What else stands there is not shown, since it may be a row's")
        }
        try refuseExtra(names, declared, document)
    }

    /// The columns of a file that says which it has.
    private static func check(_ names: [String], against document: ManifestDocument) throws {
        let declared = document.manifest.schema.columns.map(\.name)
        let named = Set(names.map { $0.lowercased() })
        let missing = declared.filter { !named.contains($0.lowercased()) }
        guard missing.isEmpty else {
            throw Problem.invalidData(
                "columns of the manifest are missing in the file: \(missing.prefix(5).joined(separator: ", "))",
                hint: "is a name misspelt? `parley data describe` shows the file's")
        }
        try refuseExtra(names, Set(declared.map { $0.lowercased() }), document)
    }

    private static func refuseExtra(_ names: [String], _ declared: Set<String>, _ document: ManifestDocument) throws {
        guard case .named(let ignored) = document.ignored else { return }
        let extra = names.filter { !declared.contains($0.lowercased()) && !ignored.contains($0) }
        guard extra.isEmpty else {
            throw Problem.invalidManifest(
                "the file has columns that the manifest does not declare: \(extra.prefix(5).joined(separator: ", "))",
                hint: "declare them, or list them under `ignore` (or say `ignore: rest`)")
        }
    }

    /// The file's footer, if it is a Parquet file.
    static func parquet(_ file: String) throws -> ParquetFile? {
        do { return try ParquetInput.open(file) } catch let error as IngestError {
            throw Problem.invalidData("\(error)")
        }
    }

    /// The cells of the first line of a file's beginning, which must be text with line feeds.
    static func header(_ beginning: [UInt8], _ format: CSVFormat) throws -> [String] {
        let header = beginning.withUnsafeBytes { CSVHeader($0, format) }
        guard let header else { return [] }
        try requireText(Array(beginning.prefix(header.bytes)), isCut: header.bytes == beginning.count)
        let names = header.names
        if names.contains(where: { $0.contains("\r") }) {
            throw Problem.invalidData(
                "the file's lines end with carriage returns alone", hint: "save it with line feeds (Unix or Windows)")
        }
        return names
    }

    /// Refuses what is not UTF-8 text: an archive, an image, numbers in binary.
    ///
    /// - Parameter isCut: Whether the bytes may end inside a character.
    static func requireText(_ bytes: [UInt8], isCut: Bool = false) throws {
        // A character has at most four bytes, all but the first of the form 10xxxxxx.
        let tail = isCut ? bytes.suffix(3).lastIndex { $0 >= 0xc0 } : nil
        let whole = tail.map { bytes[..<$0] } ?? bytes[...]
        guard !bytes.contains(0), String(validating: whole, as: UTF8.self) != nil else {
            let isUTF16 = bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff])
            let hint =
                if isUTF16 {
                    "save it as UTF-8 (it looks like UTF-16)"
                } else if ParquetFile.isParquet(start: Array(bytes.prefix(5))) {
                    "it is a Parquet file within gzip: inflate it first (gunzip)"
                } else {
                    "tables are CSV, TSV (.tsv) or JSON lines (.ndjson) in UTF-8, plain or gzipped, or Parquet: save it as one of these"
                }
            throw Problem.invalidData("the file is not UTF-8 text", hint: hint)
        }
    }

    /// Refuses a first line that looks like a row: its cells may be a person's, so only their places are told.
    static func refuseValues(_ names: [String]) throws {
        var seen: Set<String> = []
        for (index, name) in names.enumerated() {
            let plain = name.trimmingCharacters(in: .whitespaces)
            let reason: String? =
                if plain.isEmpty { "is empty" } else if isValue(plain) {
                    "is a number or a date"
                } else if !seen.insert(plain.lowercased()).inserted { "occurs twice" } else { nil }
            if let reason { throw noHeader("its cell \(index + 1) \(reason)") }
        }
        if let separator = otherSeparator(names), names.count == 1 {
            throw Problem.invalidData("line 1 names a single column", hint: separatorHint(separator))
        }
    }

    static func noHeader(_ reason: String) -> Problem {
        .invalidData(
            "line 1 looks like a row, not like the columns' names: \(reason)",
            hint: "add a first line that names each column, once, by a word")
    }

    /// Whether a cell is a number or a time, however it is written: it has a digit, and no letter but those of an
    /// exponent or a timestamp.
    private static func isValue(_ cell: String) -> Bool {
        guard cell.utf8.contains(where: { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return false }
        return !cell.contains { $0.isLetter || $0 == "_" } || Double(cell) != nil || Timestamp.seconds(cell[...]) != nil
    }

    private static func otherSeparator(_ names: [String]) -> String? {
        [";": "semicolons", "\t": "tabulators", "|": "bars"].first { names.joined().contains($0.key) }?.value
    }

    private static func separatorHint(_ separator: String) -> String {
        "values are separated by commas (tabulators in .tsv), and these seem to be by \(separator)"
    }

    /// How a file of separated values is read; nil for JSON lines. By its name, as loading it does.
    static func csvFormat(_ file: String) -> CSVFormat? {
        switch BlockReader.format(file, .byName(CSVFormat())) {
        case .csv(let format), .byName(let format): format
        case .ndjson: nil
        }
    }

    /// The first bytes of a file, inflated if need be, without a byte order mark.
    static func beginning(of file: String, bytes: Int) throws -> [UInt8] {
        do {
            let start = try BlockReader.beginning(of: file, bytes: bytes)
            return start.starts(with: [0xef, 0xbb, 0xbf]) ? Array(start.dropFirst(3)) : start
        } catch let error as IngestError {
            throw Problem.invalidData("\(error)")
        }
    }
}
