import Secrets
import Testing

@testable import Learning

@Suite("Layers that nothing trains")
struct FrozenLayerTests {
    @Test("What is behind them has the same gradients, to the bit, from features that were computed once")
    func same() throws {
        var generator = SeededGenerator(seed: 3)
        let model = try Model(inputShape: [1, 12, 12]) {
            Scattering()
            GroupNormalization(groups: 27)
            Flatten()
            Linear(4)
        }.training(only: ["3."])
        let parameters = model.initialParameters(using: &generator)
        let inputs = Tensor(shape: [9, 1, 12, 12], values: (0..<9 * 144).map { _ in generator.normal() })
        let targets = Targets.labels((0..<9).map { Int32($0 % 4) })
        let examples = try Examples(inputs: inputs, targets: targets, units: [0..<4, 4..<9])
        let rest = try model.withoutFrozenLayers(examples, parameters, threads: 2)
        #expect(rest.model.layers.count == 1)
        #expect(rest.examples.units == examples.units)
        func gradient(_ model: Model, _ parameters: Parameters, _ inputs: Tensor) -> [[Float]] {
            let batch = Batch(inputs: inputs, targets: targets, weights: nil, rowKeys: [])
            return PlainGradient.measure((model, .crossEntropy, parameters), batch).sums.filter { !$0.isEmpty }
        }
        #expect(
            gradient(model, parameters, inputs)
                == gradient(rest.model, rest.parameters, rest.examples.inputs(Array(0..<9))))
    }

    @Test("A dropping or coupling layer is never computed once")
    func never() throws {
        let dropping = try Model(inputShape: [4]) {
            Dropout(0.5)
            Linear(2)
        }
        #expect(dropping.frozenLayers == 0)
        let nothing = try Model(inputShape: [4]) { Linear(2) }
        #expect(nothing.frozenLayers == 0)
    }
}
