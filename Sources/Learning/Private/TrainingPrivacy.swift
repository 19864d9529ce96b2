public import DifferentialPrivacy

/// What private training promises, and the noise that holds it: all of it public, set by the owner's policy.
///
/// Privacy. Each step takes every unit with probability ``samplingRate``, independently (Poisson), scales each unit's whole
/// gradient down to the clipping norm, adds them up, rounds the sum to a public grid and adds exact discrete Gaussian noise
/// there (Abadi et al. 2016, "Deep learning with differential privacy"; Kairouz, Liu and Steinke 2021 for noise on a grid).
/// Adding or removing one unit changes the sum by at most the clipping norm; rounding a sum of d values on either side moves
/// each by at most half a grid step, so that the rounded sums differ by at most ``sensitivity`` steps. The noise is a multiple
/// of that. A step on an empty sample is a step like the others. What follows from noisy sums (weights, moments) costs nothing.
///
/// Not proved, but measured beside float64: that the floating-point errors of norms, scaling and sums stay within the hundredth of the
/// clipping norm that is left for them.
public struct TrainingPrivacy: Sendable, Equatable {
    /// The largest L2 norm of what one unit adds to a step's sum.
    public let clippingNorm: Double
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
        clippingNorm: Double, noiseMultiplier: Double, samplingRate: Double, steps: Int, capacity: Int, dimension: Int
    ) throws(MechanismError) {
        guard clippingNorm > 0x1p-60, clippingNorm < 0x1p60 else {
            throw .parameter("clipping norm", expected: "a positive number, from 2^-60 to 2^60")
        }
        guard noiseMultiplier >= 0x1p-10, noiseMultiplier <= 0x1p10 else {
            throw .parameter("noise multiplier", expected: "a number from 2^-10 to 2^10")
        }
        guard samplingRate >= 0x1p-40, samplingRate <= 1 else {
            throw .parameter("sampling rate", expected: "a probability from 2^-40 to 1")
        }
        guard steps >= 1 else { throw .parameter("steps", expected: "at least 1") }
        guard capacity >= 1 else { throw .parameter("capacity", expected: "at least one unit") }
        guard (1...(1 << 31)).contains(dimension) else {
            throw .parameter("dimension", expected: "from 1 to 2^31 trained values")
        }
        self.clippingNorm = clippingNorm
        self.noiseMultiplier = noiseMultiplier
        self.samplingRate = samplingRate
        self.steps = steps
        self.capacity = capacity
        self.dimension = dimension
    }

    /// The grid's step: a power of two, so fine that rounding adds at most a thousandth to the sensitivity.
    public var gridStep: Double {
        let finest = clippingNorm / (Double(dimension).squareRoot().rounded(.up) * 1024)
        return Double(sign: .plus, exponent: Int(finest.exponent), significand: 1)
    }

    /// The largest L2 change of the rounded sum by one unit, in grid steps, a whole number.
    public var sensitivity: Double {
        // A clipping norm over a power of two is exact; the root is rounded up by a whole step.
        (clippingNorm / gridStep).rounded(.up) + Double(dimension).squareRoot().rounded(.up) + 1
    }

    /// The noise's parameter, in grid steps.
    public var sigma: Double { (noiseMultiplier * sensitivity).nextUp }

    /// What happens in one step.
    public var stepEvent: PrivacyEvent {
        .poissonSampled(
            rate: samplingRate, .discreteGaussian(sensitivitySquared: sensitivity * sensitivity, sigma: sigma))
    }

    /// What happens in all steps.
    public var event: PrivacyEvent { .repeated(stepEvent, times: steps) }

    /// How many units a step takes, expected where the capacity is full: what sums are divided by.
    public var expectedUnits: Double { samplingRate * Double(capacity) }
}
