/// Answers to given linear queries of counts, by noise on other, better chosen ones, the strategy (Li, Miklau, Hay,
/// McGregor and Rastogi 2015, "The matrix mechanism").
///
/// A strategy is a matrix of integers A; released are A x, for counts x, with exact noise, hence the least-squares counts
/// and their answers to the workload W. Under zCDP the strategy is the one of the least total variance
/// `max_j |A_j|^2 tr(W (A'A)^-1 W')` over all matrices, a convex problem (solved by the fixed point
/// of Denisov, McMahan, Rush, Smith and Thakurta 2022, section 3), rounded to multiples of 2^-20. Under pure epsilon,
/// where the problem is not convex, it is the best of the counts themselves and trees of fanouts 2 to 16.
///
/// Privacy: a row adds a column of A: the largest L1 norm and squared L2 norm of the columns, exactly, in integers after
/// rounding; see `IntegerNoise`. The rest is post-processing. The strategy depends on the workload and the kind of loss
/// alone.
public struct MatrixMechanism: Sendable {
    /// The queries, by rows: answers are sums of these multiples of the counts.
    public let workload: [[Double]]
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int
    /// The noise on each of the strategy's answers.
    public let noise: IntegerNoise
    /// The variance of each answer.
    public let variances: [Double]
    let strategy: Strategy

    /// The largest number of counts.
    public static let mostCounts = 256
    /// So that sums of 256 products with entries of 21 bits stay within 62 bits.
    static let largestCount: Int64 = 1 << 32

    /// Throws unless there are from 1 to 256 counts and from 1 to 2^16 queries of as many finite numbers each, not all
    /// zero, `rowsPerUnit` is from 1 to 2^31, and noise for that loss exists. Takes seconds for 256 counts.
    public init(workload: [[Double]], rowsPerUnit: Int = 1, loss: PrivacyLoss) throws(MechanismError) {
        let counts = workload.first?.count ?? 0
        guard (1...Self.mostCounts).contains(counts), workload.count <= 1 << 16,
            workload.allSatisfy({ $0.count == counts && $0.allSatisfy { abs($0) <= 0x1p100 } }),
            workload.contains(where: { $0.contains { abs($0) >= 0x1p-100 } })
        else {
            throw .parameter("workload", expected: "a matrix of finite numbers, not all zero, of 1 to 256 columns")
        }
        let strategy = try Strategy.best(for: workload, kind: loss.kind)
        noise = try IntegerNoise(
            rowsPerUnit: rowsPerUnit, rowL1: strategy.columnL1, rowL2Squared: strategy.columnL2Squared, loss: loss)
        let variance = noise.variance
        variances = workload.map { strategy.variance(of: $0) * variance }
        self.workload = workload
        self.rowsPerUnit = rowsPerUnit
        self.strategy = strategy
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// Noisy counts, not rounded, and the answers of the workload to them. Counts beyond ±2^32 count as that bound. Throws
    /// unless there is one for each column of the workload.
    public func release<R: RandomNumberGenerator>(
        _ counts: [Int64], using generator: inout R
    ) throws(MechanismError) -> (counts: [Double], answers: [Double]) {
        guard counts.count == strategy.size else {
            throw .parameter("counts", expected: "one for each column of the workload")
        }
        let clamped = counts.map { min(max($0, -Self.largestCount), Self.largestCount) }
        var noisy = strategy.rows.map { row in
            row.indices.reduce(Int64(0)) { $0 + row[$1] * clamped[$1] }
        }
        noise.add(to: &noisy, using: &generator)
        let estimate = strategy.leastSquares(noisy)
        let answers = workload.map { query in
            query.indices.reduce(0.0) { $0 + query[$1] * estimate[$1] }
        }
        return (estimate, answers)
    }

    /// The true answer of a query lies within it with that confidence, for that one query; throws for a query that the
    /// workload does not have.
    public func interval(
        around answer: Double, query: Int, confidence: Double
    ) throws(MechanismError) -> ConfidenceInterval {
        guard workload.indices.contains(query) else { throw .parameter("query", expected: "a row of the workload") }
        let half = noise.criticalValue(confidence: confidence) * variances[query].squareRoot()
        return ConfidenceInterval(lower: answer - half, upper: answer + half)
    }
}
