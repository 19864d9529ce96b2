import DatasiteProtocol
import Foundation
import Governance
import Tables

/// The columns of a file against those of a manifest: what is in the file and neither declared nor ignored is refused, so
/// that a misspelt name is noticed.
enum FileColumns {
    static func check(_ file: String, against document: ManifestDocument) throws {
        guard let names = try header(file) else { return }
        let declared = Set(document.manifest.schema.columns.map { $0.name.lowercased() })
        try refuseOtherFormats(names, declared)
        guard case .named(let ignored) = document.ignored else { return }
        let extra = names.filter { !declared.contains($0.lowercased()) && !ignored.contains($0) }
        guard extra.isEmpty else {
            throw Problem.invalidManifest(
                "the file has columns that the manifest does not declare: \(extra.prefix(5).joined(separator: ", "))",
                hint: "declare them, or list them under `ignore` (or say `ignore: rest`)")
        }
    }

    /// A first line that is no header in our sense may hold a row's values: it is not shown.
    private static func refuseOtherFormats(_ names: [String], _ declared: Set<String>) throws {
        let line = names.joined()
        if line.contains("\0") {
            throw Problem.invalidData("the file is not UTF-8 text", hint: "save it as UTF-8 (it looks like UTF-16)")
        }
        if line.contains("\r") {
            throw Problem.invalidData(
                "the file's lines end with carriage returns alone", hint: "save it with line feeds (Unix or Windows)")
        }
        guard !names.contains(where: { declared.contains($0.lowercased()) }) else { return }
        let other = [";": "semicolons", "\t": "tabulators", "|": "bars"].first { line.contains($0.key) }?.value
        throw Problem.invalidData(
            "line 1 names none of the manifest's columns",
            hint: other.map { "values are separated by commas (tabulators in .tsv), and these seem to be by \($0)" }
                ?? "the first line must hold the columns' names, separated by commas (tabulators in .tsv)")
    }

    /// The column names of a file's header; nil for a file of JSON lines.
    static func header(_ file: String) throws -> [String]? {
        guard let format = csvFormat(file) else { return nil }
        let start = try beginning(of: file, bytes: 1 << 20)
        return start.withUnsafeBytes { CSVHeader($0, format) }?.names
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
