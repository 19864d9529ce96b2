import Secrets
import Testing

@testable import Learning

@Suite("Ghost norms beside float64")
struct GhostNormTests {
    /// A stated tolerance: a norm that a contribution tells is at least (1 - 1e-6) of the norm of the gradient that is added.
    static let tolerance = 1e-6

    /// The norms of the float32 gradient that is added, and of the same in float64 without rounding.
    static func expectNotUnderstated(
        _ contribution: any Contribution, rows: Range<Int>, exact: [Double]?, _ what: String
    ) {
        var gradient = [Float](repeating: 0, count: contribution.size)
        gradient.withUnsafeMutableBufferPointer {
            if let base = $0.baseAddress { contribution.add(rows: rows, to: base) }
        }
        let told = contribution.squaredNorm(rows: rows).squareRoot()
        let added = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        #expect(told >= added * (1 - tolerance), "\(what): \(told) is told, \(added) added")
        guard let exact else { return }
        let norm = exact.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(told >= norm * (1 - tolerance), "\(what): \(told) is told, \(norm) is right")
    }

    /// Positions whose parts cancel, all but what rounding leaves or a small rest.
    static func cancelling(_ generator: inout SeededGenerator, positions: Int, width: Int, rest: Float) -> (
        [Float], [Float]
    ) {
        let direction = (0..<width).map { _ in generator.normal() }
        let slope = (0..<width).map { _ in generator.normal() * 1000 }
        var (inputs, gradients): ([Float], [Float]) = ([], [])
        for position in 0..<positions {
            let sign: Float = position % 2 == 0 ? 1 : -1
            inputs += direction.map { $0 * (1 + rest * generator.normal()) }
            gradients += slope.map { $0 * sign * (1 + rest * generator.normal()) }
        }
        return (inputs, gradients)
    }

    @Test("Positions that cancel never make a norm too small", arguments: [0, 1e-7, 1e-6, 1e-4, 1e-2, 1])
    func products(rest: Float) {
        var generator = SeededGenerator(seed: UInt64(rest * 1e7) + 1)
        for positions in [1, 2, 3, 16, 100] {
            for width in [1, 5, 64] {
                let (inputs, gradients) = Self.cancelling(&generator, positions: positions, width: width, rest: rest)
                var exact = [Double](repeating: 0, count: width * width)
                for position in 0..<positions {
                    for index in exact.indices {
                        exact[index] +=
                            Double(gradients[position * width + index / width])
                            * Double(inputs[position * width + index % width])
                    }
                }
                let product = Product(
                    gradients: Tensor(shape: [positions, width], values: gradients),
                    inputs: Tensor(shape: [positions, width], values: inputs), rows: 1)
                Self.expectNotUnderstated(
                    product, rows: 0..<1, exact: exact, "\(positions) positions of \(width), rest \(rest)")
            }
        }
    }

    @Test("Pixels and rows of a convolution that cancel never make a norm too small", arguments: [0, 1e-6, 1e-3, 1])
    func convolutions(rest: Float) {
        var generator = SeededGenerator(seed: UInt64(rest * 1e6) + 1)
        for (kernel, step, groups) in [(1, 1, 1), (3, 1, 2), (2, 2, 4)] {
            let convolving = Convolving(
                channels: 4, height: 6, width: 6, outputs: 4, kernel: kernel, stride: step, padding: kernel / 2,
                groups: groups)
            let (image, _) = Self.cancelling(&generator, positions: 1, width: convolving.inputCount, rest: 0)
            let (_, slopes) = Self.cancelling(&generator, positions: 2, width: convolving.outputCount, rest: rest)
            let product = ConvolutionProduct(
                gradients: Tensor(
                    shape: [2, 4, convolving.outputHeight, convolving.outputWidth], values: slopes),
                inputs: Tensor(shape: [2, 4, 6, 6], values: image + image), convolving)
            Self.expectNotUnderstated(product, rows: 0..<2, exact: nil, "kernel \(kernel), rest \(rest)")
        }
    }

    @Test("A line that a unit looks up several times counts with the sum of its gradients")
    func lookups() {
        let gradients = Tensor(shape: [4, 2], values: [3, 0, 4, 0, 5, 1, -5, -1])
        let lookup = Lookup(gradients: gradients, lines: [7, 7, 2, 2], count: 9, rows: 2)
        #expect(lookup.squaredNorm(rows: 0..<1) == 49)
        // Terms that cancel count for more than their sum.
        let size = 2 * 26.0.squareRoot()
        #expect(lookup.squaredNorm(rows: 1..<2) == Cancellation.squaredNorm(0, size: size, terms: 2))
        #expect(Lookup(gradients: gradients, lines: [7, 2, 7, 2], count: 9, rows: 2).squaredNorm(rows: 0..<2) == 67)
        #expect(Lookup(gradients: gradients, lines: [7, 7, -1, 2], count: 9, rows: 2).squaredNorm(rows: 0..<2).isNaN)
        #expect(Lookup(gradients: gradients, lines: [7, 7, -1, 2], count: 9, rows: 2).squaredNorm(rows: 0..<1) == 49)
    }

    @Test("A unit that names no line of a table adds nothing and leaves the others as they are")
    func noLine() throws {
        var generator = SeededGenerator(seed: 1)
        let model = try Model(inputShape: [2]) {
            Embedding(3, width: 2)
            Flatten()
            Linear(1)
        }
        let parameters = model.initialParameters(using: &generator)
        let measure = { (rows: [Float], way: UnitCollector.Way) in
            let batch = Batch(
                inputs: Tensor(shape: [rows.count / 2, 2], values: rows),
                targets: .values(Tensor(shape: [rows.count / 2, 1], repeating: 1)), weights: nil, rowKeys: [])
            return ClippedSum.measure(
                (model, .meanSquared, parameters), batch, units: (0..<rows.count / 2).map { $0..<$0 + 1 }, bound: 1,
                way: way)
        }
        for way in [UnitCollector.Way.ghost, .exact] {
            for line in [-1, 3, 0.5, Float.nan, .infinity, 1e30] {
                #expect(measure([1, 2, line, 0, 2, 0], way).sums == measure([1, 2, 2, 0], way).sums)
            }
        }
    }
}
