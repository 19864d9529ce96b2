import Secrets
import Testing

@testable import Learning

/// Keeps each unit's gradient.
struct UnitContributions: GradientCollector {
    let units: [Range<Int>]
    /// For each unit, one array a parameter.
    var gradients: [[[Float]]]
    /// For each unit, the squared norms that contributions tell, in the order in which they come.
    var norms: [[Double]]

    init(_ model: Model, units: [Range<Int>]) {
        self.units = units
        let zeros = model.declarations.map { [Float](repeating: 0, count: $0.shape.product) }
        gradients = units.map { _ in zeros }
        norms = units.map { _ in [] }
    }

    mutating func add(_ contribution: any Contribution, to parameter: Int) {
        for (index, unit) in units.enumerated() {
            gradients[index][parameter].withUnsafeMutableBufferPointer {
                if let base = $0.baseAddress { contribution.add(rows: unit, to: base) }
            }
            norms[index].append(contribution.squaredNorm(rows: unit))
        }
    }

    static func of(_ network: RandomNetwork, _ batch: Batch, units: [Range<Int>]) -> UnitContributions {
        var forward = ForwardPass(network.parameters, isTraining: true, saves: true, rowKeys: batch.rowKeys)
        let output = forward.through(network.model.layers, batch.inputs)
        let (_, gradient) = Loss.meanSquared.measure(output, batch.targets)
        var backward = BackwardPass(
            forward, into: UnitContributions(network.model, units: units), model: network.model)
        _ = backward.through(network.model.layers, gradient, input: false)
        return backward.collector as? UnitContributions ?? UnitContributions(network.model, units: [])
    }
}

@Suite("Networks of all layers that leave rows apart")
struct NetworkTests {
    /// Rows of some units, and where each unit's then stand.
    static func rows(_ units: [Range<Int>]) -> (rows: [Int], units: [Range<Int>]) {
        var ranges: [Range<Int>] = []
        for unit in units {
            let first = ranges.last?.upperBound ?? 0
            ranges.append(first..<first + unit.count)
        }
        return (units.flatMap { Array($0) }, ranges)
    }

    static func clipped(
        _ network: RandomNetwork, _ way: UnitCollector.Way, together: Int, bound: Double
    ) -> [[Float]] {
        var sums = network.model.declarations.map {
            [Float](repeating: 0, count: $0.isTrainable ? $0.shape.product : 0)
        }
        for range in Chunks.ranges(network.examples.units.count, size: together) {
            let (rows, units) = rows(Array(network.examples.units[range]))
            let part = ClippedSum.measure(
                (network.model, .meanSquared, network.parameters), network.batch(rows), units: units, bound: bound,
                way: way)
            add(part.sums, to: &sums)
        }
        return sums
    }

    /// In float64, from the plain gradient of each unit alone. The bound is one that about half of the units exceed.
    static func oneByOne(_ network: RandomNetwork) -> (sums: [Double], bound: Double) {
        let gradients = network.examples.units.map { unit in
            PlainGradient.measure((network.model, .meanSquared, network.parameters), network.batch(Array(unit))).sums
                .joined().map(Double.init)
        }
        let norms = gradients.map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        let bound = norms.sorted()[norms.count / 2]
        var sums = [Double](repeating: 0, count: gradients[0].count)
        for (gradient, norm) in zip(gradients, norms) {
            let factor = min(1, 0.99 * bound / norm)
            for index in sums.indices { sums[index] += factor * gradient[index] }
        }
        return (sums, bound)
    }

    @Test(
        "Ghost norms, exact gradients and units one by one agree, whatever number of units is computed together",
        arguments: 0..<50)
    func parity(seed: Int) throws {
        let network = try RandomNetwork(seed: seed)
        let (wanted, bound) = Self.oneByOne(network)
        let size = wanted.reduce(0) { $0 + $1 * $1 }.squareRoot()
        for way in [UnitCollector.Way.ghost, .exact, .cheaper] {
            for together in [1, 2, 7] {
                let found = Self.clipped(network, way, together: together, bound: bound).joined()
                let difference = zip(wanted, found).reduce(0) { $0 + ($1.0 - Double($1.1)) * ($1.0 - Double($1.1)) }
                #expect(
                    difference.squareRoot() <= 1e-5 * size,
                    "\(way), \(together): \(String(decoding: Architecture.json(network.model), as: UTF8.self))")
            }
        }
    }

    @Test("Without one unit, every other unit's gradient and norm stay the same, to the bit", arguments: 0..<12)
    func removal(seed: Int) throws {
        let network = try RandomNetwork(seed: 100 + seed)
        let units = network.examples.units
        let whole = UnitContributions.of(network, network.all, units: units)
        for absent in [0, 3, units.count - 1] {
            var left = units
            left.remove(at: absent)
            let (rows, ranges) = Self.rows(left)
            let rest = UnitContributions.of(network, network.batch(rows), units: ranges)
            var gradients = whole.gradients
            gradients.remove(at: absent)
            var norms = whole.norms
            norms.remove(at: absent)
            #expect(rest.gradients == gradients)
            #expect(rest.norms == norms)
        }
    }

    @Test(
        "A unit whose values are no numbers, or run over, adds nothing and leaves the others as they are",
        arguments: 0..<12)
    func notANumber(seed: Int) throws {
        let network = try RandomNetwork(seed: 200 + seed)
        let units = network.examples.units
        let size = network.model.inputShape.product
        let (rest, restUnits) = Self.rows(Array(units.dropFirst()))
        for way in [UnitCollector.Way.ghost, .exact, .cheaper] {
            let training = (network.model, Loss.meanSquared, network.parameters)
            let wanted = ClippedSum.measure(training, network.batch(rest), units: restUnits, bound: 1, way: way)
            for value in [Float.nan, .infinity] {
                var batch = network.all
                for index in 0..<size { batch.inputs.values[index] = value }
                let found = ClippedSum.measure(training, batch, units: units, bound: 1, way: way)
                // A product of fewer rows is summed in other blocks: to its rounding.
                let size = wanted.sums.joined().reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
                let error = zip(found.sums.joined(), wanted.sums.joined()).reduce(0) {
                    $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
                }.squareRoot()
                #expect(error <= 1e-6 * size, "\(value), \(way)")
                #expect(found.within == wanted.within)
            }
        }
        var overflowing = network.parameters
        for position in overflowing.tensors.indices {
            for index in overflowing.tensors[position].values.indices {
                overflowing.tensors[position].values[index] = 3e38
            }
        }
        let nothing = ClippedSum.measure(
            (network.model, .meanSquared, overflowing), network.all, units: units, bound: 1)
        #expect(nothing.sums.joined().allSatisfy { $0 == 0 })
    }

    @Test("A residual that comes first, or lies behind frozen layers, has the gradients that it has behind others")
    func residualFirst() throws {
        var generator = SeededGenerator(seed: 3)
        let block = Residual(
            name: "block", body: [Tanh(), Linear(4), Tanh(), Linear(4)], shortcut: [Tanh(), Linear(4), Tanh()])
        let first = try Model(inputShape: [4], layers: [block, Linear(3, name: "head")])
        let behind = try Model(inputShape: [4], layers: [Linear(4, name: "zero"), block, Linear(3, name: "head")])
        let parameters = first.initialParameters(using: &generator)
        let identity = Tensor(shape: [4, 4], values: (0..<16).map { $0 % 5 == 0 ? 1 : 0 })
        let more = Parameters(
            names: ["zero.weight", "zero.bias"] + parameters.names,
            tensors: [identity, Tensor(shape: [4])] + parameters.tensors)
        let batch = Batch(
            inputs: Tensor(shape: [2, 4], values: (0..<8).map { _ in generator.normal() }),
            targets: .labels([0, 2]), weights: nil, rowKeys: [])
        let alone = PlainGradient.measure((first, .crossEntropy, parameters), batch).sums
        #expect(alone == Array(PlainGradient.measure((behind, .crossEntropy, more), batch).sums.dropFirst(2)))
        let frozen = try behind.training(only: ["block", "head"])
        #expect(alone == Array(PlainGradient.measure((frozen, .crossEntropy, more), batch).sums.dropFirst(2)))
    }
}
