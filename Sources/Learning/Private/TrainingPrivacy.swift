public import DifferentialPrivacy

/// How large what one unit adds to a step's sum may be.
public enum Clipping: Sendable, Equatable {
    /// The same L2 norm at each step.
    case fixed(Double)
    /// A norm that goes where a fraction `quantile` of the units' norms lie below it (Andrew, Thakkar, McMahan and Ramaswamy
    /// 2021, "Differentially private learning with adaptive clipping"): after each step it is multiplied by
    /// exp(-rate (fraction below - quantile)), the fraction being noisy, with a deviation of `countDeviation` units.
    case adaptive(from: Double, quantile: Double = 0.5, rate: Double = 0.2, countDeviation: Double)

    /// The norm at the first step.
    public var first: Double {
        switch self {
        case .fixed(let norm): norm
        case .adaptive(let norm, _, _, _): norm
        }
    }
}

/// What private training promises, and the noise that holds it: all of it public, set by the owner's policy.
///
/// Privacy. Each step takes every unit with probability ``samplingRate``, independently (Poisson), scales each unit's whole
/// gradient down to the clipping norm, adds them up, rounds the sum to a public grid and adds exact discrete Gaussian noise
/// there (Abadi et al. 2016, "Deep learning with differential privacy"; Kairouz, Liu and Steinke 2021 for noise on a grid).
/// The grid's step is a public fraction of the norm. Adding or removing one unit changes the sum by at most the norm; rounding
/// a sum of d values on either side moves each by at most half a grid step, so that the rounded sums differ by at most
/// ``gradientSteps`` + sqrt(d) steps in L2 norm. Adaptive clipping adds one value to the same vector: the number of units whose norm
/// is within the bound, times ``countSteps``, which one unit changes by at most that. ``sensitivitySquared`` is the sum of both squares.
/// A step on an empty sample is a step like the others. What follows from noisy sums (weights, moments, the next norm) costs nothing.
///
/// Not proved, but measured beside float64 and under attack (`PullTests`): that the floating-point errors of norms, scaling and sums stay
/// within the hundredth of the clipping norm that is left for them. Terms of a unit that cancel, values that leave float32's range, and what
/// one unit's absence does to the rounding of others are bounded for that (`Cancellation`, `ClippedTotal`, the bins of `PrivateTrainingRun`).
public struct TrainingPrivacy: Sendable, Equatable {
    /// The largest L2 norm of what one unit adds to a step's sum.
    public let clipping: Clipping
    /// The noise's standard deviation over the sensitivity.
    public let noiseMultiplier: Double
    /// With which probability each unit is in a step's sample.
    public let samplingRate: Double
    /// How many steps are taken.
    public let steps: Int
    /// The number of units that the sum is divided by, times the sampling rate: declared or bought, since how many there are
    /// is private.
    public let capacity: Int
    /// The number of values that are summed.
    public let dimension: Int

    /// - Throws: A number out of range: which, and what would be right.
    public init(
        clipping: Clipping, noiseMultiplier: Double, samplingRate: Double, steps: Int, capacity: Int, dimension: Int
    ) throws(MechanismError) {
        try Self.check(clipping)
        guard noiseMultiplier >= 0x1p-10, noiseMultiplier <= 0x1p10 else {
            throw .parameter("noise multiplier", expected: "a number from 2^-10 to 2^10")
        }
        guard samplingRate >= 0x1p-40, samplingRate <= 1 else {
            throw .parameter("sampling rate", expected: "a probability from 2^-40 to 1")
        }
        guard (1...100_000_000).contains(steps) else { throw .parameter("steps", expected: "from 1 to 100,000,000") }
        guard (1...(1 << 40)).contains(capacity) else { throw .parameter("capacity", expected: "from 1 to 2^40 units") }
        guard (1...(1 << 31)).contains(dimension) else {
            throw .parameter("dimension", expected: "from 1 to 2^31 trained values")
        }
        self.clipping = clipping
        self.noiseMultiplier = noiseMultiplier
        self.samplingRate = samplingRate
        self.steps = steps
        self.capacity = capacity
        self.dimension = dimension
    }

    private static func check(_ clipping: Clipping) throws(MechanismError) {
        guard clipping.first >= 0x1p-60, clipping.first <= 0x1p60 else {
            throw .parameter("clipping norm", expected: "a positive number, from 2^-60 to 2^60")
        }
        guard case .adaptive(_, let quantile, let rate, let deviation) = clipping else { return }
        guard quantile > 0, quantile < 1 else { throw .parameter("quantile", expected: "a number between 0 and 1") }
        guard rate > 0, rate <= 4 else { throw .parameter("rate of the clipping norm", expected: "above 0, at most 4") }
        guard deviation >= 0.1, deviation <= 0x1p40 else {
            throw .parameter("deviation of the count", expected: "a number of units from 0.1 to 2^40")
        }
    }

    /// The least noise that training at these numbers needs for (epsilon, delta), by privacy loss distributions, to a
    /// thousandth.
    ///
    /// - Throws: Numbers out of range, or an (epsilon, delta) that no noise reaches.
    public static func calibrated(
        epsilon: Double, delta: Double, clipping: Clipping, samplingRate: Double, steps: Int, capacity: Int,
        dimension: Int
    ) throws(MechanismError) -> TrainingPrivacy {
        func privacy(_ noise: Double) throws(MechanismError) -> TrainingPrivacy {
            try TrainingPrivacy(
                clipping: clipping, noiseMultiplier: noise, samplingRate: samplingRate, steps: steps,
                capacity: capacity,
                dimension: dimension)
        }
        return try privacy(leastNoise(epsilon: epsilon, delta: delta, of: [privacy(1)]))
    }

    /// The least noise multiplier, the same for all, at which several trainings together keep (epsilon, delta), by privacy loss
    /// distributions, to a thousandth.
    ///
    /// - Parameter trainings: Whatever their own noise is.
    /// - Throws: An (epsilon, delta) that no noise reaches.
    public static func leastNoise(
        epsilon: Double, delta: Double, of trainings: [TrainingPrivacy]
    ) throws(MechanismError) -> Double {
        try Calibration.leastNoise(epsilon: epsilon, delta: delta, tolerance: 1e-3, by: PrivacyLossAccountant()) {
            noise in
            .composition(trainings.map { $0.event(noiseMultiplier: noise) })
        }
    }

    /// The clipping norm in steps of the grid: a power of two, so many that rounding adds at most a thousandth to the sensitivity.
    public var gradientSteps: Double { Double(Self.powerOfTwo(atLeast: 1024 * Self.root(dimension))) }

    /// What one unit within the clipping norm adds to the counting value, in steps of the grid; 0 where the norm is fixed.
    public var countSteps: Double {
        guard case .adaptive(_, _, _, let deviation) = clipping else { return 0 }
        // The noise's deviation is about noiseMultiplier x gradientSteps: over this, it is the one that was asked for.
        return max(1, (noiseMultiplier * gradientSteps / deviation).rounded())
    }

    /// The largest squared L2 change of the rounded vector by one unit, in steps of the grid.
    public var sensitivitySquared: Double {
        let gradient = gradientSteps + Double(Self.root(dimension))
        return (gradient * gradient + countSteps * countSteps).nextUp
    }

    /// The noise's parameter, in steps of the grid.
    public var sigma: Double { sigma(noiseMultiplier: noiseMultiplier) }

    private func sigma(noiseMultiplier: Double) -> Double {
        (noiseMultiplier * sensitivitySquared.squareRoot().nextUp).nextUp
    }

    /// What happens in one step.
    public var stepEvent: PrivacyEvent {
        .poissonSampled(rate: samplingRate, .discreteGaussian(sensitivitySquared: sensitivitySquared, sigma: sigma))
    }

    /// What happens in all steps.
    public var event: PrivacyEvent { .repeated(stepEvent, times: steps) }

    private func event(noiseMultiplier: Double) -> PrivacyEvent {
        .repeated(
            .poissonSampled(
                rate: samplingRate,
                .discreteGaussian(
                    sensitivitySquared: sensitivitySquared, sigma: sigma(noiseMultiplier: noiseMultiplier))),
            times: steps)
    }

    /// How many units a step takes, expected where the capacity is full: what sums are divided by.
    public var expectedUnits: Double { samplingRate * Double(capacity) }

    /// The norm after a step.
    ///
    /// - Parameters:
    ///   - norm: The one before.
    ///   - noisyCount: The counting value with its noise.
    func norm(after norm: Double, noisyCount: Int64) -> Double {
        guard case .adaptive(_, let quantile, let rate, _) = clipping else { return norm }
        let fraction = min(1, max(0, Double(noisyCount) / countSteps / expectedUnits))
        return min(0x1p60, max(0x1p-60, norm * Exponential.value(-rate * (fraction - quantile))))
    }

    /// The square root, rounded up to a whole number.
    private static func root(_ dimension: Int) -> Int { Int(Double(dimension).squareRoot().rounded(.up)) }

    private static func powerOfTwo(atLeast count: Int) -> Int { 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount) }
}
