import DatasiteClient
import DatasiteProtocol
import Foundation
import Testing

@testable import parley

private let plain = Terminal(descriptor: 1, isTerminal: false, usesColour: false, usesUnicode: true, width: 80)
private let ascii = Terminal(descriptor: 1, isTerminal: false, usesColour: false, usesUnicode: false, width: 80)
private let colourful = Terminal(descriptor: 1, isTerminal: true, usesColour: true, usesUnicode: true, width: 80)

@Suite("What is printed")
struct TerminalTests {
    @Test("Control characters, escape sequences and bidirectional overrides are shown, never sent")
    func escaping() {
        #expect(PrintableText.escape("a\u{1B}[31mb") == "a\\u{1B}[31mb")
        #expect(PrintableText.escape("line\nnext\ttab\r") == "line\\nnext\\ttab\\r")
        #expect(PrintableText.escape("abc\u{202E}def\u{200B}") == "abc\\u{202E}def\\u{200B}")
        #expect(PrintableText.escape("\u{9B}31m") == "\\u{9B}31m")
        #expect(PrintableText.escape("Zürich, 東京") == "Zürich, 東京")
    }

    @Test("A table escapes its cells and keeps its columns aligned, wide characters included")
    func table() {
        var table = TextTable([.init(title: "city"), .init(title: "n", alignsRight: true)])
        table.append(["東京", "7"])
        table.append(["a\u{1B}b", "1,234"])
        let lines = table.render(on: plain).split(separator: "\n").map(String.init)
        #expect(lines == ["city          n", "────────  ─────", "東京          7", "a\\u{1B}b  1,234"])
    }

    @Test("A dictionary shows days and times, and not how programs count them")
    func bounds() {
        func values(_ type: String, _ lower: Double, _ upper: Double) -> String {
            CatalogueView.values(
                DatasetDetail.Column(
                    name: "x", type: type, description: "", nullable: true, lower: lower, upper: upper,
                    resolution: nil, domain: nil, role: nil))
        }
        #expect(values("date", 18_262, 19_357) == "2020-01-01 to 2022-12-31")
        #expect(values("date", -719_528, 0) == "0000-01-01 to 1970-01-01")
        #expect(values("timestamp", 1_577_836_800, 1_672_531_199) == "2020-01-01T00:00:00Z to 2022-12-31T23:59:59Z")
        #expect(values("integer", 1920, 2010) == "1920 to 2010" && values("integer", 0, 250_000) == "0 to 250,000")
        #expect(values("real", 0, 0.5) == "0 to 0.5")
    }

    @Test("A dictionary shows the grid of the values, and what those outside the domain become")
    func grids() {
        func values(_ type: String, step: Double) -> String {
            CatalogueView.values(
                DatasetDetail.Column(
                    name: "x", type: type, description: "", nullable: true, lower: type == "real" ? 0 : nil,
                    upper: type == "real" ? 10_000 : nil, earliest: type == "date" ? "2020-01-01" : nil,
                    latest: type == "date" ? "2022-12-31" : nil, resolution: step))
        }
        #expect(values("real", step: 100) == "0 to 10,000, in steps of 100")
        #expect(values("date", step: 1) == "2020-01-01 to 2022-12-31")
        #expect(values("date", step: 7) == "2020-01-01 to 2022-12-31, in steps of 7 days")
        let column = DatasetDetail.Column(
            name: "x", type: "text", description: "", nullable: true, domain: [.text("a"), .text("b")],
            other: .text("elsewhere"))
        #expect(CatalogueView.values(column) == "a, b; others become elsewhere")
    }

    @Test("The last column wraps at the terminal's edge, below its own start")
    func wrapping() {
        let narrow = Terminal(descriptor: 1, isTerminal: false, usesColour: false, usesUnicode: false, width: 32)
        let table = TextTable(titles: ["a", "text"], rows: [["x", "one two three four five six seven"]])
        #expect(
            table.render(on: narrow).split(separator: "\n").dropFirst(2) == [
                "x  one two three four five six", "   seven",
            ])
    }

    @Test("Colours are only sent where they are wanted")
    func colours() {
        #expect(plain.styled("x", .red) == "x")
        #expect(colourful.styled("x", .bold, .red) == "\u{1B}[1;31mx\u{1B}[0m")
        let environment = ["NO_COLOR": "1", "TERM": "xterm"]
        #expect(!Terminal(descriptor: 1, environment: environment).usesColour)
    }

    @Test("Numbers have commas between thousands and no negative zero")
    func numbers() {
        #expect(NumberText.fixed(1_234_567.891, decimals: 1) == "1,234,567.9")
        #expect(NumberText.fixed(-0.001, decimals: 2) == "0.00")
        #expect(
            NumberText.fixed(4.23e-18, decimals: 9) == "4.2e-18" && NumberText.fixed(0, decimals: 9) == "0.000000000")
        #expect(NumberText.fixed(-1234, decimals: 0) == "-1,234")
        #expect(NumberText.fixed(.infinity, decimals: 3) == "∞")
        #expect(NumberText.integer(Int64.min) == "-9,223,372,036,854,775,808")
        #expect(NumberText.significant(0.0000001234) == "1.234e-7")
        #expect(NumberText.significant(12345.678, digits: 6) == "12,345.68")
        for value in [0.00010080123, 0.0001009, 1.00001, 9.9995, 12_345.6, 3e-9] {
            let shown = Double(NumberText.significantAtLeast(value).replacing(",", with: "")) ?? 0
            #expect(shown >= value && shown <= value * 1.001)
        }
        for value in [0.00010080123, 0.0001009, 1.00001, 9.9995, 12_345.6, 3e-9, 0.99996] {
            let shown = Double(NumberText.significantAtMost(value).replacing(",", with: "")) ?? 0
            #expect(shown <= value && shown >= value * 0.999)
        }
        #expect(NumberText.significantAtMost(3.9999999999934, digits: 3) == "4")
        #expect(NumberText.significantAtMost(0) == "0")
        #expect(NumberText.decimals(forHalfWidth: 0.034) == 3)
        #expect(NumberText.decimals(forHalfWidth: 34) == 0)
    }

    @Test("A Rényi loss is told as an epsilon; what is left is not rounded up, and the least not down")
    func losses() {
        let loss = Loss(
            kind: "renyi", rho: 0.25768, delta: 4.746e-7, epsilonAtDelta: 3.8464, conversionDelta: 5e-7,
            divergences: [0.5, 1, 1, 1, 1, 1, 1, 1])
        #expect(loss.shortText == "ε 3.85, δ 4.75e-7")
        #expect(loss.leftText == "ε 3.84, δ 4.74e-7")
        #expect(loss.leastText == "ρ 0.2577 (ε 3.847 at δ 5e-7)")
        #expect(Loss(kind: "renyi", delta: 1e-9, divergences: [0.5]).shortText == "D₂ 0.5, δ 1e-9")
        #expect(Loss(kind: "zcdp", rho: 0.123456).leftText == "ρ 0.1234")
        #expect(Loss(kind: "pure", epsilon: 0.123456).leastText == "ε 0.1235")
        // A charge of the least is not shown below it, wherever it is shown.
        #expect(loss.chargeText == "Rényi: ε 3.85 at δ 5e-7 and δ 4.75e-7")
        let least = Loss(kind: "zcdp", rho: 0.000123412, epsilonAtDelta: 0.08452, conversionDelta: 5e-7)
        #expect(least.leastText == "ρ 0.0001235 (ε 0.08452 at δ 5e-7)")
        #expect(least.chargeText == "ρ 0.0001235 (ε 0.0846 at δ 5e-7)")
        #expect(least.meaningText == "ρ 0.0001235 (ε 0.0846)")
        #expect(least.amountChargedText == "ρ 0.0001235" && least.amountText == "ρ 0.0001234")
        let tenth = Loss(kind: "pure", epsilon: 0.1)
        #expect(Loss.sumText([tenth, tenth, tenth]) == "ε 0.3" && tenth.chargeText == "ε 0.1")
    }

    @Test("CSV quotes what needs it and defuses what a spreadsheet would run")
    func commaSeparated() {
        #expect(CommaSeparated.line(["a", "b,c", "d\"e", "f\ng"]) == "a,\"b,c\",\"d\"\"e\",\"f\ng\"\r\n")
        #expect(CommaSeparated.line(["", nil, "a", nil]) == "\"\",,a,\r\n")
        #expect(CommaSeparated.text("\u{1B}[31mred\u{9B}0m\u{202E}\r\n") == "\\u{1B}[31mred\\u{9B}0m\\u{202E}\\r\\n")
        #expect(CommaSeparated.text("\t=1") == "\\t=1")
        #expect(CommaSeparated.text("=1+1") == "'=1+1")
        #expect(CommaSeparated.text("1+1") == "1+1")
        #expect(CommaSeparated.text("@x") == "'@x")
    }

    @Test("In CSV, keys that are null, empty and hostile are told apart, and none reaches a terminal as it is")
    func keysInCSV() {
        let hostile = "\u{1B}[31mred"
        var answer = exampleAnswer
        answer.columns = [
            .init(name: "v", type: "text", isKey: true), .init(name: hostile, type: "integer", isKey: false),
        ]
        answer.rows = [Scalar.text(""), .null, .text(hostile)].map {
            [.init(value: $0), .init(value: .integer(3), lower: .integer(1), upper: .null)]
        }
        let name = "\\u{1B}[31mred"
        #expect(
            AnswerTable(answer).commaSeparated()
                == "v,\(name),\(name)_lower,\(name)_upper,\(name)_flags\r\n\"\",3,1,,\r\n,3,1,,\r\n\(name),3,1,,\r\n")
    }

    @Test("JSON on a terminal says the same without what a terminal would obey")
    func json() throws {
        let json = #"{"a": ["\u001b[31m", "é"# + "\u{9B}31m\u{202E}\u{7F}\u{E0001}" + #"", 1]}"# + "\n"
        let shown = PrintableText.escapeJSON(json)
        #expect(shown == #"{"a": ["\u001b[31m", "é\u009b31m\u202e\u007f\udb40\udc01", 1]}"# + "\n")
        let (a, b) = try (
            JSONSerialization.jsonObject(with: Data(json.utf8)), JSONSerialization.jsonObject(with: Data(shown.utf8))
        )
        #expect(a as? NSDictionary == b as? NSDictionary)
    }

    @Test("A mark stands under the place in the SQL text that is wrong")
    func mark() {
        #expect(
            SourceMark("SELECT a\nFROM zürich x", offset: 16).lines == [
                "  line 2: FROM zürich x", "                 ^",
            ])
        #expect(SourceMark("", offset: 5).lines == ["  line 1: ", "          ^"])
    }

    @Test("What a hostile site says in a problem reaches the terminal as text: no escape sequence, in no part of it")
    func hostileProblem() throws {
        let hostile = "\u{1B}]0;owned\u{7}\u{1B}[2K\u{9B}31m\u{202E}gnp.exe\r\u{8}"
        let pipe = Pipe()
        let terminal = Terminal(
            descriptor: pipe.fileHandleForWriting.fileDescriptor, isTerminal: true, usesColour: false,
            usesUnicode: true,
            width: 80)
        let untitled = try JSONEncoder().encode([
            "type": hostile, "title": "title \(hostile)", "detail": "", "status": "500",
        ])
        for error in [
            Problem(
                .overBudget, "detail \(hostile)\nnext \(hostile)", hint: "hint \(hostile)\nnext \(hostile)",
                position: 3),
            try JSONDecoder().decode(
                Problem.self,
                from: Data(String(decoding: untitled, as: UTF8.self).replacing(#""500""#, with: "500").utf8)),
            Failure("what \(hostile)", next: "next \(hostile)"),
            TransportError(.interrupted, "detail \(hostile)", hint: "hint \(hostile)"),
            Unforeseen(description: hostile),
        ] as [any Error] {
            report(error, sql: "SELECT \(hostile)", on: terminal)
        }
        try pipe.fileHandleForWriting.close()
        let shown = String(decoding: try #require(try pipe.fileHandleForReading.readToEnd()), as: UTF8.self)
        let isText = shown.unicodeScalars.allSatisfy { scalar in
            scalar == "\n" || !(scalar.properties.isBidiControl || scalar.properties.generalCategory == .control)
        }
        #expect(isText, "\(shown.debugDescription)")
        // All of it is there, and it is nothing but text.
        #expect(shown.ranges(of: "\\u{1B}]0;owned\\u{7}\\u{1B}[2K\\u{9B}31m\\u{202E}gnp.exe\\r\\u{8}").count == 11)
        #expect(shown.ranges(of: "error: ").count == 5)
    }

    private struct Unforeseen: Error, CustomStringConvertible { var description: String }

    @Test("A bar reaches the lower end of its interval and its error bar the upper; zero is on the scale")
    func plot() {
        let bars = [
            BarPlot.Bar(label: "a", value: 10, lower: 8, upper: 12, text: "10"),
            BarPlot.Bar(label: "b", value: -4, lower: nil, upper: nil, text: "-4"),
        ]
        let lines = BarPlot(title: "t", bars: bars).render(on: ascii).split(separator: "\n").map(String.init)
        #expect(lines[0] == "t")
        #expect(lines[1].contains("###|-"))
        #expect(lines[1].contains("-o-"))
        #expect(lines[1].contains("-|  10"))
        #expect(lines[2].hasPrefix("  b  ####"))
        #expect(!lines[2].contains("o"))
    }

    @Test(
        "An interval that is unbounded, or far wider than the others, does not squeeze their bars; a row without value stays"
    )
    func plotOfUnbounded() {
        let bars = [
            BarPlot.Bar(label: "a", value: 10, lower: 9, upper: 11, text: "10"),
            BarPlot.Bar(label: "b", value: 8, lower: -.infinity, upper: .infinity, text: "8  (unbounded)"),
            BarPlot.Bar(label: "c", value: 5, lower: 4, upper: 6, text: "5"),
            BarPlot.Bar(label: "d", value: 5, lower: -395, upper: 405, text: "5"),
            BarPlot.Bar(label: "e", value: nil, lower: nil, upper: nil, text: "no value"),
        ]
        func lines(_ bars: [BarPlot.Bar]) -> [String] {
            BarPlot(title: "t", bars: bars).render(on: ascii).split(separator: "\n").map(String.init)
        }
        let drawn = lines(bars)
        #expect(drawn.count == 6 && drawn[5].hasPrefix("  e ") && drawn[5].hasSuffix("  no value"))
        #expect(drawn[2].contains("<") && drawn[2].contains(">") && drawn[4].contains("<") && drawn[4].contains(">"))
        // The others reach as far as they do without it.
        func reach(_ line: String) -> Int {
            line.distance(from: line.startIndex, to: line.lastIndex(of: "|") ?? line.startIndex)
        }
        #expect(reach(drawn[1]) > 55 && reach(drawn[1]) == reach(lines([bars[0], bars[1]])[1]))
    }

    @Test("A plot of long labels and values fits the terminal, and loses none of them", arguments: TableTests.widths)
    func wideLabels(width: Int) {
        let label = "municipality of 東京都 with a name that is longer than half of a line of text"
        let text = "1,234,567,890*^  (1,190,000,000 to 1,210,000,000)"
        let terminal = Terminal(descriptor: 1, isTerminal: false, usesColour: false, usesUnicode: true, width: width)
        let drawn = BarPlot(title: label, bars: [.init(label: label, value: 1, lower: 0, upper: 2, text: text)])
            .render(on: terminal)
        for line in drawn.split(separator: "\n") { #expect(PrintableText.width(line) <= width, "\(line)") }
        for word in (label + " " + text).split(separator: " ") { #expect(drawn.contains(word), "\(word)") }
    }

    @Test("The bins of a histogram are rows, of each group, and one plot")
    func histogram() {
        var answer = exampleAnswer
        let edges = [0.0, 10, 20.5]
        answer.columns =
            [answer.columns[0]]
            + zip(edges, edges.dropFirst()).map {
                .init(
                    name: "ages [\($0), \($1))", type: "integer", isKey: false,
                    bin: .init(histogram: "ages", lower: $0, upper: $1))
            }
        answer.rows = [("a", 7), ("b", 1_200)].map { key, count in
            [.init(value: .text(key))]
                + [count, -3].map {
                    .init(value: .integer($0), lower: .real(Double($0) - 5), upper: .real(Double($0) + 5))
                }
        }
        let table = AnswerTable(answer)
        #expect(
            table.render(on: plain).split(separator: "\n").map(String.init) == [
                "arm  ages        count  95 % interval", "───  ──────────  ─────  ──────────────",
                "a    [0, 10)         7  2 to 12", "a    [10, 20.5]     -3  -8 to 2",
                "b    [0, 10)     1,200  1,195 to 1,205",
                "b    [10, 20.5]     -3  -8 to 2",
            ])
        #expect(table.plots().map(\.title) == ["count of ages"])
        #expect(table.plots()[0].bars.map(\.label) == ["a, [0, 10)", "a, [10, 20.5]", "b, [0, 10)", "b, [10, 20.5]"])
        // Beside other estimates it is a table of its own.
        answer.columns.insert(.init(name: "n", type: "integer", isKey: false), at: 1)
        for row in answer.rows.indices { answer.rows[row].insert(.init(value: .integer(5)), at: 1) }
        #expect(
            AnswerTable(answer).tables.map { $0.columns.map(\.title) } == [
                ["arm", "n"], ["arm", "ages", "count", "95 % interval"],
            ])
        #expect(AnswerTable(answer).plots().map(\.title) == ["n", "count of ages"])
    }

    @Test("Dates have dates as the ends of their intervals; they stay in plots, without a bar")
    func dates() {
        var answer = exampleAnswer
        answer.columns[1].type = "date"
        answer.rows[0][1] = .init(value: .text("2021-05-01"), lower: .text("2021-04-01"), upper: .text("2021-06-01"))
        answer.rows[1][1] = .init(value: .null)
        let table = AnswerTable(answer)
        #expect(table.render(on: plain).contains("2021-05-01  2021-04-01 to 2021-06-01"))
        #expect(table.plots()[0].bars.map(\.text) == ["2021-05-01  (2021-04-01 to 2021-06-01)", "no value"])
    }

    @Test("Estimates show as many decimals as their intervals justify; CSV keeps them all")
    func answerTable() {
        let table = AnswerTable(exampleAnswer)
        let lines = table.render(on: plain).split(separator: "\n").map(String.init)
        #expect(lines[0] == "arm       n  95 % interval    mean  95 % interval")
        #expect(lines[2] == "free  1,200  1,190 to 1,210  3.412  3.380 to 3.440")
        #expect(lines[3] == "=x        3  -7 to 13        9.000  unbounded")
        let csv = table.commaSeparated().split(separator: "\r\n").map(String.init)
        #expect(csv[0] == "arm,n,n_lower,n_upper,n_flags,mean,mean_lower,mean_upper,mean_flags")
        #expect(csv[1] == "free,1200,1190,1210,,3.4123,3.38,3.44,")
        #expect(csv[2] == "'=x,3,-7,13,,9.0,-Infinity,Infinity,")
        #expect(table.plots().map(\.title) == ["n", "mean"])
        #expect(table.legend().isEmpty)
    }

    @Test("Values whose intervals say too little carry marks, which a legend explains and CSV spells out")
    func flags() {
        var answer = exampleAnswer
        answer.rows[0][1].flags = ["bounded", "selected"]
        answer.rows[1][1].flags = ["bounded"]
        let table = AnswerTable(answer)
        let lines = table.render(on: plain).split(separator: "\n").map(String.init)
        #expect(lines[2] == "free  1,200*^  1,190 to 1,210  3.412  3.380 to 3.440")
        #expect(lines[3] == "=x        3*   -7 to 13        9.000  unbounded")
        #expect(table.legend().map { $0.prefix(2) } == ["* ", "^ "])
        #expect(table.plots()[0].bars[0].text.hasPrefix("1,200*^  ("))
        let csv = table.commaSeparated().split(separator: "\r\n").map(String.init)
        #expect(csv[1] == "free,1200,1190,1210,bounded selected,3.4123,3.38,3.44,")
        answer.rows[1][1].flags = ["of a later version"]
        #expect(AnswerTable(answer).commaSeparated().contains("of a later version"))
    }
}

private let exampleAnswer = Answer(
    request: "r", dataset: "d", version: "v", sql: "s", charge: Loss(kind: "pure", epsilon: 1),
    columns: [
        .init(name: "arm", type: "text", isKey: true), .init(name: "n", type: "integer", isKey: false),
        .init(name: "mean", type: "real", isKey: false),
    ],
    rows: [
        [
            .init(value: .text("free")), .init(value: .integer(1200), lower: .integer(1190), upper: .integer(1210)),
            .init(value: .real(3.4123), lower: .real(3.38), upper: .real(3.44)),
        ],
        [
            .init(value: .text("=x")), .init(value: .integer(3), lower: .integer(-7), upper: .integer(13)),
            .init(value: .real(9), lower: .text("-Infinity"), upper: .text("Infinity")),
        ],
    ], notes: [],
    guarantees: Guarantees(
        inputPrivacy: "", outputPrivacy: "", inputVerification: "", outputVerification: "", flowGovernance: ""),
    mock: false)
