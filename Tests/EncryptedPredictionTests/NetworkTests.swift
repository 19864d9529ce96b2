import Learning
import ModularArithmetic
import Testing
import TwoPartyComputation

@testable import EncryptedPrediction

@Suite("Whole networks on shares")
struct NetworkTests {
    @Test(
        "LeNet with random weights: its error stays within the proven bound, which is at most 2^10 times the largest one"
    )
    func leNet() throws {
        let model = try Trial.leNet()
        let parameters = Trial.parameters(model, seed: 2)
        let rows = 40
        let values = Trial.values(rows * 784, in: 0...1, seed: 3)
        let expected = try Trial.scores(model, parameters, values, rows: rows)
        for calibration in [nil, Trial.values(4 * 784, in: 0...1, seed: 4)] {
            let prepared = try PreparedModel(
                model, parameters, inputBound: 1, inputsAreNonNegative: true, calibration: calibration, output: .scores)
            let found = try prepared.clear(values, rows: rows)
            let distance = Trial.distance(found.scores, expected)
            let bound = prepared.terms.errorBound
            print(
                "LeNet", calibration == nil, distance, bound, bound / distance, prepared.terms.fractionBits,
                prepared.terms.layers, prepared.terms.limits)
            #expect(distance <= bound && prepared.terms.isErrorProven)
            #expect(bound <= 1024 * distance)
        }
    }

    @Test("LeNet of two parties: labels and scores are the twin's, to what rounding may change")
    func leNetOnShares() throws {
        let model = try Trial.leNet()
        let parameters = Trial.parameters(model, seed: 2)
        let rows = 2
        let values = Trial.values(rows * 784, in: 0...1, seed: 5)
        let scored = try PreparedModel(model, parameters, inputBound: 1, inputsAreNonNegative: true, output: .scores)
        let run = try Trial.onShares(scored, values, rows: rows, seed: 6)
        let clear = try scored.clear(values, rows: rows)
        print(run.cost, Trial.distance(run.results.scores, clear.scores!))
        #expect(Trial.distance(run.results.scores, clear.scores ?? []) <= 2 * scored.terms.errorBound)
        #expect(run.cost.rounds == 13)
    }
}
