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
}
