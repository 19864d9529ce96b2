import Learning
import ModularArithmetic
import SecureComputation
import Testing

@testable import EncryptedPrediction

@Suite("Whole networks on shares")
struct NetworkTests {
    @Test(
        "A multilayer perceptron: scores stay within the proven bound, on shares too, and labels are the model's wherever its margin is beyond twice the bound"
    )
    func perceptron() throws {
        let model = try Models.multilayerPerceptron(inputShape: [60], hidden: [128, 64], classes: 5)
        let parameters = Trial.parameters(model, seed: 1)
        let rows = 300
        let values = Trial.values(rows * 60, in: -1...1, seed: 2)
        let own = try Trial.scores(model, parameters, values, rows: rows)
        let prepared = try PreparedModel(model, parameters, inputBound: 1, output: .scores)
        let bound = prepared.terms.errorBound
        let clear = try prepared.clear(values, rows: rows)
        #expect(prepared.terms.isErrorProven && Trial.distance(clear.scores, own) <= bound)
        let run = try Trial.onShares(prepared, values, rows: rows, seed: 3)
        #expect(Trial.distance(run.results.scores, own) <= bound)
        #expect(run.cost.rounds == 7)
        for (row, scores) in own.enumerated() {
            let sorted = scores.sorted()
            if sorted[4] - sorted[3] > 2 * bound {
                #expect(run.results.labels[row] == PredictionResults(scores: [scores]).labels[0])
            }
        }
    }

    @Test(
        "LeNet with random weights: its error is within the proven bound, which is at most 2^10 times the largest one")
    func leNet() throws {
        let model = try Trial.leNet()
        let parameters = Trial.parameters(model, seed: 2)
        let rows = 40
        let values = Trial.values(rows * 784, in: 0...1, seed: 3)
        let expected = try Trial.scores(model, parameters, values, rows: rows)
        for calibration in [nil, Trial.values(4 * 784, in: 0...1, seed: 4)] {
            let prepared = try PreparedModel(
                model, parameters, inputBound: 1, inputsAreNonNegative: true, calibration: calibration, output: .scores)
            let distance = Trial.distance(try prepared.clear(values, rows: rows).scores, expected)
            let bound = prepared.terms.errorBound
            #expect(distance <= bound && prepared.terms.isErrorProven)
            #expect(bound <= 1024 * distance)
        }
    }

    @Test(
        "LeNet trained on digits: labels and scores are the model's, and so are two parties', at the cost that is stated"
    )
    func trainedLeNet() throws {
        guard let (training, testing) = try SharedData.digits() else { return }
        let model = try Trial.leNet()
        let parameters = try SharedData.trained(model, on: training, steps: 150, batchRows: 64, rate: 1e-3)
        let rows = 100
        let values = testing.values(0..<rows)
        let own = try Trial.scores(model, parameters, values, rows: rows)
        for calibration in [nil, training.values(0..<200)] {
            let prepared = try PreparedModel(
                model, parameters, inputBound: 1, inputsAreNonNegative: true, calibration: calibration, output: .scores)
            let found = try prepared.clear(values, rows: rows)
            let distance = Trial.distance(found.scores, own)
            let bound = prepared.terms.errorBound
            #expect(distance <= bound && bound <= 1024 * distance && prepared.terms.isErrorProven)
            #expect(found.labels == PredictionResults(scores: own).labels)
            #expect(zip(found.labels, testing.labels).filter { $0 == $1 }.count > 90)
            let run = try Trial.onShares(prepared, Array(values.prefix(4 * 784)), rows: 4, seed: 6)
            #expect(Trial.distance(run.results.scores, Array(own.prefix(4))) <= bound)
            #expect(run.results.labels == Array(found.labels.prefix(4)))
            #expect(run.cost.rounds == 13 && run.cost.bytes < 4 * 300_000)
        }
    }

    @Test(
        "ResNet-18 with batch normalisation: calibrated, it has every limit that it needs, an estimate that is called one, and the model's scores; two parties come to the same"
    )
    func residualNetwork() throws {
        let model = try Models.resNet18(inputShape: [1, 28, 28], classes: 3, normalization: .batch)
        let parameters = Trial.parameters(model, seed: 4)
        let calibration = Trial.values(3 * 784, in: 0...1, seed: 5)
        let prepared = try PreparedModel(
            model, parameters, inputBound: 1, inputsAreNonNegative: true, calibration: calibration, output: .scores,
            comparison: .twoRounds, threads: 2)
        #expect(!prepared.terms.isErrorProven)
        let values = Trial.values(4 * 784, in: 0...1, seed: 6)
        let own = try Trial.scores(model, parameters, values, rows: 4)
        let found = try prepared.clear(values, rows: 4, threads: 2)
        let distance = Trial.distance(found.scores, own)
        let largest = own.joined().reduce(0) { max($0, abs($1)) }
        #expect(distance <= prepared.terms.errorBound && prepared.terms.errorBound < largest / 10)
        let again = try PredictionTerms(bytes: prepared.terms.bytes)
        #expect(again == prepared.terms)
        let run = try Trial.onShares(prepared, Array(values.prefix(784)), rows: 1, seed: 7, threads: 2)
        #expect(Trial.distance(run.results.scores, Array(own.prefix(1))) <= prepared.terms.errorBound)
        // 20 linear steps, of which 17 and then the last one follow each other, 17 ReLU in two rounds, a maximum of 3 x 3 in eight, the exact division and the opening.
        #expect(run.cost.rounds == 18 + 34 + 8 + 2)
    }
}
