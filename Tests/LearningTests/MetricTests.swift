import Foundation
import Testing

@testable import Learning

@Suite("Metrics beside scikit-learn's numbers")
struct MetricTests {
    struct Numbers: Decodable {
        var labels: [Labelled]
        var values: [Valued]

        struct Labelled: Decodable {
            var classes: Int
            var labels: [Int]
            var scores: [Double]
            var confusion: [[Int]]
            var values: [String: Double]
            var bins: [[Double]]
            var f1: [Double?]
        }

        struct Valued: Decodable {
            var width: Int
            var targets: [Double]
            var outputs: [Double]
            var values: [String: Double]
        }

        static func read() throws -> Numbers {
            let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/metrics.json")
            return try JSONDecoder().decode(Numbers.self, from: Data(contentsOf: file))
        }
    }

    @Test("Of labels, with equal scores, labels that do not occur and several classes: all within 1e-12")
    func labels() throws {
        for (number, each) in try Numbers.read().labels.enumerated() {
            let scores = try LabelScores(labels: each.labels, scores: each.scores, classes: each.classes)
            #expect(scores.confusion == each.confusion)
            #expect(each.values.count >= 6)
            for (name, expected) in each.values {
                let metric = try #require(Metric(rawValue: name))
                let value = try scores.value(metric)
                #expect(abs(value - expected) < 1e-12, "case \(number): \(name) \(value) beside \(expected)")
            }
            let bins = try scores.reliability().map { [Double($0.rows), $0.confidence, $0.right] }
            #expect(bins.count == each.bins.count)
            for (bin, expected) in zip(bins, each.bins) {
                #expect(zip(bin, expected).allSatisfy { abs($0 - $1) < 1e-12 }, "case \(number)")
            }
            #expect(
                zip(scores.f1, each.f1).allSatisfy { ($0 == nil) == ($1 == nil) && abs(($0 ?? 0) - ($1 ?? 0)) < 1e-12 })
        }
    }

    @Test("Of values, of several outputs, and of targets that are all the same")
    func values() throws {
        for each in try Numbers.read().values {
            let errors = try ValueErrors(targets: each.targets, outputs: each.outputs, width: each.width)
            #expect(each.values.count == 3)
            for (name, expected) in each.values {
                let value = try errors.value(try #require(Metric(rawValue: name)))
                #expect(abs(value - expected) < 1e-12, "\(name): \(value) beside \(expected)")
            }
        }
    }

    @Test("One class alone has an accuracy, but no area under a curve, in words")
    func oneClass() throws {
        let scores = try LabelScores(labels: [1, 1], scores: [0.4, 0.6, 0.7, 0.3], classes: 2)
        #expect(try scores.value(.accuracy) == 0.5)
        #expect(try scores.value(.correlation) == 0)
        for metric in [Metric.rocAUC, .averagePrecision] {
            #expect(throws: MetricError.undefined(metric, reason: "label 1 is the label of all rows")) {
                try scores.value(metric)
            }
        }
    }

    @Test("Scores that are no number are refused, and scores that are no probabilities have no calibration")
    func notNumbers() throws {
        #expect(throws: MetricError.notANumber) {
            try LabelScores(labels: [0, 1], scores: [0.5, .nan, 0.5, 0.5], classes: 2)
        }
        #expect(throws: MetricError.notANumber) { try ValueErrors(targets: [1], outputs: [.infinity]) }
        let scores = try LabelScores(labels: [0, 1], scores: [3, 1, -2, 5], classes: 2)
        #expect(try scores.value(.rocAUC) == 1)
        #expect(throws: MetricError.self) { try scores.value(.brier) }
    }

    @Test("What is selected was measured on the very weights that are kept")
    func selection() throws {
        var model = try Model(inputShape: [1]) { Linear(1) }
        model = try model.training(only: ["0."])
        let plan = try TrainingPlan(
            model: model, loss: .meanSquared, optimizer: .gradientDescent(), learningRate: 0.4, steps: 12)
        let examples = try Examples(
            inputs: Tensor(shape: [4, 1], values: [-1, 0, 1, 2]),
            targets: .values(Tensor(shape: [4, 1], values: [-2, 0, 2, 4])))
        var run = try TrainingRun(plan: plan, examples: examples, batchRows: 2, seed: 5)
        var selection = Selection(.loss)
        var seen: [Double] = []
        for _ in 0..<12 {
            _ = try run.step()
            let (measured, isBest) = try selection.consider(run.state) { parameters in
                let loss = try Evaluation(plan, parameters, on: examples).value(.loss)
                return (loss, loss)
            }
            #expect(isBest == (measured < seen.min() ?? .infinity))
            seen.append(measured)
        }
        let best = try #require(selection.best)
        #expect(best.value == seen.min())
        #expect(best.step == seen.firstIndex(of: best.value).map { $0 + 1 })
        // The weights that were kept give the value that was kept, to the bit.
        #expect(try Evaluation(plan, best.parameters, on: examples).value(.loss) == best.value)
    }

    @Test("A direction may be turned, the first of equal ones is kept, and no value is never the best")
    func direction() throws {
        let plan = try TrainingPlan(
            model: Model(inputShape: [1]) { Linear(1) }, loss: .meanSquared, optimizer: .gradientDescent(),
            learningRate: 1, steps: 3)
        let parameters = Parameters(
            names: ["0.weight", "0.bias"], tensors: [Tensor(shape: [1, 1]), Tensor(shape: [1])])
        var selection = Selection(.accuracy, isBetterHigher: false)
        var kept: [Bool] = []
        for value in [nil, 0.5, 0.5, .nan, 0.4, 0.6] {
            let state = try TrainingState(plan, parameters)
            kept.append(selection.consider(state) { _ in ((), value) }.isBest)
        }
        #expect(kept == [false, true, false, false, true, false])
    }
}
