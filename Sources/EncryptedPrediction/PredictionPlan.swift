internal import Learning

/// A model's layers as steps on shares, without its weights: what both parties and the dealer make of the architecture alone.
///
/// Batch normalisation is folded into the linear step before it; dropout is gone; so is a softmax or sigmoid at the end, which keeps the order of scores. A maximum is taken before the ReLU that stands
/// beside it: both orders give the same, and this one compares each element that is left once.
struct PredictionPlan: Sendable {
    let steps: [PlannedStep]
    let inputShape: [Int]
    let outputs: Int
    /// The linear steps by their numbers.
    let linears: [PlannedLinear]
    /// How many ReLU there are.
    let activations: Int
    /// How many values a row has in all steps together.
    let values: Int
    /// How many weights there are.
    var weightCount: Int { linears.reduce(0) { $0 + $1.weightCount } }

    /// What a stranger's architecture may cost.
    enum Limit {
        /// Values of a row in one step.
        static let row = 1 << 22
        /// Values of a row in all steps.
        static let values = 1 << 26
        static let weights = 1 << 27
        static let classes = 1 << 16
        static let layers = 1000
        static let multiplications = 0x1p37
    }

    /// All layers up to the scores: a softmax or sigmoid at the end keeps their order.
    static func scoring(_ layers: [any Layer]) -> [any Layer] {
        var layers = layers
        while let last = layers.last, last is SoftmaxLayer || last is Sigmoid || last is Dropout { layers.removeLast() }
        return layers
    }

    init(_ model: Model) throws(PredictionError) {
        guard model.multiplicationsPerRow <= Limit.multiplications, model.valuesPerRow <= Limit.values else {
            throw .parameter("the work of a row", expected: "at most 2^37 products and 2^26 values")
        }
        inputShape = model.inputShape
        var maker = PlanMaker()
        var shape = model.inputShape
        maker.note(shape)
        let layers = Self.scoring(model.layers)
        var isNonNegative = false
        steps = try maker.steps(layers, &shape, &isNonNegative)
        guard shape.count == 1 else {
            throw .unsupported(
                layer: PlanMaker.title(model.layers.last),
                instead: "the outputs must be one row of scores, not \(shape)")
        }
        guard !maker.linears.isEmpty else {
            throw .parameter("the model", expected: "at least one linear layer or convolution")
        }
        outputs = shape[0]
        (linears, activations) = (maker.linears, maker.activations)
        values = model.valuesPerRow + maker.picked
        guard values <= Limit.values, maker.largestRow <= Limit.row, weightCount <= Limit.weights,
            outputs <= Limit.classes
        else {
            throw .parameter(
                "a model of \(weightCount) weights, \(outputs) scores and, of a row, \(maker.largestRow) values in one layer and \(values) in all",
                expected: "at most 2^27, 2^16, 2^22 and 2^26")
        }
    }
}

/// A step of a plan.
indirect enum PlannedStep: Sendable {
    case linear(PlannedLinear)
    /// max(0, x), and division of what is behind the point.
    case relu(number: Int, title: String)
    case maximum(PlannedWindows)
    /// Sums of windows: an average whose divisor is taken into what follows.
    case sum(PlannedWindows)
    case shaped([Int])
    case residual(title: String, body: [PlannedStep], shortcut: [PlannedStep])
}

/// A step with weights.
struct PlannedLinear: Sendable {
    /// What it computes on a row.
    enum Form: Sendable, Equatable {
        /// [positions, inputs] times [inputs, outputs].
        case dense(positions: Int, inputs: Int, outputs: Int)
        case convolution(Windows2D)
    }

    let number: Int
    let title: String
    let name: String
    let form: Form
    /// The parameter with its weights; nil for batch normalisation by itself.
    let weight: String?
    let bias: String?
    /// Batch normalisation behind it, or that it is.
    let normalization: Normalization?
    let outputShape: [Int]

    struct Normalization: Sendable, Equatable {
        let name: String
        let epsilon: Float
    }

    var hasBias: Bool { bias != nil || normalization != nil }

    /// Of the program's weights.
    var weightShape: [Int] {
        switch form {
        case .dense(_, let inputs, let outputs): [inputs, outputs]
        case .convolution(let windows): [windows.outputs, windows.channels, windows.kernel, windows.kernel]
        }
    }

    var outputs: Int {
        switch form {
        case .dense(_, _, let outputs): outputs
        case .convolution(let windows): windows.outputs
        }
    }

    /// The output that a weight belongs to.
    func output(ofWeight place: Int) -> Int {
        if case .dense = form { place % outputs } else { place / terms }
    }

    /// Products in an element of the result.
    var terms: Int { weightShape.reduce(1, *) / outputs }
    var weightCount: Int { weightShape.reduce(1, *) + (hasBias ? outputs : 0) }
}

/// A convolution of an image.
struct Windows2D: Sendable, Equatable {
    let channels: Int
    let height: Int
    let width: Int
    let outputs: Int
    let kernel: Int
    let stride: Int
    let padding: Int

    var outputHeight: Int { (height + 2 * padding - kernel) / stride + 1 }
    var outputWidth: Int { (width + 2 * padding - kernel) / stride + 1 }
}

/// Windows of each plane of an image.
struct PlannedWindows: Sendable {
    let title: String
    /// [channels, height, width] of a row.
    let shape: [Int]
    let height: Int
    let width: Int
    let stride: Int
    let padding: Int
    let outputShape: [Int]

    /// Elements of a window.
    var area: Int { height * width }
    var outputHeight: Int { (shape[1] + 2 * padding - height) / stride + 1 }
    var outputWidth: Int { (shape[2] + 2 * padding - width) / stride + 1 }

    init(_ title: String, _ shape: [Int], _ windows: Windows) {
        (self.title, self.shape) = (title, shape)
        (height, width, stride, padding) = (windows.window, windows.window, windows.stride, windows.padding)
        outputShape = [
            shape[0], (shape[1] + 2 * padding - height) / stride + 1, (shape[2] + 2 * padding - width) / stride + 1,
        ]
    }

    /// All of each plane: of [channels, ...].
    init(whole shape: [Int], _ title: String) {
        self.title = title
        self.shape = [shape[0], 1, shape.dropFirst().reduce(1, *)]
        (height, width, stride, padding) = (1, self.shape[2], 1, 0)
        outputShape = [shape[0]]
    }

    /// Where each window of a plane has its element at a place; -1 outside.
    func places(_ y: Int, _ x: Int) -> [Int] {
        var places: [Int] = []
        places.reserveCapacity(outputHeight * outputWidth)
        for row in 0..<outputHeight {
            for column in 0..<outputWidth {
                let (top, left) = (row * stride + y - padding, column * stride + x - padding)
                let isInside = (0..<shape[1]).contains(top) && (0..<shape[2]).contains(left)
                places.append(isInside ? top * shape[2] + left : -1)
            }
        }
        return places
    }
}
