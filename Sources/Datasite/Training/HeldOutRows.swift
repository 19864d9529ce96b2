import DatasiteProtocol
import Foundation
public import Learning

/// Rows of one's own on which models that come from elsewhere are measured.
public struct HeldOutRows: Sendable {
    private let training: Training
    private let begun: Parameters
    private let examples: Examples

    /// Reads a plan on files, of which the rows to validate on are taken, or else those to test on.
    ///
    /// - Parameters:
    ///   - planText: Its model is the one whose weights are measured; it has `metrics`.
    ///   - check: Throws where reading shall end.
    /// - Throws: A `Problem` that says what is wrong, and where.
    public init(planText: String, dataFolder: String, check: @escaping () throws -> Void = {}) throws {
        let document = try TrainingDocument(planText)
        guard document.dataset == nil, !document.isSearch else {
            throw Problem.invalidManifest(
                "the plan to measure by names no files", hint: "data: {format: npz, file: FILE, ...}")
        }
        let inputs = try TrainingInputs(document, folder: dataFolder, check: check)
        training = try Training(document, planText: planText, inputs: inputs, threads: nil).behindScattering()
        begun = try training.beginning()
        guard let examples = training.inputs.validation ?? training.inputs.test else {
            throw Problem.invalidManifest(
                "`data` names no rows to validate or test on", hint: "test: {inputs: ..., labels: ...}")
        }
        self.examples = examples
    }

    /// The model whose weights are measured.
    var model: Model { training.plan.model }

    /// Weights that nothing was learned in.
    var beginning: [Float] { training.plan.model.trained(begun) }

    /// What is measured of weights, in the order of the plan's model.
    ///
    /// - Throws: A `Problem`: they are of another model.
    public func measure(_ weights: [Float]) throws -> [(metric: Metric, value: Double?)] {
        do {
            let parameters = try training.plan.model.parameters(begun, trained: weights)
            return try training.measure(parameters, on: examples, threads: training.threads).map {
                ($0.metric, $0.value)
            }
        } catch let error as ModelError { throw Problem.invalidData("the model to measure: \(error)") }
    }
}
