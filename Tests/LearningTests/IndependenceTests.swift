import DifferentialPrivacy
import Secrets
import Testing

@testable import Learning

/// What each unit of a batch adds by itself.
struct UnitGradients {
    /// Of each unit's whole gradient.
    let norms: [UInt64]
    /// Each unit's gradient, unscaled, as bits.
    let gradients: [[UInt32]]

    init(
        _ model: Model, _ loss: Loss, _ parameters: Parameters, _ examples: Examples, units: [Int], keys: [UInt64],
        way: UnitCollector.Way = .cheaper
    ) throws {
        let plan = try TrainingPlan(
            model: model, loss: loss, optimizer: .gradientDescent(), learningRate: 1, steps: 1)
        let rows = units.flatMap { Array(examples.units[$0]) }
        var ranges: [Range<Int>] = []
        for unit in units {
            let first = ranges.last?.upperBound ?? 0
            ranges.append(first..<first + examples.units[unit].count)
        }
        let batch = plan.batch(of: examples, rows, keys: rows.map { keys[$0] })
        var forward = ForwardPass(parameters, isTraining: true, saves: true, rowKeys: batch.rowKeys)
        let output = forward.through(model.layers, batch.inputs)
        let (_, gradient) = loss.measure(output, batch.targets, weights: batch.weights)
        var backward = BackwardPass(forward, into: UnitCollector(model, units: ranges, way: way), model: model)
        _ = backward.through(model.layers, gradient, input: false)
        let collector = try #require(backward.collector as? UnitCollector)
        norms = collector.norms().map(\.bitPattern)
        gradients = units.indices.map { index in
            var (alone, sums) = (collector, ClippedSum(model).sums)
            alone.addUnits(units.indices.map { $0 == index ? 1 : 0 }, to: &sums)
            return sums.joined().map(\.bitPattern)
        }
    }

    /// Without which units another's norm or gradient is not what it is with them, to the bit.
    static func dependencies(
        _ model: Model, _ loss: Loss, _ parameters: Parameters, _ examples: Examples, way: UnitCollector.Way = .cheaper
    ) throws -> [Int] {
        var generator = SeededGenerator(seed: 2)
        let keys = (0..<examples.count).map { _ in generator.next() }
        let everybody = Array(examples.units.indices)
        let all = try UnitGradients(model, loss, parameters, examples, units: everybody, keys: keys, way: way)
        return try everybody.filter { absent in
            let others = everybody.filter { $0 != absent }
            let rest = try UnitGradients(model, loss, parameters, examples, units: others, keys: keys, way: way)
            return rest.norms != others.map { all.norms[$0] } || rest.gradients != others.map { all.gradients[$0] }
        }
    }
}

/// The mean of all rows taken off each: what batch normalisation does.
private struct BatchCentring: Layer {
    static let kind = "batch-centring"
    private(set) var name: String?
    let fields: [LayerField] = []

    init() {}
    init(_ fields: inout LayerFields) throws(ModelError) {}
    mutating func place(_ name: String) { self.name = self.name ?? name }
    func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        outline.couples(self, instead: "a normalisation of each row by itself")
        return input
    }
    func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let mean = input.values.reduce(0, +) / Float(max(1, input.count))
        return Tensor(shape: input.shape, values: input.values.map { $0 - mean })
    }
    func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? { gradient }
}

@Suite("A unit's gradient depends on its own rows alone")
struct IndependenceTests {
    static func examples(_ model: Model, units: Int, largest: Int = 7) throws -> Examples {
        var generator = SeededGenerator(seed: 8)
        var ranges: [Range<Int>] = []
        for _ in 0..<units {
            let first = ranges.last?.upperBound ?? 0
            ranges.append(first..<first + 1 + generator.index(below: largest))
        }
        let rows = ranges.last?.upperBound ?? 0
        func random(_ shape: [Int]) -> Tensor {
            Tensor(shape: [rows] + shape, values: (0..<rows * shape.product).map { _ in generator.normal() })
        }
        return try Examples(
            inputs: random(model.inputShape), targets: .values(random(model.outputShape)), units: ranges)
    }

    @Test("Without any one unit, every other unit's norm and gradient are what they were, to the bit")
    func independent() throws {
        for inputShape in [[5], [3, 5], [37]] {
            let model = try Model(inputShape: inputShape) {
                Linear(19)
                ReLU()
                Linear(19, sharedWeight: inputShape == [37] ? nil : "last.weight", name: "first")
                Linear(19, name: "last")
                Linear(3)
            }
            var generator = SeededGenerator(seed: 4)
            let parameters = model.initialParameters(using: &generator)
            for way in [UnitCollector.Way.ghost, .exact, .cheaper] {
                let examples = try Self.examples(model, units: 11)
                #expect(
                    try UnitGradients.dependencies(model, .meanSquared, parameters, examples, way: way) == [], "\(way)")
            }
        }
    }

    @Test("The test sees a layer that couples rows, and private training refuses it by name, with what to use instead")
    func coupled() throws {
        let model = try Model(inputShape: [4]) {
            Linear(5)
            BatchCentring()
            Linear(2)
        }
        var generator = SeededGenerator(seed: 4)
        let parameters = model.initialParameters(using: &generator)
        let examples = try Self.examples(model, units: 4)
        #expect(try UnitGradients.dependencies(model, .meanSquared, parameters, examples) == [0, 1, 2, 3])
        let plan = try TrainingPlan(
            model: model, loss: .meanSquared, optimizer: .gradientDescent(), learningRate: 1, steps: 1)
        let privacy = try TrainingPrivacy(
            clipping: .fixed(1), noiseMultiplier: 1, samplingRate: 1, steps: 1, capacity: 4,
            dimension: model.trainableCount)
        #expect(
            throws: ModelError.couplesRows(
                layer: "1 (batch-centring)", instead: "a normalisation of each row by itself")
        ) {
            try PrivateTrainingRun(plan: plan, privacy: privacy, examples: examples, parameters: parameters)
        }
    }
}
