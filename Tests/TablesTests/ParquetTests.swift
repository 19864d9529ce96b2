import Foundation
import Testing

@testable import Tables

@Suite("Parquet files are read as the same rows in text are")
struct ParquetTests {
    @Test(
        "Each encoding, type, version of pages and row group gives the cells that were written",
        arguments: ParquetFixtures.read)
    func cells(_ name: String) throws {
        let bytes = try ParquetFixtures.bytes(name)
        let schema = ParquetFixtures.schema(try ParquetFixtures.file(bytes))
        let rows = try ParquetFixtures.table(bytes).rowsByUnit()
        let expected = try ParquetFixtures.table(lines: ParquetFixtures.lines(name), schema).rowsByUnit()
        #expect(rows.count == expected.count)
        for (unit, row) in expected { #expect(rows[unit] == row, "\(name), id \(unit)") }
        #expect(try ParquetFixtures.lines(name).count { $0 == 0x0a } == rows.count)
    }

    @Test("The fixtures are there, and hold rows")
    func fixtures() throws {
        #expect(ParquetFixtures.read.count >= 15)
        #expect(try ParquetFixtures.table(ParquetFixtures.bytes("plain")).rowCount == 30)
        #expect(try ParquetFixtures.table(ParquetFixtures.bytes("empty")).rowCount == 0)
    }

    @Test("A draft's types follow the file's, and what is not read has none")
    func types() throws {
        let file = try ParquetFixtures.file(ParquetFixtures.bytes("plain"))
        let expected: [(String, ValueType)] = [
            ("id", .integer), ("flag", .boolean), ("u64", .integer), ("f16", .real), ("text", .text), ("id128", .text),
            ("day", .date), ("ns", .timestamp), ("d9", .real), ("d18", .integer), ("d76", .real),
        ]
        for (name, type) in expected { #expect(file.columns.first { $0.name == name }?.type == type, "\(name)") }
        let unread = try ParquetFixtures.file(ParquetFixtures.bytes("unread"))
        #expect(unread.columns.filter { $0.type != nil }.map(\.name) == ["id", "last"])
        #expect(
            unread.columns.filter { $0.type == nil }.map(\.words)
                == [
                    "nested columns", "nested columns", "nested columns", "TIME", "TIME", "FIXED_LEN_BYTE_ARRAY",
                    "UNKNOWN",
                ])
    }

    @Test("Columns that are not read are gone over, and refused by name where a manifest declares them")
    func unread() throws {
        let bytes = try ParquetFixtures.bytes("unread")
        let rows = try ParquetFixtures.table(bytes).rowsByUnit()
        #expect(rows.count == 10 && rows[.integer(7)] == [[.integer(7), .integer(7)]])
        let file = try ParquetFixtures.file(bytes)
        for (name, words) in [
            ("at", "nested"), ("list", "nested"), ("map", "nested"), ("time", "TIME"), ("bytes4", "FIXED"),
        ] {
            let schema = Schema(columns: [column("id", .integer), column(name, .text)])
            let error = #expect(throws: ParquetError.self) { try ParquetLayout(file, schema: schema) }
            #expect(error?.column == name && error?.problem.contains(words) == true, "\(name)")
        }
    }

    private func refusal(_ name: String, _ columns: [ColumnSchema], _ policy: ErrorPolicy = .refuse) -> String {
        do {
            let table = try ParquetFixtures.table(ParquetFixtures.bytes(name), Schema(columns: columns), policy)
            return "\(table.rowCount) rows"
        } catch { return "\(error)" }
    }

    @Test("What a manifest declares that the file has not, or never as declared, is refused before a row is read")
    func declarations() {
        let id = column("id", .integer)
        #expect(refusal("plain", [id, column("none", .text)]) == "column 'none': it has no such column")
        for (name, type, words) in [
            ("f64", ValueType.text, "DOUBLE"), ("text", .date, ""), ("day", .integer, "DATE"),
            ("ns", .text, "TIMESTAMP"),
            ("flag", .integer, "BOOLEAN"), ("i8", .date, "INT_8"), ("id128", .integer, "UUID"),
        ] where !words.isEmpty {
            #expect(
                refusal("plain", [id, column(name, type)])
                    == "column '\(name)': it holds \(words), which is never \(type.rawValue) as the manifest declares")
        }
        #expect(refusal("plain", [id, column("FLAG", .boolean)]) == "30 rows")
    }

    @Test("A value that a column cannot hold is told by its row and becomes what the owner's policy says")
    func wrongRows() throws {
        let columns = [column("id", .integer), column("u64", .integer)]
        #expect(refusal("too-large", columns) == "row 3, column 'u64': expected an integer or nothing")
        #expect(refusal("too-large", columns, .null) == "10 rows")
        #expect(refusal("too-large", columns, .skipUnit) == "9 rows")
        // Over row groups of seven rows: texts are missing in rows 18 and 26.
        let named = [column("id", .integer), column("text", .text, nullable: false)]
        #expect(
            refusal("row-groups", named)
                == "row 18, column 'text': expected UTF-8 text, since the column is not nullable")
        #expect(refusal("row-groups", named, .null) == "28 rows")
    }

    @Test("A column is read as another type where each value's text would be")
    func otherTypes() throws {
        let bytes = try ParquetFixtures.bytes("plain")
        func values(_ name: String, _ type: ValueType) throws -> [Value] {
            let schema = Schema(columns: [column("id", .integer), column(name, type)])
            let rows = try ParquetFixtures.table(bytes, schema, .null).rowsByUnit()
            return (0..<30).map { rows[.integer(Int64($0))]?[0][1] ?? .null }
        }
        for (integer, other) in zip(try values("i32", .integer), try values("i32", .text)) {
            guard case .integer(let number) = integer else {
                #expect(other == .null)
                continue
            }
            #expect(other == .text("\(number)"))
        }
        for (integer, other) in zip(try values("i64", .integer), try values("i64", .real)) {
            if case .integer(let number) = integer { #expect(other == .real(Double(number))) }
        }
        for (date, other) in zip(try values("day", .date), try values("day", .timestamp)) {
            if case .date(let day) = date { #expect(other == .timestamp(day * 86_400)) }
        }
        for (date, other) in zip(try values("day", .date), try values("day", .text)) {
            if case .date(let day) = date { #expect(other == .text(CivilDate(daysSince1970: day)?.text ?? "")) }
        }
        // 0 and 1 are truth values, midnights are dates, and whole reals are integers; all else is wrong.
        #expect(try values("i8", .boolean).allSatisfy { [.null, .boolean(false), .boolean(true)].contains($0) })
        for (moment, other) in zip(try values("us", .timestamp), try values("us", .date)) {
            if case .timestamp(let second) = moment, second % 86_400 != 0 { #expect(other == .null) }
        }
        for (real, other) in zip(try values("f64", .real), try values("f64", .integer)) {
            if case .real(let number) = real {
                #expect(other == (Int64(exactly: number).map { .integer($0) } ?? .null))
            }
        }
        // A decimal's digits are a code's too.
        let lines = try String(decoding: ParquetFixtures.lines("plain"), as: UTF8.self)
        for case .text(let digits) in try values("d76", .text) { #expect(lines.contains("\"d76\": \(digits)}")) }
    }

    @Test("A file says by how it begins that it is Parquet; a first column's name does not")
    func beginnings() throws {
        #expect(ParquetFile.isParquet(start: Array(try ParquetFixtures.bytes("plain").prefix(5))))
        #expect(ParquetFile.isParquet(start: Array("PAR1".utf8)))
        #expect(ParquetFile.isParquet(start: Array("PARE\u{7f}".utf8), end: Array("PARE".utf8)))
        for text in ["PAR1,PAR2\n", "PAR1\n", "PAR1_school\t", "PAR", ""] {
            #expect(!ParquetFile.isParquet(start: Array(text.utf8.prefix(5)), end: Array("1,2\n".utf8)), "\(text)")
        }
    }

    @Test(
        "What is refused says why",
        arguments: [
            ("refused-brotli", "compressed by BROTLI"), ("refused-lz4", "compressed by LZ4_RAW"),
            ("encrypted", "it is encrypted"),
            ("encrypted-columns", "it is encrypted"), ("all-v1-gzip", "its compressed data are damaged"),
        ])
    func refusals(_ name: String, _ words: String) throws {
        let error = #expect(throws: ParquetError.self) {
            try ParquetFixtures.table(
                ParquetFixtures.bytes(name), Schema(columns: [column("id", .integer)]))
        }
        #expect(error?.problem.contains(words) == true, "\(String(describing: error))")
    }
}
