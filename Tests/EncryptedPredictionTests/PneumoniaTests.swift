import Learning
import SecureComputation
import Testing

@testable import EncryptedPrediction

@Suite("Chest X-rays by a network that was trained for it")
struct PneumoniaTests {
    static func model() throws -> Model {
        try Model(inputShape: [1, 28, 28]) {
            Convolution(8, kernel: 3, padding: 1, name: "conv1")
            ReLU()
            MaxPool(2)
            Convolution(16, kernel: 3, padding: 1, name: "conv2")
            ReLU()
            MaxPool(2)
            Flatten()
            Linear(2, name: "fc")
        }
    }

    @Test(
        "On 624 test images labels are the model's own wherever its margin is beyond twice the bound, as it is for 95 %, and the AUC is the same to 1e-3"
    )
    func agrees() throws {
        guard let (training, testing) = try SharedData.pneumonia() else { return }
        let model = try Self.model()
        let parameters = try SharedData.trained(model, on: training, steps: 300, batchRows: 64, rate: 2e-3)
        let prepared = try PreparedModel(
            model, parameters, inputBound: 1, inputsAreNonNegative: true, calibration: training.values(0..<300),
            output: .scores)
        let rows = 624
        let values = testing.values(0..<rows)
        let own = try Trial.scores(model, parameters, values, rows: rows)
        var found: [[Double]] = []
        for start in stride(from: 0, to: rows, by: 104) {
            found += try prepared.clear(Array(values[start * 784..<(start + 104) * 784]), rows: 104).scores ?? []
        }
        let bound = prepared.terms.errorBound
        let results = PredictionResults(scores: found)
        let ownResults = PredictionResults(scores: own)
        let isClear = own.map { abs($0[0] - $0[1]) > 2 * bound }
        for row in 0..<rows where isClear[row] { #expect(results.labels[row] == ownResults.labels[row]) }
        let share = Double(isClear.filter { $0 }.count) / Double(rows)
        func area(_ results: PredictionResults) throws -> Double {
            try LabelScores(labels: testing.labels, scores: (results.probabilities ?? []).flatMap { $0 }, classes: 2)
                .value(.rocAUC)
        }
        let areas = (try area(results), try area(ownResults))
        let distance = Trial.distance(found, own)
        #expect(prepared.terms.isErrorProven && share >= 0.95 && distance <= bound)
        #expect(abs(areas.0 - areas.1) <= 1e-3)

        // A handful by two parties, with scores and with labels alone.
        let few = Array(values.prefix(5 * 784))
        let run = try Trial.onShares(prepared, few, rows: 5, seed: 8)
        #expect(Trial.distance(run.results.scores, Array(found.prefix(5))) <= 2 * bound)
        #expect(run.results.labels == Array(results.labels.prefix(5)))
        let labelled = try PreparedModel(
            model, parameters, inputBound: 1, inputsAreNonNegative: true, calibration: training.values(0..<300),
            output: .label, comparison: .twoRounds)
        let labels = try Trial.onShares(labelled, few, rows: 5, seed: 9)
        #expect(labels.results == PredictionResults(labels: Array(results.labels.prefix(5))))
    }
}
