import DifferentialPrivacy
import Secrets
import Testing

@testable import Learning

/// One linear layer without hidden units, so that the gradient of a row, 2 (W x + b - y) x^T, can be aimed.
struct Target {
    var inputShape = [1]
    var outputs = 1
    var hasBias = true
    var clippingNorm = 1.0
    var chunkRows = 64
    /// How many units the capacity says; nil: as many as there are.
    var capacity: Int?
    /// For each unit its rows: inputs and targets.
    var units: [[(x: [Float], y: [Float])]]

    func run() throws -> PrivateTrainingRun {
        let model = try Model(inputShape: inputShape) { Linear(outputs, hasBias: hasBias) }
        var next = 0
        let ranges = units.map { unit in
            defer { next += unit.count }
            return next..<next + unit.count
        }
        let rows = units.joined()
        let examples = try Examples(
            inputs: Tensor(shape: [next] + inputShape, values: rows.flatMap(\.x)),
            targets: .values(Tensor(shape: [next] + model.outputShape, values: rows.flatMap(\.y))), units: ranges)
        var plan = try TrainingPlan(
            model: model, loss: .meanSquared, optimizer: .gradientDescent(), learningRate: 0.1, steps: 1)
        plan.chunkRows = chunkRows
        let privacy = try TrainingPrivacy(
            clipping: .fixed(clippingNorm), noiseMultiplier: 1, samplingRate: 1, steps: 1,
            capacity: capacity ?? units.count, dimension: model.trainableCount)
        let zeros = Parameters(
            names: model.declarations.map(\.name), tensors: model.declarations.map { Tensor(shape: $0.shape) })
        return try PrivateTrainingRun(plan: plan, privacy: privacy, examples: examples, parameters: zeros)
    }

    /// How far the absence of one unit moves the sum, in clipping norms, and the rounded sum, squared, as a part of what is claimed. The other
    /// units draw what they draw beside it.
    func pull(of unit: Int) throws -> (norms: Double, ofClaim: Double) {
        let run = try run()
        var generator = SeededGenerator(seed: 3)
        // A unit draws one word for its bin; rows draw nothing that matters without dropout.
        let all = run.clippedSum(Array(units.indices), using: &generator).sums.joined()
        let others: ClippedTotal
        if unit == 0 {
            var shifted = SeededGenerator(seed: 3)
            _ = shifted.next()
            others = run.clippedSum(Array(units.indices.dropFirst()), using: &shifted)
        } else {
            precondition(unit == units.count - 1, "the first or the last unit is absent")
            var same = SeededGenerator(seed: 3)
            others = run.clippedSum(Array(units.indices.dropLast()), using: &same)
        }
        let step = clippingNorm / run.privacy.gradientSteps
        var (square, steps) = (0.0, 0.0)
        for (one, other) in zip(all, others.sums.joined()) {
            square += (one - other) * (one - other)
            let moved = Double(Int64(clamping: one / step)) - Double(Int64(clamping: other / step))
            steps += moved * moved
        }
        return (square.squareRoot() / clippingNorm, steps / run.privacy.sensitivitySquared)
    }
}

/// Attacks on what `TrainingPrivacy.sensitivitySquared` claims: each moved the sum by more, once.
@Suite("The pull of one unit, by rounding")
struct PullTests {
    @Test("Rows that cancel take nothing of the other units' sum away")
    func cancellation() throws {
        for size: Float in [1, 1e4, 1e8, 1e15, 1e30] {
            for rows in [2, 3, 4, 5, 40] {
                // The gradient of the bias is 2 for each other unit, and the attacker's is nothing, in terms of `size`.
                let others = (0..<20).map { _ in [(x: [Float(0)], y: [Float(-1)])] }
                var attacker = (0..<rows - 1).map { _ in (x: [Float(0)], y: [size]) }
                attacker.append((x: [0], y: [-size * Float(rows - 1)]))
                for x: Float in [0, 1] {
                    for index in attacker.indices { attacker[index].x = [x] }
                    let pull = try Target(units: others + [attacker]).pull(of: 20)
                    #expect(pull.ofClaim <= 1, "\(size), \(rows) rows at \(x): \(pull.norms)")
                }
            }
        }
    }

    @Test("No factor is so small that its rounding counts, and no product falls below float32's range")
    func range() throws {
        var pulls: [Double] = []
        for power in 0..<60 {
            let x = Float(1e5) * Float(1 + Double(power) / 7)
            let pull = try Target(units: [[(x: [x], y: [-1.2e38])], [(x: [1], y: [-1])]]).pull(of: 0)
            pulls.append(pull.ofClaim)
        }
        for clippingNorm in [0x1.82p-23, 0x1p-40, 0x1p-60] {
            for y: Float in [1e-20, 1e-3, 1, 1e10] {
                let units = [[(x: [Float(0x1p127)], y: [y])], [(x: [1], y: [-1])]]
                pulls.append(try Target(hasBias: false, clippingNorm: clippingNorm, units: units).pull(of: 0).ofClaim)
            }
        }
        // Products of two gradients that float32 has no number for, beside inputs that make up for it.
        for size: Float in [1e-25, 1e-22, 1e-20] {
            let rows = (0..<3).map { _ in (x: [Float(1e19), 0, 0, 0], y: [size, 0, 0, 0]) }
            let other = [(x: [Float(1), 0, 0, 0], y: [Float(-1), 0, 0, 0])]
            var target = Target(inputShape: [4], outputs: 4, hasBias: false, units: [rows, other])
            target.clippingNorm = 0x1p-30
            pulls.append(try target.pull(of: 0).ofClaim)
        }
        #expect(pulls.allSatisfy { $0 <= 1 }, "\(pulls.max() ?? 0)")
    }

    @Test("A unit of many rows decides nothing about how the others' norms are computed")
    func ways() throws {
        // Rows that nearly cancel: their norm is another one way than the other way.
        func row(_ y: Float) -> (x: [Float], y: [Float]) { ([1, 0, 0, 0], [y, 0, 0, 0]) }
        let others = (0..<30).map { _ in [row(1e4), row(-1e4 - 0.25)] }
        let attacker = (0..<80).map { _ in row(0) }
        for units in [[attacker] + others, others + [attacker]] {
            var target = Target(inputShape: [4], outputs: 4, hasBias: false, units: units)
            target.chunkRows = 1000
            #expect(try target.pull(of: units[0].count == 80 ? 0 : 30).ofClaim <= 1)
        }
    }

    @Test("Beside thousands of units, one moves the sum by no more: what it does to the rounding of others is small")
    func manyUnits() throws {
        // With the first unit the sum is above 1024, where float32's steps are twice as wide: small terms are lost there, and not below.
        let large = [(x: [Float(1)], y: [Float(-5)])]
        let crossing =
            [[(x: [Float], y: [Float])]](repeating: large, count: 1035)
            + (0..<20_000).map { _ in [(x: [Float(1)], y: [Float(2.95e-5)])] }
        var target = Target(hasBias: false, units: crossing)
        target.chunkRows = 1
        #expect(try target.pull(of: 0).ofClaim <= 1)
    }

    @Test("A unit that is absent does not move the others from chunk to chunk")
    func chunks() throws {
        // In chunks of 512 in order, each holds 259 large terms before 253 small ones, or 258: the small ones are lost, or not.
        let period =
            [[(x: [Float(1)], y: [Float(-5)])]] + (0..<258).map { _ in [(x: [Float(1)], y: [Float(-5)])] }
            + (0..<253).map { _ in [(x: [Float(1)], y: [Float(7.6e-6)])] }
        var target = Target(hasBias: false, units: (0..<128).flatMap { _ in period })
        target.chunkRows = 512
        #expect(try target.pull(of: 0).ofClaim <= 1)
    }

    /// The clipped gradient in float64: of the float32 outputs, as the layer computes them.
    static func exact(_ unit: [(x: [Float], y: [Float])], _ target: Target) -> [Double] {
        let (inputs, outputs) = (target.inputShape.last ?? 1, target.outputs)
        var gradient = [Double](repeating: 0, count: inputs * outputs)
        for row in unit {
            for position in 0..<row.x.count / inputs {
                for o in 0..<outputs {
                    let slope = -2 * Double(row.y[position * outputs + o])
                    for i in 0..<inputs { gradient[o * inputs + i] += slope * Double(row.x[position * inputs + i]) }
                }
            }
        }
        let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return gradient.map { $0 * min(1, 0.99 * target.clippingNorm / norm) }
    }

    @Test(
        "Beside float64 the error of one unit's part stays within the hundredth: long sequences, a range of 1e6, thousands of units",
        arguments: 0..<8)
    func measured(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let (steps, inputs, outputs) = [(1, 6, 5), (300, 3, 4), (2000, 2, 2), (40, 8, 1)][seed % 4]
        func row(cancels: Bool) -> (x: [Float], y: [Float]) {
            let size = Float(Exponential.value(Double(generator.unitFloat()) * 13.8 - 6.9))
            var x = (0..<steps * inputs).map { _ in generator.normal() * size }
            var y = (0..<steps * outputs).map { _ in generator.normal() }
            if cancels, steps > 1 {
                // The second half takes back what the first one says, but for a thousandth.
                for index in x.indices.suffix(x.count / 2) { x[index] = x[index - x.count / 2] }
                for index in y.indices.suffix(y.count / 2) { y[index] = -0.999 * y[index - y.count / 2] }
            }
            return (x, y)
        }
        let count = steps == 1 ? 3000 : 30
        let units = (0..<count).map { index in
            (0..<1 + generator.index(below: 3)).map { _ in row(cancels: index % 2 == 1) }
        }
        var target = Target(inputShape: [steps, inputs], outputs: outputs, hasBias: false, units: units)
        target.chunkRows = 512
        let run = try target.run()
        var (first, second) = (SeededGenerator(seed: 9), SeededGenerator(seed: 9))
        let all = Array(run.clippedSum(Array(units.indices), using: &first).sums.joined())
        _ = second.next()
        let others = Array(run.clippedSum(Array(1..<count), using: &second).sums.joined())
        let exact = Self.exact(units[0], target)
        var (error, pull) = (0.0, 0.0)
        for index in all.indices {
            error += (all[index] - others[index] - exact[index]) * (all[index] - others[index] - exact[index])
            pull += (all[index] - others[index]) * (all[index] - others[index])
        }
        #expect(error.squareRoot() <= 0.005, "\(error.squareRoot())")
        #expect(pull.squareRoot() <= 1)
        #expect(try target.pull(of: count - 1).norms <= 0.995)
    }
}
