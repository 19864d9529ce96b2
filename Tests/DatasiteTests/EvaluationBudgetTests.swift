import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Learning
import Query
import Secrets
import Testing

@testable import Datasite

@Suite("How often a model is measured, what it costs, and what a crash leaves", .timeLimit(.minutes(20)))
struct EvaluationBudgetTests {
    private static let narrow =
        "evaluation-feedback: {uses: 5, uses-per-researcher: 3}, evaluation-final: {uses: 3, uses-per-researcher: 2}"

    @Test(
        "A thousand adaptive queries cannot be asked: the policy's count ends them, in words, and nothing is charged behind it"
    )
    func adaptive() async throws {
        let site = try EvaluationSite(EvaluationSite.policy(Self.narrow))
        var (answered, refused) = (0, 0)
        for number in 0..<1_000 where refused < 20 {
            let request = EvaluationSite.request(EvaluationSite.weights([Float(number), 0, 0]), epsilon: 1)
            let refusal = await problem { _ = try await site.evaluate(request) }
            guard let refusal else {
                answered += 1
                continue
            }
            refused += 1
            #expect(refusal.detail.contains("ada of the uses of visits (0 of 3)"), "\(refusal.detail)")
        }
        #expect(answered == 3 && refused == 20)
        #expect(try site.test.spent() == 3 * unit && site.uses() == 3)
        // Another person has her own count, and all together one.
        for _ in 0..<2 { _ = try await site.evaluate(EvaluationSite.request(epsilon: 1), as: EvaluationSite.bea) }
        let last = await problem {
            _ = try await site.evaluate(EvaluationSite.request(epsilon: 1), as: EvaluationSite.bea)
        }
        #expect(
            last?.detail.contains("all researchers of the uses of visits (0 of 5)") == true, "\(last?.detail ?? "")")
        // A preview says so too.
        let preview = try await site.site.preview(
            try Self.work(EvaluationSite.request(epsilon: 1), .feedback), as: .ada)
        #expect(preview.decision.hasPrefix("would be refused"), "\(preview.decision)")
        #expect(preview.notes.contains { $0.contains("Noise of standard deviation") })
    }

    static func work(_ request: EvaluationRequest, _ part: EvaluationRequest.Part) throws -> WorkRequest {
        let body = String(decoding: try JSONEncoder().encode(request), as: UTF8.self)
        return try WorkRequest(decoding: Array(#"{"engine": "\#(part.engine)", "request": \#(body)}"#.utf8))
    }

    @Test(
        "A model has one final of whoever asks, whatever file it comes in; another, and somebody else, has its own, while there are any"
    )
    func finals() async throws {
        let site = try EvaluationSite(EvaluationSite.policy(Self.narrow))
        _ = try await site.evaluate(EvaluationSite.request(epsilon: 1), .final)
        let words = "this model has had its final evaluation on visits"
        let again = EvaluationSite.request(EvaluationSite.weights(metadata: ["name": "another"]), epsilon: 2)
        #expect(again.weights != EvaluationSite.request().weights)
        let refusal = await problem { _ = try await site.evaluate(again, .final) }
        #expect(refusal?.detail.contains(words) == true && refusal?.kind == .conflict)
        // Whoever knows a model takes nobody's final of it, and does not hear that somebody asked.
        let other = try await site.site.preview(try Self.work(again, .final), as: EvaluationSite.bea)
        #expect(!other.decision.contains(words), "\(other.decision)")
        let preview = try await site.site.preview(try Self.work(again, .final), as: .ada)
        #expect(preview.decision.contains(words), "\(preview.decision)")
        #expect(try site.test.spent() == unit && site.uses(EvaluationRule.final) == 1)
        // Feedback on it is another matter.
        _ = try await site.evaluate(EvaluationSite.request(epsilon: 1))
        func another(_ bias: Float) -> EvaluationRequest {
            EvaluationSite.request(EvaluationSite.weights([bias, 0, 0]), epsilon: 1)
        }
        _ = try await site.evaluate(another(2), .final)
        let third = await problem { _ = try await site.evaluate(another(3), .final) }
        #expect(third?.detail.contains("ada of the uses of visits (0 of 2)") == true)
        #expect(try site.site.verify().problems == [])
    }

    @Test("A final that was denied, or withdrawn, before a row was read is none")
    func denied() async throws {
        let rules = Self.narrow.replacing("evaluation-final: {", with: "evaluation-final: {approval: owner, ")
        let site = try EvaluationSite(EvaluationSite.policy(rules))
        let owner = Identity.folder
        let first = try #require(
            try await site.site.evaluate(EvaluationSite.request(epsilon: 1), part: .final, as: .ada).pendingID)
        let meanwhile = await problem { _ = try await site.evaluate(EvaluationSite.request(epsilon: 1), .final) }
        #expect(meanwhile?.kind == .conflict, "one that waits is the one")
        _ = try await site.site.deny(first, by: owner, reason: "not yet")
        let second = try #require(
            try await site.site.evaluate(
                EvaluationSite.request(epsilon: 1), part: .final, as: .ada, idempotencyKey: "k"
            )
            .pendingID)
        #expect(
            try site.site.request(second, as: .ada).sql == "EVALUATE (final) ON visits: accuracy of kind from amount")
        _ = try await site.site.approve(second, by: owner)
        let answer = try await site.site.answer(second, as: .ada)
        #expect(try JSONDecoder().decode(ReleasedEvaluation.self, from: Data(answer)).final != nil)
        #expect(try site.test.spent() == unit && site.uses(EvaluationRule.final) == 1)
    }

    @Test(
        "A retry under its key gives the same bytes, and neither budget nor Ladder moves; another model under it is a conflict"
    )
    func retried() async throws {
        let site = try EvaluationSite()
        let request = EvaluationSite.request(epsilon: 1)
        let first = try await site.site.evaluate(request, part: .feedback, as: .ada, idempotencyKey: "k")
        _ = try await site.evaluate(EvaluationSite.request(EvaluationSite.weights([0, 1, 0])))
        for again in [site.site, try site.test.reopened()] {
            #expect(try await again.evaluate(request, part: .feedback, as: .ada, idempotencyKey: "k") == first)
        }
        #expect(try site.test.spent() == 1_001 * unit && site.uses() == 2)
        for (other, part) in [
            (EvaluationSite.request(EvaluationSite.weights([2, 0, 0]), epsilon: 1), EvaluationRequest.Part.feedback),
            (request, .final),
        ] {
            let conflict = await problem {
                _ = try await site.site.evaluate(other, part: part, as: .ada, idempotencyKey: "k")
            }
            #expect(conflict?.kind == .conflict)
        }
        #expect(
            try await site.evaluate(EvaluationSite.request(EvaluationSite.weights([0, 1, 0]))).feedback?.number == 3)
    }

    /// Charged, and stopped before a row is read, as a crash right behind the commit would.
    private func reserve(_ site: EvaluationSite, _ request: EvaluationRequest, key: String) async throws -> String {
        let planned = try site.planned(request)
        let attempt = ReserveAttempt(
            planned, Submission(engine: FeedbackWork.self, body: planned.body, key: key), asker: .ada, waits: false)
        guard case .reserved(let id, _) = try await site.site.commit.perform({ try attempt.run(in: &$0) }) else {
            throw Problem.unavailable("not reserved")
        }
        return id
    }

    @Test(
        "What a crash cut short is completed once under its charge, by its key, in whatever process; the Ladder moves once"
    )
    func crashed() async throws {
        let site = try EvaluationSite()
        let request = EvaluationSite.request(EvaluationSite.weights([0, 0, 1]), epsilon: 1_000)
        let id = try await reserve(site, request, key: "k")
        #expect(try site.test.spent() == 1_000 * unit && site.uses() == 1)
        #expect(try site.test.integer("SELECT count(*) FROM ladders") == 0)
        let after = try site.test.reopened()
        // Two that complete it, and one answer.
        async let one = after.evaluate(request, part: .feedback, as: .ada, idempotencyKey: "k")
        async let two = site.site.answer(id, as: .ada)
        let (first, second) = try await (one, two)
        #expect(first.answer == second)
        #expect(try EvaluationSite.released(first).feedback?.number == 1)
        #expect(try site.test.integer("SELECT evaluations FROM ladders") == 1)
        #expect(try site.test.spent() == 1_000 * unit && site.uses() == 1)
        #expect(try site.site.verify().problems == [])
    }

    @Test("What was cancelled stays charged, and leaves neither an answer nor a step of the Ladder")
    func cancelled() async throws {
        let site = try EvaluationSite()
        let id = try await reserve(site, EvaluationSite.request(epsilon: 1), key: "k")
        _ = try await site.site.cancelJob(id, by: .ada)
        let refusal = await problem { _ = try await site.site.answer(id, as: .ada) }
        #expect(refusal?.kind == .conflict)
        #expect(try site.test.spent() == unit && site.uses() == 1)
        #expect(try site.test.integer("SELECT count(*) FROM ladders") == 0)
        #expect(try await site.evaluate().feedback?.number == 1)
    }

    @Test("A large body is stored apart, lists do not read it, and the request is completed from it all the same")
    func large() async throws {
        let site = try EvaluationSite()
        // 64 KiB of metadata beside the values.
        let weights = EvaluationSite.weights(metadata: ["note": String(repeating: "n", count: 64 << 10)])
        let request = EvaluationSite.request(weights, epsilon: 1)
        let id = try await reserve(site, request, key: "k")
        #expect(try site.test.integer("SELECT length(body) FROM requests") == 0)
        #expect(try site.test.integer("SELECT length(body) > 80000 FROM large_bodies") == 1)
        let listed = try site.site.read {
            try RequestRow.list(researcher: "ada", state: nil, before: nil, limit: 9, $0)
        }
        let words = "EVALUATE (feedback) ON visits: accuracy of kind from amount"
        #expect(listed.map(\.body) == [[]] && listed.map(\.words) == [words])
        #expect(
            try site.site.requests(as: .ada).map(\.sql) == [words] && site.site.jobs(as: .ada).map(\.words) == [words])
        let again = try site.test.reopened()
        let answer = try await again.evaluate(request, part: .feedback, as: .ada, idempotencyKey: "k")
        #expect(answer.answer == (try await again.answer(id, as: .ada)))
        #expect(try site.test.spent() == unit)
    }

    // MARK: The policy

    @Test("It is allowed where a policy names it, which says how often, and is charged at least the least charge")
    func policies() async throws {
        let unnamed = try EvaluationSite("{loss: pure, total: {epsilon: 10}}")
        let refusal = await problem { _ = try await unnamed.evaluate(EvaluationSite.request(epsilon: 1)) }
        #expect(refusal?.detail == "the dataset's policy does not allow the feedback", "\(refusal?.detail ?? "")")
        let half = try EvaluationSite(EvaluationSite.policy("evaluation-feedback: {uses: 3, uses-per-researcher: 3}"))
        let other = await problem { _ = try await half.evaluate(EvaluationSite.request(epsilon: 1), .final) }
        #expect(other?.detail == "the dataset's policy does not allow the final evaluation")
        let cheap = try EvaluationSite(
            EvaluationSite.policy(loss: "loss: pure, total: {epsilon: 100}, per-question: {epsilon: 2}"))
        for (epsilon, words) in [(0.001, "costs at least epsilon 0.01"), (3, "one question may cost epsilon 2")] {
            let refused = await problem { _ = try await cheap.evaluate(EvaluationSite.request(epsilon: epsilon)) }
            #expect(refused?.detail.contains(words) == true, "\(refused?.detail ?? "")")
        }
        #expect(try cheap.test.spent() == 0 && cheap.uses() == 0)
        for (rules, words) in [
            ("evaluation-feedback: {}", "the key `uses` is missing"),
            ("evaluation-feedback: {uses: 5}", "the key `uses-per-researcher` is missing"),
            ("evaluation-final: {uses-per-researcher: 5}", "the key `uses` is missing"),
            ("evaluation-feedback: {uses: 5, uses-per-researcher: 5, step: 1}", "above 0 and below 1"),
            ("evaluation-feedback: {uses: 5, uses-per-researcher: 5, step: 0}", "above 0"),
            ("evaluation-final: {uses: 5, uses-per-researcher: 5, step: 0.1}", "step"),
        ] {
            let wrong = await problem { _ = try EvaluationSite(EvaluationSite.policy(rules)) }
            #expect(wrong?.detail.contains(words) == true, "\(rules): \(wrong?.detail ?? "accepted")")
        }
        let steps = try EvaluationSite(
            EvaluationSite.policy("evaluation-feedback: {uses: 5, uses-per-researcher: 5, step: 0.25}"))
        #expect(try await steps.evaluate().feedback?.step == 0.25)
        #expect(
            try steps.site.dataset("visits").work?.contains {
                $0.contains("evaluation-feedback") && $0.contains("at most 5 by one") && $0.contains("in steps of 0.25")
            } == true)
    }

    // MARK: What is sent

    @Test(
        "What is wrong in a model or in what goes in is told, and nothing is charged",
        arguments: [
            ("data", "", "the document is empty"),
            ("data", "{dataset: visits, features: [amount]}", "`label` is missing"),
            ("data", "{dataset: visit, features: [amount], label: kind}", "there is no dataset “visit”"),
            ("data", "{dataset: visits, features: [height], label: kind}", "there is no column “height”"),
            ("data", "{dataset: visits, features: [amount], label: height}", "there is no column “height”"),
            ("data", "{dataset: visits, features: [kind], label: amount}", "amount has no declared domain"),
            ("data", "{dataset: visits, features: [person], label: kind}", "person has neither a domain nor bounds"),
            ("data", "{dataset: visits, features: [amount, kind], label: kind}", "named twice"),
            ("data", "[" + String(repeating: " ", count: 64 << 10) + "]", "'data' has at most 64 KiB"),
            ("model", "", "the model's text"), ("model", "{}", "'format'"),
            (
                "model",
                #"{"format": "parley-model", "version": 1, "input": [2], "layers": [{"kind": "linear", "outputs": 3}]}"#,
                "the model takes rows of 2"
            ),
            (
                "model",
                #"{"format": "parley-model", "version": 1, "input": [1], "layers": [{"kind": "linear", "outputs": 2}]}"#,
                "the model's 2 values a row"
            ),
            (
                "model",
                #"{"format": "parley-model", "version": 1, "input": [1], "layers": [{"kind": "linear", "outputs": 16000000}]}"#,
                "values a row"
            ),
            (
                "model",
                #"{"format": "parley-model", "version": 1, "input": [1], "layers": [{"kind": "linear", "outputs": 5}, {"kind": "linear", "outputs": 3}]}"#,
                "is missing"
            ),
            ("weights", "", "at least 8: the length of a header"), ("weights", "%%%%", "no base64"),
            ("weights", "AAAA", "at least 8"), ("weights", "/////////38=", "weights' header"),
            ("weights", String(repeating: "A", count: 1_398_108), "at most 1024 KiB of weights"),
        ])
    func wrong(part: String, text: String, words: String) async throws {
        let site = try EvaluationSite()
        var request = EvaluationSite.request(epsilon: 1)
        switch part {
        case "data": request.data = text
        case "model": request.model = text
        default: request.weights = text
        }
        for part in EvaluationRequest.Part.allCases {
            let refusal = await problem { _ = try await site.evaluate(request, part) }
            #expect(refusal?.detail.contains(words) == true, "\(refusal?.detail ?? "accepted")")
            #expect((400..<500).contains(refusal?.status ?? 0))
        }
        #expect(try site.test.spent() == 0 && site.uses() == 0)
    }

    @Test("Values that are no finite number, tensors of another shape and names that are none are refused")
    func tensors() async throws {
        let site = try EvaluationSite()
        func refused(_ names: [String], _ tensors: [Tensor], _ words: String) async {
            let weights = SafeTensors.write(Parameters(names: names, tensors: tensors))
            let refusal = await problem { _ = try await site.evaluate(EvaluationSite.request(weights, epsilon: 1)) }
            #expect(refusal?.detail.contains(words) == true, "\(refusal?.detail ?? "accepted")")
        }
        let (weight, bias) = (Tensor(shape: [3, 1]), Tensor(shape: [3]))
        for value in [Float.nan, .infinity, -.infinity] {
            await refused(
                ["fc.weight", "fc.bias"], [weight, Tensor(shape: [3], values: [0, value, 0])],
                "parameter 'fc.bias': has a value that is no finite number")
        }
        await refused(["fc.weight", "fc.bias"], [Tensor(shape: [1, 3]), bias], "parameter 'fc.weight': is 1x3")
        await refused(["fc.weight"], [weight], "parameter 'fc.bias': is missing")
        await refused(["fc.weight", "fc.bias", "x"], [weight, bias, bias], "parameter 'x': is of no layer")
        #expect(try site.test.spent() == 0)
    }

    @Test("A budget that is none, another metric and a request with more in it are refused")
    func budgets() async throws {
        let site = try EvaluationSite()
        for budget in [
            Budget.epsilon(0), .epsilon(-1), .epsilon(.infinity), .rho(1), .error(relative: 0.1, groupSize: 9),
        ] {
            var request = EvaluationSite.request()
            request.budget = budget
            let refusal = await problem { _ = try await site.evaluate(request) }
            #expect(refusal?.kind == .invalidRequest, "\(budget)")
        }
        var request = EvaluationSite.request(epsilon: 1)
        request.metric = "loss"
        let metric = await problem { _ = try await site.evaluate(request) }
        #expect(metric?.detail.contains("'metric' is “loss”") == true)
        request.metric = "accuracy"
        let body = String(decoding: try JSONEncoder().encode(request), as: UTF8.self)
        let misspelt = body.replacing(#""metric""#, with: #""metrics""#)
        let sent = #"{"engine": "evaluation-feedback", "request": \#(misspelt)}"#
        let refusal = await problem {
            _ = try await site.site.submit(try WorkRequest(decoding: Array(sent.utf8)), as: .ada)
        }
        #expect(refusal?.detail.contains("unknown key") == true, "\(refusal?.detail ?? "")")
        #expect(try site.test.spent() == 0)
    }

    @Test(
        "What a stranger may choose is bounded by the plan: time and memory follow from the architecture and the capacity"
    )
    func bounds() async throws {
        let site = try EvaluationSite()
        let small = try site.planned().work.bound
        #expect(small.memory < 1e8 && site.site.limits.time(small) < .seconds(5))
        // The bound is the same whatever the rows are.
        let other = try EvaluationSite(people: 3)
        #expect(try other.planned().work.bound.memory == small.memory)
    }

    @Test("The plan that a model was trained by says what goes in, on a dataset of another name")
    func plans() throws {
        let data = try EvaluationRequest.data(ofPlan: TrainingEngineTests.plan, on: "held-out")
        #expect(data == #"{"dataset": "held-out", "features": ["amount"], "label": "kind"}"#)
        let missing = TrainingEngineTests.plan.replacing(
            "features: [amount]", with: "features: [{column: amount, missing: 40}]")
        #expect(
            try EvaluationRequest.data(ofPlan: missing, on: "v")
                == #"{"dataset": "v", "features": [{"column": "amount", "missing": 40}], "label": "kind"}"#)
        #expect(throws: Problem.self) { try EvaluationRequest.data(ofPlan: "version: 1", on: "v") }
        #expect(EvaluationRequest.Part.feedback.engine == EvaluationRule.feedback.rawValue)
        #expect(EvaluationRequest.Part.final.engine == EvaluationRule.final.rawValue)
    }
}
