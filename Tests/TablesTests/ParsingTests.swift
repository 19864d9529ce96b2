import Testing

@testable import Tables

@Suite("Numbers, dates and JSON as text")
struct ParsingTests {
    func parse<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        Array(text.utf8).withUnsafeBytes { body($0) }
    }

    @Test("Decimal numbers are rounded as the standard library rounds them", arguments: 1...20)
    func decimals(seed: UInt64) {
        var dice = Dice(seed)
        for _ in 0..<5000 {
            var text = dice.chance(30) ? "-" : ""
            let digits = dice.int(1...22)
            let point = dice.int(0...digits)
            for place in 0..<digits { text += (place == point && place > 0 ? "." : "") + String(dice.int(0...9)) }
            if dice.chance(40) {
                text +=
                    dice.pick(["e", "E"]) + dice.pick(["", "+", "-"]) + String(dice.int(0...dice.pick([5, 30, 330])))
            }
            let expected = Double(text) ?? .nan
            #expect(parse(text, parseReal) == expected, "\(text)")
        }
    }

    @Test(
        "Hard cases of rounding",
        arguments: [
            "9007199254740993", "9007199254740992.5", "4503599627370497.5", "0.1", "123456789012345678", "1e23",
            "8.5e22",
            "9.5367431640625e-7", "2.2250738585072014e-308", "4.9e-324", "1.7976931348623157e308", "1e309", "0.000001",
            "18446744073709551615", "18446744073709551616", "1000000000000000000000000000000", "5e-28",
            "0.0000000000000000000001",
            "3.0000000000000000000000000001", "9223372036854775807.5", ".5", "5.", "+7", "-0",
        ])
    func hardDecimals(text: String) {
        let standard =
            text.hasPrefix("+")
            ? String(text.dropFirst()) : text.hasPrefix(".") ? "0" + text : text.hasSuffix(".") ? text + "0" : text
        #expect(parse(text, parseReal) == Double(standard))
    }

    @Test(
        "What is no number is none",
        arguments: ["", "-", ".", "e5", "1e", "1e+", "1,5", "0x10", "1 2", "--1", "1..2", "nano", "٣"])
    func notNumbers(text: String) {
        #expect(parse(text, parseReal) == nil)
        #expect(parse(text) { parseWord($0, .integer) } == nil)
    }

    @Test("Every day of 10,000 years is what its date says, and back")
    func days() {
        var expected = CivilDate.days.lowerBound
        for year in Int64(0)...9999 {
            for month in Int64(1)...12 {
                for day in Int64(1)...31 {
                    guard let date = CivilDate(year: year, month: month, day: day) else { continue }
                    if date.daysSince1970 != expected { #expect(date.daysSince1970 == expected) }
                    if CivilDate(daysSince1970: expected) != date {
                        #expect(CivilDate(daysSince1970: expected) == date)
                    }
                    expected += 1
                }
            }
        }
        #expect(expected == CivilDate.days.upperBound + 1)
    }

    @Test(
        "Times with offsets, fractions and gaps",
        arguments: [
            ("1970-01-01", 0), ("1970-01-01 00:00", 0), ("1970-01-01T00:00:01.999Z", 1),
            ("1970-01-01T02:00:00+02:00", 0),
            ("1969-12-31T19:00:00-0500", 0), ("2000-02-29T12:34:56Z", 951_827_696), ("1970-01-01t01:00:00+01", 0),
        ] as [(String, Int64)])
    func times(text: String, seconds: Int64) {
        #expect(parse(text) { parseWord($0, .timestamp) } == seconds)
    }

    @Test(
        "What is no time is none",
        arguments: [
            "1970-01-01T", "1970-01-01T1:00", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00+", "1970-01-01T00:00:00+1:00", "1900-02-29", "1970-13-01",
            "70-01-01",
        ])
    func notTimes(text: String) {
        #expect(parse(text) { parseWord($0, .timestamp) } == nil)
    }

    let schema = Schema(columns: [
        column("u", .integer), column("t", .text), column("x", .real), column("b", .boolean), column("d", .date),
    ])

    func json(_ text: String, _ onError: ErrorPolicy = .refuse) throws -> (
        rows: [Value: [[Value]]], result: BlockResult
    ) {
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 10, key: testKey, onError: onError)
        let worker = IngestWorker(plan)
        let bytes = ColumnBytes(Array(text.utf8))
        let result = worker.read(0..<bytes.count, of: bytes, as: .ndjson(NDJSONLayout(schema: schema, ignored: .rest)))
        return (try Table(assembling: [worker], plan: plan).rowsByUnit(), result)
    }

    @Test("JSON objects, one a line: escapes, any order, missing and unknown members, white space")
    func ndjson() throws {
        let text = #"""
            {"u": 1, "t": "a\"\\\/\n\u00e9\ud83d\ude00", "x": -1.5e2, "b": true, "d": "2020-02-29"}
            {"x":2,"u":2,"other":{"a":[1,{"b":"]"}],"c":null},"t":null}

              { "u" : 3.0 , "x" : "NaN", "t" : "" }
            """#.replacing("\n    ", with: "\n") + "\r\n{\"u\":4}"
        let (rows, result) = try json(text)
        #expect(result.wrong.isEmpty)
        #expect(rows[.integer(1)] == [[.integer(1), .text("a\"\\/\né😀"), .real(-150), .boolean(true), .date(18_321)]])
        #expect(rows[.integer(2)] == [[.integer(2), .null, .real(2), .null, .null]])
        #expect(rows[.integer(3)] == [[.integer(3), .text(""), .null, .null, .null]])
        #expect(rows[.integer(4)] == [[.integer(4), .null, .null, .null, .null]])
    }

    @Test(
        "Wrong JSON says its line and what was expected",
        arguments: [
            (#"{"u":1,"x":"five"}"#, "x", "a number or nothing"),
            (#"{"u":1,"t":5}"#, "t", "UTF-8 text or nothing; a number without quotes stands there"),
            (#"{"u":1,"b":"maybe"}"#, "b", "true or false or nothing"),
            (#"{"u":1,"t":["secret"]}"#, "t", "UTF-8 text or nothing; a list or an object stands there"),
            (#"{"u":"one"}"#, "u", "an integer or nothing"),
            (#"{"u":1"#, nil, "one JSON object on one line, each name in it once"),
            ("[1]", nil, "one JSON object on one line, each name in it once"),
            (#"{"u":1,"u":2}"#, nil, "one JSON object on one line, each name in it once"),
            (#"{"u":1} x"#, nil, "one JSON object on one line, each name in it once"),
            (#"{"u":1,"t":"\ud800"}"#, nil, "one JSON object on one line, each name in it once"),
            (
                #"{"u":1,"z":"# + String(repeating: "[", count: 100), nil,
                "one JSON object on one line, each name in it once"
            ),
            (#"{"u":1,}"#, nil, "one JSON object on one line, each name in it once"),
            (#"{"u":nul}"#, nil, "one JSON object on one line, each name in it once"),
            (#"{"u":1,"t":"a"#, nil, "one JSON object on one line, each name in it once"),
        ] as [(String, String?, String)])
    func wrongJSON(line: String, column: String?, expected: String) throws {
        let (_, result) = try json("{\"u\":7}\n" + line + "\n{\"u\":8}\n")
        #expect(result.wrong == [RowError(line: 1, column: column, expected: expected)])
        let (rows, all) = try json("{\"u\":7}\n" + line + "\n{\"u\":8}\n", .skipUnit)
        #expect(all.lines == 3 && rows[.integer(7)] != nil && rows[.integer(8)] != nil && rows[.integer(1)] == nil)
    }

    @Test("What is not loaded may be nested 64 deep, and no deeper")
    func nesting() throws {
        for (depth, isRight) in [(64, true), (65, false)] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let value =
                    String(repeating: open, count: depth - 1) + "[]" + String(repeating: close, count: depth - 1)
                let (rows, result) = try json("{\"z\":\(value),\"u\":1}\n")
                #expect(result.wrong.isEmpty == isRight)
                #expect((rows[.integer(1)] != nil) == isRight)
            }
        }
    }

    @Test("A unit's name outside the declared bounds is wrong however it is written: clipped, it would be another's")
    func unitsOutsideBounds() throws {
        let schema = Schema(columns: [ColumnSchema(name: "u", type: .integer, lowerBound: 1, upperBound: 9)])
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 2, key: testKey)
        let csv = RowFormat.csv(CSVLayout(format: CSVFormat(hasHeader: false), columns: [0]))
        for (value, isRight) in [(0, false), (1, true), (9, true), (10, false)] as [(Int64, Bool)] {
            for (text, format) in [
                ("\(value)\n", csv), ("\"\(value)\"\n", csv), ("+\(value)\n", csv),
                ("{\"u\":\(value)}\n", .ndjson(NDJSONLayout(schema: schema))),
            ] {
                let bytes = ColumnBytes(Array(text.utf8))
                let result = IngestWorker(plan).read(0..<bytes.count, of: bytes, as: format)
                #expect(result.wrong.isEmpty == isRight, "\(text)")
            }
            #expect(((try? Table(rows: [[.integer(value)]], plan: plan)) != nil) == isRight)
        }
    }

    @Test("Random bytes never trap a reader", arguments: 1...30)
    func garbage(seed: UInt64) throws {
        var dice = Dice(seed)
        let alphabet = Array(",\"\n\r{}[]:\\ue0123456789.-+tfnull \u{e9}".utf8) + [0xff, 0x00]
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 10, key: testKey, onError: .null)
        for _ in 0..<200 {
            let bytes = ColumnBytes((0..<dice.int(0...200)).map { _ in dice.pick(alphabet) })
            let worker = IngestWorker(plan)
            _ = worker.read(0..<bytes.count, of: bytes, as: .ndjson(NDJSONLayout(schema: schema, ignored: .rest)))
            let layout = CSVLayout(format: CSVFormat(hasHeader: false), columns: [0, 1, nil, 2])
            _ = worker.read(0..<bytes.count, of: bytes, as: .csv(layout))
            let table = try Table(assembling: [worker], plan: plan)
            #expect(table.rowCount <= 2 * bytes.count)
        }
    }
}
