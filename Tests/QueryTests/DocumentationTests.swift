import DatasiteProtocol
import Foundation
import Testing

@testable import Query

@Suite("docs/sql.md")
struct DocumentationTests {
    /// The SQL blocks of the page.
    private func examples() throws -> [String] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: folder.appending(path: "docs/sql.md"), encoding: .utf8)
        let parts = page.components(separatedBy: "```sql\n").dropFirst()
        return parts.compactMap { $0.components(separatedBy: "\n```").first }
    }

    @Test("Every example on the page can be asked")
    func examplesPlan() throws {
        let examples = try examples()
        #expect(examples.count >= 15)
        for example in examples { #expect(Fixtures.error(example) == nil, "\(example)") }
    }

    @Test("The page names every function, aggregate and limit")
    func complete() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: folder.appending(path: "docs/sql.md"), encoding: .utf8)
        let statistics = StatisticName.allCases.map(\.rawValue)
        for name in Binder.functionNames + Binder.aggregateNames + statistics {
            #expect(page.contains(name), "\(name)")
        }
    }
}
