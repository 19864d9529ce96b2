import Kernels
import Testing

@Suite("Products in rings")
struct RingProductTests {
    /// (m, n, k): edges of every tile, blocks, nothing at all.
    static let sizes: [(Int, Int, Int)] = [
        (0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 1, 1), (1, 16, 5), (2, 17, 3), (3, 31, 300), (5, 9, 7), (12, 16, 256),
        (13, 33, 257),
        (24, 16, 8), (25, 48, 9), (40, 300, 20), (241, 20, 30), (250, 270, 11), (7, 513, 2),
    ]

    @Test("A product modulo 2^64 is the sum of products, on every path, transposed or not, added or not")
    func products64() {
        var words = Words(1)
        for (number, (m, n, k)) in Self.sizes.enumerated() {
            for variant in 0..<8 {
                let (aTransposed, bTransposed, accumulates) = (variant & 1 != 0, variant & 2 != 0, variant & 4 != 0)
                let slack = number % 3
                let lda = (aTransposed ? m : k) + slack
                let ldb = (bTransposed ? k : n) + slack
                let ldc = n + slack
                let a = words((aTransposed ? k : m) * lda)
                let b = words((bTransposed ? n : k) * ldb)
                let before = words(m * ldc)
                var expected = before
                for i in 0..<m {
                    for j in 0..<n {
                        var sum: UInt64 = accumulates ? before[i * ldc + j] : 0
                        for p in 0..<k {
                            sum &+=
                                a[aTransposed ? p * lda + i : i * lda + p] &* b[bTransposed ? j * ldb + p : p * ldb + j]
                        }
                        expected[i * ldc + j] = sum
                    }
                }
                for path in paths {
                    let (left, right, result) = (GuardedWords(a), GuardedWords(b), GuardedWords(before))
                    let product = kernels_ring64_product(
                        m: m, n: n, k: k, a: left.pointer, lda: lda, a_transposed: aTransposed, b: right.pointer,
                        ldb: ldb,
                        b_transposed: bTransposed, c: result.pointer, ldc: ldc, accumulates: accumulates)
                    let workspace = GuardedWords<UInt64>(count: kernels_ring64_workspace(product, path))
                    kernels_ring64_multiply(product, workspace.pointer, path)
                    #expect(result.values == expected, "\(m) \(n) \(k) \(variant) \(path)")
                    #expect(workspace.isIntact && result.isIntact && left.isIntact && right.isIntact)
                }
            }
        }
    }

    @Test("A product modulo 2^32 is the sum of products, on every path")
    func products32() {
        var words = Words(2)
        for (m, n, k) in Self.sizes {
            for variant in 0..<8 {
                let (aTransposed, bTransposed, accumulates) = (variant & 1 != 0, variant & 2 != 0, variant & 4 != 0)
                let lda = (aTransposed ? m : k) + 1
                let ldb = (bTransposed ? k : n) + 2
                let a = words((aTransposed ? k : m) * lda).map { UInt32(truncatingIfNeeded: $0) }
                let b = words((bTransposed ? n : k) * ldb).map { UInt32(truncatingIfNeeded: $0) }
                let before = words(m * n).map { UInt32(truncatingIfNeeded: $0) }
                var expected = before
                for i in 0..<m {
                    for j in 0..<n {
                        var sum: UInt32 = accumulates ? before[i * n + j] : 0
                        for p in 0..<k {
                            sum &+=
                                a[aTransposed ? p * lda + i : i * lda + p] &* b[bTransposed ? j * ldb + p : p * ldb + j]
                        }
                        expected[i * n + j] = sum
                    }
                }
                for path in paths {
                    let (left, right, result) = (GuardedWords(a), GuardedWords(b), GuardedWords(before))
                    let product = kernels_ring32_product(
                        m: m, n: n, k: k, a: left.pointer, lda: lda, a_transposed: aTransposed, b: right.pointer,
                        ldb: ldb,
                        b_transposed: bTransposed, c: result.pointer, ldc: n, accumulates: accumulates)
                    let workspace = GuardedWords<UInt32>(count: kernels_ring32_workspace(product, path))
                    kernels_ring32_multiply(product, workspace.pointer, path)
                    #expect(result.values == expected, "\(m) \(n) \(k) \(variant) \(path)")
                    #expect(workspace.isIntact && result.isIntact)
                }
            }
        }
    }

    @Test("A convolution modulo 2^64 is the sum over its windows, on every path")
    func convolutions() {
        var words = Words(3)
        // batch, channels, height, width, outputs, kernel height, kernel width, stride, padding, groups.
        let cases = [
            [1, 1, 1, 1, 1, 1, 1, 1, 0, 1], [2, 3, 7, 9, 4, 3, 3, 1, 1, 1], [1, 2, 28, 28, 5, 5, 5, 1, 0, 1],
            [2, 4, 11, 40, 6, 3, 5, 2, 2, 2], [1, 30, 6, 20, 13, 3, 3, 1, 1, 1], [3, 6, 5, 5, 6, 3, 3, 1, 1, 6],
            [1, 2, 33, 37, 3, 7, 7, 2, 3, 1], [1, 1, 4, 4, 2, 5, 5, 3, 3, 1],
        ]
        for c in cases {
            let shape = kernels_convolution(
                batch: c[0], channels: c[1], height: c[2], width: c[3], outputs: c[4], kernel_height: c[5],
                kernel_width: c[6],
                stride_y: c[7], stride_x: c[7], padding_y: c[8], padding_x: c[8], groups: c[9])
            let height = kernels_convolution_output_height(shape)
            let width = kernels_convolution_output_width(shape)
            let input = words(c[0] * c[1] * c[2] * c[3])
            let weights = words(c[4] * c[1] / c[9] * c[5] * c[6])
            let before = words(c[0] * c[4] * height * width)
            for accumulates in [false, true] {
                var expected = accumulates ? before : before.map { _ in 0 }
                for n in 0..<c[0] {
                    for o in 0..<c[4] {
                        for y in 0..<height {
                            for x in 0..<width {
                                var sum: UInt64 = 0
                                for i in 0..<c[1] / c[9] {
                                    let channel = o / (c[4] / c[9]) * (c[1] / c[9]) + i
                                    for ky in 0..<c[5] {
                                        for kx in 0..<c[6] {
                                            let row = y * c[7] + ky - c[8]
                                            let column = x * c[7] + kx - c[8]
                                            guard (0..<c[2]).contains(row), (0..<c[3]).contains(column) else {
                                                continue
                                            }
                                            sum &+=
                                                input[((n * c[1] + channel) * c[2] + row) * c[3] + column]
                                                &* weights[((o * (c[1] / c[9]) + i) * c[5] + ky) * c[6] + kx]
                                        }
                                    }
                                }
                                expected[((n * c[4] + o) * height + y) * width + x] &+= sum
                            }
                        }
                    }
                }
                for path in paths {
                    let (images, kernels, result) = (GuardedWords(input), GuardedWords(weights), GuardedWords(before))
                    let workspace = GuardedWords<UInt64>(count: kernels_ring64_convolution_workspace(shape, path))
                    kernels_ring64_convolve(
                        shape, images.pointer, kernels.pointer, accumulates, result.pointer, workspace.pointer, path)
                    #expect(result.values == expected, "\(c) \(path)")
                    #expect(workspace.isIntact && result.isIntact)
                }
            }
        }
    }
}
