internal import Dispatch
internal import Kernels

/// A product of two tensors modulo 2^64, linear in each: of matrices, of elements, or a convolution. Shapes are public.
public enum BilinearMap: Sendable, Hashable {
    /// So many products of elements.
    case elements(Int)
    /// A product of matrices.
    case matrices(MatrixProduct)
    /// A convolution: images on the left, weights on the right.
    case convolution(RingConvolution)

    /// How many elements the left operand has.
    public var leftCount: Int {
        switch self {
        case .elements(let count): count
        case .matrices(let product): product.rows * product.inner
        case .convolution(let convolution): convolution.inputCount
        }
    }

    /// How many elements the right operand has.
    public var rightCount: Int {
        switch self {
        case .elements(let count): count
        case .matrices(let product): product.inner * product.columns
        case .convolution(let convolution): convolution.weightCount
        }
    }

    /// How many elements the result has.
    public var resultCount: Int {
        switch self {
        case .elements(let count): count
        case .matrices(let product): product.rows * product.columns
        case .convolution(let convolution): convolution.outputCount
        }
    }

    /// How many products are summed in an element of the result, at most.
    public var terms: Int {
        switch self {
        case .elements: 1
        case .matrices(let product): product.inner
        case .convolution(let convolution): convolution.steps
        }
    }

    /// How many elements of the left operand meet an element of the right one, at most.
    public var multiplications: Int { resultCount * terms }

    /// Adds left x right to the result.
    ///
    /// - Parameter threads: On how many threads, 1 or 2; the result is the same.
    public func add(_ left: [UInt64], _ right: [UInt64], to result: inout [UInt64], threads: Int = 1) {
        precondition(
            left.count == leftCount && right.count == rightCount && result.count == resultCount,
            "Operands of a product do not fit.")
        switch self {
        case .elements: for i in result.indices { result[i] &+= left[i] &* right[i] }
        case .matrices(let product): product.add(left, right, to: &result, threads: threads)
        case .convolution(let convolution): convolution.add(left, right, to: &result, threads: threads)
        }
    }
}

/// What this processor has.
let instructions: kernels_instructions = kernels_have(.avx512) ? .avx512 : kernels_have(.avx2) ? .avx2 : .portable

/// A product of matrices, [rows, inner] by [inner, columns], row-major.
public struct MatrixProduct: Sendable, Hashable {
    /// Rows of the left operand and of the result.
    public let rows: Int
    /// Columns of the left operand, rows of the right one.
    public let inner: Int
    /// Columns of the right operand and of the result.
    public let columns: Int

    /// - Throws: ``ArithmeticError`` where an operand has more than ``RingTensor/limit`` elements.
    public init(rows: Int, inner: Int, columns: Int) throws(ArithmeticError) {
        for shape in [[rows, inner], [inner, columns], [rows, columns]] { _ = try RingTensor.count(shape) }
        self.rows = rows
        self.inner = inner
        self.columns = columns
    }

    func add(_ left: [UInt64], _ right: [UInt64], to result: inout [UInt64], threads: Int) {
        let parts = min(max(threads, 1), max(rows / 64, 1))
        left.withUnsafeBufferPointer { left in
            right.withUnsafeBufferPointer { right in
                result.withUnsafeMutableBufferPointer { result in
                    let work = PartialProduct(product: self, left: left, right: right, result: result)
                    guard parts > 1 else { return work.run(0..<rows) }
                    DispatchQueue.concurrentPerform(iterations: parts) { part in
                        work.run(part * rows / parts..<(part + 1) * rows / parts)
                    }
                }
            }
        }
    }
}

/// Rows of a product, apart from all others.
private struct PartialProduct: Sendable {
    let product: MatrixProduct
    nonisolated(unsafe) let left: UnsafeBufferPointer<UInt64>
    nonisolated(unsafe) let right: UnsafeBufferPointer<UInt64>
    nonisolated(unsafe) let result: UnsafeMutableBufferPointer<UInt64>

    func run(_ range: Range<Int>) {
        guard let right = right.baseAddress, let left = left.baseAddress, let result = result.baseAddress else {
            return
        }
        let call = kernels_ring64_product(
            m: range.count, n: product.columns, k: product.inner, a: left + range.lowerBound * product.inner,
            lda: product.inner, a_transposed: false, b: right, ldb: product.columns, b_transposed: false,
            c: result + range.lowerBound * product.columns, ldc: product.columns, accumulates: true)
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: kernels_ring64_workspace(call, instructions)) {
            workspace in
            kernels_ring64_multiply(call, workspace.baseAddress, instructions)
        }
    }
}

/// A convolution in two dimensions: images [batch, channels, height, width], weights [outputs, channels / groups, kernelHeight, kernelWidth], zeros around.
public struct RingConvolution: Sendable, Hashable {
    /// Images.
    public let batch: Int
    /// Channels of an image.
    public let channels: Int
    /// Rows of an image.
    public let height: Int
    /// Columns of an image.
    public let width: Int
    /// Channels of the result.
    public let outputs: Int
    /// Rows of a kernel.
    public let kernelHeight: Int
    /// Columns of a kernel.
    public let kernelWidth: Int
    /// From one place of the kernel to the next, both ways.
    public let stride: Int
    /// Rows and columns of zeros on each side.
    public let padding: Int
    /// Groups of channels.
    public let groups: Int

    /// - Parameters:
    ///   - input: [batch, channels, height, width].
    ///   - weights: [outputs, channels / groups, kernelHeight, kernelWidth].
    /// - Throws: ``ArithmeticError``.
    public init(
        input: [Int], weights: [Int], stride: Int = 1, padding: Int = 0, groups: Int = 1
    ) throws(ArithmeticError) {
        guard input.count == 4, weights.count == 4, input.allSatisfy({ $0 >= 1 }), weights.allSatisfy({ $0 >= 1 })
        else {
            throw .sizes("images \(input) and weights \(weights)", expected: "four sizes of at least 1 each")
        }
        guard (1...64).contains(stride), (0...64).contains(padding), groups >= 1 else {
            throw .parameter(
                "stride \(stride), padding \(padding), groups \(groups)", expected: "1 to 64, 0 to 64, at least 1")
        }
        guard input[1] % groups == 0, weights[0] % groups == 0, input[1] / groups == weights[1] else {
            throw .sizes(
                "weights \(weights) for images \(input) in \(groups) groups", expected: "weights for channels / groups")
        }
        _ = try RingTensor.count(input)
        _ = try RingTensor.count(weights)
        (batch, channels, height, width) = (input[0], input[1], input[2], input[3])
        (outputs, kernelHeight, kernelWidth) = (weights[0], weights[2], weights[3])
        (self.stride, self.padding, self.groups) = (stride, padding, groups)
        guard kernelHeight <= height + 2 * padding, kernelWidth <= width + 2 * padding else {
            throw .sizes("a kernel of \(kernelHeight) x \(kernelWidth)", expected: "no larger than the padded image")
        }
        _ = try RingTensor.count(outputShape)
    }

    /// Rows of the result.
    public var outputHeight: Int { (height + 2 * padding - kernelHeight) / stride + 1 }
    /// Columns of the result.
    public var outputWidth: Int { (width + 2 * padding - kernelWidth) / stride + 1 }
    /// [batch, outputs, outputHeight, outputWidth].
    public var outputShape: [Int] { [batch, outputs, outputHeight, outputWidth] }

    var inputCount: Int { batch * channels * height * width }
    var weightCount: Int { outputs * steps }
    var outputCount: Int { batch * outputs * outputHeight * outputWidth }
    /// Products in an element of the result.
    var steps: Int { channels / groups * kernelHeight * kernelWidth }

    private func call(batch: Int) -> kernels_convolution {
        kernels_convolution(
            batch: batch, channels: channels, height: height, width: width, outputs: outputs,
            kernel_height: kernelHeight,
            kernel_width: kernelWidth, stride_y: stride, stride_x: stride, padding_y: padding, padding_x: padding,
            groups: groups)
    }

    func add(_ input: [UInt64], _ weights: [UInt64], to output: inout [UInt64], threads: Int) {
        let parts = min(max(threads, 1), batch)
        input.withUnsafeBufferPointer { input in
            weights.withUnsafeBufferPointer { weights in
                output.withUnsafeMutableBufferPointer { output in
                    let work = PartialConvolution(input: input, weights: weights, output: output)
                    let images: @Sendable (Range<Int>) -> Void = { range in
                        work.run(
                            call(batch: range.count), input: range.lowerBound * inputCount / batch,
                            output: range.lowerBound * outputCount / batch)
                    }
                    guard parts > 1 else { return images(0..<batch) }
                    DispatchQueue.concurrentPerform(iterations: parts) { part in
                        images(part * batch / parts..<(part + 1) * batch / parts)
                    }
                }
            }
        }
    }
}

/// Images of a convolution, apart from all others.
private struct PartialConvolution: Sendable {
    nonisolated(unsafe) let input: UnsafeBufferPointer<UInt64>
    nonisolated(unsafe) let weights: UnsafeBufferPointer<UInt64>
    nonisolated(unsafe) let output: UnsafeMutableBufferPointer<UInt64>

    func run(_ call: kernels_convolution, input inputStart: Int, output outputStart: Int) {
        guard let input = input.baseAddress, let output = output.baseAddress else { return }
        let capacity = kernels_ring64_convolution_workspace(call, instructions)
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: capacity) { workspace in
            kernels_ring64_convolve(
                call, input + inputStart, weights.baseAddress, true, output + outputStart, workspace.baseAddress,
                instructions)
        }
    }
}
