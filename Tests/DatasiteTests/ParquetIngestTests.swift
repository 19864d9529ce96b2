import DatasiteProtocol
import Foundation
import Governance
import Query
import Tables
import Testing

@testable import Datasite

@Suite("A Parquet file becomes the table that the same rows in text become")
struct ParquetIngestTests {
    let folder = IngestFolder()
    let key = ClusteringKey(siteSecret: Array(0..<32), population: "people")

    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "TablesTests/Fixtures/parquet")

    static func path(_ name: String) -> String { fixtures.appending(path: name).path }

    /// Those that are read.
    static let read: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: fixtures.path)) ?? [])
        .filter { name in
            name.hasSuffix(".parquet")
                && !["refused", "encrypted", "unread", "too-large", "empty"].contains { name.contains($0) }
        }.map { String($0.dropLast(8)) }.sorted()

    private func manifest(_ columns: [ColumnSchema], rowsPerUnit: Int = 3) -> Manifest {
        Manifest(
            name: "t", title: "", description: "", population: "people", schema: Schema(columns: columns),
            unit: UnitDeclaration(column: 0, rowsPerUnit: rowsPerUnit, groupsPerUnit: 1), capacityRows: 1 << 20,
            capacityUnits: 1 << 20, policy: nil)
    }

    /// Columns with bounds, resolutions, domains and short texts, so that all that becomes of values is in play.
    private func columns(_ file: String) throws -> [ColumnSchema] {
        let parquet = try #require(try ParquetInput.open(file))
        return parquet.columns.compactMap { field in
            guard let type = field.type else { return nil }
            var column = ColumnSchema(name: field.name, type: type, maximumBytes: 20)
            switch field.name {
            case "i16", "f32": (column.lowerBound, column.upperBound, column.resolution) = (-100, 100, 0.5)
            case "i32": column.domain = [.integer(0), .integer(1)]
            case "text": (column.domain, column.other) = (["prefix", "a", "é"].map(Value.text), .text("a"))
            case "f64": (column.lowerBound, column.upperBound, column.infinityIsBound) = (-1, 1, true)
            case "us": (column.lowerBound, column.upperBound, column.outsideIsNull) = (0, 1e9, true)
            default: break
            }
            return column
        }
    }

    private func parts(_ directory: String) throws -> [String: Data] {
        try Dictionary(
            uniqueKeysWithValues: FileManager.default.contentsOfDirectory(atPath: directory).map { name in
                (name, try Data(contentsOf: URL(filePath: directory + "/" + name)))
            })
    }

    @Test("The table's files are the same to the byte, whatever compresses the pages", arguments: read)
    func sameTable(_ name: String) throws {
        let file = Self.path(name + ".parquet")
        let own = Self.path(name + ".ndjson")
        let lines = FileManager.default.fileExists(atPath: own) ? own : Self.path("all.ndjson")
        let manifest = manifest(try columns(file))
        let expected = try ingest(file: lines, manifest: manifest, key: key, into: folder.path("lines"))
        for threads in [1, 3] {
            var options = IngestOptions()
            // Rows are spilled after each part of a row group in one case.
            (options.threads, options.memoryBytes) = (threads, threads == 1 ? 1 << 29 : 1)
            let directory = folder.path("parquet-\(threads)")
            #expect(
                try ingest(file: file, manifest: manifest, key: key, into: directory, options: options) == expected)
            #expect(try parts(directory) == parts(folder.path("lines")))
        }
        #expect(expected.rowsRead > 0)
    }

    @Test("All codecs are among the files")
    func fixtures() {
        for name in [
            "all-v1-gzip", "all-v1-zstd", "all-v2-snappy", "all-v2-zstd", "large-batches", "nothing-but-nulls",
        ] {
            #expect(Self.read.contains(name))
        }
    }

    private func refusal(_ file: String, _ columns: [ColumnSchema]) -> String {
        do {
            let report = try ingest(
                file: file, manifest: manifest(columns), key: key, into: folder.path(UUID().uuidString))
            return "\(report.rowsKept) rows"
        } catch { return "\(error)" }
    }

    @Test("A Parquet file is known by how it begins, whatever its name; a file named so that is none is refused")
    func names() throws {
        let id = [ColumnSchema(name: "id", type: .integer)]
        for name in ["t.csv", "t", "t.gz", "t.ndjson"] {
            try FileManager.default.copyItem(atPath: Self.path("plain.parquet"), toPath: folder.path(name))
            #expect(refusal(folder.path(name), id) == "30 rows")
        }
        #expect(refusal(try folder.write("text.parquet", "id\n1\n"), id).contains("ends early"))
        #expect(refusal(try folder.write("longer.parquet", "id,name\n1,abc\n2,def\n"), id).contains("begin with PAR1"))
        #expect(refusal(try folder.write("empty.parquet", ""), id) == "the file is empty")
        #expect(refusal(try folder.write("named.csv", "PAR1,id\n1,2\n"), id) == "1 rows")
        let zipped = try folder.compress(folder.path("t"))
        let problem = #expect(throws: Problem.self) { try Datasite.describe(zipped) }
        #expect(problem?.hint?.contains("gunzip") == true)
        #expect(refusal("-", id) == "cannot read standard input: save it to a file first")
    }

    @Test("Errors say where: the row, or row group, column and page; the first of the file is told")
    func errors() throws {
        let columns = [ColumnSchema(name: "id", type: .integer), ColumnSchema(name: "u64", type: .integer)]
        #expect(
            refusal(Self.path("too-large.parquet"), columns)
                == "row 3, column 'u64': expected an integer or nothing")
        var bytes = try Data(contentsOf: URL(filePath: Self.path("all-v1-zstd.parquet")))
        for index in 40..<60 { bytes[index] ^= 0xff }
        try bytes.write(to: URL(filePath: folder.path("damaged.parquet")))
        #expect(refusal(folder.path("damaged.parquet"), [columns[0]]).hasPrefix("row group 1, column 'id', page "))
        for (name, words) in [
            ("refused-brotli", "BROTLI"), ("refused-lz4", "LZ4_RAW"), ("encrypted", "encrypted"),
            ("encrypted-columns", "encrypted"),
        ] { #expect(refusal(Self.path(name + ".parquet"), [columns[0]]).contains(words)) }
        let named = [columns[0], ColumnSchema(name: "text", type: .text, isNullable: false)]
        #expect(refusal(Self.path("row-groups.parquet"), named).hasPrefix("row 18, column 'text'"))
        var options = IngestOptions()
        options.onError = .null
        let report = try ingest(
            file: Self.path("row-groups.parquet"), manifest: manifest(named), key: key, into: folder.path("null"),
            options: options)
        #expect(report.examples.map(\.line) == [18, 26] && report.examples.allSatisfy(\.countsRows))
        #expect(report.rowsKept == 28)
    }

    @Test("A draft has the columns of the schema, each nullable, and no value; its columns load the file")
    func drafts() throws {
        let draft = try Datasite.describe(Self.path("required.parquet")).text
        for (name, type) in [
            ("id", "integer"), ("f16", "real"), ("text", "text"), ("day", "date"), ("ns", "timestamp"), ("d9", "real"),
            ("d18", "integer"), ("flag", "boolean"),
        ] { #expect(draft.contains("  - name: \(name)\n    type: \(type)\n    nullable: true\n"), "\(name)") }
        for value in ["prefix", "0012", "日本", "9999", "-128"] { #expect(!draft.contains(value)) }
        let drafted = try Datasite.describe(Self.path("unread.parquet"))
        let unread = drafted.text
        #expect(
            unread.contains("ignore:\n  - at\n") && unread.contains("  - time\n") && !unread.contains("- name: time"))
        #expect(drafted.notes.contains("at is left out, since such columns are not read: nested columns"))
        #expect(drafted.notes.contains("time is left out, since such columns are not read: TIME"))
        // Once its values are set, the draft of a file loads it.
        let text = unread.replacing(
            "unit: {column: SET, rows: SET, groups: SET}", with: "unit: {column: id, rows: 1, groups: 1}"
        )
        .replacing("capacity: {rows: SET, units: SET}", with: "capacity: {rows: 100, units: 100}")
        .replacing("bounds: [SET, SET]", with: "bounds: [0, 9]").replacing("epsilon: SET", with: "epsilon: 1")
        .replacing(": SET", with: ": words")
        let document = try ManifestDocument(text)
        try FileColumns.check(Self.path("unread.parquet"), against: document)
        let report = try ingest(
            file: Self.path("unread.parquet"), manifest: document.manifest, key: key, into: folder.path("drafted"))
        #expect(report.rowsKept == 10)
        // As in a CSV file, what is neither declared nor ignored is refused, and so is what is missing.
        for (old, new) in [("  - map\n", ""), ("- name: last", "- name: lost")] {
            #expect(throws: Problem.self) {
                try FileColumns.check(
                    Self.path("unread.parquet"), against: ManifestDocument(text.replacing(old, with: new)))
            }
        }
    }
}
