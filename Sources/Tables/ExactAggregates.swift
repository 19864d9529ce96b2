/// The exact results of a bounded aggregation: private. They live only between the scan and the noise; they conform to
/// nothing that prints, encodes or compares them.
public struct ExactAggregates: ~Copyable {
    /// The keys of each group: the domains' cross product with the last key fastest, or what was discovered, sorted.
    public let keys: [[Value]]
    /// The number of distinct units with a kept row, of each group.
    public let units: [Int64]

    private let results: [MeasureResult]

    init(keys: [[Value]], units: [Int64], results: [MeasureResult]) {
        self.keys = keys
        self.units = units
        self.results = results
    }

    public var groupCount: Int { keys.count }

    /// Measure `index` (rows, nonNull, units, sum, sumOfSquares) of each group; empty for other kinds.
    public func integers(_ index: Int) -> [Int64] {
        if case .integers(let values) = results[index] { values } else { [] }
    }

    /// Measure `index` (histogram): the bins of each group; empty for other kinds.
    public func histogram(_ index: Int) -> [[Int64]] {
        if case .histogram(let values) = results[index] { values } else { [] }
    }

    /// Measure `index` (gridValues): the occupied grid points of each group, ascending, with their multiplicities.
    public func grid(_ index: Int) -> [(indices: [Int32], counts: [Int64])] {
        if case .grid(let values) = results[index] { values } else { [] }
    }
}

/// What one measure gives.
enum MeasureResult {
    case integers([Int64])
    case histogram([[Int64]])
    case grid([(indices: [Int32], counts: [Int64])])
}
