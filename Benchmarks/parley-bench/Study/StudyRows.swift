import Datasite
import Foundation
import Learning

/// PneumoniaMNIST behind the scattering transform, which is computed once: what every model of the study is trained and measured on.
struct StudyRows {
    /// Which rows results are of: what numbers of plans are chosen by is measured on validation rows alone.
    enum Part: String { case validation, test }

    static let file = "pneumoniamnist_full.npz"
    /// Group normalisation and a linear layer.
    let model: Model
    let train: Examples
    let validation: Examples
    let test: Examples

    /// - Parameter folder: Where the archive is.
    init(folder: String, threads: Int) throws {
        let names = ["train", "val", "test"].flatMap { ["\($0)_images", "\($0)_labels"] }
        let arrays = try ArchivedArrays.read("\(folder)/\(Self.file)", names)
        let whole = try Model(inputShape: [1, 28, 28]) {
            Scattering()
            GroupNormalization(groups: 27)
            Flatten()
            Linear(2)
        }
        // What is in front has no weights: these are for their shapes.
        let shapes = TrainingRun.initialParameters(whole, seed: 0)
        let behind = try [0, 2, 4].map { place in
            let images = try Examples(
                arrays[place], rowShape: [1, 28, 28], scaling: .bounds(lower: 0, upper: 255),
                targets: .labels(try arrays[place + 1].labels(classes: 2)))
            return try whole.withoutFrozenLayers(images, shapes, threads: threads)
        }
        model = behind[0].model
        (train, validation, test) = (behind[0].examples, behind[1].examples, behind[2].examples)
    }

    /// The area under the ROC curve.
    func area(_ parameters: Parameters, on part: Part, threads: Int) throws -> Double {
        let plan = try TrainingPlan(
            model: model, loss: .crossEntropy, optimizer: .gradientDescent(), learningRate: 1, steps: 1)
        return try Evaluation(plan, parameters, on: part == .test ? test : validation, threads: threads).value(.rocAUC)
    }

    /// Training rows to so many participants, in an order of the seed's own.
    ///
    /// - Parameter labelSkew: The part of each label's rows that go to the participant of its number; the others are divided evenly.
    func divided(among count: Int, seed: UInt64, labelSkew: Double = 0) throws -> [Examples] {
        guard case .labels(let labels) = train.targets else { return [] }
        var places = [[Int]](repeating: [], count: count)
        var (next, seen) = (0, [Int32: Double]())
        for row in TrainingRun.heldOutOrder(rows: train.count, seed: seed) {
            let label = labels[row]
            let before = seen[label, default: 0]
            seen[label] = before + labelSkew
            if (before + labelSkew).rounded(.down) > before.rounded(.down) {
                places[Int(label) % count].append(row)
            } else {
                places[next % count].append(row)
                next += 1
            }
        }
        return try places.map { try train.selecting($0.sorted()) }
    }
}
