internal import Learning

/// Makes steps of layers.
struct PlanMaker {
    private(set) var linears: [PlannedLinear] = []
    private(set) var activations = 0
    private(set) var largestRow = 0
    /// Elements that windows pick, of a row.
    private(set) var picked = 0
    private var count = 0

    static func title(_ layer: (any Layer)?) -> String {
        layer.map { "\($0.name ?? "?") (\(type(of: $0).kind))" } ?? "?"
    }

    mutating func note(_ shape: [Int]) { largestRow = max(largestRow, shape.reduce(1, *)) }

    /// - Parameters:
    ///   - shape: Of a row in front of the layers, and then behind them.
    ///   - isNonNegative: Whether no value is negative, in front and then behind.
    mutating func steps(
        _ layers: [any Layer], _ shape: inout [Int], _ isNonNegative: inout Bool
    ) throws(PredictionError) -> [PlannedStep] {
        let layers = Self.ordered(layers.filter { !($0 is Dropout) })
        count += layers.count
        guard count <= PredictionPlan.Limit.layers else {
            throw .parameter("\(count) layers", expected: "at most \(PredictionPlan.Limit.layers)")
        }
        var steps: [PlannedStep] = []
        var index = 0
        while index < layers.count {
            let layer = layers[index]
            let next = index + 1 < layers.count ? layers[index + 1] : nil
            let behind = layers[(index + 1)...].first { !($0 is MaxPool) }
            index += 1
            switch layer {
            case is ReLU:
                steps.append(.relu(number: activations, title: Self.title(layer)))
                activations += 1
                isNonNegative = true
            case is Flatten:
                shape = [shape.reduce(1, *)]
                steps.append(.shaped(shape))
            case let pool as MaxPool:
                guard pool.windows.padding == 0 || isNonNegative || behind is ReLU else {
                    throw .unsupported(
                        layer: Self.title(layer), instead: "padding takes a ReLU before or behind the pooling")
                }
                steps.append(.maximum(try windows(layer, shape, pool.windows)))
                shape = pool.windows.shape(of: shape)
            case let pool as AveragePool:
                steps.append(.sum(try windows(layer, shape, pool.windows)))
                shape = pool.windows.shape(of: shape)
            case is GlobalAveragePool:
                steps.append(.sum(PlannedWindows(whole: shape, Self.title(layer))))
                shape = [shape[0]]
            case let residual as Residual:
                var (long, short, isLong, isShort) = (shape, shape, isNonNegative, isNonNegative)
                let body = try self.steps(residual.body, &long, &isLong)
                let shortcut = try self.steps(residual.shortcut, &short, &isShort)
                steps.append(.residual(title: Self.title(layer), body: body, shortcut: shortcut))
                (shape, isNonNegative) = (long, isLong && isShort)
            default:
                let normalization = next.flatMap { $0 as? BatchNormalization }
                let step = try linear(layer, normalization, shape)
                if let normalization, step.normalization?.name == normalization.name { index += 1 }
                shape = step.outputShape
                isNonNegative = false
                linears.append(step)
                steps.append(.linear(step))
            }
            note(shape)
        }
        return steps
    }

    /// Each ReLU behind the maxima that follow it.
    private static func ordered(_ layers: [any Layer]) -> [any Layer] {
        var layers = layers
        for start in layers.indices.reversed() where layers[start] is ReLU {
            var index = start
            while index + 1 < layers.count, layers[index + 1] is MaxPool {
                layers.swapAt(index, index + 1)
                index += 1
            }
        }
        return layers
    }

    private mutating func windows(
        _ layer: any Layer, _ shape: [Int], _ windows: Windows
    ) throws(PredictionError) -> PlannedWindows {
        guard windows.window <= 32, windows.stride <= 32, shape.count == 3 else {
            throw .unsupported(layer: Self.title(layer), instead: "a window and a stride of at most 32")
        }
        let planned = PlannedWindows(Self.title(layer), shape, windows)
        picked += shape[0] * planned.outputWidth * (shape[1] + planned.outputHeight) * windows.window
        return planned
    }

    private func linear(
        _ layer: any Layer, _ normalization: BatchNormalization?, _ shape: [Int]
    ) throws(PredictionError) -> PlannedLinear {
        let title = Self.title(layer)
        let name = layer.name ?? "?"
        switch layer {
        case let linear as Linear:
            let inputs = shape.last ?? 1
            let positions = shape.dropLast().reduce(1, *)
            // Behind several positions, batch normalisation has the positions as channels.
            let folded = shape.count == 1 ? normalization : nil
            return PlannedLinear(
                number: linears.count, title: title, name: name,
                form: .dense(positions: positions, inputs: inputs, outputs: linear.outputs),
                weight: linear.sharedWeight ?? "\(name).weight", bias: linear.hasBias ? "\(name).bias" : nil,
                normalization: folded.map { .init(name: $0.name ?? "?", epsilon: $0.epsilon) },
                outputShape: shape.dropLast() + [linear.outputs])
        case let convolution as Convolution:
            guard convolution.groups == 1 else {
                throw .unsupported(layer: title, instead: "a convolution of one group, not \(convolution.groups)")
            }
            guard convolution.stride <= 64, convolution.padding <= 64 else {
                throw .unsupported(layer: title, instead: "a stride and a padding of at most 64")
            }
            let windows = Windows2D(
                channels: shape[0], height: shape[1], width: shape[2], outputs: convolution.outputs,
                kernel: convolution.kernel, stride: convolution.stride, padding: convolution.padding)
            return PlannedLinear(
                number: linears.count, title: title, name: name, form: .convolution(windows), weight: "\(name).weight",
                bias: convolution.hasBias ? "\(name).bias" : nil,
                normalization: normalization.map { .init(name: $0.name ?? "?", epsilon: $0.epsilon) },
                outputShape: [convolution.outputs, windows.outputHeight, windows.outputWidth])
        case let own as BatchNormalization: return try affine(own, shape)
        case is GroupNormalization, is LayerNormalization:
            throw .unsupported(
                layer: title,
                instead:
                    "it divides by what follows from the row; train with batch normalisation, which becomes part of the weights"
            )
        default:
            throw .unsupported(
                layer: title,
                instead:
                    "linear layers, convolutions, ReLU, max and average pooling, flatten, dropout, batch normalisation and residual blocks can"
            )
        }
    }

    /// Batch normalisation that follows no linear step: a factor and a sum of its own for each channel.
    private func affine(_ layer: BatchNormalization, _ shape: [Int]) throws(PredictionError) -> PlannedLinear {
        let form: PlannedLinear.Form
        switch shape.count {
        case 1: form = .dense(positions: 1, inputs: shape[0], outputs: shape[0])
        case 3:
            form = .convolution(
                Windows2D(
                    channels: shape[0], height: shape[1], width: shape[2], outputs: shape[0], kernel: 1, stride: 1,
                    padding: 0))
        default:
            throw .unsupported(
                layer: Self.title(layer),
                instead: "behind a linear layer or convolution, or on rows of one or three extents")
        }
        guard shape[0] <= 4096 else {
            throw .unsupported(layer: Self.title(layer), instead: "at most 4096 channels, or behind a linear layer")
        }
        let name = layer.name ?? "?"
        return PlannedLinear(
            number: linears.count, title: Self.title(layer), name: name, form: form, weight: nil, bias: nil,
            normalization: .init(name: name, epsilon: layer.epsilon), outputShape: shape)
    }
}

extension Windows {
    /// Of a row behind it.
    func shape(of row: [Int]) -> [Int] {
        [row[0], (row[1] + 2 * padding - window) / stride + 1, (row[2] + 2 * padding - window) / stride + 1]
    }
}
