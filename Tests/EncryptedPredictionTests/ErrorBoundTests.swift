import Learning
import SecureComputation
import Testing

@testable import EncryptedPrediction

@Suite("The error's bound")
struct ErrorBoundTests {
    /// Zeros, but for what is given.
    private func parameters(_ model: Model, _ values: [String: [Float]]) -> Parameters {
        Parameters(
            names: model.declarations.map(\.name),
            tensors: model.declarations.map { declaration in
                let count = declaration.shape.reduce(1, *)
                return Tensor(
                    shape: declaration.shape,
                    values: values[declaration.name] ?? [Float](repeating: 0, count: count))
            })
    }

    private func identity(_ n: Int, times factor: Float = 1) -> [Float] {
        (0..<n * n).map { $0 / n == $0 % n ? factor : 0 }
    }

    @Test("Rows that make every rounding go the same way come to more than a third of the bound, and never beyond it")
    func tight() throws {
        let model = try Model(inputShape: [64]) {
            Linear(64, hasBias: false, name: "a")
            ReLU()
            Linear(1, hasBias: false, name: "b")
        }
        let unit: Float = 1.0 / 256
        let ones = [Float](repeating: 1, count: 64)
        // Inputs in the middle between two units; then products in the middle; then weights that are rounded most.
        let cases: [(first: Float, input: Float)] = [(1, 100.499 * unit), (1.0 / 128, 65 * unit)]
        for (number, (first, input)) in cases.enumerated() {
            let weights = parameters(model, ["a.weight": identity(64, times: first), "b.weight": ones])
            let prepared = try PreparedModel(model, weights, inputBound: 1, output: .scores, fractionBits: 8)
            let values = [Float](repeating: input, count: 64)
            let own = try Trial.scores(model, weights, values, rows: 1)
            let bound = prepared.terms.errorBound
            let distance = Trial.distance(try prepared.clear(values, rows: 1).scores, own)
            #expect(distance <= bound && distance > bound / 3.5, "case \(number): \(distance) of \(bound)")
            for seed in 0..<20 as Range<UInt64> {
                let run = try Trial.onShares(prepared, values, rows: 1, seed: seed)
                #expect(Trial.distance(run.results.scores, own) <= bound)
            }
        }
    }

    @Test(
        "Where the ring has room for few bits of weights, their rounding is what scores are off by, and within the bound"
    )
    func weightRounding() throws {
        let model = try Model(inputShape: [1]) { Linear(1, name: "a") }
        let weight: Float = 300 + 0.49 / 256
        let weights = parameters(model, ["a.weight": [weight]])
        let bound = 0x1p22
        let prepared = try PreparedModel(
            model, weights, inputBound: bound, inputsAreNonNegative: true, output: .scores, fractionBits: 20)
        let scale = LayerTerms.power(prepared.terms.layers[0].bits)
        let rounding = abs((Double(weight) * scale).rounded() / scale - Double(weight))
        #expect(prepared.terms.layers[0].bits < 10 && rounding > 0.0015)
        let own = try Trial.scores(model, weights, [Float(bound)], rows: 1)[0][0]
        let found = try #require(try prepared.clear([Float(bound)], rows: 1).scores)[0][0]
        #expect(abs(abs(found - own) - rounding * bound) < 100)
        #expect(abs(found - own) <= prepared.terms.errorBound && prepared.terms.errorBound < 1.3 * abs(found - own))
    }

    @Test("Errors go through maxima, averages and both ways of a block")
    func ways() throws {
        let ones = [Float](repeating: 1, count: 64)
        let models: [[any Layer]] = [
            [MaxPool(2), Flatten(), Linear(1, hasBias: false, name: "b")],
            [AveragePool(2), Flatten(), Linear(1, hasBias: false, name: "b")],
            [
                AveragePool(2), Flatten(), Linear(64, hasBias: false, name: "z"),
                Residual(body: [Linear(64, hasBias: false, name: "a")]),
                Linear(1, hasBias: false, name: "b"),
            ],
            [
                AveragePool(2), Flatten(), Linear(64, hasBias: false, name: "z"),
                Residual(body: [Linear(64, hasBias: false, name: "a")], shortcut: [Linear(64, name: "c")]),
                Linear(1, hasBias: false, name: "b"),
            ],
        ]
        for (number, layers) in models.enumerated() {
            let model = try Model(inputShape: [1, 16, 16], layers: layers)
            // Eight times as large, errors are beyond what one division adds. In the third the row goes the short way alone, in the fourth the long one.
            let weights = parameters(
                model,
                [
                    "b.weight": ones, "a.weight": identity(64, times: number == 3 ? 1 : 0),
                    "z.weight": identity(64, times: 8),
                ])
            let prepared = try PreparedModel(model, weights, inputBound: 1, output: .scores, fractionBits: 8)
            let values = [Float](repeating: 100.499 / 256, count: 256)
            let own = try Trial.scores(model, weights, values, rows: 1)
            let distance = Trial.distance(try prepared.clear(values, rows: 1).scores, own)
            let bound = prepared.terms.errorBound
            #expect(
                distance <= bound && distance > 30.0 / 256 && distance > bound / 6,
                "case \(number): \(distance) of \(bound)")
        }
    }

    @Test(
        "With eight bits behind the point, where rounding is coarse, every kind of layer stays within it, on shares too"
    )
    func coarse() throws {
        for (number, (name, input, layers)) in LayerTests.models.enumerated() {
            let model = try Model(inputShape: input, layers: layers)
            let size = input.reduce(1, *)
            let parameters = Trial.parameters(model, seed: UInt64(400 + number))
            let values = Trial.values(6 * size, in: -2...2, seed: UInt64(500 + number))
            let own = try Trial.scores(model, parameters, values, rows: 6)
            let prepared = try PreparedModel(model, parameters, inputBound: 2, output: .scores, fractionBits: 8)
            let bound = prepared.terms.errorBound
            #expect(prepared.terms.fractionBits == 8 && prepared.terms.outputBits == 8)
            let distance = Trial.distance(try prepared.clear(values, rows: 6).scores, own)
            #expect(distance <= bound && bound < 400 * distance, "\(name): \(distance) of \(bound)")
            let run = try Trial.onShares(prepared, values, rows: 6, seed: UInt64(number))
            #expect(Trial.distance(run.results.scores, own) <= bound, "\(name)")
        }
    }

    @Test("Inputs that are never negative, and limits, make it smaller")
    func smaller() throws {
        let model = try Trial.leNet()
        let parameters = Trial.parameters(model, seed: 2)
        func bound(_ isNonNegative: Bool, _ calibration: [Float]?) throws -> Double {
            try PreparedModel(
                model, parameters, inputBound: 1, inputsAreNonNegative: isNonNegative, calibration: calibration,
                output: .scores
            ).terms.errorBound
        }
        let dark = Trial.values(784, in: 0...0.05, seed: 1)
        #expect(try bound(true, nil) < bound(false, nil))
        #expect(try bound(true, dark) < bound(true, nil))
    }

    @Test("A number with two digits, never below what it rounds")
    func rounding() {
        for number in [1e-9, 0.000123, 0.0999, 0.1, 0.99, 1, 9.91, 99, 99.1, 1234.5, 7e250] {
            let rounded = PreparedModel.roundedUp(number)
            #expect(rounded >= number && rounded <= number * 1.11)
        }
        #expect(PreparedModel.roundedUp(0) == 0)
    }
}
