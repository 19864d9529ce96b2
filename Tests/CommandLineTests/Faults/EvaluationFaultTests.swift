import DatasiteClient
import DatasiteProtocol
import Foundation
import Secrets
import Testing

/// A server is killed without warning while it measures models, again and again: each evaluation is charged once, none was told of that was not charged, and the Ladder counts each once
/// (docs/privacy.md, rule 35). `make test` kills 6 times; `make faults` 50 times.
@Suite("Kills while measuring models", .timeLimit(.minutes(20)))
struct EvaluationFaultTests {
    private static let kills = ProcessInfo.processInfo.environment["PARLEY_FAULTS"] == nil ? 6 : 50

    @Test(
        "Behind all kills there are as many charges as requests, each with its one answer, and the Ladder has moved once for each"
    )
    func kills() async throws {
        let (place, first) = try EvaluateCommandTests.prepared(uses: 1_000)
        first.kill()
        let token = try place.read("ana.token").trimmingCharacters(in: .whitespacesAndNewlines)
        let weights = try Data(contentsOf: URL(fileURLWithPath: place.path("arms/weights.safetensors")))
        let request = EvaluationRequest(
            data: EvaluationRequest.data(dataset: "survey", features: ["visits"], label: "arm"),
            model: try place.read("arms/architecture.json"), weights: weights.base64EncodedString(),
            budget: .epsilon(1))
        var random = SeededGenerator(key: (31, 0, 0, 0), stream: 0)
        // By key: the bytes of each answer that arrived.
        var told: [String: [UInt8]] = [:]
        let arrivals = Arrivals()
        for round in 0..<Self.kills {
            let server = try place.serve()
            let client = try DatasiteClient(
                url: server.url, token: token,
                options: ClientOptions(questionTimeout: .seconds(20), timeout: .seconds(20)))
            let asking = Task { () -> [(String, [UInt8])] in
                var answers: [(String, [UInt8])] = []
                for number in 0..<200 {
                    let key = "\(round)-\(number)"
                    guard
                        case .released(let released)? = try? await client.submit(
                            engine: EvaluationRequest.Part.feedback.engine, request, idempotencyKey: key)
                    else { break }
                    answers.append((key, released.bytes))
                    arrivals.note()
                }
                return answers
            }
            if round == 0 { try await arrivals.first() }
            try await Task.sleep(for: .milliseconds(Int.random(in: 100...900, using: &random)))
            server.kill()
            for (key, bytes) in await asking.value { told[key] = bytes }
            try? await client.close()
        }
        let server = try place.serve()
        let client = try DatasiteClient(url: server.url, token: token)
        let requests = try await client.requests(limit: 1_000)
        var numbers: [Int64] = []
        var answers: [[UInt8]] = []
        for listed in requests {
            // What a kill cut short is computed now, under its charge.
            let work = try await client.work(listed.id)
            let answer = try JSONDecoder().decode(ReleasedEvaluation.self, from: Data(work.bytes))
            numbers.append(try #require(answer.feedback).number)
            answers.append(work.bytes)
        }
        #expect(numbers.sorted() == (0..<Int64(requests.count)).map { $0 + 1 }, "each moved the Ladder once")
        for (key, bytes) in told {
            #expect(answers.contains(bytes), "\(key) is not there any more")
            guard
                case .released(let again) = try await client.submit(
                    engine: EvaluationRequest.Part.feedback.engine, request, idempotencyKey: key)
            else { return #expect(Bool(false), "\(key) has no answer") }
            #expect(again.bytes == bytes)
        }
        #expect(told.count > 0 && requests.count >= told.count)
        let budget = try #require(try await client.budget().first)
        #expect(abs((budget.lines.first?.spent.epsilon ?? 0) - Double(requests.count)) < 1e-9)
        try await client.close()
        server.kill()
        #expect(try place.parley("verify").status == 0)
        print(
            "\(Self.kills) kills: \(told.count) answers had arrived, \(requests.count - told.count) were completed or asked again"
        )
    }
}
