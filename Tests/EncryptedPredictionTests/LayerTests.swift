import Learning
import ModularArithmetic
import SecureComputation
import Testing

@testable import EncryptedPrediction

@Suite("Layers on shares")
struct LayerTests {
    /// Models of few values, which together have every kind of layer at every place that changes what is made of it.
    static let models: [(name: String, input: [Int], layers: [any Layer])] = [
        ("linear", [7], [Linear(3)]), ("no bias", [7], [Linear(3, hasBias: false)]),
        ("linear behind linear", [7], [Linear(6), Linear(5, hasBias: false), Linear(3)]),
        ("positions", [4, 5], [Linear(3), ReLU(), Flatten(), Linear(2)]),
        (
            "positions with batch normalisation behind", [4, 5, 2],
            [Linear(3), BatchNormalization(), Flatten(), Linear(2)]
        ),
        ("a shared weight", [5], [Linear(5, name: "a"), ReLU(), Linear(5, sharedWeight: "a.weight", name: "b")]),
        ("dropout", [7], [Dropout(0.5), Linear(6), Dropout(0.2), ReLU(), Linear(3)]),
        ("ReLU at the end", [7], [Linear(5), ReLU()]), ("ReLU first", [7], [ReLU(), Linear(3)]),
        ("log odds", [7], [Linear(6), ReLU(), Linear(1)]),
        ("convolution", [2, 7, 6], [Convolution(3, kernel: 3), Flatten(), Linear(2)]),
        (
            "convolutions with stride and padding", [2, 9, 8],
            [
                Convolution(4, kernel: 3, stride: 2, padding: 1, hasBias: false), ReLU(),
                Convolution(3, kernel: 2, stride: 3, padding: 2), ReLU(), Flatten(), Linear(3),
            ]
        ),
        ("maximum", [2, 6, 6], [Convolution(3, kernel: 3, padding: 1), ReLU(), MaxPool(2), Flatten(), Linear(2)]),
        ("maximum before ReLU", [1, 6, 6], [Convolution(3, kernel: 3), MaxPool(2), ReLU(), Flatten(), Linear(2)]),
        ("maximum without ReLU", [1, 7, 7], [Convolution(3, kernel: 2), MaxPool(3), Flatten(), Linear(2)]),
        ("maximum of inputs", [2, 5, 5], [MaxPool(2, stride: 1), Convolution(2, kernel: 3), Flatten(), Linear(2)]),
        (
            "overlapping maxima with padding", [1, 9, 9],
            [Convolution(3, kernel: 2), ReLU(), MaxPool(3, stride: 2, padding: 1), Flatten(), Linear(2)]
        ),
        (
            "maxima one behind the other", [1, 9, 9],
            [
                Convolution(3, kernel: 2), ReLU(), MaxPool(3, stride: 1, padding: 1), MaxPool(2), Flatten(), Linear(2),
            ]
        ),
        ("average", [2, 6, 6], [Convolution(3, kernel: 3), ReLU(), AveragePool(2), Flatten(), Linear(2)]),
        ("average before ReLU", [2, 6, 6], [Convolution(3, kernel: 3), AveragePool(2), ReLU(), Flatten(), Linear(2)]),
        (
            "average with padding, and a maximum of averages", [2, 7, 7],
            [
                Convolution(3, kernel: 3, padding: 1), ReLU(), AveragePool(3, stride: 2, padding: 1), MaxPool(2),
                Flatten(), Linear(2),
            ]
        ),
        ("global average", [2, 6, 6], [Convolution(3, kernel: 3), ReLU(), GlobalAveragePool(), Linear(2)]),
        ("global average at the end", [2, 6, 6], [Convolution(3, kernel: 3), GlobalAveragePool()]),
        (
            "averages of averages", [2, 8, 8],
            [Convolution(3, kernel: 3), AveragePool(2), GlobalAveragePool(), Linear(2)]
        ),
        (
            "folded into a convolution", [2, 6, 6],
            [Convolution(3, kernel: 3, hasBias: false), BatchNormalization(), ReLU(), Flatten(), Linear(2)]
        ),
        ("folded into a linear layer", [7], [Linear(6), BatchNormalization(epsilon: 0.3), ReLU(), Linear(2)]),
        (
            "batch normalisation first", [3, 4, 4],
            [BatchNormalization(), Convolution(2, kernel: 3), Flatten(), Linear(2)]
        ),
        ("batch normalisation behind ReLU", [7], [Linear(6), ReLU(), BatchNormalization(), Linear(2)]),
        (
            "a block whose short way is the row", [3, 5, 5],
            [
                Residual(body: [Convolution(3, kernel: 3, padding: 1), ReLU(), Convolution(3, kernel: 3, padding: 1)]),
                ReLU(), GlobalAveragePool(), Linear(2),
            ]
        ),
        (
            "a block with a short way of its own", [2, 6, 6],
            [
                Residual(
                    body: [
                        Convolution(4, kernel: 3, stride: 2, padding: 1, hasBias: false), BatchNormalization(), ReLU(),
                        Convolution(4, kernel: 3, padding: 1, hasBias: false), BatchNormalization(),
                    ],
                    shortcut: [Convolution(4, kernel: 1, stride: 2, hasBias: false), BatchNormalization()]), ReLU(),
                GlobalAveragePool(), Linear(2),
            ]
        ),
        (
            "a block whose short way is an average", [2, 6, 6],
            [
                Residual(
                    body: [Convolution(2, kernel: 2, stride: 2)], shortcut: [AveragePool(2)]), ReLU(),
                Flatten(), Linear(2),
            ]
        ),
        (
            "averages of a block's sum", [2, 16, 16],
            [
                Residual(
                    body: [Convolution(2, kernel: 3, padding: 1)], shortcut: [Convolution(2, kernel: 1)]),
                GlobalAveragePool(), Linear(2),
            ]
        ),
        (
            "a block without ReLU behind, and a short way that pools", [2, 6, 6],
            [
                Residual(
                    body: [Convolution(2, kernel: 2, stride: 2), ReLU()], shortcut: [MaxPool(2)]),
                Flatten(), Linear(2),
            ]
        ),
    ]

    @Test(
        "Each gives the model's own scores to the stated bound, with limits and without, and no bound in the range analysis is passed"
    )
    func layers() throws {
        for (number, (name, input, layers)) in Self.models.enumerated() {
            let model = try Model(inputShape: input, layers: layers)
            let size = input.reduce(1, *)
            let parameters = Trial.parameters(model, seed: UInt64(100 + number))
            let values = Trial.values(9 * size, in: -2...2, seed: UInt64(200 + number))
            let own = try Trial.scores(model, parameters, values, rows: 9)
            for calibration in [nil, values] {
                let prepared = try PreparedModel(
                    model, parameters, inputBound: 2, calibration: calibration, output: .scores)
                let found = try prepared.clear(values, rows: 9)
                let distance = Trial.distance(found.scores, own)
                let bound = prepared.terms.errorBound
                #expect(distance <= bound && prepared.terms.isErrorProven, "\(name): \(distance) above \(bound)")
                #expect(bound < 0.01, "\(name): a bound of \(bound)")
                // What both parties and the dealer make of the bytes is one program, whose bounds are those of the analysis.
                let again = try PredictionTerms(bytes: prepared.terms.bytes)
                let program = try again.program(rows: 2)
                #expect(try program.digest == prepared.terms.program(rows: 2).digest)
                #expect(try program.outputs.map(\.value.bound) == [again.range().value], "\(name)")
            }
        }
    }

    @Test("Two parties come to the twin's scores and labels, in both forms of comparisons")
    func onShares() throws {
        for (number, (name, input, layers)) in Self.models.enumerated() {
            let model = try Model(inputShape: input, layers: layers)
            let size = input.reduce(1, *)
            let parameters = Trial.parameters(model, seed: UInt64(100 + number))
            let values = Trial.values(3 * size, in: -2...2, seed: UInt64(300 + number))
            for (form, output) in [(ComparisonForm.oneRound, PredictionTerms.Output.scores), (.twoRounds, .label)] {
                let prepared = try PreparedModel(
                    model, parameters, inputBound: 2, calibration: values, output: output, comparison: form)
                let clear = try prepared.clear(values, rows: 3)
                let run = try Trial.onShares(prepared, values, rows: 3, seed: UInt64(number))
                #expect(run.cost.rounds == (try prepared.terms.program(rows: 3).cost.rounds))
                if let scores = clear.scores {
                    #expect(Trial.distance(run.results.scores, scores) <= 2 * prepared.terms.errorBound, "\(name)")
                }
                #expect(run.results.labels == clear.labels, "\(name)")
                let own = try Trial.scores(model, parameters, values, rows: 3)
                #expect(clear.labels == PredictionResults(scores: own).labels, "\(name)")
            }
        }
    }

    @Test("A softmax or sigmoid at the end is left out: labels are the same, and probabilities follow from scores")
    func ends() throws {
        let values = Trial.values(5 * 7, in: -1...1, seed: 5)
        for last in [SoftmaxLayer(), Sigmoid()] as [any Layer] {
            let outputs = last is Sigmoid ? 1 : 3
            let model = try Model(inputShape: [7], layers: [Linear(6), ReLU(), Linear(outputs), last])
            let parameters = Trial.parameters(model, seed: 6)
            let own = try Trial.scores(model, parameters, values, rows: 5)
            let prepared = try PreparedModel(model, parameters, inputBound: 1, output: .scores)
            let results = try prepared.clear(values, rows: 5)
            let expected = outputs == 1 ? own.map { [1 - $0[0], $0[0]] } : own
            #expect(Trial.distance(results.probabilities, expected) < 1e-3)
            let labelled = try PreparedModel(model, parameters, inputBound: 1, output: .label)
            let labels = try labelled.clear(values, rows: 5)
            #expect(labels.scores == nil && labels.labels == expected.map { $0.firstIndex(of: $0.max() ?? 0) ?? -1 })
        }
    }

    @Test(
        "Rounds are as few as masks allow: one for a linear step, one for a ReLU with its division and limit, two for a maximum of four"
    )
    func rounds() throws {
        func rounds(_ layers: [any Layer], _ form: ComparisonForm = .oneRound, calibrated: Bool = true) throws -> Int {
            let model = try Model(inputShape: [1, 8, 8], layers: layers)
            let prepared = try PreparedModel(
                model, Trial.parameters(model, seed: 1), inputBound: 1,
                calibration: calibrated ? Trial.values(64, in: 0...1, seed: 2) : nil, output: .scores, comparison: form)
            return try prepared.terms.program(rows: 1).cost.rounds
        }
        // The last two are the exact division and the opening.
        #expect(try rounds([Flatten(), Linear(2)]) == 1 + 2)
        #expect(try rounds([Flatten(), Linear(3), ReLU(), Linear(2)]) == 3 + 2)
        #expect(try rounds([Flatten(), Linear(3), ReLU(), Linear(2)], calibrated: false) == 3 + 2)
        #expect(try rounds([Flatten(), Linear(3), ReLU(), Linear(2)], .twoRounds) == 4 + 2)
        #expect(try rounds([Convolution(2, kernel: 3), ReLU(), MaxPool(2), Flatten(), Linear(2)]) == 5 + 2)
        #expect(try rounds([Convolution(2, kernel: 3), ReLU(), MaxPool(3), Flatten(), Linear(2)]) == 7 + 2)
        // A maximum before ReLU compares 3 of 4 and then 1 of 4, and not 4 of 4 and then 3 of 4.
        let model = try Model(
            inputShape: [1, 8, 8], layers: [Convolution(2, kernel: 1), ReLU(), MaxPool(2), Flatten(), Linear(2)])
        let prepared = try PreparedModel(model, Trial.parameters(model, seed: 1), inputBound: 1, output: .scores)
        let cost = try prepared.terms.program(rows: 1).cost
        let exact = 16 * (3 * (prepared.terms.fractionBits + prepared.terms.layers[1].bits - 10) + 1) * 8
        #expect(cost.correlationBytesToFirst == 96 * 2032 + 32 * 2544 + exact)
    }
}
