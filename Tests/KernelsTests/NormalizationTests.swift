import Kernels
import Testing

@Suite("Layer and group normalisation")
struct NormalizationTests {
    static let cases: [kernels_normalization] = [
        (0, 4, 1, 1), (3, 1, 1, 1), (5, 17, 1, 1), (2, 100, 1, 1), (6, 12, 3, 4), (4, 51, 2, 17), (2, 9, 2, 9),
        (8, 40, 4, 5),
    ].map { kernels_normalization(rows: $0, columns: $1, groups: $2, plane: $3, epsilon: 1e-3) }

    /// The same in double, and sums of gradients by finite differences of nothing: by the derivative written out.
    struct Reference {
        var target: [Double] = [], slopes: [Double] = [], weightSlopes: [Double], biasSlopes: [Double]

        init(_ of: kernels_normalization, x: [Float], weight: [Float], bias: [Float], gradient: [Float], scale: [Float])
        {
            weightSlopes = weight.map { _ in 0.25 }
            biasSlopes = weightSlopes
            for row in 0..<of.rows {
                let numbers = (0..<of.columns).map { Double(x[row * of.columns + $0]) }
                let parameters = (0..<of.columns).map { row % of.groups * (of.columns / of.plane) + $0 / of.plane }
                let g = (0..<of.columns).map { Double(gradient[row * of.columns + $0]) }
                let count = Double(of.columns)
                let mean = numbers.reduce(0, +) / count
                let variance = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
                let root = (variance + Double(of.epsilon)).squareRoot()
                let normal = numbers.map { ($0 - mean) / root }
                let h = (0..<of.columns).map { g[$0] * Double(weight[parameters[$0]]) }
                for i in 0..<of.columns {
                    target.append(normal[i] * Double(weight[parameters[i]]) + Double(bias[parameters[i]]))
                    // d target_j / d x_i = weight_j / root * ([i = j] - 1 / n - normal_i normal_j / n)
                    slopes.append(
                        (0..<of.columns).reduce(0) {
                            $0 + h[$1] / root * (($1 == i ? 1 : 0) - 1 / count - normal[i] * normal[$1] / count)
                        })
                    weightSlopes[parameters[i]] += Double(scale[row]) * g[i] * normal[i]
                    biasSlopes[parameters[i]] += Double(scale[row]) * g[i]
                }
            }
        }
    }

    @Test("Forward and backward agree with double", arguments: cases.indices)
    func agrees(_ index: Int) {
        let of = Self.cases[index]
        var sequence = Sequence(UInt64(index))
        let parameters = of.groups * (of.columns / of.plane)
        let (x, g) = (sequence.floats(of.rows * of.columns), sequence.floats(of.rows * of.columns))
        for isPlain in [false, true] {
            let ones = { (value: Float, count: Int) in [Float](repeating: value, count: count) }
            let weight = isPlain ? ones(1, parameters) : sequence.floats(parameters)
            let bias = isPlain ? ones(0, parameters) : sequence.floats(parameters)
            let scale = isPlain ? ones(1, of.rows) : sequence.floats(of.rows, 0, 2)
            let exact = Reference(of, x: x, weight: weight, bias: bias, gradient: g, scale: scale)
            for path in paths {
                let (target, mean, reciprocal) = (
                    Guarded(count: x.count), Guarded(count: of.rows), Guarded(count: of.rows)
                )
                kernels_normalization_forward(
                    of, x, isPlain ? nil : weight, isPlain ? nil : bias, target.pointer, mean.pointer,
                    reciprocal.pointer, path)
                let (slopes, weightSlopes, biasSlopes) = (
                    Guarded(count: x.count), Guarded(ones(0.25, parameters)), Guarded(ones(0.25, parameters))
                )
                kernels_normalization_backward(
                    of, x, isPlain ? nil : weight, mean.pointer, reciprocal.pointer, g, isPlain ? nil : scale,
                    slopes.pointer,
                    weightSlopes.pointer, biasSlopes.pointer, path)
                #expect(distance(target.values, exact.target) < 2e-6 && distance(slopes.values, exact.slopes) < 2e-5)
                #expect(
                    distance(weightSlopes.values, exact.weightSlopes) < 2e-6
                        && distance(biasSlopes.values, exact.biasSlopes) < 2e-6)
                #expect(areIntact(target, mean, reciprocal, slopes, weightSlopes, biasSlopes))
                let alone = Guarded(count: x.count)
                kernels_normalization_backward(
                    of, x, isPlain ? nil : weight, mean.pointer, reciprocal.pointer, g, nil, alone.pointer, nil, nil,
                    path)
                #expect(bits(alone.values) == bits(slopes.values))
            }
        }
    }
}
