import Kernels

/// Windows that move over planes.
struct Pooling: Sendable, Equatable {
    let height: Int
    let width: Int
    let window: Int
    let stride: Int
    let padding: Int

    var outputHeight: Int { (height + 2 * padding - window) / stride + 1 }
    var outputWidth: Int { (width + 2 * padding - window) / stride + 1 }

    private func kernel(planes: Int) -> kernels_pooling {
        kernels_pooling(
            planes: planes, height: height, width: width, window_height: window, window_width: window, stride_y: stride,
            stride_x: stride, padding_y: padding, padding_x: padding)
    }

    /// Writes the largest value of each window and returns where in its plane it stands: the first of equals. What is no number is
    /// larger than any number, so that it is not lost.
    func largest(
        planes: Int, _ input: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
    ) -> [Int32] {
        var places = [Int32](repeating: 0, count: planes * outputHeight * outputWidth)
        places.withUnsafeMutableBufferPointer { places in
            guard let places = places.baseAddress else { return }
            kernels_max_pool_forward(kernel(planes: planes), input, target, places)
        }
        return places
    }

    /// Writes the gradient of the input, given that of the output and the places that ``largest(planes:_:into:)`` gave.
    func largestGradient(
        planes: Int, _ gradients: UnsafePointer<Float>, _ places: [Int32], into target: UnsafeMutablePointer<Float>
    ) {
        places.withUnsafeBufferPointer { places in
            guard let places = places.baseAddress else { return }
            kernels_max_pool_backward(kernel(planes: planes), gradients, places, target)
        }
    }

    /// Writes the sum of each window divided by its area; what lies in the padding counts as zero.
    func average(planes: Int, _ input: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
        kernels_average_pool_forward(kernel(planes: planes), input, target)
    }

    /// Writes the gradient of the input, given that of the output.
    func averageGradient(planes: Int, _ gradients: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
        kernels_average_pool_backward(kernel(planes: planes), gradients, target)
    }
}
