internal import Foundation

/// Feedback of a leaderboard that cannot be climbed by guessing: the Ladder mechanism (Blum and Hardt, "The Ladder: A Reliable Leaderboard for Machine Learning Competitions",
/// ICML 2015, algorithm 1).
///
/// A score is told, rounded to the step, only where it is better than the best so far by more than the step; otherwise nothing new is told. The best so far is then within
/// O((log(k n))^(1/3) / n^(1/3)) of the truth after k adaptive queries of n rows (their theorem 3.1, with a step of that size).
public struct Ladder: Sendable, Hashable, Codable {
    /// The step.
    public let step: Score
    /// Whether more is better.
    public let direction: Direction
    /// The best so far: the beginning's, or what was told last.
    public private(set) var best: Score

    /// A leaderboard at its beginning.
    ///
    /// - Parameters:
    ///   - step: Above zero.
    ///   - best: What everybody knows: a multiple of the step.
    /// - Throws: `value`.
    public init(step: Score, direction: Direction, best: Score) throws(MarketRefusal) {
        guard step > .zero, best.billionths % step.billionths == 0 else {
            throw .value("the Ladder", expected: "a step above zero, and a beginning that is a multiple of it")
        }
        self.step = step
        self.direction = direction
        self.best = best
    }

    /// The feedback on a score: the new best, or nil where it is not better by more than the step.
    public mutating func feedback(on score: Score) -> Score? {
        guard direction.gain(from: best, to: score) > step.billionths else { return nil }
        let (quotient, remainder) = score.billionths.quotientAndRemainder(dividingBy: step.billionths)
        let up = 2 * remainder.magnitude >= step.billionths.magnitude ? remainder.signum() : 0
        // The nearest multiple of a score near the limit may lie beyond it.
        best = Score(billionths: (quotient + up) * step.billionths) ?? best
        return best
    }
}

/// The Ladder without a parameter (Blum and Hardt 2015, algorithm 2): the step is the standard error of the difference between a submission's losses and those of the best so far.
///
/// It holds the losses of the best submission, one a validation row: as private as the rows.
public struct ParameterFreeLadder: Sendable {
    /// How many validation rows there are.
    public let rows: Int
    /// The mean loss of the best so far, rounded to 1 / rows; nil before the first.
    public private(set) var best: Double?
    private var losses: [Double]

    /// A leaderboard at its beginning, of at least 2 rows.
    ///
    /// - Throws: `value`.
    public init(rows: Int) throws(MarketRefusal) {
        guard rows >= 2 else { throw .value("the Ladder's rows", expected: "at least 2") }
        self.rows = rows
        losses = [Double](repeating: 0, count: rows)
    }

    /// The feedback on a submission: the new best mean loss, or nil where it is not better by more than the standard error of the difference.
    ///
    /// - Parameter submitted: Its loss on each row, 0 to 1, in the rows' order.
    /// - Throws: `value`.
    public mutating func feedback(on submitted: [Double]) throws(MarketRefusal) -> Double? {
        guard submitted.count == rows, submitted.allSatisfy({ (0...1).contains($0) }) else {
            throw .value("losses", expected: "\(rows) numbers of 0 to 1")
        }
        let mean = submitted.reduce(0, +) / Double(rows)
        if let best {
            let differences = zip(submitted, losses).map { $0 - $1 }
            let middle = differences.reduce(0, +) / Double(rows)
            let squares = differences.reduce(0) { $0 + ($1 - middle) * ($1 - middle) }
            let deviation = (squares / Double(rows - 1)).squareRoot()
            guard mean < best - deviation / Double(rows).squareRoot() else { return nil }
        }
        best = (mean * Double(rows)).rounded(.toNearestOrAwayFromZero) / Double(rows)
        losses = submitted
        return best
    }
}

extension ParameterFreeLadder: CustomStringConvertible, CustomReflectable {
    /// The number of rows: losses are never printed.
    public var description: String { "ParameterFreeLadder of \(rows) rows" }
    /// The number of rows.
    public var customMirror: Mirror { Mirror(self, children: ["rows": rows]) }
}
