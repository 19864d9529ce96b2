#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Statistics of the people who are in both tables, with noise or without. What follows from it, below 0 or beyond bounds as it may be, is left as it is.
///
/// **Deviations** are of the noise alone, which is known; who happens to be in the tables is not in them. Numbers that were opened have independent noise of one deviation, so that those of counts and sums are exact. Means, variances and covariances are quotients: theirs are of first order in
/// the noise over the count (the derivative by each number, where it stands), which a test compares with what noise makes of them. Where the count is less than ``leastCount`` deviations of its own, first order says little, and no quotient is given.
public struct JoinedStatistics: Sendable, Hashable {
    /// So many deviations of the count's noise a count has at least of which quotients are given.
    public static let leastCount = 10.0

    /// All columns, the left table's first.
    public let columns: [ColumnBounds]
    /// Which statistics.
    public let measure: JoinedMeasure
    /// Of numbers from -1 to 1 within their columns' bounds, behind a one: sums of products of all pairs, the upper triangle row by row; or each group's sums.
    public let numbers: [Double]
    /// The standard deviation of the noise in each of ``numbers``; 0 without noise.
    public let deviation: Double

    private var width: Int { columns.count + 1 }

    /// A sum of products, of column 0, which is the one, and those behind it.
    private func product(_ i: Int, _ j: Int) -> Double {
        let (row, column) = (min(i, j), max(i, j))
        return numbers[row * width - row * (row - 1) / 2 + column - row]
    }

    private var groupCount: Int {
        guard case .groups(_, let count) = measure else { return 0 }
        return count
    }

    private var isMoments: Bool { measure == .moments }

    /// Of ``JoinedMeasure/moments``: how many people are in both tables. Of groups: in all of them.
    public var count: Double {
        isMoments ? product(0, 0) : (0..<groupCount).reduce(0) { $0 + numbers[$1 * width] }
    }

    /// The deviation of ``count``: of groups those of all of them together.
    public var countDeviation: Double { isMoments ? deviation : Double(groupCount).squareRoot() * deviation }

    /// Whether a count is so large that quotients by it, and their deviations, say something.
    func isEnough(_ count: Double) -> Bool { count > 0 && count >= Self.leastCount * deviation }

    /// Of ``JoinedMeasure/moments``: whether ``means`` and ``covariances`` say something.
    public var hasQuotients: Bool { isMoments && isEnough(count) }

    /// Of ``JoinedMeasure/moments``: each column's sum, in its own units; empty otherwise.
    public var sums: [Double] {
        guard isMoments else { return [] }
        return columns.enumerated().map { $1.middle * count + $1.radius * product(0, $0 + 1) }
    }

    /// Of each column's sum, of all people or of a group.
    public var sumDeviations: [Double] { columns.map { hypot($0.middle, $0.radius) * deviation } }

    /// Of ``JoinedMeasure/moments``: each column's mean; not numbers where the count's noise leaves nought.
    public var means: [Double] { sums.map { $0 / count } }

    /// Of ``means``, to first order.
    public var meanDeviations: [Double] {
        guard isMoments else { return [] }
        return columns.indices.map { meanDeviation($0, of: product(0, $0 + 1), count) }
    }

    private func meanDeviation(_ column: Int, of sum: Double, _ count: Double) -> Double {
        columns[column].radius * deviation * hypot(1, sum / count) / abs(count)
    }

    /// Of ``JoinedMeasure/moments``: variances and covariances, in the columns' units; empty otherwise.
    public var covariances: [[Double]] {
        guard isMoments else { return [] }
        let count = count
        return columns.enumerated().map { i, left in
            columns.enumerated().map { j, right in
                let means = product(0, i + 1) * product(0, j + 1) / (count * count)
                return left.radius * right.radius * (product(i + 1, j + 1) / count - means)
            }
        }
    }

    /// Of ``covariances``, to first order.
    public var covarianceDeviations: [[Double]] {
        guard isMoments else { return [] }
        let count = count
        return columns.enumerated().map { i, left in
            columns.enumerated().map { j, right in
                let (a, b) = (product(0, i + 1) / count, product(0, j + 1) / count)
                // By the product of both, by each one's sum, and by the count.
                let own = i == j ? 2 * abs(a) : hypot(a, b)
                let whole = 2 * a * b - product(i + 1, j + 1) / count
                return left.radius * right.radius * deviation * hypot(hypot(1, own), whole) / abs(count)
            }
        }
    }

    /// One group's statistics.
    public struct Group: Sendable, Hashable {
        /// How many people are in it.
        public let count: Double
        /// Each column's sum.
        public let sums: [Double]
        /// Each column's mean.
        public let means: [Double]
        /// Of ``means``, to first order.
        public let meanDeviations: [Double]
        /// Whether ``means`` say something.
        public let hasQuotients: Bool
    }

    /// Of ``JoinedMeasure/groups(of:count:)``: each group's, of deviations ``deviation`` and ``sumDeviations``; empty otherwise.
    public var groups: [Group] {
        (0..<groupCount).map { group in
            let count = numbers[group * width]
            let own = columns.indices.map { numbers[group * width + $0 + 1] }
            let sums = zip(columns, own).map { $0.middle * count + $0.radius * $1 }
            return Group(
                count: count, sums: sums, means: sums.map { $0 / count },
                meanDeviations: columns.indices.map { meanDeviation($0, of: own[$0], count) },
                hasQuotients: isEnough(count))
        }
    }
}
