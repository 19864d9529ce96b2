/// The sparse vector technique (AboveThreshold): answers a stream of questions, each by whether its true value is above
/// a threshold, and pays only for those that are.
///
/// The threshold gets one noise `rho`, each question its own noise `nu`; the answer is "above" if `value + nu >=
/// threshold + rho`. After `positives` answers "above" it stops. The whole run is charged at the start.
///
/// Privacy: epsilon-differentially private, `epsilon = epsilon_1 + epsilon_2`, with discrete Laplace noise of scale
/// `sensitivity / epsilon_1` on the threshold and `spread positives sensitivity / epsilon_2` on each value (Lyu, Su and
/// Li 2017, algorithm 7 and theorems 4 and 5; spread 1 where all values change in one direction, else 2). Of the six
/// versions that they examine only such a one is right: in particular, noise on the values is in proportion to the
/// number of positives, and no noisy value is told. Proof for integers, with both laws exact: between neighbours let
/// rho move up by one sensitivity (for `exp(epsilon_1)`); then what was below stays below, draw by draw of the other
/// noise; and each of the positives stays above if its nu moves by at most two sensitivities, for
/// `exp(epsilon_2 / positives)`. In one direction: where values fall, rho stays and nu moves by at most one; where they
/// rise, rho moves and nu by at most one. That nu may move by exactly as much as keeps the gap
/// `value + nu - (threshold + rho)`, so that the gap of an answer "above" is told for nothing ("sparse
/// vector with gap": Ding, Wang, Xiao, Zhang and Kifer 2023).
///
/// A ledger reserves `event` before the run begins. A run cannot be copied: a copy would give more positives under one
/// charge.
public struct SparseVector: Sendable {
    /// What a whole run costs, pure.
    public let epsilon: Double
    /// The number of answers "above" after which a run ends.
    public let positives: Int
    /// The noise of the threshold.
    public let thresholdNoise: DiscreteLaplace
    /// The noise of each value.
    public let valueNoise: DiscreteLaplace

    /// For values that one unit changes by at most `sensitivity`. Epsilon is split where the variance of a comparison is
    /// least: 1 to `(spread positives)^(2/3)` (Lyu, Su and Li 2017, section 4.2). Throws unless epsilon, positives and
    /// sensitivity are positive and both scales from 2^-20 to 2^40.
    public init(
        epsilon: Double, positives: Int = 1, sensitivity: Int64 = 1, change: UtilityChange = .anyDirection
    ) throws(MechanismError) {
        guard epsilon > 0 && epsilon.isFinite else { throw .parameter("epsilon", expected: "a positive number") }
        guard positives > 0 else { throw .parameter("positives", expected: "a positive number") }
        guard sensitivity > 0 else { throw .parameter("sensitivity", expected: "a positive number") }
        let weight = Double(change.spread) * Double(positives).nextUp
        let forThreshold = epsilon / (1 + OutwardRounding.power(weight, 2.0 / 3))
        let forValues = epsilon - forThreshold
        let sensitivity = Double(sensitivity).nextUp
        // Both are moved up by 2^-45 of them, the roundings before are a few of 2^-53: the sum of what they cost is at
        // most epsilon.
        thresholdNoise = try DiscreteLaplace(scale: OutwardRounding.up(sensitivity / forThreshold))
        valueNoise = try DiscreteLaplace(scale: OutwardRounding.up(weight * sensitivity / forValues))
        self.epsilon = epsilon
        self.positives = positives
    }

    /// What happens in a whole run, however many questions it answers.
    public var event: PrivacyEvent { .pure(epsilon: epsilon) }

    /// How far from the threshold a value may lie and be answered wrongly, with that confidence for all of `questions`
    /// answers at once: half-widths of both noises, each exceeded with half of the rest (Dwork and Roth 2014, theorem
    /// 3.24, with the exact laws).
    public func margin(questions: Int, confidence: Double) -> Int64 {
        let outside = (1 - confidence) / 2
        let threshold = thresholdNoise.halfWidth(outside: outside)
        let value = valueNoise.halfWidth(outside: outside / Double(max(1, questions)))
        return threshold.addingReportingOverflow(value).overflow ? .max : threshold + value
    }

    /// Begins a run: draws the threshold's noise.
    public func begin<R: RandomNumberGenerator>(using generator: inout R) -> Run {
        Run(self, offset: thresholdNoise.sample(using: &generator))
    }

    /// What is told of one question.
    public enum Answer: Sendable, Hashable {
        /// The noisy value is below the noisy threshold: nothing else is told.
        case below
        /// By how much the noisy value exceeds the noisy threshold: at least 0. Its noise has the two variances' sum,
        /// given that the answer is "above".
        case above(gap: Int64)
    }

    /// A run of the technique.
    public struct Run: ~Copyable, Sendable {
        private let noise: DiscreteLaplace
        private let offset: Int64
        /// How many answers "above" are left. Public: it follows from the answers.
        public private(set) var positivesLeft: Int

        fileprivate init(_ mechanism: SparseVector, offset: Int64) {
            noise = mechanism.valueNoise
            self.offset = offset
            positivesLeft = mechanism.positives
        }

        /// The next answer; nil, and nothing is drawn, once all positives were given. Value and threshold may depend on
        /// earlier answers, and the threshold on nothing else of the data.
        public mutating func answer<R: RandomNumberGenerator>(
            value: Int64, threshold: Int64, using generator: inout R
        ) -> Answer? {
            guard positivesLeft > 0 else { return nil }
            let noisyValue = Int128(value) + Int128(noise.sample(using: &generator))
            let gap = noisyValue - Int128(threshold) - Int128(offset)
            guard gap >= 0 else { return .below }
            positivesLeft -= 1
            return .above(gap: Int64(clamping: gap))
        }
    }
}
