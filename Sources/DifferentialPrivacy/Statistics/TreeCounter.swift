/// A running sum that is released after every step, from noisy sums of a binary tree's nodes (Dwork, Naor, Pitassi and
/// Rothblum 2010; Chan, Shi and Song 2011).
///
/// Each step is a leaf; a node holds the sum of 2^l steps and is released, once, as the last of them arrives. A running
/// sum adds up at most log2 of the steps. A node's estimate averages its own noisy sum with its children's estimates by
/// their variances (Honaker 2015, "Efficient use of differentially private binary trees", from below), which halves
/// the variance of large nodes and is post-processing.
///
/// Privacy: what one unit changes lies in one step, by at most `sensitivity`, and that step is in one node of each of
/// h = floor(log2 steps) + 1 levels: L1 sensitivity h times it, squared L2 sensitivity h times its square
/// (`IntegerNoise`). Steps may be chosen after seeing earlier releases: each node is a mechanism of its own, whose loss is
/// known beforehand, and the h that a unit is in compose adaptively. `event` is what a whole run costs, to be reserved
/// before its first step (docs/privacy.md, rule 7); a run cannot be copied, since the same step released twice is two.
public struct TreeCounter: Sendable {
    /// The largest number of steps.
    public let steps: Int
    /// The largest change of a step's value by one unit.
    public let sensitivity: Int64
    /// The noise on each node.
    public let noise: IntegerNoise
    static let largestStep: Int64 = 1 << 40

    /// Throws unless there are from 1 to 2^20 steps, the sensitivity is from 1 to 2^40, and noise for that loss exists.
    public init(steps: Int, sensitivity: Int64 = 1, loss: PrivacyLoss) throws(MechanismError) {
        guard (1...(1 << 20)).contains(steps) else { throw .parameter("steps", expected: "a number from 1 to 2^20") }
        guard (1...Self.largestStep).contains(sensitivity) else {
            throw .parameter("sensitivity", expected: "a number from 1 to 2^40")
        }
        self.steps = steps
        self.sensitivity = sensitivity
        let levels = UInt128(Self.levels(steps))
        let one = UInt128(sensitivity.magnitude)
        noise = try IntegerNoise(l1Sensitivity: levels * one, l2SensitivitySquared: levels * one * one, loss: loss)
    }

    private static func levels(_ steps: Int) -> Int {
        Int.bitWidth - steps.leadingZeroBitCount
    }

    /// What happens over all steps of a run.
    public var event: PrivacyEvent { noise.event }

    /// Begins a run.
    public func begin() -> Run { Run(self) }

    /// A run: takes steps and gives noisy sums.
    public struct Run: ~Copyable, Sendable {
        private let counter: TreeCounter
        /// The steps taken so far.
        public private(set) var taken = 0
        /// The latest complete nodes that are in no larger one, the largest first.
        private var nodes: [Node] = []

        fileprivate init(_ counter: TreeCounter) {
            self.counter = counter
        }

        /// Takes the next step's value and gives the noisy sum of all so far. A value beyond ±2^40 counts as that bound.
        /// Throws after the last step.
        public mutating func add<R: RandomNumberGenerator>(
            _ value: Int64, using generator: inout R
        ) throws(MechanismError) -> Double {
            guard taken < counter.steps else {
                throw .parameter("steps", expected: "at most as many as were reserved")
            }
            taken += 1
            let value = min(max(value, -TreeCounter.largestStep), TreeCounter.largestStep)
            var node = counter.observed(level: 0, sum: value, below: nil, using: &generator)
            while let left = nodes.last, left.level == node.level {
                nodes.removeLast()
                let below = (estimate: left.estimate + node.estimate, variance: left.variance + node.variance)
                node = counter.observed(
                    level: node.level + 1, sum: left.sum + node.sum, below: below, using: &generator)
            }
            nodes.append(node)
            return nodes.reduce(0) { $0 + $1.estimate }
        }
    }

    private struct Node: Sendable {
        var level: Int
        /// The exact sum: private.
        var sum: Int64
        var estimate: Double
        /// In variances of a draw.
        var variance: Double
    }

    private func observed<R: RandomNumberGenerator>(
        level: Int, sum: Int64, below: (estimate: Double, variance: Double)?, using generator: inout R
    ) -> Node {
        let own = Double(noise.add(to: sum, using: &generator))
        guard let below else { return Node(level: level, sum: sum, estimate: own, variance: 1) }
        let weight = below.variance / (1 + below.variance)
        return Node(
            level: level, sum: sum, estimate: own * weight + below.estimate * (1 - weight), variance: weight)
    }

    /// The variance of the sum that is released after that many steps.
    public func variance(after step: Int) -> Double {
        var (total, ofLevel, rest) = (0.0, 1.0, max(0, step))
        while rest > 0 {
            if rest & 1 == 1 { total += ofLevel }
            rest >>= 1
            ofLevel = 2 * ofLevel / (1 + 2 * ofLevel)
        }
        return total * noise.variance
    }

    /// The true sum lies within it with that confidence, for the release after that one step.
    public func interval(around released: Double, after step: Int, confidence: Double) -> ConfidenceInterval {
        let half = noise.criticalValue(confidence: confidence) * variance(after: step).squareRoot()
        return ConfidenceInterval(lower: released - half, upper: released + half)
    }
}
