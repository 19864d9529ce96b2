import Foundation

/// Files beside the tests.
enum Fixture {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    /// The key that the golden receipt is signed with.
    static let goldenKey = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

    /// A golden request, answer or receipt: the protocol's own tests keep them.
    static func golden(_ name: String) throws -> [UInt8] {
        let folder = repository.appending(path: "Tests/DatasiteProtocolTests/Fixtures")
        return Array(try Data(contentsOf: folder.appending(path: name)))
    }

    static func path(_ name: String) -> String { folder.appending(path: name).path }

    /// The package's own files.
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
}
