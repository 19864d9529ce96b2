/// A step of a model: rows go in, rows come out. A layer is data; what it learns stands in ``Parameters``.
///
/// A row's output depends on its own row alone, unless the layer says otherwise in its outline, and what a layer contributes
/// to a parameter's gradient is told row by row (``Contribution``): that is what per-unit gradients are made from, so a layer
/// needs no other code for private training.
public protocol Layer: Sendable {
    /// Its word in files.
    static var kind: String { get }
    /// In names of parameters and in errors; nil until the model gives it its place.
    var name: String? { get }
    /// Reads what a file says of it; what it does not take is an error.
    init(_ fields: inout LayerFields) throws(ModelError)
    /// What a file says of it, apart from kind and name.
    var fields: [LayerField] { get }
    /// Takes its place in a model: a layer without a name gets this one, and so do those that it is made of.
    mutating func place(_ name: String)
    /// Declares what it learns, and gives the shape of a row behind it.
    ///
    /// - Throws: What does not fit it.
    func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int]
    /// - Parameter input: Rows of a shape that ``outline(_:_:)`` took.
    func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor
    /// Tells the pass what its parameters' gradients are, and gives the input's gradient; nil where the pass does not want it.
    /// What was saved forward is taken in reverse.
    func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor?
}

extension Layer {
    /// In errors.
    var title: String { "\(name ?? "?") (\(Self.kind))" }
    /// The full name of one of its parameters.
    func full(_ parameter: String) -> String { "\(name ?? "?").\(parameter)" }

    func mismatch(_ arrived: [Int], _ expected: String) -> ModelError {
        .shape(layer: title, arrived: arrived, expected: expected)
    }

    func require(_ holds: Bool, _ field: String, _ expected: String) throws(ModelError) {
        if !holds { throw .field(layer: title, field: field, expected: expected) }
    }
}

/// What a model's layers declare on a walk through them.
public struct Outline: Sendable {
    /// In the order of the layers, each name once.
    private(set) var declarations: [ParameterDeclaration] = []
    /// Which parameters each layer uses, by the layer's name; a layer that holds others uses theirs.
    private(set) var uses: [String: [String]] = [:]
    /// The layers that let one row's output depend on others, with what to use instead.
    private(set) var coupling: [(name: String, layer: String, instead: String)] = []
    /// How many values a row has behind all layers together, and within them.
    private(set) var values = 0
    /// How many multiplications a row takes on its way forward, about.
    private(set) var multiplications = 0.0
    private var holders: [String] = []
    /// Where each name's declaration stands.
    private var positions: [String: Int] = [:]
    private var layerNames: Set<String> = []
    /// Parameters that a layer declared under its own name.
    private var owned: Set<String> = []
    /// Parameters that a layer uses under another's name.
    private var borrowed: [(parameter: String, layer: String)] = []

    /// A parameter that the layer uses: its own, or one that another layer declared in the same shape.
    mutating func declare(_ declaration: ParameterDeclaration, by layer: any Layer) throws(ModelError) {
        try limit(declaration.shape, layer)
        if declaration.name.hasPrefix(layer.full("")) {
            owned.insert(declaration.name)
        } else {
            borrowed.append((declaration.name, layer.title))
        }
        for holder in holders + [layer.name ?? "?"] { uses[holder, default: []].append(declaration.name) }
        guard let position = positions[declaration.name] else {
            positions[declaration.name] = declarations.count
            declarations.append(declaration)
            return
        }
        let earlier = declarations[position]
        if earlier.shape != declaration.shape {
            throw .parameter(
                name: declaration.name,
                expected: "is \(earlier.shape.extents) where it is declared and would be "
                    + "\(declaration.shape.extents) in layer \(layer.title)")
        }
    }

    /// What a row costs in a layer.
    ///
    /// - Parameters:
    ///   - multiplications: As the product of these counts.
    ///   - values: What is kept of it beside its output.
    mutating func costs(_ multiplications: Int..., values: Int = 0) {
        self.multiplications += multiplications.reduce(1) { $0 * Double($1) }
        self.values = min(self.values + values, 1 << 48)
    }

    /// The layer lets one row's output depend on others.
    mutating func couples(_ layer: any Layer, instead: String) {
        coupling.append((layer.name ?? "?", layer.title, instead))
    }

    /// - Throws: A name that files cannot have, or that another layer has: the two would share what they learn without saying so.
    private mutating func claim(_ layer: any Layer) throws(ModelError) {
        try layer.require(LayerFields.isName(layer.name ?? "?"), "name", LayerFields.nameRule)
        let isNew = layerNames.insert(layer.name ?? "?").inserted
        try layer.require(isNew, "name", "one that no other layer has")
    }

    /// - Throws: A parameter that a layer shares and no layer has.
    func checkShared() throws(ModelError) {
        for (parameter, layer) in borrowed where !owned.contains(parameter) {
            throw .parameter(name: parameter, expected: "is of no layer; layer \(layer) shares it")
        }
    }

    /// The most values of one row or one parameter: sizes that a file only claims must not be added up beyond what an `Int` holds.
    static let largestCount = 1 << 28

    /// - Throws: A shape of more than ``largestCount`` values.
    func limit(_ shape: [Int], _ layer: any Layer) throws(ModelError) {
        var count = 1
        for extent in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            count = overflow || product > Self.largestCount ? Self.largestCount + 1 : product
        }
        if count > Self.largestCount {
            throw .field(
                layer: layer.title, field: "shape",
                expected: "at most \(Self.largestCount) values; it would have \(shape.extents)")
        }
    }

    /// Through the layers that another one holds, or that the model begins with; gives the shape behind the last.
    mutating func through(
        _ layers: [any Layer], _ input: [Int], in holder: String? = nil
    ) throws(ModelError) -> [Int] {
        if let holder { holders.append(holder) }
        var shape = input
        for layer in layers {
            try claim(layer)
            shape = try layer.outline(shape, &self)
            try limit(shape, layer)
            values += shape.product
        }
        if holder != nil { holders.removeLast() }
        return shape
    }
}

/// Rows on their way through the layers.
public struct ForwardPass {
    /// What has been learned so far.
    public let parameters: Parameters
    /// Whether dropout drops and batch statistics are the batch's own.
    public let isTraining: Bool
    /// Layers whose statistics stay as they are, in training too.
    private let still: Set<String>
    /// For each row, what its own randomness (dropout) follows from; empty where there is none. It belongs to the row,
    /// so that the others' stays what it is when a row is absent.
    public let rowKeys: [UInt64]
    /// What the way back needs, if there is one.
    private(set) var saved: [Saved] = []
    private let saves: Bool
    /// How many layers have drawn randomness.
    private(set) var draws: UInt64 = 0
    /// The first layer behind which a value was no number; looked for only where `watches`.
    private(set) var firstNotANumber: String?
    private let watches: Bool
    /// Running statistics that batch normalisation measured on this batch.
    var statistics: [(parameter: Int, values: [Float])] = []

    init(
        _ parameters: Parameters, isTraining: Bool, saves: Bool, rowKeys: [UInt64] = [], watches: Bool = false,
        still: Set<String> = []
    ) {
        self.still = still
        self.parameters = parameters
        self.isTraining = isTraining
        self.saves = saves
        self.rowKeys = rowKeys
        self.watches = watches
    }

    /// Keeps something for the way back.
    mutating func save(_ value: @autoclosure () -> Saved) {
        if saves { saved.append(value()) }
    }

    /// Whether a layer uses the batch's own statistics.
    func measures(_ layer: any Layer) -> Bool { isTraining && !still.contains(layer.name ?? "?") }

    mutating func nextDraw() -> UInt64 {
        defer { draws += 1 }
        return draws
    }

    func parameter(_ name: String) -> Tensor {
        guard let tensor = parameters[name] else { preconditionFailure("a checked model has its parameters") }
        return tensor
    }

    /// Through the layers, one after the other.
    mutating func through(_ layers: [any Layer], _ input: Tensor) -> Tensor {
        var tensor = input
        for layer in layers {
            tensor = layer.forward(tensor, &self)
            if watches, firstNotANumber == nil, !tensor.values.allSatisfy(\.isFinite) {
                firstNotANumber = layer.title
            }
        }
        return tensor
    }
}

/// What a layer keeps from the way forward for the way back.
enum Saved: Sendable {
    case tensor(Tensor)
    case indices([Int32])
    case floats([Float])
}

/// Gradients on their way back through the layers.
public struct BackwardPass {
    let parameters: Parameters
    private var saved: [Saved]
    /// Takes what layers contribute.
    var collector: any GradientCollector
    private let isTrainable: [Bool]
    /// The layers that learn, or hold one that does.
    private let learning: Set<String>
    /// Whether the layer that is asked must give its input's gradient: false for the first layer that learns.
    private(set) var wantsInputGradient = true

    init(_ pass: ForwardPass, into collector: any GradientCollector, model: Model) {
        parameters = pass.parameters
        saved = pass.saved
        self.collector = collector
        isTrainable = model.declarations.map(\.isTrainable)
        learning = model.learning
    }

    private mutating func take() -> Saved {
        guard let last = saved.popLast() else { preconditionFailure("a layer takes back what it saved") }
        return last
    }

    mutating func tensor() -> Tensor {
        guard case .tensor(let tensor) = take() else {
            preconditionFailure("a layer takes back a tensor that it saved")
        }
        return tensor
    }

    mutating func indices() -> [Int32] {
        guard case .indices(let indices) = take() else {
            preconditionFailure("a layer takes back indices that it saved")
        }
        return indices
    }

    mutating func floats() -> [Float] {
        guard case .floats(let floats) = take() else { preconditionFailure("a layer takes back numbers that it saved") }
        return floats
    }

    func parameter(_ name: String) -> Tensor {
        guard let tensor = parameters[name] else { preconditionFailure("a checked model has its parameters") }
        return tensor
    }

    /// Tells what the rows contribute to a parameter's gradient, unless it is frozen.
    mutating func contribute(to name: String, _ contribution: @autoclosure () -> any Contribution) {
        guard let position = parameters.position(name), isTrainable[position] else { return }
        collector.add(contribution(), to: position)
    }

    /// Back through the layers. `input`: whether the first of them must give its input's gradient.
    mutating func through(_ layers: [any Layer], _ gradient: Tensor, input: Bool) -> Tensor? {
        let first = input ? 0 : (layers.firstIndex { learning.contains($0.name ?? "?") } ?? layers.count)
        var gradient = gradient
        for index in layers.indices.reversed() where index >= first {
            let outer = wantsInputGradient
            wantsInputGradient = input || index > first
            defer { wantsInputGradient = outer }
            guard let next = layers[index].backward(gradient, &self) else { return nil }
            gradient = next
        }
        return input ? gradient : nil
    }
}
