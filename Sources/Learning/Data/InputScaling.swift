/// How numbers of a file become what a model is given: public, never taken from the rows.
public enum InputScaling: Sendable, Equatable {
    /// As they are.
    case none
    /// Clipped to the bounds, which become 0 and 1.
    case bounds(lower: Float, upper: Float)
    /// Less the mean, over the deviation: one for all, or one for each channel (the extent behind the rows).
    case standard(mean: [Float], deviation: [Float])

    /// - Throws: Numbers that scale nothing, or as many of them as do not fit.
    public func check(rowShape: [Int]) throws(ModelError) {
        switch self {
        case .none: break
        case .bounds(let lower, let upper):
            guard lower < upper, lower.isFinite, upper.isFinite, (upper - lower).isFinite else {
                throw .data("the bounds of inputs", expected: "a lower and a higher finite number")
            }
        case .standard(let mean, let deviation):
            guard mean.count == deviation.count, mean.count == 1 || mean.count == rowShape.first ?? 1,
                mean.allSatisfy(\.isFinite), deviation.allSatisfy({ $0 > 0 && $0.isFinite })
            else {
                throw .data(
                    "mean and deviation of inputs",
                    expected: "one finite number of each, or \(rowShape.first ?? 1), one a channel; deviations above 0")
            }
        }
    }

    /// What a value of a channel becomes.
    public func scaled(_ value: Float, channel: Int = 0) -> Float {
        switch self {
        case .none: value
        case .bounds(let lower, let upper): (min(max(value, lower), upper) - lower) / (upper - lower)
        case .standard(let mean, let deviation):
            (value - mean[mean.count == 1 ? 0 : channel]) / deviation[mean.count == 1 ? 0 : channel]
        }
    }
}

extension Examples {
    /// Rows of a file as a model is given them. Bytes stay bytes where one factor serves all.
    ///
    /// - Parameters:
    ///   - array: [rows, ...].
    ///   - rowShape: Of a row as the model takes it: as many values as the file's; nil: as in the file.
    /// - Throws: What does not fit; values that are no number.
    public init(
        _ array: DataArray, rowShape: [Int]? = nil, scaling: InputScaling = .none, targets: Targets,
        units: [Range<Int>]? = nil
    ) throws(ModelError) {
        let rowShape = rowShape ?? array.rowShape
        guard rowShape.allSatisfy({ $0 > 0 }), rowShape.product == array.rowShape.product else {
            throw .data("rows of \(array.rowShape.extents)", expected: "rows of \(rowShape.extents)")
        }
        try scaling.check(rowShape: rowShape)
        if array.type == .unsigned8, let (scale, offset) = scaling.ofBytes {
            try self.init(
                bytes: array.bytes, rowShape: rowShape, targets: targets, units: units, scale: scale, offset: offset)
            return
        }
        var values = array.floats()
        guard values.allSatisfy(\.isFinite) else {
            throw .data("inputs that are no finite number", expected: "finite numbers: missing ones are filled before")
        }
        if scaling != .none {
            let (size, inner) = (rowShape.product, rowShape.dropFirst().product)
            for index in values.indices {
                values[index] = scaling.scaled(values[index], channel: index % size / max(1, inner))
            }
        }
        try self.init(
            inputs: Tensor(shape: [array.rows] + rowShape, values: values), targets: targets, units: units)
    }
}

extension InputScaling {
    /// Whether examples of bytes stay bytes in memory: one factor scales them all.
    public var keepsBytes: Bool { ofBytes != nil }

    /// The factor and offset that scale all bytes alike; nil where none do.
    fileprivate var ofBytes: (scale: Float, offset: Float)? {
        switch self {
        case .none: return (1, 0)
        case .bounds(let lower, let upper):
            return lower <= 0 && upper >= 255 ? (1 / (upper - lower), -lower / (upper - lower)) : nil
        case .standard(let mean, let deviation):
            return mean.count == 1 ? (1 / deviation[0], -mean[0] / deviation[0]) : nil
        }
    }
}
