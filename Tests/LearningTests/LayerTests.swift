import Foundation
import Testing

@testable import Learning

/// A layer with what PyTorch computes for it (`Fixtures/layers.py`): the loss is the sum of output times direction.
struct LayerCase: Sendable, CustomTestStringConvertible {
    struct Values: Decodable, Sendable {
        let shape: [Int]
        let values: [Float]
        var tensor: Tensor { Tensor(shape: shape, values: values) }
    }

    struct Numbers: Decodable, Sendable {
        let input: Values
        let parameters: [String: Values]
        let output: Values
        let direction: Values
        let inputGradient: Values
        let gradients: [String: Values]
        let statistics: [String: Values]
    }

    let numbers: Numbers
    let model: Model
    var testDescription: String { String(decoding: Architecture.json(model), as: UTF8.self) }

    static let all: [LayerCase] = (try? read()) ?? []

    static func fixture(_ name: String) throws -> Data {
        try Data(contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(name)"))
    }

    private static func read() throws -> [LayerCase] {
        let data = try fixture("layers.json")
        let numbers = try JSONDecoder().decode([Numbers].self, from: data)
        let forms = try JSONSerialization.jsonObject(with: data) as? [[String: Any]] ?? []
        return try zip(numbers, forms).map { numbers, form in
            let layer = try JSONSerialization.data(withJSONObject: form["layer"] ?? [])
            let text =
                #"{"format":"parley-model","version":1,"input":\#(numbers.input.shape.dropFirst().map { $0 }),"#
                + #""layers":[\#(String(decoding: layer, as: UTF8.self))]}"#
            return LayerCase(numbers: numbers, model: try Architecture.model(json: Array(text.utf8)))
        }
    }

    var parameters: Parameters {
        let names = model.declarations.map(\.name)
        return Parameters(
            names: names, tensors: names.map { numbers.parameters[$0]?.tensor ?? Tensor(shape: [0]) })
    }

    var isPiecewise: Bool { ["relu", "max-pool"].contains(type(of: model.layers[0]).kind) }

    func loss(_ input: Tensor, _ parameters: Parameters) -> Double {
        var pass = ForwardPass(parameters, isTraining: true, saves: false)
        let output = pass.through(model.layers, input)
        return zip(output.values, numbers.direction.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    /// Output, input gradient, parameter gradients and measured statistics.
    func run() -> (output: Tensor, input: Tensor?, sums: [[Float]], statistics: [(parameter: Int, values: [Float])]) {
        var forward = ForwardPass(parameters, isTraining: true, saves: true)
        let output = forward.through(model.layers, numbers.input.tensor)
        var backward = BackwardPass(forward, into: SumCollector(model), model: model)
        let input = backward.through(model.layers, numbers.direction.tensor, input: true)
        return (output, input, (backward.collector as? SumCollector)?.sums ?? [], forward.statistics)
    }
}

func expectClose(_ found: [Float], _ wanted: [Float], within tolerance: Float, _ what: String) {
    guard found.count == wanted.count else {
        Issue.record("\(what): \(found.count) values, not \(wanted.count)")
        return
    }
    let size = wanted.reduce(1) { max($0, abs($1)) }
    let worst = zip(found, wanted).reduce(0) { max($0, $1.0.isFinite ? abs($1.0 - $1.1) : .infinity) }
    #expect(worst <= tolerance * size, "\(what)")
}

@Suite("Layers")
struct LayerTests {
    @Test("Each kind of layer has PyTorch's outputs and gradients")
    func numbers() throws {
        #expect(LayerCase.all.count == 27)
        let kinds = Set(LayerCase.all.map { type(of: $0.model.layers[0]).kind })
        #expect(
            Set(Architecture.kinds.map { $0.kind }).subtracting(kinds) == ["residual", "dropout", "scattering"],
            "these have no numbers of PyTorch's; scattering has kymatio's")
        for layer in LayerCase.all {
            let found = layer.run()
            let title = layer.testDescription
            #expect(found.output.shape == layer.numbers.output.shape, "\(title)")
            expectClose(found.output.values, layer.numbers.output.values, within: 3e-6, "output of \(title)")
            expectClose(
                found.input?.values ?? [], layer.numbers.inputGradient.values, within: 1e-5,
                "input gradient of \(title)")
            #expect(layer.model.declarations.filter(\.isTrainable).count == layer.numbers.gradients.count)
            for (declaration, sum) in zip(layer.model.declarations, found.sums) where declaration.isTrainable {
                expectClose(
                    sum, layer.numbers.gradients[declaration.name]?.values ?? [], within: 1e-5,
                    "\(declaration.name) of \(title)")
            }
            #expect(found.statistics.count == layer.numbers.statistics.count)
            for (position, values) in found.statistics {
                let name = layer.model.declarations[position].name
                expectClose(values, layer.numbers.statistics[name]?.values ?? [], within: 3e-6, name)
            }
        }
    }

    /// Differences of five points: their error is of the order of the step's fourth power, and of float32's rounding over the step.
    @Test("Each kind of layer has the gradients that finite differences have")
    func differences() throws {
        for layer in LayerCase.all {
            let found = layer.run()
            let step: Float = layer.isPiecewise ? 1e-3 : 2e-2
            let slope = { (value: Float, loss: (Float) -> Double) -> Float in
                let outer = loss(value - 2 * step) - loss(value + 2 * step)
                return Float((outer + 8 * (loss(value + step) - loss(value - step))) / (12 * Double(step)))
            }
            let input = layer.numbers.input.tensor
            if !(layer.model.layers[0] is Embedding) {
                let slopes = input.values.indices.map { index in
                    slope(input.values[index]) { value in
                        var moved = input
                        moved.values[index] = value
                        return layer.loss(moved, layer.parameters)
                    }
                }
                expectClose(found.input?.values ?? [], slopes, within: 5e-4, "input of \(layer.testDescription)")
            }
            for (position, declaration) in layer.model.declarations.enumerated() where declaration.isTrainable {
                let values = layer.parameters.tensors[position].values
                let slopes = values.indices.map { index in
                    slope(values[index]) { value in
                        var moved = layer.parameters
                        moved.tensors[position].values[index] = value
                        return layer.loss(input, moved)
                    }
                }
                expectClose(
                    found.sums[position], slopes, within: 5e-4, "\(declaration.name) of \(layer.testDescription)")
            }
        }
    }

    @Test("Dropout follows from a row's own key, keeps the mean, and does nothing in a prediction")
    func dropout() throws {
        let model = try Model(inputShape: [2000]) { Dropout(0.25) }
        let rows = Tensor(shape: [3, 2000], repeating: 1)
        let parameters = Parameters(names: [], tensors: [])
        #expect(try model.predict(rows, parameters).values == rows.values)
        var all = ForwardPass(parameters, isTraining: true, saves: false, rowKeys: [5, 6, 7])
        let three = all.through(model.layers, rows)
        var one = ForwardPass(parameters, isTraining: true, saves: false, rowKeys: [7])
        let last = one.through(model.layers, rows.rows(2..<3))
        #expect(three.rows(2..<3).values == last.values)
        #expect(three.rows(0..<1).values != three.rows(1..<2).values)
        // 2000 fair draws: 1500 stay, within 6 deviations of 19.4.
        #expect(abs(last.values.count { $0 != 0 } - 1500) < 117)
        #expect(Set(last.values) == [0, 1 / 0.75])
    }

    @Test("A batch that predicts uses the running statistics")
    func runningStatistics() throws {
        let model = try Model(inputShape: [1]) { BatchNormalization(epsilon: 1, name: "x") }
        let parameters = Parameters(
            names: ["x.weight", "x.bias", "x.running_mean", "x.running_var"],
            tensors: [2, 1, 3, 3].map { Tensor(shape: [1], values: [$0]) })
        #expect(try model.predict(Tensor(shape: [2, 1], values: [3, 7]), parameters).values == [1, 5])
        #expect(model.coupling.map(\.layer) == ["x (batch-normalization)"])
    }
}
