import Learning
import ModularArithmetic
import SecureComputation
import Testing

@testable import EncryptedPrediction

@Suite("What is refused, and what cannot wrap")
struct RefusalTests {
    @Test("Layers that have no form on shares are refused by name, with what would be right")
    func layers() throws {
        let wrong: [(input: [Int], layers: [any Layer], words: [String])] = [
            (
                [4, 5, 5], [Convolution(4, kernel: 3, groups: 2, name: "grouped"), Flatten()], ["grouped", "one group"]
            ),
            (
                [4, 5, 5], [Convolution(4, kernel: 3), GroupNormalization(groups: 2, name: "gn"), Flatten()],
                ["gn", "batch normalisation"]
            ),
            ([4], [Linear(4), LayerNormalization(name: "ln")], ["ln", "batch normalisation"]),
            ([4], [Linear(4), Tanh(name: "bend"), Linear(2)], ["bend", "ReLU"]),
            ([4], [Linear(4), GELU(name: "bend"), Linear(2)], ["bend", "ReLU"]),
            ([4], [Linear(4), Sigmoid(name: "middle"), Linear(2)], ["middle", "ReLU"]),
            ([4, 3], [GRU(5, name: "memory"), LastStep()], ["memory", "linear"]),
            (
                [1, 6, 6], [Convolution(2, kernel: 3), MaxPool(2, padding: 1, name: "pool"), Flatten()],
                ["pool", "ReLU"]
            ),
            ([1, 40, 40], [Convolution(2, kernel: 1), MaxPool(33, name: "pool"), Flatten()], ["pool", "32"]),
            ([1, 6, 6], [Convolution(2, kernel: 3, name: "last")], ["last", "one row of scores"]),
            ([4, 5], [Linear(3), BatchNormalization(name: "bn"), Flatten()], ["bn", "one or three"]),
            ([4], [ReLU()], ["at least one linear"]),
            (
                [2, 6, 6],
                [
                    Residual(
                        name: "block", body: [Convolution(2, kernel: 2, stride: 2)],
                        shortcut: [AveragePool(3, stride: 2, padding: 1)]),
                    Flatten(), Linear(2),
                ], ["block", "an average"]
            ),
        ]
        for (input, layers, words) in wrong {
            let model = try Model(inputShape: input, layers: layers)
            do throws(PredictionError) {
                _ = try PreparedModel(model, Trial.parameters(model, seed: 1), inputBound: 1, output: .scores)
                Issue.record("\(words) was taken")
            } catch {
                for word in words { #expect(error.description.contains(word), "\(error)") }
            }
        }
    }

    @Test(
        "What could pass the ring is refused with the layer and the bits it would need; fewer bits behind the point are tried before"
    )
    func overflow() throws {
        func prepared(_ factor: Float, bits: Int?, layers: Int = 1) throws(PredictionError) -> PreparedModel {
            do {
                let model = try Model(inputShape: [50]) {
                    Linear(50, name: "first")
                    for _ in 0..<layers { Linear(50) }
                    Linear(2, name: "last")
                }
                let begin = Trial.parameters(model, seed: 1)
                let parameters = Parameters(
                    names: begin.names,
                    tensors: begin.tensors.map { Tensor(shape: $0.shape, values: $0.values.map { $0 * factor }) })
                return try PreparedModel(model, parameters, inputBound: 100, output: .scores, fractionBits: bits)
            } catch let error as PredictionError { throw error } catch { throw .input("\(error)", expected: "") }
        }
        #expect(try prepared(1, bits: nil).terms.fractionBits == 20)
        #expect(try (8..<20).contains(prepared(30, bits: nil).terms.fractionBits))
        for (factor, bits, layers) in [(1e3, 20, 1), (1e6, nil, 1), (1, nil, 40)] as [(Float, Int?, Int)] {
            do throws(PredictionError) {
                _ = try prepared(factor, bits: bits, layers: layers)
                Issue.record("\(factor) was taken")
            } catch {
                guard case .overflow(let layer, let bits) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(bits > 62 && bits < 200 && layer.contains("linear"))
                #expect(error.description.contains("62") && error.description.contains(layer))
            }
        }
    }

    @Test(
        "Behind many layers ReLU is held, so that worst cases do not multiply: without calibration to 1024, with one to twice what was seen"
    )
    func limits() throws {
        let model = try Model(inputShape: [30]) {
            for _ in 0..<14 {
                Linear(30)
                ReLU()
            }
            Linear(2)
        }
        let parameters = Trial.parameters(model, seed: 3)
        let free = try PreparedModel(model, parameters, inputBound: 4, output: .scores)
        let power = free.terms.fractionBits + 10
        #expect(free.terms.limits.contains(power) && free.terms.limits.allSatisfy { $0 == nil || $0 == power })
        let rows = Trial.values(600, in: -4...4, seed: 4)
        let held = try PreparedModel(model, parameters, inputBound: 4, calibration: rows, output: .scores)
        var seen = RealArithmetic(
            folded: try PredictionPlan(model).linears.map { try FoldedLayer($0, parameters) },
            seen: [Double](repeating: 0, count: 14))
        for row in 0..<20 {
            let values = rows[row * 30..<(row + 1) * 30].map(Double.init)
            _ = try PredictionPlan(model).walk(values, fractionBits: 16, outputBits: 12, &seen)
        }
        for (limit, largest) in zip(held.terms.limits, seen.seen) {
            guard let limit else { continue }
            let real = LayerTerms.power(limit - held.terms.fractionBits)
            #expect(real >= 2 * largest && (real < 4 * largest || limit == 4))
        }
        #expect(held.terms.limits.compactMap { $0 }.count > 8)
        #expect(held.terms.errorBound < free.terms.errorBound)
    }

    @Test(
        "Rows at the bound, huge ones and infinite ones never wrap: they give what their held values give, and scores within their bound; NaN and wrong sizes are refused by place"
    )
    func adversarialRows() throws {
        let model = try Trial.leNet()
        let parameters = Trial.parameters(model, seed: 9)
        for calibration in [nil, Trial.values(784, in: 0...0.1, seed: 1)] {
            let prepared = try PreparedModel(
                model, parameters, inputBound: 1, calibration: calibration, output: .scores)
            let terms = prepared.terms
            let signs = Trial.values(784, in: -1...1, seed: 10)
            let extreme: [[Float]] = [
                [Float](repeating: 1, count: 784), [Float](repeating: -1, count: 784), signs.map { $0 < 0 ? -1 : 1 },
            ]
            let huge: [[Float]] = [
                [Float](repeating: .greatestFiniteMagnitude, count: 784), [Float](repeating: -.infinity, count: 784),
                signs.map { $0 < 0 ? -1e30 : .infinity },
            ]
            let found = try prepared.clear(extreme.flatMap { $0 }, rows: 3)
            #expect(try prepared.clear(huge.flatMap { $0 }, rows: 3) == found)
            let range = try terms.range()
            for score in try #require(found.scores).joined() { #expect(abs(score) <= range.value * range.unit) }
            if calibration == nil {
                let own = try Trial.scores(model, parameters, extreme.flatMap { $0 }, rows: 3)
                #expect(Trial.distance(found.scores, own) <= terms.errorBound)
            }
            var wrong = signs
            wrong[5] = .nan
            do throws(PredictionError) {
                _ = try terms.inputs(signs + wrong, rows: 2)
                Issue.record("NaN was taken")
            } catch { #expect(error.description.contains("value 5 of row 1")) }
            for (values, rows) in [(signs, 2), (signs, 0), ([], 0), ([], -1), (signs, Int.max), (signs, Int.min)] {
                #expect(throws: PredictionError.self) { try terms.inputs(values, rows: rows) }
            }
            for rows in [0, -1, 4097, Int.max, Int.min] {
                #expect(throws: PredictionError.self) { try terms.program(rows: rows) }
            }
        }
    }

    @Test("Where inputs are never negative, what is below 0 counts as 0, and elsewhere it counts")
    func negativeInputs() throws {
        let model = try Model(inputShape: [5]) { Linear(3) }
        let parameters = Trial.parameters(model, seed: 1)
        let values: [Float] = [-1, 0.5, -0.25, 1, -.infinity]
        let held: [Float] = [0, 0.5, 0, 1, 0]
        for isNonNegative in [false, true] {
            let prepared = try PreparedModel(
                model, parameters, inputBound: 1, inputsAreNonNegative: isNonNegative, output: .scores)
            let scores = try prepared.clear(values, rows: 1)
            #expect(try (scores == prepared.clear(held, rows: 1)) == isNonNegative)
        }
    }

    @Test(
        "Under published terms an owner has the same weights again, and weights beyond them, or another model, are refused"
    )
    func again() throws {
        for (number, (name, input, layers)) in LayerTests.models.enumerated() {
            let model = try Model(inputShape: input, layers: layers)
            let parameters = Trial.parameters(model, seed: UInt64(100 + number))
            let rows = Trial.values(3 * input.reduce(1, *), in: -2...2, seed: 1)
            let prepared = try PreparedModel(model, parameters, inputBound: 2, calibration: rows, output: .scores)
            let terms = try PredictionTerms(bytes: prepared.terms.bytes)
            let again = try PreparedModel(model, parameters, terms: terms)
            #expect(again.weights == prepared.weights && again.terms == prepared.terms, "\(name)")
            let larger = Parameters(
                names: parameters.names,
                tensors: parameters.tensors.map { Tensor(shape: $0.shape, values: $0.values.map { 9 * $0 }) })
            #expect(throws: PredictionError.self, "\(name)") { try PreparedModel(model, larger, terms: terms) }
        }
        let model = try Model(inputShape: [3]) { Linear(4) }
        let parameters = Trial.parameters(model, seed: 1)
        let terms = try PreparedModel(model, parameters, inputBound: 1, output: .label).terms
        let other = try Model(inputShape: [3]) { Linear(4, name: "other") }
        #expect(throws: PredictionError.self) {
            try PreparedModel(other, Trial.parameters(other, seed: 1), terms: terms)
        }
    }

    @Test("What no party that follows the program opens is refused: other shapes, labels that are none")
    func results() throws {
        let model = try Model(inputShape: [3]) { Linear(4) }
        let parameters = Trial.parameters(model, seed: 1)
        let labels = try PreparedModel(model, parameters, inputBound: 1, output: .label).terms
        let scores = try PreparedModel(model, parameters, inputBound: 1, output: .scores).terms
        func tensor(_ shape: [Int], _ words: [UInt64]) throws -> RingTensor {
            try RingTensor(shape: shape, words: words)
        }
        #expect(try labels.results([tensor([2], [3, 0])], rows: 2).labels == [3, 0])
        for outputs in [
            [], [try tensor([2], [4, 0])], [try tensor([2], [0, .max])], [try tensor([1], [0])],
            [try tensor([2], [0, 0]), try tensor([2], [0, 0])],
        ] {
            #expect(throws: PredictionError.self) { try labels.results(outputs, rows: 2) }
        }
        #expect(throws: PredictionError.self) { try scores.results([tensor([2, 3], [0, 0, 0, 0, 0, 0])], rows: 2) }
        #expect(throws: PredictionError.self) {
            try scores.results([tensor([2, 4], [UInt64](repeating: 0, count: 8))], rows: 3)
        }
    }

    @Test(
        "Weights that are no number, of another model, or beyond the terms' bounds, and calibration that is none, are refused"
    )
    func weights() throws {
        let model = try Model(inputShape: [3]) {
            Linear(4, name: "a")
            BatchNormalization(name: "b")
        }
        let parameters = Trial.parameters(model, seed: 1)
        for (name, value) in [
            ("a.weight", Float.nan), ("a.bias", .infinity), ("b.running_var", -3), ("b.weight", .nan),
        ] {
            let changed = Parameters(
                names: parameters.names,
                tensors: zip(parameters.names, parameters.tensors).map { own, tensor in
                    own == name ? Tensor(shape: tensor.shape, repeating: value) : tensor
                })
            #expect(throws: PredictionError.self) { try PreparedModel(model, changed, inputBound: 1, output: .label) }
        }
        let other = try Model(inputShape: [4]) { Linear(4, name: "a") }
        #expect(throws: PredictionError.self) { try PreparedModel(other, parameters, inputBound: 1, output: .label) }
        for bound in [0, -1, .nan, .infinity, 0x1p25] {
            #expect(throws: PredictionError.self) {
                try PreparedModel(model, parameters, inputBound: bound, output: .label)
            }
        }
        for bits in [7, 21, -1, Int.max] {
            #expect(throws: PredictionError.self) {
                try PreparedModel(model, parameters, inputBound: 1, output: .label, fractionBits: bits)
            }
        }
        for rows in [[], [1, 2], [1, 2, .nan], [1, .infinity, 2]] as [[Float]] {
            #expect(throws: PredictionError.self) {
                try PreparedModel(model, parameters, inputBound: 1, calibration: rows, output: .label)
            }
        }
        // Terms of smaller weights: the run refuses the larger ones.
        let small = Parameters(
            names: parameters.names,
            tensors: zip(parameters.names, parameters.tensors).map { name, tensor in
                name.hasPrefix("a") ? Tensor(shape: tensor.shape, values: tensor.values.map { $0 / 8 }) : tensor
            })
        let program = try PreparedModel(model, small, inputBound: 1, output: .label).terms.program(rows: 1)
        let large = try PreparedModel(model, parameters, inputBound: 1, output: .label)
        #expect(throws: ComputationError.self) {
            try ClearText.run(program, inputs: large.terms.inputs([0, 0, 0], rows: 1), weights: large.weights)
        }
    }
}
