import Testing

@testable import Tables

@Suite("Files of separated values (RFC 4180)")
struct CSVTests {
    let schema = Schema(columns: [
        column("u", .integer), column("t", .text), column("x", .real), column("i", .integer), column("d", .date),
        column("b", .boolean), column("s", .timestamp),
    ])

    func plan(_ schema: Schema, _ onError: ErrorPolicy = .refuse, unit: Int? = 0) -> IngestPlan {
        IngestPlan(schema: schema, unitColumn: unit, rowsPerUnit: 1000, key: testKey, onError: onError)
    }

    /// Reads a text in blocks of about `size` bytes by some workers in turn.
    func read(
        _ text: String, _ plan: IngestPlan, _ format: CSVFormat = CSVFormat(), size: Int = 1 << 20,
        workers count: Int = 1
    ) throws -> (table: Table, report: IngestReport) {
        let bytes = ColumnBytes(Array(text.utf8))
        let header = try CSVLayout.reading(bytes, format: format, schema: plan.schema)
        let workers = (0..<count).map { _ in IngestWorker(plan) }
        var start = header.headerBytes
        var lines = header.headerLines
        var turn = 0
        while start < bytes.count {
            var end = bytes.count
            var wanted = size
            while start + wanted < bytes.count {
                let found = bytes.withBytes { bytes in
                    RowBoundary.last(
                        in: UnsafeRawBufferPointer(rebasing: bytes[start..<start + wanted]), quote: format.quote)
                }
                if let found {
                    end = start + found
                    break
                }
                wanted *= 2
            }
            let result = workers[turn % count].read(start..<end, of: bytes, as: .csv(header.layout))
            if let error = result.refusal(plan.onError, linesBefore: lines) { throw error }
            lines += result.lines
            start = end
            turn += 1
        }
        var assembler = TableAssembler(workers, plan: plan)
        var parts: [TablePart: [UInt8]] = [:]
        for partition in try assembler.partitions(0..<TableAssembler.partitionCount) {
            try assembler.write(partition) { parts[$0, default: []].append(contentsOf: $1) }
        }
        let description = try assembler.finish { parts[$0, default: []].append(contentsOf: $1) }
        let table = try Table(schema: plan.schema, description: description) { ColumnBytes(parts[$0] ?? []) }
        return (table, assembler.report)
    }

    func texts(_ text: String, _ format: CSVFormat = CSVFormat()) throws -> [Value] {
        let schema = Schema(columns: [column("u", .integer), column("t", .text)])
        let rows = try read(text, plan(schema), format).table.rowsByUnit()
        return rows.keys.sorted { Value.order($0, $1) < 0 }.map { rows[$0]?[0][1] ?? .null }
    }

    @Test("Quotes, doubled quotes, delimiters and line ends inside quotes, CRLF, a last line without an end, a BOM")
    func quoting() throws {
        let text =
            "\u{feff}u,t\r\n1,\"a,b\"\r\n2,\"say \"\"hi\"\"\"\r\n3,\"two\r\nlines\n\"\r\n4,plain\r\n5,\"\"\r\n6,\r\n7,\"\"\"\""
        #expect(
            try texts(text) == [
                .text("a,b"), .text("say \"hi\""), .text("two\r\nlines\n"), .text("plain"), .text(""), .null,
                .text("\""),
            ])
    }

    @Test(
        "Any delimiter, any quote, no header, other nulls, blank lines", arguments: [0x09, 0x3b, 0x7c, 0x20] as [UInt8])
    func formats(delimiter: UInt8) throws {
        let d = String(Unicode.Scalar(delimiter))
        let format = CSVFormat(delimiter: delimiter, quote: 0x27, hasHeader: false, nulls: ["NA"])
        #expect(
            try texts("1\(d)'x\(d)y'\n\n2\(d)NA\n\r\n3\(d)\n4\(d)'NA'\n", format) == [
                .text("x\(d)y"), .null, .text(""), .text("NA"),
            ])
        let unquoted = CSVFormat(delimiter: delimiter, quote: nil)
        #expect(try texts("u\(d)t\n1\(d)5\"pipe\n2\(d)\"\n", unquoted) == [.text("5\"pipe"), .text("\"")])
    }

    @Test("Columns are found by name, in any order and case; others are not loaded")
    func header() throws {
        let text = "extra,T,\"u\"\n\"ex\"\"tra, with\nlines\",hello,1\n,\"world\",2\n"
        #expect(try texts(text) == [.text("hello"), .text("world")])
        #expect(throws: RowError(line: 1, column: "t", expected: "a header that names this column")) {
            try texts("u,v\n1,2\n")
        }
    }

    @Test(
        "A random table written in random ways is read back to the bit, in any blocks and by any workers",
        arguments: 1...40)
    func roundTrip(seed: UInt64) throws {
        var dice = Dice(seed)
        let rows = (0..<dice.pick([1, 50, 1200])).map { _ in
            schema.columns.enumerated().map { index, column -> Value in
                if index == 0 { return .integer(Int64(dice.int(0...9))) }
                if column.type == .text, dice.chance(30) {
                    return .text(dice.pick(["a,b", "\"", "x\ny", "\r\n", "é\"\"", ""]))
                }
                if column.type == .date { return .date(Int64(dice.int(-700_000...2_900_000))) }
                return dice.value(column.type)
            }
        }
        var text = schema.columns.map(\.name).joined(separator: ",") + "\n"
        for row in rows {
            text += row.map { Self.write($0, &dice) }.joined(separator: ",") + (dice.chance(50) ? "\r\n" : "\n")
        }
        let expected = try Table(rows: rows, plan: plan(schema)).storedRows().map(\.row)
        for _ in 0..<3 {
            let (table, report) = try read(
                text, plan(schema), size: dice.pick([1, 40, 1000, 1 << 20]), workers: dice.int(1...3))
            #expect(table.storedRows().map(\.row) == expected)
            #expect(report.rowsRead == rows.count && report.rowsWrong == 0)
        }
    }

    static func write(_ value: Value, _ dice: inout Dice) -> String {
        let text: String
        switch value {
        case .null: return ""
        case .integer(let number): text = dice.chance(10) && abs(number) < 1 << 50 ? "\(number).0" : "\(number)"
        case .real(let number): text = "\(number)"
        case .boolean(let flag): text = flag ? dice.pick(["true", "TRUE", "1", "t"]) : dice.pick(["false", "no", "0"])
        case .date(let day): text = CivilDate(daysSince1970: day)?.text ?? ""
        case .timestamp(let second):
            let utc = timestampText(second) ?? ""
            text = dice.pick([utc, String(utc.dropLast()), utc.dropLast() + ".75Z", utc.dropLast() + "+00:00"])
        case .text(let string): return "\"" + string.replacing("\"", with: "\"\"") + "\""
        }
        return dice.chance(20) ? "\"\(text)\"" : text
    }

    @Test(
        "A wrong row says its line, its column and what was expected, never its value",
        arguments: [
            ("u,t,x,i,d,b,s\n1,,,,,,\n2,,secret,,,,\n", 3, "x", "a number or nothing"),
            ("u,t,x,i,d,b,s\n1,\"a\nb\",,,,,\n2,,,1.5,,,\n", 4, "i", "an integer or nothing"),
            ("u,t,x,i,d,b,s\n1,,,,2024-02-30,,\n", 2, "d", "a date as YYYY-MM-DD or nothing"),
            ("u,t,x,i,d,b,s\n1,,,,,maybe,\n", 2, "b", "true or false or nothing"),
            ("u,t,x,i,d,b,s\n1,,,,,,2024-01-01T25:00:00Z\n", 2, "s", "a time as YYYY-MM-DDTHH:MM:SSZ or nothing"),
            ("u,t,x,i,d,b,s\n1,,,9223372036854775808,,,\n", 2, "i", "an integer or nothing"),
            ("u,t,x,i,d,b,s\n1,,,,,\n", 2, nil, "7 fields"),
            ("u,t,x,i,d,b,s\n1,,,,,,\n1,,,,,,,secret\n", 3, nil, "7 fields"),
            ("u,t,x,i,d,b,s\n1,\"secret,,,,,\n", 2, nil, "a closing quote for the one that opens here"),
            ("u,t,x,i,d,b,s\n1,sec\"ret,,,,,\n", 2, nil, "a quote only around whole fields"),
            ("u,t,x,i,d,b,s\n1,\"a\"b,,,,,\n", 2, nil, "a delimiter or the end of the row behind a quote"),
            ("", 1, nil, "a header with the columns' names"),
        ] as [(String, Int, String?, String)])
    func wrongRows(text: String, line: Int, column: String?, expected: String) throws {
        #expect(throws: RowError(line: line, column: column, expected: expected)) { try read(text, plan(schema)) }
    }

    @Test("The first wrong row is told the same, in any blocks", arguments: [1, 7, 100, 1 << 20])
    func firstError(size: Int) throws {
        var text = "u,t,x,i,d,b,s\n"
        for line in 0..<100 { text += "\(line),\"a\n\(line)\",\(line == 77 || line == 90 ? "?" : "1"),,,,\n" }
        #expect(throws: RowError(line: 156, column: "x", expected: "a number or nothing")) {
            try read(text, plan(schema), size: size)
        }
    }

    @Test(
        "Null on error: wrong cells become null, rows of the wrong shape and wrong cells that cannot be null are dropped"
    )
    func nullOnError() throws {
        var schema = schema
        schema.columns[3].isNullable = false
        let text = "u,t,x,i,d,b,s\n1,a,?,1,,,\n2,b,1,?,,,\n3,c,2,3,?,?,\n4,d,1\n?,e,1,1,,,\n5,f,1,1,,,\n6,g,1,,,,\n"
        let (table, report) = try read(text, plan(schema, .null))
        let rows = table.rowsByUnit()
        #expect(Set(rows.keys) == [.integer(1), .integer(3), .integer(5)])
        #expect(rows[.integer(1)]?[0][2] == .null && rows[.integer(3)]?[0][4] == .null)
        #expect(report.rowsRead == 7 && report.rowsWrong == 6 && report.rowsSkipped == 3)
        #expect(report.rowsWithoutUnit == 1)
        #expect(report.columns[2].wrongBecameNull == 1 && report.columns[4].wrongBecameNull == 1)
        #expect(report.rowsKept == 3)
    }

    @Test("Skip the unit: all rows of a unit with a wrong row are dropped, in any blocks", arguments: [1, 30, 1 << 20])
    func skipUnit(size: Int) throws {
        let text = "u,t,x,i,d,b,s\n1,a,1,,,,\n2,b,1,,,,\n1,c,?,,,,\n2,d,1,,,,\n1,e,1,,,,\n3,f\n?,g,1,,,,\n3,h,1,,,,\n"
        let (table, report) = try read(text, plan(schema, .skipUnit), size: size, workers: 2)
        #expect(Set(table.rowsByUnit().keys) == [.integer(2), .integer(3)])
        #expect(table.rowCount == 3)
        #expect(report.rowsWrong == 3 && report.unitsSkipped == 1 && report.rowsSkipped == 5 && report.rowsRead == 8)
    }

    @Test("Text is normalised, then cut to whole scalars of the largest number of bytes; what is not UTF-8 is wrong")
    func normalization() throws {
        var schema = Schema(columns: [column("u", .integer), column("t", .text)])
        schema.columns[1].maximumBytes = 5
        let (table, report) = try read(
            "u,t\n1,e\u{301}\n2,\u{e9}\n3,日本語\n4,abcdefgh\n5,abcde\n6,abcdef\n", plan(schema))
        let rows = table.rowsByUnit()
        #expect(
            (1...6).map { rows[.integer(Int64($0))]?[0][1] } == [
                .text("\u{e9}"), .text("\u{e9}"), .text("日"), .text("abcde"), .text("abcde"), .text("abcde"),
            ])
        #expect(report.columns[1].textsCut == 3)
        guard case .text(let text) = rows[.integer(1)]?[0][1] else { return }
        #expect(Array(text.utf8) == [0xc3, 0xa9])
        let bytes = ColumnBytes(Array("1,".utf8) + [0xff, 0x0a])
        let result = IngestWorker(plan(schema)).read(
            0..<bytes.count, of: bytes, as: .csv(CSVLayout(format: CSVFormat(hasHeader: false), columns: [0, 1])))
        #expect(result.wrong == [RowError(line: 0, column: "t", expected: "UTF-8 text or nothing")])
    }

    @Test("Outside the domain: the declared other, or null; counted")
    func domains() throws {
        var schema = schema
        schema.columns[1].domain = [.text("a"), .text("\u{e9}"), .text("rest")]
        schema.columns[1].other = .text("rest")
        schema.columns[2].domain = [.real(0.5), .real(0)]
        schema.columns[3].domain = [.integer(1), .integer(9)]
        schema.columns[3].other = .integer(9)
        let (table, report) = try read("u,t,x,i,d,b,s\n1,a,0.5,1,,,\n2,e\u{301},-0,7,,,\n3,z,0.25,,,,\n", plan(schema))
        let rows = table.rowsByUnit()
        #expect(rows[.integer(1)]?[0][1...3] == [.text("a"), .real(0.5), .integer(1)])
        #expect(rows[.integer(2)]?[0][1...3] == [.text("\u{e9}"), .real(0), .integer(9)])
        #expect(rows[.integer(3)]?[0][1...3] == [.text("rest"), .null, .null])
        #expect(report.columns.map(\.outsideDomain) == [0, 1, 1, 1, 0, 0, 0])
    }

    @Test("NaN is null; infinity is null, or the bound where the column says so")
    func notFinite() throws {
        var schema = Schema(columns: [column("u", .integer), column("x", .real), column("y", .real)])
        schema.columns[2].lowerBound = -2
        schema.columns[2].upperBound = 3
        schema.columns[2].infinityIsBound = true
        let (table, report) = try read("u,x,y\n1,nan,NaN\n2,inf,Infinity\n3,-inf,-inf\n4,1e999,-1e999\n", plan(schema))
        let rows = table.rowsByUnit()
        #expect((1...4).map { rows[.integer($0)]?[0][1] } == [.null, .null, .null, .null])
        #expect((1...4).map { rows[.integer($0)]?[0][2] } == [.null, .real(3), .real(-2), .real(-2)])
        #expect(report.columns[2].infinities == 3)
        schema.columns[1].isNullable = false
        #expect(throws: RowError(line: 2, column: "x", expected: "a number, since the column is not nullable")) {
            try read("u,x,y\n1,nan,1\n", plan(schema))
        }
    }
}
