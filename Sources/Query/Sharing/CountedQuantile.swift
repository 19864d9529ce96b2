/// A quantile from noisy counts at all points of a grid: post-processing.
///
/// Of the true counts, U(x) = (1 - q) #(at most x) - q #(above x) rises with x, and the quantile is the first point at which it is not below 0. Noise is on each count, so that noisy
/// values of U need not rise: the nearest ones that do, by least squares (pool adjacent violators), say the point. The interval is from the first to the last
/// point at which 0 is within the noise of U: at the quantile itself it is with 95 %.
struct CountedQuantile {
    private let rank: Double
    /// Of one count's interval.
    private let halfWidth: Double

    init(_ rank: QuantileRank, halfWidth: Double) {
        (self.rank, self.halfWidth) = (rank.value, halfWidth)
    }

    func pick(_ counts: ArraySlice<Int64>) -> QuantilePick {
        guard !counts.isEmpty else { return QuantilePick() }
        let total = counts.reduce(0.0) { $0 + Double($1) }
        var (below, balance): (Double, [Double]) = (0, [])
        for count in counts {
            below += Double(count)
            balance.append((1 - rank) * below - rank * (total - below))
        }
        let points = balance.count
        let near = balance.indices.filter { point in
            let (left, right) = (Double(point + 1), Double(points - point - 1))
            let noise = halfWidth * (left * (1 - rank) * (1 - rank) + right * rank * rank).squareRoot()
            // The quantile is where U passes 0: at it, or between it and the point before.
            let before = point == 0 ? -total * rank : balance[point - 1]
            return balance[point] >= -noise && before <= noise
        }
        let rising = Self.rising(balance)
        let point = rising.firstIndex { $0 >= 0 } ?? points - 1
        return QuantilePick(
            point: point, lower: Swift.min(near.first ?? point, point), upper: Swift.max(near.last ?? point, point))
    }

    /// The nearest numbers that do not fall, by least squares.
    private static func rising(_ values: [Double]) -> [Double] {
        var blocks: [(mean: Double, count: Int)] = []
        for value in values {
            var block = (mean: value, count: 1)
            while let last = blocks.last, last.mean > block.mean {
                let count = last.count + block.count
                block = ((last.mean * Double(last.count) + block.mean * Double(block.count)) / Double(count), count)
                blocks.removeLast()
            }
            blocks.append(block)
        }
        return blocks.flatMap { [Double](repeating: $0.mean, count: $0.count) }
    }
}
