internal import ModularArithmetic

/// A product of matrices that a bilinear map is, or is made of: Z [rows, columns] = X [rows, inner] Y [inner, columns], with a random weight of each row and of each column.
struct MatrixForm: Sendable {
    let rows: Int
    let inner: Int
    let columns: Int
    private let shape: Shape

    private enum Shape: Sendable {
        case matrices
        /// A group of a convolution: rows are pixels of results, columns kernels.
        case convolution(RingConvolution, group: Int)
    }

    /// Random elements of zeros and ones, of each row and of each column: as words of them, and the columns' patterns.
    struct Weights {
        let rows: [UInt64]
        let columns: [UInt64]
        let patterns: [UInt64]
    }

    static func forms(_ map: BilinearMap) -> [MatrixForm] {
        switch map {
        case .elements: []
        case .matrices(let product):
            [MatrixForm(rows: product.rows, inner: product.inner, columns: product.columns, shape: .matrices)]
        case .convolution(let c):
            (0..<c.groups).map { group in
                MatrixForm(
                    rows: c.batch * c.outputHeight * c.outputWidth,
                    inner: c.channels / c.groups * c.kernelHeight * c.kernelWidth, columns: c.outputs / c.groups,
                    shape: .convolution(c, group: group))
            }
        }
    }

    func weights(_ coins: ProofCoins, _ stream: inout Int) -> Weights {
        let (rowPatterns, patterns) = (coins.words(rows, stream), coins.words(columns, stream + 1))
        stream += 2
        return Weights(
            rows: GaloisRing.elements(bits: rowPatterns),
            columns: GaloisRing.elements(bits: patterns), patterns: patterns)
    }

    /// The weighted sum of X's rows: `inner` elements.
    func left(_ words: [UInt64], _ weights: Weights) -> [UInt64] {
        let width = GaloisRing.degree
        guard case .convolution(let c, let group) = shape else {
            return RingMatrices.product(
                rows: inner, inner: rows, columns: width, words, transposed: true, weights.rows)
        }
        let pixels = rows / c.batch
        var sum = [UInt64](repeating: 0, count: inner * width)
        for image in 0..<c.batch {
            let part = RingMatrices.product(
                rows: inner, inner: pixels, columns: width, Self.unfolded(words, c, group: group, image: image),
                weights.rows, rightFrom: image * pixels * width)
            for i in sum.indices { sum[i] &+= part[i] }
        }
        return sum
    }

    /// The weighted sum of Y's columns: `inner` elements.
    func right(_ words: [UInt64], _ weights: Weights) -> [UInt64] {
        let width = GaloisRing.degree
        guard case .convolution(_, let group) = shape else {
            return RingMatrices.product(rows: inner, inner: columns, columns: width, words, weights.columns)
        }
        return RingMatrices.product(
            rows: inner, inner: columns, columns: width, words, leftFrom: group * columns * inner, transposed: true,
            weights.columns)
    }

    /// The sum of Z's words, each times both weights.
    func result(_ words: [UInt64], _ weights: Weights) -> [UInt64] {
        let width = GaloisRing.degree
        var byColumn = [UInt64](repeating: 0, count: columns * width)
        switch shape {
        case .matrices:
            byColumn = RingMatrices.product(
                rows: columns, inner: rows, columns: width, words, transposed: true, weights.rows)
        case .convolution(let c, let group):
            let pixels = rows / c.batch
            for image in 0..<c.batch {
                let part = RingMatrices.product(
                    rows: columns, inner: pixels, columns: width, words,
                    leftFrom: (image * c.outputs + group * columns) * pixels, weights.rows,
                    rightFrom: image * pixels * width)
                for i in byColumn.indices { byColumn[i] &+= part[i] }
            }
        }
        let all = GaloisRing.product(byColumn, bits: weights.patterns)
        var sum = [UInt64](repeating: 0, count: width)
        for i in all.indices { sum[i % width] &+= all[i] }
        return sum
    }

    /// Of one image and group, a row for each element of a kernel, with what it meets at each pixel of the result.
    private static func unfolded(_ words: [UInt64], _ c: RingConvolution, group: Int, image: Int) -> [UInt64] {
        let channels = c.channels / c.groups
        var result: [UInt64] = []
        result.reserveCapacity(channels * c.kernelHeight * c.kernelWidth * c.outputHeight * c.outputWidth)
        for channel in 0..<channels {
            let plane = (image * c.channels + group * channels + channel) * c.height
            for ky in 0..<c.kernelHeight {
                for kx in 0..<c.kernelWidth {
                    for y in 0..<c.outputHeight {
                        let row = y * c.stride + ky - c.padding
                        for x in 0..<c.outputWidth {
                            let column = x * c.stride + kx - c.padding
                            let isInside = (0..<c.height).contains(row) && (0..<c.width).contains(column)
                            result.append(isInside ? words[(plane + row) * c.width + column] : 0)
                        }
                    }
                }
            }
        }
        return result
    }
}
