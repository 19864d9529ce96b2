import DatasiteProtocol
import Foundation
import Testing

@Suite("A budget is one of three members of its request")
struct BudgetTests {
    private static let forms: [(Budget, json: String)] = [
        (.epsilon(0.1), #""epsilon":0.1"#),
        (.rho(0.01), #""rho":0.01"#),
        (.error(relative: 0.02, groupSize: 1_000), #""error":{"groupSize":1000,"relative":0.02}"#),
    ]

    @Test("Each form is written as the wire has it, and read back strictly and leniently", arguments: forms)
    func wire(_ budget: Budget, json: String) throws {
        let request = AskRequest(
            dataset: "d", sql: "SELECT 'é\u{0}\u{1F}/'", budget: budget, selectionDelta: 1e-12, groupsPerUnit: 3,
            rowsPerGroup: 4)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = try encoder.encode(request)
        #expect(String(decoding: bytes, as: UTF8.self).contains(json))
        let members = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        let name = String(json.dropFirst().prefix { $0 != "\"" })
        #expect(Set(members.keys) == ["dataset", "sql", name, "selectionDelta", "groupsPerUnit", "rowsPerGroup"])
        #expect(try AskRequest(decoding: Array(bytes)) == request)
        #expect(try JSONDecoder().decode(AskRequest.self, from: bytes) == request)
    }

    @Test(
        "A stored request without a budget, or with two, is not read",
        arguments: [
            "", #","epsilon":null"#, #","epsilon":1,"rho":1"#, #","rho":1,"error":{"relative":1,"groupSize":1}"#,
        ])
    func one(_ budgets: String) {
        let text = #"{"dataset":"d","sql":"s"\#(budgets)}"#
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(AskRequest.self, from: Data(text.utf8)) }
        #expect(throws: JSONError.self) { try AskRequest(decoding: Array(text.utf8)) }
    }

    @Test("A member that is null is none")
    func null() throws {
        let text = #"{"dataset":"d","sql":"s","epsilon":null,"rho":2,"error":null}"#
        #expect(try JSONDecoder().decode(AskRequest.self, from: Data(text.utf8)).budget == .rho(2))
        #expect(try AskRequest(decoding: Array(text.utf8)).budget == .rho(2))
    }
}
