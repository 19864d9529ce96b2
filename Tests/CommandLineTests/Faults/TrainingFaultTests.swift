import DatasiteClient
import DatasiteProtocol
import Foundation
import Secrets
import Testing

/// A server is killed without warning while it trains, again and again: it goes on from its last checkpoint, under one charge, and
/// lets one model out (docs/privacy.md, rule 29). `make test` kills 4 times; `make faults` 50 times.
@Suite("Kills while training", .timeLimit(.minutes(20)))
struct TrainingFaultTests {
    private static let kills = ProcessInfo.processInfo.environment["PARLEY_FAULTS"] == nil ? 4 : 50

    private static let plan = """
        version: 1
        name: arms
        data: {dataset: survey, features: [visits], label: arm}
        model: {name: mlp, hidden: [128, 128]}
        loss: cross-entropy
        optimizer: {kind: sgd, rate: 0.1}
        batch: 400
        epochs: 100
        privacy: {unit: person, clip: 1, noise: 4}
        """

    private struct Body: Encodable, Sendable { var plan = TrainingFaultTests.plan }

    /// How many steps the checkpoint holds; 0 where there is none.
    private func stepsKept(_ place: Workplace, _ request: String) -> Int {
        let path = place.path("parley-site/work/\(request)/checkpoint.safetensors")
        guard let bytes = FileManager.default.contents(atPath: path) else { return 0 }
        let head = String(decoding: bytes.prefix(1 << 16), as: UTF8.self)
        guard let match = head.firstMatch(of: /"step":\s*"([0-9]+)"/) else { return -1 }
        return Int(match.1) ?? -1
    }

    /// How many steps were told: "step 41 of 1000" says that 40 are done.
    private func stepsTold(_ words: String?) -> Int {
        (words?.firstMatch(of: /step ([0-9]+) of/)).flatMap { Int($0.1) }.map { $0 - 1 } ?? 0
    }

    @Test(
        "After each kill a run goes on from what it had kept, nothing was told that was not kept, and one model leaves, charged once"
    )
    func kills() async throws {
        let place = try Workplace()
        try place.write(SmallSurvey.csv(people: 400), to: "survey.csv")
        try place.write(
            SmallSurvey.manifest(epsilon: 100).replacing(
                "loss: pure", with: "loss: renyi\n  delta: 1e-6\n  engines: {questions: {}, training: {}}"),
            to: "manifest.yaml")
        #expect(try place.parley("site", "init").status == 0)
        #expect(try place.parley("data", "add", "survey.csv", "--manifest", "manifest.yaml", "--yes").status == 0)
        let token = try place.parley("user", "add", "ana", "--role", "researcher").output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        var random = SeededGenerator(key: (12, 0, 0, 0), stream: 0)
        var (request, charge, kept, resumed, isOver) = ("", "", 0, 0, false)
        for round in 0...Self.kills {
            let server = try place.serve()
            let client = try DatasiteClient(
                url: server.url, token: token,
                options: ClientOptions(questionTimeout: .seconds(60), timeout: .seconds(60)))
            if round == 0 {
                guard
                    case .pending(let summary) = try await client.submit(
                        engine: "training", Body(), idempotencyKey: "k")
                else { return #expect(Bool(false), "it was not begun") }
                (request, charge) = (summary.id, "\(summary.charge)")
            }
            guard round < Self.kills else {
                for try await event in client.events(of: request) where event.state.hasStopped {
                    #expect(event.state == .released)
                    break
                }
                let model = try await client.work(request)
                let released = try JSONDecoder().decode(ReleasedModel.self, from: Data(model.bytes))
                #expect("\(released.charge)" == charge && released.privacy?.steps == 200)
                #expect(released.curve.map(\.step) == (1...50).map { 200 * $0 / 50 })
                server.kill()
                break
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 50...700, using: &random)))
            let told = try await client.jobs().first { $0.id == request }
            server.kill()
            try await client.close()
            // On a machine that was busy it may have ended between what was told and the kill: then nothing is kept any more.
            isOver =
                isOver || kept > 0 && !FileManager.default.fileExists(atPath: place.path("parley-site/work/\(request)"))
            if isOver { continue }
            let now = stepsKept(place, request)
            #expect(
                now >= kept && stepsTold(told?.doing) <= now, "kept \(kept), then \(now); told \(told?.doing ?? "")")
            if now > 0, kept > 0 { resumed += 1 }
            kept = now
        }
        #expect(resumed > 0 || isOver, "no kill met a run that had begun: the test shows nothing")
        let entries = try place.parley("audit").output.split(separator: "\n")
        #expect(entries.count { $0.contains(/\sreleased .*survey/) } == 1, "\(entries)")
        #expect(entries.count { $0.contains(/\sreserved .*survey/) } == 1, "\(entries)")
        #expect(try place.parley("verify").status == 0)
        #expect(!FileManager.default.fileExists(atPath: place.path("parley-site/work/\(request)")))
    }
}
