import DatasiteProtocol
import Foundation
import Testing

@testable import parley

@Suite("Tables at a terminal's width")
struct TableTests {
    static let widths = [40, 80, 120]

    private static let id = "45ba2653c2419ec74af7e327e50679c8"
    private static let time = "2026-11-21T09:30:00Z"
    private static let name = "sickness_absence_of_municipal_employees"
    private static let loss = Loss(
        kind: "zcdp", rho: 0.01064, delta: 1e-7, epsilonAtDelta: 0.5, conversionDelta: 5e-7)
    private static let sql =
        "SELECT municipality, AVG(days_absent) AS days FROM \(name) WHERE year >= 2000 GROUP BY municipality"
    private static let wide = "全国健康保険協会の被保険者と被扶養者 🏥🚑 of all 47 都道府県"

    /// Every table that commands print, with long names.
    static let tables: [(what: String, table: TextTable)] = [
        (
            "data list",
            CatalogueView.table([
                DatasetSummary(
                    name: name, title: wide, version: "v", columns: 1_234, unit: "employee_pseudonym",
                    population: "employees_of_all_municipalities", kind: "private")
            ])
        ),
        (
            "requests, history",
            RequestView.table([
                RequestSummary(
                    id: id, researcher: "elisabeth.sommerfeld", dataset: name, sql: sql, charge: loss, state: "pending",
                    approvals: ["a"], approvalsNeeded: 2, reason: nil, created: time)
            ])
        ),
        (
            "jobs",
            JobView.table([
                JobSummary(
                    id: id, kind: .request, who: "elisabeth.sommerfeld", dataset: name, words: sql, state: .running,
                    step: 1, steps: 3, doing: "counting pairs of columns", begun: time, changed: time)
            ])
        ),
        (
            "audit",
            AuditCommand.table(
                [
                    AuditEntry(
                        index: 1_234_567, time: time, action: "policy changed", actor: "elisabeth.sommerfeld",
                        dataset: name, detail: sql, charge: loss, hash: id + id)
                ], hashes: true)
        ),
        (
            "preview",
            PreviewView.table([
                .init(
                    name: "the_average_number_of_days_absent_by_municipality", type: "real", isKey: false,
                    mechanism:
                        "discrete Gaussian, standard deviation 12,345.6; discrete Gaussian, standard deviation 98.7",
                    standardDeviation: 1, expectedError: 123_456.789)
            ])
        ),
        ("answer", AnswerTable(answer).tables[0]),
    ]

    private static let answer: Answer = {
        func cell(_ value: Double) -> Answer.Cell {
            .init(value: .real(value), lower: .real(value - 1_234.5), upper: .real(value + 1_234.5))
        }
        return Answer(
            request: "r", dataset: "d", version: "v", sql: "s", charge: Loss(kind: "pure", epsilon: 1),
            columns: [.init(name: "municipality", type: "text", isKey: true)]
                + ["employees_of_the_municipality", "average_days_absent", "total_days_absent"].map {
                    .init(name: $0, type: "real", isKey: false)
                },
            rows: [wide, "a", "Bürgermeisteramt"].map {
                [.init(value: .text($0)), cell(1_234_567.8), cell(-12_345.6), cell(1e9)]
            }, notes: [],
            guarantees: Guarantees(
                inputPrivacy: "", outputPrivacy: "", inputVerification: "", outputVerification: "", flowGovernance: ""),
            mock: false)
    }()

    private static func terminal(_ width: Int?) -> Terminal {
        Terminal(descriptor: 1, isTerminal: false, usesColour: false, usesUnicode: true, width: width)
    }

    @Test("No line is wider than the terminal, and no character of a value is lost", arguments: widths)
    func fits(width: Int) {
        for (what, whole) in Self.tables {
            let text = whole.render(on: Self.terminal(width))
            let table = whole.cut(on: Self.terminal(width))
            for line in text.split(separator: "\n") {
                #expect(PrintableText.width(line) <= width, "\(what): \(line)")
            }
            // What is printed beside the values is their columns' names: once, or once a record.
            let beside = Self.counts(text).merging(
                Self.counts(table.rows.joined().joined()).mapValues { -$0 }, uniquingKeysWith: +)
            let names = Self.counts(table.columns.map(\.title).joined())
            let isTable = beside.allSatisfy { $1 == names[$0] ?? 0 }
            let isRecords = beside.allSatisfy { $1 == (names[$0] ?? 0) * table.rows.count }
            #expect(isTable || isRecords, "\(what): \(beside) in\n\(text)")
        }
    }

    @Test("The words of a request are cut to 60 columns, or to what a wide terminal has beside the others")
    func cut() throws {
        let job = try #require(Self.tables.first { $0.what == "jobs" }).table
        let text = job.render(on: Self.terminal(nil))
        #expect(text.contains(Self.sql.prefix(59) + "…  running"), "\(text)")
        #expect(job.render(on: Self.terminal(400)).contains(Self.sql))
        let plain = Terminal(descriptor: 1, isTerminal: false, usesColour: false, usesUnicode: false, width: nil)
        #expect(job.render(on: plain).contains(Self.sql.prefix(57) + "...  running"))
        for columns in 1...90 {
            let cut = PrintableText.cut(Self.wide, to: columns, ellipsis: "…")
            #expect(PrintableText.width(cut) <= columns && (cut == Self.wide || cut.hasSuffix("…")), "\(cut)")
        }
        #expect(PrintableText.cut("four", to: 4, ellipsis: "…") == "four")
    }

    @Test("Uses are told beside a population's losses, and in the cost of what is counted by both")
    func uses() {
        let table = BudgetView.table([
            .init(
                dataset: "shared", engine: "federated-training", scope: "all researchers", limit: 1_200, spent: 6,
                held: 10, remaining: 1_184)
        ])
        let words = table.render(on: Self.terminal(80)).split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.hasSuffix("shared federated-training all researchers 1,200 6 10 1,184"))
        #expect(Loss(kind: "uses", uses: 6).meaningText == "6 uses")
        let both = Loss(kind: "pure", epsilon: 0.5, uses: 1)
        #expect(both.chargeText == "ε 0.5 and 1 use" && both.meaningText == "ε 0.5, 1 use")
    }

    @Test("A request's state is told as jobs have it: what is stored as reserved is approved and charged")
    func states() {
        let words = ["pending", "reserved", "released", "denied"].map(RequestState.words)
        #expect(
            words == [
                "its request waits for its owner", "its request is approved and charged",
                "its part is done, and let out",
                "its request is denied",
            ])
    }

    /// How often each character occurs, but for what aligns.
    private static func counts(_ text: String) -> [Character: Int] {
        text.filter { $0 != " " && $0 != "\n" && $0 != "─" }.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    @Test("A population's ledger fits 80 columns, whatever its names")
    func budget() throws {
        let pipe = Pipe()
        let terminal = Terminal(
            descriptor: pipe.fileHandleForWriting.fileDescriptor, isTerminal: false, usesColour: false,
            usesUnicode: true,
            width: 80)
        let scopes = ["all researchers", "researcher elisabeth.sommerfeld@municipality.example", "window 30d"]
        BudgetView.show(
            BudgetReport(
                population: "employees_of_all_municipalities", datasets: [Self.name, "wages_" + Self.name, "plans"],
                lines: scopes.map { .init(scope: $0, limit: Self.loss, spent: Self.loss, remaining: Self.loss) },
                leastCharge: Self.loss, raised: Self.time), on: terminal)
        try pipe.fileHandleForWriting.close()
        let shown = String(decoding: try #require(try pipe.fileHandleForReading.readToEnd()), as: UTF8.self)
        for line in shown.split(separator: "\n") { #expect(PrintableText.width(line) <= 80, "\(line)") }
        for name in [Self.name, "researcher", "elisabeth.sommerfeld@municipality.example"] {
            #expect(shown.contains(name))
        }
    }

    @Test("Ids, times and numbers are not broken at 80 columns, so that they can be copied")
    func unbroken() {
        for (what, table) in Self.tables {
            let text = table.render(on: Self.terminal(80))
            for value in ["1,234,568", Self.id, Self.time, Self.name] where table.rows.joined().contains(value) {
                #expect(text.contains(value), "\(what): \(value) in\n\(text)")
            }
        }
    }

    @Test("Where cells fold, columns stay one below the other")
    func folding() {
        let table = TextTable(
            [.init(title: "arm"), .init(title: "visits", alignsRight: true), .init(title: "95 % interval")],
            rows: [["free care of all the families", "1,234", "1,190 to 1,210"], ["none", "7", "-3 to 17"]])
        #expect(
            table.render(on: Self.terminal(42)).split(separator: "\n") == [
                "arm                 visits  95 % interval",
                "──────────────────  ──────  ──────────────",
                "free care of all     1,234  1,190 to 1,210",
                "the families",
                "none                     7  -3 to 17",
            ])
    }

    @Test("A row that would take more lines folded is printed as a record, each value beside its column's name")
    func records() {
        let table = TextTable(
            [
                .init(title: "id"), .init(title: "n", alignsRight: true), .init(title: "empty"),
                .init(title: "question"),
            ],
            rows: [[Self.id, "7", "", "SELECT a, b"], ["x", "8", "", "SELECT"]])
        #expect(
            table.render(on: Self.terminal(44)) == """
                id        \(Self.id)
                n         7
                question  SELECT a, b

                id        x
                n         8
                question  SELECT

                """)
    }

    @Test("Through a pipe, where nobody says how wide lines may be, a row that does not fit is one line")
    func pipes() {
        for (what, table) in Self.tables where what != "preview" && what != "answer" {
            let lines = table.render(on: Self.terminal(nil)).split(separator: "\n")
            #expect(lines.count == 2 + table.rows.count, "\(what): \(lines)")
        }
    }

    @Test("Wide characters count as their columns, combining ones as none; text breaks between characters")
    func wideCharacters() {
        for (text, width) in [("東京", 4), ("e\u{301}", 1), ("🚑", 2), ("⌚", 2), ("🇨🇭", 2), ("한", 2), ("a—b", 3)] {
            #expect(PrintableText.width(text) == width, "\(text)")
        }
        #expect(PrintableText.wrapped("東京都e\u{301}x", to: 5) == ["東京", "都e\u{301}x"])
        #expect(PrintableText.wrapped("a  b ccccc", to: 4) == ["a  b", "cccc", "c"])
        #expect(PrintableText.wrapped("", to: 4) == [""])
    }
}
