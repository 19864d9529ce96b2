import DatasiteClient
import DatasiteProtocol
import Foundation
import Testing

/// The server is killed without warning while questions are in flight (PRIVACY.md, rules 7 and 8).
@Suite("Kills under load")
struct CrashTests {
    private static let rounds = 20
    private static let askersPerRound = 6
    private static let questionsPerAsker = 20
    private static let epsilon = 0.25

    private static let request = AskRequest(
        dataset: "survey", sql: "SELECT arm, COUNT(*) AS n FROM survey GROUP BY arm", epsilon: epsilon)

    @Test("After 20 kills no answer is without its charge, none is lost, and each question is charged once")
    func kills() async throws {
        let place = try Workplace()
        try place.write(SmallSurvey.csv, to: "survey.csv")
        try place.write(SmallSurvey.manifest(epsilon: 10_000), to: "manifest.yaml")
        #expect(try place.parley("site", "init").status == 0)
        #expect(try place.parley("data", "add", "survey.csv", "--manifest", "manifest.yaml").status == 0)
        let token = try place.parley("user", "add", "ana", "--role", "researcher").output
            .trimmingCharacters(in: .whitespacesAndNewlines)

        var answers: [String: [UInt8]] = [:]
        var unanswered: Set<String> = []
        for round in 0..<Self.rounds {
            let server = try place.serve()
            let outcomes = await Self.load(server, token: token, round: round)
            for (key, bytes) in outcomes {
                if let bytes { answers[key] = bytes } else { unanswered.insert(key) }
            }
            #expect(try place.parley("verify").status == 0, "round \(round)")
        }
        #expect(!answers.isEmpty)
        #expect(!unanswered.isEmpty, "no kill met a question in flight: the test shows nothing")

        let server = try place.serve()
        let client = try DatasiteClient(url: server.url, token: token)
        // Whatever was asked is complete now under its own key, and what was answered has the same bytes again.
        for key in unanswered { answers[key] = try await Self.ask(client, key) }
        for (key, bytes) in answers { #expect(try await Self.ask(client, key) == bytes) }
        let released = try await client.requests().filter { $0.state == "released" }
        #expect(released.count == answers.count)
        let spent = try #require(try await client.budget().first?.lines.first?.spent.epsilon)
        #expect(abs(spent - Double(answers.count) * Self.epsilon) < 1e-6)
        #expect(try place.parley("verify").status == 0)
    }

    /// Asks from several sides at once and kills the server in the middle of it.
    ///
    /// - Returns: For each key that was used, the answer's bytes, or nil where none arrived.
    private static func load(_ server: Workplace.Server, token: String, round: Int) async -> [(String, [UInt8]?)] {
        await withTaskGroup(of: [(String, [UInt8]?)].self) { group in
            for asker in 0..<askersPerRound {
                group.addTask {
                    guard let client = try? DatasiteClient(url: server.url, token: token) else { return [] }
                    var outcomes: [(String, [UInt8]?)] = []
                    for number in 0..<questionsPerAsker {
                        let key = "round-\(round)-asker-\(asker)-question-\(number)"
                        let bytes = try? await ask(client, key)
                        outcomes.append((key, bytes))
                        if bytes == nil { break }
                    }
                    return outcomes
                }
            }
            // A different moment in each round; nothing is asserted about how long anything takes.
            try? await Task.sleep(for: .milliseconds(5 + 13 * round % 120))
            server.kill()
            var all: [(String, [UInt8]?)] = []
            for await outcomes in group { all += outcomes }
            return all
        }
    }

    private static func ask(_ client: DatasiteClient, _ key: String) async throws -> [UInt8] {
        guard case .released(let answer) = try await client.ask(request, idempotencyKey: key) else {
            throw CancellationError()
        }
        return answer.bytes
    }
}
