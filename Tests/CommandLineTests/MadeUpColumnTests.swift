import DatasiteProtocol
import Foundation
import Testing

@testable import parley

@Suite("A synthetic table's file says which columns are made up")
struct MadeUpColumnTests {
    @Test("At their names, in CSV as in the table; the others keep theirs, also where one name begins another")
    func names() throws {
        var answer = Answer(
            request: "r", dataset: "d", version: "v", sql: "s", charge: Loss(kind: "pure", epsilon: 1),
            columns: ["kind", "note", "notes"].map { .init(name: $0, type: "text", isKey: true) },
            rows: [["a", "b", "c"].map { .init(value: .text($0)) }], notes: [],
            guarantees: Guarantees(
                inputPrivacy: "", outputPrivacy: "", inputVerification: "", outputVerification: "", flowGovernance: ""),
            mock: false)
        let document = #"{"madeUp": ["notes: it has no domain"]}"#
        answer.markMadeUp(try JSONDecoder().decode(MadeUpColumns.self, from: Data(document.utf8)))
        #expect(AnswerTable(answer).commaSeparated() == "kind,note,notes (made up)\r\na,b,c\r\n")
        answer.markMadeUp(try JSONDecoder().decode(MadeUpColumns.self, from: Data("{}".utf8)))
        #expect(answer.columns.map(\.name) == ["kind", "note", "notes (made up)"])
    }

    @Test("The mark of a value that lies at a bound to which others were clipped, and its legend")
    func clipped() {
        let answer = Answer(
            request: "r", dataset: "d", version: "v", sql: "s", charge: Loss(kind: "pure", epsilon: 1),
            columns: [.init(name: "n", type: "integer", isKey: false)],
            rows: [[.init(value: .integer(99), lower: .integer(90), upper: .integer(99), flags: ["clipped"])]],
            notes: [],
            guarantees: Guarantees(
                inputPrivacy: "", outputPrivacy: "", inputVerification: "", outputVerification: "", flowGovernance: ""),
            mock: false)
        let table = AnswerTable(answer)
        #expect(table.legend().count == 1 && table.legend()[0].hasPrefix("| "))
        #expect(table.commaSeparated().contains("99,90,99,clipped"))
    }
}
