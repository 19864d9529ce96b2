import DatasiteProtocol
import Foundation
import Governance
import Query
import Testing

@testable import Datasite
@testable import Tables

/// Files as people have them: what a draft says loads, and the cells are what the file means.
@Suite("Files as people have them are drafted, loaded and read alike")
struct FileReadingTests {
    let test: TestSite

    init() throws { test = try TestSite(researchers: []) }

    private func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = test.path + "/" + name
        try Data(bytes).write(to: URL(filePath: path))
        return path
    }

    private func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    /// A draft with all that is left open left out: each row a unit.
    static func complete(_ draft: String) -> String {
        let head = """
            name: t
            population: people
            unit: row
            capacity: {rows: 100000, units: 100000}
            policy: {loss: pure, total: {epsilon: 10000}}

            """
        let lines = draft.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let form = lines.filter { line in
            ["missing:", "numbers:", "encoding:", "ignore: "].contains { line.hasPrefix($0) }
        }
        let ignored = lines.firstIndex(of: "ignore:").map { lines[$0...].prefix { !$0.isEmpty } } ?? []
        let columns = lines[(lines.firstIndex(of: "columns:") ?? 0)...].filter { !$0.contains("SET") }
        return head + (form + ignored + columns).joined(separator: "\n") + "\n"
    }

    /// The table's cells as a file loads under a manifest, sorted by their first column; each in words.
    private func load(_ path: String, _ manifest: String) throws -> [[String]] {
        if try test.site.catalogue().datasets["t"] != nil { try test.site.removeDataset("t") }
        _ = try test.site.addDataset(file: path, manifestText: manifest)
        return try cells()
    }

    private func cells() throws -> [[String]] {
        let entry = try #require(try test.site.catalogue().datasets["t"])
        let table = try test.site.table(entry)
        let rows = (0..<table.rowCount).map { row in
            table.columns.indices.map { column -> String in
                switch table.value(column, row) {
                case .null: "null"
                case .integer(let number): "\(number)"
                case .real(let number): "\(number)"
                case .text(let text): "'\(text)'"
                case .boolean(let flag): "\(flag)"
                case .date(let days): CivilText.date(days) ?? "?"
                case .timestamp(let seconds): CivilText.timestamp(seconds) ?? "?"
                }
            }
        }
        return rows.sorted { $0.joined(separator: ",") < $1.joined(separator: ",") }
    }

    /// What is drafted of a file and then loaded.
    private func roundTrip(_ path: String, _ options: DraftOptions = DraftOptions()) throws -> [[String]] {
        let draft = try Datasite.describe(path, options: options)
        return try load(path, Self.complete(draft.text))
    }

    private func draft(_ name: String, _ text: String, _ options: DraftOptions = DraftOptions()) throws -> ManifestDraft
    {
        try Datasite.describe(try write(name, text), options: options)
    }

    private func type(_ draft: ManifestDraft, _ column: String) -> Substring? {
        let lines = draft.text.split(separator: "\n")
        guard let place = lines.firstIndex(of: "  - name: \(column)") else { return nil }
        return lines[place + 1].dropFirst("    type: ".count)
    }

    // MARK: Missing values

    @Test("An empty field in quotes is nothing under any type but text")
    func quotedEmpty() throws {
        let path = try write(
            "t.csv", "id,v,x,b,d\n\"a\",\"5\",\"1.5\",\"true\",\"2020-01-31\"\n\"\",\"\",\"\",\"\",\"\"\n")
        #expect(
            try roundTrip(path) == [
                ["''", "null", "null", "null", "null"], ["'a'", "5", "1.5", "true", "2020-01-31"],
            ])
    }

    @Test("Markers of missing values are null: by their text, or by their value however it is written")
    func markers() throws {
        var options = DraftOptions()
        options.missing = ["NA", ".", "-9"]
        let text = "w,i,x\na,1,0.5\nNA,NA,NA\n\"NA\",.,\"NA\"\nb,-9,-9.00\n-9,-9.0,-9e0\n,,\n"
        let path = try write("t.csv", text)
        let rows = try roundTrip(path, options)
        #expect(
            rows == [
                ["'NA'", "null", "null"], ["'a'", "1", "0.5"], ["'b'", "null", "null"], ["null", "null", "null"],
                ["null", "null", "null"], ["null", "null", "null"],
            ])
        // Without them, types are what all values have, and the owner alone is told what would be.
        let plain = try Datasite.describe(path)
        #expect(type(plain, "i") == "text" && type(plain, "x") == "text")
        #expect(plain.notes.contains { $0.hasPrefix("i would be integer with --missing=NA --missing=.") })
        #expect(plain.notes.contains { $0.hasPrefix("x would be real with --missing=NA") })
        #expect(!plain.text.contains("NA"))
    }

    @Test("A column's own markers take the place of the table's; they come before domain and bounds")
    func columnMarkers() throws {
        func manifest(_ column: String) -> String {
            Self.complete(
                "missing: [-9]\ncolumns:\n  - {name: k, type: integer}\n  - {name: v, type: integer\(column)}\n")
        }
        let path = try write("t.csv", "k,v\n1,-9\n2,5\n-9,7\n")
        #expect(try load(path, manifest("")) == [["1", "null"], ["2", "5"], ["null", "7"]])
        #expect(try load(path, manifest(", missing: [7]")) == [["1", "-9"], ["2", "5"], ["null", "null"]])
        #expect(try load(path, manifest(", missing: []")) == [["1", "-9"], ["2", "5"], ["null", "7"]])
        #expect(try load(path, manifest(", bounds: [0, 6]")) == [["1", "null"], ["2", "5"], ["null", "6"]])
        #expect(
            try load(path, manifest(", domain: [5, 0], other: 0")) == [["1", "null"], ["2", "5"], ["null", "0"]])
    }

    @Test("Markers in JSON are strings or numbers")
    func jsonMarkers() throws {
        let manifest = Self.complete(
            "missing: [NA, -9]\ncolumns:\n  - {name: k, type: text}\n  - {name: v, type: real}\n")
        let path = try write("t.ndjson", "{\"k\":\"a\",\"v\":-9}\n{\"k\":\"NA\",\"v\":1}\n{\"k\":\"b\",\"v\":\"NA\"}\n")
        #expect(try load(path, manifest) == [["'a'", "null"], ["'b'", "null"], ["null", "1.0"]])
    }

    // MARK: Forms of numbers and times

    @Test("Decimal commas and separators of thousands, as declared; anything else in their place is wrong")
    func numbers() throws {
        var options = DraftOptions()
        (options.decimal, options.thousands) = (",", ".")
        let path = try write("t.csv", "k;x\n1;1.234,5\n1.000;-0,25\n3;7\n4;1.234.567\n")
        #expect(
            try roundTrip(path, options) == [["1", "1234.5"], ["1000", "-0.25"], ["3", "7.0"], ["4", "1234567.0"]])
        let plain = try Datasite.describe(path)
        #expect(type(plain, "x") == "text")
        #expect(plain.notes.contains { $0.hasPrefix("x would be real with --decimal , --thousands .: ") })
        func note(_ values: String...) throws -> String? {
            try draft("n.csv", "k;x\n" + values.map { "1;\($0)\n" }.joined()).notes.first
        }
        #expect(try note("0,5", "7,25")?.hasPrefix("x would be real with --decimal ,: ") == true)
        #expect(try note("1,234.50", "1,000")?.hasPrefix("x would be real with --thousands ,: ") == true)
        #expect(try note("1'234.5", "7")?.hasPrefix("x would be real with --thousands \"'\": ") == true)
        #expect(
            try note("1,234", "12,500")?.hasPrefix(
                "x would be real with --decimal ,, or another number with --thousands ,: the file does not tell which")
                == true)
        let manifest = Self.complete(
            "numbers: {decimal: \",\", thousands: \".\"}\ncolumns:\n  - {name: x, type: real}\n")
        for wrong in ["1.23", "1.2345", "1.234.56", "1,5.000", ".5", "1..000", "1,2,3", "1.234,5,6", "1 000"] {
            #expect(throws: Problem.self, "\(wrong)") { try load(write("t.csv", "x\n\"\(wrong)\"\n"), manifest) }
        }
    }

    @Test("Times since 1970, whole or with a part, by the declared tick; what is beyond the calendar is wrong")
    func epochs() throws {
        func manifest(_ format: String) -> String {
            Self.complete("columns:\n  - {name: at, type: timestamp, format: \(format)}\n")
        }
        for (format, ticks) in [
            ("epoch-seconds", "1580428740"), ("epoch-seconds", "1580428740.75"),
            ("epoch-milliseconds", "1580428740999"),
            ("epoch-microseconds", "1580428740000001"), ("epoch-nanoseconds", "1580428740123456789"),
        ] {
            #expect(
                try load(write("t.csv", "at\n\(ticks)\n"), manifest(format)) == [["2020-01-30T23:59:00Z"]], "\(format)")
            #expect(
                try load(write("t.ndjson", "{\"at\": \(ticks)}\n"), manifest(format)) == [["2020-01-30T23:59:00Z"]])
        }
        #expect(try load(write("t.csv", "at\n-0.5\n"), manifest("epoch-seconds")) == [["1969-12-31T23:59:59Z"]])
        for wrong in ["253402300800", "-62167219201", "2020-01-31", "1e400"] {
            #expect(throws: Problem.self) { try load(write("t.csv", "at\n\(wrong)\n"), manifest("epoch-seconds")) }
        }
        #expect(throws: Problem.self) {
            try ManifestDocument(Self.complete("columns:\n  - {name: at, type: date, format: epoch-seconds}\n"))
        }
    }

    // MARK: How files are written

    @Test("Delimiters are told by the first rows", arguments: [",", ";", "\t", "|"])
    func delimiters(_ delimiter: String) throws {
        let rows = [["id", "what"], ["1", "a b"], ["2", "c"]].map { $0.joined(separator: delimiter) + "\n" }.joined()
        #expect(try roundTrip(write("t.csv", rows)) == [["1", "'a b'"], ["2", "'c'"]])
        // Another's delimiter inside the cells is theirs.
        let others = [",", ";", "\t", "|"].filter { $0 != delimiter }
        let cells = [["id", "what"]] + (1...3).map { ["\($0)", "x\(others[$0 % 3])y"] }
        let text = cells.map { $0.joined(separator: delimiter) + "\n" }.joined()
        #expect(try roundTrip(write("t.csv", text)).count == 3)
    }

    @Test("UTF-16 by its mark, Windows-1252 as declared, and lines of old Macs")
    func encodings() throws {
        let text = "name,n\r\nZürich €,1\r\n\"a\n𝄞\",2\r\n"
        let expected = [["'Zürich €'", "1"], ["'a\n𝄞'", "2"]]
        for isBigEndian in [false, true] {
            let units = [0xfeff] + Array(text.utf16)
            let bytes = units.flatMap {
                isBigEndian ? [UInt8($0 >> 8), UInt8($0 & 255)] : [UInt8($0 & 255), UInt8($0 >> 8)]
            }
            #expect(try roundTrip(write("t.csv", bytes)) == expected)
            #expect(throws: Problem.self) { try Datasite.describe(write("t.csv", Array(bytes.dropLast()))) }
        }
        // Cut inside a character, wherever it stands.
        for cut in [[0xff, 0xfe, 0x3d, 0xd8], [0xff, 0xfe, 0x61, 0, 0x3d, 0xd8], [0xff, 0xfe, 0x3d, 0xd8, 0]]
            as [[UInt8]]
        {
            #expect(throws: Problem.self) { try Datasite.describe(write("t.csv", cut)) }
        }
        let western = Array("name,n\nZ".utf8) + [0xfc] + Array("rich ".utf8) + [0x80] + Array(",1\n".utf8)
        let path = try write("t.csv", western)
        #expect(try roundTrip(path) == [["'Zürich €'", "1"]])
        #expect(try Datasite.describe(path).text.contains("encoding: \"windows-1252\"\n"))
        let undeclared = #expect(throws: Problem.self) {
            try load(path, Self.complete("columns:\n  - {name: name, type: text}\n  - {name: n, type: integer}\n"))
        }
        #expect(undeclared?.hint?.contains("encoding: windows-1252") == true, "\(String(describing: undeclared))")
        #expect(try roundTrip(write("t.csv", "name,n\ra,1\rb,2\r")) == [["'a'", "1"], ["'b'", "2"]])
    }

    @Test("The column of row names that R and pandas write is left out, and said to be")
    func rowNames() throws {
        for text in [",id,v\n0,a,5\n1,b,6\n", "id,v\n\"1\",a,5\n\"2\",b,6\n"] {
            let path = try write("t.csv", text)
            let draft = try Datasite.describe(path)
            #expect(draft.text.contains("ignore:\n  - \"\"\n") && draft.notes.count == 1)
            #expect(try roundTrip(path) == [["'a'", "5"], ["'b'", "6"]])
            // Not declared so, nothing moves into another column.
            #expect(throws: Problem.self) {
                try load(path, Self.complete("columns:\n  - {name: id, type: text}\n  - {name: v, type: text}\n"))
            }
        }
        // Rows that end with a delimiter have no names.
        #expect(throws: Problem.self) { try roundTrip(write("t.csv", "id,v\na,5,\nb,6,\n")) }
    }

    @Test("Headers with line breaks, quotes and in two cases; names keep their digits")
    func headers() throws {
        let path = try write("nhis2009.csv", "id,\"net\nincome\",\"a \"\"b\"\"\",Val,VAL\nx,5,6,7,8\n")
        let draft = try Datasite.describe(path)
        #expect(draft.text.contains("name: nhis2009\n") && draft.text.contains("ignore:\n  - VAL\n"))
        #expect(draft.text.contains(#"  - name: "net\nincome""#) && draft.text.contains(#"  - name: "a \"b\"""#))
        #expect(try roundTrip(path) == [["'x'", "5", "6", "7"]])
        let ambiguous = #expect(throws: Problem.self) {
            try load(path, Self.complete("ignore: rest\ncolumns:\n  - {name: val, type: integer}\n"))
        }
        #expect(ambiguous?.detail.contains("cells 4 and 5") == true)
        #expect(
            try load(
                path,
                Self.complete(
                    "ignore:\n  - VAL\n  - id\n  - \"net\\nincome\"\n  - a \"b\"\n\ncolumns:\n  - {name: val, type: integer}\n"
                ))
                == [["7"]])
    }

    @Test("An open quote is named by the line on which it opens, by a draft and by an addition")
    func openQuote() throws {
        let path = try write("t.csv", "id,v\na,1\n\"b,2\nc,3\nd,4\n")
        let drafted = #expect(throws: Problem.self) { try Datasite.describe(path) }
        let added = #expect(throws: Problem.self) {
            try load(path, Self.complete("columns:\n  - {name: id, type: text}\n  - {name: v, type: integer}\n"))
        }
        #expect(drafted?.detail == "line 3: expected a closing quote for the one that opens here")
        #expect(added?.detail == drafted?.detail && added?.hint == nil)
    }

    @Test("A header of very many names is refused in a moment, and a row without an end by its line")
    func tooMuch() throws {
        let names = (0..<100_000).map { "c\($0)" }.joined(separator: ",")
        let wide = #expect(throws: Problem.self) { try Datasite.describe(write("t.csv", names + "\n")) }
        #expect(wide?.detail == "the file has 100000 columns; a manifest declares at most 4096")
        let path = try write("t.csv", names + "\n" + String(repeating: "1,", count: 99_999) + "1\n")
        #expect(try load(path, Self.complete("ignore: rest\ncolumns:\n  - {name: C99999, type: integer}\n")) == [["1"]])
        let endless = Array("a,b\n1,2\n\"".utf8) + [UInt8](repeating: 0x78, count: BlockReader.longestRow + 2 << 20)
        let problem = #expect(throws: Problem.self) { try Datasite.describe(write("t.csv", endless)) }
        #expect(problem?.detail.hasPrefix("line 3: ") == true, "\(String(describing: problem))")
    }

    @Test("A wrong cell names the ways to pass over it; its text is not told")
    func onError() throws {
        let manifest = Self.complete("columns:\n  - {name: id, type: text}\n  - {name: v, type: integer}\n")
        let problem = #expect(throws: Problem.self) { try load(write("t.csv", "id,v\na,1\nb,secret\n"), manifest) }
        #expect(problem?.detail == "line 3, column 'v': expected an integer or nothing")
        #expect(problem?.hint?.contains("--on-error null") == true)
    }

    // MARK: JSON lines

    @Test("Members are held to the manifest as columns are: misspelt, in another case, twice, not declared")
    func members() throws {
        let columns = "columns:\n  - {name: id, type: integer}\n  - {name: score, type: integer}\n"
        let path = try write("t.ndjson", "{\"id\":1,\"Score\":5}\n{\"ID\":2}\n")
        #expect(try load(path, Self.complete(columns)) == [["1", "5"], ["2", "null"]])
        for (line, words) in [
            ("{\"id\":1,\"skore\":5}", "line 1: expected only what the manifest declares: the object's member 2"),
            (
                "{\"id\":1,\"score\":5,\"Score\":6}",
                "line 1: expected one JSON object on one line, each name in it once"
            ),
            ("{\"id\":1,\"score\":[5]}", "line 1, column 'score': expected an integer or nothing; a list or an object"),
        ] {
            let problem = #expect(throws: Problem.self) {
                try load(write("t.ndjson", line + "\n"), Self.complete(columns))
            }
            #expect(problem?.detail.hasPrefix(words) == true, "\(String(describing: problem))")
            #expect(problem?.detail.contains("skore") == false)
        }
        let more = try write("t.ndjson", "{\"id\":1,\"score\":5,\"note\":\"x\"}\n")
        #expect(try load(more, Self.complete("ignore:\n  - note\n\n" + columns)) == [["1", "5"]])
        #expect(try load(more, Self.complete("ignore: rest\n\n" + columns)) == [["1", "5"]])
    }

    @Test("Numbers in quotes are numbers; a number under text says what stands there")
    func quotedNumbers() throws {
        let path = try write("t.ndjson", "{\"k\":\"a\",\"v\":\"5\",\"x\":\"\"}\n{\"k\":\"b\",\"v\":6,\"x\":\"1.5\"}\n")
        #expect(try roundTrip(path) == [["'a'", "5", "null"], ["'b'", "6", "1.5"]])
        let problem = #expect(throws: Problem.self) {
            try load(write("t.ndjson", "{\"id\":7}\n"), Self.complete("columns:\n  - {name: id, type: text}\n"))
        }
        #expect(
            problem?.detail
                == "line 1, column 'id': expected UTF-8 text or nothing; a number without quotes stands there")
    }

    @Test("JSON lines under another name are read as such, and no value is in a draft")
    func jsonByContent() throws {
        let lines = "{\"name\":\"Ada\",\"note\":\"seen\"}\n{\"name\":\"Bob\",\"note\":\"left\"}\n"
        for name in ["t.csv", "t.json", "t.txt", "t"] {
            let path = try write(name, lines)
            let draft = try Datasite.describe(path).text
            for value in ["Ada", "seen", "Bob", "left"] { #expect(!draft.contains(value)) }
            #expect(try roundTrip(path) == [["'Ada'", "'seen'"], ["'Bob'", "'left'"]])
        }
        let list = #expect(throws: Problem.self) { try Datasite.describe(write("t.json", "[{\"a\": 1}]\n")) }
        #expect(list?.detail.contains("one JSON list") == true)
        let keyed = #expect(throws: Problem.self) {
            try Datasite.describe(write("t.ndjson", "{\"4711\": {\"a\": 1}}\n"))
        }
        #expect(keyed?.detail.contains("4711") == false)
    }

    @Test("Members that come late are columns; names in two cases and names too long are left out")
    func memberNames() throws {
        var text = ""
        for row in 0..<20_000 { text += "{\"k\":\(row),\"K\":1,\"\(String(repeating: "n", count: 129))\":2}\n" }
        let path = try write("t.ndjson", text + "{\"k\":-1,\"late\":\"x\"}\n")
        let draft = try Datasite.describe(path)
        #expect(type(draft, "late") == "text" && type(draft, "k") == "integer")
        #expect(draft.notes.contains("the columns k and K differ in case alone: the second is left out"))
        #expect(draft.notes.contains("column 3 is left out: its name has more than 128 bytes"), "\(draft.notes)")
        let rows = try roundTrip(path)
        #expect(rows.count == 20_001 && rows.contains(["-1", "'x'"]))
    }

    @Test(
        "A column that differs from a declared one in case alone is another, and is refused like any that is not declared"
    )
    func otherCase() throws {
        let test = try TestSite()
        let manifest = TestSite.manifest("more", policy: "{loss: pure, total: {epsilon: 10}}")
        func add(_ header: String, _ rest: String = "") throws {
            let file = try test.file("more", header + "\n1,a,2,SECRET\n")
            defer { try? test.site.removeDataset("more") }
            _ = try test.site.addDataset(file: file, manifestText: manifest + rest)
        }
        for header in ["person,kind,amount,Kind", "Kind,person,amount,kind", "person,KIND,amount,Kind"] {
            let refusal = #expect(throws: Problem.self, "\(header)") { try add(header) }
            #expect(refusal?.detail.contains("SECRET") == false)
            #expect(refusal?.detail.contains("Kind") == true || refusal?.detail.contains("kind") == true)
        }
        try add("person,kind,amount,Kind", "\nignore: [Kind]")
        try add("Person,KIND,amount,note", "\nignore: rest")
    }

    @Test("Columns that no type reads are left out of a draft, and the owner hears why")
    func mixed() throws {
        let path = try write("t.ndjson", "{\"k\":1,\"m\":1,\"l\":[1]}\n{\"k\":2,\"m\":\"x\",\"l\":[]}\n")
        let draft = try Datasite.describe(path)
        #expect(draft.text.contains("ignore:\n  - m\n  - l\n") && draft.notes.count == 2)
        #expect(try roundTrip(path) == [["1"], ["2"]])
    }

    @Test("Types are those that read the whole file, however late a value of another comes")
    func lateValues() throws {
        var text = "a,b,c,d\n"
        for row in 0..<400_000 { text += "\(row),\(row),\(row).5,true\n" }
        let draft = try draft("t.csv", text + "x,,1e3,\n7,00,2,false\n")
        #expect(type(draft, "a") == "text" && type(draft, "b") == "text")
        #expect(type(draft, "c") == "real" && type(draft, "d") == "boolean")
        #expect(!draft.text.contains("nullable: false\n"))
    }

    @Test(
        "What one reader takes for a number the other does too",
        arguments: [
            "100_1", "NaN", "-9223372036854775808", "9223372036854775808", "1e5", "+5", "0x10", "1,5", "inf", "5.0",
            " 7 ",
        ])
    func alike(value: String) throws {
        for (name, text) in [
            ("t.csv", "v,w\n\"\(value)\",1\n"), ("t.ndjson", "{\"v\":\"\(value)\",\"w\":1}\n"),
        ] { #expect(try roundTrip(write(name, text)).count == 1, "\(value) in \(name)") }
    }

    // MARK: More rows

    @Test("Appended rows are bounded together with those before; the ledger goes on and held requests lapse")
    func append() async throws {
        let path = try write("a.csv", "person,v\n1,10\n1,11\n2,20\n")
        let manifest = """
            name: t
            population: people
            unit: {column: person, rows: 3, groups: 1}
            capacity: {rows: 6, units: 4}
            policy: {loss: pure, total: {epsilon: 10}, approval: owner}
            columns:
              - {name: person, type: integer}
              - {name: v, type: integer, bounds: [0, 99]}
            """
        let before = try test.site.addDataset(file: path, manifestText: manifest)
        _ = try test.site.addUser("bea", role: .researcher)
        let bea = Identity(name: "bea", role: .researcher)
        _ = try await test.site.ask(
            AskRequest(dataset: "t", sql: "SELECT COUNT(*) FROM t", budget: .epsilon(1)), as: bea)
        let report = try test.site.append(to: "t", file: try write("b.csv", "v,person\n12,1\n13,1\n30,3\n"))
        #expect(report.rows == 5 && report.units == 3 && report.version != before.version)
        #expect(
            report.warnings.contains(
                "1 row dropped: its unit has more rows than the manifest allows: 16.7 % of all rows"))
        let rows = try cells()
        #expect(rows.filter { $0[0] == "1" }.count == 3 && rows.contains(["2", "20"]) && rows.contains(["3", "30"]))
        #expect(try test.read("SELECT state FROM requests") == ["lapsed"])
        // Beyond the capacity, or wrong, nothing changes.
        for text in ["person,v\n4,1\n5,1\n6,1\n", "person,v\n4,x\n", "person\n4\n", "person,v\n"] {
            #expect(throws: Problem.self) { try test.site.append(to: "t", file: try write("c.csv", text)) }
        }
        #expect(try cells() == rows)
        #expect(throws: Problem.self) { try test.site.append(to: "nothing", file: path) }
    }

    @Test("What is appended does not depend on the order, or on the number of parts")
    func appendInParts() throws {
        let lines = (0..<300).map { "\($0 % 40),\($0 % 7)\n" }
        let manifest = """
            name: t
            population: people
            unit: {column: person, rows: 100, groups: 1}
            capacity: {rows: 1000, units: 100}
            policy: {loss: pure, total: {epsilon: 10}}
            columns:
              - {name: person, type: integer}
              - {name: v, type: integer, bounds: [0, 99]}
            """
        let whole = try load(write("w.csv", "person,v\n" + lines.joined()), manifest)
        _ = try load(write("p.csv", "person,v\n" + lines[200...].joined()), manifest)
        _ = try test.site.append(to: "t", file: try write("q.csv", "person,v\n" + lines[..<50].joined()))
        _ = try test.site.append(to: "t", file: try write("r.csv", "person,v\n" + lines[50..<200].joined()))
        #expect(try cells() == whole)
    }
}
