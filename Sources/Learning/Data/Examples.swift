/// Rows to learn from: inputs of one shape and what is true of each, grouped by the unit (person) that they belong to.
///
/// What it holds may be private: it prints as its numbers of rows alone where those are public, and as nothing else.
public struct Examples: Sendable {
    /// The shape of one row's input.
    public let rowShape: [Int]
    /// What is true of each row.
    public let targets: Targets
    /// The rows of each unit: together all rows, one unit after the other.
    public let units: [Range<Int>]
    private let storage: Storage

    private enum Storage: Sendable {
        case floats([Float])
        /// Bytes, each of which stands for `offset + scale x byte`.
        case bytes([UInt8], scale: Float, offset: Float)
    }

    /// Inputs as float32.
    ///
    /// - Parameters:
    ///   - inputs: [rows, ...].
    ///   - targets: One a row.
    ///   - units: The rows of each unit, one unit after the other; nil: each row is its own unit.
    /// - Throws: What does not fit together.
    public init(inputs: Tensor, targets: Targets, units: [Range<Int>]? = nil) throws(ModelError) {
        try self.init(
            storage: .floats(inputs.values), rows: inputs.rows, rowShape: inputs.rowShape, targets: targets,
            units: units)
    }

    /// Inputs as bytes, as images have them: each byte stands for `offset + scale x byte`.
    ///
    /// - Throws: What does not fit together.
    public init(
        bytes: [UInt8], rowShape: [Int], targets: Targets, units: [Range<Int>]? = nil, scale: Float = 1 / 255,
        offset: Float = 0
    ) throws(ModelError) {
        let size = rowShape.product
        guard size > 0, bytes.count % size == 0 else {
            throw .data("\(bytes.count) bytes", expected: "a multiple of the \(size) of a row")
        }
        try self.init(
            storage: .bytes(bytes, scale: scale, offset: offset), rows: bytes.count / size, rowShape: rowShape,
            targets: targets, units: units)
    }

    private init(
        storage: Storage, rows: Int, rowShape: [Int], targets: Targets, units: [Range<Int>]?
    ) throws(ModelError) {
        guard targets.count == rows else {
            throw .data("\(targets.count) targets beside \(rows) rows", expected: "one target a row")
        }
        let units = units ?? (0..<rows).map { $0..<$0 + 1 }
        var next = 0
        for unit in units {
            guard unit.lowerBound == next, !unit.isEmpty else {
                throw .data("the units' rows", expected: "one unit after the other, without gap, at least one row each")
            }
            next = unit.upperBound
        }
        guard next == rows else { throw .data("the units' rows", expected: "together all \(rows) rows") }
        self.storage = storage
        self.rowShape = rowShape
        self.targets = targets
        self.units = units
    }

    /// The number of rows.
    public var count: Int { targets.count }

    /// Some rows, in the order in which they are named.
    ///
    /// - Parameter units: The units of these rows; nil: each row is its own.
    public func selecting(_ rows: [Int], units: [Range<Int>]? = nil) throws(ModelError) -> Examples {
        let size = rowShape.product
        func values<Value>(_ all: [Value]) -> [Value] { Array(rows.map { all[$0 * size..<($0 + 1) * size] }.joined()) }
        let storage: Storage =
            switch storage {
            case .floats(let all): .floats(values(all))
            case .bytes(let all, let scale, let offset): .bytes(values(all), scale: scale, offset: offset)
            }
        return try Examples(
            storage: storage, rows: rows.count, rowShape: rowShape, targets: targets.rows(rows), units: units)
    }

    /// Some units with all their rows, in the order in which they are named.
    public func selecting(units wanted: [Int]) throws(ModelError) -> Examples {
        var (rows, ranges) = ([Int](), [Range<Int>]())
        for unit in wanted {
            ranges.append(rows.count..<rows.count + units[unit].count)
            rows += units[unit]
        }
        return try selecting(rows, units: ranges)
    }

    /// These, and behind them others, each a unit of its own.
    ///
    /// - Parameter inputs: [rows, ...], of the same shape; to examples of bytes they are rounded as these are.
    func adding(inputs: Tensor, targets more: Targets) throws(ModelError) -> Examples {
        guard inputs.rowShape == rowShape || inputs.rows == 0 else {
            throw .data("rows of \(inputs.rowShape.extents)", expected: "rows of \(rowShape.extents)")
        }
        let targets: Targets
        switch (self.targets, more) {
        case (.labels(let labels), .labels(let others)): targets = .labels(labels + others)
        case (.values(let values), .values(let others)) where values.rowShape == others.rowShape:
            targets = .values(
                Tensor(shape: [values.rows + others.rows] + values.rowShape, values: values.values + others.values))
        default: throw .data("targets of another kind", expected: "labels beside labels, values beside values")
        }
        let storage: Storage =
            switch storage {
            case .floats(let values): .floats(values + inputs.values)
            case .bytes(let bytes, let scale, let offset):
                .bytes(
                    bytes + inputs.values.map { UInt8(max(0, min(255, (($0 - offset) / scale).rounded()))) },
                    scale: scale,
                    offset: offset)
            }
        return try Examples(
            storage: storage, rows: targets.count, rowShape: rowShape, targets: targets,
            units: units + (0..<more.count).map { count + $0..<count + $0 + 1 })
    }

    /// The inputs of some rows, in the order in which they are named.
    public func inputs(_ rows: [Int]) -> Tensor {
        let size = rowShape.product
        return Tensor(shape: [rows.count] + rowShape) { target in
            switch storage {
            case .floats(let values):
                values.withUnsafeBufferPointer { values in
                    for (position, row) in rows.enumerated() {
                        for index in 0..<size { target[position * size + index] = values[row * size + index] }
                    }
                }
            case .bytes(let bytes, let scale, let offset):
                bytes.withUnsafeBufferPointer { bytes in
                    for (position, row) in rows.enumerated() {
                        for index in 0..<size {
                            target[position * size + index] = offset + scale * Float(bytes[row * size + index])
                        }
                    }
                }
            }
        }
    }
}

extension Examples: CustomStringConvertible, CustomReflectable {
    /// The shape of a row alone.
    public var description: String { "Examples of \(rowShape.extents)" }
    /// The shape of a row alone.
    public var customMirror: Mirror { Mirror(self, children: ["rowShape": rowShape]) }
}
