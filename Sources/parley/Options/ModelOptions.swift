import ArgumentParser
import Datasite
import DatasiteProtocol
import Foundation

/// A model that is measured on rows, as its files are, and what goes in.
struct ModelOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The weights (safetensors).", valueName: "file"), completion: .file()) var model: String?
    @Option(
        help: ArgumentHelp("The architecture (default: architecture.json beside the weights).", valueName: "file"),
        completion: .file()) var architecture: String?
    @Option(
        help: ArgumentHelp(
            "The plan that says which features go in, and the label (default: plan.yaml beside the weights).",
            valueName: "file"), completion: .file()) var plan: String?
    @Option(help: "Instead of the plan: the columns that go in, in their order, or one array; with commas between.")
    var features: String?
    @Option(help: "With --features: the column with the labels.") var label: String?

    func validate() throws {
        guard (features == nil) == (label == nil) else {
            throw ValidationError("--features and --label come together; without them the plan says both.")
        }
        guard features == nil || plan == nil else { throw ValidationError("Give --features or --plan, not both.") }
    }

    /// What is sent of it, to be measured on a dataset.
    func request(on dataset: String, budget: Budget) async throws -> EvaluationRequest {
        let weights = try Self.read(model ?? "", what: "weights")
        let architecture = try readText(architecture ?? beside("architecture.json"))
        return EvaluationRequest(
            data: try await data(dataset), model: architecture, weights: weights, budget: budget)
    }

    private func data(_ dataset: String) async throws -> String {
        if let features, let label {
            let columns = features.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            return EvaluationRequest.data(dataset: dataset, features: columns, label: label)
        }
        let file = plan ?? beside("plan.yaml")
        guard plan != nil || FileManager.default.fileExists(atPath: file) else {
            throw Failure(
                "There is no plan beside the weights that says what goes in.",
                next: "Say it: --features age,ward --label ill, or --plan FILE.")
        }
        let text = try readText(file)
        return try await naming(file) { try EvaluationRequest.data(ofPlan: text, on: dataset) }
    }

    private func beside(_ name: String) -> String {
        URL(filePath: model ?? "").deletingLastPathComponent().appending(path: name).path(percentEncoded: false)
    }

    private static func read(_ path: String, what: String) throws -> [UInt8] {
        let limit = EvaluationRequest.largestWeights
        guard let file = FileHandle(forReadingAtPath: path), let data = try file.read(upToCount: limit + 1) else {
            throw Failure("Cannot read \(PrintableText.escape(path)).")
        }
        guard data.count <= limit else {
            throw Failure(
                "\(PrintableText.escape(path)) is larger than the \(limit >> 10) KiB of \(what) that a datasite measures.",
                next: "A smaller model, or values of 16 bits (F16, BF16).")
        }
        return Array(data)
    }
}
