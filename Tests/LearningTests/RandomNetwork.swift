import Secrets

@testable import Learning

/// A small network of layers that leave rows apart, drawn by a seed.
struct RandomNetwork {
    let model: Model
    let parameters: Parameters
    let examples: Examples
    let rowKeys: [UInt64]

    init(seed: Int, units: Int = 7) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let drawn = Self.layers(seed, &generator)
        let head: [any Layer] = [
            Linear(6, name: "before"), Tanh(), Linear(6, name: "tied"),
            Linear(6, hasBias: false, sharedWeight: "tied.weight"),
            Linear(3, name: "head"),
        ]
        model = try Model(inputShape: drawn.shape, layers: drawn.layers + head)
        var parameters = model.initialParameters(using: &generator)
        // Nothing begins at zero, or what follows from it would be zero too.
        for position in parameters.tensors.indices {
            for index in parameters.tensors[position].values.indices {
                parameters.tensors[position].values[index] += 0.2 * generator.normal()
            }
        }
        self.parameters = parameters
        var ranges: [Range<Int>] = []
        for _ in 0..<units {
            let first = ranges.last?.upperBound ?? 0
            ranges.append(first..<first + 1 + generator.index(below: 7))
        }
        let rows = ranges.last?.upperBound ?? 0
        let count = rows * drawn.shape.product
        let inputs = (0..<count).map { _ in
            drawn.areTokens ? Float(generator.index(below: 5)) : generator.normal()
        }
        let targets = (0..<rows * 3).map { _ in generator.normal() }
        examples = try Examples(
            inputs: Tensor(shape: [rows] + drawn.shape, values: inputs),
            targets: .values(Tensor(shape: [rows, 3], values: targets)), units: ranges)
        rowKeys = (0..<rows).map { _ in generator.next() }
    }

    func batch(_ rows: [Int]) -> Batch {
        Batch(
            inputs: examples.inputs(rows), targets: examples.targets.rows(rows), weights: nil,
            rowKeys: rows.map { rowKeys[$0] })
    }

    var all: Batch { batch(Array(0..<examples.count)) }

    private static func layers(
        _ seed: Int, _ generator: inout SeededGenerator
    ) -> (shape: [Int], layers: [any Layer], areTokens: Bool) {
        switch seed % 3 {
        case 0:
            var layers: [any Layer] = [Convolution(4, kernel: 3, stride: 1 + generator.index(below: 2), padding: 1)]
            for _ in 0..<1 + generator.index(below: 3) { layers += image(&generator) }
            return ([2, 6, 5], layers + [generator.next() % 2 == 0 ? GlobalAveragePool() : Flatten()], false)
        case 1:
            var layers: [any Layer] = [LowRankLinear(4, rank: 2, alpha: 3)]
            for _ in 0..<1 + generator.index(below: 3) { layers += sequence(&generator) }
            return ([5, 3], layers + [end(&generator)], false)
        default:
            var layers: [any Layer] = [Embedding(6, width: 4), PositionalEmbedding()]
            for _ in 0..<1 + generator.index(below: 3) { layers += sequence(&generator) }
            // The table that tokens are looked up in is also what tells them apart at the end.
            if generator.next() % 2 == 0 { layers.append(Linear(6, hasBias: false, sharedWeight: "0.weight")) }
            return ([5], layers + [end(&generator)], true)
        }
    }

    private static func end(_ generator: inout SeededGenerator) -> any Layer {
        [MeanOverSteps(), LastStep(), Flatten()][generator.index(below: 3)]
    }

    private static func image(_ generator: inout SeededGenerator) -> [any Layer] {
        switch generator.index(below: 7) {
        case 0: [Convolution(4, kernel: 3, padding: 1, groups: 2), ReLU()]
        case 1: [Convolution(4, kernel: 2, padding: 1, groups: 4, hasBias: false), GELU()]
        case 2: [GroupNormalization(groups: 2), MaxPool(2, stride: 1)]
        case 3: [AveragePool(2, stride: 1, padding: 1), Tanh()]
        case 4: [LayerNormalization(extents: 3), Dropout(0.2)]
        case 5:
            [
                Residual(
                    body: [Convolution(4, kernel: 3, padding: 1), ReLU(), Convolution(4, kernel: 1)],
                    shortcut: [Convolution(4, kernel: 1, hasBias: false)])
            ]
        default: [Residual(body: [GroupNormalization(groups: 1), Convolution(4, kernel: 3, padding: 1)])]
        }
    }

    private static func sequence(_ generator: inout SeededGenerator) -> [any Layer] {
        switch generator.index(below: 7) {
        case 0: [GRU(4)]
        case 1: [Attention(heads: 2)]
        case 2: [Residual(body: [LayerNormalization(), Attention(heads: 1, isCausal: true), Dropout(0.1)])]
        case 3: [Residual(body: [LayerNormalization(), Linear(7), GELU(byTanh: true), Linear(4)]), Sigmoid()]
        case 4: [Residual(body: [GRU(4)], shortcut: [Linear(4), LowRankLinear(4, rank: 1, alpha: 1)])]
        case 5: [PositionalEmbedding(), SoftmaxLayer(), LayerNormalization(extents: 2)]
        default: [Residual(body: [Attention(heads: 4)], shortcut: [Residual(body: [Linear(4), Tanh()])])]
        }
    }
}
