/// Feedback of a leaderboard that cannot be climbed by guessing: the Ladder mechanism (Blum and Hardt, "The Ladder: A Reliable Leaderboard for Machine Learning Competitions",
/// ICML 2015, algorithm 1).
///
/// A score is told, rounded to the step, only where it is better than the best so far by more than the step; otherwise nothing new is told. The best so far is then within
/// O((log(k n))^(1/3) / n^(1/3)) of the truth after k adaptive queries of n rows (their theorem 3.1, with a step of that size).
///
/// Scores are whole numbers of a unit of the caller's choice, such as a billionth: no rounding of floating point decides whether there was a step.
public struct Ladder: Sendable, Hashable {
    /// The step.
    public let step: Int64
    /// Whether more is better.
    public let isBetterHigher: Bool
    /// The best so far: the beginning's, or what was told last. A multiple of the step.
    public private(set) var best: Int64

    /// A leaderboard at its beginning, or as it was left.
    ///
    /// - Parameters:
    ///   - step: Above zero.
    ///   - best: What everybody knows, or was told: rounded to the step.
    /// - Throws: A step that is none (`mismatch`).
    public init(step: Int64, best: Int64 = 0, isBetterHigher: Bool = true) throws(MetricError) {
        guard step > 0 else { throw .mismatch("the Ladder's step is above zero") }
        self.step = step
        self.isBetterHigher = isBetterHigher
        self.best = Self.nearest(best, step: step)
    }

    /// The feedback on a score: the new best, or nil where it is not better by more than the step.
    ///
    /// - Parameter error: What noise alone may have added to the score: a gain within it is none. At most the step, it changes nothing.
    public mutating func feedback(on score: Int64, error: Int64 = 0) -> Int64? {
        let gain = isBetterHigher ? Int128(score) - Int128(best) : Int128(best) - Int128(score)
        guard gain > Int128(max(step, error)) else { return nil }
        best = Self.nearest(score, step: step)
        return best
    }

    /// The nearest multiple of the step, of two the one that is further from zero; where that is beyond the largest number, the one before it.
    private static func nearest(_ score: Int64, step: Int64) -> Int64 {
        let (quotient, remainder) = score.quotientAndRemainder(dividingBy: step)
        let isUp = remainder.magnitude >= (step.magnitude + 1) / 2
        let multiple = (Int128(quotient) + (isUp ? Int128(remainder.signum()) : 0)) * Int128(step)
        return Int64(exactly: multiple) ?? score - remainder
    }
}
