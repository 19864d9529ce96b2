import DatasiteProtocol
import Foundation
import Testing

@testable import Datasite

@Suite("Public lookup tables")
struct LookupTests {
    private static func manifest(_ rest: String) -> String {
        """
        name: genres
        kind: lookup
        \(rest)
        columns:
          - {name: code, type: text}
          - {name: genre, type: text}
        """
    }

    private static let rows = "code,genre\na,drama\na,farce\nb,drama\n"

    private static func question(_ sql: String) -> AskRequest {
        AskRequest(dataset: "visits", sql: sql, budget: .epsilon(1))
    }

    @Test("A table with several rows for a key says how many, which is enforced when it is added")
    func rowsPerKey() async throws {
        let test = try TestSite()
        let file = try test.file("genres", Self.rows)
        for wrong in ["key: code", "key: code\nrows-per-key: 0", "key: code\nrows-per-key: 1001"] {
            #expect(throws: Problem.self, "\(wrong)") {
                try test.site.addDataset(file: file, manifestText: Self.manifest(wrong))
            }
        }
        _ = try test.site.addDataset(file: file, manifestText: Self.manifest("lookup: {key: code, rows-per-key: 2}"))
        let preview = try await test.site.preview(
            Self.question("SELECT genre, COUNT(*) FROM visits JOIN genres ON kind = code GROUP BY genre"), as: .ada)
        // The genres that stand in the table, though its manifest declares none.
        #expect(preview.groups == 2)
        #expect(preview.notes.contains { $0.contains("up to 2") })
        let answer = try await test.site.ask(
            Self.question("SELECT genre, COUNT(*) FROM visits JOIN genres ON kind = code GROUP BY genre"), as: .ada)
        #expect(answer.answer != nil)
        let other = try test.file("more", "code,genre\na,drama\na,farce\na,opera\n")
        #expect(throws: Problem.self) { try test.site.addVersion(of: "genres", file: other) }
        #expect(try test.site.verify().problems == [])
    }

    @Test("The catalogue shows a public table's own rows, not made-up ones")
    func shown() throws {
        let test = try TestSite()
        _ = try test.site.addDataset(
            file: try test.file("genres", Self.rows), manifestText: Self.manifest("key: code\nrows-per-key: 2"))
        let detail = try test.site.dataset("genres")
        #expect(
            Set(detail.mockRows) == [
                [.text("a"), .text("drama")], [.text("a"), .text("farce")], [.text("b"), .text("drama")],
            ])
        #expect(detail.mockSource?.contains("3 of 3 rows") == true)
        #expect(try test.site.dataset("visits").mockSource == nil)
    }

    @Test("A lookup table is drafted as one on request: what is left to say is what it is, and its key")
    func drafted() async throws {
        let test = try TestSite()
        let file = try test.file("codes", "code,order,price\na,first,1.5\nb,second,2\nc,third,4\n")
        var options = DraftOptions()
        options.isLookup = true
        let draft = try Datasite.describe(file, options: options).text
        for key in ["population:", "unit:", "capacity:", "policy:", "bounds: [SET", "domain:"] {
            #expect(!draft.contains(key), "\(key)")
        }
        let refusal = await problem { _ = try test.site.addDataset(file: file, manifestText: draft) }
        #expect(refusal?.detail.contains("key") == true)
        let set = draft.replacing("key: SET", with: "key: code").replacing(": SET", with: ": made up")
        #expect(try test.site.addDataset(file: file, manifestText: set).units == nil)
        #expect(try test.site.dataset("codes").summary.kind == "lookup")
        let sql = "SELECT \"order\", COUNT(*) FROM visits JOIN codes ON kind = code GROUP BY \"order\""
        let answer = try await test.site.ask(
            AskRequest(dataset: "visits", sql: sql, budget: .epsilon(1)), as: .ada)
        #expect(answer.answer != nil)
        // The usual draft names the other.
        #expect(try Datasite.describe(file).text.contains("--lookup"))
    }
}
