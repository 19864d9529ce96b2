import Secrets
import Testing

@testable import Learning

@Suite("Clipped sums of units' gradients")
struct ClippedSumTests {
    /// The units' gradients one by one, from the plain gradient of each unit alone, clipped and added in float64.
    static func oneByOne(_ model: Model, _ parameters: Parameters, _ examples: Examples, bound: Double) -> [[Double]] {
        var sums = model.declarations.map { [Double](repeating: 0, count: $0.shape.product) }
        for unit in examples.units {
            let rows = Array(unit)
            let batch = Batch(
                inputs: examples.inputs(rows), targets: examples.targets.rows(rows), weights: nil, rowKeys: [])
            let gradient = PlainGradient.measure((model, .meanSquared, parameters), batch).sums
            let norm = gradient.joined().reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            let factor = min(1, 0.99 * bound / norm)
            for position in sums.indices {
                for index in sums[position].indices {
                    sums[position][index] += factor * Double(gradient[position][index])
                }
            }
        }
        return sums
    }

    @Test(
        "Ghost norms, exact gradients and units one by one agree, with units of 1 to 7 rows and shared weights",
        arguments: 0..<20)
    func agree(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let model = try Model(inputShape: seed % 2 == 0 ? [5] : [3, 5]) {
            Linear(6)
            ReLU()
            Linear(5, name: "middle")
            Linear(6, hasBias: false, sharedWeight: "0.weight")
            Linear(5)
        }
        let parameters = model.initialParameters(using: &generator)
        var units: [Range<Int>] = []
        for _ in 0..<6 {
            let first = units.last?.upperBound ?? 0
            units.append(first..<first + 1 + generator.index(below: 7))
        }
        let rows = units.last?.upperBound ?? 0
        let inputs = Tensor(
            shape: [rows] + model.inputShape,
            values: (0..<rows * model.inputShape.product).map { _ in generator.normal() })
        let targets = Tensor(
            shape: [rows] + model.outputShape,
            values: (0..<rows * model.outputShape.product).map { _ in generator.normal() })
        let examples = try Examples(inputs: inputs, targets: .values(targets), units: units)
        let bound = 4.0
        let wanted = Self.oneByOne(model, parameters, examples, bound: bound)
        let all = Batch(inputs: inputs, targets: .values(targets), weights: nil, rowKeys: [])
        for way in [UnitCollector.Way.ghost, .exact, .cheaper] {
            let sum = ClippedSum.measure((model, .meanSquared, parameters), all, units: units, bound: bound, way: way)
            let size = wanted.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
            let difference = zip(wanted.joined(), sum.sums.joined()).reduce(0) {
                $0 + ($1.0 - Double($1.1)) * ($1.0 - Double($1.1))
            }
            .squareRoot()
            #expect(difference <= 1e-5 * size, "\(way)")
        }
    }
}
