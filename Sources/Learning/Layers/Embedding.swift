/// Looks a line of a learned table up for each value of a row, as `torch.nn.Embedding` does: values are whole numbers from 0 on, and
/// [steps] becomes [steps, width].
public struct Embedding: Layer {
    public static let kind = "embedding"
    public private(set) var name: String?
    /// Lines of the table.
    public let count: Int
    /// Values of a line.
    public let width: Int

    /// - Parameters:
    ///   - count: Lines of the table: what is looked up is from 0 to `count` - 1. A row with anything else becomes no number.
    ///   - width: Values of a line.
    public init(_ count: Int, width: Int, name: String? = nil) {
        self.count = count
        self.width = width
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(fields.integer("count"), width: fields.integer("width"), name: fields.name)
    }

    public var fields: [LayerField] { [.init("count", .integer(count)), .init("width", .integer(width))] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        // Float32 counts exactly up to 2^24.
        try require((1...1 << 24).contains(count), "count", "from 1 to 16777216")
        try require(width > 0, "width", "at least 1")
        guard !input.isEmpty else { throw mismatch(input, "rows of at least one extent") }
        try outline.declare(ParameterDeclaration(full("weight"), [count, width], .normal(deviation: 1)), by: self)
        return input + [width]
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let lines = input.values.map { value in
            value >= 0 && value < Float(count) && value == value.rounded() ? Int32(value) : -1
        }
        pass.save(.indices(lines))
        let table = pass.parameter(full("weight"))
        return Tensor(shape: input.shape + [width]) { target in
            table.withValues { table in
                for (position, line) in lines.enumerated() {
                    for index in 0..<width {
                        target[position * width + index] = line < 0 ? .nan : table[Int(line) * width + index]
                    }
                }
            }
        }
    }

    /// What is looked up has no slope: its gradient is zero.
    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let lines = pass.indices()
        pass.contribute(
            to: full("weight"),
            Lookup(gradients: gradient.positions, lines: lines, count: count, rows: gradient.rows))
        return pass.wantsInputGradient ? Tensor(shape: gradient.shape.dropLast()) : nil
    }
}

/// Adds a learned value to each of a row's, the same for all rows: where a step stands, told to what does not know it (attention).
public struct PositionalEmbedding: Layer {
    public static let kind = "positional-embedding"
    public private(set) var name: String?

    /// - Parameter name: nil: its place in the model.
    public init(name: String? = nil) { self.name = name }
    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        // As GPT-2 begins (Radford et al. 2019).
        try outline.declare(ParameterDeclaration(full("weight"), input, .normal(deviation: 0.02)), by: self)
        return input
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let weight = pass.parameter(full("weight"))
        let size = weight.count
        return Tensor(shape: input.shape) { target in
            input.withValues { values in
                weight.withValues { weight in
                    for index in 0..<input.count { target[index] = values[index] + weight[index % size] }
                }
            }
        }
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        pass.contribute(to: full("weight"), RowWise(gradient))
        return pass.wantsInputGradient ? gradient : nil
    }
}
