import Foundation
import Kernels
import Testing

@Suite("What is done to rows")
struct RowTests {
    static let shapes = [(0, 4), (3, 1), (2, 10), (3, 16), (4, 17), (1, 100), (2, 1_001)]

    private func rows(_ x: [Float], _ columns: Int) -> [[Double]] {
        stride(from: 0, to: x.count, by: max(columns, 1)).map { x[$0..<$0 + columns].map(Double.init) }
    }

    @Test("Sums, sums of squares and products are those of doubles")
    func sums() {
        var sequence = Sequence(1)
        for count in lengths + [5_000] {
            let (x, y) = (Guarded(sequence.floats(count)), Guarded(sequence.floats(count)))
            for path in paths {
                let bound = 1e-12 * Double(count + 1)
                #expect(abs(kernels_sum(count, x.pointer, path) - x.values.reduce(0) { $0 + Double($1) }) <= bound)
                #expect(
                    abs(
                        kernels_sum_of_squares(count, x.pointer, path)
                            - x.values.reduce(0) { $0 + Double($1) * Double($1) }) <= bound)
                let products = zip(x.values, y.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                #expect(abs(kernels_dot(count, x.pointer, y.pointer, path) - products) <= bound)
            }
        }
        let table = sequence.floats(5 * 20)
        for path in paths {
            var target = [Double](repeating: -1, count: 6)
            kernels_sums_of_squares_of_rows(5, 17, table, 20, &target, path)
            for r in 0..<5 {
                let wanted = table[r * 20..<r * 20 + 17].reduce(0) { $0 + Double($1) * Double($1) }
                #expect(abs(target[r] - wanted) < 1e-12)
            }
            #expect(target[5] == -1)
        }
    }

    @Test("The largest of a row is the first of equals, and a NaN is larger than any")
    func largest() {
        let x: [Float] = [
            1, 3, 3, -1, -.infinity, -.infinity, -.infinity, -.infinity, 2, .nan, .infinity, .nan, 0, -0.0, -1, 0,
        ]
        for path in paths {
            let largest = Guarded(count: 4)
            var argument = [Int32](repeating: 9, count: 5)
            kernels_max_of_rows(4, 4, x, largest.pointer, &argument, path)
            #expect(argument == [1, 0, 1, 0, 9] && largest.isIntact)
            #expect(
                largest.values[0] == 3 && largest.values[1] == -.infinity && largest.values[2].isNaN
                    && largest.values[3] == 0)
            kernels_max_of_rows(2, 0, x, largest.pointer, &argument, path)
            #expect(argument[0] == -1 && largest.values[0] == -.infinity)
        }
    }

    @Test("Means and variances of rows agree with double, far from 0 too")
    func meansAndVariances() {
        var sequence = Sequence(2)
        for (count, columns) in Self.shapes {
            for offset in [Float(0), 1_000] {
                let x = sequence.floats(count * columns).map { $0 + offset }
                for path in paths {
                    let (mean, variance) = (Guarded(count: count), Guarded(count: count))
                    kernels_mean_and_variance_of_rows(count, columns, x, mean.pointer, variance.pointer, path)
                    let means = rows(x, columns).map { $0.reduce(0, +) / Double(columns) }
                    let variances = zip(rows(x, columns), means).map { row, mean in
                        row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
                    }
                    #expect(distance(mean.values, means) < 1e-7 && distance(variance.values, variances) < 1e-7)
                    #expect(mean.isIntact && variance.isIntact)
                }
            }
        }
    }

    @Test("Softmax, its logarithm and their gradients agree with double, whatever is added to a row")
    func softmax() {
        var sequence = Sequence(3)
        for (count, columns) in Self.shapes {
            for offset in [Float(0), 500, -500] {
                let x = sequence.floats(count * columns, -5, 5).map { $0 + offset }
                let g = sequence.floats(count * columns)
                let exact = rows(x, columns).map { row in
                    let sum = row.reduce(0) { $0 + exp($1 - Double(offset)) }
                    return row.map { exp($0 - Double(offset)) / sum }
                }
                let slopes = zip(exact, rows(g, columns)).map { y, g in
                    let mean = zip(y, g).reduce(0) { $0 + $1.0 * $1.1 }
                    return zip(y, g).map { $0 * ($1 - mean) }
                }
                let logSlopes = zip(exact, rows(g, columns)).map { y, g in zip(y, g).map { $1 - $0 * g.reduce(0, +) } }
                for path in paths {
                    let (target, gradient) = (Guarded(count: x.count), Guarded(count: x.count))
                    kernels_softmax(count, columns, x, target.pointer, path)
                    kernels_softmax_backward(count, columns, target.pointer, g, gradient.pointer, path)
                    #expect(distance(target.values, exact.flatMap(\.self)) < 1e-6)
                    #expect(distance(gradient.values, slopes.flatMap(\.self)) < 1e-6)
                    kernels_log_softmax(count, columns, x, target.pointer, path)
                    kernels_log_softmax_backward(count, columns, target.pointer, g, gradient.pointer, path)
                    #expect(distance(target.values, exact.flatMap { $0.map { log($0) } }) < 1e-6)
                    #expect(distance(gradient.values, logSlopes.flatMap(\.self)) < 5e-6)
                    #expect(target.isIntact && gradient.isIntact)
                }
            }
        }
    }

    @Test("Cross entropy and its gradient agree with double, with weights and rows without a label")
    func crossEntropy() {
        var sequence = Sequence(4)
        for (count, classes) in Self.shapes {
            let x = sequence.floats(count * classes, -20, 20)
            let weights = sequence.floats(count, 0, 2)
            let labels = (0..<count).map { $0 == 1 ? -1 : Int32(sequence.below(classes)) }
            for isWeighted in [false, true] {
                var losses: [Double] = []
                var slopes: [Double] = []
                for (r, row) in rows(x, classes).enumerated() {
                    let weight = isWeighted ? Double(weights[r]) : 1
                    let label = Int(labels[r])
                    let sum = row.reduce(0) { $0 + exp($1) }
                    losses.append(label < 0 ? 0 : weight * (log(sum) - row[label]))
                    slopes += row.indices.map { label < 0 ? 0 : weight * (exp(row[$0]) / sum - ($0 == label ? 1 : 0)) }
                }
                for path in paths {
                    let (loss, gradient, alone) = (
                        Guarded(count: count), Guarded(count: x.count), Guarded(count: count)
                    )
                    kernels_cross_entropy(
                        count, classes, x, labels, isWeighted ? weights : nil, loss.pointer, gradient.pointer, path)
                    kernels_cross_entropy(
                        count, classes, x, labels, isWeighted ? weights : nil, alone.pointer, nil, path)
                    #expect(distance(loss.values, losses) < 1e-6 && distance(gradient.values, slopes) < 1e-6)
                    #expect(
                        bits(alone.values) == bits(loss.values) && loss.isIntact && gradient.isIntact && alone.isIntact)
                    kernels_cross_entropy(
                        count, classes, x, labels, isWeighted ? weights : nil, nil, gradient.pointer, path)
                    #expect(distance(gradient.values, slopes) < 1e-6)
                }
            }
        }
    }

    @Test("An infinite logit or a NaN makes its own row NaN, and no other")
    func nonFinite() {
        for path in paths {
            let x: [Float] = [0, 1, 2, .nan, 1, 2, .infinity, 1, 2, -.infinity, 1, 1]
            let target = Guarded(count: 12)
            kernels_softmax(4, 3, x, target.pointer, path)
            #expect(
                target.values.map(\.isNaN) == [
                    false, false, false, true, true, true, true, true, true, false, false, false,
                ])
            #expect(target.values[9] == 0 && target.values[10] == 0.5)
        }
    }
}
