/// Counts of all ranges of an ordered public domain, from noisy counts of a tree's nodes: each leaf, each group of
/// `fanout` leaves, each group of groups and so on, below the root.
///
/// The released counts are made consistent by least squares, which is post-processing: of all unbiased estimates that
/// are linear in the noisy nodes, each range's has the least variance (Hay, Rastogi, Miklau and Suciu 2010, "Boosting
/// the accuracy of differentially private histograms through consistency", theorem 4; here for trees of any shape, by
/// the nodes' variances). The root is left out: its children hold it, and a level less is noise saved (Qardaji, Yang
/// and Li 2013, "Understanding hierarchical methods for differentially private histograms").
///
/// Privacy: a row counts in one node of each of h levels: L1 sensitivity h, squared L2 sensitivity h, for one of a
/// unit's rows; see `IntegerNoise`.
public struct PrivateRangeTree: Sendable {
    /// The number of points of the domain.
    public let leaves: Int
    /// How many nodes of a level a node of the next holds.
    public let fanout: Int
    /// The noise on each node.
    public let noise: IntegerNoise
    /// The number of nodes in each level, the leaves first.
    let sizes: [Int]

    static let largestDomain = 1 << 26

    /// Throws unless there are from 1 to 2^26 leaves, the fanout is at least 2, `rowsPerUnit` is from 1 to 2^31, and
    /// noise for that loss exists. Without a fanout: the one of `bestFanout`.
    public init(
        leaves: Int, fanout: Int? = nil, rowsPerUnit: Int = 1, loss: PrivacyLoss
    ) throws(MechanismError) {
        guard (1...Self.largestDomain).contains(leaves) else {
            throw .parameter("leaves", expected: "a number from 1 to 2^26")
        }
        let fanout = fanout ?? Self.bestFanout(leaves: leaves, kind: loss.kind)
        guard fanout >= 2 else { throw .parameter("fanout", expected: "at least 2") }
        self.leaves = leaves
        self.fanout = fanout
        sizes = Self.sizes(leaves, fanout)
        let levels = UInt128(sizes.count)
        noise = try IntegerNoise(rowsPerUnit: rowsPerUnit, rowL1: levels, rowL2Squared: levels, loss: loss)
    }

    private static func sizes(_ leaves: Int, _ fanout: Int) -> [Int] {
        var sizes = [leaves]
        while let last = sizes.last, last > fanout { sizes.append((last - 1) / fanout + 1) }
        return sizes
    }

    /// The fanout for which a range's variance, averaged over all ranges, is least by the formula of Qardaji et al.
    /// (2013, section 4.1): `(b - 1) h - 2 (b + 1) / 3` nodes, times a node's variance, which grows with the number of
    /// levels h, or under pure epsilon with its square.
    public static func bestFanout(leaves: Int, kind: PrivacyLossKind) -> Int {
        var best = (fanout: 2, cost: Double.infinity)
        for fanout in 2...64 where fanout == 2 || fanout <= leaves {
            let (b, h) = (Double(fanout), Double(sizes(leaves, fanout).count))
            let nodes = max(1, (b - 1) * h - 2 * (b + 1) / 3)
            let cost = nodes * (kind == .pure ? h * h : h)
            if cost < best.cost { best = (fanout, cost) }
        }
        return best.fanout
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// The number of levels with noise.
    public var levels: Int { sizes.count }

    /// Noisy counts of the domain's points, consistent with those of all nodes. Throws unless there is one count for each
    /// leaf.
    public func release<R: RandomNumberGenerator>(
        _ counts: [Int64], using generator: inout R
    ) throws(MechanismError) -> NoisyRanges {
        guard counts.count == leaves else { throw .parameter("counts", expected: "one for each leaf") }
        var level = counts.map { ExactSum.clamp(Int128($0)) }
        var nodes: [[Double]] = []
        for (height, size) in sizes.enumerated() {
            if height > 0 { level = parents(of: level, count: size) }
            var noisy = level
            noise.add(to: &noisy, using: &generator)
            nodes.append(noisy.map(Double.init))
        }
        return NoisyRanges(consistent(nodes))
    }

    private func parents(of level: [Int64], count: Int) -> [Int64] {
        (0..<count).map { parent in
            var sum = ExactSum()
            for child in children(of: parent, among: level.count) { sum.add(level[child]) }
            return sum.clamped
        }
    }

    private func children(of parent: Int, among count: Int) -> Range<Int> {
        parent * fanout..<min(parent * fanout + fanout, count)
    }

    /// The least-squares leaves for observed nodes of equal variance. Upwards, each node's own observation and the sum
    /// of its children are averaged by their variances; downwards, what a parent has beyond its children's sum is shared
    /// out by their variances.
    private func consistent(_ observed: [[Double]]) -> [Double] {
        var estimates = [observed[0]]
        var variances = [[Double](repeating: 1, count: leaves)]
        for height in sizes.indices.dropFirst() {
            var (level, variance) = (observed[height], [Double](repeating: 1, count: sizes[height]))
            for node in level.indices {
                let range = children(of: node, among: sizes[height - 1])
                let below = range.reduce(0.0) { $0 + estimates[height - 1][$1] }
                let spread = range.reduce(0.0) { $0 + variances[height - 1][$1] }
                level[node] = (level[node] * spread + below) / (1 + spread)
                variance[node] = spread / (1 + spread)
            }
            estimates.append(level)
            variances.append(variance)
        }
        for height in sizes.indices.dropFirst().reversed() {
            for node in estimates[height].indices {
                let range = children(of: node, among: sizes[height - 1])
                let below = range.reduce(0.0) { $0 + estimates[height - 1][$1] }
                let spread = range.reduce(0.0) { $0 + variances[height - 1][$1] }
                let excess = (estimates[height][node] - below) / spread
                for child in range { estimates[height - 1][child] += excess * variances[height - 1][child] }
            }
        }
        return estimates[0]
    }

    /// The variance of a range's count, exactly: with A the matrix from leaves to nodes and c the range's indicator,
    /// `c (A'A)^-1 c` times a node's variance; the solution is the consistent form of c in the leaves and 0 above.
    /// Linear in the size of the domain. Throws unless the range lies within it.
    public func variance(of range: Range<Int>) throws(MechanismError) -> Double {
        guard range.lowerBound >= 0 && range.upperBound <= leaves else {
            throw .parameter("range", expected: "one within the domain")
        }
        var nodes = sizes.map { [Double](repeating: 0, count: $0) }
        for leaf in range { nodes[0][leaf] = 1 }
        let solution = consistent(nodes)
        return noise.variance * range.reduce(0.0) { $0 + solution[$1] }
    }

    /// The true count of the range lies within it with that confidence.
    public func interval(
        of range: Range<Int>, in released: NoisyRanges, confidence: Double
    ) throws(MechanismError) -> ConfidenceInterval {
        let half = noise.criticalValue(confidence: confidence) * (try variance(of: range)).squareRoot()
        let count = try released.count(in: range)
        return ConfidenceInterval(lower: count - half, upper: count + half)
    }
}

/// Noisy counts of the points of an ordered domain, made to be added up.
public struct NoisyRanges: Sendable, Hashable {
    /// The noisy count of each point: not rounded, negative where the noise is.
    public let counts: [Double]
    /// The noisy number of rows below each point, and of all.
    public let cumulative: [Double]

    init(_ counts: [Double]) {
        self.counts = counts
        var sums = [0.0]
        sums.reserveCapacity(counts.count + 1)
        for count in counts { sums.append((sums.last ?? 0) + count) }
        cumulative = sums
    }

    /// The noisy number of rows in a range; throws unless it lies within the domain.
    public func count(in range: Range<Int>) throws(MechanismError) -> Double {
        guard range.lowerBound >= 0 && range.upperBound < cumulative.count else {
            throw .parameter("range", expected: "one within the domain")
        }
        return cumulative[range.upperBound] - cumulative[range.lowerBound]
    }
}
