import Kernels

/// Products of matrices and the convolutions of ResNet-18 on one thread, in billions of floating-point operations a second of CPU time, the best of some runs.
/// `Benchmarks/compare/kernels.py` reads each line's shape from here and gives it to PyTorch.
struct KernelsBenchmark {
    private let instructions: kernels_instructions =
        [.avx512, .avx2].first { kernels_have($0) } ?? .portable
    /// CPU seconds for each figure.
    private let patience = 0.25

    func run() {
        for shape in Self.products { product(shape) }
        for shape in Self.convolutions { convolution(shape) }
    }

    /// m, n, k, and what is transposed: as a layer of 784 by 128 and one of 128 by 10 need them, forward and for both gradients.
    private static let products: [(m: Int, n: Int, k: Int, a: Bool, b: Bool)] = [
        (1024, 1024, 1024, false, false), (1024, 128, 784, false, true), (1024, 784, 128, false, false),
        (128, 784, 1024, true, false),
        (1024, 10, 128, false, true), (1024, 128, 10, false, false), (10, 128, 1024, true, false),
        (128, 784, 8, true, false),
    ]

    /// ResNet-18's, of images of 224 by 224 at batch 8: how often each occurs; channels, height (and width), outputs, kernel, stride, padding.
    private static let convolutions: [(times: Int, shape: (Int, Int, Int, Int, Int, Int))] = [
        (1, (3, 224, 64, 7, 2, 3)), (4, (64, 56, 64, 3, 1, 1)), (1, (64, 56, 128, 3, 2, 1)),
        (1, (64, 56, 128, 1, 2, 0)),
        (3, (128, 28, 128, 3, 1, 1)), (1, (128, 28, 256, 3, 2, 1)), (1, (128, 28, 256, 1, 2, 0)),
        (3, (256, 14, 256, 3, 1, 1)),
        (1, (256, 14, 512, 3, 2, 1)), (1, (256, 14, 512, 1, 2, 0)), (3, (512, 7, 512, 3, 1, 1)),
    ]

    private func product(_ shape: (m: Int, n: Int, k: Int, a: Bool, b: Bool)) {
        let (a, b) = (numbers(shape.m * shape.k), numbers(shape.k * shape.n))
        var c = numbers(shape.m * shape.n)
        let seconds = c.withUnsafeMutableBufferPointer { c in
            a.withUnsafeBufferPointer { a in
                b.withUnsafeBufferPointer { b in
                    let product = kernels_product(
                        m: shape.m, n: shape.n, k: shape.k, a: a.baseAddress, lda: shape.a ? shape.m : shape.k,
                        a_transposed: shape.a, b: b.baseAddress, ldb: shape.b ? shape.k : shape.n,
                        b_transposed: shape.b,
                        c: c.baseAddress, ldc: shape.n, accumulates: false, scale: nil)
                    var workspace = numbers(kernels_gemm_workspace(product, instructions))
                    return best { kernels_gemm(product, &workspace, instructions) }
                }
            }
        }
        report(
            "kernels_gemm",
            [
                ("m", Double(shape.m)), ("n", Double(shape.n)), ("k", Double(shape.k)),
                ("a_transposed", shape.a ? 1 : 0),
                ("b_transposed", shape.b ? 1 : 0), ("seconds", seconds),
                ("gigaflops", 2 * Double(shape.m * shape.n * shape.k) / seconds / 1e9),
            ])
    }

    private func convolution(_ of: (times: Int, shape: (Int, Int, Int, Int, Int, Int))) {
        let (channels, size, outputs, kernel, stride, padding) = of.shape
        let batch = 8
        let convolution = kernels_convolution(
            batch: batch, channels: channels, height: size, width: size, outputs: outputs, kernel_height: kernel,
            kernel_width: kernel, stride_y: stride, stride_x: stride, padding_y: padding, padding_x: padding, groups: 1)
        let pixels = kernels_convolution_output_height(convolution) * kernels_convolution_output_width(convolution)
        var (input, weights) = (numbers(batch * channels * size * size), numbers(outputs * channels * kernel * kernel))
        var output = numbers(batch * outputs * pixels)
        var workspace = numbers(kernels_convolution_workspace(convolution, instructions))
        func tell(_ direction: String, _ seconds: Double) {
            report(
                "kernels_convolution_\(direction)",
                [
                    ("times", Double(of.times)), ("batch", Double(batch)), ("channels", Double(channels)),
                    ("size", Double(size)),
                    ("outputs", Double(outputs)), ("kernel", Double(kernel)), ("stride", Double(stride)),
                    ("padding", Double(padding)), ("seconds", seconds),
                    ("gigaflops", 2 * Double(batch * outputs * pixels * channels * kernel * kernel) / seconds / 1e9),
                ])
        }
        tell(
            "forward",
            best { kernels_convolution_forward(convolution, input, weights, nil, &output, &workspace, instructions) })
        if channels > 3 {
            tell(
                "input_gradient",
                best {
                    kernels_convolution_input_gradient(convolution, output, weights, &input, &workspace, instructions)
                })
        }
        tell(
            "weight_gradient",
            best {
                kernels_convolution_weight_gradient(
                    convolution, input, output, nil, false, &weights, &workspace, instructions)
            })
    }

    /// The least CPU seconds of a call: of as many in a row as take two milliseconds, which the clock measures well.
    private func best(_ call: () -> Void) -> Double {
        call()
        let start = processorSeconds()
        call()
        let calls = max(1, Int(2e-3 / max(processorSeconds() - start, 1e-6)))
        var least = Double.infinity
        repeat {
            let before = processorSeconds()
            for _ in 0..<calls { call() }
            least = min(least, (processorSeconds() - before) / Double(calls))
        } while processorSeconds() - start < patience
        return least
    }

    /// Small numbers of both signs.
    private func numbers(_ count: Int) -> [Float] { (0..<count).map { Float($0 * 37 % 101 - 50) / 64 } }
}
