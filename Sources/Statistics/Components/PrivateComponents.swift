public import DifferentialPrivacy

/// Which statistics of several columns are wanted with intervals.
public enum ComponentsTarget: Sendable, Hashable {
    /// Variances and covariances of all pairs.
    case covariances
    /// Correlations of all pairs.
    case correlations
    /// The largest principal components, so many: their variances and the shares of the whole variance that they explain;
    /// where the sampling variance is the normal law's, their loadings too. Where `isStandardised` those of the correlation
    /// matrix, without intervals.
    case principal(count: Int, isStandardised: Bool = false)
}

/// Covariances, correlations and principal components of columns with declared bounds, with intervals that hold sampling and
/// noise together (Anderson 2003, "An introduction to multivariate statistical analysis", chapters 4 and 13; Dwork, Talwar,
/// Thakurta and Zhang 2014, "Analyze Gauss", for the noisy second moments).
///
/// Each column is measured from the middle of its bounds in half their distance, z within [-1, 1]. Released are the sums of 1, z_i
/// and z_i z_j. Every statistic f of the covariance matrix S moves, to first order, by the mean over rows of `c' G c - tr(G S)`,
/// with c the row less the means and G the gradient of f: its influence function (Hampel 1974). Its sampling variance is the
/// mean square of that over n: by the normal law `2 tr(G S G S) / n`, or, robustly, from a second release of the sums of
/// its squares, cut at 8 deviations of the normal law. The noise moves it by the same form of the noisy sums.
///
/// Privacy: two releases of integer vectors with exact noise, of which the second's scales follow from the first alone.
public struct PrivateComponents: Sendable {
    /// The columns' bounds.
    public let columns: [ClosedRange<Double>]
    /// What is wanted.
    public let target: ComponentsTarget
    /// How sampling is judged.
    public let variance: SamplingVariance
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it. Intervals take rows as independent.
    public let rowsPerUnit: Int
    /// What happens at each release.
    public let events: [PrivacyEvent]

    let design: RegressionDesign
    let pairs: ColumnPairs
    private let losses: [PrivacyLoss]

    /// Throws unless there are from 2 to 63 columns with finite and rising bounds, so many components, `rowsPerUnit` is from 1 to
    /// 2^16, noise for that loss exists, and a robust variance is asked for nothing but at most 256 statistics of the
    /// covariance matrix.
    public init(
        columns: [ClosedRange<Double>], target: ComponentsTarget, variance: SamplingVariance = .model,
        rowsPerUnit: Int = 1, loss: PrivacyLoss
    ) throws(MechanismError) {
        guard (2..<RegressionDesign.mostColumns).contains(columns.count) else {
            throw .parameter("columns", expected: "a number from 2 to 63")
        }
        guard (1...(1 << 16)).contains(rowsPerUnit) else {
            throw .parameter("rows per unit", expected: "a number from 1 to 2^16")
        }
        if case .principal(let count, let isStandardised) = target {
            guard (1...columns.count).contains(count) else {
                throw .parameter("components", expected: "a number from 1 to that of columns")
            }
            guard variance == .model || !isStandardised else {
                throw .parameter("variance", expected: "the model's, of standardised components")
            }
        }
        self.columns = columns
        self.target = target
        self.variance = variance
        self.rowsPerUnit = rowsPerUnit
        design = try RegressionDesign(columns.map { .numeric(lower: $0.lowerBound, upper: $0.upperBound) })
        pairs = ColumnPairs(design.groups)
        losses = try loss.divided(variance == .robust ? [2, 1] : [1])
        let number = Self.statistics(target, columns.count)
        guard variance == .model || number <= 256 else {
            throw .parameter("statistics", expected: "at most 256 with a robust variance")
        }
        var layouts = [try Self.momentLayout(pairs, rowsPerUnit)]
        if variance == .robust {
            layouts.append(try Self.squareLayout([Double](repeating: 1, count: number), rowsPerUnit))
        }
        var events: [PrivacyEvent] = []
        for (layout, loss) in zip(layouts, losses) { events.append(try layout.noise(loss: loss).event) }
        self.events = events
    }

    private static func statistics(_ target: ComponentsTarget, _ columns: Int) -> Int {
        switch target {
        case .covariances: return columns * (columns + 1) / 2
        case .correlations: return columns * (columns - 1) / 2
        case .principal(let count, _): return 2 * count
        }
    }

    private static func momentLayout(_ pairs: ColumnPairs, _ rowsPerUnit: Int) throws(MechanismError) -> IntegerLayout {
        try IntegerLayout([
            IntegerLayout.Block(
                entries: pairs.pairs.count, largest: IntegerLayout.unit, nonzero: pairs.pairs.count,
                times: rowsPerUnit, bound: 1)
        ])
    }

    /// A block for each statistic, since what an integer is worth differs.
    private static func squareLayout(_ caps: [Double], _ rowsPerUnit: Int) throws(MechanismError) -> IntegerLayout {
        try IntegerLayout(
            caps.map {
                IntegerLayout.Block(
                    entries: 1, largest: IntegerLayout.unit, nonzero: 1, times: rowsPerUnit, bound: $0 * $0)
            })
    }

    /// What happens at all releases together.
    public var event: PrivacyEvent { events.count == 1 ? events[0] : .composition(events) }

    /// How many vectors are released, one behind the other.
    public var releases: Int { events.count }

    /// What is released next, after those noisy vectors. Throws for vectors of another length, and behind the last.
    public func step(after released: [[Int64]]) throws(MechanismError) -> ComponentsStep {
        guard released.count < releases else {
            throw .parameter("noisy vectors", expected: "fewer than there are releases")
        }
        guard let first = released.first else {
            let layout = try Self.momentLayout(pairs, rowsPerUnit)
            return ComponentsStep(
                layout: layout, noise: try layout.noise(loss: losses[0]), rowsPerUnit: rowsPerUnit, design: design,
                pairs: pairs, influences: nil)
        }
        let moments = try moments(first)
        let influences = moments.statistics(target).map { moments.influence($0) }
        let layout = try Self.squareLayout(influences.map(\.cap), rowsPerUnit)
        return ComponentsStep(
            layout: layout, noise: try layout.noise(loss: losses[1]), rowsPerUnit: rowsPerUnit, design: design,
            pairs: pairs, influences: influences)
    }

    private func moments(_ vector: [Int64]) throws(MechanismError) -> ScaledMoments {
        let layout = try Self.momentLayout(pairs, rowsPerUnit)
        guard vector.count == layout.length else {
            throw .parameter("noisy vectors", expected: "as many integers as the layout has")
        }
        let noise = try layout.noise(loss: losses[0])
        return ScaledMoments(
            pairs.matrix(layout.values(0, of: vector)), deviation: layout.deviation(0, noise), excess: noise.excess)
    }

    /// The answer, after all noisy vectors. Throws for another number of them, or of other lengths.
    public func estimate(_ released: [[Int64]]) throws(MechanismError) -> ComponentsEstimate {
        guard released.count == releases else {
            throw .parameter("noisy vectors", expected: "one for each release")
        }
        let moments = try moments(released[0])
        var statistics = moments.statistics(target)
        if variance == .model { statistics += moments.loadings(target) }
        var squares: [(sum: Double, deviation: Double)] = []
        if variance == .robust {
            let layout = try Self.squareLayout(statistics.map { moments.influence($0).cap }, rowsPerUnit)
            guard released[1].count == layout.length else {
                throw .parameter("noisy vectors", expected: "as many integers as the layout has")
            }
            let noise = try layout.noise(loss: losses[1])
            squares = statistics.indices.map {
                (layout.values($0, of: released[1])[0], layout.deviation($0, noise))
            }
        }
        return ComponentsEstimate(moments, statistics, squares: squares, target: target, design: design)
    }

    /// The noisy statistics of rows, of which each unit's have been cut to their bound; rows with a NaN or an infinity are left out.
    /// Throws for a row with another number of columns.
    public func release<R: RandomNumberGenerator>(
        _ rows: some Collection<[Double]>, using generator: inout R
    ) throws(MechanismError) -> ComponentsEstimate {
        var released: [[Int64]] = []
        for _ in 0..<releases {
            let step = try step(after: released)
            var sums = [ExactSum](repeating: ExactSum(), count: step.layout.length)
            var encoded = EncodedRow()
            for row in rows { try step.add(row, to: &sums, &encoded) }
            var totals = sums.map(\.clamped)
            step.noise.add(to: &totals, using: &generator)
            released.append(totals)
        }
        return try estimate(released)
    }
}

/// One release of ``PrivateComponents``: how long its vector is, what a unit contributes to it, and which noise is added.
public struct ComponentsStep: Sendable {
    /// The vector.
    public let layout: IntegerLayout
    /// The noise on each of its integers.
    public let noise: IntegerNoise
    let rowsPerUnit: Int
    let design: RegressionDesign
    let pairs: ColumnPairs
    let influences: [ScaledMoments.Influence]?

    /// What a unit with those rows adds to the vector, of which no more rows than a unit may have take part. Throws for a row
    /// with another number of columns.
    public func contribution(of unit: [[Double]]) throws(MechanismError) -> [Int64] {
        var sums = [ExactSum](repeating: ExactSum(), count: layout.length)
        var encoded = EncodedRow()
        for row in unit.prefix(rowsPerUnit) { try add(row, to: &sums, &encoded) }
        return sums.map(\.clamped)
    }

    func add(
        _ row: [Double], to sums: inout [ExactSum], _ encoded: inout EncodedRow
    ) throws(MechanismError) {
        guard try design.encode(RegressionRow(row, response: 0), into: &encoded) else { return }
        let unit = IntegerLayout.unit
        guard let influences else {
            for (number, (i, j)) in pairs.pairs.enumerated() {
                sums[number].add(IntegerLayout.rounded(encoded.values[i] * encoded.values[j], unit))
            }
            return
        }
        for (number, influence) in influences.enumerated() {
            let part = min(1, abs(influence.value(encoded.values)) / influence.cap)
            sums[number].add(IntegerLayout.rounded(part * part, unit))
        }
    }
}
