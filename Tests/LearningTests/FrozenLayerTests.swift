import DifferentialPrivacy
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
    @Test("A frozen batch normalisation uses the statistics that it has, keeps them, and couples nobody's rows")
    func normalization() throws {
        let whole = try Model(inputShape: [3]) {
            Linear(4, name: "first")
            BatchNormalization(name: "norm")
            Linear(2, name: "head")
        }
        let model = try whole.training(onlyLayers: ["head"])
        #expect(model.frozenLayerNames == ["first", "norm"])
        #expect(try model.training(onlyLayers: ["head"]).coupling.isEmpty && whole.coupling.count == 1)
        var generator = SeededGenerator(seed: 5)
        let inputs = Tensor(shape: [6, 3], values: (0..<18).map { _ in generator.normal() })
        let examples = try Examples(inputs: inputs, targets: .labels([0, 1, 0, 1, 1, 0]))
        let plan = try TrainingPlan(
            model: model, loss: .crossEntropy, optimizer: .gradientDescent(momentum: 0.9, weightDecay: 0.1),
            learningRate: 0.1, steps: 4)
        var run = try TrainingRun(plan: plan, examples: examples, batchRows: 3, seed: 1)
        let begun = run.state.parameters
        for _ in 0..<4 { _ = try run.step() }
        for (name, tensor) in zip(begun.names, begun.tensors) {
            #expect((run.state.parameters[name]?.values == tensor.values) == !name.hasPrefix("head"), "\(name)")
        }
        // A unit's gradient is its own, whoever is beside it.
        let privacy = try TrainingPrivacy(
            clipping: .fixed(1), noiseMultiplier: 1, samplingRate: 0.5, steps: 4, capacity: 6, dimension: 10)
        _ = try PrivateTrainingRun(plan: plan, privacy: privacy, examples: examples, parameters: begun)
        func sum(_ rows: [Int]) -> [[Float]] {
            ClippedSum.measure(
                (model, .crossEntropy, begun),
                plan.batch(of: examples, rows, keys: [UInt64](repeating: 0, count: rows.count)),
                units: rows.indices.map { $0..<$0 + 1 }, bound: 100
            ).sums
        }
        func output(_ rows: [Int]) -> [Float] {
            var pass = ForwardPass(begun, isTraining: true, saves: false, still: model.still)
            return pass.through(model.layers, examples.inputs(rows)).values
        }
        #expect(output([0]) + output([1]) == output([0, 1]))
        let (one, other, both) = (sum([0]), sum([1]), sum([0, 1]))
        for position in both.indices {
            for index in both[position].indices {
                #expect(abs(one[position][index] + other[position][index] - both[position][index]) < 1e-5)
            }
        }
    }

    @Test("A layer's name is whole, and what a layer keeps as it is stays so where the layer is trained")
    func names() throws {
        let model = try Model(inputShape: [3]) {
            Linear(4, name: "fc1")
            Linear(4, name: "fc10")
            LowRankLinear(2, rank: 1, alpha: 1, name: "head")
        }
        #expect(try model.training(onlyLayers: ["fc1"]).trainableCount == 16)
        let head = try model.training(onlyLayers: ["head"])
        #expect(head.declarations.filter(\.isTrainable).map(\.name) == ["head.lora_A.weight", "head.lora_B.weight"])
        #expect(throws: ModelError.self) { try model.training(onlyLayers: ["fc"]) }
    }
}
