/// The exact results of a bounded aggregation: private. They live only between the scan and the noise; they conform to
/// nothing that prints, encodes or compares them.
public struct ExactAggregates: ~Copyable {
    /// The number of distinct units with a kept row, of each group: the domains' cross product with the last key
    /// fastest, or what was discovered, in the order of discovery.
    public let units: [Int64]

    private let groups: GroupNumbering
    private let numbers: [Int]
    private let results: [MeasureResult]
    /// What the scan did and held: for the proof that no scan exceeds its plan.
    let work: Work
    let memory: Double
    /// What the question's bounds left out, in all groups together; nil where it was not asked for.
    public let leftOut: LeftOut?
    /// The rows that were dropped when the tables were made, and those that they have; nil where it was not asked for, or a
    /// table does not know.
    public let dropped: BoundedPair?

    init(
        groups: GroupNumbering, numbers: [Int], units: [Int64], results: [MeasureResult], leftOut: LeftOut?,
        dropped: BoundedPair?, work: Work, memory: Double
    ) {
        self.leftOut = leftOut
        self.dropped = dropped
        self.groups = groups
        self.numbers = numbers
        self.units = units
        self.results = results
        self.work = work
        self.memory = memory
    }

    /// How many groups there are. Private where keys were discovered.
    public var groupCount: Int { numbers.count }

    /// The keys of a group. Where keys are discovered, only those of selected groups may be asked for.
    public func keys(of group: Int) -> [Value] { groups.keys(numbers[group]) }

    /// The keys of all groups: only where they are public.
    public var keys: [[Value]] { (0..<groupCount).map { groups.keys(numbers[$0]) } }

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

    /// Measure `index` (values) of the rows that were kept, one behind the other, NaN where null; empty for other kinds.
    public func values(_ index: Int) -> [Double] {
        if case .values(let values) = results[index] { values } else { [] }
    }

    /// Measure `index` (unitNumbers) of the same rows; empty for other kinds.
    public func unitNumbers(_ index: Int) -> [UInt32] {
        if case .unitNumbers(let numbers) = results[index] { numbers } else { [] }
    }
}

/// What one measure gives.
enum MeasureResult {
    case integers([Int64])
    case histogram([[Int64]])
    case grid([(indices: [Int32], counts: [Int64])])
    case values([Double])
    case unitNumbers([UInt32])
}
