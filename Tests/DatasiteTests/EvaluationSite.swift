import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Learning
import Secrets
import Tables
import Testing

@testable import Datasite

/// A site whose people's rows may be measured on, and models whose answers are known: of 60 people 60 rows are of kind a, 40 of b, 20 of c.
struct EvaluationSite {
    static let rules =
        "evaluation-feedback: {uses: 40, uses-per-researcher: 20}, evaluation-final: {uses: 4, uses-per-researcher: 3}"

    static func policy(_ rules: String = rules, loss: String = "loss: pure, total: {epsilon: 100000}, least-share: 0")
        -> String
    {
        "{\(loss), engines: {questions: {}, \(rules)}}"
    }

    let test: TestSite
    var site: Datasite { test.site }

    init(_ policy: String = policy(), people: Int = 60) throws {
        test = try TestSite(policy: policy, people: people, researchers: ["ada", "bea"])
    }

    static let bea = Identity(name: "bea", role: .researcher)
    static let architecture =
        #"{"format": "parley-model", "version": 1, "input": [1], "layers": [{"kind": "linear", "name": "fc", "outputs": 3}]}"#

    /// Says the same kind of every row, by its bias.
    static func weights(_ bias: [Float] = [1, 0, 0], weight: [Float] = [0, 0, 0], metadata: [String: String] = [:])
        -> [UInt8]
    {
        SafeTensors.write(
            Parameters(
                names: ["fc.weight", "fc.bias"],
                tensors: [Tensor(shape: [3, 1], values: weight), Tensor(shape: [3], values: bias)]),
            metadata: metadata)
    }

    static let data = EvaluationRequest.data(dataset: "visits", features: ["amount"], label: "kind")

    /// With an epsilon of 1,000 unless said: noise is then none, but for once in 10^100.
    static func request(
        _ weights: [UInt8] = weights(), data: String = data, model: String = architecture, epsilon: Double = 1_000
    ) -> EvaluationRequest {
        EvaluationRequest(data: data, model: model, weights: weights, budget: .epsilon(epsilon))
    }

    func evaluate(
        _ request: EvaluationRequest = request(), _ part: EvaluationRequest.Part = .feedback,
        as identity: Identity = .ada,
        key: String? = nil
    ) async throws -> ReleasedEvaluation {
        try Self.released(try await site.evaluate(request, part: part, as: identity, idempotencyKey: key))
    }

    static func released(_ result: AskResult) throws -> ReleasedEvaluation {
        guard let answer = result.answer else { throw Problem.conflict("nothing was released") }
        return try JSONDecoder().decode(ReleasedEvaluation.self, from: Data(answer))
    }

    func planned(_ request: EvaluationRequest = request(), _ part: EvaluationRequest.Part = .feedback) throws
        -> PlannedWork
    {
        let engine: any EvaluationWork.Type = part == .final ? FinalWork.self : FeedbackWork.self
        return try site.planned(engine, try engine.body(request), in: try site.catalogue(), isLimited: true)
    }

    func task(_ request: EvaluationRequest = request()) throws -> EvaluationTask {
        try EvaluationTask(request, in: try site.catalogue())
    }

    /// Right and wrong rows of a half, exact.
    func counts(_ part: EvaluationRequest.Part, _ request: EvaluationRequest = request()) throws -> [Int64] {
        let task = try task(request)
        let key = ClusteringKey(siteSecret: try site.folder.readRowSecret(), population: "patients")
        return try #require(task.counts(try site.table(task.entry), key, part))
    }

    func uses(_ engine: EngineName = EvaluationRule.feedback, by name: String = "ada") throws -> Int64 {
        try site.read { try UseLedger.spent(of: "visits", engine: engine, by: name, in: $0).own }
    }
}
