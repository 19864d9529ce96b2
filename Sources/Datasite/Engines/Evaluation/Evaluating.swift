public import DatasiteProtocol

extension Datasite {
    /// Measures a model on one half of a dataset's units, as ``submit(_:as:idempotencyKey:)`` does: charges, computes, and gives the stored bytes (``ReleasedEvaluation``) at the end of their
    /// time slot; or says that owners have to approve it.
    ///
    /// - Parameters:
    ///   - part: Whether the answer is the Ladder's feedback, or the final counts of the other half.
    ///   - purpose: What it is for.
    ///   - idempotencyKey: Names the request, so that repeating it after a failure is charged once, and gets the same answer.
    /// - Throws: A `Problem`: what is wrong in the model, what the policy does not allow, or what is used up.
    public func evaluate(
        _ request: EvaluationRequest, part: EvaluationRequest.Part, as identity: Identity, purpose: String? = nil,
        idempotencyKey: String? = nil
    ) async throws -> AskResult {
        let engine: any EvaluationWork.Type = part == .final ? FinalWork.self : FeedbackWork.self
        return try await submit(
            Submission(
                engine: engine, body: try engine.body(request), purpose: purpose, key: idempotencyKey), as: identity)
    }
}

extension EvaluationRequest {
    /// What goes into a model by the plan that it was trained by, to be measured on another dataset that is declared alike: the plan's `data`, in JSON.
    ///
    /// - Throws: A `Problem`: what is wrong in the plan, or that it names files.
    public static func data(ofPlan text: String, on dataset: String) throws -> String {
        guard try TrainingDocument(text).dataset != nil,
            let data = try YAMLValue.document(text).members("a plan").first(where: { $0.key == "data" })?.value
        else {
            throw Problem.invalidManifest(
                "`data` names files, which say nothing of a datasite's columns",
                hint: "say what goes in: the features and the label, by the dataset's own columns")
        }
        let members = try data.members("{dataset: ..., features: [...], label: ...}").map { key, value in
            "\(YAMLValue.quoted(key)): \(key == "dataset" ? YAMLValue.quoted(dataset) : try value.json())"
        }
        return "{" + members.joined(separator: ", ") + "}"
    }
}
