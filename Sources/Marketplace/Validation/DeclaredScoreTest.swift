internal import Foundation

/// Whether rows that were drawn by lot speak against a declared share of right answers: what a referee's vote on a declaration is decided by.
///
/// If the share on all rows is at most ``tolerance`` from what was declared, then the verdict is `false` with a probability of at most ``falseAlarm``: a two-sided binomial test, whose
/// two tails have half of it each. Rows are drawn without replacement, so that beyond the mean both tails are smaller still (Uhlmann 1966).
public struct DeclaredScoreTest: Sendable, Hashable {
    /// How many of the rows were right, of how many.
    public let right: Int, rows: Int
    /// What was declared, from 0 to 1.
    public let declared: Double
    /// How far noise, and the Ladder's steps, may have moved what was declared.
    public let tolerance: Double
    /// How often an honest declaration is doubted, at most.
    public let falseAlarm: Double

    /// A test; nil where the numbers are out of range.
    public init?(right: Int, rows: Int, declared: Double, tolerance: Double, falseAlarm: Double) {
        guard rows > 0, (0...rows).contains(right), (0...1).contains(declared), (0...1).contains(tolerance),
            falseAlarm > 0, falseAlarm < 1
        else { return nil }
        (self.right, self.rows, self.declared) = (right, rows, declared)
        (self.tolerance, self.falseAlarm) = (tolerance, falseAlarm)
    }

    /// The share that is right.
    public var share: Double { Double(right) / Double(rows) }
    /// Its standard error.
    public var standardError: Double { (share * (1 - share) / Double(rows)).squareRoot() }

    /// How probable rows are that speak as much against the declared score as these, at most.
    public var probability: Double {
        let (low, high) = (max(0, declared - tolerance), min(1, declared + tolerance))
        // As many right or more where the share is no larger than `high`, as few or fewer where it is no smaller than `low`.
        return min(1, 2 * min(tail(right...rows, high), tail(0...right, low)))
    }

    /// Whether the declared score is plausible.
    public var isPlausible: Bool { probability > falseAlarm }

    /// The binomial probability of that many right rows.
    private func tail(_ counts: ClosedRange<Int>, _ share: Double) -> Double {
        guard share > 0, share < 1 else { return counts.contains(share > 0 ? rows : 0) ? 1 : 0 }
        // Logarithms of factorials.
        let factorials = (0...rows).reduce(into: [0.0]) { if $1 > 0 { $0.append($0[$1 - 1] + log(Double($1))) } }
        return counts.reduce(0) { sum, count in
            let ways = factorials[rows] - factorials[count] - factorials[rows - count]
            return sum + exp(ways + Double(count) * log(share) + Double(rows - count) * log1p(-share))
        }
    }
}
