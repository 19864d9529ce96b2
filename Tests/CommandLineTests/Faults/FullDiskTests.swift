import DatasiteClient
import DatasiteProtocol
import Foundation
import Testing

/// A disk of its own that is full while questions are asked, a table is added and the server starts, or read-only. Where
/// no file system can be mounted, `LedgerTests` has a full database without one.
@Suite("Full and read-only disks", .enabled(if: SmallDisk.isPossible, "mounting a small file system needs root"))
struct FullDiskTests {
    private static let question = AskRequest(
        dataset: "survey", sql: "SELECT arm, COUNT(*) AS n FROM survey GROUP BY arm", budget: .epsilon(0.25))

    private let disk: SmallDisk
    private let site: String
    private let place: Workplace

    init() throws {
        place = try Workplace()
        disk = try SmallDisk(at: place.path("disk"))
        site = disk.path + "/site"
        try place.write(SmallSurvey.csv, to: "survey.csv")
        try place.write(SmallSurvey.csv(people: 480), to: "larger.csv")
        try place.write(SmallSurvey.manifest(epsilon: 10_000, leastShare: "1e-5"), to: "manifest.yaml")
        #expect(try place.parley("site", "init", site).status == 0)
        let added = try place.parley(
            "data", "add", "survey.csv", "--manifest", "manifest.yaml", "--site", site, "--yes")
        #expect(added.status == 0, "\(added.all)")
    }

    private func researcher() throws -> String {
        try place.parley("user", "add", "ana", "--role", "researcher", "--site", site).output
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Asks until it is refused; the answers by key, and the refusal.
    private func askUntilRefused(
        _ client: DatasiteClient, _ answers: inout [String: [UInt8]]
    ) async throws -> (key: String, problem: Problem)? {
        for number in 0..<3_000 {
            let key = "question-\(answers.count)-\(number)"
            do {
                guard case .released(let answer) = try await client.ask(Self.question, idempotencyKey: key) else {
                    continue
                }
                answers[key] = answer.bytes
            } catch let problem as Problem { return (key, problem) }
        }
        return nil
    }

    @Test("A full disk refuses with the next step, loses nothing, and goes on when there is room")
    func full() async throws {
        let token = try researcher()
        var server = try place.serve(site: site)
        var client = try DatasiteClient(url: server.url, token: token)
        var answers: [String: [UInt8]] = [:]
        #expect(try await client.ask(Self.question).answer != nil)
        let filler = try disk.fill(leaving: 200_000)
        let refused = try #require(try await askUntilRefused(client, &answers))
        #expect(refused.problem.status == 503)
        #expect(refused.problem.detail == "the datasite's disk is full")
        #expect(refused.problem.hint == "the owner must make room; what was charged stays")
        #expect(!answers.isEmpty)
        // What needs no room goes on.
        #expect(try await client.datasets().count == 1)
        for (key, bytes) in answers.prefix(3) { #expect(try await bytesOf(client, key) == bytes) }

        let folders = try FileManager.default.contentsOfDirectory(atPath: site + "/data")
        let version = try place.parley("data", "version", "survey", "larger.csv", "--site", site)
        #expect(version.status == 1)
        #expect(version.errors.contains("No space left on device") || version.errors.contains("disk is full"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: site + "/data") == folders)

        // It may start or say why not; either way nothing is lost.
        try await client.close()
        server.kill()
        let restarted = try? place.serve(site: site)
        if restarted == nil {
            let serving = try place.parley("serve", "--port", "0", "--site", site)
            #expect(serving.status == 1)
            #expect(serving.errors.contains("full") || serving.errors.contains("No space left"), "\(serving.errors)")
        }
        restarted?.kill()

        try FileManager.default.removeItem(atPath: filler)
        server = try place.serve(site: site)
        client = try DatasiteClient(url: server.url, token: token)
        // The same key completes what the full disk cut short, under its charge if it was charged.
        #expect(try await !bytesOf(client, refused.key).isEmpty)
        for (key, bytes) in answers { #expect(try await bytesOf(client, key) == bytes) }
        let spent = try #require(try await client.budget().first?.lines.first?.spent.epsilon)
        #expect(spent == Double(answers.count + 2) * 0.25)
        #expect(try place.parley("verify", "--site", site).status == 0)
        try await client.close()
        server.kill()
    }

    @Test("A read-only disk is refused with the next step, and nothing is lost when it can be written again")
    func readOnly() async throws {
        let token = try researcher()
        let server = try place.serve(site: site)
        let client = try DatasiteClient(url: server.url, token: token)
        let first = try await bytesOf(client, "first")
        try await client.close()
        server.kill()
        // The kernel makes no disk read-only that is being written; one that fails comes back so.
        try disk.remount("ro")
        for command in [
            ["serve", "--port", "0"], ["data", "version", "survey", "larger.csv"],
            ["user", "add", "bea", "--role", "auditor"],
        ] {
            let refused = try place.run([Workplace.executable] + command + ["--site", site])
            #expect(refused.status == 1, "\(command)")
            #expect(
                refused.errors.contains("Read-only file system") || refused.errors.contains("cannot be written"),
                "\(command): \(refused.errors)")
        }
        try disk.remount("rw")
        let again = try place.serve(site: site)
        let second = try DatasiteClient(url: again.url, token: token)
        #expect(try await bytesOf(second, "first") == first)
        #expect(try await !bytesOf(second, "second").isEmpty)
        #expect(try place.parley("verify", "--site", site).status == 0)
        try await second.close()
        again.kill()
    }

    private func bytesOf(_ client: DatasiteClient, _ key: String) async throws -> [UInt8] {
        guard case .released(let answer) = try await client.ask(Self.question, idempotencyKey: key) else { return [] }
        return answer.bytes
    }
}
