import Datasite
import DatasiteProtocol
import Foundation
import Testing

/// Requests as wrong clients send them, each with the status and the words that it must be met with. `PARLEY_RECORD=1`
/// writes them anew.
@Suite("Wrong requests get clear words")
struct WrongRequestTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "HostileInputTests/Wrong/http")

    @Test("Each wrong request is answered with one problem document, and nothing is charged")
    func requests() async throws {
        let served = try ServedSite()
        let token = try #require(served.token("ada"))
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
            .filter { $0.hasSuffix(".http") }.sorted()
        #expect(names.count > 30)
        try await served.serve { ports in
            for name in names {
                let file = Self.folder.appending(path: name)
                let bytes = Array(try Data(contentsOf: file))
                let sent = Self.replacing(Array("TOKEN".utf8), in: bytes, with: Array(token.utf8))
                let response = RawResponse(
                    try await RawConnection.open(port: ports.http) { connection in
                        try await connection.send(sent)
                        return await connection.readToEnd()
                    })
                #expect(response.status >= 400, "\(name)")
                guard response.status >= 400 else { continue }
                let problem = try response.problem()
                var lines = ["\(problem.status) \(problem.title)", problem.detail]
                if let position = problem.position { lines.append("at byte \(position) of the question") }
                if let hint = problem.hint { lines.append(hint) }
                let words = file.deletingPathExtension().appendingPathExtension("txt")
                let found = lines.joined(separator: "\n") + "\n"
                if ProcessInfo.processInfo.environment["PARLEY_RECORD"] == "1" {
                    try Data(found.utf8).write(to: words)
                }
                #expect(try found == String(contentsOf: words, encoding: .utf8), "\(name)")
                #expect(!response.body.contains(token))
            }
        }
        #expect(try served.site.budget(as: Datasite.localOwner)[0].lines[0].spent.epsilon == 0)
    }

    private static func replacing(_ pattern: [UInt8], in bytes: [UInt8], with other: [UInt8]) -> [UInt8] {
        guard let place = bytes.firstRange(of: pattern) else { return bytes }
        return Array(bytes[..<place.lowerBound]) + other + Array(bytes[place.upperBound...])
    }
}
