import Kernels
import Testing

@Suite("Pooling")
struct PoolingTests {
    static let cases: [kernels_pooling] = [
        (1, 1, 1, 1, 1, 1, 1, 0, 0), (3, 8, 8, 2, 2, 2, 2, 0, 0), (2, 7, 9, 3, 3, 2, 2, 1, 1),
        (2, 5, 6, 3, 2, 1, 3, 0, 1),
        (0, 5, 5, 2, 2, 2, 2, 0, 0), (2, 2, 2, 3, 3, 1, 1, 0, 0), (1, 1, 4, 2, 4, 1, 2, 1, 2),
        (2, 2, 0, 2, 2, 1, 1, 1, 1), (1, 3, 3, 2, 2, 1, 1, 3, 0),
    ].map {
        kernels_pooling(
            planes: $0, height: $1, width: $2, window_height: $3, window_width: $4, stride_y: $5, stride_x: $6,
            padding_y: $7,
            padding_x: $8)
    }

    /// For each output the indices in the input that lie in its window, row by row.
    private func windows(_ of: kernels_pooling) -> [[Int]] {
        (0..<of.planes).flatMap { plane in
            (0..<kernels_pooling_output_height(of)).flatMap { row in
                (0..<kernels_pooling_output_width(of)).map { column in
                    (0..<of.window_height).flatMap { dy in
                        (0..<of.window_width).compactMap { dx in
                            let (y, x) = (
                                row * of.stride_y + dy - of.padding_y, column * of.stride_x + dx - of.padding_x
                            )
                            let lies = (0..<of.height).contains(y) && (0..<of.width).contains(x)
                            return lies ? (plane * of.height + y) * of.width + x : nil
                        }
                    }
                }
            }
        }
    }

    @Test("The maximum and where it lies, the first of equals; its gradient goes there", arguments: cases.indices)
    func maximum(_ index: Int) {
        let of = Self.cases[index]
        let windows = windows(of)
        let area = of.height * of.width
        var sequence = Sequence(UInt64(index))
        let x = (0..<of.planes * area).map { _ in Float(sequence.below(5)) }
        let g = sequence.floats(windows.count)
        let output = Guarded(count: windows.count)
        let slopes = Guarded(count: x.count)
        var argument = [Int32](repeating: -7, count: windows.count + 1)
        kernels_max_pool_forward(of, x, output.pointer, &argument)
        kernels_max_pool_backward(of, g, argument, slopes.pointer)
        var expected = [Double](repeating: 0, count: x.count)
        for (i, window) in windows.enumerated() {
            let most = window.map { x[$0] }.max()
            #expect(output.pointer[i] == most ?? -.infinity)
            let first = window.first { x[$0] == most }
            #expect((first.map { $0 % area } ?? -1) == Int(argument[i]))
            if let first { expected[first] += Double(g[i]) }
        }
        #expect(distance(slopes.values, expected) < 1e-6 && output.isIntact && slopes.isIntact && argument.last == -7)
    }

    @Test("A NaN is the maximum of its windows, and minus infinity that of windows of nothing else")
    func nonFinite() {
        let of = kernels_pooling(
            planes: 1, height: 2, width: 4, window_height: 2, window_width: 2, stride_y: 2, stride_x: 2, padding_y: 0,
            padding_x: 0)
        var output: [Float] = [0, 0]
        var argument: [Int32] = [0, 0]
        kernels_max_pool_forward(
            of, [1, .nan, -.infinity, -.infinity, 5, .nan, -.infinity, -.infinity], &output, &argument)
        #expect(output[0].isNaN && output[1] == -.infinity && argument == [1, 2])
    }

    @Test("The average counts the padding as zeros; its gradient is spread evenly", arguments: cases.indices)
    func average(_ index: Int) {
        let of = Self.cases[index]
        let windows = windows(of)
        var sequence = Sequence(UInt64(index))
        let x = sequence.floats(of.planes * of.height * of.width)
        let g = sequence.floats(windows.count)
        let output = Guarded(count: windows.count)
        let slopes = Guarded(count: x.count)
        kernels_average_pool_forward(of, x, output.pointer)
        kernels_average_pool_backward(of, g, slopes.pointer)
        let area = Double(of.window_height * of.window_width)
        var expected = [Double](repeating: 0, count: x.count)
        for (i, window) in windows.enumerated() { for place in window { expected[place] += Double(g[i]) / area } }
        let means = windows.map { $0.reduce(0) { $0 + Double(x[$1]) } / area }
        #expect(distance(output.values, means) < 1e-6 && distance(slopes.values, expected) < 1e-6)
        #expect(output.isIntact && slopes.isIntact)
    }
}
