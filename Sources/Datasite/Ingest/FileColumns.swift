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
        let start = try beginning(of: file, bytes: 1 << 20, document.form)
        guard case .csv(let format) = start.format else { return }
        let names = try header(start.text, format, namesRows: document.form.ignoresRowNames)
        // An empty file has an error of its own.
        guard !names.isEmpty else { return }
        let declared = Set(document.manifest.schema.columns.map { $0.name.lowercased() })
        guard names.contains(where: { declared.contains($0.lowercased()) }) else {
            throw Problem.invalidData(
                "line 1 names none of the manifest's columns",
                hint: "the first line must hold the columns' names, separated by commas, semicolons, tabs or bars"
            )
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
        guard case .named(let ignored) = document.form.ignored else { return }
        // A name that is spelt as a column's is that column, else the first that differs from it in case alone; another is none.
        let spelt = Set(document.manifest.schema.columns.map(\.name)).intersection(names)
        var unfound = declared.subtracting(spelt.map { $0.lowercased() })
        let extra = names.filter {
            !spelt.contains($0) && !ignored.contains($0) && unfound.remove($0.lowercased()) == nil
        }
        .map { $0.isEmpty ? "one without a name, \"\"" : $0 }
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
    ///
    /// - Parameter namesRows: Whether an empty name is put before them where rows have one field more.
    static func header(_ beginning: [UInt8], _ format: CSVFormat, namesRows: Bool = false) throws -> [String] {
        let header = beginning.withUnsafeBytes { CSVHeader($0, format) }
        guard let header else { return [] }
        try requireText(Array(beginning.prefix(header.bytes)), isCut: header.bytes == beginning.count)
        return namesRows ? beginning.withUnsafeBytes { header.names(withRowNames: $0, format) } : header.names
    }

    /// Refuses what is not UTF-8 text: an archive, an image, numbers in binary.
    ///
    /// - Parameter isCut: Whether the bytes may end inside a character.
    static func requireText(_ bytes: [UInt8], isCut: Bool = false) throws {
        guard !isText(bytes, isCut: isCut) else { return }
        let hint =
            if isWestern(bytes, isCut: isCut) {
                "if it is Windows-1252 or Latin-1, declare `encoding: windows-1252` in the manifest"
            } else if ParquetFile.isParquet(start: Array(bytes.prefix(5))) {
                "it is a Parquet file within gzip: inflate it first (gunzip)"
            } else {
                "tables are Parquet, or CSV (.csv, .tsv) or JSON lines (.ndjson), plain or gzipped, in UTF-8 or as `encoding` "
                    + "in the manifest says (utf-16, windows-1252): save it as one of these (scripts/statistics-files does, of "
                    + "SPSS, Stata and SAS files)"
            }
        throw Problem.invalidData("the file is not UTF-8 text", hint: hint)
    }

    private static func isText(_ bytes: [UInt8], isCut: Bool) -> Bool {
        // A character has at most four bytes, all but the first of the form 10xxxxxx.
        let tail = isCut ? bytes.suffix(3).lastIndex { $0 >= 0xc0 } : nil
        let whole = tail.map { bytes[..<$0] } ?? bytes[...]
        return !bytes.contains(0) && String(validating: whole, as: UTF8.self) != nil
    }

    /// Whether bytes that are no UTF-8 may be text of Western Europe: few are no ASCII, and none is zero.
    static func isWestern(_ bytes: [UInt8], isCut: Bool) -> Bool {
        !isText(bytes, isCut: isCut) && !bytes.contains(0) && bytes.count { $0 >= 0x80 } * 4 < bytes.count
    }

    /// Refuses a first line that looks like a row: its cells may be a person's, so only their places are told. The first
    /// cell is empty where R or pandas wrote the rows' names.
    static func refuseValues(_ names: [String]) throws {
        var seen: Set<String> = []
        for (index, name) in names.enumerated() {
            let plain = name.trimmingCharacters(in: .whitespacesAndNewlines)
            let reason: String? =
                if plain.isEmpty, index > 0 || names.count == 1 { "is empty" } else if isValue(plain) {
                    "is a number or a date"
                } else if !seen.insert(plain).inserted { "occurs twice" } else { nil }
            if let reason { throw noHeader("its cell \(index + 1) \(reason)") }
        }
    }

    static func noHeader(_ reason: String) -> Problem {
        .invalidData(
            "line 1 looks like a row, not like the columns' names: \(reason)",
            hint: "add a first line that names each column, once, by a word (a year as y1960)")
    }

    /// Whether a cell is a number or a time, however it is written: it has a digit, and no letter but those of an
    /// exponent or a timestamp.
    static func isValue(_ cell: String) -> Bool {
        guard cell.utf8.contains(where: { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return false }
        return !cell.contains { $0.isLetter || $0 == "_" } || Double(cell) != nil || CivilText.seconds(cell) != nil
    }

    /// The first bytes of a file, inflated and in UTF-8, without a byte order mark, and how they are read.
    static func beginning(
        of file: String, bytes: Int, _ form: FileForm
    ) throws -> (text: [UInt8], format: IngestOptions.Format, isWhole: Bool) {
        var options = IngestOptions()
        options.form = form
        do { return try BlockReader.beginning(of: file, bytes: bytes, options: options) } catch let error as IngestError
        {
            throw Problem.invalidData("\(error)")
        }
    }
}
