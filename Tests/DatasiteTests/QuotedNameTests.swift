import DatasiteProtocol
import Foundation
import Query
import Testing

@testable import Datasite

@Suite("Names that are words of SQL, or more than a word, stand in double quotes, and whoever meets one is told")
struct QuotedNameTests {
    @Test(
        "What is written is read as the name",
        arguments: ["full", "ORDER", "Left", "my-data", "interval", "visits", "date", "fullness"])
    func written(_ name: String) throws {
        let isPlain = ["visits", "date", "fullness"].contains(name)
        #expect(SQLName.written(name) == (isPlain ? name : "\"\(name)\""))
        #expect(SQLName.written("a \"b\"") == "\"a \"\"b\"\"\"")
        for strange in ["", "#", "'", "1st", "a b", "-"] { #expect(SQLName.written(strange) == "\"\(strange)\"") }
    }

    @Test(
        "The owner is told when such a table is added, also of its columns, and how long answers take; a refusal says it too"
    )
    func added() async throws {
        let test = try TestSite()
        let file = try test.file("orders", "person,order,amount\n1,2,3\n")
        for name in ["full", "my-data"] {
            let manifest = TestSite.manifest(name, policy: "{loss: pure, total: {epsilon: 10}}")
                .replacing(
                    "name: kind, type: category, domain: [a, b, c]", with: "name: order, type: integer, bounds: [0, 9]")
            let report = try test.site.addDataset(file: file, manifestText: manifest)
            #expect(
                report.warnings.contains(
                    "in questions \(name) stands in double quotes: SELECT COUNT(*) FROM \"\(name)\""),
                "\(report.warnings)")
            #expect(report.warnings.contains("columns that stand in double quotes in questions: \"order\""))
            #expect(report.time != nil)
            func ask(_ sql: String) async throws {
                _ = try await test.site.ask(AskRequest(dataset: name, sql: sql, budget: .epsilon(1)), as: .ada)
            }
            try await ask("SELECT AVG(\"order\") FROM \(SQLName.written(name))")
            guard name == "full" else { continue }
            let refusal = await problem { try await ask("SELECT COUNT(*) FROM full") }
            #expect(
                refusal?.hint == "As a name it stands in double quotes: \"full\".", "\(String(describing: refusal))")
        }
        #expect(try test.add("plain", policy: "{loss: pure, total: {epsilon: 10}}").warnings.isEmpty)
    }
}
