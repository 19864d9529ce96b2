import Kernels
import Testing

extension kernels_convolution {
    /// A convolution with one kernel width, stride and padding along both axes.
    init(
        _ batch: Int, _ channels: Int, _ size: (Int, Int), _ outputs: Int, kernel: Int, stride: Int = 1,
        padding: Int = 0,
        groups: Int = 1
    ) {
        self.init(
            batch: batch, channels: channels, height: size.0, width: size.1, outputs: outputs, kernel_height: kernel,
            kernel_width: kernel, stride_y: stride, stride_x: stride, padding_y: padding, padding_x: padding,
            groups: groups)
    }

    var outputHeight: Int { kernels_convolution_output_height(self) }
    var outputWidth: Int { kernels_convolution_output_width(self) }
    var inputCount: Int { batch * channels * height * width }
    var outputCount: Int { batch * outputs * outputHeight * outputWidth }
    var weightCount: Int { outputs * (channels / groups) * kernel_height * kernel_width }

    /// Calls `body` with the indices of input, weight and output of every product that is summed.
    func forEachTerm(_ body: (_ input: Int, _ weight: Int, _ output: Int) -> Void) {
        let (channelsOfGroup, outputsOfGroup) = (channels / groups, outputs / groups)
        for image in 0..<batch {
            for output in 0..<outputs {
                for channel in 0..<channelsOfGroup {
                    let plane = (image * channels + output / outputsOfGroup * channelsOfGroup + channel) * height
                    for (tap, y, x, row, column) in taps {
                        let weight = (output * channelsOfGroup + channel) * kernel_height * kernel_width + tap
                        let pixel = ((image * outputs + output) * outputHeight + row) * outputWidth + column
                        body((plane + y) * width + x, weight, pixel)
                    }
                }
            }
        }
    }

    /// Every tap of every output pixel that lies inside the image.
    private var taps: [(tap: Int, y: Int, x: Int, row: Int, column: Int)] {
        var found: [(Int, Int, Int, Int, Int)] = []
        for row in 0..<outputHeight {
            for column in 0..<outputWidth {
                for tap in 0..<kernel_height * kernel_width {
                    let y = row * stride_y + tap / kernel_width - padding_y
                    let x = column * stride_x + tap % kernel_width - padding_x
                    if (0..<height).contains(y) && (0..<width).contains(x) { found.append((tap, y, x, row, column)) }
                }
            }
        }
        return found
    }
}

@Suite("Convolutions")
struct ConvolutionTests {
    static let shapes: [kernels_convolution] = [
        .init(1, 1, (1, 1), 1, kernel: 1), .init(2, 3, (5, 7), 4, kernel: 3, padding: 1),
        .init(3, 5, (17, 19), 13, kernel: 3, padding: 1), .init(2, 4, (9, 9), 17, kernel: 3, stride: 2, padding: 1),
        .init(5, 3, (7, 7), 33, kernel: 1, stride: 2), .init(11, 6, (7, 7), 35, kernel: 3, padding: 1),
        .init(1, 3, (20, 23), 9, kernel: 7, stride: 2, padding: 3),
        .init(2, 2, (8, 9), 3, kernel: 4, stride: 3, padding: 2),
        .init(1, 60, (6, 6), 5, kernel: 3, padding: 1), .init(2, 12, (6, 5), 8, kernel: 3, padding: 1, groups: 4),
        .init(2, 6, (11, 18), 6, kernel: 3, padding: 1, groups: 6),
        .init(2, 3, (40, 37), 6, kernel: 3, stride: 2, padding: 1, groups: 3),
        .init(1, 5, (9, 35), 15, kernel: 5, stride: 1, padding: 2, groups: 5),
        .init(2, 2, (3, 3), 2, kernel: 1, padding: 3),
        .init(1, 2, (6, 40), 300, kernel: 2, stride: 5), .init(1, 1, (30, 34), 40, kernel: 2),
        .init(2, 30, (28, 28), 3, kernel: 1),
        .init(1, 3, (6, 5), 140, kernel: 2, padding: 1),
        .init(3, 70, (5, 21), 70, kernel: 3, stride: 2, padding: 1, groups: 70),
        .init(2, 2, (9, 33), 8, kernel: 3, stride: 2, padding: 2, groups: 2),
        .init(0, 3, (5, 5), 4, kernel: 3), .init(2, 0, (5, 5), 4, kernel: 3, padding: 1),
        .init(2, 3, (5, 5), 0, kernel: 3, padding: 1),
        .init(2, 3, (2, 5), 4, kernel: 3), .init(1, 1, (28, 28), 16, kernel: 8, stride: 2, padding: 3),
        .init(2, 3, (3, 3), 2, kernel: 5, stride: 7, padding: 2),
        .init(3, 4, (6, 2), 4, kernel: 3, stride: 4, padding: 3, groups: 4),
        kernels_convolution(
            batch: 2, channels: 3, height: 9, width: 14, outputs: 7, kernel_height: 2, kernel_width: 5, stride_y: 3,
            stride_x: 2,
            padding_y: 0, padding_x: 3, groups: 1),
    ]

    /// What one convolution reads.
    struct Operands {
        let of: kernels_convolution
        let input, weights, bias, gradient, scale: Guarded

        init(_ of: kernels_convolution) {
            var sequence = Sequence(11)
            self.of = of
            input = Guarded(sequence.floats(of.inputCount))
            weights = Guarded(sequence.floats(of.weightCount))
            bias = Guarded(sequence.floats(of.outputs))
            gradient = Guarded(sequence.floats(of.outputCount))
            scale = Guarded(sequence.floats(of.batch, 0, 2))
        }

        var areIntact: Bool { [input, weights, bias, gradient, scale].allSatisfy(\.isIntact) }
    }

    private func withWorkspace(
        _ of: kernels_convolution, _ path: kernels_instructions, _ body: (UnsafeMutablePointer<Float>) -> Void
    ) {
        let workspace = Guarded(count: kernels_convolution_workspace(of, path))
        body(workspace.pointer)
        #expect(workspace.isIntact, "\(of) \(path): workspace")
    }

    /// Sums of up to a few thousand products of numbers below 1 in size.
    private func check(_ found: Guarded, _ expected: [Double], _ what: String) {
        #expect(found.isIntact, "\(what)")
        #expect(distance(found.values, expected) < 2e-5, "\(what)")
    }

    @Test("The output agrees with sums in double", arguments: shapes)
    func forward(_ of: kernels_convolution) {
        let operands = Operands(of)
        for hasBias in [false, true] {
            let pixels = of.outputHeight * of.outputWidth
            var expected = (0..<of.outputCount).map {
                hasBias ? Double(operands.bias.pointer[$0 / pixels % of.outputs]) : 0
            }
            of.forEachTerm { expected[$2] += Double(operands.input.pointer[$0]) * Double(operands.weights.pointer[$1]) }
            for path in paths {
                let output = Guarded(count: of.outputCount)
                withWorkspace(of, path) {
                    kernels_convolution_forward(
                        of, operands.input.pointer, operands.weights.pointer, hasBias ? operands.bias.pointer : nil,
                        output.pointer, $0,
                        path)
                }
                check(output, expected, "\(of) \(path)")
            }
        }
        #expect(operands.areIntact)
    }

    @Test("The gradient of the input agrees with sums in double", arguments: shapes)
    func inputGradient(_ of: kernels_convolution) {
        let operands = Operands(of)
        var expected = [Double](repeating: 0, count: of.inputCount)
        of.forEachTerm { expected[$0] += Double(operands.gradient.pointer[$2]) * Double(operands.weights.pointer[$1]) }
        for path in paths {
            let found = Guarded(count: of.inputCount)
            withWorkspace(of, path) {
                kernels_convolution_input_gradient(
                    of, operands.gradient.pointer, operands.weights.pointer, found.pointer, $0, path)
            }
            check(found, expected, "\(of) \(path)")
        }
        #expect(operands.areIntact)
    }

    @Test(
        "The gradient of the weights agrees with sums in double, scaled by image and added to what is there",
        arguments: shapes)
    func weightGradient(_ of: kernels_convolution) {
        let operands = Operands(of)
        for (isScaled, accumulates) in [(false, false), (true, true)] {
            var expected = [Double](repeating: accumulates ? 0.5 : 0, count: of.weightCount)
            of.forEachTerm { input, weight, output in
                let image = output / (of.outputs * of.outputHeight * of.outputWidth)
                let scale = isScaled ? Double(operands.scale.pointer[image]) : 1
                expected[weight] +=
                    scale * Double(operands.gradient.pointer[output]) * Double(operands.input.pointer[input])
            }
            for path in paths {
                let found =
                    accumulates
                    ? Guarded([Float](repeating: 0.5, count: of.weightCount)) : Guarded(count: of.weightCount)
                withWorkspace(of, path) {
                    kernels_convolution_weight_gradient(
                        of, operands.input.pointer, operands.gradient.pointer, isScaled ? operands.scale.pointer : nil,
                        accumulates,
                        found.pointer, $0, path)
                }
                check(found, expected, "\(of) \(path)")
            }
        }
        #expect(operands.areIntact)
    }

    @Test("An image's output and gradient are the same to the bit in a batch and alone", arguments: shapes)
    func imagesStandAlone(_ of: kernels_convolution) {
        let operands = Operands(of)
        var one = of
        one.batch = 1
        for path in paths {
            let (output, gradient) = (Guarded(count: of.outputCount), Guarded(count: of.inputCount))
            withWorkspace(of, path) {
                kernels_convolution_forward(
                    of, operands.input.pointer, operands.weights.pointer, nil, output.pointer, $0, path)
                kernels_convolution_input_gradient(
                    of, operands.gradient.pointer, operands.weights.pointer, gradient.pointer, $0, path)
            }
            for image in 0..<of.batch {
                let (oneOutput, oneGradient) = (Guarded(count: one.outputCount), Guarded(count: one.inputCount))
                withWorkspace(one, path) {
                    kernels_convolution_forward(
                        one, operands.input.pointer + image * one.inputCount, operands.weights.pointer, nil,
                        oneOutput.pointer, $0, path)
                    kernels_convolution_input_gradient(
                        one, operands.gradient.pointer + image * one.outputCount, operands.weights.pointer,
                        oneGradient.pointer, $0, path)
                }
                #expect(
                    bits(oneOutput.values)
                        == bits(Array(output.values[image * one.outputCount..<(image + 1) * one.outputCount])))
                #expect(
                    bits(oneGradient.values)
                        == bits(Array(gradient.values[image * one.inputCount..<(image + 1) * one.inputCount])))
            }
        }
    }

    @Test("An unfolded image times the weights is the convolution", arguments: shapes)
    func unfolded(_ of: kernels_convolution) {
        let operands = Operands(of)
        let (rows, columns) = (
            of.channels / of.groups * of.kernel_height * of.kernel_width, of.outputHeight * of.outputWidth
        )
        var expected = [Double](repeating: 0, count: of.outputCount)
        of.forEachTerm { expected[$2] += Double(operands.input.pointer[$0]) * Double(operands.weights.pointer[$1]) }
        for image in 0..<of.batch {
            for group in 0..<of.groups {
                let unfolded = Guarded(count: rows * columns)
                let first = (image * of.channels + group * (of.channels / of.groups)) * of.height * of.width
                kernels_im2col(of, operands.input.pointer + first, unfolded.pointer)
                #expect(unfolded.isIntact)
                for output in group * (of.outputs / of.groups)..<(group + 1) * (of.outputs / of.groups) {
                    for pixel in 0..<columns {
                        let sum = (0..<rows).reduce(0.0) {
                            $0 + Double(unfolded.pointer[$1 * columns + pixel])
                                * Double(operands.weights.pointer[output * rows + $1])
                        }
                        #expect(abs(sum - expected[(image * of.outputs + output) * columns + pixel]) < 1e-9)
                    }
                }
            }
        }
    }
}
