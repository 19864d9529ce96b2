#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What one training run shows of its own privacy (Steinke, Nasr and Jagielski 2023, "Privacy auditing with one (1) training run").
///
/// Canaries, made-up units, are put among the examples before training, each with probability 1/2 and independently of all else. Afterwards
/// an auditor guesses of some of them whether they were in, and of the others says nothing. Training that is (epsilon, delta)-private keeps guesses
/// from being right much more often than e^epsilon to 1 allows; so many right guesses give a lower bound on epsilon, at a confidence.
/// A bound above what is claimed shows that the claim is false; one below it shows nothing.
///
/// Canaries only: guesses about real people would be results about them, which nobody has paid for.
public struct OneRunAudit: Sendable, Equatable {
    /// How many canaries there were, in or not.
    public let canaries: Int
    /// Of how many the auditor said whether they were in.
    public let guesses: Int
    /// How many of these guesses are right.
    public let correct: Int

    /// - Throws: Numbers that do not fit together.
    public init(canaries: Int, guesses: Int, correct: Int) throws(ModelError) {
        guard 0 <= correct, correct <= guesses, guesses <= canaries else {
            throw .data(
                "\(correct) right of \(guesses) guesses about \(canaries) canaries",
                expected: "no more right ones than guesses, and no more guesses than canaries")
        }
        self.canaries = canaries
        self.guesses = guesses
        self.correct = correct
    }

    /// Guesses that the canaries with the largest scores were in and those with the least were not.
    ///
    /// How many guesses are made must be fixed before the truth is looked at: to try several numbers and keep the best makes
    /// the bound wrong.
    ///
    /// - Parameters:
    ///   - scores: One a canary, larger where it looks more as if it was in: how far the weights moved in its gradient's direction, or
    ///     minus its loss.
    ///   - wasIn: One a canary.
    ///   - each: How many are guessed to have been in, and how many not.
    /// - Throws: Numbers that do not fit together.
    public init(scores: [Double], wasIn: [Bool], guessing each: Int) throws(ModelError) {
        guard scores.count == wasIn.count, each >= 0, 2 * each <= scores.count else {
            throw .data(
                "\(scores.count) scores, \(wasIn.count) canaries, \(each) guesses each way",
                expected: "a score a canary, and at most half as many guesses each way")
        }
        let order = scores.indices.sorted { (scores[$0], $0) < (scores[$1], $1) }
        let right = order.prefix(each).count { !wasIn[$0] } + order.suffix(each).count { wasIn[$0] }
        try self.init(canaries: scores.count, guesses: 2 * each, correct: right)
    }

    /// The greatest probability that (epsilon, delta)-private training leaves to so many right guesses or more: their theorem 3.1,
    /// beta + 2 m delta alpha for m canaries. With X binomial, as many trials as guesses, each right with probability
    /// e^epsilon / (1 + e^epsilon), and v the right guesses, beta is P(X >= v), and alpha the largest P(v > X >= v - i) / i.
    public func probability(epsilon: Double, delta: Double) -> Double {
        let law = Self.binomial(guesses, logOdds: epsilon)
        let beta = law[correct...].reduce(0, +)
        var (alpha, sum) = (0.0, 0.0)
        for i in 0..<correct {
            sum += law[correct - 1 - i]
            alpha = max(alpha, sum / Double(i + 1))
        }
        // Rounded up, by more than the errors of the sums.
        return min(1, (beta + 2 * Double(canaries) * delta * alpha) * (1 + 1e-9))
    }

    /// A lower bound on epsilon at this delta, wrong with probability 1 - `confidence` at most; 0 where nothing is shown.
    public func epsilon(delta: Double, confidence: Double = 0.999) -> Double {
        let error = 1 - confidence
        guard probability(epsilon: 0, delta: delta) < error else { return 0 }
        // No number of guesses shows more than this.
        var (shown, open) = (0.0, 64.0)
        for _ in 0..<50 {
            let middle = (shown + open) / 2
            if probability(epsilon: middle, delta: delta) < error { shown = middle } else { open = middle }
        }
        return shown
    }

    /// The binomial law's probabilities of 0 to `trials`, from the logarithm of one trial's odds.
    private static func binomial(_ trials: Int, logOdds: Double) -> [Double] {
        // log(1 - q) of q = e^x / (1 + e^x) is -x - log(1 + e^-x).
        var logarithm = -Double(trials) * (logOdds + log1p(exp(-logOdds)))
        return (0...trials).map { successes in
            defer { logarithm += log(Double(trials - successes) / Double(successes + 1)) + logOdds }
            return exp(logarithm)
        }
    }
}
