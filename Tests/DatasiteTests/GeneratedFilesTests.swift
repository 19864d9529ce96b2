import DatasiteProtocol
import Foundation
import Governance
import Testing

@testable import Datasite
@testable import Tables

/// A thousand files of all dialects against what pandas reads in them; `Fixtures/files/make.py` makes both.
@Suite("Generated files agree cell by cell with an independent reader")
struct GeneratedFilesTests {
    struct File: Decodable {
        struct Column: Decodable {
            var name: String
            var kind: String
            var cells: [String?]
        }

        var name: String
        var bytes: Data
        var missing: [String]
        var decimal: String?
        var thousands: String?
        var encoding: String?
        var wellFormed: Bool
        var columns: [Column]

        var options: DraftOptions {
            var options = DraftOptions()
            (options.missing, options.decimal, options.thousands, options.encoding) = (
                missing, decimal, thousands, encoding
            )
            return options
        }
    }

    static func files() throws -> [File] {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "Fixtures/files/generated.ndjson.gz")
        let text = try BlockReader.beginning(of: path.path, bytes: 1 << 28, options: IngestOptions()).text
        return try text.split(separator: 0x0a).map { try JSONDecoder().decode(File.self, from: Data($0)) }
    }

    /// Whether a stored cell is what the other reader found. Text that is empty or a marker stands in quotes where it is
    /// no null here; pandas does not tell.
    private func agree(_ cell: Value, _ expected: String?, _ column: File.Column, _ file: File) -> Bool {
        switch (cell, expected) {
        case (.null, nil): return true
        case (.text(let text), nil): return text.isEmpty || file.missing.contains(text)
        case (.null, .some): return false
        case (.text(let text), .some(let expected)):
            return text == expected.precomposedStringWithCanonicalMapping || column.kind == "boolean"
        case (.integer(let number), .some(let expected)): return Double(expected) == Double(number)
        case (.real(let number), .some(let expected)): return Double(expected) == number
        case (.boolean(let flag), .some(let expected)): return expected == "\(flag)"
        case (.date(let days), .some(let expected)): return expected == CivilText.date(days)
        case (.timestamp(let seconds), .some(let expected)): return expected == CivilText.timestamp(seconds)
        default: return false
        }
    }

    /// The file's table, as its draft declares it.
    private func load(_ file: File, in folder: String) throws -> (Table, ManifestDraft) {
        let path = folder + "/" + file.name
        try file.bytes.write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let draft = try Datasite.describe(path, options: file.options)
        let document = try ManifestDocument(FileReadingTests.complete(draft.text))
        try FileColumns.check(path, against: document)
        let directory = folder + "/table"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var options = IngestOptions()
        (options.form, options.threads) = (document.form, 1)
        // Rows keep no order: with this key they are sorted by it in both readers' tables alike, so cells are compared as
        // sets of rows.
        _ = try ingest(
            file: path, manifest: document.manifest,
            key: ClusteringKey(siteSecret: Array(repeating: 1, count: 32), population: "people"), into: directory,
            options: options)
        return (try TableFiles(directory: directory).open(schema: document.manifest.schema), draft)
    }

    @Test(
        "Each file is read as pandas reads it, or refused with its place; of the well-formed ones nearly all are read")
    func generated() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/parley-generated-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var (read, wellFormed) = (0, 0)
        for file in try Self.files() {
            wellFormed += file.wellFormed ? 1 : 0
            do {
                let (table, draft) = try load(file, in: folder)
                // What is broken may still be a table; it is only not to be taken for another in silence.
                guard file.wellFormed else { continue }
                read += 1
                let problem = difference(table, file)
                #expect(problem == nil, "\(file.name): \(problem ?? "") \(draft.text)")
            } catch {
                let words = "\(error)"
                #expect(
                    words.contains("line ") || words.contains("not UTF-8 text") || words.contains("is not text in"),
                    "\(file.name): \(words)")
            }
        }
        #expect(wellFormed == 900)
        #expect(Double(read) >= 0.95 * Double(wellFormed), "\(read) of \(wellFormed)")
        print("read \(read) of \(wellFormed) well-formed files, all cells alike")
    }

    /// What is different; nil if nothing is. Rows are matched each with one that agrees.
    private func difference(_ table: Table, _ file: File) -> String? {
        let rows = file.columns.first?.cells.count ?? 0
        // Rows without a value anywhere are empty lines to one reader and rows to the other.
        let expected = (0..<rows).map { row in file.columns.map { $0.cells[row] } }
        guard table.rowCount == rows else { return "\(table.rowCount) rows, not \(rows)" }
        let places = file.columns.map { column in table.schema.columns.firstIndex { $0.name == column.name } }
        guard !places.contains(nil) else { return "columns \(table.schema.columns.map(\.name))" }
        var left = Array(0..<table.rowCount)
        for row in expected {
            let match = left.firstIndex { candidate in
                zip(zip(places, file.columns), row).allSatisfy { pair, cell in
                    agree(table.value(pair.0 ?? 0, candidate), cell, pair.1, file)
                }
            }
            guard let match else { return "no row is \(row)" }
            left.remove(at: match)
        }
        return nil
    }
}
