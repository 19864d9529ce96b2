import Kernels

/// A convolution in two dimensions over images [channels, height, width], as `torch.nn.Conv2d` has it; weights are
/// [outputs, channels / groups, kernel, kernel].
public struct Convolution: Layer {
    public static let kind = "convolution"
    public private(set) var name: String?
    /// Channels that come out.
    public let outputs: Int
    /// Rows and columns of the kernel.
    public let kernel: Int
    /// Pixels from one window to the next.
    public let stride: Int
    /// Rows and columns of zeros on each side.
    public let padding: Int
    /// Output o sees the channels of group o / (outputs / groups) alone; as many as channels: a depthwise convolution.
    public let groups: Int
    /// Whether something is added.
    public let hasBias: Bool

    /// - Parameters:
    ///   - outputs: Channels that come out.
    ///   - kernel: Rows and columns of the kernel.
    ///   - stride: Pixels from one window to the next.
    ///   - padding: Rows and columns of zeros on each side.
    ///   - groups: Groups of channels that are convolved each by itself.
    ///   - hasBias: Whether a learned value is added to each channel.
    public init(
        _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, groups: Int = 1, hasBias: Bool = true,
        name: String? = nil
    ) {
        self.outputs = outputs
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.groups = groups
        self.hasBias = hasBias
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(
            fields.integer("outputs"), kernel: fields.integer("kernel"), stride: fields.integer("stride", 1),
            padding: fields.integer("padding", 0), groups: fields.integer("groups", 1),
            hasBias: fields.boolean("bias", true), name: fields.name)
    }

    public var fields: [LayerField] {
        [
            .init("outputs", .integer(outputs)), .init("kernel", .integer(kernel)), .init("stride", .integer(stride)),
            .init("padding", .integer(padding)), .init("groups", .integer(groups)), .init("bias", .boolean(hasBias)),
        ]
    }

    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        try require(outputs > 0, "outputs", "at least 1")
        try require((1...1024).contains(kernel), "kernel", "from 1 to 1024")
        try require(stride > 0, "stride", "at least 1")
        try require((0...1024).contains(padding), "padding", "from 0 to 1024")
        try require(groups > 0 && outputs % groups == 0, "groups", "a divisor of the \(outputs) outputs")
        guard input.count == 3, input[0] % groups == 0 else {
            throw mismatch(input, "channels x height x width, where \(groups) divides the channels")
        }
        guard min(input[1], input[2]) + 2 * padding >= kernel else {
            throw mismatch(input, "images of at least \(max(1, kernel - 2 * padding)) pixels a side")
        }
        let convolving = convolving(input)
        let shape = [outputs, convolving.groupChannels, kernel, kernel]
        try outline.declare(
            ParameterDeclaration(full("weight"), shape, .inputs(convolving.windowCount)), by: self)
        if hasBias {
            try outline.declare(
                ParameterDeclaration(full("bias"), [outputs], .inputs(convolving.windowCount)), by: self)
        }
        // Few outputs leave the processor's vectors idle.
        outline.costs(max(outputs, 8), convolving.windowCount, convolving.outputHeight, convolving.outputWidth)
        return [outputs, convolving.outputHeight, convolving.outputWidth]
    }

    private func convolving(_ image: [Int]) -> Convolving {
        Convolving(
            channels: image[0], height: image[1], width: image[2], outputs: outputs, kernel: kernel, stride: stride,
            padding: padding, groups: groups)
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        pass.save(.tensor(input))
        let convolving = convolving(input.rowShape)
        let weight = pass.parameter(full("weight"))
        let bias = hasBias ? pass.parameter(full("bias")) : nil
        return Tensor(shape: [input.rows, outputs, convolving.outputHeight, convolving.outputWidth]) { target in
            input.withValues { input_ in
                weight.withValues { weights in
                    let apply = { (bias: UnsafePointer<Float>?) in
                        convolving.forward(
                            images: input.rows, input: input_, weights: weights, bias: bias, into: target)
                    }
                    if let bias { bias.withValues { apply($0) } } else { apply(nil) }
                }
            }
        }
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let input = pass.tensor()
        let convolving = convolving(input.rowShape)
        if hasBias { pass.contribute(to: full("bias"), RowWise(gradient.summedPlanes())) }
        pass.contribute(to: full("weight"), ConvolutionProduct(gradients: gradient, inputs: input, convolving))
        guard pass.wantsInputGradient else { return nil }
        let weight = pass.parameter(full("weight"))
        return Tensor(shape: input.shape) { target in
            gradient.withValues { gradients in
                weight.withValues { weights in
                    convolving.inputGradient(images: input.rows, gradients: gradients, weights: weights, into: target)
                }
            }
        }
    }
}

extension Tensor {
    /// The sum over each channel of each row, [rows, channels, ...]: [rows, channels].
    func summedPlanes() -> Tensor {
        let channels = rowShape.first ?? 1
        let pixels = rowShape.dropFirst().product
        return Tensor(shape: [rows, channels]) { target in
            withValues { values in
                for row in 0..<rows {
                    kernels_sum_of_channels(
                        1, channels, pixels, values + row * channels * pixels, nil, false, target + row * channels,
                        Dense.instructions)
                }
            }
        }
    }
}
