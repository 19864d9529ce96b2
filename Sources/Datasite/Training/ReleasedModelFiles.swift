public import DatasiteProtocol
import Foundation
import Learning

/// The folder that a model leaves which a datasite let out: each file in it is whole or not there.
public struct ReleasedModelFiles {
    private let folder: TrainingFolder

    /// Makes the folder.
    ///
    /// - Throws: A `Problem`: that something is there already.
    public init(at path: String) throws {
        folder = TrainingFolder(path: path)
        try folder.create()
    }

    /// The name of the model of a plan, after which its folder is called.
    ///
    /// - Throws: A `Problem` that says what is wrong in the plan, and where.
    public static func name(ofPlan text: String) throws -> String { try TrainingDocument(text).name }

    /// Whether a plan names a dataset of a datasite.
    public static func isOfDataset(plan text: String) throws -> Bool { try TrainingDocument(text).dataset != nil }

    /// - Parameters:
    ///   - bytes: As they were sent, over which the receipt's digest is.
    ///   - receipt: The receipt's bytes.
    /// - Returns: The files' names.
    public func write(_ model: ReleasedModel, bytes: [UInt8], receipt: [UInt8]) throws -> [String] {
        guard let weights = Data(base64Encoded: model.weights) else {
            throw Problem.invalidData("the model's weights are no base64")
        }
        let curve = PrivateCurve(
            model.curve.map {
                .init(
                    step: $0.step, epsilon: $0.epsilon, clippingNorm: $0.clippingNorm, gradientNorm: $0.gradientNorm)
            })
        var files: [(TrainingFolder.File, [UInt8])] = [
            (.release, bytes), (.receipt, receipt), (.weights, Array(weights)),
            (.architecture, Array(model.architecture.utf8)), (.plan, Array(model.plan.utf8)),
            (.card, Array(model.card.utf8)),
        ]
        // Of rounds whoever coordinates has the curve.
        if !model.curve.isEmpty {
            files += [
                (.curves, Array(curve.jsonLines.utf8)),
                (.plot, Array(curve.svg(title: try Self.name(ofPlan: model.plan)).utf8)),
            ]
        }
        for (file, content) in files { try folder.write(content, to: file) }
        return files.map(\.0.rawValue)
    }
}
