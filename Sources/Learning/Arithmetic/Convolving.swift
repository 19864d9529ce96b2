import Kernels

/// A convolution in two dimensions: images [channels, height, width], weights [outputs, channels / groups, kernel, kernel].
struct Convolving: Sendable, Equatable {
    let channels: Int
    let height: Int
    let width: Int
    let outputs: Int
    let kernel: Int
    let stride: Int
    let padding: Int
    let groups: Int

    var outputHeight: Int { (height + 2 * padding - kernel) / stride + 1 }
    var outputWidth: Int { (width + 2 * padding - kernel) / stride + 1 }
    /// Pixels that come out.
    var positions: Int { outputHeight * outputWidth }
    var inputCount: Int { channels * height * width }
    var outputCount: Int { outputs * positions }
    var groupChannels: Int { channels / groups }
    var groupOutputs: Int { outputs / groups }
    /// Values that one output pixel sees.
    var windowCount: Int { groupChannels * kernel * kernel }
    var weightCount: Int { outputs * windowCount }

    /// Calls `body` for each output row that weight (y, x) of a kernel reaches: where its pixels begin in the output's plane and in
    /// the input's, and how many there are.
    @inline(__always)
    private func eachRow(_ y: Int, _ x: Int, _ body: (_ output: Int, _ input: Int, _ count: Int) -> Void) {
        let rows = reached(y - padding, height, of: outputHeight)
        let columns = reached(x - padding, width, of: outputWidth)
        guard !columns.isEmpty else { return }
        for row in rows {
            body(
                row * outputWidth + columns.lowerBound,
                (row * stride + y - padding) * width + columns.lowerBound * stride + x - padding, columns.count)
        }
    }

    /// The outputs o for which o x stride + shift lies within 0..<extent.
    private func reached(_ shift: Int, _ extent: Int, of outputs: Int) -> Range<Int> {
        let first = shift >= 0 ? 0 : (stride - 1 - shift) / stride
        let last = extent - 1 - shift < 0 ? -1 : (extent - 1 - shift) / stride
        return first..<max(first, min(outputs, last + 1))
    }

    private func kernel(images: Int) -> kernels_convolution {
        kernels_convolution(
            batch: images, channels: channels, height: height, width: width, outputs: outputs, kernel_height: kernel,
            kernel_width: kernel, stride_y: stride, stride_x: stride, padding_y: padding, padding_x: padding,
            groups: groups)
    }

    private func withWorkspace(_ convolution: kernels_convolution, _ body: (UnsafeMutablePointer<Float>) -> Void) {
        Dense.withWorkspace(kernels_convolution_workspace(convolution, Dense.instructions), body)
    }

    /// Writes the outputs of images.
    func forward(
        images: Int, input: UnsafePointer<Float>, weights: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
        into target: UnsafeMutablePointer<Float>
    ) {
        let convolution = kernel(images: images)
        withWorkspace(convolution) {
            kernels_convolution_forward(convolution, input, weights, bias, target, $0, Dense.instructions)
        }
    }

    /// Writes the gradients of images, given those of their outputs.
    func inputGradient(
        images: Int, gradients: UnsafePointer<Float>, weights: UnsafePointer<Float>,
        into target: UnsafeMutablePointer<Float>
    ) {
        let convolution = kernel(images: images)
        withWorkspace(convolution) {
            kernels_convolution_input_gradient(convolution, gradients, weights, target, $0, Dense.instructions)
        }
    }

    /// Adds the gradient of the weights, summed over images, each times its scale (nil: 1).
    func weightGradient(
        images: Int, input: UnsafePointer<Float>, gradients: UnsafePointer<Float>, scales: UnsafePointer<Float>?,
        addingTo target: UnsafeMutablePointer<Float>
    ) {
        let convolution = kernel(images: images)
        withWorkspace(convolution) {
            kernels_convolution_weight_gradient(
                convolution, input, gradients, scales, true, target, $0, Dense.instructions)
        }
    }

    /// Writes what each output pixel of one image sees in a group's channels: [positions, windowCount].
    func unfold(_ image: UnsafePointer<Float>, group: Int, into target: UnsafeMutablePointer<Float>) {
        let size = windowCount
        for index in 0..<positions * size { target[index] = 0 }
        for channel in 0..<groupChannels {
            let plane = image + (group * groupChannels + channel) * height * width
            for tap in 0..<kernel * kernel {
                let column = target + channel * kernel * kernel + tap
                eachRow(tap / kernel, tap % kernel) { o, i, count in
                    for p in 0..<count { column[(o + p) * size] = plane[i + p * stride] }
                }
            }
        }
    }
}
