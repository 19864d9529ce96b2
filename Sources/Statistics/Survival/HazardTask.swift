public import DifferentialPrivacy

/// What a hazard may depend on: one declared column.
public enum HazardCovariate: Sendable, Hashable {
    /// So many levels, numbered from 0, each of which has a hazard ratio to the first.
    case levels(Int)
    /// A number between bounds, held to the middle of one of so many bins of equal width: one hazard ratio a unit of
    /// it. A value is spread about its bin's middle, which on average changes a coefficient little (Berkson 1950);
    /// eight bins are mostly enough.
    case number(EqualBins)

    var cells: Int {
        switch self {
        case .levels(let count): return count
        case .number(let bins): return bins.count
        }
    }

    /// The number of coefficients.
    var coefficients: Int {
        switch self {
        case .levels(let count): return count - 1
        case .number: return 1
        }
    }

    /// The cell of a value; nil for what is not declared.
    func cell(_ value: Double) -> Int? {
        switch self {
        case .levels(let count):
            guard value >= 0 && value < Double(count), value == value.rounded() else { return nil }
            return Int(value)
        case .number(let bins): return bins.bin(value)
        }
    }

    /// The values of a cell in the linear predictor, numbers in half widths of their bounds from the middle.
    func design(_ cell: Int) -> [Double] {
        switch self {
        case .levels(let count): return (1..<count).map { $0 == cell ? 1 : 0 }
        case .number(let bins): return [(2 * Double(cell) + 1) / Double(bins.count) - 1]
        }
    }

    /// What a coefficient's unit is in the column's own unit.
    var unit: Double {
        switch self {
        case .levels: return 1
        case .number(let bins): return (bins.upper - bins.lower) / 2
        }
    }
}

/// One row: its covariates in the task's order, how long it was seen, and whether that ended with the event.
public struct HazardRow: Sendable, Hashable {
    /// A level's number, or a number, for each covariate.
    public var covariates: [Double]
    /// From the start to the event, or to the end of observation.
    public var time: Double
    /// Whether the event was seen.
    public var isEvent: Bool

    /// A row as it is, bounded later.
    public init(covariates: [Double], time: Double, isEvent: Bool) {
        self.covariates = covariates
        self.time = time
        self.isEvent = isEvent
    }
}

/// Proportional hazards over bins of time, by cell of the covariates: what grouped times leave of Cox's model (Prentice
/// and Gloeckler 1978; near to Poisson regression with a constant baseline in each bin where hazards are small, Holford
/// 1980).
///
/// The vector is that of a `SurvivalTask` of which each cell of covariates is a group: who is at risk in a bin is who
/// leaves in it or later, so that a row adds 1 to one entry, however many bins it is at risk in. (Cox's partial
/// likelihood is no sum over persons: cutting a person's terms in it bounds nothing.) Numbers are held to bins, so that
/// the table is sufficient.
public struct HazardTask: Sendable, Hashable {
    /// The most coefficients.
    public static let coefficientLimit = 32

    /// What the hazard depends on.
    public let covariates: [HazardCovariate]
    /// The table: a group for each cell of covariates, the last covariate's cells side by side.
    public let table: SurvivalTask

    /// Throws unless there are covariates of 2 to 4096 levels or bins, of at most 32 coefficients, and the table's
    /// edges, entries and rows of a unit are what `SurvivalTask` takes.
    public init(
        covariates: [HazardCovariate], edges: [Double], rowsPerUnit: Int = 1, censoring: CensoringPlace = .middle
    ) throws(MechanismError) {
        guard !covariates.isEmpty, covariates.count <= Self.coefficientLimit,
            covariates.allSatisfy({ (2...4096).contains($0.cells) }),
            Self.coefficientCount(covariates) <= Self.coefficientLimit
        else {
            throw .parameter("covariates", expected: "of 2 to 4096 levels or bins each, with 1 to 32 coefficients")
        }
        let cells = covariates.reduce(1) { min($0, 4096) * $1.cells }
        guard cells <= 4096 else { throw .parameter("covariates", expected: "at most 4096 cells together") }
        self.covariates = covariates
        table = try SurvivalTask(edges: edges, groups: cells, rowsPerUnit: rowsPerUnit, censoring: censoring)
    }

    /// The number of coefficients.
    public var coefficientCount: Int { Self.coefficientCount(covariates) }

    private static func coefficientCount(_ covariates: [HazardCovariate]) -> Int {
        covariates.reduce(0) { $0 + $1.coefficients }
    }

    /// The entry to which the row adds 1; nil where it is left out: another number of covariates, a level that is not
    /// declared, no finite number.
    public func entry(of row: HazardRow) -> Int? {
        guard row.covariates.count == covariates.count else { return nil }
        var group = 0
        for (covariate, value) in zip(covariates, row.covariates) {
            guard let cell = covariate.cell(value) else { return nil }
            group = group * covariate.cells + cell
        }
        return table.entry(of: SurvivalRow(group: group, time: row.time, isEvent: row.isEvent))
    }

    /// The exact vector: private, to be added noise to.
    public func counts(_ rows: some Sequence<HazardRow>) -> [Int64] {
        var counts = [Int64](repeating: 0, count: table.length)
        for row in rows {
            if let entry = entry(of: row) { counts[entry] += 1 }
        }
        return counts
    }

    /// The rows of the design: a cell's values of all coefficients.
    func design() -> [[Double]] {
        (0..<table.groups).map { group in
            var rest = group
            var parts: [[Double]] = []
            for covariate in covariates.reversed() {
                parts.append(covariate.design(rest % covariate.cells))
                rest /= covariate.cells
            }
            return Array(parts.reversed().joined())
        }
    }

    /// What noisy integers of this vector say. Throws unless there are as many as entries.
    public func estimate(_ noisy: [Int64], noise: AddedNoise) throws(MechanismError) -> NoisyHazards {
        NoisyHazards(task: self, survival: try table.estimate(noisy, noise: noise))
    }
}

/// Hazard ratios from a noisy table of events and time at risk.
///
/// Privacy: see `HazardTask` for the sensitivities and `IntegerNoise` for the noise; estimates are post-processing.
public struct PrivateHazards: Sendable {
    /// What is counted.
    public let task: HazardTask
    /// The noise on each count.
    public let noise: IntegerNoise

    /// Throws unless noise for that loss, pure epsilon or rho, exists.
    public init(_ task: HazardTask, loss: PrivacyLoss) throws(MechanismError) {
        self.task = task
        noise = try PrivateSurvival(task.table, loss: loss).noise
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// The noisy table of the rows, and the hazard ratios.
    public func release<R: RandomNumberGenerator>(
        _ rows: some Sequence<HazardRow>, using generator: inout R
    ) throws(MechanismError) -> NoisyHazards {
        var counts = task.counts(rows)
        noise.add(to: &counts, using: &generator)
        return try task.estimate(counts, noise: AddedNoise(noise))
    }
}
