/// A running sum that is released after every step, by the square-root factorisation of the matrix of running sums
/// (Fichtenberger, Henzinger and Upadhyay 2023, "Constant matters: fine-grained error bound on differentially private
/// continual observation"; Henzinger, Upadhyay and Upadhyay 2023): about a third of the binary tree's variance for
/// thousands of steps, and the same for all of them. Under zCDP.
///
/// The matrix A of running sums (ones on and below the diagonal) is the square of the lower triangular Toeplitz matrix
/// with the coefficients f(k) = (2k choose k) / 4^k. Here R has those coefficients rounded to multiples of 2^-bits, so
/// that R x, for integer steps x, lies on a public grid, where the noise z is exact. What is released is L (R x + z),
/// with L = A / R: `sum + L z`, without bias from the rounding, and post-processing of R x + z, which is computed in
/// integers first.
///
/// Privacy: one unit changes one step by at most s, hence R x by a column of R times that: squared L2 norm at most
/// `s^2 sum of R(k)^2`, exactly, in integers. Steps may be chosen after seeing earlier releases: entry t of R x + z is a
/// Gaussian mechanism of its own with independent noise, whose share of the sum of squares is known when the changed
/// step is, and shares add up to at most the whole (Denisov, McMahan, Rush, Smith and Thakurta 2022, theorem 2.1, for
/// the continuous case; zCDP composes adaptively). `event` is what a whole run costs, to be reserved before its first step;
/// a run cannot be copied, since the same step released twice is two.
public struct SquareRootCounter: Sendable {
    /// The largest number of steps.
    public let steps: Int
    /// The largest change of a step's value by one unit.
    public let sensitivity: Int64
    /// The noise on each step of R x, in units of 2^-20.
    public let noise: IntegerNoise
    /// R's coefficients, in units of 2^-bits.
    private let right: [Int64]
    /// L's coefficients.
    private let left: [Double]

    private static let bits = 20
    static let mostSteps = 1 << 16
    /// Sums of as many products of 2^20 at most stay within 62 bits.
    static let largestStep: Int64 = 1 << 26

    /// Throws unless the loss is zCDP, there are from 1 to 2^16 steps, the sensitivity is from 1 to 2^26, and noise for
    /// that loss exists.
    public init(steps: Int, sensitivity: Int64 = 1, loss: PrivacyLoss) throws(MechanismError) {
        guard loss.kind == .zeroConcentrated else {
            throw .unsupported("the square-root factorisation", kind: loss.kind)
        }
        guard (1...Self.mostSteps).contains(steps) else {
            throw .parameter("steps", expected: "a number from 1 to 2^16")
        }
        guard (1...Self.largestStep).contains(sensitivity) else {
            throw .parameter("sensitivity", expected: "a number from 1 to 2^26")
        }
        self.steps = steps
        self.sensitivity = sensitivity
        right = Self.coefficients(steps)
        left = Self.quotient(right)
        let one = UInt128(sensitivity.magnitude)
        let square = right.reduce(UInt128(0)) { $0 + UInt128($1.magnitude) * UInt128($1.magnitude) }
        let sum = right.reduce(UInt128(0)) { $0 + UInt128($1.magnitude) }
        noise = try IntegerNoise(
            l1Sensitivity: sum * one, l2SensitivitySquared: square * one * one, loss: loss)
    }

    /// f(k) = f(k - 1) (1 - 1 / (2 k)), rounded to multiples of 2^-bits. That the product is rounded too is no matter:
    /// any coefficients whose first is not zero will do, as long as both sides use the same.
    private static func coefficients(_ count: Int) -> [Int64] {
        var f = 1.0
        return (0..<count).map { k in
            if k > 0 { f *= 1 - 1 / Double(2 * k) }
            return Int64((f * Double(1 << bits)).rounded())
        }
    }

    /// The coefficients of `1 / ((1 - X) R(X))` as a power series: L, lower triangular and Toeplitz, with L R = A. In
    /// units of 2^bits.
    private static func quotient(_ right: [Int64]) -> [Double] {
        let first = Double(right[0])
        var left: [Double] = []
        left.reserveCapacity(right.count)
        for k in right.indices {
            var rest = 1.0
            for j in 0..<k { rest -= left[j] * Double(right[k - j]) }
            left.append(rest / first)
        }
        return left
    }

    /// What happens over all steps of a run.
    public var event: PrivacyEvent { noise.event }

    /// Begins a run.
    public func begin() -> Run { Run(self) }

    /// A run: takes steps and gives noisy sums.
    public struct Run: ~Copyable, Sendable {
        private let counter: SquareRootCounter
        /// The steps' values: private.
        private var values: [Int64] = []
        /// R x + z so far.
        private var noisy: [Int64] = []

        fileprivate init(_ counter: SquareRootCounter) {
            self.counter = counter
        }

        /// The steps taken so far.
        public var taken: Int { noisy.count }

        /// Takes the next step's value and gives the noisy sum of all so far, in time linear in their number. A value
        /// beyond ±2^26 counts as that bound. Throws after the last step.
        public mutating func add<R: RandomNumberGenerator>(
            _ value: Int64, using generator: inout R
        ) throws(MechanismError) -> Double {
            guard taken < counter.steps else {
                throw .parameter("steps", expected: "at most as many as were reserved")
            }
            let last = taken
            values.append(min(max(value, -SquareRootCounter.largestStep), SquareRootCounter.largestStep))
            var entry: Int64 = 0
            for step in 0...last { entry += counter.right[last - step] * values[step] }
            noisy.append(counter.noise.add(to: entry, using: &generator))
            var sum = 0.0
            for step in 0...last { sum += counter.left[last - step] * Double(noisy[step]) }
            return sum
        }
    }

    /// The variance of the sum that is released after that many steps: the noise's, times the squared norm of L's row.
    public func variance(after step: Int) -> Double {
        left.prefix(max(0, step)).reduce(0) { $0 + $1 * $1 } * noise.variance
    }

    /// The true sum lies within it with that confidence, for the release after that one step.
    public func interval(around released: Double, after step: Int, confidence: Double) -> ConfidenceInterval {
        let half = noise.criticalValue(confidence: confidence) * variance(after: step).squareRoot()
        return ConfidenceInterval(lower: released - half, upper: released + half)
    }
}
