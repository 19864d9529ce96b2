import DatasiteProtocol
import Foundation
import Testing

@Suite("parley evaluate", .timeLimit(.minutes(20)))
struct EvaluateCommandTests {
    /// Trained on one's own files, so that the model's files are those of `parley train`.
    static let plan = """
        version: 1
        name: arms
        data:
          format: csv
          train: {file: survey.csv}
          columns:
            - {name: visits, bounds: [0, 10]}
          label: {column: arm, domain: [even, odd]}
        model: {name: logistic-regression}
        loss: cross-entropy
        optimizer: {kind: sgd, rate: 0.5}
        batch: 20
        epochs: 2
        seed: 7
        """

    static let engines = """
        engines:
            questions: {}
            evaluation-feedback: {uses: 1000, uses-per-researcher: USES}
            evaluation-final: {uses: 5, uses-per-researcher: 2}
        """

    /// A site with a survey, a researcher who is logged in, and her model in the folder `arms`.
    static func prepared(approval: String = "automatic", uses: Int = 3) throws -> (Workplace, Workplace.Server) {
        let place = try Workplace()
        try place.write(SmallSurvey.csv(people: 300), to: "survey.csv")
        try place.write(
            SmallSurvey.manifest(epsilon: 1_000, approval: approval).replacing(
                "approval: \(approval)",
                with: "approval: \(approval)\n  \(engines.replacing("USES", with: String(uses)))"),
            to: "manifest.yaml")
        #expect(try place.parley("site", "init").status == 0)
        let added = try place.parley("data", "add", "survey.csv", "--manifest", "manifest.yaml", "--yes")
        #expect(added.status == 0, "\(added.all)")
        try place.write(plan, to: "plan.yaml")
        let trained = try place.parley("train", "plan.yaml", "--data", ".")
        #expect(trained.status == 0, "\(trained.all)")
        let token = try place.parley("user", "add", "ana", "--role", "researcher").output
        try place.write(token, to: "ana.token")
        return (place, try place.serve())
    }

    private static let model = ["--model", "arms/weights.safetensors", "--features", "visits", "--label", "arm"]

    @Test(
        "It previews, tells feedback and final, prints JSON over which the receipt is, and fetches what was asked before"
    )
    func whole() throws {
        let (place, server) = try Self.prepared()
        defer { server.kill() }
        func run(_ more: String...) throws -> Workplace.Finished { try place.evaluate(more, at: server) }
        func asked(_ more: String...) throws -> Workplace.Finished { try place.evaluate(Self.model + more, at: server) }
        let preview = try asked("--epsilon", "2", "--dry-run")
        #expect(preview.status == 0 && preview.output.contains("would be answered"), "\(preview.all)")
        #expect(preview.output.contains("Noise of standard deviation"), "\(preview.all)")
        let first = try asked("--epsilon", "20")
        #expect(
            first.status == 0 && first.output.contains("Better than before: the best accuracy so far is"),
            "\(first.all)")
        #expect(first.output.contains("evaluation number 1"), "\(first.all)")
        let second = try asked("--epsilon", "20", "--json", "--idempotency-key", "again")
        #expect(second.status == 0, "\(second.all)")
        let answer = try JSONDecoder().decode(ReleasedEvaluation.self, from: Data(second.output.utf8))
        #expect(answer.feedback?.number == 2 && answer.final == nil)
        let repeated = try asked("--epsilon", "20", "--json", "--idempotency-key", "again")
        #expect(repeated.output == second.output)
        let final = try asked("--epsilon", "20", "--part", "final")
        #expect(final.status == 0 && final.output.contains("standard error"), "\(final.all)")
        let twice = try asked("--epsilon", "30", "--part", "final")
        #expect(twice.status == 1 && twice.all.contains("there is one a model"), "\(twice.all)")
        let fetched = try run("--request", answer.request, "--json")
        #expect(fetched.output == second.output, "\(fetched.all)")
        _ = try asked("--epsilon", "20")
        let used = try asked("--epsilon", "20")
        #expect(used.status == 1 && used.all.contains("of the uses of survey (0 of 3)"), "\(used.all)")
        let history = try place.parley(
            "history", answer.request, "--url", server.url, "--token-file", place.path("ana.token"))
        #expect(history.status == 1 && history.all.contains("parley evaluate survey --request"), "\(history.all)")
    }

    @Test("What is missing or too large is told before anything is asked")
    func wrong() throws {
        let (place, server) = try Self.prepared()
        defer { server.kill() }
        func said(_ words: [String]) throws -> String {
            let result = try place.evaluate(words, at: server)
            #expect(result.status != 0)
            return result.all
        }
        let model = ["--model", "arms/weights.safetensors"]
        #expect(try said(["--epsilon", "1"]).contains("Say which model"))
        #expect(try said(model).contains("Say what it may cost"))
        #expect(try said(model + ["--epsilon", "-1"]).contains("positive numbers"))
        #expect(try said(model + ["--epsilon", "1", "--features", "visits"]).contains("come together"))
        // The plan beside the weights names files.
        #expect(try said(model + ["--epsilon", "1"]).contains("`data` names files"))
        #expect(try said(["--model", "none", "--epsilon", "1"]).contains("Cannot read none"))
        try place.write(String(repeating: "w", count: 1 << 20 + 1), to: "large.safetensors")
        #expect(try said(["--model", "large.safetensors", "--epsilon", "1"]).contains("1024 KiB"))
        #expect(try said(["--request", "x", "--dry-run"]).contains("leave out"))
        let other = try said(model + ["--features", "person", "--label", "arm", "--epsilon", "1"])
        #expect(other.contains("person has neither a domain nor bounds"), "\(other)")
        try place.write("not a file of weights", to: "arms/text.safetensors")
        let text = try said([
            "--model", "arms/text.safetensors", "--features", "visits", "--label", "arm", "--epsilon", "1",
        ])
        #expect(text.contains("weights' header"), "\(text)")
    }

    @Test("Where an owner decides it waits, and the answer is fetched behind her approval")
    func approval() throws {
        let (place, server) = try Self.prepared(approval: "owner")
        defer { server.kill() }
        let asked = try place.evaluate(Self.model + ["--epsilon", "20"], at: server)
        #expect(asked.status == 3, "\(asked.all)")
        let id = try #require(asked.all.firstMatch(of: /Request (\w+) waits/)?.1)
        #expect(try place.parley("approve", String(id)).status == 0)
        let answer = try place.evaluate(["--request", String(id)], at: server)
        #expect(answer.status == 0 && answer.output.contains("best accuracy so far"), "\(answer.all)")
    }
}

extension Workplace {
    fileprivate func evaluate(_ words: [String], at server: Server) throws -> Finished {
        try run(
            [Self.executable, "evaluate", "survey"] + words + ["--url", server.url, "--token-file", path("ana.token")])
    }
}
