/// The largest value of each window of each channel, as `torch.nn.MaxPool2d` has it.
public struct MaxPool: Layer {
    public static let kind = "max-pool"
    public private(set) var name: String?
    /// Where the windows lie.
    public let windows: Windows

    /// - Parameters:
    ///   - window: Rows and columns of a window.
    ///   - stride: Pixels from one window to the next; nil: as `window`.
    ///   - padding: Pixels on each side that no window's value comes from; at most half of the window.
    public init(_ window: Int, stride: Int? = nil, padding: Int = 0, name: String? = nil) {
        windows = Windows(window: window, stride: stride ?? window, padding: padding)
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        windows = try Windows(&fields)
        name = fields.name
    }

    public var fields: [LayerField] { windows.fields }
    public mutating func place(_ name: String) { self.name = self.name ?? name }
    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        let shape = try windows.outline(input, self)
        outline.costs(shape.product, windows.window, windows.window)
        return shape
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let pooling = windows.pooling(input.rowShape)
        var places: [Int32] = []
        let output = Tensor(shape: windows.shape(input.shape)) { target in
            input.withValues { places = pooling.largest(planes: input.shape[0] * input.shape[1], $0, into: target) }
        }
        pass.save(.indices(places))
        pass.save(.indices(input.rowShape.map(Int32.init)))
        return output
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let image = pass.indices().map(Int.init)
        let places = pass.indices()
        guard pass.wantsInputGradient else { return nil }
        return Tensor(shape: [gradient.rows] + image) { target in
            gradient.withValues { gradients in
                windows.pooling(image).largestGradient(
                    planes: gradient.rows * image[0], gradients, places, into: target)
            }
        }
    }
}

/// The mean of each window of each channel, as `torch.nn.AvgPool2d` has it: padding counts as zeros.
public struct AveragePool: Layer {
    public static let kind = "average-pool"
    public private(set) var name: String?
    /// Where the windows lie.
    public let windows: Windows

    /// - Parameters:
    ///   - window: Rows and columns of a window.
    ///   - stride: Pixels from one window to the next; nil: as `window`.
    ///   - padding: Rows and columns of zeros on each side; at most half of the window.
    public init(_ window: Int, stride: Int? = nil, padding: Int = 0, name: String? = nil) {
        windows = Windows(window: window, stride: stride ?? window, padding: padding)
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        windows = try Windows(&fields)
        name = fields.name
    }

    public var fields: [LayerField] { windows.fields }
    public mutating func place(_ name: String) { self.name = self.name ?? name }
    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        let shape = try windows.outline(input, self)
        outline.costs(shape.product, windows.window, windows.window)
        return shape
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        pass.save(.indices(input.rowShape.map(Int32.init)))
        let pooling = windows.pooling(input.rowShape)
        return Tensor(shape: windows.shape(input.shape)) { target in
            input.withValues { pooling.average(planes: input.shape[0] * input.shape[1], $0, into: target) }
        }
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let image = pass.indices().map(Int.init)
        guard pass.wantsInputGradient else { return nil }
        return Tensor(shape: [gradient.rows] + image) { target in
            gradient.withValues { gradients in
                windows.pooling(image).averageGradient(planes: gradient.rows * image[0], gradients, into: target)
            }
        }
    }
}

/// The mean of each channel: [channels, ...] becomes [channels].
public struct GlobalAveragePool: Layer {
    public static let kind = "global-average-pool"
    public private(set) var name: String?

    /// - Parameter name: nil: its place in the model.
    public init(name: String? = nil) { self.name = name }
    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        guard input.count >= 2 else { throw mismatch(input, "channels and at least one more extent") }
        return [input[0]]
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        pass.save(.indices(input.rowShape.map(Int32.init)))
        var output = input.summedPlanes()
        let factor = 1 / Float(input.rowShape.dropFirst().product)
        output.withMutableValues { for index in 0..<input.rows * input.shape[1] { $0[index] *= factor } }
        return output
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let image = pass.indices().map(Int.init)
        guard pass.wantsInputGradient else { return nil }
        let pixels = image.dropFirst().product
        let factor = 1 / Float(pixels)
        return Tensor(shape: [gradient.rows] + image) { target in
            gradient.withValues { gradients in
                for index in 0..<gradient.count * pixels { target[index] = gradients[index / pixels] * factor }
            }
        }
    }
}

/// Where the windows of a pooling layer lie.
public struct Windows: Sendable, Equatable {
    /// Rows and columns of a window.
    public let window: Int
    /// Pixels from one window to the next.
    public let stride: Int
    /// Rows and columns on each side of the image.
    public let padding: Int

    init(window: Int, stride: Int, padding: Int) {
        self.window = window
        self.stride = stride
        self.padding = padding
    }

    init(_ fields: inout LayerFields) throws(ModelError) {
        window = try fields.integer("window")
        stride = try fields.integer("stride", window)
        padding = try fields.integer("padding", 0)
    }

    var fields: [LayerField] {
        [
            .init("window", .integer(window)), .init("stride", .integer(stride)), .init("padding", .integer(padding)),
        ]
    }

    func outline(_ input: [Int], _ layer: any Layer) throws(ModelError) -> [Int] {
        try layer.require(window > 0, "window", "at least 1")
        try layer.require(stride > 0, "stride", "at least 1")
        try layer.require(padding >= 0 && 2 * padding <= window, "padding", "from 0 to half of the window")
        guard input.count == 3, min(input[1], input[2]) + 2 * padding >= window else {
            throw layer.mismatch(
                input, "channels x height x width, with at least \(max(1, window - 2 * padding)) pixels a side")
        }
        return Array(shape([1] + input).dropFirst())
    }

    func pooling(_ image: [Int]) -> Pooling {
        Pooling(height: image[1], width: image[2], window: window, stride: stride, padding: padding)
    }

    /// Of the rows behind.
    func shape(_ input: [Int]) -> [Int] {
        let pooling = pooling(Array(input.dropFirst()))
        return [input[0], input[1], pooling.outputHeight, pooling.outputWidth]
    }
}
