/// The sum of what two ways make of a row (He et al. 2016): a body, and a shortcut that is the row itself where it is empty.
public struct Residual: Layer {
    public static let kind = "residual"
    public private(set) var name: String?
    /// The long way.
    public private(set) var body: [any Layer]
    /// The short way; empty: the row itself.
    public private(set) var shortcut: [any Layer]

    /// - Parameters:
    ///   - body: The long way.
    ///   - shortcut: The short way; empty: the row itself.
    public init(name: String? = nil, body: [any Layer], shortcut: [any Layer] = []) {
        self.name = name
        self.body = body
        self.shortcut = shortcut
    }

    /// - Parameters:
    ///   - body: The long way.
    ///   - shortcut: The short way; empty: the row itself.
    public init(
        name: String? = nil, @ModelBuilder body: () -> [any Layer], @ModelBuilder shortcut: () -> [any Layer] = { [] }
    ) {
        self.init(name: name, body: body(), shortcut: shortcut())
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(name: fields.name, body: fields.layers("body"), shortcut: fields.layers("shortcut", []))
    }

    public var fields: [LayerField] {
        [.init("body", .layers(body)), .init("shortcut", .layers(shortcut))]
    }

    public mutating func place(_ name: String) {
        let own = self.name ?? name
        self.name = own
        for index in body.indices { body[index].place("\(own).body.\(index)") }
        for index in shortcut.indices { shortcut[index].place("\(own).shortcut.\(index)") }
    }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        try require(!body.isEmpty, "body", "at least one layer")
        let long = try outline.through(body, input, in: name)
        let short = try outline.through(shortcut, input, in: name)
        guard long == short else {
            throw mismatch(
                input, "rows that body and shortcut give one shape: they give \(long.extents) and \(short.extents)")
        }
        return long
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let short = pass.through(shortcut, input)
        let long = pass.through(body, input)
        return long.plus(short)
    }

    /// The body always gives its input's gradient: what it saved must be taken, to the last, before the shortcut takes its own.
    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let wanted = pass.wantsInputGradient
        let long = pass.through(body, gradient, input: true)
        let short = pass.through(shortcut, gradient, input: wanted)
        guard wanted, let long, let short else { return nil }
        return long.plus(short)
    }
}

extension Tensor {
    /// The sum, of two tensors of one shape.
    func plus(_ other: Tensor) -> Tensor {
        Tensor(shape: shape) { target in
            withValues { values in
                other.withValues { others in for index in 0..<count { target[index] = values[index] + others[index] } }
            }
        }
    }
}
