public import DifferentialPrivacy

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Noisy sums by group, and the means, intervals and tests that follow from them.
public struct NoisyMeans: Sendable, Hashable {
    /// What was added up.
    public let task: MeansTask
    /// The released integers, in the task's order.
    public let noisy: [Int64]
    /// The noise that is in them.
    public let noise: AddedNoise

    init(task: MeansTask, noisy: [Int64], noise: AddedNoise) {
        self.task = task
        self.noisy = noisy
        self.noise = noise
    }

    /// The noisy number of rows of a group.
    public func count(group: Int) -> Double { Double(noisy[3 * group]) / rowWorth }

    /// The integer that a row adds to its count: r^2.
    private var rowWorth: Double { Double(task.radius) * Double(task.radius) }

    /// A group has a mean if its noisy count is above so many standard deviations of its noise.
    static let leastCount = 8.0

    /// A group's mean, in the column's unit; nil where its noisy count does not tell it from an empty one.
    public func mean(group: Int) -> Double? { moments(group: group).map { middle + $0.mean * task.grid.step } }

    /// A group's variance (over the count less one), in the column's unit squared, zero where the noise makes it
    /// negative; nil as the mean.
    public func variance(group: Int) -> Double? {
        moments(group: group).map { max(0, $0.variance) * task.grid.step * task.grid.step }
    }

    private var middle: Double { Double(task.grid.centre) * task.grid.step }

    /// A group's moments in steps from the middle.
    struct Moments {
        var count: Double
        var mean: Double
        /// Below zero where the noise makes it so: cut there, sums of several would be too large on average.
        var variance: Double
        /// How much a draw of the sum's and of the count's noise moves the mean.
        var bySum: Double
        var byCount: Double
        /// How much a draw of each of the three moves the variance: the squares' sum.
        var varianceByNoise: Double

        /// The variance of the mean by who was sampled.
        var sampled: Double { variance / count }
    }

    func moments(group: Int) -> Moments? {
        let count = count(group: group)
        guard count >= 2, count > Self.leastCount * noise.deviation / rowWorth else { return nil }
        let radius = Double(task.radius)
        // No true mean is outside the bounds.
        let mean = min(max(Double(noisy[3 * group + 1]) / (2 * radius) / count, -radius), radius)
        let square = Double(noisy[3 * group + 2]) / count - mean * mean
        // The variance moves by e / n in the squares, -2 m e' / n in the sum of values and (2 m^2 - squares / n) e'' /
        // n in the count.
        let (ofSum, ofCount) = (mean / radius, (mean * mean - square) / rowWorth)
        return Moments(
            count: count, mean: mean, variance: square * count / (count - 1),
            bySum: 1 / (2 * radius * count), byCount: mean / (rowWorth * count),
            varianceByNoise: (1 + ofSum * ofSum + ofCount * ofCount) / (count * count))
    }
}

/// The difference of two groups' means.
public struct MeanDifference: Sendable, Hashable {
    /// The second group's mean less the first's.
    public let difference: Double
    /// The standard deviation of the difference by who was sampled.
    public let samplingDeviation: Double
    /// The standard deviation of the difference by the noise, to first order.
    public let noiseDeviation: Double
    /// Holds the populations' difference (of clipped values), sampling and noise in it.
    public let interval: ConfidenceInterval
    /// Welch's t test of no difference, with noise in its null law.
    public let test: HypothesisTest
}

extension NoisyMeans {
    /// The difference of two groups' means with Welch's t test (Welch 1947); nil where one of them has no mean. Throws
    /// for groups that are not the task's or the same, and a confidence that is not above 0 and below 1.
    ///
    /// The error of a difference is a sampling one, of Welch's variance and degrees of freedom, and one of noise, by
    /// each mean's derivative in its sum and count. A Laplace draw of variance v is a normal one of a random variance,
    /// v times an exponential draw (Andrews and Mallows 1974): given these, the whole error is Student's, with degrees
    /// of freedom by Satterthwaite's rule, which the noise in the estimated variances lowers and noise of known
    /// variance raises; p-values and intervals are averages over them, at the points of a fixed sequence.
    public func difference(_ first: Int, _ second: Int, confidence: Double = 0.95) throws(MechanismError)
        -> MeanDifference?
    {
        guard first != second, (0..<task.groups).contains(first), (0..<task.groups).contains(second) else {
            throw .parameter("groups", expected: "two of the task's groups")
        }
        guard confidence > 0 && confidence < 1 else {
            throw .parameter("confidence", expected: "a number above 0 and below 1")
        }
        guard let a = moments(group: first), let b = moments(group: second) else { return nil }
        let sampled = max(0, a.sampled + b.sampled)
        let parts = [a.bySum, a.byCount, b.bySum, b.byCount].map { $0 * $0 * noise.variance }
        let difference = b.mean - a.mean
        // What a variance's own variance, over two, has by who was sampled and by the noise: a quarter of the noise's,
        // by simulation, since Student's tails at few degrees of freedom are heavier than what it does.
        let squares = [a, b].reduce(0.0) { sum, group in
            let byNoise = group.varianceByNoise * noise.variance / (group.count * group.count) / 8
            return sum + group.sampled * group.sampled / (group.count - 1) + byNoise
        }
        let law = MixedError(sampled: sampled, squares: squares, noise: parts, law: noise.law)
        guard let total = law.variance else { return nil }
        let half = Search.leastDouble { law.outside($0 * total.squareRoot()) <= 1 - confidence } * total.squareRoot()
        let step = task.grid.step
        return MeanDifference(
            difference: difference * step, samplingDeviation: sampled.squareRoot() * step,
            noiseDeviation: parts.reduce(0, +).squareRoot() * step,
            interval: ConfidenceInterval(lower: (difference - half) * step, upper: (difference + half) * step),
            test: HypothesisTest(
                statistic: difference / total.squareRoot(), degreesOfFreedom: [law.degreesOfFreedom],
                pValue: law.outside(abs(difference))))
    }
}

/// The law of a sampling error and some independent noises together.
struct MixedError {
    let sampled: Double
    /// Half of the variance of the estimate of `sampled`: zero where that is known.
    let squares: Double
    /// The noises' variance, at points of equal weight.
    private let mixed: [Double]
    private let noise: Double

    /// How many points the average over exponential draws has, of which neighbours are then put together to so many: a
    /// tail is smooth in the variance.
    private static let points = 1024
    private static let groups = 32

    init(sampled: Double, squares: Double, noise: [Double], law: ErrorLaw) {
        self.sampled = sampled
        self.squares = squares
        self.noise = noise.reduce(0, +)
        switch law {
        case .gaussian: mixed = [self.noise]
        case .laplace:
            guard self.noise > 0 else {
                mixed = [0]
                return
            }
            let largestFirst = noise.sorted(by: >)
            let variances = (1...Self.points).map { point in
                largestFirst.enumerated().reduce(0.0) { sum, part in
                    sum - part.element * log(Self.halton(point, base: Self.bases[part.offset % Self.bases.count]))
                }
            }.sorted()
            let each = Self.points / Self.groups
            mixed = (0..<Self.groups).map { group in
                variances[group * each..<(group + 1) * each].reduce(0, +) / Double(each)
            }
        }
    }

    private static let bases = [2, 3, 5, 7]

    /// The number whose digits are the point's, mirrored at the point (Halton 1960): above 0, below 1.
    private static func halton(_ point: Int, base: Int) -> Double {
        var (rest, value, place) = (point, 0.0, 1.0)
        while rest > 0 {
            place /= Double(base)
            value += place * Double(rest % base)
            rest /= base
        }
        return value
    }

    /// By Satterthwaite's rule, of the whole error.
    var degreesOfFreedom: Double { max(1, (sampled + noise) * (sampled + noise) / squares) }

    /// nil where nothing varies.
    var variance: Double? {
        let sum = sampled + noise
        return sum > 0 && sum.isFinite ? sum : nil
    }

    /// The probability of an error of at least that magnitude.
    func outside(_ magnitude: Double) -> Double {
        let sum = mixed.reduce(0.0) { sum, noise in
            let variance = sampled + noise
            guard variance > 0 else { return sum + (magnitude > 0 ? 0 : 1) }
            let law = StudentLaw(degreesOfFreedom: max(1, variance * variance / squares))
            return sum + law.tail(magnitude / variance.squareRoot())
        }
        return min(1, sum / Double(mixed.count))
    }
}
