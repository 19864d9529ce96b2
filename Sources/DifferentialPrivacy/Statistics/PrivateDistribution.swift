/// The cumulative distribution of clipped values on public bins, from the noisy counts of all ranges.
///
/// Privacy: that of `PrivateRangeTree`; the rest is post-processing.
public struct PrivateDistribution: Sendable {
    /// The public bins.
    public let bins: EqualBins
    /// What is released of the bins, and with which noise.
    public let tree: PrivateRangeTree

    /// Throws unless there are at most 2^26 bins, `rowsPerUnit` is from 1 to 2^31, and noise for that loss exists.
    public init(bins: EqualBins, rowsPerUnit: Int = 1, loss: PrivacyLoss) throws(MechanismError) {
        self.bins = bins
        tree = try PrivateRangeTree(leaves: bins.count, rowsPerUnit: rowsPerUnit, loss: loss)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { tree.event }

    /// The noisy distribution of the values, clipped to the bounds; NaN and infinities left out.
    public func release<R: RandomNumberGenerator>(
        _ values: some Sequence<Double>, using generator: inout R
    ) throws(MechanismError) -> NoisyDistribution {
        NoisyDistribution(bins: bins, ranges: try tree.release(bins.counts(values), using: &generator))
    }

    /// The variance of the number of rows below a bin's lower edge.
    public func variance(below bin: Int) throws(MechanismError) -> Double {
        try tree.variance(of: 0..<max(0, bin))
    }
}

/// A cumulative distribution that rises from 0 to 1.
public struct NoisyDistribution: Sendable, Hashable {
    /// The public bins.
    public let bins: EqualBins
    /// The noisy counts, before anything was forced to rise.
    public let ranges: NoisyRanges
    /// The fraction of values below each edge of the bins, the upper bound last.
    public let fractions: [Double]

    init(bins: EqualBins, ranges: NoisyRanges) {
        self.bins = bins
        self.ranges = ranges
        let rising = Self.isotonic(ranges.cumulative)
        let total = rising.last ?? 0
        var fractions = rising.map { total > 0 ? min(max($0 / total, 0), 1) : 0 }
        // Where nothing is known (a noisy total that is not positive), all values count as at the upper bound.
        fractions[0] = 0
        fractions[fractions.count - 1] = 1
        self.fractions = fractions
    }

    /// The fraction of values below x, linear within a bin.
    public func fraction(below x: Double) -> Double {
        guard !x.isNaN else { return .nan }
        guard x > bins.lower else { return 0 }
        guard x < bins.upper else { return 1 }
        let bin = bins.bin(x) ?? 0
        let (left, right) = (bins.edge(bin), bins.edge(bin + 1))
        let share = min(max((x - left) / (right - left), 0), 1)
        return fractions[bin] + share * (fractions[bin + 1] - fractions[bin])
    }

    /// The least point below which at least the fraction q lies, linear within a bin; q is clipped to [0, 1].
    public func quantile(_ q: Double) -> Double {
        let q = min(max(q, 0), 1)
        var (low, high) = (0, bins.count)
        while low < high {
            let middle = (low + high) / 2
            if fractions[middle] >= q { high = middle } else { low = middle + 1 }
        }
        guard low > 0 else { return bins.lower }
        let (below, above) = (fractions[low - 1], fractions[low])
        let share = above > below ? (q - below) / (above - below) : 1
        return bins.edge(low - 1) + share * (bins.edge(low) - bins.edge(low - 1))
    }

    /// The rising sequence nearest to the values in the sum of squares (pool adjacent violators; Barlow, Bartholomew,
    /// Bremner and Brunk 1972).
    static func isotonic(_ values: [Double]) -> [Double] {
        var pools: [(mean: Double, count: Int)] = []
        for value in values {
            var pool = (mean: value, count: 1)
            while let last = pools.last, last.mean >= pool.mean {
                let count = last.count + pool.count
                pool = (last.mean + (pool.mean - last.mean) * (Double(pool.count) / Double(count)), count)
                pools.removeLast()
            }
            pools.append(pool)
        }
        return pools.flatMap { [Double](repeating: $0.mean, count: $0.count) }
    }
}
